"""Generative Adversarial Nets.

Ian Goodfellow, Jean Pouget-Abadie, Mehdi Mirza, Bing Xu, David Warde-Farley,
Sherjil Ozair, Aaron Courville, Yoshua Bengio, 2014. arXiv:1406.2661.

`variant="paper"` is the network that the authors trained on MNIST
(goodfeli/adversarial, `mnist.yaml`): 2,503,984 and 1,231,441 trainable
parameters. `variant="small"` is the one of the tutorials that followed
(wiseodd/generative-models, `gan_tensorflow.py`), which trains in a minute.
`variant="toy"` has the perceptrons of WGAN-GP's `gan_toy.py`, for points in the
plane beside that model.

Deviations:
- Images are in [-1, 1] outside; both networks work in [0, 1], as published,
  and map at their border.
- The discriminator returns logits; the sigmoid is in the loss.
- `fit` shows the sum of the discriminator's two terms, 2 log 2 at chance. The
  authors minimise half of it, and so does the step.
"""

from typing import Any

import keras
import numpy as np
from keras import layers

from keras_gans.backend import minimize, minimize_jointly, portable
from keras_gans.layers import Dropout, Maxout
from keras_gans.losses import (
    discriminator_loss,
    minimax_generator_loss,
    non_saturating_generator_loss,
)
from keras_gans.models.adversarial import AdversarialModel
from keras_gans.models.toy_networks import (
    build_toy_discriminator,
    build_toy_generator,
)
from keras_gans.optimizers import GeometricDecay, MomentumSGD
from keras_gans.registry import register

# Of z in each variant.
PRIORS = {"paper": "unit_uniform", "small": "uniform", "toy": "normal"}
TOY_WIDTH = 128
GENERATOR_LOSSES = {
    "non_saturating": non_saturating_generator_loss,
    "minimax": minimax_generator_loss,
}


def uniform(bound: float) -> keras.initializers.Initializer:
    return keras.initializers.RandomUniform(-bound, bound)


def xavier() -> keras.initializers.Initializer:
    # The tutorials' form, N(0, 2 / fan_in).
    return keras.initializers.VarianceScaling(
        2.0, mode="fan_in", distribution="untruncated_normal"
    )


def image_head(x: Any, image_shape: tuple, initializer: Any) -> Any:
    """Hidden units -> pixels sigmoid(.) in [0, 1] -> image in [-1, 1]."""
    pixels = layers.Dense(
        int(np.prod(image_shape)), kernel_initializer=initializer, name="pixels"
    )(x)
    full = keras.config.floatx()  # images are float32, whatever the policy
    pixels = layers.Activation("sigmoid", dtype=full)(pixels)
    return layers.Reshape(image_shape, dtype=full)(2.0 * pixels - 1.0)


def pixels_of(image: Any) -> Any:
    """Image in [-1, 1] -> pixels [batch, h * w * c] in [0, 1]."""
    return (layers.Flatten()(image) + 1.0) / 2.0


def build_generator(image_shape: tuple, latent_dim: int) -> keras.Model:
    """z [batch, latent_dim] -> 1200 ReLU -> 1200 ReLU -> image."""
    z = x = keras.Input((latent_dim,), name="latents")
    for _ in range(2):
        x = layers.Dense(
            1200, activation="relu", kernel_initializer=uniform(0.05)
        )(x)
    image = image_head(x, image_shape, uniform(0.05))
    return keras.Model(z, image, name="generator")


def build_discriminator(image_shape: tuple) -> keras.Model:
    """Image -> maxout 240 x 5 -> maxout 240 x 5 -> logit [batch, 1]."""
    image = keras.Input(image_shape, name="images")
    x = Dropout(0.2)(pixels_of(image))
    x = Maxout(240, pieces=5, kernel_initializer=uniform(0.005))(x)
    x = Dropout(0.5)(x)
    x = Maxout(240, pieces=5, kernel_initializer=uniform(0.005))(x)
    x = Dropout(0.5)(x)
    logit = layers.Dense(
        1, kernel_initializer=uniform(0.005), dtype=keras.config.floatx()
    )(x)
    return keras.Model(image, logit, name="discriminator")


def build_small_generator(image_shape: tuple, latent_dim: int) -> keras.Model:
    """z [batch, latent_dim] -> 128 ReLU -> image."""
    z = keras.Input((latent_dim,), name="latents")
    x = layers.Dense(128, activation="relu", kernel_initializer=xavier())(z)
    image = image_head(x, image_shape, xavier())
    return keras.Model(z, image, name="generator")


def build_small_discriminator(image_shape: tuple) -> keras.Model:
    """Image -> 128 ReLU -> logit [batch, 1]."""
    image = keras.Input(image_shape, name="images")
    x = pixels_of(image)
    x = layers.Dense(128, activation="relu", kernel_initializer=xavier())(x)
    logit = layers.Dense(
        1, kernel_initializer=xavier(), dtype=keras.config.floatx()
    )(x)
    return keras.Model(image, logit, name="discriminator")


@register("gan")
class GAN(AdversarialModel):
    """Generative adversarial net (Goodfellow et al. 2014).

    min_G max_D V(D, G) = E[log D(x)] + E[log(1 - D(G(z)))], eq. 1.

    Args:
        image_shape: `(height, width, channels)`, any. The original:
            (28, 28, 1).
        latent_dim: Length of z. The original: 100.
        variant: "paper": z uniform on [-sqrt 3, sqrt 3], two hidden layers of
            1200, a maxout discriminator with dropout; both players step at
            once. "small": z uniform on [-1, 1], one hidden layer of 128 each
            way; D steps, then G with new noise, as in Algorithm 1 with k = 1.
            "toy": z normal, three hidden layers of 128 each way, images of any
            shape, (1, 1, 2) for points in the plane; steps as "small".
        generator_loss: "non_saturating" (maximise log D(G(z)), which the
            authors trained with) or "minimax" (minimise log(1 - D(G(z)))).
        augment: What the discriminator's images go through, as in
            `keras_gans.augment.DiffAugment`; None, as the original: nothing.
        ema_decay: Keep `ema_generator`, a moving average of the generator with
            this decay, and sample from it. None, as the original: no average.

    Raises:
        ValueError: If `variant` or `generator_loss` is unknown.

    `fit` takes float32 `[n, height, width, channels]` in [-1, 1] and shows
    `d_loss` (2 log 2 = 1.39 at chance) and `g_loss`.

    Example:

    ```python
    gan = keras_gans.GAN(variant="small")
    gan.fit(keras_gans.datasets.mnist_5k()[0], batch_size=64, epochs=50)
    digits = gan.generate(64, seed=0)
    ```
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (28, 28, 1),
        latent_dim: int = 100,
        variant: str = "paper",
        generator_loss: str = "non_saturating",
        augment: str | None = None,
        ema_decay: float | None = None,
        name: str = "gan",
    ):
        if variant not in PRIORS:
            raise ValueError(
                "Expected `variant` to be 'paper', 'small' or 'toy'. "
                f"Received: variant={variant!r}. 'small' trains in a minute."
            )
        if generator_loss not in GENERATOR_LOSSES:
            raise ValueError(
                "Expected `generator_loss` to be one of "
                f"{', '.join(GENERATOR_LOSSES)}. Received: generator_loss="
                f"{generator_loss!r}. 'non_saturating' is the authors'."
            )
        super().__init__(
            image_shape,
            latent_dim,
            prior=PRIORS[variant],
            metrics=("d_loss", "g_loss"),
            name=name,
        )
        self.variant = variant
        self.generator_loss = generator_loss
        self.ema_decay = ema_decay
        if variant == "paper":
            self.generator = build_generator(self.image_shape, self.latent_dim)
            self.discriminator = build_discriminator(self.image_shape)
        elif variant == "small":
            self.generator = build_small_generator(
                self.image_shape, self.latent_dim
            )
            self.discriminator = build_small_discriminator(self.image_shape)
        else:
            self.generator = build_toy_generator(
                self.image_shape, self.latent_dim, TOY_WIDTH
            )
            self.discriminator = build_toy_discriminator(
                self.image_shape, TOY_WIDTH
            )
        self.keep_ema(ema_decay)
        self.use_augment(augment)

    def default_optimizers(self) -> dict[str, keras.optimizers.Optimizer]:
        def optimizer():
            if self.variant == "small":
                # TensorFlow 1's defaults; Keras's Adam is of the same form.
                return keras.optimizers.Adam(1e-3, epsilon=1e-8)
            if self.variant == "toy":
                return keras.optimizers.Adam(1e-3, 0.5, epsilon=1e-8)
            return MomentumSGD(
                GeometricDecay(0.1, factor=1.000004, minimum=1e-6),
                momentum=0.5,
                final_momentum=0.7,
                saturate=250,
                steps_per_epoch=500,
            )

        return {
            "discriminator_optimizer": optimizer(),
            "generator_optimizer": optimizer(),
        }

    def adapt(self, images: np.ndarray) -> None:
        """Set the output bias so that a blank generator makes the mean image.

        b = log(p / (1 - p)) for the mean pixel p of the training set, clipped
        to [1e-7, 1 - 1e-7], as the authors start; nothing in the small variant.
        `fit` does it before the first step where it is given an array; with a
        data set, call it yourself with a sample.

        Args:
            images: float32 `[n, height, width, channels]` in [-1, 1].
        """
        if self.variant != "paper":
            return
        mean = np.mean(images, axis=0, dtype=np.float64).reshape(-1)
        p = np.clip((mean + 1.0) / 2.0, 1e-7, 1.0 - 1e-7)
        bias = np.log(p) - np.log1p(-p)
        for network in filter(None, (self.generator, self.ema_generator)):
            network.get_layer("pixels").bias.assign(bias)

    def is_adapted(self) -> bool:
        if self.variant != "paper":
            return True
        bias = self.generator.get_layer("pixels").bias
        return bool(np.any(keras.ops.convert_to_numpy(bias) != 0))

    def generator_objective(self, fake_logits: Any) -> Any:
        """What G minimises, by `generator_loss`."""
        return GENERATOR_LOSSES[self.generator_loss](fake_logits)

    @portable
    def train_step(self, data: Any) -> dict[str, Any]:
        real, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        batch_size = keras.ops.shape(real)[0]
        if self.variant == "paper":
            d_loss, g_loss = self.step_together(real, batch_size)
        else:
            d_loss, g_loss = self.step_in_turn(real, batch_size)
        self.update_ema()
        return self.report(batch_size, d_loss=d_loss, g_loss=g_loss)

    def step_together(self, real: Any, batch_size: Any) -> tuple[Any, Any]:
        """The authors' code: both gradients from one pass, then both move."""
        z = self.sample_latents(batch_size)

        def losses_fn():
            fake = self.generator(z, training=True)
            real_logits = self.judge(real)
            # Dropout is on for the generator's loss too, with the same masks.
            fake_logits = self.judge(fake)
            d_loss = 0.5 * discriminator_loss(real_logits, fake_logits)
            g_loss = self.generator_objective(fake_logits)
            return (d_loss, g_loss), None

        (d_loss, g_loss), _ = minimize_jointly(
            losses_fn,
            (
                self.discriminator_optimizer,
                self.discriminator.trainable_variables,
            ),
            (self.generator_optimizer, self.generator.trainable_variables),
        )
        return 2.0 * d_loss, g_loss

    def step_in_turn(self, real: Any, batch_size: Any) -> tuple[Any, Any]:
        """Algorithm 1 with k = 1."""
        # Sample m noise samples; m examples are `real`.  (Alg. 1, l. 3-4)
        z = self.sample_latents(batch_size)
        fake = self.generator(z, training=True)

        # Update D by ascending its gradient.  (Alg. 1, l. 5)
        def d_loss_fn():
            real_logits = self.judge(real)
            fake_logits = self.judge(fake)
            return discriminator_loss(real_logits, fake_logits)

        d_loss, _ = minimize(
            d_loss_fn,
            self.discriminator_optimizer,
            self.discriminator.trainable_variables,
        )

        # Sample m new noise samples.  (Alg. 1, l. 7)
        z = self.sample_latents(batch_size)

        # Update G by descending its gradient.  (Alg. 1, l. 8)
        def g_loss_fn():
            fake = self.generator(z, training=True)
            fake_logits = self.judge(fake)
            return self.generator_objective(fake_logits)

        g_loss, _ = minimize(
            g_loss_fn,
            self.generator_optimizer,
            self.generator.trainable_variables,
        )
        return d_loss, g_loss

    def get_config(self) -> dict:
        return self.base_config() | {
            "image_shape": self.image_shape,
            "latent_dim": self.latent_dim,
            "variant": self.variant,
            "generator_loss": self.generator_loss,
            "augment": self.augment,
            "ema_decay": self.ema_decay,
        }
