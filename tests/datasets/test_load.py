"""Data sets by name, folders, and the order of batches."""

import gzip
import hashlib
import os

import keras
import numpy as np
import pytest
from PIL import Image

from keras_gans import datasets
from keras_gans.datasets import ImageData
from keras_gans.datasets.folder import read_picture
from keras_gans.datasets.mnist import read_idx


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_GANS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def pictures(tmp_path):
    """Seven pictures of many sizes and modes, in two classes."""
    folder = tmp_path / "pictures"
    for name, mode, size in (
        ("cat/a.png", "RGB", (10, 20)),
        ("cat/b.jpg", "RGB", (33, 12)),
        ("cat/c.png", "L", (8, 8)),
        ("dog/d.png", "RGBA", (9, 9)),
        ("dog/e.png", "P", (16, 8)),
        ("dog/f.png", "1", (64, 64)),
        ("dog/deep/g.bmp", "RGB", (5, 5)),
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new(mode, size, 1).save(path)
    (folder / "notes.txt").write_text("no picture")
    return folder


def test_mnist_from_idx_files(mnist_folder):
    data = datasets.load("mnist", "test", data_dir=mnist_folder)
    assert data.images.shape == (10_000, 28, 28, 1)
    assert data.images.dtype == np.uint8
    # The published counts of the test set.
    counts = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    np.testing.assert_array_equal(np.bincount(data.labels), counts)
    part = datasets.load("mnist", "test[:100]", data_dir=mnist_folder)
    np.testing.assert_array_equal(part.images, data.images[:100])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # tensorflow-datasets' own
def test_mnist_from_tfds_without_a_network(mnist_folder):
    made = datasets.load("mnist", "test", source="tfds", data_dir=mnist_folder)
    data = datasets.load("mnist", "test", data_dir=mnist_folder)
    assert made.images.shape == data.images.shape

    def rows(d):  # tensorflow-datasets has an order of its own
        flat = d.images.reshape(len(d), -1)
        keys = [
            row.tobytes() + bytes([c])
            for row, c in zip(flat, d.labels, strict=True)
        ]
        return sorted(keys)

    assert rows(made) == rows(data)


def test_missing_and_damaged_idx_files(mnist_folder, tmp_path):
    with pytest.raises(ValueError, match="no such file"):
        datasets.load("mnist", data_dir=tmp_path)
    name = "t10k-labels-idx1-ubyte.gz"
    whole = (mnist_folder / name).read_bytes()
    md5 = "27ae3e4e09519cfbb04c329615203637"
    for damaged in (whole[:-100], b"not gzip", whole[:50] + b"\0" + whole[51:]):
        (tmp_path / name).write_bytes(damaged)
        with pytest.raises(ValueError, match=f"Expected .*{name}.* Received: "):
            read_idx(tmp_path / name, (10_000,), md5)
    other = gzip.compress(bytes([0, 0, 8, 1, 0, 0, 39, 16]) + bytes(10_000))
    (tmp_path / name).write_bytes(other)
    with pytest.raises(ValueError, match="something else"):
        read_idx(tmp_path / name, (10_000,), md5)


def test_embedded_digits_by_name():
    data = datasets.load("mnist_5k", "train[10:30]")
    assert len(data) == 20 and data.image_shape == (28, 28, 1)
    images, labels = datasets.mnist_5k()
    np.testing.assert_array_equal(data.arrays()[0], images[10:30])
    np.testing.assert_array_equal(data.labels, labels[10:30])


def test_flowers_with_their_classes():
    from tests.conftest import SHARED

    archive = SHARED / "data" / "flowers102.zip"
    if not archive.is_file():
        pytest.skip(f"needs {archive}")
    data = datasets.load("flowers102", data_dir=archive, image_shape=(8, 8, 3))
    assert data.images.shape == (6715, 8, 8, 3)  # of 82 classes
    assert len(data.classes) == 102 and data.classes[76] == "passion flower"
    assert data.labels[0] == 76
    counts = np.bincount(data.labels)
    assert (counts[4::5] == 0).all() and counts[counts > 0].min() == 40


def test_folder_of_any_pictures(pictures):
    data = datasets.load(pictures, image_shape=(6, 4, 3))
    assert data.images.shape == (7, 6, 4, 3)
    assert data.classes == ("cat", "dog")
    np.testing.assert_array_equal(data.labels, [0, 0, 0, 1, 1, 1, 1])
    gray = datasets.load(str(pictures), image_shape=(6, 6, 1))
    assert gray.images.shape == (7, 6, 6, 1)


def test_folder_is_decoded_once(pictures, cache):
    first = datasets.load(pictures, image_shape=(6, 4, 3))
    files = {f: f.stat().st_mtime_ns for f in (cache / "decoded").iterdir()}
    again = datasets.load(pictures, image_shape=(6, 4, 3))
    np.testing.assert_array_equal(first.images, again.images)
    assert files == {
        f: f.stat().st_mtime_ns for f in (cache / "decoded").iterdir()
    }
    Image.new("RGB", (3, 3), (9, 9, 9)).save(pictures / "cat" / "a.png")
    os.utime(pictures / "cat" / "a.png", ns=(1, 1))
    changed = datasets.load(pictures, image_shape=(6, 4, 3))
    assert np.all(changed.images[0] == 9)


@pytest.mark.parametrize(
    "suffix, content",
    [
        (".npy", b""),
        (".npy", b"\x93NUMPY\x01\x00"),
        (".npy", b"no array"),
        (".json", b""),
        (".json", b"[0, 1]"),
        (".json", b"[0, 1, 2, 3, 4, 5, 99]"),
        (".json", b"[" * 100_000),
    ],
)
def test_a_damaged_cache_is_made_again(pictures, cache, suffix, content):
    first = np.array(datasets.load(pictures, image_shape=(8, 8, 3)).images)
    (kept,) = (cache / "decoded").glob(f"*{suffix}")
    kept.write_bytes(content)
    again = datasets.load(pictures, image_shape=(8, 8, 3)).images
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize("read", ["load", "read_picture"])
@pytest.mark.parametrize("kind", ["program", "pixels", "pipe"])
def test_hostile_pictures_are_not_opened(tmp_path, read, kind):
    """PostScript, a kilobyte of 10^8 pixels, and what never ends."""
    (tmp_path / "a").mkdir()
    path = tmp_path / "a" / "0.png"
    if kind == "program":
        Image.new("L", (4, 4)).save(path, "EPS")
    elif kind == "pixels":
        Image.new("1", (10_000, 10_000)).save(path)
    else:
        os.mkfifo(path)
    with pytest.raises(ValueError, match="Expected .*picture"):
        if read == "load":
            datasets.load(tmp_path / "a", image_shape=(8, 8, 3))
        else:
            read_picture(path, 3)


def test_folder_pixels_are_the_pictures(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    data = datasets.load(tmp_path, image_shape=(5, 7, 3))
    np.testing.assert_array_equal(data.images[0], pixels)
    assert data.labels is None and data.classes == ()


def test_sixteen_bits_are_scaled_and_not_clipped(tmp_path):
    ramp = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    Image.fromarray(ramp).save(tmp_path / "a.png")
    Image.fromarray(ramp.astype(np.float32)).save(tmp_path / "b.tif")
    images = datasets.load(tmp_path, image_shape=(8, 8, 1)).images
    expected = np.rint(ramp / 257.0)
    for image in images:
        np.testing.assert_allclose(image[..., 0], expected, atol=1)


def test_transparent_pixels_are_white(tmp_path):
    pixels = np.zeros((6, 6, 4), np.uint8)
    pixels[:3] = (255, 0, 0, 255)  # below: black, and transparent
    Image.fromarray(pixels).save(tmp_path / "a.png")
    (image,) = datasets.load(tmp_path, image_shape=(6, 6, 3)).images
    assert (image[:3] == (255, 0, 0)).all() and (image[3:] == 255).all()


def test_fashion_from_idx_files(tmp_path, monkeypatch):
    """The layout and the names; files of this many zeros are at hand."""
    from keras_gans.datasets import mnist

    known = {}
    for split, (images, labels, n) in mnist.FILES.items():
        facts = []
        for name, shape in ((images, (n, 28, 28)), (labels, (n,))):
            data = np.zeros(shape, np.uint8)
            data.reshape(n, -1)[:, 0] = np.arange(n) % 10
            header = bytes([0, 0, 8, len(shape)])
            header += b"".join(size.to_bytes(4, "big") for size in shape)
            content = header + data.tobytes()
            with gzip.open(tmp_path / name, "wb", compresslevel=1) as file:
                file.write(content)
            facts.append(hashlib.md5(content).hexdigest())
        known["fashion_mnist", split] = tuple(facts)
    with pytest.raises(ValueError, match="Expected the original file"):
        datasets.load("fashion_mnist", data_dir=tmp_path)
    monkeypatch.setattr(mnist, "MD5", known)
    data = datasets.load("fashion_mnist", "test[:20]", data_dir=tmp_path)
    assert (data.name, data.split) == ("fashion_mnist", "test[:20]")
    assert data.classes[9] == "ankle boot"
    np.testing.assert_array_equal(data.labels, np.arange(20) % 10)
    np.testing.assert_array_equal(data.images[:, 0, 0, 0], data.labels)


def test_flowers_that_are_damaged(tmp_path):
    path = tmp_path / "flowers102.zip"
    path.write_bytes(b"no zip file")
    with pytest.raises(ValueError, match="Expected .* as a whole zip file"):
        datasets.load("flowers102", data_dir=path)
    (tmp_path / "captions.tsv").write_text("a\tb\n1\t2\n")
    with pytest.raises(ValueError, match="names the columns image and caption"):
        datasets.load("flowers102", data_dir=tmp_path)


def test_tfds_names_the_missing_file(tmp_path):
    with pytest.raises(ValueError, match="train-images.*no such file"):
        datasets.load("mnist", source="tfds", data_dir=tmp_path)


def test_fingerprint_is_of_the_pictures():
    data = datasets.load("mnist_5k")
    assert data.fingerprint() == datasets.load("mnist_5k").fingerprint()
    other = data.images.copy()
    other[0] ^= 255
    assert ImageData("mnist_5k", other).fingerprint() != data.fingerprint()


def test_broken_picture_is_named_and_skipped_only_if_asked(pictures, cache):
    (pictures / "cat" / "broken.jpg").write_bytes(b"\xff\xd8 no more")
    with pytest.raises(ValueError, match=r"Received: .*broken\.jpg"):
        datasets.load(pictures, image_shape=(6, 6, 3))
    assert not list((cache / "decoded").iterdir())
    data = datasets.load(pictures, image_shape=(6, 6, 3), skip_broken=True)
    assert len(data) == 7 and len(data.labels) == 7


@pytest.mark.parametrize("content", [[], ["a.txt"]])
def test_folder_without_pictures(tmp_path, content):
    folder = tmp_path / "empty"
    folder.mkdir()
    for name in content:
        (folder / name).write_text("x")
    with pytest.raises(ValueError, match="Received: .*which has none"):
        datasets.load(folder)


def test_folder_of_nothing_but_broken_pictures(tmp_path):
    (tmp_path / "a.png").write_bytes(b"x")
    with pytest.raises(ValueError, match="none of 1 can"):
        datasets.load(tmp_path, skip_broken=True)


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        (("mnst",), "Did you mean 'mnist'"),
        (("/no/such/folder",), "Received: '/no/such/folder', which is none"),
        (("mnist", "validation"), "Received: split='validation'"),
        (("mnist_5k", "test"), "no other. Received: split='test'"),
        (("mnist", "train", "web"), "Received: source='web'"),
        (("mnist", "train", "idx"), "Received: data_dir=None"),
        (("flowers102",), "Received: data_dir=None"),
        (("",), "Received: name=''"),
        ((3,), "Received: name=3"),
        (("mnist_5k", 3), "Received: split=3"),
        (("mnist_5k", "train[9000:]"), "which is empty"),
        (("mnist_5k", "train", None, None, (8, 8)), "image_shape=\\(8, 8\\)"),
        (("mnist_5k", "train", None, None, (0, 8, 3)), "positive integers"),
    ],
)
def test_bad_arguments(arguments, sentence):
    with pytest.raises(ValueError, match=f"Expected .*{sentence}"):
        datasets.load(*arguments)


def toy(n=10):
    images = np.arange(n, dtype=np.uint8).reshape(n, 1, 1, 1) * 20
    images = np.concatenate([images, 255 - images], axis=2)
    return ImageData("toy", images, np.arange(n))


def test_epoch_sees_every_image_once_in_its_own_order():
    batches = toy().batches(4, seed=1, labels=True)
    assert len(batches) == 3
    epochs = []
    for _ in range(2):
        seen = [batches[i][1] for i in range(3)]
        assert [len(s) for s in seen] == [4, 4, 2]
        epochs.append(np.concatenate(seen))
        assert sorted(epochs[-1]) == list(range(10))
        batches.on_epoch_end()
    assert np.any(epochs[0] != epochs[1])


def test_order_is_a_function_of_seed_and_epoch():
    first, second = toy().batches(4, seed=1), toy().batches(4, seed=1)
    second.batch(0, 0)  # whatever was read before
    np.testing.assert_array_equal(first.batch(5, 2), second.batch(5, 2))
    other = toy().batches(4, seed=2)
    assert np.any(first.order(0, 10) != other.order(0, 10))


def test_steps_run_through_the_epochs():
    batches = toy().batches(4, seed=1)
    steps = batches.steps(2, 7)
    assert len(steps) == 5
    for i, (epoch, index) in enumerate(
        [(0, 2), (1, 0), (1, 1), (1, 2), (2, 0)]
    ):
        np.testing.assert_array_equal(steps[i], batches.batch(epoch, index))


def test_flips_half_and_repeats():
    data = toy(200)
    plain = data.batches(200, seed=0).batch(0, 0)
    flipped = data.batches(200, seed=0, flip=True).batch(0, 0)
    mirrored = (flipped != plain).any(axis=(1, 2, 3))
    np.testing.assert_array_equal(
        flipped[mirrored], plain[mirrored][:, :, ::-1]
    )
    assert 70 < mirrored.sum() < 130
    again = data.batches(200, seed=0, flip=True).batch(0, 0)
    np.testing.assert_array_equal(flipped, again)


def test_bad_batches():
    with pytest.raises(ValueError, match="Received: batch_size=0"):
        toy().batches(0)
    unlabelled = ImageData("x", toy().images)
    with pytest.raises(ValueError, match="Received: 'x', which has none"):
        unlabelled.batches(labels=True)


def test_sample_is_even_and_bounded():
    data = toy(10)  # 8 bytes an image, as float32
    np.testing.assert_array_equal(data.sample(), data.arrays()[0])
    np.testing.assert_array_equal(data.sample(40), data.arrays()[0][::2])


def test_fit_keeps_the_order_of_batches():
    import random

    import keras_gans

    results = []
    for chance in (1, 2):  # with which Keras would shuffle
        keras.utils.set_random_seed(0)
        gan = keras_gans.GAN((1, 2, 1), latent_dim=3, variant="small")
        random.seed(chance)
        np.random.seed(chance)
        gan.fit(toy(64).batches(4), verbose=0)
        results.append([np.array(w) for w in gan.get_weights()])
    for a, b in zip(*results, strict=True):
        np.testing.assert_array_equal(a, b)


def test_fit_reads_batches():
    import keras_gans

    data = toy(16)
    gan = keras_gans.GAN((1, 2, 1), latent_dim=3, variant="small")
    gan.fit(data.batches(4), epochs=2, verbose=0)
    assert int(keras.ops.convert_to_numpy(gan.optimizer.iterations)) == 8
