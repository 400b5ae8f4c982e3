"""Divergences of two normal laws, in closed form.

A law is `(mean, deviation)`, two numbers; for `kl` and `reverse_kl` also
`(mean, covariance)`, `[d]` and `[d, d]`.
"""

from typing import Any

import numpy as np

from keras_gans.metrics.checks import as_array, check_number


def total_variation(p: tuple, q: tuple) -> float:
    """max_A |P(A) - Q(A)|: the set A is where p has the larger density.

    The logarithm of p / q is a parabola, so A is an interval or what lies
    outside of one; its ends are where the densities cross.

    Args:
        p, q: `(mean, deviation)` each.

    Raises:
        ValueError: If a law is no such pair, as in all functions here.
    """
    from scipy.special import ndtr

    (a, s), (b, t) = checked_law(p, "p"), checked_law(q, "q")
    if s == t:
        return float(1.0 - 2.0 * ndtr(-abs(a - b) / (2.0 * s)))
    if s > t:
        (a, s), (b, t) = (b, t), (a, s)
    # In units of s around a, with u = s / t < 1 and w = (b - a) / t:
    # (u x - w)^2 - 2 log u = x^2, a quadratic of which no part overflows.
    u, w, log_u = s / t, (b - a) / t, np.log(s) - np.log(t)
    square = -np.expm1(2.0 * log_u)  # 1 - u^2
    root = np.hypot(w, np.sqrt(-2.0 * square * log_u))
    sum_ = -(u * w + np.copysign(root, w))
    ends = np.sort([sum_ / square, 2.0 * log_u / sum_ - w * (w / sum_)])
    of_p = np.diff(ndtr(ends))
    of_q = np.diff(ndtr(u * ends - w))
    return float(np.abs(of_p - of_q)[0])


def kl(p: tuple, q: tuple) -> float:
    """KL(p || q), in nats.

    Half of log |T| / |S| - d + tr T^-1 S + (n - m)' T^-1 (n - m), with means m
    and n, covariances S and T of p and q.

    Args:
        p, q: `(mean, deviation)`, or `(mean, covariance)`, each.
    """
    from scipy.linalg import solve_triangular

    (a, s), (b, t) = checked_many(p, "p"), checked_many(q, "q")
    if len(a) != len(b):
        raise ValueError(
            "Expected `p` and `q` of one dimension. Received: "
            f"{len(a)} and {len(b)}. Take the marginal of the wider one."
        )
    # With Cholesky factors: no determinant overflows.
    whitened = solve_triangular(t, s, lower=True)
    shift = solve_triangular(t, b - a, lower=True)
    logs = np.log(np.diag(t)).sum() - np.log(np.diag(s)).sum()
    squares = np.square(whitened).sum() + np.square(shift).sum()
    return max(0.0, float(logs + 0.5 * (squares - len(a))))


def reverse_kl(p: tuple, q: tuple) -> float:
    """KL(q || p), in nats."""
    checked_many(p, "p"), checked_many(q, "q")  # by their own names
    return kl(q, p)


def jensen_shannon(p: tuple, q: tuple) -> float:
    """(KL(p || m) + KL(q || m)) / 2, in nats, m being their even mixture.

    It has no closed form: the integrals are sums over some 4,001 points.

    Args:
        p, q: `(mean, deviation)` each.
    """
    (a, s), (b, t) = checked_law(p, "p"), checked_law(q, "q")
    unit = max(s, t)
    apart = 2.0 * ((b / 2.0 - a / 2.0) / unit)
    # What they share is less than a float's last digit.
    if min(s, t) < 1e-25 * unit or abs(apart) > 80.0:
        return float(np.log(2.0))
    laws = (0.0, s / unit), (apart, t / unit)

    def log_density(x, law):
        mean, deviation = law
        z = (x - mean) / deviation
        return -0.5 * z * z - np.log(deviation * np.sqrt(2.0 * np.pi))

    even = np.linspace(-12.0, 12.0, 4001)
    total = 0.0
    for one, other in (laws, laws[::-1]):
        z = even
        if other[1] < 0.1 * one[1]:  # narrow: it lies between the points
            there = (other[0] + other[1] * even - one[0]) / one[1]
            z = np.union1d(even, np.clip(there, -12.0, 12.0))
        x = one[0] + one[1] * z
        # log of p / m is log 2 - log(1 + q / p).
        ratio = log_density(x, other) - log_density(x, one)
        y = np.exp(-0.5 * z * z) * (np.log(2.0) - np.logaddexp(0.0, ratio))
        total += np.sum(np.diff(z) * (y[1:] + y[:-1])) / 2.0
    total /= np.sqrt(2.0 * np.pi)
    return float(np.clip(total / 2.0, 0.0, np.log(2.0)))


def wasserstein_1(p: tuple, q: tuple) -> float:
    """E|X - Y| where both are at the same quantile: a folded normal's mean.

    Args:
        p, q: `(mean, deviation)` each.
    """
    (a, s), (b, t) = checked_law(p, "p"), checked_law(q, "q")
    return mean_of_folded(a - b, abs(s - t))


def energy_distance(p: tuple, q: tuple) -> float:
    """2 E|X - Y| - E|X - X'| - E|Y - Y'|: differences are normal, too.

    Args:
        p, q: `(mean, deviation)` each.
    """
    (a, s), (b, t) = checked_law(p, "p"), checked_law(q, "q")
    unit = max(abs(a), abs(b), s, t)  # so that no sum overflows
    a, b, s, t = a / unit, b / unit, s / unit, t / unit
    across = mean_of_folded(a - b, np.hypot(s, t))
    within = (s + t) * 2.0 / np.sqrt(np.pi)
    return unit * max(0.0, 2.0 * across - within)


def mean_of_folded(mean: float, deviation: float) -> float:
    """E|X| of X ~ N(mean, deviation^2); a deviation of 0 is allowed."""
    from scipy.special import ndtr

    if deviation == 0.0:
        return float(abs(mean))
    z = mean / deviation
    density = np.exp(-0.5 * z * z) * np.sqrt(2.0 / np.pi)
    return float(deviation * density + mean * (1.0 - 2.0 * ndtr(-z)))


# === Checks ===


def checked_law(law: Any, name: str) -> tuple[float, float]:
    """`(mean, deviation)`, or a `ValueError`."""
    if not isinstance(law, (tuple, list)) or len(law) != 2:
        raise ValueError(
            f"Expected `{name}` as (mean, deviation). Received: {name}={law!r}."
            " The standard normal law is (0.0, 1.0)."
        )
    check_number(f"{name}[0], the mean", law[0], positive=False)
    check_number(f"{name}[1], the deviation", law[1])
    return float(law[0]), float(law[1])


def checked_many(law: Any, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Mean `[d]` and lower Cholesky factor `[d, d]`, or a `ValueError`."""
    plain = isinstance(law, (tuple, list)) and len(law) == 2
    if plain and np.ndim(law[0]) == 0 and np.ndim(law[1]) == 0:
        mean, deviation = checked_law(law, name)
        return np.array([mean]), np.array([[deviation]])
    mean, covariance = (
        (as_array(part, name) for part in law) if plain else (np.zeros(0),) * 2
    )
    d = len(mean) if mean.ndim == 1 else 0
    real = all(x.dtype.kind in "fiu" for x in (mean, covariance))
    real = real and np.isfinite(mean).all() and np.isfinite(covariance).all()
    if d and covariance.shape == (d, d) and real:
        try:
            if np.allclose(covariance, covariance.T, atol=0.0):
                return mean, np.linalg.cholesky(covariance)
        except np.linalg.LinAlgError:
            pass  # not positive definite
    raise ValueError(
        f"Expected `{name}` as finite (mean [d], covariance [d, d]), symmetric "
        f"and positive definite. Received: shapes {mean.shape} and "
        f"{covariance.shape}, of {covariance.dtype}. Of samples it is "
        "`np.cov(x, rowvar=False)`."
    )
