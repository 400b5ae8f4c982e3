"""Fréchet distance between two sets of features.

Martin Heusel, Hubert Ramsauer, Thomas Unterthiner, Bernhard Nessler, Sepp
Hochreiter, 2017, "GANs Trained by a Two Time-Scale Update Rule Converge to a
Local Nash Equilibrium", arXiv:1706.08500, eq. 6. Over the features of the
Inception network of 2015-12-05 it is the FID; over others it is not.

    d^2 = |m1 - m2|^2 + Tr(C1 + C2 - 2 (C1 C2)^(1/2))

With any factors C = A A^T, Tr (C1 C2)^(1/2) is the sum of the singular values
of A1^T A2: no square root of a matrix, no epsilon on its diagonal, and right
where a covariance is singular.
"""

from typing import Any

import numpy as np

from keras_gans.metrics.checks import checked, checked_together

TOLERANCE = 1e-4  # of a covariance's symmetry and positivity: float32 passes
ROWS = 4096  # of features that are centred at a time, in float64


class Moments:
    """Mean and covariance of features that come in batches, in float64.

    Chan, Golub, LeVeque 1983: each batch is centred on its own mean and
    merged, so a large mean costs no digits.

    ```python
    rng = np.random.default_rng(0)
    moments, other = Moments(), Moments()
    for _ in range(3):
        moments.update(rng.normal(size=(1000, 8)))
        other.update(rng.normal(1.0, 1.0, (1000, 8)))
    frechet_distance(
        moments.mean, moments.covariance, other.mean, other.covariance
    )  # about 8
    ```
    """

    def __init__(self):
        self.n = 0
        self.mean = np.zeros(0)  # [d], known from the first batch on
        self._scatter = np.zeros((0, 0))  # sum of (x - mean)(x - mean)^T

    def update(self, features: Any) -> "Moments":
        """Add features `[n, d]`, one sample or more. Returns itself."""
        features = checked(features, least=1)
        for start in range(0, len(features), ROWS):
            x = features[start : start + ROWS].astype(np.float64)
            mean = x.mean(axis=0)
            x -= mean
            self._merge(len(x), mean, x.T @ x)
        return self

    def merge(self, other: "Moments") -> "Moments":
        """Add what `other` has seen: of another process, say."""
        if other.n:
            self._merge(other.n, other.mean, other._scatter)
        return self

    @property
    def covariance(self) -> np.ndarray:
        """float64 `[d, d]`, over n - 1."""
        if self.n < 2:
            raise ValueError(
                "Expected at least 2 samples for a covariance. Received: "
                f"{self.n}. Update the moments with more features."
            )
        return self._scatter / (self.n - 1)

    def _merge(self, n: int, mean: np.ndarray, scatter: np.ndarray) -> None:
        if self.n == 0:
            self.n, self.mean, self._scatter = n, mean.copy(), scatter.copy()
            return
        if mean.shape != self.mean.shape:
            raise ValueError(
                f"Expected features of width {len(self.mean)}, as before. "
                f"Received: {len(mean)}. Take all from the same extractor."
            )
        total = self.n + n
        step = mean - self.mean
        self._scatter += scatter
        self._scatter += np.outer(step * (self.n * n / total), step)
        self.mean = self.mean + step * (n / total)
        self.n = total


def frechet_distance(
    mean1: np.ndarray, cov1: np.ndarray, mean2: np.ndarray, cov2: np.ndarray
) -> float:
    """Squared Fréchet distance of two normal laws, eq. 6 of Heusel et al.

    ```python
    one = np.eye(2)
    frechet_distance(np.zeros(2), one, np.ones(2), 4.0 * one)  # 2 + 2
    ```

    Args:
        mean1, mean2: `[d]`.
        cov1, cov2: Symmetric, positive semi-definite `[d, d]`; may be singular.

    Returns:
        d^2 >= 0, in squared units of the features; 0 for the same law.

    Raises:
        ValueError: If the shapes differ, or an entry is not a finite real
            number; if a covariance is not symmetric, or not positive
            semi-definite, by more than rounding.
    """
    if any(np.iscomplexobj(x) for x in (mean1, cov1, mean2, cov2)):
        raise ValueError(
            "Expected real means and covariances. Received: complex numbers. "
            "Take the real part of what has no imaginary one."
        )
    mean1, mean2, cov1, cov2 = (
        np.asarray(x, np.float64) for x in (mean1, mean2, cov1, cov2)
    )
    shapes = [x.shape for x in (mean1, cov1, mean2, cov2)]
    d = mean1.size
    if shapes != [(d,), (d, d)] * 2:
        raise ValueError(
            "Expected means [d] and covariances [d, d] of one width. Received: "
            f"{', '.join(map(str, shapes))}. Take both from the same extractor."
        )
    if not all(np.isfinite(x).all() for x in (mean1, cov1, mean2, cov2)):
        raise ValueError(
            "Expected finite means and covariances. Received: NaN or infinity. "
            "Mend the features that they were made of."
        )
    for name, cov in (("cov1", cov1), ("cov2", cov2)):
        off = np.abs(cov - cov.T).max(initial=0.0)
        if off > TOLERANCE * np.abs(cov).max(initial=0.0):
            raise ValueError(
                f"Expected `{name}` symmetric. Received: entries that differ "
                f"from their mirror by up to {off:.3g}. Take covariances of "
                "`np.cov(features, rowvar=False)`."
            )
    step = mean1 - mean2
    cross = _nuclear_norm(_factor(cov1, "cov1").T @ _factor(cov2, "cov2"))
    squared = step @ step + cov1.trace() + cov2.trace() - 2.0 * cross
    return max(float(squared), 0.0)  # rounding may reach below zero


def frechet_distance_of(features1: Any, features2: Any) -> float:
    """Squared Fréchet distance of two sets of features.

    ```python
    rng = np.random.default_rng(0)
    frechet_distance_of(
        rng.normal(size=(5000, 8)), rng.normal(1.0, 1.0, (5000, 8))
    )  # about 8: a step of 1 along each of 8 axes
    ```

    Args:
        features1, features2: `[n, d]`, at least 2 samples each. The distance
            is biased upwards where n is not much larger than d: compare only
            at equal n.
    """
    features1, features2 = checked_together(
        features1=features1, features2=features2
    )
    one, two = Moments().update(features1), Moments().update(features2)
    return frechet_distance(one.mean, one.covariance, two.mean, two.covariance)


def _factor(covariance: np.ndarray, name: str) -> np.ndarray:
    """A `[d, rank]` with A A^T = C, by Cholesky; with pivots if C is singular.

    Only of a positive semi-definite C is there one.
    """
    from scipy.linalg import lapack  # slow to import

    # Of the correlations, so that each feature's own scale sets its rank.
    scale = np.sqrt(np.maximum(covariance.diagonal(), 0.0))
    unit = np.where(scale > 0.0, scale, 1.0)
    correlation = covariance / np.outer(unit, unit)
    try:
        return np.linalg.cholesky(correlation) * scale[:, None]
    except np.linalg.LinAlgError:
        pass  # not of full rank, or worse
    triangle, pivots, rank, _ = lapack.dpstrf(correlation, lower=1)
    factor = np.empty((len(covariance), rank))
    factor[pivots - 1] = np.tril(triangle)[:, :rank]
    if rank < len(covariance):  # of full rank, all pivots were positive
        correlation -= factor @ factor.T
        if (off := np.abs(correlation).max()) > TOLERANCE:
            raise ValueError(
                f"Expected `{name}` positive semi-definite. Received: a matrix "
                f"off by {off:.3g}, as correlations, from the nearest that "
                "Cholesky finds. Take covariances of "
                "`np.cov(features, rowvar=False)`."
            )
    return factor * scale[:, None]


def _nuclear_norm(m: np.ndarray) -> float:
    """Sum of singular values of `m`, `[r, s]`: Tr U^T M, M = U H polar.

    Newton's iteration for the orthogonal factor U (Higham 1986), and Schulz's
    form of it, which needs no inverse, once U is near: at 2,048 features a
    fifth of the time of an SVD. What is too near to singular for an inverse
    gets the SVD.
    """
    if m.size == 0:
        return 0.0
    if m.shape[0] != m.shape[1]:  # square, of the same singular values
        m = np.linalg.qr(m if m.shape[0] > m.shape[1] else m.T, mode="r")
    u, step = m, np.inf
    while step > 0.1:
        try:
            inverse = np.linalg.inv(u).T
        except np.linalg.LinAlgError:
            return float(np.linalg.svd(m, compute_uv=False).sum())
        size, inverse_size = np.linalg.norm(u), np.linalg.norm(inverse)
        if not size * inverse_size < 1e13:
            return float(np.linalg.svd(m, compute_uv=False).sum())
        scale = np.sqrt(inverse_size / size)
        following = (scale * u + inverse / scale) / 2.0
        step = np.linalg.norm(following - u) / np.linalg.norm(following)
        u = following
    # All singular values are near 1.
    while step > 1e-7:  # squares at each turn: the next would be rounding
        following = 1.5 * u - 0.5 * (u @ (u.T @ u))
        step = np.linalg.norm(following - u) / np.linalg.norm(following)
        u = following
    return float(np.vdot(u, m))
