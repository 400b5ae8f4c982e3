"""Unsupervised Representation Learning with Deep Convolutional GANs.

Alec Radford, Luke Metz, Soumith Chintala, 2016. arXiv:1511.06434.

Networks, initialisers, optimizers and the order of a step are those of the
PyTorch rendering by one of the authors (pytorch/examples, `dcgan/main.py`):
3,576,704 and 2,765,568 trainable parameters at 64x64x3.

Deviations:
- Sizes other than 64 stack fewer or more stride-2 stages on the same 4x4 base;
  at 28x28 the 8x8 stage is cropped to 7x7. At 64 the network is the original.
- The discriminator returns logits; the sigmoid is in the loss.
- Adam's epsilon is PyTorch's 1e-8 at the first step and, in Keras's form, up to
  32 times smaller later, where only gradients below 1e-7 can tell.
- BatchNorm's moving variance, used when sampling, averages the batches' biased
  variances; PyTorch's averages the unbiased ones, larger by n / (n - 1).
"""

from typing import Any

import keras
from keras import layers

from keras_gans.backend import minimize, portable, vjp
from keras_gans.losses import discriminator_loss, non_saturating_generator_loss
from keras_gans.models.adversarial import AdversarialModel
from keras_gans.optimizers import torch_adam
from keras_gans.registry import register


def conv_init() -> keras.initializers.Initializer:
    return keras.initializers.RandomNormal(0.0, 0.02)


def batch_norm(x: Any) -> Any:
    # PyTorch's defaults; Keras's own are 0.99 and 1e-3.
    return layers.BatchNormalization(
        momentum=0.9,
        epsilon=1e-5,
        gamma_initializer=keras.initializers.RandomNormal(1.0, 0.02),
    )(x)


def stage_sizes(image_shape: tuple[int, int, int]) -> list[int]:
    """Sides of the stages, base to image: 64 is [4, 8, 16, 32, 64]."""
    height, width, _ = image_shape
    power_of_two = height >= 32 and height & (height - 1) == 0
    if height != width or not (power_of_two or height == 28):
        raise ValueError(
            "Expected `image_shape` of 28x28, or square with a side that is a "
            "power of two from 32 (stride-2 stages on a 4x4 base). Received: "
            f"image_shape={tuple(image_shape)}. Resize or pad the images, to "
            "(64, 64, channels) say."
        )
    sizes = [height]
    while sizes[0] > 4:
        sizes.insert(0, (sizes[0] + 1) // 2)  # 28 is [4, 7, 14, 28]
    return sizes


def build_generator(
    image_shape: tuple[int, int, int], latent_dim: int, width: int
) -> keras.Model:
    """z [batch, latent_dim] -> image [batch, h, w, c] in [-1, 1]."""
    base, *sizes = stage_sizes(image_shape)
    filters = width * 2 ** (len(sizes) - 1)  # 512 at 64x64

    z = keras.Input((latent_dim,), name="latents")
    x = layers.Reshape((1, 1, latent_dim))(z)
    x = layers.Conv2DTranspose(
        filters, base, use_bias=False, kernel_initializer=conv_init()
    )(x)  # [batch, 4, 4, 512]
    for size in sizes:  # 8, 16, 32, 64
        x = layers.ReLU()(batch_norm(x))
        filters = image_shape[-1] if size == sizes[-1] else filters // 2
        x = layers.Conv2DTranspose(
            filters,
            4,
            strides=2,
            padding="same",
            use_bias=False,
            kernel_initializer=conv_init(),
        )(x)  # [batch, 8, 8, 256], ..., [batch, 64, 64, 3]
        if size % 2:  # 7, from 8
            x = layers.Cropping2D(((0, 1), (0, 1)))(x)
    # In full precision, whatever the policy: images are float32.
    image = layers.Activation("tanh", dtype=keras.config.floatx())(x)
    return keras.Model(z, image, name="generator")


def build_discriminator(
    image_shape: tuple[int, int, int], width: int
) -> keras.Model:
    """Image [batch, h, w, c] in [-1, 1] -> logit [batch, 1]."""
    base, *sizes = stage_sizes(image_shape)

    image = x = keras.Input(image_shape, name="images")
    for i in range(len(sizes)):
        x = layers.Conv2D(
            width * 2**i,
            4,
            strides=2,
            padding="same",
            use_bias=False,
            kernel_initializer=conv_init(),
        )(x)  # [batch, 32, 32, 64], ..., [batch, 4, 4, 512]
        if i > 0:  # not on the first layer
            x = batch_norm(x)
        x = layers.LeakyReLU(0.2)(x)
    x = layers.Conv2D(1, base, use_bias=False, kernel_initializer=conv_init())(
        x
    )  # [batch, 1, 1, 1]
    logit = layers.Reshape((1,), dtype=keras.config.floatx())(x)
    return keras.Model(image, logit, name="discriminator")


@register("dcgan")
class DCGAN(AdversarialModel):
    """Deep convolutional GAN (Radford et al. 2016).

    Strided convolutions in place of pooling, BatchNorm in both players, ReLU in
    the generator and LeakyReLU in the discriminator.

    Args:
        image_shape: `(size, size, channels)`, size 28 or a power of two from
            32. The original: (64, 64, 3).
        latent_dim: Length of z ~ N(0, 1). The original: 100.
        width: Filters next to the image, ngf = ndf. The original: 64.
        augment: What the discriminator's images go through, as in
            `keras_gans.augment.DiffAugment`; None, as the original: nothing.
        ema_decay: Keep `ema_generator`, a moving average of the generator with
            this decay, and sample from it. None, as the original: no average.

    Raises:
        ValueError: If the network cannot make that shape.

    `fit` takes float32 `[n, size, size, channels]` in [-1, 1] and shows
    `d_loss` (2 log 2 = 1.39 at chance) and `g_loss` (log 2 = 0.69 at chance).

    Example:

    ```python
    gan = keras_gans.DCGAN(image_shape=(28, 28, 1))
    gan.compile()  # Adam 2e-4, beta_1 0.5, for both players
    gan.fit(keras_gans.datasets.mnist_5k()[0], batch_size=64, epochs=10)
    digits = gan.generate(64, seed=0)
    ```
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (64, 64, 3),
        latent_dim: int = 100,
        width: int = 64,
        augment: str | None = None,
        ema_decay: float | None = None,
        name: str = "dcgan",
    ):
        super().__init__(
            image_shape,
            latent_dim,
            prior="normal",
            metrics=("d_loss", "g_loss"),
            name=name,
        )
        self.width = width
        self.ema_decay = ema_decay
        self.generator = build_generator(
            self.image_shape, self.latent_dim, width
        )
        self.discriminator = build_discriminator(self.image_shape, width)
        self.keep_ema(ema_decay)
        self.use_augment(augment)

    def default_optimizers(self) -> dict[str, keras.optimizers.Optimizer]:
        return {
            "discriminator_optimizer": torch_adam(2e-4),
            "generator_optimizer": torch_adam(2e-4),
        }

    def generator_objective(self, fake_logits: Any) -> Any:
        """What G minimises: -E[log D(G(z))]."""
        return non_saturating_generator_loss(fake_logits)

    @portable
    def train_step(self, data: Any) -> dict[str, Any]:
        real, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        batch_size = keras.ops.shape(real)[0]

        # One generated batch for both players.
        z = self.sample_latents(batch_size)
        generated = vjp(
            lambda: self.generator(z, training=True),
            self.generator.trainable_variables,
        )
        fake, _ = generated

        # Update D: maximise log D(x) + log(1 - D(G(z))). Real and generated
        # images go through apart, each with its own BatchNorm statistics.
        def d_loss_fn():
            real_logits = self.judge(real)
            fake_logits = self.judge(fake)
            return discriminator_loss(real_logits, fake_logits)

        d_loss, _ = minimize(
            d_loss_fn,
            self.discriminator_optimizer,
            self.discriminator.trainable_variables,
        )

        # Update G: maximise log D(G(z)) under the D that has just moved.
        def g_loss_fn(fake):
            fake_logits = self.judge(fake)
            return self.generator_objective(fake_logits)

        g_loss, _ = minimize(
            g_loss_fn,
            self.generator_optimizer,
            self.generator.trainable_variables,
            through=generated,
        )
        self.update_ema(lambda average: average(z, training=True))
        return self.report(batch_size, d_loss=d_loss, g_loss=g_loss)

    def get_config(self) -> dict:
        return self.base_config() | {
            "image_shape": self.image_shape,
            "latent_dim": self.latent_dim,
            "width": self.width,
            "augment": self.augment,
            "ema_decay": self.ema_decay,
        }
