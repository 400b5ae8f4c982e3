"""What `fit` leaves of malloc's bounds, in a process of its own."""

import platform

import keras
import pytest

from tests.test_conformance import run_python

if keras.backend.backend() != "tensorflow":
    pytest.skip("the bounds are moved by TensorFlow", allow_module_level=True)
if platform.libc_ver()[0] != "glibc":
    pytest.skip("the bounds are of glibc", allow_module_level=True)

FIT = """
import ctypes
import keras
import numpy as np
import keras_gans

class Info(ctypes.Structure):
    _fields_ = [(f"field_{i}", ctypes.c_size_t) for i in range(10)]

libc = ctypes.CDLL(None)
libc.mallinfo2.restype = Info
libc.malloc.restype = ctypes.c_void_p

def mapped():  # of 6 MiB, by a system call of its own
    before = libc.mallinfo2().field_3  # hblks: how many such there are
    assert libc.malloc(ctypes.c_size_t(6 * 2**20))
    return libc.mallinfo2().field_3 - before

class Batches(keras.utils.PyDataset):
    num_batches = 2

    def __getitem__(self, index):
        return np.zeros((4, 28, 28, 1), "float32")

gan = keras_gans.create("gan", image_shape=(28, 28, 1), variant="small")
gan.fit(Batches(), verbose=0, epochs=2, callbacks=GIVEN)
print("mapped", mapped())
"""


@pytest.mark.parametrize(
    "given, mapped",
    [
        ("None", 0),
        ("keras.callbacks.TerminateOnNaN()", 0),
        # Without ours: a `CallbackList` is left as it is.
        ("keras.callbacks.CallbackList(add_history=True, model=gan)", 1),
    ],
)
def test_large_tensors_are_kept_after_fit(given, mapped):
    script = FIT.replace("GIVEN", given)
    assert f"mapped {mapped}" in run_python(script, "tensorflow")
