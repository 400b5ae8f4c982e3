"""A lower bound of the Wasserstein distance, by a critic that is trained.

Kantorovich and Rubinstein: W1(P, Q) = max E_P[f] - E_Q[f] over all f whose
slopes are at most 1. A network is trained to be such an f by a penalty on
slopes above 1, which some will have all the same. So its scores are divided by
the steepest slope between any two samples, and the difference of their means is
a bound, not an estimate: a function that is 1-Lipschitz on some points can be
continued so everywhere (McShane 1934).
"""

import dataclasses
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_gans.arguments import check_counts, check_positive
from keras_gans.backend import SeedGenerator, gradient, minimize, portable
from keras_gans.divergences.samples import checked_samples
from keras_gans.losses import wasserstein_estimate
from keras_gans.metrics.checks import check_seed


@dataclasses.dataclass(frozen=True)
class Bound:
    """What a trained critic says of the Wasserstein-1 distance of samples.

    Args:
        value: The bound: at most the distance, in the samples' unit.
        slope: The steepest slope of the critic between two samples, by which
            its scores were divided.
        scores_x, scores_y: Of the samples, divided so: `[n]` and `[m]`.
    """

    value: float
    slope: float
    scores_x: np.ndarray
    scores_y: np.ndarray


def kantorovich_rubinstein(
    x: Any,
    y: Any,
    steps: int = 500,
    width: int = 64,
    batch_size: int = 256,
    gp_weight: float = 10.0,
    learning_rate: float = 1e-3,
    seed: int = 0,
) -> Bound:
    """Bound the Wasserstein-1 distance of samples from below.

    Args:
        x, y: Samples `[n]` and `[m]`, or `[n, d]` and `[m, d]`.
        steps: Of the critic's Adam.
        width: Units of each of its three hidden layers.
        batch_size: Samples of each that a step sees.
        gp_weight: lambda of the gradient penalty.
        learning_rate: Of Adam, falling to zero along a cosine.
        seed: Of the critic and its batches.

    Returns:
        A `Bound`; `value` is the number.

    Raises:
        ValueError: If x and y are not finite numbers of one dimension, or an
            argument is not positive.

    Example:

    ```python
    x = np.random.default_rng(0).normal(0.0, 1.0, 1000)
    kantorovich_rubinstein(x, x + 2.0).value  # just under 2
    ```
    """
    x, y = checked_samples(x, y)
    check_counts(steps=steps, width=width, batch_size=batch_size)
    check_positive(gp_weight=gp_weight, learning_rate=learning_rate)
    check_seed(seed)
    # In units of the samples, so that one learning rate suits all.
    both = np.concatenate([x, y])
    middle = both.mean(axis=0)
    unit = (both - middle).std() or 1.0
    a, b = (((z - middle) / unit).astype(np.float32) for z in (x, y))

    generator = np.random.default_rng(seed)
    critic = CriticAlone(x.shape[1], width, gp_weight, seed)
    schedule = keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    critic.compile(keras.optimizers.Adam(schedule, 0.5, 0.9))
    rows = steps * batch_size
    critic.fit(
        a[generator.integers(len(a), size=rows)],
        b[generator.integers(len(b), size=rows)],
        batch_size=batch_size,
        shuffle=False,
        verbose=0,
    )
    f = unit * critic.scores((both - middle) / unit)
    slope = steepest(f, both)
    f = f / slope
    value = f[: len(x)].mean() - f[len(x) :].mean()
    return Bound(max(0.0, float(value)), slope, f[: len(x)], f[len(x) :])


def steepest(scores: np.ndarray, points: np.ndarray, rows: int = 256) -> float:
    """max |f(x) - f(y)| / |x - y| over all pairs of points `[n, d]`.

    1 where the scores are all the same.
    """
    from scipy.spatial.distance import cdist

    slope = 0.0
    for i in range(0, len(points), rows):
        distances = cdist(points[i : i + rows], points)
        rises = np.abs(scores[i : i + rows, None] - scores)
        apart = distances > 0
        if apart.any():
            slope = max(slope, (rises[apart] / distances[apart]).max())
    return float(slope) or 1.0


class CriticAlone(keras.Model):
    """A Wasserstein critic without a generator: f, trained by `fit(x, y)`.

    max E[f(x)] - E[f(y)] - lambda E[max(0, ||grad f(x^)||_2 - 1)^2], eq. 8 of
    Petzka et al. 2018, arXiv:1709.08894. WGAN-GP's penalty is on flat slopes,
    too, and keeps a critic that starts with the wrong sign from turning round.

    Args:
        dimension: Of the points: float32 `[n, dimension]`.
        width: Units of each of three hidden layers.
        gp_weight: lambda.
        seed: Of the weights and of x^.
    """

    def __init__(self, dimension: int, width: int, gp_weight: float, seed: int):
        super().__init__(name="critic")
        self.gp_weight = gp_weight
        self.seed_generator = SeedGenerator(seed)
        points = x = keras.Input((dimension,))
        for i in range(3):
            # Smooth, as the best critic is almost everywhere.
            x = keras.layers.Dense(
                width,
                activation="softplus",
                kernel_initializer=keras.initializers.HeUniform(seed + i),
            )(x)
        last = keras.initializers.GlorotUniform(seed + 3)
        score = keras.layers.Dense(1, kernel_initializer=last)(x)
        self.network = keras.Model(points, score)
        self.built = True

    @portable
    def train_step(self, data: Any) -> dict[str, Any]:
        x, y, _ = keras.utils.unpack_x_y_sample_weight(data)
        e = keras.random.uniform((ops.shape(x)[0], 1), seed=self.seed_generator)
        x_hat = x + e * (y - x)

        def loss_fn():
            distance = wasserstein_estimate(self.network(x), self.network(y))
            slopes = ops.sum(ops.square(gradient(self.network, x_hat)), axis=-1)
            excess = ops.relu(ops.sqrt(slopes + 1e-12) - 1.0)
            return self.gp_weight * ops.mean(ops.square(excess)) - distance

        loss, _ = minimize(
            loss_fn, self.optimizer, self.network.trainable_variables
        )
        return {"loss": loss}

    def scores(self, points: np.ndarray) -> np.ndarray:
        """f of points `[n, dimension]`: `[n]`, in float64.

        Samples may be so near to each other that float32's rounding of their
        scores would be a steep slope.
        """
        x = points.astype(np.float64)
        weights = [w.astype(np.float64) for w in self.network.get_weights()]
        for kernel, bias in zip(weights[0::2], weights[1::2], strict=True):
            x = x @ kernel + bias
            if kernel.shape[1] > 1:
                x = np.logaddexp(0.0, x)  # softplus
        return x[:, 0]
