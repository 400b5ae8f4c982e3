"""What a metric takes, checked before it costs anything."""

from typing import Any

import numpy as np

from keras_gans.files import first_line


def as_array(x: Any, name: str) -> np.ndarray:
    """Return `x` as an array: of nested lists, or of any framework's tensor.

    A torch tensor leaves its gradient and its device behind; bfloat16 becomes
    float32.

    Raises:
        ValueError: If its rows differ in length.
    """
    if hasattr(x, "detach"):
        x = x.detach().cpu()
        x = x.float() if str(x.dtype) == "torch.bfloat16" else x
    try:
        array = np.asarray(x)
    except ValueError as error:
        raise ValueError(
            f"Expected `{name}` as one array. Received: {type(x).__name__}, "
            f"{first_line(error)[:120]}. Give all rows one length."
        ) from None
    if array.dtype.name == "bfloat16":  # NumPy itself has no such type
        return array.astype(np.float32)
    return array


def checked(
    features: Any, name: str = "features", least: int = 2
) -> np.ndarray:
    """Return `features` as a float array `[n, d]`, finite and long enough.

    float32 and float64 stay as they are; other numbers become float64.

    Args:
        features: Array-like `[n, d]`.
        name: What the error calls them.
        least: How many samples the metric needs.

    Raises:
        ValueError: If they are not a matrix, hold NaN or infinity, or are
            fewer than `least`.
    """
    x = as_array(features, name)
    if x.dtype.kind not in "fiub":
        raise ValueError(
            f"Expected `{name}` as numbers [n, d]. Received: an array of "
            f"{x.dtype}. Pass an extractor's features as a NumPy array."
        )
    if x.ndim != 2 or x.shape[1] == 0:
        raise ValueError(
            f"Expected `{name}` as a matrix [n, d]. Received: shape={x.shape}. "
            "Flatten each sample: `x.reshape(len(x), -1)`."
        )
    if len(x) < least:
        raise ValueError(
            f"Expected at least {least} samples in `{name}`. Received: "
            f"{len(x)}. Draw more."
        )
    if x.dtype not in (np.float32, np.float64):
        x = x.astype(np.float64)
    # NaN passes through min and max: two reads, no temporary array.
    if not (np.isfinite(x.min()) and np.isfinite(x.max())):
        bad = np.flatnonzero(~np.isfinite(x).all(axis=1))
        raise ValueError(
            f"Expected finite `{name}`. Received: NaN or infinity in "
            f"{len(bad)} of {len(x)} samples, the first at index {bad[0]}. "
            "Mend the network or the step that made them."
        )
    return x


def checked_together(least: int = 2, **features: Any) -> list[np.ndarray]:
    """Check several arrays of features, which must be equally wide.

    Args:
        least: How many samples each needs.
        **features: Name -> array-like `[n, d]`.

    Raises:
        ValueError: As `checked`, and where the widths differ.
    """
    arrays = [checked(x, name, least) for name, x in features.items()]
    if len({x.shape[1] for x in arrays}) > 1:
        names = " and ".join(f"`{name}`" for name in features)
        widths = ", ".join(
            f"{name} {x.shape}"
            for name, x in zip(features, arrays, strict=True)
        )
        raise ValueError(
            f"Expected {names} of one width. Received: {widths}. Take all from "
            "the same extractor and layer."
        )
    return arrays


def checked_labels(labels: Any, name: str, n: int | None = None) -> np.ndarray:
    """Return `labels` as non-negative integers `[n]`.

    Raises:
        ValueError: If they are something else, or not `n` of them.
    """
    y = as_array(labels, name)
    if y.ndim != 1 or y.dtype.kind not in "iu" or (y.size and y.min() < 0):
        raise ValueError(
            f"Expected `{name}` as integer classes [n], from 0. Received: "
            f"{y.dtype} of shape={y.shape}. Take them from probabilities with "
            "`probabilities.argmax(axis=1)`."
        )
    if len(y) == 0 or (n is not None and len(y) != n):
        expected = "at least one" if n is None else n
        raise ValueError(
            f"Expected {expected} of `{name}`. Received: {len(y)}. Give one "
            "class for each sample."
        )
    return y


def check_number(name: str, value: Any, positive: bool = True) -> None:
    """Raise a `ValueError` unless `value` is finite, and positive if asked."""
    number = isinstance(value, (int, float, np.integer, np.floating))
    if (
        not number
        or isinstance(value, bool)
        or not np.isfinite(value)
        or (positive and value <= 0)
    ):
        kind = "a finite positive" if positive else "a finite"
        raise ValueError(
            f"Expected `{name}` as {kind} number. Received: {name}={value!r}. "
            "Leave it out where it has a default."
        )


def check_seed(seed: Any) -> None:
    """Raise a `ValueError` unless NumPy's generators take the seed."""
    integer = isinstance(seed, (int, np.integer))
    if not integer or isinstance(seed, bool) or not 0 <= seed < 2**32:
        raise ValueError(
            "Expected `seed` as an integer from 0 to 2**32 - 1. Received: "
            f"seed={seed!r}. Any of them will do, as 0."
        )
