"""Reference statistics survive their file, and damaged ones are refused."""

import dataclasses
import zipfile

import numpy as np
import pytest

import keras_gans
from keras_gans.metrics import Reference, extractor

PROTOCOL = {"data": "mnist", "split": "test", "real": 50, "sha256": "ab"}


@pytest.fixture
def reference():
    features = np.random.default_rng(0).normal(2.0, 3.0, (50, 6))
    return Reference.of(features.astype(np.float32), PROTOCOL)


def test_moments_are_numpys(reference):
    x = reference.features.astype(np.float64)
    np.testing.assert_allclose(reference.mean, x.mean(0), rtol=1e-12)
    np.testing.assert_allclose(
        reference.covariance, np.cov(x, rowvar=False), rtol=1e-10
    )


@pytest.mark.parametrize("features", [True, False])
def test_round_trip(reference, tmp_path, features):
    path = tmp_path / "mnist.npz"
    reference.save(path, features=features)
    twin = Reference.load(path)
    assert twin.protocol == PROTOCOL
    np.testing.assert_array_equal(twin.mean, reference.mean)
    np.testing.assert_array_equal(twin.covariance, reference.covariance)
    assert (twin.features is not None) == features


def test_moments_of_data_and_their_protocol(tmp_path):
    data = keras_gans.datasets.load("mnist_5k", "train[:7]")
    lenet = extractor("lenet_mnist")
    made = Reference.from_data(data, lenet)
    expected = lenet([data.arrays()[0]])[0]
    np.testing.assert_allclose(made.features, expected, rtol=1e-6)
    assert made.protocol == {
        "data": "mnist_5k",
        "split": "train[:7]",
        "real": 7,
        "extractor": "lenet_mnist",
        "sha256": lenet.sha256,
        "resize": "none",
    }


def test_saved_into_a_new_folder_with_numpys_numbers(reference, tmp_path):
    path = tmp_path / "new" / "mnist.npz"
    protocol = PROTOCOL | {"real": np.int64(50)}
    dataclasses.replace(reference, protocol=protocol).save(path)
    assert Reference.load(path).protocol == PROTOCOL
    with pytest.raises(ValueError, match="which is a folder"):
        reference.save(tmp_path)
    assert not list(tmp_path.glob(".*"))


def test_a_singular_covariance_is_fine(tmp_path):
    features = np.random.default_rng(0).normal(size=(5, 40))
    for x in (features, np.zeros((5, 40))):
        Reference.of(x.astype(np.float32), {}).save(tmp_path / "few.npz")
        Reference.load(tmp_path / "few.npz")


def test_damaged_files(reference, tmp_path):
    path = tmp_path / "mnist.npz"
    reference.save(path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match="Expected reference statistics"):
        Reference.load(path)
    with zipfile.ZipFile(path, "w") as file:  # a header that never ends
        text = b"{'descr': ("
        size = len(text).to_bytes(2, "little")
        file.writestr("mean.npy", b"\x93NUMPY\x01\x00" + size + text)
    with pytest.raises(ValueError, match="arrays that are damaged"):
        Reference.load(path)
    path.write_bytes(b"no zip")
    with pytest.raises(ValueError, match="Expected reference statistics"):
        Reference.load(path)
    with pytest.raises(ValueError, match="Expected reference statistics"):
        Reference.load(tmp_path / "missing.npz")


GOOD = {
    "protocol": "{}",
    "mean": np.zeros(2),
    "covariance": np.eye(2),
    "features": np.zeros((3, 2), np.float32),
}


@pytest.mark.parametrize(
    "change, words",
    [
        ({"protocol": "[]"}, "no JSON object"),
        ({"protocol": "no json"}, "no JSON object"),
        ({"protocol": "[" * 100_000}, "no JSON object"),
        ({"mean": np.array([{}], object)}, "no numbers"),
        ({"mean": np.zeros(3)}, "`covariance` of shape"),
        ({"mean": np.zeros(2, int)}, "`mean` of int64"),
        ({"covariance": np.eye(2, dtype="g")}, "`covariance` of float128"),
        ({"mean": np.array(["a", "b"])}, "`mean` of <U1"),
        ({"covariance": np.zeros((3, 2))}, "`covariance` of shape"),
        ({"covariance": np.full((2, 2), np.nan)}, "NaN or infinity"),
        ({"covariance": np.array([[1, 0.5], [0, 1]])}, "not symmetric"),
        ({"covariance": np.diag([1.0, -1.0])}, "negative eigenvalues"),
        ({"features": np.zeros((3, 4))}, "`features` of shape"),
        ({"features": np.zeros((3, 2), int)}, "`features` of int64"),
        ({"features": np.full((3, 2), np.inf)}, "infinity in `features`"),
        ({"features": np.zeros((1, 2))}, "a single image"),
    ],
)
def test_wrong_arrays(tmp_path, change, words):
    path = tmp_path / "other.npz"
    np.savez(path, **GOOD)
    Reference.load(path)
    np.savez(path, **GOOD | change)
    sentence = f"Expected reference statistics.*Received: .*{words}.*Make"
    with pytest.raises(ValueError, match=sentence) as refused:
        Reference.load(path)
    assert "pickle" not in str(refused.value)


def test_missing_arrays(tmp_path):
    for name in ("protocol", "mean", "covariance"):
        rest = {n: x for n, x in GOOD.items() if n != name}
        np.savez(tmp_path / "other.npz", **rest)
        with pytest.raises(ValueError, match=f"no .?{name}"):
            Reference.load(tmp_path / "other.npz")


def test_no_zip_is_said_in_own_words(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros(3))
    with pytest.raises(ValueError, match="no npz file") as refused:
        Reference.load(tmp_path / "a.npy")
    assert "pickle" not in str(refused.value)
