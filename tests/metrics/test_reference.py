"""Reference statistics survive their file, and damaged ones are refused."""

import numpy as np
import pytest

from keras_gans.metrics import Reference

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


def test_damaged_files(reference, tmp_path):
    path = tmp_path / "mnist.npz"
    reference.save(path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match="Expected reference statistics"):
        Reference.load(path)
    path.write_bytes(b"no zip")
    with pytest.raises(ValueError, match="Expected reference statistics"):
        Reference.load(path)
    with pytest.raises(ValueError, match="Expected reference statistics"):
        Reference.load(tmp_path / "missing.npz")


def test_wrong_arrays(tmp_path):
    path = tmp_path / "other.npz"
    for arrays in (
        {"mean": np.zeros(3)},
        {"protocol": "{}", "mean": np.zeros(3), "covariance": np.zeros((2, 2))},
        {"protocol": "[]", "mean": np.zeros(2), "covariance": np.eye(2)},
        {
            "protocol": "{}",
            "mean": np.zeros(2),
            "covariance": np.full((2, 2), np.nan),
        },
        {"protocol": "no json", "mean": np.zeros(2), "covariance": np.eye(2)},
    ):
        np.savez(path, **arrays)
        with pytest.raises(ValueError, match="Expected reference statistics"):
            Reference.load(path)


def test_no_pickle_is_opened(tmp_path):
    path = tmp_path / "evil.npz"
    np.savez(path, protocol="{}", mean=np.array([{}], object), covariance=1)
    with pytest.raises(ValueError, match="Expected reference statistics"):
        Reference.load(path)
