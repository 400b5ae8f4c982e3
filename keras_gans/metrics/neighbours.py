"""Nearest neighbours, a block of rows at a time.

Memory grows with the samples, never with their square. A block's squared
distances come from one matrix product in float32,

    |x - y|^2 = |x|^2 + |y|^2 - 2 x.y,

whose error is bounded. Whatever lies within the bound of a decision is measured
again, as sum (x - y)^2 in float64: counts are those of float64, ties included,
at float32's speed. Where too much lies within it (copies, tight clusters far
apart), the block is taken again in float64.
"""

from collections.abc import Iterator

import numpy as np

BLOCK_BYTES = 2**26  # of one block of float32 distances
RECHECKED = 64  # pairs a row that are measured again, on average, at most


def kth_distance(
    x: np.ndarray, k: int, references: np.ndarray | None = None
) -> np.ndarray:
    """Distance of each sample to its k-th nearest reference.

    Args:
        x: `[n, d]`, finite.
        k: From 1.
        references: `[m, d]`; None for `x` itself, of which each sample is then
            compared with all others.

    Returns:
        Euclidean distances, float64 `[n]`.

    Raises:
        ValueError: If there are not `k` to compare with.
    """
    alone = references is None
    references = x if alone else references
    most = len(references) - alone
    if not 1 <= k <= most:
        raise ValueError(
            f"Expected `k` from 1 to {most}, the neighbours there are. "
            f"Received: k={k}. Draw more samples, or lower k."
        )
    distances = np.empty(len(x))
    for block in blocks(x, references):
        distances[block.rows] = block.kth(k, alone)
    return distances


def blocks(x: np.ndarray, y: np.ndarray) -> Iterator["Block"]:
    """Distances from x to all of y, for a block of rows of x at a time."""
    pair = _Pair(x, y)
    rows = max(1, BLOCK_BYTES // (4 * len(y)))
    for start in range(0, len(x), rows):
        yield Block(pair, slice(start, min(start + rows, len(x))))


class Block:
    """Distances of `rows` of x to all of y."""

    def __init__(self, pair: "_Pair", rows: slice):
        self.pair = pair
        self.rows = rows
        self.n = rows.stop - rows.start
        self._measure(np.float32)

    def within(self, radii: np.ndarray, closed: bool) -> np.ndarray:
        """Whether each distance is below its radius, bool `[rows, m]`.

        Args:
            radii: `[rows, 1]` around x, or `[1, m]` around y.
            closed: Whether a distance equal to the radius counts.
        """
        below = np.less_equal if closed else np.less
        squares = ((radii / self.pair.scale) ** 2).astype(self.dtype)
        gap = self.squares - squares
        inside = below(gap, 0.0)
        near = np.abs(gap, out=gap) <= self.error
        if self._too_many(near):
            if self.dtype == np.float64:
                return inside
            self._measure(np.float64)
            return self.within(radii, closed)
        i, j = np.nonzero(near)
        at = np.broadcast_to(radii, near.shape)[i, j]
        inside[i, j] = below(self._distance(i, j), at)
        return inside

    def kth(self, k: int, alone: bool) -> np.ndarray:
        """k-th smallest distance of each row, float64 `[rows]`.

        Args:
            k: From 1.
            alone: Whether x is y, so that each row leaves itself out.
        """
        if alone:
            own = np.arange(self.n)
            self.squares[own, own + self.rows.start] = np.inf
        kth = np.partition(self.squares, k - 1, axis=1)[:, k - 1 : k]
        near = self.squares <= kth + 2 * self.error
        if self._too_many(near, k):
            if self.dtype == np.float64:
                return self.pair.scale * np.sqrt(np.maximum(kth[:, 0], 0.0))
            self._measure(np.float64)
            return self.kth(k, alone)
        i, j = np.nonzero(near)
        distance = self._distance(i, j)
        distance = distance[np.lexsort((distance, i))]  # ascending in each row
        return distance[np.searchsorted(i, np.arange(self.n)) + k - 1]

    def _measure(self, dtype: type) -> None:
        """Set squared distances, over scale^2, and the bound of their error."""
        self.dtype = dtype
        x, x2 = self.pair.rows(self.rows, dtype)
        y, y2 = self.pair.columns(dtype)
        self.squares = (-2.0 * x).astype(dtype) @ y.T
        self.squares += x2[:, None].astype(dtype)
        self.squares += y2.astype(dtype)
        # d products rounded one after the other; 16 for the casts and sums.
        unit = (x.shape[1] + 16) * np.finfo(dtype).eps / 2
        self.error = (unit * (x2[:, None] + y2.max())).astype(dtype)

    def _too_many(self, near: np.ndarray, k: int = 0) -> bool:
        return np.count_nonzero(near) > (RECHECKED + 2 * k) * self.n

    def _distance(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        """Distances of the pairs (i, j), from differences in float64."""
        x, y = self.pair.x[self.rows], self.pair.y
        distance = np.empty(len(i))
        step = max(1, BLOCK_BYTES // (32 * x.shape[1]))
        for start in range(0, len(i), step):
            part = slice(start, start + step)
            difference = x[i[part]].astype(np.float64)
            difference -= y[j[part]]
            distance[part] = np.einsum("nd,nd->n", difference, difference)
        return np.sqrt(distance)


class _Pair:
    """x and y, shifted to y's mean and scaled to coordinates within [-1, 1]."""

    def __init__(self, x: np.ndarray, y: np.ndarray):
        self.x, self.y = x, y
        self.centre = y.mean(axis=0, dtype=np.float64)
        self.scale = max(
            np.abs(end(z, axis=0) - self.centre).max()
            for z in (x, y)
            for end in (np.min, np.max)
        )
        self.scale = float(self.scale) or 1.0
        self._columns = {}

    def columns(self, dtype: type) -> tuple[np.ndarray, np.ndarray]:
        """All of y, and its squared norms in float64."""
        if dtype not in self._columns:
            y, y2 = np.empty(self.y.shape, dtype), np.empty(len(self.y))
            for start in range(0, len(y), 4096):  # no float64 copy of all
                part = slice(start, start + 4096)
                y[part], y2[part] = self._ready(self.y[part], dtype)
            self._columns[dtype] = y, y2
        return self._columns[dtype]

    def rows(self, rows: slice, dtype: type) -> tuple[np.ndarray, np.ndarray]:
        """Some of x, and their squared norms in float64."""
        return self._ready(self.x[rows], dtype)

    def _ready(self, z: np.ndarray, dtype: type) -> tuple:
        z = (z - self.centre) / self.scale
        return z.astype(dtype), np.einsum("nd,nd->n", z, z)
