"""Toy distributions: in the plane and on a line, with their true densities.

Each has `sample(n, seed)` and `density(points)`. Those in the plane fit into
the square [-1, 1]^2 and can be trained on as images of one pixel of two
channels:

```python
ring = keras_gans.datasets.toy.ring()
gan = keras_gans.WGANGP(image_shape=(1, 1, 2), network="toy", latent_dim=2)
gan.fit(ring.images(100_000), batch_size=256)
points = points_of(gan.generate(1000, seed=0))  # [1000, 2]
```
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from keras_gans.arguments import check_counts, check_positive
from keras_gans.metrics.checks import as_array, check_seed


class Toy:
    """Abstract base: `draw` and `density`, and what follows from them."""

    dimension: int

    def draw(self, n: int, generator: np.random.Generator) -> np.ndarray:
        """n points `[n, dimension]`."""
        raise NotImplementedError

    def density(self, points: Any) -> np.ndarray:
        """The true density at points `[n, dimension]`, `[n]` on a line: `[n]`.

        Per unit of length, or of area.
        """
        raise NotImplementedError

    def sample(self, n: int, seed: int = 0) -> np.ndarray:
        """Draw points, float32 `[n, dimension]`, `[n]` on a line.

        Args:
            n: How many.
            seed: The same points on every machine.
        """
        check_counts(n=n)
        check_seed(seed)
        points = self.draw(n, np.random.default_rng(seed)).astype(np.float32)
        return points[:, 0] if self.dimension == 1 else points

    def images(self, n: int, seed: int = 0) -> np.ndarray:
        """Draw points as models take them, float32 `[n, 1, 1, dimension]`."""
        return images_of(self.sample(n, seed))

    def checked(self, points: Any) -> np.ndarray:
        """Points as float64 `[n, dimension]`, or a `ValueError`."""
        x = as_array(points, "points")
        if self.dimension == 1 and x.ndim == 1:
            x = x[:, None]
        shaped = x.ndim == 2 and x.shape[1] == self.dimension
        if not shaped or x.dtype.kind not in "fiu" or not np.isfinite(x).all():
            raise ValueError(
                f"Expected finite `points` [n, {self.dimension}]. Received: "
                f"{x.dtype} of shape={x.shape}. Images become points with "
                "`keras_gans.datasets.toy.points_of(images)`."
            )
        return x.astype(np.float64)


@dataclasses.dataclass(frozen=True, eq=False)
class Mixture(Toy):
    """Round Gaussians, one of which each point is drawn from.

    Args:
        centres: Their means, `[components, dimension]`.
        deviations: Of each, along every axis, `[components]`.
        weights: How often each is drawn, `[components]`, of sum 1.

    Example:

    ```python
    law = Mixture(np.zeros((1, 2)), np.ones(1), np.ones(1))
    law.density([[0.0, 0.0]])  # [0.159]: 1 / (2 pi)
    ```
    """

    centres: np.ndarray
    deviations: np.ndarray
    weights: np.ndarray

    @property
    def dimension(self) -> int:
        return self.centres.shape[1]

    @property
    def deviation(self) -> float:
        """The one deviation of all components, for `metrics.mode_coverage`."""
        if np.ptp(self.deviations) > 0:
            raise ValueError(
                "Expected components of one deviation. Received: "
                f"deviations={self.deviations}. Take them one by one."
            )
        return float(self.deviations[0])

    def classes(self, n: int, seed: int = 0) -> np.ndarray:
        """Which Gaussian each point of `sample(n, seed)` is of, int32 `[n]`.

        Labels for models that are told a class.
        """
        check_counts(n=n)
        check_seed(seed)
        return self.choose(n, np.random.default_rng(seed)).astype(np.int32)

    def choose(self, n: int, generator: np.random.Generator) -> np.ndarray:
        return generator.choice(len(self.centres), n, p=self.weights)

    def draw(self, n: int, generator: np.random.Generator) -> np.ndarray:
        chosen = self.choose(n, generator)
        noise = generator.standard_normal((n, self.dimension))
        return self.centres[chosen] + self.deviations[chosen, None] * noise

    def density(self, points: Any) -> np.ndarray:
        x = self.checked(points)
        total = np.zeros(len(x))
        for centre, deviation, weight in zip(
            self.centres, self.deviations, self.weights, strict=True
        ):
            total += weight * bell(x - centre, deviation)
        return total


@dataclasses.dataclass(frozen=True, eq=False)
class NoisyCurve(Toy):
    """Points of a curve in the plane, moved by round Gaussian noise.

    Args:
        curve: From t in [0, 1], `[n]`, which is drawn uniformly, to `[n, 2]`.
        deviation: Of the noise, along each axis.

    Example:

    ```python
    law = NoisyCurve(lambda t: np.stack([t, 0.0 * t], axis=1), 0.1)
    law.sample(1000, seed=0)  # along the first axis, from 0 to 1
    ```
    """

    curve: Callable[[np.ndarray], np.ndarray]
    deviation: float
    dimension = 2

    def draw(self, n: int, generator: np.random.Generator) -> np.ndarray:
        on_curve = self.curve(generator.random(n))
        return on_curve + self.deviation * generator.standard_normal((n, 2))

    def density(self, points: Any) -> np.ndarray:
        """The mean over t of the noise's density.

        Of t's so many that neighbours on the curve are nearer than half of a
        deviation.
        """
        x = self.checked(points)
        line = self.curve(np.linspace(0.0, 1.0, 1001))
        steps = np.linalg.norm(np.diff(line, axis=0), axis=1)
        # But for a curve of pieces: between them is one long step.
        fastest = 1000.0 * np.quantile(steps, 0.998)
        n = int(np.ceil(2.0 * fastest / self.deviation))
        total = np.zeros(len(x))
        for place in self.curve((np.arange(n) + 0.5) / n):
            total += bell(x - place, self.deviation) / n
        return total


def bell(x: np.ndarray, deviation: float) -> np.ndarray:
    """The density of a round Gaussian at its centre plus x `[n, d]`: `[n]`."""
    squares = np.square(x / deviation).sum(axis=1)
    scale = (deviation * np.sqrt(2.0 * np.pi)) ** x.shape[1]
    return np.exp(-0.5 * squares) / scale


# === The distributions ===


def mixture_1d(
    means: Any = (-2.0, 2.0),
    deviations: Any = (0.5, 0.5),
    weights: Any = None,
) -> Mixture:
    """Gaussians on a line.

    Args:
        means: Of each, `[components]`.
        deviations: Of each, `[components]`.
        weights: How often each is drawn, of sum 1. Defaults to equal ones.

    Raises:
        ValueError: If they are not as many, a deviation is not positive, or the
            weights are no probabilities.

    Example:

    ```python
    two = mixture_1d((-2.0, 2.0), (0.5, 0.5), (0.3, 0.7))
    two.density([-2.0, 0.0, 2.0])
    ```
    """
    means, deviations = np.atleast_1d(means), np.atleast_1d(deviations)
    n = len(means)
    weights = np.ones(n) / max(n, 1) if weights is None else np.array(weights)
    given = (means, deviations, weights)
    if (
        not means.shape == deviations.shape == weights.shape == (n,)
        or n == 0
        or any(x.dtype.kind not in "fiu" for x in given)
        or not np.isfinite([means, deviations, weights]).all()
        or min(deviations) <= 0
        or min(weights) < 0
        or abs(sum(weights) - 1) > 1e-6
    ):
        raise ValueError(
            "Expected as many `means`, positive `deviations` and `weights` of "
            f"sum 1. Received: means={means}, deviations={deviations}, "
            f"weights={weights}. Leave the weights out for equal ones."
        )
    return Mixture(
        means[:, None].astype(float), deviations, weights / weights.sum()
    )


def ring(
    modes: int = 8, radius: float = 0.8, deviation: float = 0.008
) -> Mixture:
    """Gaussians on a circle; by default 8, with the proportions of the papers.

    Metz et al. 2017 (arXiv:1611.02163), Gulrajani et al. 2017
    (`gan_toy.py`): radius 2 and deviation 0.02.

    Example:

    ```python
    law = ring()
    points, modes = law.sample(1000, seed=0), law.classes(1000, seed=0)
    ```
    """
    check_counts(modes=modes)
    check_positive(radius=radius, deviation=deviation)
    angle = 2.0 * np.pi * np.arange(modes) / modes
    centres = radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return even_mixture(centres, deviation)


def grid(
    side: int = 5, spacing: float = 0.4, deviation: float = 0.01
) -> Mixture:
    """Gaussians on a square grid; 5x5 in the proportions of the papers.

    Dumoulin et al. 2017 (arXiv:1606.00704), Gulrajani et al. 2017
    (`gan_toy.py`): spacing 2 and deviation 0.05.

    Example:

    ```python
    grid(side=3).centres  # [9, 2]: (-0.4, -0.4), (0, -0.4), (0.4, -0.4), ...
    ```
    """
    check_counts(side=side)
    check_positive(spacing=spacing, deviation=deviation)
    line = spacing * (np.arange(side) - (side - 1) / 2.0)
    centres = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
    return even_mixture(centres, deviation)


def even_mixture(centres: np.ndarray, deviation: float) -> Mixture:
    n = len(centres)
    return Mixture(centres, np.full(n, deviation), np.full(n, 1.0 / n))


def swiss_roll(deviation: float = 0.015) -> NoisyCurve:
    """A spiral of one and a half turns, (t cos t, t sin t), seen from above.

    t is uniform from 3/2 pi to 9/2 pi, as in scikit-learn's; a sixteenth of
    its size.

    Args:
        deviation: Of the noise, along each axis.

    Example:

    ```python
    points = swiss_roll().sample(1000, seed=0)  # float32 [1000, 2]
    ```
    """
    check_positive(deviation=deviation)

    def curve(u: np.ndarray) -> np.ndarray:
        t = 1.5 * np.pi * (1.0 + 2.0 * u)
        return t[:, None] / 16.0 * np.stack([np.cos(t), np.sin(t)], axis=1)

    return NoisyCurve(curve, deviation)


def two_moons(deviation: float = 0.03) -> NoisyCurve:
    """Two half circles, each around an end of the other; as in scikit-learn's.

    Args:
        deviation: Of the noise, along each axis.

    Example:

    ```python
    points = two_moons().sample(1000, seed=0)  # float32 [1000, 2]
    ```
    """
    check_positive(deviation=deviation)

    def curve(u: np.ndarray) -> np.ndarray:
        upper = u < 0.5
        angle = np.pi * (2.0 * u - ~upper)  # 0 to pi on either moon
        x = np.where(upper, np.cos(angle), 1.0 - np.cos(angle))
        y = np.where(upper, np.sin(angle), 0.5 - np.sin(angle))
        return 0.55 * np.stack([x - 0.5, y - 0.25], axis=1)

    return NoisyCurve(curve, deviation)


# By name, for programs: those in the plane.
IN_THE_PLANE: dict[str, Callable[[], Toy]] = {
    "ring": ring,
    "grid": grid,
    "swiss_roll": swiss_roll,
    "two_moons": two_moons,
}


# === Points and images ===


def images_of(points: Any) -> np.ndarray:
    """Points `[n, d]`, `[n]` on a line, as images: float32 `[n, 1, 1, d]`.

    ```python
    images_of([[0.5, -0.5]])  # [[[[0.5, -0.5]]]]
    ```
    """
    points = np.asarray(points, np.float32)
    return points.reshape(len(points), 1, 1, -1)


def points_of(images: Any) -> np.ndarray:
    """Images `[n, 1, 1, d]` as points: `[n, d]`.

    ```python
    points_of(images_of([[0.5, -0.5]]))  # [[0.5, -0.5]]
    ```
    """
    images = np.asarray(images)
    return images.reshape(len(images), -1)
