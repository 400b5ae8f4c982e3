"""A discriminator trained to its optimum: D* = p / (p + q).

Goodfellow et al. 2014, proposition 1 and theorem 1: the value of the game is
then V(D*, G) = 2 JS(p, q) - log 4, and -log 4 where p = q. The network is
trained on the densities themselves, as weights of points on a line, so that
nothing of the figure is noise of samples.
"""

from pathlib import Path

import keras
import numpy as np

from keras_gans.datasets import toy
from keras_gans.divergences import histograms
from keras_gans.lab.drawing import BLUE, GREEN, GREY, ORANGE, figure, save

P = toy.mixture_1d((-1.5, 1.5), (0.6, 0.6))
MODELS = {  # what the generator makes
    "q far from p": toy.mixture_1d((2.5,), (0.8,)),
    "q near p": toy.mixture_1d((0.0,), (1.6,)),
    "q = p": P,
}
X = np.linspace(-6.0, 6.0, 121)


def weights_of(law: toy.Mixture) -> np.ndarray:
    """The probability of each of the points X."""
    density = law.density(X)
    return density / density.sum()


def optimum(q: toy.Mixture) -> np.ndarray:
    """D* = p / (p + q) on X."""
    p, q = P.density(X), q.density(X)
    return p / (p + q)


def value_at_optimum(q: toy.Mixture) -> float:
    """2 JS(p, q) - log 4."""
    divergence = histograms.jensen_shannon(weights_of(P), weights_of(q))
    return 2.0 * divergence - np.log(4.0)


def train(
    q: toy.Mixture, steps: int = 1000, width: int = 32, seed: int = 0
) -> tuple[np.ndarray, float]:
    """Train a discriminator against a generator that stands still.

    Returns:
        `(D on X, V)`: sigmoids of its logits, and the value that it reaches,
        E_p[log D] + E_q[log(1 - D)].
    """
    keras.utils.set_random_seed(seed)
    network = keras.Sequential(
        [
            keras.Input((1,)),
            keras.layers.Dense(width, activation="tanh"),
            keras.layers.Dense(width, activation="tanh"),
            keras.layers.Dense(1),
        ]
    )
    schedule = keras.optimizers.schedules.CosineDecay(1e-2, steps)
    network.compile(
        keras.optimizers.Adam(schedule),
        # -V is the cross-entropy of points weighted by p, labelled 1, and by
        # q, labelled 0.
        keras.losses.BinaryCrossentropy(from_logits=True, reduction="sum"),
        steps_per_execution=50,
    )
    x = np.tile(np.concatenate([X, X])[:, None], (steps, 1)).astype("float32")
    labels = np.tile(np.repeat([1.0, 0.0], len(X))[:, None], (steps, 1))
    both = np.concatenate([weights_of(P), weights_of(q)])
    network.fit(
        x,
        labels,
        sample_weight=np.tile(both, steps),
        batch_size=2 * len(X),
        shuffle=False,
        verbose=0,
    )
    logits = network.predict(X[:, None], batch_size=len(X), verbose=0)[:, 0]
    logits = logits.astype(np.float64)
    value = -np.dot(weights_of(P), np.logaddexp(0.0, -logits))
    value -= np.dot(weights_of(q), np.logaddexp(0.0, logits))
    return 1.0 / (1.0 + np.exp(-logits)), float(value)


def draw(folder: Path) -> list[Path]:
    sheet, axes = figure(3, sharey=True)
    for axis, (title, q) in zip(axes, MODELS.items(), strict=True):
        d, value = train(q)
        axis.fill_between(
            X, P.density(X), color=BLUE, alpha=0.25, lw=0, label="p, data"
        )
        axis.fill_between(
            X, q.density(X), color=ORANGE, alpha=0.35, lw=0, label="q, made"
        )
        axis.plot(X, optimum(q), color=GREY, lw=4, alpha=0.5, label="p/(p+q)")
        axis.plot(X, d, color=GREEN, label="D, trained")
        axis.set(
            xlabel="x",
            ylim=(0, 1.05),
            title=f"{title}\nV = {value:.3f}; "
            f"2 JS − log 4 = {value_at_optimum(q):.3f}",
        )
        axis.title.set_fontsize(10)
    axes[0].set_ylabel("D(x), and densities")
    axes[2].legend(frameon=False, fontsize=9, loc="upper right")
    return [save(sheet, folder / "optimal_discriminator.png")]
