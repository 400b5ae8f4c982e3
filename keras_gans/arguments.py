"""Arguments of models, metrics and callbacks, checked alike."""

from typing import Any

import numpy as np


def check_counts(
    least: int = 1, /, *, optional: bool = False, **counts: Any
) -> None:
    """Raise a `ValueError` that names a count that is none.

    Args:
        least: The smallest that is allowed.
        optional: Whether None is allowed, too.
        **counts: Name -> value.
    """
    for name, value in counts.items():
        whole = isinstance(value, (int, np.integer))
        whole = whole and not isinstance(value, bool) and value >= least
        if not whole and not (optional and value is None):
            raise ValueError(
                f"Expected `{name}` as an integer from {least} on. Received: "
                f"{name}={value!r}. Leave it out where it has a default."
            )


def check_widths(widths: Any, least: int = 0) -> tuple[int, ...]:
    """Widths of so many layers at least, or a `ValueError`."""
    if not isinstance(widths, (list, tuple)) or len(widths) < least:
        raise ValueError(
            f"Expected `widths` as a tuple of {least} or more integers, one a "
            f"layer. Received: widths={widths!r}. Leave it out where it has a "
            "default."
        )
    check_counts(**{f"widths[{i}]": width for i, width in enumerate(widths)})
    return tuple(widths)


def check_weights(**weights: Any) -> None:
    """Raise a `ValueError` that names a weight that is not finite, from 0."""
    for name, value in weights.items():
        real = isinstance(value, (int, float, np.number))
        if not real or isinstance(value, bool) or not 0.0 <= value < np.inf:
            raise ValueError(
                f"Expected `{name}` as a finite number from 0 on. Received: "
                f"{name}={value!r}. Leave it out where it has a default."
            )


def check_positive(**values: Any) -> None:
    """Raise a `ValueError` that names a value that is not finite, above 0."""
    for name, value in values.items():
        check_weights(**{name: value})
        if value == 0:
            raise ValueError(
                f"Expected `{name}` as a positive number. Received: "
                f"{name}={value!r}. Leave it out for the paper's."
            )


def check_image_shape(image_shape: Any) -> tuple[int, int, int]:
    """`(height, width, channels)` as integers, or a `ValueError`."""
    shape = tuple(image_shape) if np.iterable(image_shape) else ()
    if len(shape) != 3 or not all(
        isinstance(n, (int, np.integer)) and n > 0 for n in shape
    ):
        raise ValueError(
            "Expected `image_shape` as (height, width, channels), three "
            f"positive integers. Received: image_shape={image_shape}. "
            "Grayscale images are (28, 28, 1)."
        )
    height, width, channels = map(int, shape)
    return height, width, channels


def check_quarters(image_shape: tuple[int, int, int]) -> tuple[int, int]:
    """A quarter of each side, or a `ValueError` where there is none."""
    height, width, channels = image_shape
    if height % 4 or width % 4:
        whole = (-(-height // 4) * 4, -(-width // 4) * 4, channels)
        raise ValueError(
            "Expected `image_shape` with sides divisible by 4 (two stages of "
            f"stride 2). Received: image_shape={tuple(image_shape)}. Pad the "
            f"images to {whole}."
        )
    return height // 4, width // 4
