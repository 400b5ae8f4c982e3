"""Kernel distance between two sets of features.

Mikolaj Binkowski, Danica J. Sutherland, Michael Arbel, Arthur Gretton, 2018,
"Demystifying MMD GANs", arXiv:1801.01401, section 4 and eq. 4: the unbiased
estimate of the squared maximum mean discrepancy under the polynomial kernel
k(x, y) = (x.y / d + 1)^3, over random subsets. Over the features of the
Inception network of 2015-12-05 it is the KID.
"""

from typing import Any

import numpy as np

from keras_gans.arguments import check_counts
from keras_gans.metrics.checks import (
    check_number,
    check_seed,
    checked_together,
)


def kernel_distance(
    real: Any,
    fake: Any,
    subset_size: int = 1000,
    subsets: int = 100,
    degree: int = 3,
    gamma: float | None = None,
    coef0: float = 1.0,
    seed: int = 0,
) -> tuple[float, float]:
    """Unbiased MMD^2 and its standard error; 0 in expectation for one law.

    ```python
    rng = np.random.default_rng(0)
    kernel_distance(rng.normal(size=(2000, 8)), rng.normal(size=(2000, 8)))
    ```

    Args:
        real, fake: `[n, d]` and `[m, d]`. Kernels are formed in their
            precision, float32 or float64, and summed in float64.
        subset_size: Samples of each kind in a subset, at most n and m.
        subsets: How many are drawn, at least 2. Each is drawn without
            repetition; two may share samples.
        degree, gamma, coef0: Of k(x, y) = (gamma x.y + coef0)^degree; gamma is
            1 / d if None.
        seed: Of the subsets; `torch-fidelity` draws the same ones from it.

    Returns:
        `(mean, standard_error)`. The mean may fall below 0: clipped, it would
        be biased. Subsets that share samples are not independent: with s their
        standard deviation and n the smaller of both sets, the standard error
        is s sqrt(subset_size / (n - subset_size) + 1 / subsets), nan where a
        subset is the whole set. `torch-fidelity` reports s.

    Raises:
        ValueError: On bad features, a subset larger than a set, or another
            argument out of its range.
    """
    real, fake = checked_together(real=real, fake=fake)
    check_counts(2, subset_size=subset_size)
    check_counts(2, subsets=subsets)
    check_counts(degree=degree)
    check_number("coef0", coef0, positive=False)
    check_seed(seed)
    if gamma is not None:
        check_number("gamma", gamma)
    n = min(len(real), len(fake))
    if not 2 <= subset_size <= n:
        raise ValueError(
            f"Expected `subset_size` from 2 to {n}, the smaller set. Received: "
            f"subset_size={subset_size}. Draw more samples, or pass "
            f"subset_size={min(n, 1000)}."
        )
    gamma = 1.0 / real.shape[1] if gamma is None else gamma
    # The legacy generator: torch-fidelity's subsets at the same seed.
    generator = np.random.RandomState(seed)
    estimates = np.empty(subsets)
    for i in range(subsets):
        x = real[generator.choice(len(real), subset_size, replace=False)]
        y = fake[generator.choice(len(fake), subset_size, replace=False)]
        with np.errstate(over="ignore", invalid="ignore"):  # refused below
            estimates[i] = _mmd2(x, y, degree, gamma, coef0)
    if not np.isfinite(estimates).all():
        raise ValueError(
            "Expected features whose kernel is a finite number. Received: "
            f"values up to {max(np.abs(real).max(), np.abs(fake).max()):.3g}, "
            f"{real.dtype}. Standardise them, or lower `degree` or `gamma`."
        )
    if subset_size == n:
        return float(estimates.mean()), float("nan")
    # Of the whole sets' estimate, seen through draws without repetition from
    # n; and of the draw of the subsets.
    share = subset_size / (n - subset_size) + 1.0 / subsets
    return float(estimates.mean()), float(
        estimates.std(ddof=1) * np.sqrt(share)
    )


def _mmd2(
    x: np.ndarray, y: np.ndarray, degree: int, gamma: float, coef0: float
) -> float:
    """Eq. 4: a pair of a sample with itself is left out. x, y: `[m, d]`."""
    m = len(x)

    def kernel(dot: np.ndarray) -> np.ndarray:
        dot *= gamma
        dot += coef0
        power = dot.copy()
        for _ in range(degree - 1):  # many times faster than `**`
            power *= dot
        return power

    def others(z: np.ndarray) -> float:
        k = kernel(z @ z.T)
        return k.sum(dtype=np.float64) - k.trace(dtype=np.float64)

    between = kernel(x @ y.T).sum(dtype=np.float64)
    return (others(x) + others(y)) / (m * (m - 1)) - 2.0 * between / m**2
