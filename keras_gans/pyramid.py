"""Laplacian pyramids: pictures as a small one and bands of detail.

Burt and Adelson, "The Laplacian Pyramid as a Compact Image Code", 1983, with
the two operators of LAPGAN (Denton et al. 2015, arXiv:1506.05751, section 2.2)
as its authors' code has them: d halves by averaging 2x2 pixels, u doubles by
bilinear interpolation that maps corners to corners.
"""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_gans.registry import serializable


def downsample(images: Any) -> Any:
    """d(I): each pixel is the mean of four.

    Args:
        images: `[batch, height, width, channels]`, both sides even.

    Returns:
        `[batch, height / 2, width / 2, channels]`.

    Raises:
        ValueError: If they are no float images, or a side cannot be halved.
    """
    images = as_images(images)
    check_halves(images.shape[1:3], levels=2)
    return ops.average_pool(images, 2, strides=2, data_format="channels_last")


def upsample(images: Any) -> Any:
    """u(I): twice the size, bilinear, the corners' pixels stay the corners'.

    Args:
        images: `[batch, height, width, channels]`.

    Returns:
        `[batch, 2 height, 2 width, channels]`.

    Raises:
        ValueError: If they are no float images.
    """
    images = as_images(images)
    rows, columns = (
        ops.convert_to_tensor(doubling(side), images.dtype)
        for side in images.shape[1:3]
    )
    # One matrix a side: the backends' own resizes differ at the borders.
    tall = ops.einsum("ih,bhwc->biwc", rows, images)
    return ops.einsum("jw,biwc->bijc", columns, tall)


def doubling(side: int) -> np.ndarray:
    """The matrix `[2 side, side]` of u along one axis; rows sum to one."""
    at = np.arange(2 * side) * (side - 1) / (2 * side - 1)
    left = np.minimum(at.astype(int), max(side - 2, 0))
    right = np.minimum(left + 1, side - 1)
    matrix = np.zeros((2 * side, side))
    rows = np.arange(2 * side)
    np.add.at(matrix, (rows, left), 1.0 - (at - left))
    np.add.at(matrix, (rows, right), at - left)
    return matrix


def gaussian_pyramid(images: Any, levels: int) -> list[Any]:
    """[I_0, I_1, ..., I_K]: the images, and each level half the one before.

    Args:
        images: `[batch, height, width, channels]`.
        levels: K + 1, the images' own included.

    Returns:
        `levels` tensors, finest first.

    Raises:
        ValueError: If they are no float images, `levels` is less than 2, or a
            side cannot be halved so often.
    """
    images = as_images(images)
    check_levels(levels)
    check_halves(images.shape[1:3], levels)
    pyramid = [images]
    while len(pyramid) < levels:
        pyramid.append(downsample(pyramid[-1]))
    return pyramid


def laplacian_pyramid(images: Any, levels: int) -> list[Any]:
    """[h_0, h_1, ..., I_K]: what u(d(I)) loses of each level; the coarsest.

    h_k = I_k - u(I_{k+1}), eq. 2 of the paper.

    Args:
        images: `[batch, height, width, channels]`.
        levels: K + 1, the number of tensors.

    Returns:
        `levels` tensors, finest first; `reconstruct` makes the images of them.

    Raises:
        ValueError: As `gaussian_pyramid`.

    Example:

    ```python
    bands = laplacian_pyramid(images, levels=3)  # 32, 16 and 8 pixels
    same = reconstruct(bands)  # but for rounding
    ```
    """
    pyramid = gaussian_pyramid(images, levels)
    pairs = zip(pyramid[:-1], pyramid[1:], strict=True)
    return [fine - upsample(coarse) for fine, coarse in pairs] + pyramid[-1:]


def reconstruct(bands: list[Any]) -> Any:
    """I_k = u(I_{k+1}) + h_k, eq. 3, from the coarsest on: the inverse.

    Args:
        bands: What `laplacian_pyramid` made.

    Returns:
        `[batch, height, width, channels]`.
    """
    images = as_images(bands[-1])
    for band in reversed(bands[:-1]):
        images = upsample(images) + as_images(band)
    return images


@serializable
class LaplacianPyramid(keras.layers.Layer):
    """`laplacian_pyramid` as a layer, and `reconstruct` as its inverse.

    Args:
        levels: Number of bands, the coarsest picture included.

    Input: float images `[batch, height, width, channels]`. Output: a list of
    `levels` tensors, finest first, in full precision whatever the policy.

    Raises:
        ValueError: As `gaussian_pyramid`.

    Example:

    ```python
    pyramid = keras_gans.pyramid.LaplacianPyramid(3)
    bands = pyramid(images)
    same = pyramid.inverse(bands)
    ```
    """

    def __init__(self, levels: int, **kwargs: Any):
        super().__init__(**kwargs | {"dtype": keras.config.floatx()})
        check_levels(levels)
        self.levels = int(levels)
        self.built = True

    def call(self, images: Any) -> list[Any]:
        return laplacian_pyramid(images, self.levels)

    def inverse(self, bands: list[Any]) -> Any:
        """The images of what `call` gave."""
        return reconstruct(bands)

    def get_config(self) -> dict:
        return super().get_config() | {"levels": self.levels}


@serializable
class Upsample(keras.layers.Layer):
    """`upsample` as a layer, in full precision whatever the policy."""

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs | {"dtype": keras.config.floatx()})
        self.built = True

    def call(self, images: Any) -> Any:
        return upsample(images)


def as_images(images: Any) -> Any:
    """A tensor of floats `[batch, height, width, channels]`, or an error."""
    if isinstance(images, keras.KerasTensor):
        return images
    if not hasattr(images, "shape"):
        images = np.asarray(images)
    dtype = keras.backend.standardize_dtype(images.dtype)
    shape = tuple(images.shape)
    sized = len(shape) == 4 and None not in shape[1:]
    if not sized or not dtype.startswith(("float", "bfloat")):
        raise ValueError(
            "Expected float images [batch, height, width, channels]. Received: "
            f"{dtype} of shape={shape}. One image is `image[None]`, and uint8 "
            "pixels are `keras_gans.images.from_uint8(pixels)`."
        )
    return ops.convert_to_tensor(images)


def check_levels(levels: int) -> None:
    """Raise a `ValueError` unless a pyramid can have so many levels."""
    whole = isinstance(levels, (int, np.integer))
    if not whole or isinstance(levels, bool) or levels < 2:
        raise ValueError(
            "Expected `levels` as an integer of at least 2, the images' own "
            f"and a coarser one. Received: levels={levels!r}. The paper's 8, "
            "16 and 32 pixels are 3."
        )


def check_halves(sides: tuple[int, int], levels: int) -> None:
    """Raise a `ValueError` unless both sides halve `levels - 1` times."""
    height, width = sides
    most = min(height, width).bit_length()  # of sides of one pixel: 1
    if levels > most:
        raise ValueError(
            f"Expected at most {most} levels of images of {height}x{width}. "
            f"Received: levels={levels}. Each halves the sides."
        )
    factor = 2 ** int(levels - 1)
    if height % factor or width % factor:
        fitting = [max(1, round(side / factor)) * factor for side in sides]
        raise ValueError(
            f"Expected sides that halve {levels - 1} times, multiples of "
            f"{factor}, for {levels} levels. Received: {height}x{width}. "
            f"Resize or pad to {fitting[0]}x{fitting[1]}, or take fewer levels."
        )
