"""Pictures: the [-1, 1] contract, grids, and files.

Everything in the library is float32, channels last, in [-1, 1]. These two
functions are the only border to the 0..255 of files.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_gans.files import written_aside


def from_uint8(pixels: np.ndarray) -> np.ndarray:
    """Map pixels 0..255 to float32 in [-1, 1]: x / 127.5 - 1.

    Args:
        pixels: uint8, any shape.

    Raises:
        ValueError: If `pixels` is not uint8.

    Example:

    ```python
    keras_gans.images.from_uint8(np.uint8([0, 255]))  # [-1., 1.]
    ```
    """
    pixels = np.asarray(pixels)
    if pixels.dtype != np.uint8:
        raise ValueError(
            "Expected pixels 0..255 of type uint8. Received: "
            f"dtype={pixels.dtype}. Call `.astype('uint8')` if they are whole "
            "numbers in 0..255."
        )
    return pixels.astype(np.float32) / np.float32(127.5) - np.float32(1.0)


def to_uint8(images: np.ndarray) -> np.ndarray:
    """Map floats in [-1, 1] to the nearest pixels 0..255; others are clipped.

    Args:
        images: Float, any shape.

    Returns:
        uint8 of the same shape. `to_uint8(from_uint8(x))` is `x`.
    """
    scaled = (np.asarray(images, dtype=np.float32) + 1.0) * 127.5
    return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)


def grid(
    images: np.ndarray, columns: int | None = None, gap: int = 2
) -> np.ndarray:
    """Lay images out row by row, as one picture.

    Args:
        images: Float in [-1, 1], `[n, height, width, channels]`.
        columns: Images a row. Defaults to the square root of n, rounded up.
        gap: Pixels between images, white.

    Returns:
        uint8 `[rows, columns, channels]` in pixels.

    Raises:
        ValueError: If there is no image, or the array is not 4-D.
    """
    images = np.asarray(images)
    if images.ndim != 4 or len(images) == 0:
        raise ValueError(
            "Expected at least one image, [n, height, width, channels]. "
            f"Received: shape={images.shape}. Of one image, pass image[None]."
        )
    n, height, width, channels = images.shape
    columns = columns or int(np.ceil(np.sqrt(n)))
    rows = -(-n // columns)
    sheet = np.full(
        (
            rows * (height + gap) - gap,
            columns * (width + gap) - gap,
            channels,
        ),
        255,
        dtype=np.uint8,
    )
    for i, image in enumerate(to_uint8(images)):
        top = (i // columns) * (height + gap)
        left = (i % columns) * (width + gap)
        sheet[top : top + height, left : left + width] = image
    return sheet


def save_png(path: str | Path, picture: np.ndarray, scale: int = 1) -> Path:
    """Write a picture as PNG, whole or not at all.

    Args:
        path: The file; its folder must exist.
        picture: uint8 `[height, width, channels]`, 1, 3 or 4 channels.
        scale: Whole number by which each pixel is enlarged.

    Returns:
        The path.
    """
    picture = _enlarge(picture, scale)
    with written_aside(path) as file:
        _pillow(picture).save(file, format="PNG")
    return Path(path)


def save_gif(
    path: str | Path,
    pictures: Sequence[np.ndarray],
    seconds: float = 0.1,
    scale: int = 1,
) -> Path:
    """Write pictures as an animated GIF that loops, whole or not at all.

    Args:
        path: The file; its folder must exist.
        pictures: uint8 `[height, width, channels]` each, at least one.
        seconds: How long each is shown; the last stays ten times as long.
        scale: Whole number by which each pixel is enlarged.

    Returns:
        The path.
    """
    if len(pictures) == 0:
        raise ValueError(
            "Expected at least one picture. Received: none. Draw one first."
        )
    frames = [_pillow(_enlarge(picture, scale)) for picture in pictures]
    if frames[0].mode != "L":
        # One palette for all, from pictures of the whole run: colours do not
        # flicker.
        some = pictures[:: -(-len(pictures) // 16)]
        palette = _pillow(np.concatenate(some)).convert("RGB").quantize(256)
        frames = [f.convert("RGB").quantize(palette=palette) for f in frames]
    milliseconds = int(1000 * seconds)
    durations = [milliseconds] * (len(frames) - 1) + [10 * milliseconds]
    with written_aside(path) as file:
        frames[0].save(
            file,
            format="GIF",
            save_all=True,
            append_images=frames[1:],
            duration=durations,
            loop=0,
        )
    return Path(path)


def _enlarge(picture: np.ndarray, scale: int) -> np.ndarray:
    return picture.repeat(scale, axis=0).repeat(scale, axis=1)


def _pillow(picture: np.ndarray) -> Any:
    from PIL import Image  # here, so that importing the package stays quick

    gray = picture.ndim == 3 and picture.shape[-1] == 1
    return Image.fromarray(picture[..., 0] if gray else picture)
