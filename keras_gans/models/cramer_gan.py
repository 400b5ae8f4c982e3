"""The Cramer Distance as a Solution to Biased Wasserstein Gradients.

Marc G. Bellemare, Ivo Danihelka, Will Dabney, Shakir Mohamed, Balaji
Lakshminarayanan, Stephan Hoyer, Remi Munos, 2017. arXiv:1705.10743.

The authors published no code. The step is their Algorithm 1; networks,
initialisers and optimizers are those of jiamings/cramer-gan for MNIST, of
6,664,385 and 3,672,512 trainable parameters, and of mbinkowski/MMD-GAN
(`gan/core`, model `cramer`) at 64x64, of 5,135,363 and 6,403,968.

Deviations:
- jiamings/cramer-gan draws one e for a batch where the images of a batch are
  mixed; here each pair has its own, as in MMD-GAN.
- MMD-GAN takes the norm of a slope along the rows of an image; here it is over
  all pixels, as the formula says.
- Its f compares with the fake that x^ is mixed with; here, as in the paper,
  with the other.
- Norms are sqrt(sum + 1e-12), so that they have a derivative everywhere; in
  MMD-GAN it is 1e-5.
- What is left of an epoch is dealt out evenly to the steps.
- At 64x64 G's BatchNorm samples with moving statistics.
- Sizes other than 28 and 64 stack fewer or more stages.
"""

import functools
from typing import Any

import keras
from keras import layers, ops

from keras_gans.arguments import (
    check_counts,
    check_image_shape,
    check_positive,
)
from keras_gans.backend import minimize, portable
from keras_gans.batching import rows_in_turn
from keras_gans.layers import full
from keras_gans.losses import between, gradient_penalty, wasserstein_estimate
from keras_gans.models.adversarial import AdversarialModel
from keras_gans.models.toy_networks import (
    build_toy_discriminator,
    build_toy_generator,
)
from keras_gans.models.wgan_gp_networks import check_28, doublings, leaky_relu
from keras_gans.registry import register, unknown

# === jiamings/cramer-gan, mnist/dcgan.py; Glorot's initialiser ===


def build_mnist_generator(
    image_shape: tuple[int, int, int], latent_dim: int, width: int
) -> keras.Model:
    """z [batch, latent_dim] -> image [batch, 28, 28, c] in [-1, 1]."""
    check_28(image_shape)
    z = keras.Input((latent_dim,), name="latents")
    x = layers.Dense(16 * width, "relu")(z)
    x = layers.Dense(7 * 7 * 2 * width, "relu")(x)
    x = layers.Reshape((7, 7, 2 * width))(x)
    x = layers.Conv2DTranspose(width, 4, 2, "same", activation="relu")(x)
    x = layers.Conv2DTranspose(image_shape[-1], 4, 2, "same")(x)
    return keras.Model(z, pixels(x), name="generator")


def build_mnist_discriminator(
    image_shape: tuple[int, int, int], width: int
) -> keras.Model:
    """Image [batch, 28, 28, c] -> h(x) [batch, 256]."""
    image = keras.Input(image_shape, name="images")
    x = (image + 1.0) / 2.0
    for filters in (width, 2 * width):
        x = leaky_relu(layers.Conv2D(filters, 4, 2)(x))
    x = layers.Dense(16 * width)(layers.Flatten()(x))
    x = layers.Dense(256)(leaky_relu(x))
    return keras.Model(image, full(x), name="discriminator")


# === mbinkowski/MMD-GAN, gan/core/architecture.py ===


def build_dcgan_generator(
    image_shape: tuple[int, int, int], latent_dim: int, width: int
) -> keras.Model:
    """z [batch, latent_dim] -> image [batch, h, w, c] in [-1, 1]."""
    n = doublings(image_shape)
    filters = width * 2 ** (n - 1)  # 512 at 64x64
    z = keras.Input((latent_dim,), name="latents")
    x = layers.Dense(4 * 4 * filters, kernel_initializer=normal(0.01))(z)
    x = layers.Reshape((4, 4, filters))(x)
    for i in reversed(range(n)):
        x = layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x)
        x = layers.Conv2DTranspose(
            image_shape[-1] if i == 0 else width * 2 ** (i - 1),
            5,
            strides=2,
            padding="same",
            kernel_initializer=normal(0.02),
        )(layers.ReLU()(x))  # [batch, 8, 8, 256], ...
    return keras.Model(z, pixels(x), name="generator")


def build_dcgan_discriminator(
    image_shape: tuple[int, int, int], width: int
) -> keras.Model:
    """Image [batch, h, w, c] -> h(x) [batch, 256]."""
    image = keras.Input(image_shape, name="images")
    x = (image + 1.0) / 2.0
    for i in range(doublings(image_shape)):
        x = layers.Conv2D(
            width * 2**i,
            5,
            strides=2,
            padding="same",
            kernel_initializer=keras.initializers.TruncatedNormal(0.0, 0.02),
        )(x)
        x = leaky_relu(x)
    x = layers.Dense(256, kernel_initializer=normal(0.01))(layers.Flatten()(x))
    return keras.Model(image, full(x), name="discriminator")


def normal(deviation: float) -> keras.initializers.Initializer:
    return keras.initializers.RandomNormal(0.0, deviation)


def pixels(x: Any) -> Any:
    """Logits of pixels in [0, 1], given out in [-1, 1], in full precision."""
    x = layers.Activation("sigmoid", dtype=keras.config.floatx())(x)
    return 2.0 * x - 1.0


# The third: of an image's unit over that of the critic's pixels, in [0, 1].
NETWORKS = {
    "mnist": (build_mnist_generator, build_mnist_discriminator, 2.0),
    "dcgan": (build_dcgan_generator, build_dcgan_discriminator, 2.0),
    "toy": (
        build_toy_generator,
        functools.partial(build_toy_discriminator, units=256),
        1.0,
    ),
}


def norm(x: Any) -> Any:
    """||x|| of each row; the square root has no derivative at zero."""
    return ops.sqrt(ops.sum(ops.square(x), axis=-1) + 1e-12)


def critic(h_of: Any, h_other: Any) -> Any:
    """f(x) = ||h(x) - h(x')|| - ||h(x)|| of each row, x' generated."""
    return norm(h_of - h_other) - norm(h_of)


def energy(h_x: Any, h_g: Any, h_g2: Any) -> Any:
    """The energy distance of G from X, but for E||h(X) - h(X')||.

    Args:
        h_x: h of real images, `[batch, features]`.
        h_g, h_g2: Of two sets of generated ones, likewise.
    """
    return ops.mean(norm(h_x - h_g) + norm(h_x - h_g2) - norm(h_g - h_g2))


@register("cramer_gan")
class CramerGAN(AdversarialModel):
    """Cramer GAN (Bellemare et al. 2017).

    Generated and real images are compared by their energy distance in the space
    of a critic's h: E||h(X) - h(G)|| + E||h(X) - h(G')|| - E||h(G) - h(G')||,
    whose gradients from samples are unbiased, as Wasserstein's are not.

    Args:
        image_shape: `(size, size, channels)`, size 28 for "mnist", else a power
            of two from 16; any for "toy", (1, 1, 2) for points in the plane.
        network: "mnist", "dcgan" (MMD-GAN's, at 64x64), or "toy" (perceptrons
            of WGAN-GP's `gan_toy.py`). Defaults to "mnist" at 28x28, to "dcgan"
            elsewhere.
        latent_dim: Length of z, uniform on [-1, 1]. The code's: 100.
        width: Filters next to the image. The code's: 64. Units of a hidden
            layer in "toy".
        generator_loss: "energy", the paper's, or "surrogate", the difference of
            the critic's means, as jiamings/cramer-gan trains.
        n_critic: Critic steps to one of the generator. The paper's: 5.
        gp_weight: lambda. The paper's: 10.
        augment: What the critic's images go through, as in
            `keras_gans.augment.DiffAugment`; None, as the original: nothing.
        ema_decay: Keep `ema_generator`, a moving average of the generator with
            this decay, and sample from it. None, as published: no average.

    Raises:
        ValueError: If an argument is out of its range, or the network cannot
            make that shape.

    `discriminator` is h, `[batch, 256]`. `fit` takes float32
    `[n, size, size, channels]` in [-1, 1], n_critic batches and one for the
    generator a step, and shows `wasserstein` (the critic's estimate E[f(X)] -
    E[f(G)], whose slopes are near 1 as a Wasserstein critic's), `gp` (before
    lambda), `d_loss` and `g_loss`.

    Example:

    ```python
    gan = keras_gans.CramerGAN(image_shape=(28, 28, 1))
    gan.fit(keras_gans.datasets.mnist_5k()[0], batch_size=64, epochs=10)
    digits = gan.generate(64, seed=0)
    ```
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (64, 64, 3),
        network: str | None = None,
        latent_dim: int = 100,
        width: int = 64,
        generator_loss: str = "energy",
        n_critic: int = 5,
        gp_weight: float = 10.0,
        augment: str | None = None,
        ema_decay: float | None = None,
        name: str = "cramer_gan",
    ):
        image_shape = check_image_shape(image_shape)
        if network is None:
            network = "mnist" if image_shape[0] == 28 else "dcgan"
        if network not in [*NETWORKS]:
            raise ValueError(unknown("network", network, [*NETWORKS]))
        if generator_loss not in ("energy", "surrogate"):
            choices = ["energy", "surrogate"]
            raise ValueError(unknown("generator loss", generator_loss, choices))
        check_counts(width=width, n_critic=n_critic)
        check_positive(gp_weight=gp_weight)
        super().__init__(
            image_shape,
            latent_dim,
            prior="uniform",
            metrics=("d_loss", "g_loss", "gp", "wasserstein"),
            name=name,
        )
        self.network = network
        self.width = width
        self.generator_loss = generator_loss
        self.n_critic = n_critic
        self.batches_a_step = n_critic + 1
        self.gp_weight = gp_weight
        self.ema_decay = ema_decay
        build_generator, build_discriminator, self.scale = NETWORKS[network]
        self.generator = build_generator(
            self.image_shape, self.latent_dim, width
        )
        self.discriminator = build_discriminator(self.image_shape, width)
        self.keep_ema(ema_decay)
        self.use_augment(augment)

    def default_optimizers(self) -> dict[str, keras.optimizers.Optimizer]:
        def adam():
            # TensorFlow 1's, of the same form as Keras's. MMD-GAN clips each
            # variable's gradient.
            clipnorm = 1.0 if self.network == "dcgan" else None
            return keras.optimizers.Adam(
                1e-4, 0.5, 0.9, epsilon=1e-8, clipnorm=clipnorm
            )

        return {
            "discriminator_optimizer": adam(),
            "generator_optimizer": adam(),
        }

    @portable
    def train_step(self, data: Any) -> dict[str, Any]:
        images, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        *batches, (real,) = rows_in_turn(self.batches_a_step, images)
        for (batch,) in batches:
            d_loss, parts = self.step_critic(batch)
        g_loss = self.step_generator(real)
        return self.report(
            ops.shape(images)[0], d_loss=d_loss, g_loss=g_loss, **parts
        )

    def step_critic(self, x: Any) -> tuple[Any, dict[str, Any]]:
        """One step of h on real images x: its loss, and what it is made of."""
        m = ops.shape(x)[0]
        x_g = self.generator(self.sample_latents(m), training=True)
        x_g2 = self.generator(self.sample_latents(m), training=True)
        x, x_g, x_g2 = map(self.augmented, (x, x_g, x_g2))
        x_hat = between(x, x_g, self.seed_generator)

        def d_loss_fn():
            h_x, h_g, h_g2 = self.features_of(x, x_g, x_g2)
            surrogate = wasserstein_estimate(
                critic(h_x, h_g2), critic(h_g, h_g2)
            )
            gp = gradient_penalty(
                lambda images: critic(self.discriminator(images), h_g2),
                x_hat,
                self.scale,
            )
            d_loss = -surrogate + self.gp_weight * gp
            return d_loss, {"wasserstein": surrogate, "gp": gp}

        return minimize(
            d_loss_fn,
            self.discriminator_optimizer,
            self.discriminator.trainable_variables,
        )

    def step_generator(self, x: Any) -> Any:
        """One step of G beside real images x: its loss."""
        m = ops.shape(x)[0]
        z, z2 = self.sample_latents(m), self.sample_latents(m)

        def g_loss_fn():
            x_g = self.generator(z, training=True)
            x_g2 = self.generator(z2, training=True)
            shown = map(self.augmented, (x, x_g, x_g2))
            h_x, h_g, h_g2 = self.features_of(*shown)
            if self.generator_loss == "energy":
                return energy(h_x, h_g, h_g2)
            return wasserstein_estimate(critic(h_x, h_g2), critic(h_g, h_g2))

        g_loss, _ = minimize(
            g_loss_fn,
            self.generator_optimizer,
            self.generator.trainable_variables,
        )
        self.update_ema(lambda average: average(z, training=True))
        return g_loss

    def features_of(self, *images: Any) -> list[Any]:
        """h of batches of one size, in one pass: h mixes no images."""
        m = ops.shape(images[0])[0]
        h = self.discriminator(ops.concatenate(images), training=True)
        return [h[i * m : (i + 1) * m] for i in range(len(images))]

    def get_config(self) -> dict:
        return self.base_config() | {
            "image_shape": self.image_shape,
            "network": self.network,
            "latent_dim": self.latent_dim,
            "width": self.width,
            "generator_loss": self.generator_loss,
            "n_critic": self.n_critic,
            "gp_weight": self.gp_weight,
            "augment": self.augment,
            "ema_decay": self.ema_decay,
        }
