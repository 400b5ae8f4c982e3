"""What TensorFlow computes faster in another way, in `keras.ops`."""

from collections.abc import Sequence
from typing import Any

from keras import ops

# Rows and columns left out: `((top, bottom), (left, right))`.
Crop = Sequence[tuple[int, int]]


def convolution(x: Any, kernel: Any) -> Any:
    """Convolve `[n, h, w, c]` with `[kh, kw, c, filters]`, unpadded."""
    return ops.conv(x, kernel, padding="valid")


def transposed_convolution(
    x: Any, kernel: Any, strides: Sequence[int], crop: Crop
) -> Any:
    """The transposed of an unpadded convolution, less what `crop` leaves out.

    Args:
        x: `[n, h, w, c]`.
        kernel: `[kh, kw, filters, c]`.
        strides: Of rows and of columns.
        crop: `((top, bottom), (left, right))`.
    """
    y = ops.conv_transpose(x, kernel, tuple(strides), padding="valid")
    (top, bottom), (left, right) = crop
    rows, columns = ops.shape(y)[1:3]
    return y[:, top : rows - bottom, left : columns - right]


def normalize_images(x: Any, epsilon: float) -> Any:
    """Each channel of each image `[n, h, w, c]` to mean 0 and variance 1."""
    x32 = x if ops.dtype(x) == "float64" else ops.cast(x, "float32")
    centred = x32 - ops.mean(x32, axis=(1, 2), keepdims=True)
    variance = ops.mean(ops.square(centred), axis=(1, 2), keepdims=True)
    return ops.cast(centred * ops.rsqrt(variance + epsilon), x.dtype)
