"""PyTorch's checkpoint files as NumPy arrays, without PyTorch.

A `.pth` file is a pickle, and to unpickle is to run what the file says. Here
nothing is unpickled: `plain` reads the pickle's opcodes itself, knows those of
plain data, and knows by name the few functions that `torch.save` writes for
tensors. Anything else is refused and named. Nothing is allocated before the
file is shown to be large enough to hold it.

Both forms are read: the zip of PyTorch 1.6 and later, and the stream of before,
in which the authors of CycleGAN published theirs. The layouts are those of
`torch/serialization.py`.
"""

import dataclasses
import io
import math
import pickletools
import struct
import sys
import warnings
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, BinaryIO

import ml_dtypes
import numpy as np

from keras_gans.files import regular

# What a stream of before PyTorch 1.6 begins with.
MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001

# Bytes of opcodes; a tensor takes about 150.
LARGEST_PICKLE = 1 << 22

MOST_AXES = 64  # as NumPy's arrays; tensors have five or six

DTYPES = {
    "DoubleStorage": np.dtype(np.float64),
    "FloatStorage": np.dtype(np.float32),
    "HalfStorage": np.dtype(np.float16),
    "BFloat16Storage": np.dtype(ml_dtypes.bfloat16),
    "LongStorage": np.dtype(np.int64),
    "IntStorage": np.dtype(np.int32),
    "ShortStorage": np.dtype(np.int16),
    "CharStorage": np.dtype(np.int8),
    "ByteStorage": np.dtype(np.uint8),
    "BoolStorage": np.dtype(np.uint8),  # a byte may hold what no bool can
}

KNOWN = {
    "collections.OrderedDict",
    "torch.Size",
    "torch._utils._rebuild_parameter",
    "torch._utils._rebuild_tensor",
    "torch._utils._rebuild_tensor_v2",
    *(f"torch.{storage}" for storage in DTYPES),
    *(f"torch.cuda.{storage}" for storage in DTYPES),
}


class Refused(ValueError):
    """Says what a file is, in place of a checkpoint."""


def read_pth(path: str | Path) -> dict[str, Any]:
    """Read what `torch.save` wrote; nothing in the file is executed.

    Args:
        path: A file of any PyTorch since 0.1.10.

    Returns:
        Of a state dict, names to arrays in PyTorch's layout; bfloat16 as that
        of `ml_dtypes`, bool as uint8. Where the file holds more, such as
        `{"epoch": 3, "state_dict": {...}}`, dicts, lists, tuples, numbers and
        strings as they are.

    Raises:
        ValueError: If it is no such file, is cut off or damaged, claims more
            than it holds, or has code in it.

    Example:

    ```python
    state = keras_gans.convert.read_pth("latest_net_G_A.pth")
    state["model.1.weight"].shape  # (64, 3, 7, 7)
    ```
    """
    try:
        file = open(regular(path), "rb")
    except OSError as error:
        raise ValueError(
            f"Expected a PyTorch checkpoint. Received: {str(path)!r} "
            f"({error.strerror}). Check the path."
        ) from None
    with file:
        try:
            return tensors_in(file)
        except Refused as error:
            raise ValueError(
                f"Expected {path} to hold plain tensors, as `torch.save` "
                f"writes them. Received: {error}. Fetch the file again, or "
                "save the network's `state_dict()` alone."
            ) from None


def tensors_in(file: BinaryIO) -> dict[str, Any]:
    """The content of an open file; `Refused` says what it is instead."""
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    head = file.read(4)
    file.seek(0)
    if head != b"PK\x03\x04" and head[:1] != b"\x80":
        words = f"that begins with {head!r}" if head else "of 0 bytes"
        raise Refused(f"a file {words}")
    read = _from_zip if head[:1] == b"P" else _from_stream
    try:
        with warnings.catch_warnings():
            # What Python thinks of a string's backslashes is no matter here.
            warnings.simplefilter("ignore", DeprecationWarning)
            content = read(file, size)
    except Refused as error:
        # A name in a hostile file may be long, or several lines.
        raise Refused(" ".join(str(error).split())[:300]) from None
    except (
        *(ValueError, IndexError, KeyError, TypeError, OverflowError),
        *(zipfile.BadZipFile, struct.error, EOFError, OSError),
        *(RuntimeError, NotImplementedError),  # zip: encrypted, a later kind
    ) as error:
        words = f"{type(error).__name__}: {error}"
        words = " ".join(words.split())[:200]
        raise Refused(f"a file that is cut off or damaged ({words})") from None
    if not isinstance(content, dict):
        raise Refused(f"a {type(content).__name__} in place of a dict")
    return content


# === The two forms ===


def _from_zip(file: BinaryIO, size: int) -> Any:
    """`<name>/data.pkl`, and a file for each storage, `<name>/data/<key>`."""
    with zipfile.ZipFile(file) as archive:
        members = {m.filename: m for m in archive.infolist()}
        pickles = [name for name in members if name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise Refused("a zip file of something else")
        root = pickles[0].removesuffix("data.pkl")
        if f"{root}constants.pkl" in members:
            raise Refused("a TorchScript program, which is code")

        def opened(name):
            member = members.get(root + name)
            if member is None:
                raise Refused(f"a file without {root + name}")
            # Packed, a small file could become any number of bytes.
            packed = (
                member.compress_type != zipfile.ZIP_STORED
                or member.compress_size != member.file_size
            )
            if packed or member.file_size > size:
                raise Refused(
                    f"{root + name}, packed or of more bytes than the file has"
                )
            return archive.open(member), member.file_size

        def fill(storage, key):
            content, found = opened(f"data/{key}")
            with content:
                if found != storage.values.nbytes:
                    raise Refused(
                        f"{found} bytes in data/{key}, in place of "
                        f"{storage.values.nbytes}"
                    )
                storage.fill(content, order)

        order = "little"
        if f"{root}byteorder" in members:
            with opened("byteorder")[0] as content:
                order = {b"little": "little", b"big": "big"}[content.read(8)]
        with opened("data.pkl")[0] as content:
            data = io.BytesIO(content.read())
        return plain(data, Storages(size, fill))


def _from_stream(file: BinaryIO, size: int) -> Any:
    """Magic number, protocol, machine, content, keys; then the storages."""
    if plain(file) != MAGIC or plain(file) != PROTOCOL:
        raise Refused("a pickle of something else")
    plain(file)  # sizes of C types; all machines write the same
    storages = Storages(size)
    content = plain(file, storages)
    keys = plain(file)
    for key in keys:
        if not isinstance(key, str) or key not in storages.found:
            raise Refused("storages that no tensor has")
        storage = storages.found[key]
        if int.from_bytes(file.read(8), "little") != storage.values.size:
            raise Refused("a file that is cut off, or other storages")
        storage.fill(file, "little")
    if len(keys) != len(storages.found):
        raise Refused("tensors without storages")
    return content


# === Storages and tensors ===


@dataclasses.dataclass(frozen=True)
class Storage:
    """The memory that tensors are views of.

    Args:
        values: One-dimensional, contiguous.
    """

    values: np.ndarray

    def fill(self, file: BinaryIO, order: str) -> None:
        """Read the values from a file, written in one byte order."""
        raw = self.values.view(np.uint8)
        if file.readinto(raw) != raw.size:
            raise Refused("a file that is cut off")
        if order != sys.byteorder:
            size = self.values.itemsize
            self.values.view(f"u{size}").byteswap(inplace=True)


class Storages:
    """What stands for a persistent id: each storage, allocated once.

    Args:
        size: Of the file, in bytes. All storages together have no more.
        fill: Called with each new one and its key, where they can be read
            at once.
    """

    def __init__(
        self, size: int, fill: Callable[[Storage, str], None] | None = None
    ):
        self.left = size
        self.fill = fill
        self.found: dict[str, Storage] = {}

    def __call__(self, persistent_id: Any) -> Storage:
        match persistent_id:
            case ("storage", Name(text), str(key), _, int(count), *view):
                dtype = DTYPES.get(text.rpartition(".")[2])
            case _:
                raise Refused("a persistent id of something else")
        if dtype is None or count < 0:
            raise Refused(f"{count} numbers of type {text}")
        if key not in self.found:
            self.left -= count * dtype.itemsize
            if self.left < 0:
                raise Refused(
                    "a file that is cut off, or claims more than it holds: "
                    f"{count} numbers of {dtype}"
                )
            self.found[key] = Storage(np.empty(count, dtype))
            if self.fill:
                self.fill(self.found[key], key)
        root = self.found[key]
        if (root.values.size, root.values.dtype) != (count, dtype):
            raise Refused(f"storage {key} of two sizes or types")
        if view and view[0] is not None:  # a part of it, as of before 0.4
            _, start, length = view[0]
            return Storage(part(root, start, (length,), (1,)))
        return root


def part(
    storage: Any, start: Any, shape: Iterable[Any], strides: Iterable[Any]
) -> np.ndarray:
    """A view of a storage, once all of it is shown to lie within.

    Args:
        storage: A `Storage`.
        start, shape, strides: In numbers, not bytes; from the file.
    """
    shape, strides = tuple(shape), tuple(strides)
    if not isinstance(storage, Storage) or not all(
        type(n) is int and n >= 0 for n in (start, *shape, *strides)
    ):
        raise Refused("a tensor of no storage")
    values = storage.values
    if 0 in shape:
        return np.empty(shape, values.dtype)
    # Before any product: a file's integers may have millions of digits.
    numbers = (start, *shape, *strides)
    if len(shape) > MOST_AXES or max(numbers) > values.size:
        raise Refused(
            f"a tensor of {len(shape)} axes that are not in a storage of "
            f"{values.size} numbers"
        )
    steps = zip(shape, strides, strict=True)
    last = start + sum((n - 1) * step for n, step in steps)
    # One number repeated (stride 0) would be a large array of a small file.
    if max(last + 1, math.prod(shape)) > values.size:
        raise Refused(
            f"a tensor of shape {shape} and strides {strides} in a storage of "
            f"{values.size} numbers"
        )
    return np.lib.stride_tricks.as_strided(
        values[start:], shape, [n * values.itemsize for n in strides]
    )


# === The pickle ===


@dataclasses.dataclass(frozen=True)
class Name:
    """A name in `KNOWN`. It is compared, never looked up."""

    text: str


# Opcodes whose argument is the value: numbers, strings, bytes.
VALUES = {
    *("INT", "LONG", "BININT", "BININT1", "BININT2", "LONG1", "LONG4"),
    *("FLOAT", "BINFLOAT", "STRING", "BINSTRING", "SHORT_BINSTRING"),
    *("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
}
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
EMPTY = {"EMPTY_TUPLE": tuple, "EMPTY_LIST": list, "EMPTY_DICT": dict}


def plain(
    file: BinaryIO, storage: Callable[[Any], Storage] | None = None
) -> Any:
    """The value of the pickle that begins here; it ends where that ends.

    Args:
        file: Open, seekable.
        storage: Of a persistent id.
    """
    stack: list[Any] = []
    below: list[list[Any]] = []  # the stacks below each mark
    memo: dict[int, Any] = {}
    start = file.tell()
    for opcode, argument, position in pickletools.genops(_Bounded(file)):
        if position - start > LARGEST_PICKLE:
            raise Refused(f"a pickle of more than {LARGEST_PICKLE} bytes")
        items = None  # those above the last mark
        if opcode.name in ("TUPLE", "LIST", "DICT", "APPENDS", "SETITEMS"):
            items, stack = stack, below.pop()
        match opcode.name:
            case "PROTO" | "FRAME":
                pass
            case "STOP":
                (value,) = stack
                return value
            case name if name in VALUES:
                stack.append(argument)
            case name if name in CONSTANTS:
                stack.append(CONSTANTS[name])
            case name if name in EMPTY:
                stack.append(EMPTY[name]())
            case "MARK":
                below.append(stack)
                stack = []
            case "TUPLE1" | "TUPLE2" | "TUPLE3" as name:
                items = [stack.pop() for _ in range(int(name[-1]))]
                stack.append(tuple(items[::-1]))
            case "TUPLE" | "LIST":
                stack.append(tuple(items) if opcode.name == "TUPLE" else items)
            case "DICT":
                stack.append(with_items({}, items[::2], items[1::2]))
            case "APPEND" | "APPENDS":
                items = [stack.pop()] if items is None else items
                if type(stack[-1]) is not list:
                    raise Refused("a damaged file")
                stack[-1].extend(items)
            case "SETITEM" | "SETITEMS":
                if items is None:
                    items = [stack.pop(), stack.pop()][::-1]
                with_items(stack[-1], items[::2], items[1::2])
            case "PUT" | "BINPUT" | "LONG_BINPUT":
                memo[argument] = stack[-1]
            case "MEMOIZE":
                memo[len(memo)] = stack[-1]
            case "GET" | "BINGET" | "LONG_BINGET":
                stack.append(memo[argument])
            case "GLOBAL":
                stack.append(known(*argument.split(" ", 1)))
            case "STACK_GLOBAL":
                name, module = stack.pop(), stack.pop()
                stack.append(known(module, name))
            case "REDUCE":
                arguments, called = stack.pop(), stack.pop()
                stack.append(result(called, arguments))
            case "BUILD":  # of a state dict, the versions of its modules
                stack.pop()
                if type(stack[-1]) is not dict:
                    raise Refused("code: it sets attributes of an object")
            case "BINPERSID" if storage:
                stack.append(storage(stack.pop()))
            case name:
                words = f"{name} {argument or ''}".strip()
                raise Refused(f"code: its pickle has {words} in it")
    raise Refused("a file that is cut off")


class _Bounded:
    """A file that is never asked for more at once than a pickle may have.

    Python makes room for all that an opcode claims before it reads on.
    """

    def __init__(self, file: BinaryIO):
        self.file = file
        self.tell = file.tell

    def read(self, n: int) -> bytes:
        return self.file.read(min(n, LARGEST_PICKLE))

    def readline(self) -> bytes:
        return self.file.readline(LARGEST_PICKLE)


def with_items(found: Any, keys: list[Any], values: list[Any]) -> dict:
    """Add to a dict. Keys are names and numbers, whose hash is harmless."""
    if type(found) is not dict or not all(
        isinstance(key, (str, int)) for key in keys
    ):
        raise Refused("a damaged file")
    found.update(zip(keys, values, strict=True))
    return found


def known(module: Any, name: Any) -> Name:
    """A name that `torch.save` writes; all others are refused."""
    if not isinstance(module, str) or not isinstance(name, str):
        raise Refused("code: a name that is computed")
    if f"{module}.{name}" not in KNOWN:
        raise Refused(f"code: it names {module}.{name}, which was not run")
    return Name(f"{module}.{name}")


def result(called: Any, arguments: Any) -> Any:
    """What a known function makes of its arguments."""
    if type(arguments) is not tuple:
        raise Refused("a damaged file")
    match called, arguments:
        case Name("collections.OrderedDict"), ():
            return {}
        case Name("collections.OrderedDict"), ([*pairs],):  # Python 2
            keys, values = zip(*pairs, strict=True) if pairs else ((), ())
            return with_items({}, keys, values)
        case Name("torch.Size"), ([*numbers],):
            return tuple(numbers)
        case Name("torch._utils._rebuild_parameter"), (tensor, *_):
            return tensor
        case (
            Name(
                "torch._utils._rebuild_tensor"
                | "torch._utils._rebuild_tensor_v2"
            ),
            (storage, start, shape, strides, *_),
        ):
            return part(storage, start, shape, strides)
        case Name(text), _:
            raise Refused(f"{text} with other arguments than PyTorch's")
    raise Refused("code: it calls something that is no function")
