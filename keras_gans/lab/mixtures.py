"""Four GANs side by side on the ring of 8 Gaussians and the 5x5 grid.

GAN, WGAN, WGAN-GP and Cramer GAN with perceptrons of three hidden layers, the
same number of generator steps, and learning rates that fall to zero along a
cosine. `benchmarks/toy.py` repeats it with five seeds.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

import keras_gans
from keras_gans.datasets import toy
from keras_gans.images import save_gif
from keras_gans.lab.drawing import BLUE, ORANGE, figure, picture_of, save
from keras_gans.metrics import mode_coverage

LAWS = {"ring": toy.ring, "grid": toy.grid}
STEPS = {"ring": 1000, "grid": 6000}  # of the generator
WIDTH = 64
BATCH_SIZE = 128
SAMPLES = 2500  # that are measured, as in the metric's paper
FRAMES = 20


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How a model is trained on points.

    Args:
        title: Of its picture.
        options: Of the model's class.
        optimizer: Of a learning rate.
        generator_rate: First learning rate of the generator.
        discriminator_rate: Of the critic, likewise.
    """

    title: str
    options: dict
    optimizer: Callable
    generator_rate: float
    discriminator_rate: float


def adam(rate: float) -> keras.optimizers.Optimizer:
    return keras.optimizers.Adam(rate, 0.5, 0.9, epsilon=1e-8)


def rmsprop(rate: float) -> keras.optimizers.Optimizer:
    return keras.optimizers.RMSprop(rate, rho=0.99, epsilon=1e-16)


RECIPES = {
    "gan": Recipe("GAN", {"variant": "toy"}, adam, 1e-3, 1e-3),
    "wgan": Recipe(
        "WGAN",
        {"network": "mlp", "width": WIDTH, "clip_value": 0.1},
        rmsprop,
        5e-4,
        5e-4,
    ),
    # A critic that learns faster than its generator lags less behind it.
    "wgan_gp": Recipe(
        "WGAN-GP",
        {"network": "toy", "width": WIDTH, "gp_weight": 0.1},
        adam,
        5e-4,
        2e-3,
    ),
    "cramer_gan": Recipe(
        "Cramér GAN",
        {"network": "toy", "width": WIDTH, "gp_weight": 0.1},
        adam,
        1e-3,
        2e-3,
    ),
}


@dataclasses.dataclass(frozen=True)
class Run:
    """What a training left.

    Args:
        frames: Samples of the same latents along the way, `[frames, n, 2]`.
        modes: Modes found by the last.
        quality: Share of the last within three deviations of a mode.
    """

    frames: np.ndarray
    modes: int
    quality: float


def train(
    name: str,
    law: toy.Mixture,
    steps: int,
    seed: int = 0,
    frames: int = FRAMES,
    batch_size: int = BATCH_SIZE,
) -> Run:
    """Train one of `RECIPES` on a mixture.

    Args:
        name: Of the recipe, a model's.
        law: The mixture.
        steps: Of the generator.
        seed: Of the weights, the noise and the data.
        frames: Pictures along the way, evenly; steps are rounded up to be
            divisible by them.
        batch_size: Points of a step of either player.
    """
    keras.utils.set_random_seed(seed)
    recipe = RECIPES[name]
    gan = keras_gans.create(
        name, image_shape=(1, 1, 2), latent_dim=2, **recipe.options
    )
    span = -(-steps // frames)

    def optimizer(rate, turns):
        # A schedule counts its own optimizer's steps: a critic takes several.
        decay = keras.optimizers.schedules.CosineDecay
        return recipe.optimizer(decay(rate, turns * span * frames))

    gan.compile(
        optimizer(recipe.generator_rate, 1),
        optimizer(recipe.discriminator_rate, getattr(gan, "n_critic", 1)),
        steps_per_execution=span,
    )

    def samples():
        images = gan.generate(SAMPLES, seed=seed, batch_size=SAMPLES)
        return toy.points_of(images)

    made = [samples()]
    for frame in range(frames):
        n = span * batch_size * gan.batches_a_step
        points = law.images(n, seed=seed * frames + frame)
        gan.fit(points, batch_size=batch_size, verbose=0)
        made.append(samples())
    modes, quality = mode_coverage(made[-1], law.centres, law.deviation)
    return Run(np.stack(made), modes, quality)


# === Pictures ===


def sheet_of(runs: dict[str, Run], law: toy.Mixture, frame: int = -1) -> tuple:
    """A panel a model: its samples over the modes."""
    sheet, axes = figure(len(runs), height=2.7)
    for axis, (name, run) in zip(axes, runs.items(), strict=True):
        axis.plot(*law.centres.T, "+", color=ORANGE, ms=9, mew=1.5)
        points = run.frames[frame][:1000]
        axis.plot(*points.T, ".", color=BLUE, ms=1.5, alpha=0.6)
        axis.set(
            xlim=(-1.05, 1.05),
            ylim=(-1.05, 1.05),
            aspect="equal",
            xticks=(-1, 0, 1),
            yticks=(-1, 0, 1),
            xlabel="x",
            title=RECIPES[name].title,
        )
    axes[0].set_ylabel("y")
    return sheet, axes


def draw(folder: Path) -> list[Path]:
    paths, everything = [], {}
    for data, make in LAWS.items():
        law = make()
        runs = {name: train(name, law, STEPS[data]) for name in RECIPES}
        everything[data] = runs
        films = []
        for frame in range(FRAMES + 1):
            sheet, _ = sheet_of(runs, law, frame)
            sheet.set_dpi(80)
            done = STEPS[data] * frame // FRAMES
            sheet.suptitle(f"{done} generator steps", fontsize=9)
            films.append(picture_of(sheet))
        path = folder / f"mixtures_{data}.gif"
        paths.append(save_gif(path, films, seconds=0.2))
        sheet, axes = sheet_of(runs, law)
        for axis, run in zip(axes, runs.values(), strict=True):
            modes = f"{run.modes} of {len(law.centres)} modes"
            axis.set_title(
                f"{axis.get_title()}\n{modes}, {run.quality:.0%} near",
                fontsize=10,
            )
        name = "mixtures.png" if data == "ring" else f"mixtures_{data}.png"
        paths.append(save(sheet, folder / name))
    return paths
