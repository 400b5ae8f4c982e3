"""Divergences of two histograms: probabilities of the same outcomes.

p and q are `[outcomes]`: from 0, of sum 1, and as many in both. `points`, where
a distance between outcomes counts, are the places of them, `[outcomes]` on a
line or `[outcomes, d]`.
"""

from typing import Any

import numpy as np

from keras_gans.metrics.checks import as_array

# How far from 1 a sum may be: float32 histograms of a million outcomes pass.
TOLERANCE = 1e-4
# Above this many pairs of outcomes the linear program takes minutes.
MOST_PAIRS = 250_000


def total_variation(p: Any, q: Any) -> float:
    """max_A |P(A) - Q(A)| over all sets of outcomes: half of sum |p - q|.

    Args:
        p, q: Probabilities `[outcomes]`.

    Raises:
        ValueError: If they are not probabilities of the same outcomes, as in
            all functions here.
    """
    p, q = checked_pair(p, q)
    return float(0.5 * np.abs(p - q).sum())


def kl(p: Any, q: Any) -> float:
    """KL(p || q) = sum p log(p / q), in nats.

    An outcome that p never has adds nothing; one that q alone never has makes
    it infinite.

    Args:
        p, q: Probabilities `[outcomes]`.
    """
    from scipy.special import rel_entr  # 0 log 0 = 0; p log(p / 0) = inf

    p, q = checked_pair(p, q)
    # Of probabilities that differ by rounding the sum may fall below zero.
    return max(0.0, float(rel_entr(p, q).sum()))


def reverse_kl(p: Any, q: Any) -> float:
    """KL(q || p), in nats: infinite where q has what p lacks.

    Args:
        p, q: Probabilities `[outcomes]`.
    """
    p, q = checked_pair(p, q)  # under their own names
    return kl(q, p)


def jensen_shannon(p: Any, q: Any) -> float:
    """(KL(p || m) + KL(q || m)) / 2 with m = (p + q) / 2, in nats.

    0 where p = q, log 2 where they share no outcome. Its square root is a
    metric, and what `scipy.spatial.distance.jensenshannon` gives.

    Args:
        p, q: Probabilities `[outcomes]`.
    """
    from scipy.special import rel_entr

    p, q = checked_pair(p, q)
    # p log(p / m) with both doubled: half of the smallest number is zero.
    both = rel_entr(2.0 * p, p + q) + rel_entr(2.0 * q, p + q)
    return float(np.clip(both.sum() / 4.0, 0.0, np.log(2.0)))


def wasserstein_1(p: Any, q: Any, points: Any = None) -> float:
    """min E|X - Y| over all joint laws of X ~ p and Y ~ q.

    Exact: on a line by the quantile functions, elsewhere by the linear program
    over the plans that move p onto q.

    Args:
        p, q: Probabilities `[outcomes]`.
        points: Where the outcomes are, `[outcomes]` or `[outcomes, d]`.
            Defaults to 0, 1, 2, ... on a line.

    Raises:
        ValueError: Also if there are too many outcomes for the linear program.
    """
    from scipy.stats import wasserstein_distance, wasserstein_distance_nd

    p, q = checked_pair(p, q)
    points = checked_points(points, len(p))
    if points.shape[1] == 1:
        line = points[:, 0]
        return float(wasserstein_distance(line, line, p, q))
    here, there = p > 0, q > 0
    pairs = np.count_nonzero(here) * np.count_nonzero(there)
    if pairs > MOST_PAIRS:
        raise ValueError(
            f"Expected at most {MOST_PAIRS:,} pairs of outcomes for the linear "
            f"program. Received: {pairs:,}. Use coarser bins, or a bound: "
            "`keras_gans.divergences.kantorovich_rubinstein`."
        )
    return float(
        wasserstein_distance_nd(points[here], points[there], p[here], q[there])
    )


def energy_distance(p: Any, q: Any, points: Any = None) -> float:
    """2 E|X - Y| - E|X - X'| - E|Y - Y'|, of X, X' ~ p and Y, Y' ~ q.

    The square of `scipy.stats.energy_distance`, as in the Cramer GAN's paper.

    Args:
        p, q: Probabilities `[outcomes]`.
        points: As in `wasserstein_1`.
    """
    from scipy.spatial.distance import cdist

    p, q = checked_pair(p, q)
    points = checked_points(points, len(p))
    difference = p - q
    if points.shape[1] == 1:  # 2 int (F - G)^2 dx
        order = np.argsort(points[:, 0])
        gaps = np.diff(points[order, 0])
        between = np.cumsum(difference[order])[:-1]
        return float(2.0 * np.square(between) @ gaps)
    # -(p - q)' D (p - q), multiplied out; some rows of D at a time.
    total = 0.0
    for start in range(0, len(p), 256):
        rows = slice(start, start + 256)
        distances = cdist(points[rows], points)
        total -= difference[rows] @ distances @ difference
    return max(0.0, float(total))


# === Checks ===


def checked_histogram(p: Any, name: str) -> np.ndarray:
    """Probabilities as float64 `[outcomes]`, or a `ValueError`."""
    p = as_array(p, name)
    if p.ndim != 1 or len(p) == 0 or p.dtype.kind not in "fiu":
        raise ValueError(
            f"Expected `{name}` as probabilities [outcomes], numbers. "
            f"Received: {p.dtype} of shape={p.shape}. Tables are flattened "
            f"by `{name}.reshape(-1)`."
        )
    p = p.astype(np.float64)
    if not np.isfinite(p).all() or p.min() < 0.0:
        raise ValueError(
            f"Expected `{name}` as finite probabilities from 0 on. Received: "
            f"values from {p.min():g} to {p.max():g}. Pass counts divided by "
            "their sum."
        )
    if abs(p.sum() - 1.0) > TOLERANCE:
        raise ValueError(
            f"Expected `{name}` as probabilities, of sum 1. Received: a sum of "
            f"{p.sum():g}. Divide by it: `{name} / {name}.sum()`."
        )
    return p / p.sum()


def checked_pair(p: Any, q: Any) -> tuple[np.ndarray, np.ndarray]:
    """Two histograms of the same outcomes, or a `ValueError`."""
    p, q = checked_histogram(p, "p"), checked_histogram(q, "q")
    if len(p) != len(q):
        raise ValueError(
            "Expected `p` and `q` on the same outcomes. Received: "
            f"{len(p)} and {len(q)} of them. Give what one lacks probability 0."
        )
    return p, q


def checked_points(points: Any, outcomes: int) -> np.ndarray:
    """Places of the outcomes, float64 `[outcomes, d]`, or a `ValueError`."""
    if points is None:
        points = np.arange(outcomes)
    points = as_array(points, "points")
    if points.ndim == 1:
        points = points[:, None]
    if (
        points.ndim != 2
        or len(points) != outcomes
        or points.dtype.kind not in "fiu"
        or not np.isfinite(points).all()
    ):
        raise ValueError(
            f"Expected finite `points` [{outcomes}] or [{outcomes}, d], a "
            f"place for each outcome. Received: {points.dtype} of "
            f"shape={points.shape}. Leave them out for 0, 1, 2, ..."
        )
    return points.astype(np.float64)
