"""Mean distance between two samples: what a collapse takes away."""

from typing import Any

import numpy as np

from keras_gans.metrics.checks import checked, checked_together

ROWS = 1024  # of a block of distances


def diversity(fake: Any, real: Any = None) -> float:
    """Mean Euclidean distance of all pairs of samples.

    ```python
    rng = np.random.default_rng(0)
    real = rng.normal(size=(1000, 8))
    diversity(0.5 * real, real)  # 0.5
    ```

    Args:
        fake: `[n, d]`.
        real: `[m, d]`, or None.

    Returns:
        The mean distance, in units of the features; over that of `real` where
        it is given: about 1 for the same law, 0 for one sample repeated.

    Raises:
        ValueError: On bad features, or where the real ones are all alike.
    """
    if real is None:
        return _mean_distance(checked(fake, "fake"))
    fake, real = checked_together(fake=fake, real=real)
    unit = _mean_distance(real)
    if unit == 0.0:
        raise ValueError(
            "Expected `real` samples that differ. Received: one repeated "
            f"{len(real)} times. Take features of a real data set."
        )
    return _mean_distance(fake) / unit


def _mean_distance(x: np.ndarray) -> float:
    x = x - x.mean(axis=0, dtype=np.float64)
    squares = np.einsum("nd,nd->n", x, x)
    # What remains of |x - y|^2 where x = y is rounding.
    floor = 8 * np.finfo(np.float64).eps * squares.max()
    total = 0.0
    for start in range(0, len(x), ROWS):
        rows = slice(start, start + ROWS)
        block = (-2.0 * x[rows]) @ x[start:].T  # the upper half, blockwise
        block += squares[rows, None]
        block += squares[start:]
        block[block < floor] = 0.0
        distance = np.sqrt(block, out=block)
        # The block on the diagonal holds each of its pairs twice.
        own = distance[:, : len(distance)].sum()
        total += own / 2 + distance[:, len(distance) :].sum()
    return float(total / (len(x) * (len(x) - 1) / 2))
