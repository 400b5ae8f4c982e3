"""The networks of CGAN: the paper's for MNIST, convolutional ones, and a toy.

Every network takes `[x, labels]`, labels int32 `[batch]`.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import keras
from keras import layers, ops

from keras_gans.arguments import check_counts, check_quarters
from keras_gans.layers import Dropout, Maxout, full
from keras_gans.models.gan import image_head, pixels_of, uniform
from keras_gans.models.toy_networks import (
    build_toy_discriminator,
    build_toy_generator,
)

# === The paper's ===


def build_paper_generator(
    image_shape: tuple[int, int, int],
    num_classes: int,
    latent_dim: int,
    width: int,
    dropout: float,
) -> keras.Model:
    """z [batch, latent_dim] and classes -> image; ReLU, dropout behind it."""
    check_counts(24, width=width)
    z = keras.Input((latent_dim,), name="latents")
    labels = keras.Input((), dtype="int32", name="labels")
    x = concatenated(
        hidden(z, width // 6),  # 200
        hidden(ops.one_hot(labels, num_classes), width - width // 6),  # 1000
    )
    x = Dropout(dropout)(hidden(Dropout(dropout)(x), width))  # 1200
    image = image_head(x, image_shape, uniform(0.05))
    return keras.Model([z, labels], image, name="generator")


def build_paper_discriminator(
    image_shape: tuple[int, int, int], num_classes: int, width: int
) -> keras.Model:
    """Image and classes -> logit [batch, 1]; maxout, and dropout of 0.5."""
    image = keras.Input(image_shape, name="images")
    labels = keras.Input((), dtype="int32", name="labels")
    x, y = Dropout(0.2)(pixels_of(image)), ops.one_hot(labels, num_classes)
    x = maxout(x, width // 5, 5)  # 240 x 5
    # One of ten inputs is not zero, where of the pixels a hundred are.
    y = maxout(y, width // 24, 5, bound=0.05)  # 50 x 5
    x = Dropout(0.5)(concatenated(x, y))
    x = Dropout(0.5)(maxout(x, width // 5, 4))  # 240 x 4
    logit = full(layers.Dense(1, kernel_initializer=uniform(0.005))(x))
    return keras.Model([image, labels], logit, name="discriminator")


def hidden(x: Any, units: int) -> Any:
    return layers.Dense(units, "relu", kernel_initializer=uniform(0.05))(x)


def maxout(x: Any, units: int, pieces: int, bound: float = 0.005) -> Any:
    return Maxout(units, pieces, kernel_initializer=uniform(bound))(x)


# === train_cond_dcgan.py ===


def build_conv_generator(
    image_shape: tuple[int, int, int],
    num_classes: int,
    latent_dim: int,
    width: int,
) -> keras.Model:
    """z [batch, latent_dim] and classes -> image [batch, h, w, c]."""
    height, columns = check_quarters(image_shape)  # 7 x 7
    z = keras.Input((latent_dim,), name="latents")
    labels = keras.Input((), dtype="int32", name="labels")
    y = ops.one_hot(labels, num_classes)

    x = layers.ReLU()(batch_norm(dense(concatenated(z, y), 16 * width)))
    x = dense(concatenated(x, y), height * columns * 2 * width)
    x = layers.ReLU()(batch_norm(x))  # each unit by itself
    x = layers.Reshape((height, columns, 2 * width))(x)
    x = deconv(with_planes(x, y), width)  # [batch, 14, 14, 64]
    x = layers.ReLU()(batch_norm(x))
    x = deconv(with_planes(x, y), image_shape[-1])  # [batch, 28, 28, 1]
    # In full precision, whatever the policy: images are float32.
    pixels = layers.Activation("sigmoid", dtype=keras.config.floatx())(x)
    return keras.Model([z, labels], 2.0 * pixels - 1.0, name="generator")


def build_conv_discriminator(
    image_shape: tuple[int, int, int], num_classes: int, width: int
) -> keras.Model:
    """Image [batch, h, w, c] and classes -> logit [batch, 1]."""
    check_quarters(image_shape)
    image = keras.Input(image_shape, name="images")
    labels = keras.Input((), dtype="int32", name="labels")
    y = ops.one_hot(labels, num_classes)

    x = conv(with_planes((image + 1.0) / 2.0, y), width)
    x = layers.LeakyReLU(0.2)(x)  # [batch, 14, 14, 64]; no BatchNorm yet
    x = batch_norm(conv(with_planes(x, y), 2 * width))
    x = layers.Flatten()(layers.LeakyReLU(0.2)(x))  # of [batch, 7, 7, 128]
    x = batch_norm(dense(concatenated(x, y), 16 * width))
    x = layers.LeakyReLU(0.2)(x)
    logit = full(dense(concatenated(x, y), 1))
    return keras.Model([image, labels], logit, name="discriminator")


def normal() -> keras.initializers.Initializer:
    return keras.initializers.RandomNormal(0.0, 0.02)


def batch_norm(x: Any) -> Any:
    """Without a scale and an offset, as in the code, which adds 1e-8."""
    return layers.BatchNormalization(
        momentum=0.9, epsilon=1e-8, center=False, scale=False
    )(x)


def dense(x: Any, units: int) -> Any:
    return layers.Dense(units, use_bias=False, kernel_initializer=normal())(x)


def conv(x: Any, filters: int) -> Any:
    """To half the side, two zeros in front of it: Keras's "same" has one."""
    x = layers.ZeroPadding2D(((2, 1), (2, 1)))(x)
    return layers.Conv2D(
        filters, 5, 2, use_bias=False, kernel_initializer=normal()
    )(x)


def deconv(x: Any, filters: int) -> Any:
    """The transposed of `conv`, to twice the side."""
    x = layers.Conv2DTranspose(
        filters, 5, 2, use_bias=False, kernel_initializer=normal()
    )(x)
    return layers.Cropping2D(((2, 1), (2, 1)))(x)


def concatenated(*parts: Any) -> Any:
    return layers.Concatenate()(list(parts))


def with_planes(x: Any, y: Any) -> Any:
    """The one-hot class behind the channels of every pixel."""
    _, height, columns, _ = x.shape
    planes = layers.RepeatVector(height * columns)(y)
    planes = layers.Reshape((height, columns, y.shape[-1]))(planes)
    return concatenated(x, planes)


@dataclasses.dataclass(frozen=True)
class Network:
    """Two networks, and what they are trained with.

    Args:
        build_generator: Of `image_shape`, `num_classes`, `latent_dim` and
            `width`, the paper's of `dropout`, too.
        build_discriminator: Of `image_shape`, `num_classes` and `width`.
        width: Of the original.
        prior: Law of z.
    """

    build_generator: Callable
    build_discriminator: Callable
    width: int
    prior: str


NETWORKS = {
    "paper": Network(
        build_paper_generator, build_paper_discriminator, 1200, "unit_uniform"
    ),
    "convolutional": Network(
        build_conv_generator, build_conv_discriminator, 64, "uniform"
    ),
    "toy": Network(
        build_toy_generator,
        functools.partial(build_toy_discriminator, told=True),
        128,
        "normal",
    ),
}
