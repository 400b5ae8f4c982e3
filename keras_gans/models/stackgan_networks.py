"""The networks of StackGAN, as in the authors' `code/model.py`.

hanzhanggit/StackGAN-Pytorch: no biases but those of a linear layer and of the
last convolutions of a discriminator, BatchNorm between. Other sizes than theirs
stack fewer or more stages: a generator doubles from 4x4 to the image, the
discriminators halve down to 4x4.
"""

from typing import Any

import keras
from keras import layers, ops

from keras_gans.layers import Conv2D
from keras_gans.registry import serializable


def init() -> keras.initializers.Initializer:
    return keras.initializers.RandomNormal(0.0, 0.02)


def conv(x: Any, filters: int, size: int = 3, **options: Any) -> Any:
    return Conv2D(
        filters,
        size,
        padding="same",
        use_bias=False,
        kernel_initializer=init(),
        **options,
    )(x)


def batch_norm(x: Any) -> Any:
    # PyTorch's defaults; Keras's own are 0.99 and 1e-3.
    return layers.BatchNormalization(
        momentum=0.9,
        epsilon=1e-5,
        gamma_initializer=keras.initializers.RandomNormal(1.0, 0.02),
    )(x)


def up_block(x: Any, filters: int) -> Any:
    # By nearest neighbours, before the convolution.
    x = conv(x, filters, upsample=True)
    return layers.ReLU()(batch_norm(x))


def down_block(x: Any, filters: int, first: bool = False) -> Any:
    x = conv(x, filters, size=4, strides=2)
    return layers.LeakyReLU(0.2)(x if first else batch_norm(x))


def residual_block(x: Any) -> Any:
    filters = x.shape[-1]
    out = layers.ReLU()(batch_norm(conv(x, filters)))
    out = batch_norm(conv(out, filters))
    return layers.ReLU()(layers.Add()([x, out]))


def image_of(x: Any, channels: int) -> Any:
    # In full precision, whatever the policy: images are float32.
    return layers.Activation("tanh", dtype=keras.config.floatx())(
        conv(x, channels)
    )


@serializable
class Tile(layers.Layer):
    """`[batch, d]` -> `[batch, side, side, d]`, the same in every place."""

    def __init__(self, side: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.side = side

    def call(self, x: Any) -> Any:
        return ops.tile(x[:, None, None], (1, self.side, self.side, 1))

    def get_config(self) -> dict:
        return super().get_config() | {"side": self.side}


@serializable
class Reparametrize(layers.Layer):
    """c = mu + exp(log sigma^2 / 2) eps, section 3.2, in full precision."""

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs | {"dtype": keras.config.floatx()})

    def call(self, x: list) -> Any:
        mean, log_variance, noise = x
        return mean + ops.exp(0.5 * log_variance) * noise


def build_augmentation(text_dim: int, condition_dim: int) -> keras.Model:
    """Text embedding [batch, text_dim] -> mu and log sigma^2.

    Conditioning Augmentation, section 3.2, `CA_NET`: both come out of a ReLU.
    """
    embedding = keras.Input((text_dim,), name="embeddings")
    x = layers.Dense(
        2 * condition_dim, activation="relu", kernel_initializer=init()
    )(embedding)
    # As the noise that they go with: in full precision.
    x = layers.Activation("linear", dtype=keras.config.floatx())(x)
    return keras.Model(
        embedding, [x[:, :condition_dim], x[:, condition_dim:]], name="ca_net"
    )


def build_stage1_generator(
    image_shape: tuple[int, int, int],
    noise_dim: int,
    text_dim: int,
    condition_dim: int,
    width: int,
    name: str = "generator",
) -> keras.Model:
    """z and eps [batch, noise_dim + condition_dim], text embedding -> image."""
    size, _, channels = image_shape
    latents = keras.Input((noise_dim + condition_dim,), name="latents")
    embedding = keras.Input((text_dim,), name="embeddings")

    mean, log_variance = build_augmentation(text_dim, condition_dim)(embedding)
    z, noise = latents[:, :noise_dim], latents[:, noise_dim:]
    c = Reparametrize()([mean, log_variance, noise])
    filters = width * size // 8  # 1536 at 64x64, halved in every stage
    x = layers.Dense(
        16 * filters, use_bias=False, kernel_initializer=init(), name="fc"
    )(layers.Concatenate()([z, c]))
    x = layers.ReLU()(batch_norm(x))
    x = layers.Reshape((4, 4, filters))(x)
    while x.shape[1] < size:
        filters //= 2
        x = up_block(x, filters)  # 8, 8, 768], ..., [batch, 64, 64, 96]
    return keras.Model([latents, embedding], image_of(x, channels), name=name)


def build_stage2_generator(
    stage1: keras.Model,
    image_shape: tuple[int, int, int],
    condition_dim: int,
    width: int,
    num_blocks: int,
) -> keras.Model:
    """Latents [batch, Stage-I's + condition_dim], text embedding -> image.

    As the authors' `STAGE2_G` it holds the generator of Stage-I, and passes all
    latents but its own eps on to it.
    """
    size, _, channels = image_shape
    first, second = (x.shape[1] for x in stage1.inputs)
    latents = keras.Input((first + condition_dim,), name="latents")
    embedding = keras.Input((second,), name="embeddings")

    sketch = stage1([latents[:, :first], embedding])
    mean, log_variance = build_augmentation(second, condition_dim)(embedding)
    c = Reparametrize()([mean, log_variance, latents[:, first:]])
    x = layers.ReLU()(conv(sketch, width))  # [batch, 64, 64, 192]
    for filters in (2 * width, 4 * width):
        x = layers.ReLU()(batch_norm(conv(x, filters, size=4, strides=2)))
    x = layers.Concatenate()([x, Tile(x.shape[1])(c)])
    x = layers.ReLU()(batch_norm(conv(x, 4 * width)))  # [batch, 16, 16, 768]
    for _ in range(num_blocks):
        x = residual_block(x)
    filters = 4 * width
    while x.shape[1] < size:
        filters //= 2
        x = up_block(x, filters)  # 32, 32, 384], ..., [batch, 256, 256, 48]
    return keras.Model(
        [latents, embedding], image_of(x, channels), name="generator"
    )


def build_discriminator(
    image_shape: tuple[int, int, int],
    condition_dim: int,
    width: int,
    unconditional: bool,
) -> keras.Model:
    """Image and mu [batch, condition_dim] -> logits [batch, 1].

    Made of the models `encode_img`, `get_cond_logits` and, in Stage-II,
    `get_uncond_logits`, so that an image is looked at once for several texts.
    """
    image = keras.Input(image_shape, name="images")
    mean = keras.Input((condition_dim,), name="conditions")
    encoder = build_encoder(image_shape, width)
    features = encoder(image)
    logits = build_logits(features.shape[1:], condition_dim)([features, mean])
    if unconditional:
        whole = build_logits(features.shape[1:], None)(features)
        logits = [logits, whole]
    return keras.Model([image, mean], logits, name="discriminator")


def build_encoder(image_shape: tuple[int, int, int], width: int) -> keras.Model:
    """Image -> features [batch, 4, 4, 8 width] (4 width at 32 pixels)."""
    image = x = keras.Input(image_shape, name="images")
    filters = width
    while x.shape[1] > 4:
        x = down_block(x, filters, first=x is image)
        filters *= 2
    filters //= 2
    while filters > 8 * width:  # 3072 at 256x256
        filters //= 2
        x = layers.LeakyReLU(0.2)(batch_norm(conv(x, filters)))
    return keras.Model(image, x, name="encode_img")


def build_logits(
    features_shape: tuple[int, int, int], condition_dim: int | None
) -> keras.Model:
    """Features [batch, 4, 4, d], and mu if it is conditional, -> [batch, 1]."""
    features = x = keras.Input(features_shape, name="features")
    inputs, name = features, "get_uncond_logits"
    if condition_dim is not None:
        mean = keras.Input((condition_dim,), name="conditions")
        inputs, name = [features, mean], "get_cond_logits"
        x = layers.Concatenate()([features, Tile(4)(mean)])
        x = layers.LeakyReLU(0.2)(batch_norm(conv(x, features_shape[-1])))
    bound = (16 * features_shape[-1]) ** -0.5  # PyTorch's, of any bias
    x = layers.Conv2D(
        1,
        4,
        kernel_initializer=init(),
        bias_initializer=keras.initializers.RandomUniform(-bound, bound),
    )(x)  # [batch, 1, 1, 1]
    logit = layers.Reshape((1,), dtype=keras.config.floatx())(x)
    return keras.Model(inputs, logit, name=name)
