"""What an engine computes in its own way is what `keras.ops` would."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_gans import backend
from keras_gans.backend import plain


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float64"])
@pytest.mark.parametrize("n", [1, 3, 17])
def test_normalized_images(n, dtype):
    """Values, derivative, and the derivative's own."""
    if dtype == "float64" and keras.backend.backend() != "tensorflow":
        pytest.skip("JAX and Keras's mean on PyTorch round to float32")
    x = np.random.default_rng(0).normal(3.0, 2.0, size=(n, 6, 5, 4))
    x = ops.cast(x.astype("float32"), dtype)
    found, expected = (
        [
            normalize(x, 1e-5),
            backend.gradient(lambda x, f=normalize: ops.sin(f(x, 1e-5)), x),
        ]
        for normalize in (backend.normalize_images, plain.normalize_images)
    )
    bound = {"float32": 1e-5, "bfloat16": 2e-2, "float64": 1e-9}[dtype]
    for a, b in zip(found, expected, strict=True):
        assert keras.backend.standardize_dtype(a.dtype) == dtype
        a, b = as_numpy(a), as_numpy(b)
        np.testing.assert_allclose(a, b, atol=bound * max(1, np.abs(b).max()))
    images = as_numpy(found[0]).astype("float64")
    np.testing.assert_allclose(images.mean((1, 2)), 0.0, atol=bound)
    atol = max(1e-5, 10 * bound)  # epsilon is beside a variance of 4
    np.testing.assert_allclose(images.var((1, 2)), 1.0, atol=atol)


def as_numpy(x):
    if keras.backend.standardize_dtype(x.dtype) == "bfloat16":
        x = ops.cast(x, "float32")
    return ops.convert_to_numpy(x)


def test_normalized_images_of_any_number():
    """In a graph that does not know how many images there will be."""
    if keras.backend.backend() != "tensorflow":
        pytest.skip("graphs are TensorFlow's")
    import tensorflow as tf

    x = np.random.default_rng(0).normal(size=(2, 6, 5, 4)).astype("float32")
    run = tf.function(
        lambda x: backend.normalize_images(x, 1e-5),
        input_signature=[tf.TensorSpec((None, None, None, 4))],
    )
    expected = ops.convert_to_numpy(plain.normalize_images(x, 1e-5))
    np.testing.assert_allclose(run(x), expected, atol=1e-5)
