"""Fixtures that more than one test file uses."""

import contextlib
import subprocess
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


@pytest.fixture
def disk(tmp_path):
    """A function that makes a folder of so many bytes, a disk of its own.

    Called again it changes them; `"ro"` makes it one that cannot be written.
    """
    folder = tmp_path / "disk"

    def mount(option):
        option = option if option == "ro" else f"size={option}"
        first = not folder.exists()
        folder.mkdir(exist_ok=True)
        how = ["-t", "tmpfs", "-o", option, "tmpfs"]
        command = ["mount", *(how if first else ["-o", f"remount,{option}"])]
        done = subprocess.run([*command, folder], capture_output=True)
        if done.returncode:
            pytest.skip("needs the right to mount a small file system")
        mounted.callback(
            subprocess.run, ["umount", "-l", folder]
        ) if first else None
        return folder

    with contextlib.ExitStack() as mounted:
        yield mount
