"""Divergences of two sets of samples, `[n]` on a line or `[n, d]`.

Total variation, KL and Jensen-Shannon compare densities, which samples do not
have: they are those of histograms over the same bins, and depend on the bins.
The Wasserstein and the energy distance are of the samples themselves.
"""

from typing import Any

import numpy as np

from keras_gans.arguments import check_counts
from keras_gans.divergences import histograms
from keras_gans.metrics.checks import as_array, checked_together

MOST_BINS = 10_000_000


def total_variation(x: Any, y: Any, bins: int = 32) -> float:
    """That of the histograms of x and y, from 0 to 1.

    Args:
        x, y: Samples `[n]` and `[m]`, or `[n, d]` and `[m, d]`.
        bins: Bins along each axis, from the least to the largest of both.

    Raises:
        ValueError: If they are not finite numbers of one dimension, as in all
            functions here.
    """
    return histograms.total_variation(*binned(x, y, bins))


def kl(x: Any, y: Any, bins: int = 32) -> float:
    """KL of x's histogram from y's, in nats; inf where y misses a bin of x."""
    return histograms.kl(*binned(x, y, bins))


def reverse_kl(x: Any, y: Any, bins: int = 32) -> float:
    """KL of y's histogram from x's, in nats; inf where x misses a bin of y."""
    return histograms.reverse_kl(*binned(x, y, bins))


def jensen_shannon(x: Any, y: Any, bins: int = 32) -> float:
    """That of the histograms of x and y, in nats, from 0 to log 2."""
    return histograms.jensen_shannon(*binned(x, y, bins))


def wasserstein_1(x: Any, y: Any) -> float:
    """The least mean distance over which x is moved onto y; exact.

    On a line by sorting; elsewhere by the assignment of as many points, up to
    3,000, or the linear program of histograms.

    Args:
        x, y: Samples `[n]` and `[m]`, or `[n, d]` and `[m, d]`, the latter of
            some hundreds where n and m differ.

    Raises:
        ValueError: Also if there are too many samples for the linear program.
    """
    from scipy.optimize import linear_sum_assignment
    from scipy.spatial.distance import cdist
    from scipy.stats import wasserstein_distance

    x, y = checked_samples(x, y)
    if x.shape[1] == 1:
        return float(wasserstein_distance(x[:, 0], y[:, 0]))
    if len(x) == len(y) and len(x) <= 3_000:
        costs = cdist(x, y)
        return float(costs[linear_sum_assignment(costs)].mean())
    if len(x) * len(y) > histograms.MOST_PAIRS:
        raise ValueError(
            "Expected as many samples on both sides, 3,000 at most, or at most "
            f"{histograms.MOST_PAIRS:,} pairs of them. Received: {len(x):,} "
            f"and {len(y):,}. Take some of them, or a bound: "
            "`keras_gans.divergences.kantorovich_rubinstein`."
        )
    p = np.repeat([1.0 / len(x), 0.0], [len(x), len(y)])
    q = np.repeat([0.0, 1.0 / len(y)], [len(x), len(y)])
    return histograms.wasserstein_1(p, q, np.concatenate([x, y]))


def energy_distance(x: Any, y: Any) -> float:
    """2 E|X - Y| - E|X - X'| - E|Y - Y'|, a sample's distance to itself too.

    The energy distance of the two empirical laws, from 0 on; like any such, of
    two sets of one law it is above 0, the more so the fewer they are.

    Args:
        x, y: Samples `[n]` and `[m]`, or `[n, d]` and `[m, d]`.
    """
    x, y = checked_samples(x, y)
    unit = max(np.abs(x).max(), np.abs(y).max()) or 1.0
    x, y = x / unit, y / unit  # so that no sum overflows
    distance = (
        2.0 * mean_distance(x, y) - mean_distance(x, x) - mean_distance(y, y)
    )
    return float(unit * max(0.0, distance))


def mean_distance(x: np.ndarray, y: np.ndarray, rows: int = 1024) -> float:
    """The mean of |x_i - y_j| over all pairs, some rows at a time."""
    from scipy.spatial.distance import cdist

    parts = (x[i : i + rows] for i in range(0, len(x), rows))
    return sum(cdist(part, y).sum() for part in parts) / (len(x) * len(y))


def binned(x: Any, y: Any, bins: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """Histograms of x and y over the same bins, flat, each of sum 1.

    Args:
        x, y: Samples `[n]` and `[m]`, or `[n, d]` and `[m, d]`.
        bins: Bins along each axis, from the least to the largest of both.

    Raises:
        ValueError: If they are no samples of one width, or the bins would be
            more than ten million.
    """
    x, y = checked_samples(x, y)
    check_counts(bins=bins)
    if bins ** x.shape[1] > MOST_BINS:
        raise ValueError(
            f"Expected at most {MOST_BINS:,} bins. Received: {bins} along each "
            f"of {x.shape[1]} axes. Use fewer, or `energy_distance`, which "
            "needs none."
        )
    both = np.concatenate([x, y])
    spans = list(zip(both.min(axis=0), both.max(axis=0), strict=True))
    p, q = (np.histogramdd(z, bins, spans)[0].reshape(-1) for z in (x, y))
    return p / p.sum(), q / q.sum()


def checked_samples(x: Any, y: Any) -> list[np.ndarray]:
    """Both as float `[n, d]` with one d, or a `ValueError`."""
    x, y = as_array(x, "x"), as_array(y, "y")
    x, y = (z[:, None] if z.ndim == 1 else z for z in (x, y))
    x, y = checked_together(1, x=x, y=y)
    return [x.astype(np.float64), y.astype(np.float64)]
