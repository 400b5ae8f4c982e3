"""What may be wrong with a file: damage by chance, and what a villain makes.

Each function takes a file (or the folder of an entry) and a `random.Random`,
damages it in place, and is listed with the kind of file that it is for. What
would run code makes the file `CANARY`; what points elsewhere points to
`outside`, two folders up.
"""

import gzip
import io
import json
import os
import pickle
import shutil
import stat
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import h5py
import numpy as np

CANARY = "canary"  # in the current folder, where code was run
BOMB = 1 << 29  # bytes that a small file unpacks to

Damage = Callable[[Path, Random], Any]


# === Any file ===


def flipped_bits(path: Path, rng: Random) -> None:
    data = bytearray(path.read_bytes())
    for _ in range(rng.choice((1, 1, 3, 20, 200))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    path.write_bytes(data)


def flipped_head(path: Path, rng: Random) -> None:
    """Where headers are."""
    data = bytearray(path.read_bytes())
    for _ in range(rng.choice((1, 2, 8))):
        data[rng.randrange(min(len(data), 200))] = rng.randrange(256)
    path.write_bytes(data)


def truncated(path: Path, rng: Random) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: rng.randrange(len(data))])


def empty(path: Path, rng: Random) -> None:
    path.write_bytes(b"")


def extended(path: Path, rng: Random) -> None:
    path.write_bytes(path.read_bytes() + rng.randbytes(rng.choice((1, 5000))))


def zeroed_block(path: Path, rng: Random) -> None:
    """What a power cut leaves."""
    data = bytearray(path.read_bytes())
    start = rng.randrange(len(data))
    n = min(4096, len(data) - start)
    data[start : start + n] = bytes(n)
    path.write_bytes(data)


def noise(path: Path, rng: Random) -> None:
    path.write_bytes(rng.randbytes(rng.choice((4, 1000))))


def missing(path: Path, rng: Random) -> None:
    path.unlink()


def a_folder(path: Path, rng: Random) -> None:
    path.unlink()
    path.mkdir()


def a_pipe(path: Path, rng: Random) -> None:
    """Who opens it to read waits for ever."""
    path.unlink()
    os.mkfifo(path)


def a_link(path: Path, rng: Random) -> None:
    path.unlink()
    path.symlink_to(
        rng.choice(("/dev/zero", "/dev/full", "/etc/hostname", path, "none"))
    )


ANY = (
    flipped_bits,
    flipped_head,
    truncated,
    empty,
    extended,
    zeroed_block,
    noise,
    missing,
    a_folder,
    a_pipe,
    a_link,
)


# === JSON and other text ===

CODE = f"open({CANARY!r}, 'w').close()"
HOSTILE = (
    10**400,
    "hf://villain/x",
    None,
    True,
    -1,
    0,
    0.5,
    7,
    10**6,
    10**9,
    2**63,
    1e308,
    float("nan"),
    float("inf"),
    "",
    "../../outside",
    "/etc/passwd",
    "x" * 100_000,
    "\ud800",
    "\x00\x1b[2J",
    [],
    {},
    [[[]]],
    [10**5] * 4,
    [64] * 20_000,
    {"class_name": "function", "config": "system", "module": "os"},
    {
        "class_name": "Lambda",
        "module": "keras.layers",
        "registered_name": None,
        "config": {"function": {"class_name": "__lambda__", "config": CODE}},
    },
    {"module": "builtins", "class_name": "exec", "config": {"source": CODE}},
)


def places(tree: Any) -> list[tuple[Any, Any]]:
    """(container, key) of every value in nested dicts and lists."""
    if isinstance(tree, dict):
        keys = list(tree)
    elif isinstance(tree, list):
        keys = list(range(len(tree)))
    else:
        return []
    found = [(tree, key) for key in keys]
    return found + [place for key in keys for place in places(tree[key])]


def hostile_value(path: Path, rng: Random) -> None:
    tree = json.loads(path.read_text())
    for _ in range(rng.choice((1, 1, 2))):
        container, key = rng.choice(places(tree))
        container[key] = rng.choice(HOSTILE)
    path.write_text(json.dumps(tree))


def renamed_field(path: Path, rng: Random) -> None:
    tree = json.loads(path.read_text())
    named = [place for place in places(tree) if isinstance(place[0], dict)]
    container, key = rng.choice(named)
    value = container.pop(key)
    if rng.random() < 0.5:
        container[rng.choice(("x", key.upper(), "../" + key, ""))] = value
    path.write_text(json.dumps(tree))


def deep_json(path: Path, rng: Random) -> None:
    path.write_text(rng.choice(("[", '{"a":')) * 100_000)


def long_number(path: Path, rng: Random) -> None:
    path.write_text(path.read_text().replace("1", "1" * 5000, 1))


def other_encoding(path: Path, rng: Random) -> None:
    text = path.read_text() + "ä"
    path.write_bytes(text.encode(rng.choice(("latin-1", "utf-16", "cp037"))))


JSON = (
    *(hostile_value, hostile_value, hostile_value, hostile_value),
    *(renamed_field, renamed_field, deep_json, long_number, other_encoding),
)


def hostile_line(path: Path, rng: Random) -> None:
    lines = path.read_text().splitlines()
    lines[rng.randrange(len(lines))] = rng.choice(
        (
            *("", "\t", "\x00", "x" * 200_000, "../../outside/a.png\ta text"),
            *("/etc/passwd\ta text", "a = [" * 5000, "a.b.c.d = 1", "[data]"),
            *("steps = 1e999", "steps = -1", "batch_size = 2000000000000"),
            *("dtype_policy = '../x'", "[budgets.x]\nsteps = 'many'", '"'),
            *('{"image": 3, "caption": "a"}', '{"image": "../0.png"}', "[]"),
            '{"image": "0.png", "caption": "a", "class": 9' + "9" * 5000 + "}",
            *('{"a":' * 100_000, "0.png\ta text\t" + "9" * 20),
        )
    )
    path.write_text("\n".join(lines))


def swapped_lines(path: Path, rng: Random) -> None:
    lines = path.read_text().splitlines()
    rng.shuffle(lines)
    path.write_text("\n".join(lines[: rng.randint(0, len(lines))]))


def dangling_link(path: Path, rng: Random) -> None:
    """In place of a picture beside the text."""
    pictures = sorted(path.parent.rglob("*.png"))
    if not pictures:
        return hostile_line(path, rng)
    picture = rng.choice(pictures)
    picture.unlink()
    picture.symlink_to("none.png")


CAPTIONS = (dangling_link,)
TEXT = (hostile_line, hostile_line, hostile_line, swapped_lines, other_encoding)


# === HDF5 ===


def datasets_of(file: h5py.File) -> list[str]:
    names: list[str] = []
    file.visititems(
        lambda name, item: (
            names.append(name) if isinstance(item, h5py.Dataset) else None
        )
    )
    return names


def hostile_dataset(path: Path, rng: Random) -> None:
    """Another type, a claimed shape, a bomb, or a link to elsewhere."""
    outside = path.parent.parent / "outside" / "secret.h5"
    with h5py.File(path, "r+") as file:
        name = rng.choice(datasets_of(file))
        shape = file[name].shape
        del file[name]
        kind = rng.randrange(10)
        if kind == 0:
            file[name] = np.zeros(shape, rng.choice(("i8", "f8", "c8", "?")))
        elif kind == 1:  # nothing of it is in the file
            file.create_dataset(name, (BOMB // 4,), "f4")
        elif kind == 2:
            huge = (1 << 40, *shape)
            chunks = (1,) * len(huge)
            file.create_dataset(name, huge, "f4", chunks=chunks)
        elif kind == 3:
            file.create_dataset(
                name, (BOMB // 4,), "f4", compression="gzip", fillvalue=1.0
            )[:1] = 0.0
        elif kind == 4:
            file[name] = h5py.ExternalLink(str(outside), "secret")
        elif kind == 5:
            file[name] = h5py.SoftLink("/")
        elif kind == 6:
            file.create_dataset(
                name, shape, "f4", external=[("/etc/passwd", 0, 1 << 30)]
            )
        elif kind == 7:
            layout = h5py.VirtualLayout((BOMB // 4,), "f4")
            layout[:8] = h5py.VirtualSource(outside, "secret", (8,))
            file.create_virtual_dataset(name, layout)
        elif kind == 8:
            file[name] = np.full(shape, np.nan, "f4")
        else:
            text = h5py.string_dtype()
            file.create_dataset(name, data=["a"] * 3, dtype=text)


def lost_dataset(path: Path, rng: Random) -> None:
    with h5py.File(path, "r+") as file:
        name = rng.choice(datasets_of(file))
        data = file[name][()]
        del file[name]
        if rng.random() < 0.5:
            file[name + rng.choice("01x")] = data


def swapped_datasets(path: Path, rng: Random) -> None:
    with h5py.File(path, "r+") as file:
        names = datasets_of(file)
        first, second = rng.choice(names), rng.choice(names)
        a, b = file[first][()], file[second][()]
        del file[first]
        file[first] = b
        if first != second:
            del file[second]
            file[second] = a.T


def chunk_bomb(path: Path, rng: Random) -> None:
    """A packed chunk that is far larger than its array."""
    with h5py.File(path, "r+") as file:
        name = rng.choice(datasets_of(file))
        n = file[name].size
        del file[name]
        item = file.create_dataset(
            *(name, (n,), "f4"),
            maxshape=(None,),
            chunks=(BOMB // 4,),
            compression="gzip",
        )
        packer = zlib.compressobj(1)
        parts = [packer.compress(bytes(1 << 24)) for _ in range(BOMB >> 24)]
        item.id.write_direct_chunk((0,), b"".join([*parts, packer.flush()]))


def doubled_groups(path: Path, rng: Random) -> None:
    """Two names of each group: 2^40 ways to the last one."""
    with h5py.File(path, "r+") as file:
        group = file[rng.choice(datasets_of(file))].parent
        for _ in range(40):
            below = group.create_group("a")
            group["b"] = below
            group = below


def looped_groups(path: Path, rng: Random) -> None:
    with h5py.File(path, "r+") as file:
        group = file[rng.choice(datasets_of(file))].parent
        group["loop"] = file["/"]


HDF5 = (
    *(hostile_dataset, hostile_dataset, hostile_dataset, hostile_dataset),
    *(lost_dataset, swapped_datasets, looped_groups),
    *(chunk_bomb, doubled_groups),
)


# === Zip ===


def zip_members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as file:
        return {name: file.read(name) for name in file.namelist()}


def write_zip(path: Path, members: list[tuple[Any, bytes]]) -> None:
    with zipfile.ZipFile(path, "w") as file:
        for name, data in members:
            file.writestr(name, data)


def swapped_members(path: Path, rng: Random) -> None:
    members = zip_members(path)
    names = list(members)
    rng.shuffle(names)
    write_zip(path, list(zip(names, members.values(), strict=True)))


def lost_member(path: Path, rng: Random) -> None:
    members = zip_members(path)
    del members[rng.choice(list(members))]
    write_zip(path, list(members.items()))


def traversing_names(path: Path, rng: Random) -> None:
    members = zip_members(path)
    name = rng.choice(list(members))
    head = rng.choice(
        ("../../outside/", "/tmp/", "..\\..\\", "a/../../../", "x\x00", "//")
    )
    added = [(head + name, members[name]), ("../../outside/x.json", b"{}")]
    if rng.random() < 0.5:
        del members[name]
    write_zip(path, [*members.items(), *added])


def linked_member(path: Path, rng: Random) -> None:
    members = zip_members(path)
    link = zipfile.ZipInfo(rng.choice(list(members)))
    link.create_system = 3
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    del members[link.filename]
    write_zip(path, [(link, b"/etc/passwd"), *members.items()])


def locked_member(path: Path, rng: Random) -> None:
    """Encrypted, or packed in a way that nobody knows, say the headers."""
    data = bytearray(path.read_bytes())
    starts = [i for i in range(len(data)) if data[i : i + 4] == b"PK\x01\x02"]
    at = rng.choice(starts) if starts else 0
    data[at + rng.choice((8, 10))] ^= rng.choice((1, 9, 99))
    path.write_bytes(data)


def later_version(path: Path, rng: Random) -> None:
    """A member that only a zip program of version 9.9 can read."""
    data = bytearray(path.read_bytes())
    starts = [i for i in range(len(data)) if data[i : i + 4] == b"PK\x01\x02"]
    data[rng.choice(starts) + 6] = 99
    path.write_bytes(data)


def damaged_member(path: Path, rng: Random) -> None:
    """A fault inside, with a checksum that fits."""
    members = zip_members(path)
    name = rng.choice(list(members))
    inner = path.with_name("inner")
    inner.write_bytes(members[name])
    makers = [flipped_bits, truncated, empty, noise, zeroed_block]
    if name.endswith(".json"):
        makers = [*JSON]
    elif name.endswith(".h5"):
        makers = [*HDF5, truncated, flipped_head]
    if inner.stat().st_size:
        rng.choice(makers)(inner, rng)
    members[name] = inner.read_bytes()
    inner.unlink()
    write_zip(path, list(members.items()))


def packed_bomb(path: Path, rng: Random) -> None:
    members = zip_members(path)
    name = rng.choice(list(members))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, True, 1) as file:
        for other, data in members.items():
            if other != name:
                file.writestr(other, data)
        with file.open(name, "w", force_zip64=True) as member:
            for _ in range(BOMB >> 24):
                member.write(bytes(1 << 24))


def many_members(path: Path, rng: Random) -> None:
    members = zip_members(path)
    name = rng.choice(list(members))
    many = [(f"{i}/{name}", b"") for i in range(5000)]
    write_zip(path, [*members.items(), *many])


ZIP = (
    *(swapped_members, lost_member, traversing_names, linked_member),
    *(locked_member, damaged_member, damaged_member, damaged_member),
    *(packed_bomb, many_members, later_version),
)


# === Keras files ===


def lambda_in_keras(path: Path, rng: Random) -> None:
    """Layers with code in place of the model, or of an optimizer."""
    members = zip_members(path)
    config = json.loads(members["config.json"])
    code = rng.choice(
        [v for v in HOSTILE if isinstance(v, dict) and v]
        + [lambda_layer(), {"class_name": "Sequential", "config": {}}]
    )
    place = rng.choice(("all", "config", "compile_config", "module"))
    if place == "all":
        config = code
    elif place == "module":
        config |= {"module": "subprocess", "class_name": "run"}
        config["registered_name"] = rng.choice((None, "builtins>eval"))
    else:
        inner = config.get(place) or {}
        inner[rng.choice([*inner, "name"])] = code
        config[place] = inner
    members["config.json"] = json.dumps(config).encode()
    write_zip(path, list(members.items()))


def lambda_layer() -> dict[str, Any]:
    """A Sequential with a Lambda of marshalled code, as Keras writes it."""
    import keras

    layer = keras.layers.Lambda(lambda x: (open("canary", "w").close(), x)[1])
    model = keras.Sequential([keras.Input((1,)), layer])
    Path(CANARY).unlink(missing_ok=True)  # Keras may have called it
    return keras.saving.serialize_keras_object(model)


KERAS = (lambda_in_keras, lambda_in_keras, lambda_in_keras, *ZIP)


# === Pickles ===


class Runs:
    """Unpickled, it makes the canary."""

    def __init__(self, rng: Random):
        self.called = rng.choice(
            [(os.system, (f"touch {CANARY}",)), (exec, (CODE,))]
        )

    def __reduce__(self):
        return self.called


def with_code(path: Path, rng: Random) -> None:
    code = pickle.dumps({"fc1.weight": Runs(rng)}, rng.choice((2, 4)))
    if not zipfile.is_zipfile(path):
        path.write_bytes(rng.choice((code, path.read_bytes()[:60] + code)))
        return
    members = zip_members(path)
    name = next(name for name in members if name.endswith("data.pkl"))
    members[name] = code
    write_zip(path, list(members.items()))


def claimed_numbers(path: Path, rng: Random) -> None:
    """Sizes in a pickle made larger: shapes, strides, counts, memo places."""
    in_zip = zipfile.is_zipfile(path)
    members = zip_members(path) if in_zip else {"": path.read_bytes()}
    name = next((n for n in members if n.endswith("data.pkl")), "")
    data = bytearray(members[name])
    ints = [i for i in range(len(data) - 5) if data[i] in b"KMJqrBX\x8a"]
    for _ in range(rng.choice((1, 2, 4))):
        at = rng.choice(ints) + 1
        n = rng.choice((1, 2, 4))
        data[at : at + n] = rng.choice((b"\xff", b"\x7f", b"\x00")) * n
    members[name] = bytes(data)
    if in_zip:
        write_zip(path, list(members.items()))
    else:
        path.write_bytes(data)


def huge_integers(path: Path, rng: Random) -> None:
    """A tensor's shape of integers of 16 million bits."""
    from keras_gans.convert import pth

    bits = 1 << 24
    huge = b"\x8b" + (bits // 8).to_bytes(4, "little") + bytes(bits // 8 - 1)
    huge += b"\x01q\x00"  # put in the memo, and got from it again
    code = (
        b"\x80\x02}U\x01xctorch._utils\n_rebuild_tensor\n("
        b"(U\x07storagectorch\nFloatStorage\nU\x010U\x03cpuK\x01NtQK\x00("
        + huge
        + b"h\x00" * 63
        + b"t("
        + b"K\x01" * 64
        + b"ttRs."
    )
    if zipfile.is_zipfile(path):
        members = zip_members(path)
        name = next(name for name in members if name.endswith("data.pkl"))
        storage = name.removesuffix("data.pkl") + "data/0"
        members |= {name: code, storage: bytes(4)}
        write_zip(path, list(members.items()))
        return
    head = (pth.MAGIC, pth.PROTOCOL, {"little_endian": True})
    path.write_bytes(b"".join(pickle.dumps(x, 2) for x in head) + code)


PICKLE = (
    *(with_code, with_code, claimed_numbers, claimed_numbers),
    huge_integers,
)
PTH = (*PICKLE, *ZIP)


# === Arrays ===


def hostile_array(path: Path, rng: Random) -> None:
    """Objects, other types and shapes, NaN, in place of one of the arrays."""
    with np.load(path) as file:
        arrays = dict(file)
    name = rng.choice(list(arrays))
    shape = arrays[name].shape
    wrong = rng.choice(("object", "i8", "c16", "g", "U3", "nan", "shape", "0"))
    if wrong == "object":
        arrays[name] = np.array([Runs(rng)], object)
    elif wrong == "nan":
        arrays[name] = np.full(shape, np.nan)
    elif wrong == "shape":
        arrays[name] = np.zeros((*shape, 2))
    elif wrong == "0":
        arrays[name] = np.zeros((0, 3))
    else:
        arrays[name] = np.zeros(shape).astype(wrong)
    np.savez(path, **arrays)


def claimed_shape(path: Path, rng: Random) -> None:
    """A header of an array of terabytes, or of BOMB bytes that is packed."""
    members = zip_members(path)
    name = rng.choice(list(members))
    shape = rng.choice(((1 << 40,), (1 << 20, 1 << 20), (-1,), (BOMB // 8,)))
    header = io.BytesIO()
    facts = {"descr": "<f8", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, facts)
    members[name] = header.getvalue() + bytes(100)
    write_zip(path, list(members.items()))


NPZ = (*(hostile_array,) * 4, claimed_shape, claimed_shape, *ZIP)


def gzip_bomb(path: Path, rng: Random) -> None:
    with gzip.open(path, "wb", 1) as file:
        for _ in range(BOMB >> 24):
            file.write(bytes(1 << 24))


def hostile_idx(path: Path, rng: Random) -> None:
    data = bytearray(gzip.decompress(path.read_bytes()))
    data[rng.randrange(16)] = rng.choice((0, 1, 127, 255))
    path.write_bytes(gzip.compress(bytes(data)))


IDX = (gzip_bomb, *(hostile_idx,) * 5)


# === Pictures ===


def huge_picture(path: Path, rng: Random) -> None:
    """A PNG of one colour, of more pixels than any memory holds."""
    import struct

    def chunk(kind, data):
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    side = rng.choice((9_000, 12_000, 60_000, 2**31 - 1))
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    packer = zlib.compressobj(1)
    rows = b"".join(packer.compress(bytes(1 << 20)) for _ in range(243))
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", rows + packer.flush())
        + chunk(b"IEND", b"")
    )


def another_format(path: Path, rng: Random) -> None:
    """PostScript is a program; other formats have their own readers."""
    path.write_bytes(
        rng.choice(
            (
                b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"
                b"(canary) (w) file closefile\nshowpage\n",
                b"<svg xmlns='http://www.w3.org/2000/svg'/>",
                b"P6 100000 100000 255\n" + bytes(100),
                b"P5 4 4 255\n" + bytes(16),
                b"/* XPM */\nstatic char * x[] = {\n",
                b"%PDF-1.4\n",
                b"RIFF\xff\xff\xff\xffWEBPVP8 " + bytes(60),
                b"II*\x00" + b"\xff" * 100,
            )
        )
    )


def many_frames(path: Path, rng: Random) -> None:
    from PIL import Image

    frames = [Image.new("L", (8, 8), i % 256) for i in range(300)]
    frames[0].save(path, format="GIF", save_all=True, append_images=frames[1:])


PICTURE = (huge_picture, *(another_format,) * 3, many_frames)


# === Folders ===


def swapped_files(folder: Path, rng: Random) -> None:
    files = sorted(f for f in folder.rglob("*") if f.is_file())
    first, second = rng.sample(files, 2)
    a, b = first.read_bytes(), second.read_bytes()
    first.write_bytes(b)
    second.write_bytes(a)


def looped_folder(folder: Path, rng: Random) -> None:
    (folder / "loop").symlink_to(folder)
    (folder / "loop.png").symlink_to(folder)


def one_file(folder: Path, rng: Random) -> None:
    """Any damage to one of the files."""
    files = sorted(f for f in folder.rglob("*") if f.is_file())
    rng.choice(ANY)(rng.choice(files), rng)


def no_files(folder: Path, rng: Random) -> None:
    shutil.rmtree(folder)
    if rng.random() < 0.5:
        folder.mkdir()


FOLDER = (*(swapped_files,) * 3, looped_folder, *(one_file,) * 8, no_files)
