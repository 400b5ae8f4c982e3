"""Fixtures that more than one test file uses."""

from pathlib import Path

import pytest

import keras_gans  # first: it sets TensorFlow's options  # noqa: F401

import keras  # isort: skip

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(autouse=True)
def seeded():
    """The same random numbers in every test, whichever run before it."""
    keras.utils.set_random_seed(0)


@pytest.fixture
def float64():
    """Networks and arrays in float64, where two libraries agree to 1e-6."""
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")


@pytest.fixture
def policy():
    """A setter of the dtype policy, undone after the test."""
    yield keras.config.set_dtype_policy
    keras.config.set_dtype_policy("float32")


@pytest.fixture
def mnist_folder():
    """The four original files of MNIST, where the machine has them."""
    folder = SHARED / "data" / "mnist"
    if not folder.is_dir():
        pytest.skip(f"needs the original MNIST files in {folder}")
    return folder
