"""Images of two domains: their order, and where they come from."""

import dataclasses
import zipfile

import numpy as np
import pytest
from PIL import Image

from keras_gans import datasets
from keras_gans.datasets import ImageData, UnpairedData, unpaired


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_GANS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


# === The order of batches ===


def toy(a=5, b=3, height=1, width=2):
    """Images that tell their number by their minimum, left from right."""

    def numbered(n, first):
        images = np.zeros((n, height, width, 1), np.uint8)
        images += (first + np.arange(n, dtype=np.uint8))[:, None, None, None]
        images[:, :, width // 2 :] += 100
        return images

    return unpaired(numbered(a, 0), numbered(b, 50))


def numbers_in(images):
    pixels = np.rint((images + 1) * 127.5).astype(int)
    return pixels.min(axis=(1, 2, 3)).tolist()


def walk(batches, steps):
    """The numbers of A and of B in some steps, one list each."""
    a, b = [], []
    for i in range(steps.start, steps.stop):
        x, y = batches.batch(*divmod(i, len(batches)))
        a, b = a + numbers_in(x), b + numbers_in(y)
    return a, b


@pytest.mark.parametrize("sizes", [(5, 3), (3, 5), (4, 4), (1, 7)])
def test_every_image_is_seen_alike_often(sizes):
    data = toy(*sizes)
    assert len(data) == max(sizes)
    batches = data.batches(2, seed=3)
    epochs = min(sizes)  # after which both have been walked through evenly
    a, b = walk(batches, range(epochs * len(batches)))
    assert len(a) == len(b) == epochs * max(sizes)
    seen = np.bincount(a, minlength=sizes[0])
    np.testing.assert_array_equal(seen, epochs * max(sizes) // sizes[0])
    seen = np.bincount(np.array(b) - 50, minlength=sizes[1])
    np.testing.assert_array_equal(seen, epochs * max(sizes) // sizes[1])
    # Each domain walks through all of its images before one comes again.
    for walked, n in ((a, sizes[0]), (b, sizes[1])):
        for start in range(0, len(walked) - n + 1, n):
            assert len(set(walked[start : start + n])) == n


def test_order_is_a_function_of_seed_and_epoch():
    first, second = (toy(20, 11).batches(3, seed=1) for _ in range(2))
    orders = [walk(first, range(e * 7, e * 7 + 7)) for e in range(3)]
    for disturbance in (9, 0, 4):  # whatever was asked before
        second.batch(disturbance, 2)
    assert [walk(second, range(e * 7, e * 7 + 7)) for e in (2, 0, 1)] == [
        orders[e] for e in (2, 0, 1)
    ]
    assert orders[0][0] != orders[1][0] and orders[0][1] != orders[1][1]
    other = walk(toy(20, 11).batches(3, seed=2), range(7))
    assert other[0] != orders[0][0] and other[1] != orders[0][1]
    # One domain's order does not give away the other's.
    a, b = walk(toy(20, 20).batches(20, seed=1), range(1))
    assert [n + 50 for n in a] != b


def test_any_step_can_be_had_at_once():
    options = {"batch_size": 2, "seed": 4, "crop": (6, 5)}
    data = toy(7, 4, height=9, width=8)
    run = data.batches(**options)
    undisturbed = []
    for _ in range(3):
        undisturbed += [run[i] for i in range(len(run))]
        run.on_epoch_end()
    steps = data.batches(**options).steps(2, 12)
    assert len(steps) == 10
    for i in (9, 0, 3, 4, 1):
        for now, then in zip(steps[i], undisturbed[2 + i], strict=True):
            assert now.dtype == np.float32
            np.testing.assert_array_equal(now, then)


def test_the_last_batch_of_an_epoch_is_ragged():
    batches = toy(5, 3).batches(2)
    assert len(batches) == 3
    sizes = [tuple(map(len, batches[i])) for i in range(3)]
    assert sizes == [(2, 2), (2, 2), (1, 1)]


def test_flips_half_and_repeats():
    data = toy(200, 150)
    plain = data.batches(200, flip=False).batch(0, 0)
    flipped = data.batches(200).batch(0, 0)
    again = data.batches(200).batch(0, 0)
    mirrored = []
    for before, after, once_more in zip(plain, flipped, again, strict=True):
        np.testing.assert_array_equal(after, once_more)
        moved = (before != after).any(axis=(1, 2, 3))
        np.testing.assert_array_equal(after[moved], before[moved][:, :, ::-1])
        assert 70 < moved.sum() < 130
        mirrored.append(moved)
    assert 50 < (mirrored[0] != mirrored[1]).sum() < 150  # each its own coin


def test_crops_anywhere_and_repeats():
    rows, columns = np.mgrid[:12, :10].astype(np.uint8)
    places = np.stack([rows, columns], axis=-1)
    images = np.repeat(places[None], 300, axis=0)
    data = unpaired(images, images[:200])
    crops = data.batches(300, flip=False, crop=(9, 8)).batch(0, 0)
    again = data.batches(300, flip=False, crop=(9, 8)).batch(0, 0)
    for crop, once_more in zip(crops, again, strict=True):
        np.testing.assert_array_equal(crop, once_more)
        crop = np.rint((crop + 1) * 127.5).astype(int)
        tops, lefts = crop[:, 0, 0, 0], crop[:, 0, 0, 1]
        for image, top, left in zip(crop, tops, lefts, strict=True):
            np.testing.assert_array_equal(
                image, places[top : top + 9, left : left + 8]
            )
        # Evenly from the 4 x 3 places: four standard deviations of 300/12.
        counts = np.histogram2d(tops, lefts, (np.arange(5), np.arange(4)))[0]
        assert counts.shape == (4, 3) and np.abs(counts - 25).max() < 20
    assert np.any(crops[0] != crops[1])


def test_floats_stay_as_they_are():
    a = np.linspace(-1, 1, 24, dtype=np.float32).reshape(4, 3, 2, 1)
    b = ImageData("b", np.full((2, 3, 2, 1), 255, np.uint8))
    x, y = unpaired(a, b).batches(4, flip=False).batch(0, 0)
    order = np.argsort(x[:, 0, 0, 0])
    np.testing.assert_array_equal(x[order], a)
    assert np.all(y == 1.0) and y.dtype == np.float32


def test_parts_and_fingerprints_are_of_both_domains():
    data = toy(5, 3)
    assert data.image_shape == (1, 2, 1)
    part = data.part(slice(1, 3), "train[1:3]")
    assert isinstance(part, UnpairedData) and part.split == "train[1:3]"
    np.testing.assert_array_equal(part.a.images, data.a.images[1:3])
    np.testing.assert_array_equal(part.b.images, data.b.images[1:3])
    assert data.fingerprint() == toy(5, 3).fingerprint()
    swapped = dataclasses.replace(data, a=data.b, b=data.a)
    for other in (toy(5, 4), toy(4, 3), swapped):
        assert other.fingerprint() != data.fingerprint()


def black(shape):
    return np.full(shape, -1.0)


@pytest.mark.parametrize(
    "a, b, sentence",
    [
        (black((0, 8, 8, 3)), black((2, 8, 8, 3)), "none of A"),
        (black((2, 8, 8, 3)), black((0, 8, 8, 3)), "none of B"),
        (
            black((2, 8, 8, 3)),
            black((2, 8, 8, 1)),
            r"\(8, 8, 3\) in A, \(8, 8, 1\) in B",
        ),
        (black((8, 8, 3)), black((2, 8, 8, 3)), r"shape=\(8, 8, 3\)"),
    ],
)
def test_what_two_domains_refuse(a, b, sentence):
    with pytest.raises(ValueError, match=f"Expected .*Received: .*{sentence}"):
        unpaired(a, b)


@pytest.mark.parametrize(
    "options, sentence",
    [
        ({"batch_size": 0}, "batch_size=0"),
        ({"crop": (2, 2)}, "'A' of 1x2"),
    ],
)
def test_bad_batches(options, sentence):
    with pytest.raises(ValueError, match=f"Expected .*Received: .*{sentence}"):
        toy().batches(**options)


# === Where they come from ===

# Of each folder: how many pictures, and the gray of the first. Flat ones, so
# that no size or compression changes them by more than 2.
FOLDERS = {
    "trainA": (3, 30),
    "trainB": (5, 90),
    "testA": (2, 150),
    "testB": (1, 210),
}


def save_domains(folder, folders=FOLDERS):
    """Pictures of mixed sizes; RGB and gray JPEG, and PNG."""
    for name, (n, gray) in folders.items():
        (folder / name).mkdir(parents=True)
        for i in range(n):
            mode, suffix = (("RGB", "jpg"), ("L", "jpg"), ("RGB", "png"))[i % 3]
            color = gray + 10 * i if mode == "L" else 3 * (gray + 10 * i,)
            picture = Image.new(mode, (20 + 3 * i, 31 - 5 * i), color)
            picture.save(folder / name / f"{i}.{suffix}")
    return folder


def assert_domains(data, split, tolerance=2):
    for side, images in (("A", data.a.images), ("B", data.b.images)):
        n, gray = FOLDERS[split + side]
        expected = gray + 10 * np.arange(n)
        assert images.shape == (n, 8, 12, 3) and images.dtype == np.uint8
        difference = images - expected[:, None, None, None]
        assert np.abs(difference).max() <= tolerance


@pytest.mark.parametrize("split", ["train", "test"])
def test_folder_of_two_domains(tmp_path, split):
    folder = save_domains(tmp_path / "mine")
    data = datasets.load(folder, split, image_shape=(8, 12, 3))
    assert (data.name, data.split) == ("mine", split)
    assert data.a.labels is None and data.b.labels is None
    assert_domains(data, split)
    part = datasets.load(folder, f"{split}[:1]", image_shape=(8, 12, 3))
    assert len(part.a) == len(part.b) == 1
    np.testing.assert_array_equal(part.b.images, data.b.images[:1])


def test_gray_images_of_two_domains(tmp_path):
    folder = save_domains(tmp_path / "mine")
    data = datasets.load(folder, image_shape=(8, 8, 1))
    assert data.image_shape == (8, 8, 1) and len(data) == 5
    x, y = data.batches(5).batch(0, 0)
    assert x.shape == y.shape == (5, 8, 8, 1)


def test_folder_without_one_domain(tmp_path):
    folder = save_domains(tmp_path / "mine", {"trainA": (2, 30)})
    with pytest.raises(
        ValueError,
        match="folders trainA and trainB in .*mine. Received: trainA. "
        "Put the pictures of domain B into trainB",
    ):
        datasets.load(folder)
    with pytest.raises(ValueError, match="testA and testB .*Received: trainA"):
        datasets.load(folder, "test")
    (folder / "trainB").mkdir()
    with pytest.raises(ValueError, match="Received: .*trainB, without any"):
        datasets.load(folder)


def test_part_without_one_domain(tmp_path):
    folder = save_domains(tmp_path / "mine")
    with pytest.raises(ValueError, match=r"Received: .*train\[3:\]"):
        datasets.load(folder, "train[3:]", image_shape=(8, 12, 3))


def test_truncated_jpeg_is_named(tmp_path):
    folder = save_domains(tmp_path / "mine")
    broken = folder / "trainB" / "0.jpg"
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(broken)
    broken.write_bytes(broken.read_bytes()[:2000])
    with pytest.raises(ValueError, match=r"Received: .*trainB.0\.jpg"):
        datasets.load(folder, image_shape=(8, 12, 3))
    data = datasets.load(folder, image_shape=(8, 12, 3), skip_broken=True)
    assert len(data.a) == 3 and len(data.b) == 4


# === The paper's data sets ===


def zipped(folder, path):
    """A folder as a zip file of the authors' layout."""
    with zipfile.ZipFile(path, "w") as file:
        for member in sorted(folder.rglob("*")):  # folders, too
            file.write(member, member.relative_to(folder.parent))
        file.writestr(f"{folder.name}/notes.txt", "no picture")
        file.writestr("../trainA/evil.txt", "no picture, and outside")
    return path


@pytest.fixture
def archive(tmp_path):
    folder = save_domains(tmp_path / "made" / "horse2zebra")
    return zipped(folder, tmp_path / "horse2zebra.zip")


def load(source, split="train", name="cyclegan/horse2zebra"):
    return datasets.load(name, split, data_dir=source, image_shape=(8, 12, 3))


@pytest.mark.parametrize("split", ["train", "test"])
def test_zip_of_the_authors_layout(archive, split, cache):
    data = load(archive, split)
    assert (data.name, data.split) == ("cyclegan/horse2zebra", split)
    assert_domains(data, split)
    unpacked = [p for p in (cache / "unpacked").rglob("*") if p.is_file()]
    assert len(unpacked) == 3 + 5 + 2 + 1 + 1  # the last says it is done
    times = {p: p.stat().st_mtime_ns for p in unpacked}
    load(archive, split)
    assert times == {p: p.stat().st_mtime_ns for p in unpacked}


@pytest.mark.parametrize("inner", ["", "horse2zebra"])
def test_folder_that_was_in_the_zip(tmp_path, inner):
    save_domains(tmp_path / "there" / inner)
    assert_domains(load(tmp_path / "there"), "train")


def test_damaged_zip(archive):
    whole = archive.read_bytes()
    middle = whole.index(b"trainB/0.jpg") + 100  # in the picture's own bytes
    flipped = bytearray(whole)
    flipped[middle] ^= 255
    for damaged in (b"no zip file", whole[: len(whole) // 2], bytes(flipped)):
        archive.write_bytes(damaged)
        with pytest.raises(
            ValueError, match="Expected .*horse2zebra.zip as a whole zip file"
        ):
            load(archive)
    archive.write_bytes(whole)
    assert_domains(load(archive), "train")


def test_archive_or_folder_of_something_else(tmp_path):
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as file:
        file.writestr("images/a.txt", "nothing")
    for source in (tmp_path / "other.zip", tmp_path, tmp_path / "missing"):
        with pytest.raises(
            ValueError, match="Received: (none of them|.*which is neither)"
        ):
            load(source)


@pytest.mark.parametrize(
    "name, hint", [("horse2zebr", "'horse2zebra'"), ("map", "'maps'")]
)
def test_unknown_data_set(name, hint):
    with pytest.raises(ValueError, match=f"name='{name}'. Did you mean {hint}"):
        load(None, name=f"cyclegan/{name}")


def test_the_real_zip(cache):
    from tests.conftest import SHARED

    path = SHARED / "data" / "horse2zebra.zip"
    if not path.is_file():
        pytest.skip(f"needs {path}")
    data = load(path, "test")
    assert (len(data.a), len(data.b)) == (120, 140)
    assert data.image_shape == (8, 12, 3)
    for folder, n in (("trainA", 1067), ("trainB", 1334)):
        assert len(list((cache / "unpacked").glob(f"*/{folder}/*.jpg"))) == n


@pytest.mark.filterwarnings("ignore")  # tensorflow-datasets' own
def test_tensorflow_datasets(tmp_path, monkeypatch):
    """Its own builder, on a tiny archive, then without a network."""
    tfds = pytest.importorskip("tensorflow_datasets")
    save_domains(tmp_path / "extracted" / "horse2zebra")
    asked = []

    def extracted(manager, url):
        asked.append(url)
        return str(tmp_path / "extracted")

    manager = tfds.download.DownloadManager
    monkeypatch.setattr(manager, "download_and_extract", extracted)
    for split in ("train", "test"):
        data = load(None, split)
        assert (data.name, data.split) == ("cyclegan/horse2zebra", split)
        for side in (data.a, data.b):  # in an order of its own
            order = np.argsort(side.images.mean(axis=(1, 2, 3)))
            side.images[:] = side.images[order]
        assert_domains(data, split)
    assert len(asked) == 1 and asked[0].endswith("/horse2zebra.zip")

    def unreachable(manager, url):
        raise OSError("no network")

    monkeypatch.setattr(manager, "download_and_extract", unreachable)
    with pytest.raises(
        ValueError, match="prepare cycle_gan/maps. Received: .*no network"
    ):
        load(None, name="cyclegan/maps")
