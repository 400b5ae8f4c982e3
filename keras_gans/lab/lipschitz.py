"""Two ways to bound a critic's slope: clipped weights, and a gradient penalty.

The critics of WGAN and of WGAN-GP learn to tell the swiss roll from what an
untrained generator makes, which stands still meanwhile, as in figure 1 of
Gulrajani et al. 2017 (arXiv:1704.00028).
"""

import dataclasses
from pathlib import Path

import keras
import numpy as np
from keras import ops

import keras_gans
from keras_gans.backend import gradient
from keras_gans.datasets import toy
from keras_gans.lab.drawing import BLUE, ORANGE, figure, save

CLIP = 0.05
CRITICS = {
    "weight clipping": (
        "wgan",
        {"network": "mlp", "width": 64, "clip_value": CLIP},
    ),
    "gradient penalty": (
        "wgan_gp",
        {"network": "toy", "width": 64, "gp_weight": 10.0},
    ),
}


@dataclasses.dataclass(frozen=True)
class Critic:
    """What is looked at of a trained critic.

    Args:
        weights: Of its kernels, flat.
        norms: ||grad f|| at points between real and generated ones.
        largest: Of its parameters as the last step left them, before a clip.
    """

    weights: np.ndarray
    norms: np.ndarray
    largest: float = np.nan


def adversary(kind: str, seed: int) -> keras.Model:
    """A model of `CRITICS`, untrained; all have the same generator."""
    keras.utils.set_random_seed(seed)
    models = {
        kind: keras_gans.create(
            name, image_shape=(1, 1, 2), latent_dim=2, **options
        )
        for kind, (name, options) in CRITICS.items()
    }
    start = models["gradient penalty"].generator.get_weights()
    models[kind].generator.set_weights(start)
    return models[kind]


def train(kind: str, steps: int = 300, seed: int = 0) -> Critic:
    """Train one of `CRITICS` for 5 times as many steps of its own.

    Args:
        kind: "weight clipping" or "gradient penalty".
        steps: Of `fit`, of 5 critic steps each.
        seed: Of everything.
    """
    gan = adversary(kind, seed)
    optimizer = (
        keras.optimizers.RMSprop(5e-4, rho=0.99, epsilon=1e-16)
        if kind == "weight clipping"
        else keras.optimizers.Adam(1e-3, 0.5, 0.9, epsilon=1e-8)
    )
    # The generator's rate is zero: it stays the noise that it starts as.
    gan.compile(keras.optimizers.SGD(0.0), optimizer, steps_per_execution=20)
    start = gan.generator.get_weights()
    points = toy.swiss_roll().images(steps * 5 * 128, seed=seed)
    gan.fit(points, batch_size=128, verbose=0)
    overshoot = max(np.abs(w).max() for w in gan.discriminator.get_weights())
    for before, after in zip(start, gan.generator.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    return dataclasses.replace(look_at(gan, seed), largest=float(overshoot))


def look_at(gan: keras.Model, seed: int, n: int = 1000) -> Critic:
    """The weights of a critic, and its slopes between real and fake.

    Of WGAN as its next step would see it: Algorithm 1 clips before a step.
    """
    if hasattr(gan, "clip_value"):
        gan.discriminator.set_weights(
            [
                np.clip(w, -gan.clip_value, gan.clip_value)
                for w in gan.discriminator.get_weights()
            ]
        )
    real = toy.swiss_roll().images(n, seed=seed + 1)
    z = gan.draw_latents(n, seed)  # as in training, where nothing is clipped
    fake = ops.convert_to_numpy(gan.generator(z, training=True))
    e = np.random.default_rng(seed).random((n, 1, 1, 1), dtype=np.float32)
    x_hat = ops.convert_to_tensor(real + e * (fake - real))
    slopes = gradient(lambda x: gan.discriminator(x, training=True), x_hat)
    slopes = ops.convert_to_numpy(slopes).reshape(n, -1)
    kernels = [w for w in gan.discriminator.get_weights() if w.ndim == 2]
    weights = np.concatenate([w.reshape(-1) for w in kernels])
    return Critic(weights, np.linalg.norm(slopes, axis=1))


def share_at_the_border(weights: np.ndarray, clip: float = CLIP) -> float:
    """The share of weights at the sides of the box, within a hundredth."""
    return float(np.mean(np.abs(np.abs(weights) / clip - 1.0) < 0.01))


def draw(folder: Path) -> list[Path]:
    critics = {kind: train(kind) for kind in CRITICS}
    sheet, (left, middle, right) = figure(3)
    clipped, penalised = critics.values()
    left.hist(clipped.weights, 61, color=BLUE)
    left.set(
        xlabel="critic weight",
        ylabel="how many",
        title=f"clipped: {share_at_the_border(clipped.weights):.0%} at ±{CLIP}",
    )
    middle.hist(penalised.weights, 61, color=ORANGE)
    middle.set(
        xlabel="critic weight", ylabel="how many", title="gradient penalty"
    )
    bins = np.geomspace(1e-3, 10, 60)
    for (kind, critic), colour in zip(
        critics.items(), (BLUE, ORANGE), strict=True
    ):
        right.hist(critic.norms, bins, color=colour, alpha=0.7, label=kind)
    right.axvline(1.0, color="black", lw=0.8, ls=":")
    right.set(
        xscale="log",
        xlabel="‖∇f‖ between real and fake",
        ylabel="how many points",
        title="slopes",
    )
    right.legend(frameon=False, fontsize=9, loc="upper left")
    return [save(sheet, folder / "lipschitz.png")]
