"""PyTorch's files are read as PyTorch reads them; nothing in them is run."""

import io
import os
import pickle
import struct
import tracemalloc
import zipfile
from collections import OrderedDict

import numpy as np
import pytest

from keras_gans.convert import pth, read_pth

torch = pytest.importorskip("torch")

FORMS = {"zip": True, "stream": False}  # of PyTorch 1.6 on, and before


@pytest.fixture(params=FORMS)
def save(request, tmp_path):
    """A function that saves as PyTorch does, in one form or the other."""

    def save(content, **options):
        path = tmp_path / f"{request.param}.pth"
        zipped = FORMS[request.param]
        torch.save(
            content, path, _use_new_zipfile_serialization=zipped, **options
        )
        return path

    return save


@pytest.fixture
def little_memory():
    """Afterwards, that the test took no memory to speak of."""
    tracemalloc.start()
    yield
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 24


def as_pytorch_reads(path):
    return torch.load(path, weights_only=True)


def assert_same(ours, theirs):
    """Nested dicts and lists, and every tensor in them, bit for bit."""
    if isinstance(theirs, dict):
        assert type(ours) is dict and [*ours] == [*theirs]
        for key in theirs:
            assert_same(ours[key], theirs[key])
    elif isinstance(theirs, (list, tuple)):
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs, strict=True):
            assert_same(a, b)
    elif isinstance(theirs, torch.Tensor):
        assert ours.shape == tuple(theirs.shape)
        theirs = theirs.detach()
        if theirs.dtype == torch.bfloat16:
            assert ours.dtype == "bfloat16"
            theirs, ours = theirs.float(), ours.astype("float32")
        if theirs.dtype == torch.bool:
            theirs = theirs.to(torch.uint8)
        assert ours.dtype == theirs.numpy().dtype
        np.testing.assert_array_equal(ours, theirs.numpy())
    else:
        assert ours == theirs and type(ours) is type(theirs)


TYPES = "float64 float32 float16 bfloat16 int64 int32 int16 int8 uint8 bool"


@pytest.mark.parametrize("dtype", TYPES.split())
def test_every_type(dtype, save):
    values = torch.arange(-6, 6).reshape(3, 4).to(getattr(torch, dtype))
    path = save({"x": values})
    assert_same(read_pth(path), as_pytorch_reads(path))


def test_views_of_shared_storages(save):
    base = torch.arange(60.0)
    cube = base.reshape(3, 4, 5)
    path = save(
        {
            "transposed": cube.permute(2, 0, 1),
            "step": base[3:50:4],
            "inner": cube[1:, 2:, ::2],
            "last": base[59:],
            "number": base[7],
            "none": cube[:, 4:],
            "empty": torch.empty(0),
            "other": torch.ones(2),
        }
    )
    found = read_pth(path)
    assert_same(found, as_pytorch_reads(path))
    assert np.shares_memory(found["transposed"], found["last"])


def test_what_a_training_saves(save):
    """State dict with its modules' versions, optimizer, parameters, numbers."""
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.PReLU())
    adam = {
        "state": {0: {"step": torch.tensor(1.0), "exp_avg": torch.ones(2)}},
        "param_groups": [{"lr": 2e-4, "betas": (0.5, 0.999), "params": [0]}],
    }
    path = save(
        {
            "state_dict": network.state_dict(),
            "optimizer": adam,
            "parameters": OrderedDict(network.named_parameters()),
            "size": torch.Size([2, 3]),
            "epoch": 3,
            "loss": 0.5,
            "name": "späte Äpfel",
            "best": None,
            "done": True,
            "large": 1 << 80,
            "list": [1, [], (), (1,), (1, 2, 3, 4)],
        }
    )
    found = read_pth(path)
    assert_same(found, as_pytorch_reads(path))
    found["state_dict"]["0.weight"] += 1  # an array like any other


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_every_protocol(protocol, save):
    content = {f"key {i}": torch.full((2,), i) for i in range(300)}
    path = save(content, pickle_protocol=protocol)
    assert_same(read_pth(path), content)


def test_large_pickles_of_many_tensors(save):
    path = save({f"layer.{i}.weight": torch.ones(1) * i for i in range(1000)})
    assert_same(read_pth(path), as_pytorch_reads(path))


def test_written_on_a_machine_of_the_other_byte_order(tmp_path):
    content = {
        "x": torch.arange(5.0),
        "n": torch.arange(4),
        "h": torch.arange(3).half(),
        "b": torch.arange(3).bfloat16(),
    }
    torch.save(content, tmp_path / "little.pth")
    with (
        zipfile.ZipFile(tmp_path / "little.pth") as source,
        zipfile.ZipFile(tmp_path / "big.pth", "w") as target,
    ):
        sizes = (4, 8, 2, 2)
        for name in source.namelist():
            data = source.read(name)
            if name.endswith("byteorder"):
                data = b"big"
            elif "/data/" in name:
                size = sizes[int(name.rpartition("/")[2])]
                data = np.frombuffer(data, f"u{size}").byteswap().tobytes()
            target.writestr(name, data)
    assert_same(read_pth(tmp_path / "big.pth"), content)
    assert_same(
        read_pth(tmp_path / "big.pth"),
        as_pytorch_reads(tmp_path / "big.pth"),
    )


# === As files of Python 2 and of PyTorch before 0.4 are ===


class Call:
    """Pickled as the call of a name, whether there is one or not."""

    def __init__(self, name, *arguments):
        self.name, self.arguments = name, arguments


class Id:
    """Pickled as a persistent id."""

    def __init__(self, *parts):
        self.parts = parts


def opcodes_of(value):
    """A pickle without its end, of protocol 2 and by hand."""
    if isinstance(value, Call):
        module, _, name = value.name.rpartition(".")
        head = f"c{module}\n{name}\n".encode()
        return head + opcodes_of(value.arguments) + b"R"
    if isinstance(value, Id):
        return opcodes_of(value.parts) + b"Q"
    if isinstance(value, type) or callable(value):
        return f"c{value.__module__}\n{value.__name__}\n".encode()
    if isinstance(value, str):
        data = value.encode()  # as str of Python 2
        return b"U" + bytes([len(data)]) + data
    if isinstance(value, tuple):
        return b"(" + b"".join(map(opcodes_of, value)) + b"t"
    if isinstance(value, list):
        return b"](" + b"".join(map(opcodes_of, value)) + b"e"
    if isinstance(value, dict):
        items = (x for item in value.items() for x in item)
        return b"}(" + b"".join(map(opcodes_of, items)) + b"u"
    return pickle.dumps(value, protocol=2)[2:-1]


class Global:
    """Pickled as a name."""

    def __init__(self, name):
        self.__module__, _, self.__name__ = name.rpartition(".")

    def __call__(self):
        raise AssertionError


def stream(content, *storages, keys=None):
    """A file of before PyTorch 1.6. Storages are (key, array)."""
    head = [pth.MAGIC, pth.PROTOCOL, {"little_endian": True}]
    names = [key for key, _ in storages] if keys is None else keys
    parts = [b"\x80\x02" + opcodes_of(v) + b"." for v in [*head, content]]
    parts.append(b"\x80\x02" + opcodes_of(names) + b".")
    for _, array in storages:
        parts += [struct.pack("<q", array.size), array.tobytes()]
    return b"".join(parts)


FLOAT = Global("torch.FloatStorage")
REBUILD = "torch._utils._rebuild_tensor"


def tensor(count=6, start=0, shape=(2, 3), strides=(3, 1), key="7", view=None):
    storage = Id("storage", FLOAT, key, "cuda:0", count, view)
    return Call(REBUILD, storage, start, shape, strides)


def read(data, tmp_path):
    (tmp_path / "file.pth").write_bytes(data)
    return read_pth(tmp_path / "file.pth")


SIX = np.arange(6, dtype="<f4")
HUGE = 1 << (1 << 18)  # the product of a few has millions of digits


def test_of_python_2_on_a_gpu(tmp_path):
    pairs = [
        ["a.weight", tensor()],
        ["a.bias", tensor(shape=(3,), strides=(2,))],
    ]
    storage = Id("storage", Global("torch.cuda.FloatStorage"), "7", "", 6, None)
    pairs.append(["b", Call(REBUILD, storage, 1, (2,), (1,))])
    content = Call("collections.OrderedDict", pairs)
    found = read(stream(content, ("7", SIX)), tmp_path)
    assert [*found] == ["a.weight", "a.bias", "b"]
    np.testing.assert_array_equal(found["a.weight"], SIX.reshape(2, 3))
    np.testing.assert_array_equal(found["a.bias"], [0, 2, 4])
    np.testing.assert_array_equal(found["b"], [1, 2])
    assert_same(found, torch.load(tmp_path / "file.pth", map_location="cpu"))


def test_of_views_of_storages(tmp_path):
    view = ("8", 2, 4)
    content = {"x": tensor(shape=(2, 2), strides=(2, 1), view=view)}
    found = read(stream(content, ("7", SIX)), tmp_path)
    assert_same(found, torch.load(tmp_path / "file.pth", map_location="cpu"))
    np.testing.assert_array_equal(found["x"], [[2, 3], [4, 5]])


# === Refused ===


class Runs:
    """Unpickled, it makes a file."""

    def __init__(self, path, function):
        self.path, self.function = path, function

    def __reduce__(self):
        if self.function is eval:
            return eval, (f"open({str(self.path)!r}, 'w').close()",)
        return self.function, (f"touch {self.path}",)


@pytest.mark.parametrize("function", [os.system, eval])
def test_code_is_refused_and_does_not_run(function, save, tmp_path):
    ran = tmp_path / "ran"
    path = save({"x": torch.ones(2), "y": Runs(ran, function)})
    torch.load(path, weights_only=False)
    assert ran.exists()  # it would
    ran.unlink()
    name = {os.system: "posix.system", eval: "__builtin__.eval"}[function]
    with pytest.raises(ValueError) as refusal:
        read_pth(path)
    assert not ran.exists()
    said = str(refusal.value)
    assert f"Received: code: it names {name}, which was not run. " in said
    assert f"Expected {path} to hold plain tensors" in said


@pytest.mark.parametrize("function", [os.system, eval])
def test_code_in_a_bare_pickle(function, tmp_path):
    ran = tmp_path / "ran"
    data = pickle.dumps(Runs(ran, function))
    with pytest.raises(ValueError, match="code: it names"):
        read(data, tmp_path)
    assert not ran.exists()


def test_a_whole_module_is_refused(save):
    path = save(torch.nn.Linear(1, 1))
    with pytest.raises(ValueError, match=r"names torch.nn.modules.linear.Lin"):
        read_pth(path)


def test_a_torchscript_program_is_refused(tmp_path):
    scripted = tmp_path / "scripted.pth"
    with zipfile.ZipFile(scripted, "w") as file:
        file.writestr("net/data.pkl", b"\x80\x02}.")
        file.writestr("net/constants.pkl", b"\x80\x02).")
        file.writestr("net/code/__torch__.py", "def forward(self): ...")
    with pytest.raises(ValueError, match="a TorchScript program, which is"):
        read_pth(scripted)


@pytest.mark.parametrize(
    "opcodes, words",
    [
        (b"(ios\nsystem\n.", "INST os system"),
        (b"cposix\nsystem\n)\x81.", "names posix.system"),
        (b"ccollections\nOrderedDict\n)\x81.", "has NEWOBJ in it"),
        (b"\x8c\x05posix\x8c\x06system\x93.", "names posix.system"),
        (b"}\x8c\x06system\x93.", "a name that is computed"),
        (b"\x82\x01.", "has EXT1 1 in it"),
        (b"Px\n.", "has PERSID x in it"),
        (b"})R.", "calls something that is no function"),
        (b"ctorch\nFloatStorage\n)R.", "with other arguments than PyTorch's"),
        (b"]}b.", "it sets attributes"),
        (b"ccollections\nOrderedDict\n}b.", "it sets attributes"),
        (b"K\x01K\x02.", "damaged"),
        (b"}(K\x01u.", "damaged"),
        (b"}())s.", "damaged"),  # keys are names and numbers
        (b"K\x01K\x02a.", "damaged"),
        (b"h\x05.", "damaged"),
        (b"t.", "damaged"),
        (b"\xff.", "damaged"),
        (b"I12\n", "cut off"),
        (b".", "damaged"),
        (b"N.", "a NoneType in place of a dict"),
    ],
)
def test_opcodes_that_no_state_dict_has(opcodes, words, tmp_path):
    head = b"".join(
        b"\x80\x02" + opcodes_of(v) + b"."
        for v in (pth.MAGIC, pth.PROTOCOL, {})
    )
    with pytest.raises(ValueError, match=words):
        read(head + b"\x80\x02" + opcodes + b"\x80\x02].", tmp_path)


def test_long_hostile_names_make_a_short_line(tmp_path):
    name = b"c" + b"m" * 5000 + b"\nsystem\n."
    with pytest.raises(ValueError) as refusal:
        read(b"\x80\x02" + name, tmp_path)
    assert len(str(refusal.value)) < 600


def test_hostile_nesting_ends(tmp_path):
    """Deep tuples as keys crash a hash; doubled ones take for ever."""
    deep = b"\x80\x02}" + b")" + b"\x85" * 200_000 + b"K\x01s."
    with pytest.raises(ValueError, match="damaged"):
        read(deep, tmp_path)
    doubled = b"\x80\x02})q\x00" + b"h\x00h\x00\x86q\x00" * 100 + b"K\x01s."
    with pytest.raises(ValueError, match="damaged"):
        read(doubled, tmp_path)


def test_a_memo_of_any_number_takes_no_memory(little_memory, tmp_path):
    data = b"\x80\x02K\x01r\xff\xff\xff\x7f."  # kept as number 2**31 - 1
    with pytest.raises(ValueError, match="a pickle of something else"):
        read(data, tmp_path)


def test_a_pickle_without_an_end_of_tensors(tmp_path, monkeypatch):
    monkeypatch.setattr(pth, "LARGEST_PICKLE", 1000)
    with pytest.raises(ValueError, match="a pickle of more than 1000 bytes"):
        read(b"\x80\x02" + b"N" * 2000 + b".", tmp_path)


@pytest.mark.parametrize(
    "given, words",
    [
        (
            {"count": 1 << 60},
            "claims more than it holds: 1152921504606846976 num",
        ),
        ({"count": -1}, "-1 numbers"),
        ({"count": 7}, "cut off, or other storages"),
        ({"count": 5}, "in a storage of 5 numbers"),
        ({"shape": (1 << 40, 3)}, "in a storage of 6 numbers"),
        ({"shape": (1 << 40, 3), "strides": (0, 0)}, "in a storage of 6"),
        ({"shape": (3, 3)}, r"shape \(3, 3\) and strides \(3, 1\) in a"),
        ({"strides": (1 << 40, 1)}, "in a storage of 6 numbers"),
        ({"strides": (-3, 1)}, "a tensor of no storage"),
        ({"shape": (-2, 3)}, "a tensor of no storage"),
        ({"shape": (2.0, 3)}, "a tensor of no storage"),
        ({"start": 1}, "in a storage of 6 numbers"),
        ({"start": -1}, "a tensor of no storage"),
        ({"start": 1 << 80}, "in a storage of 6 numbers"),
        ({"shape": (HUGE,) * 64, "strides": (1,) * 64}, "of 64 axes"),
        ({"shape": (2, 2), "strides": (HUGE, HUGE)}, "in a storage of 6"),
        ({"start": HUGE}, "in a storage of 6 numbers"),
        ({"shape": (1,) * 65, "strides": (1,) * 65}, "of 65 axes"),
        ({"strides": (1,)}, "damaged .*shorter"),
        ({"shape": (0, 1 << 80)}, "damaged"),
        ({"view": ("8", 2, 5)}, "in a storage of 6 numbers"),
        ({"view": ("8", 0, 1 << 60)}, "in a storage of 6 numbers"),
        ({"view": ("8", 2, 3)}, "in a storage of 3 numbers"),
        ({"key": "x" * 50}, "storages that no tensor has"),
    ],
)
def test_claims_that_the_file_does_not_hold(
    given, words, little_memory, tmp_path
):
    data = stream({"x": tensor(**given)}, ("7", SIX))
    with pytest.raises(ValueError, match=words):
        read(data, tmp_path)


def test_a_tensor_is_no_storage_of_another(tmp_path):
    content = {"x": Call(REBUILD, tensor(), 0, (9,), (1,))}
    with pytest.raises(ValueError, match="a tensor of no storage"):
        read(stream(content, ("7", SIX)), tmp_path)


def test_one_storage_of_two_sizes(tmp_path):
    content = {"x": tensor(), "y": tensor(count=5, shape=(5,), strides=(1,))}
    with pytest.raises(ValueError, match="storage 7 of two sizes or types"):
        read(stream(content, ("7", SIX)), tmp_path)


def test_keys_and_storages_belong_together(tmp_path):
    missing = stream({"x": tensor()}, keys=[])
    with pytest.raises(ValueError, match="tensors without storages"):
        read(missing, tmp_path)
    more = stream({"x": tensor()}, ("7", SIX), ("8", SIX))
    with pytest.raises(ValueError, match="storages that no tensor has"):
        read(more, tmp_path)


def test_cut_off_anywhere(save, tmp_path):
    path = save({"a.weight": torch.ones(3, 4), "a.bias": torch.arange(5)})
    data = path.read_bytes()
    last = len(data) - 1 if path.stem == "stream" else len(data) - 22
    for n in [*range(0, last, 7), last]:
        with pytest.raises(ValueError) as refusal:
            read(data[:n], tmp_path)
        assert str(refusal.value).count("\n") == 0
        assert "Received: " in str(refusal.value)


def test_flipped_bytes_end_in_a_sentence_or_in_tensors(save, tmp_path):
    """Whatever a byte becomes, nothing but a `ValueError` comes of it."""
    data = save({"a.weight": torch.ones(3, 4), "b": [1]}).read_bytes()
    rng = np.random.default_rng(0)
    for i in rng.integers(0, len(data), 200):
        broken = bytearray(data)
        broken[i] ^= 1 << rng.integers(8)
        try:
            read(bytes(broken), tmp_path)
        except ValueError as error:
            assert "Received: " in str(error)


@pytest.mark.parametrize(
    "data, words",
    [
        (b"", "a file of 0 bytes"),
        (b"<!DOCTYPE html><html>404", r"a file that begins with b'<!DO'"),
        (b"\x89PNG\r\n\x1a\n", "a file that begins with"),
        (pickle.dumps({"x": 1}), "a pickle of something else"),
        (b"PK\x03\x04 and no more", "cut off or damaged"),
    ],
)
def test_other_files(data, words, tmp_path):
    with pytest.raises(ValueError, match=words):
        read(data, tmp_path)


def test_no_file(tmp_path):
    with pytest.raises(ValueError, match="No such file.*Check the path"):
        read_pth(tmp_path / "missing.pth")
    with pytest.raises(ValueError, match="No regular file"):
        read_pth(tmp_path)


def rezipped(path, change):
    """The same zip, with some members changed or left out."""
    out = io.BytesIO()
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(out, "w") as target:
        for name in source.namelist():
            new = change(name, source.read(name))
            if new is not None:
                data, packing = new
                target.writestr(name, data, packing)
    return out.getvalue()


def test_zip_files_of_something_else(tmp_path):
    path = tmp_path / "whole.pth"
    torch.save({"x": torch.zeros(4)}, path)

    def refuse(words, change):
        with pytest.raises(ValueError, match=words):
            read(rezipped(path, change), tmp_path)

    stored, packed = zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED
    refuse(
        "a zip file of something else",
        lambda n, d: None if n.endswith("data.pkl") else (d, stored),
    )
    refuse(
        "a file without whole/data/0",
        lambda n, d: None if n.endswith("data/0") else (d, stored),
    )
    refuse(
        "12 bytes in data/0, in place of 16",
        lambda n, d: (d[:12] if n.endswith("data/0") else d, stored),
    )
    refuse("packed or of more bytes", lambda n, d: (d, packed))
    refuse(
        "cut off or damaged",
        lambda n, d: (b"middle" if n.endswith("byteorder") else d, stored),
    )


def test_a_zip_bomb_is_refused_before_it_is_unpacked(little_memory, tmp_path):
    content = {"x": Call(REBUILD + "_v2", ID, 0, (1 << 28,), (1,), False, {})}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("net/data.pkl", b"\x80\x02" + opcodes_of(content) + b".")
        with file.open(
            zipfile.ZipInfo("net/data/0"), "w"
        ) as member:  # pretends
            member.write(b"\0" * 1000)
    with pytest.raises(ValueError, match="claims more than it holds"):
        read(out.getvalue(), tmp_path)


ID = Id("storage", FLOAT, "0", "cpu", 1 << 28)
