"""The networks of ACGAN: keras-acgan's for MNIST, ACGAN-PyTorch's for CIFAR.

Generators take `[z, labels]`, labels int32 `[batch]`; discriminators give
logits `[batch, 1]` and `[batch, num_classes]`.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
from keras import layers, ops

from keras_gans.arguments import check_quarters
from keras_gans.layers import Dropout, full, torch_uniform
from keras_gans.models.dcgan import batch_norm, conv_init
from keras_gans.models.toy_networks import (
    build_toy_discriminator,
    build_toy_generator,
)
from keras_gans.models.wgan_gp_networks import doublings

# === lukedeo/keras-acgan, mnist_acgan.py ===


def glorot_normal() -> keras.initializers.Initializer:
    # Keras 1's, which cut nothing off.
    return keras.initializers.VarianceScaling(
        1.0, "fan_avg", "untruncated_normal"
    )


def build_mnist_generator(
    image_shape: tuple[int, int, int],
    num_classes: int,
    latent_dim: int,
    width: int,
) -> keras.Model:
    """z [batch, latent_dim] times the class's own vector -> image."""
    height, columns = check_quarters(image_shape)  # 7 x 7
    z = keras.Input((latent_dim,), name="latents")
    labels = keras.Input((), dtype="int32", name="labels")
    vectors = layers.Dense(
        latent_dim, use_bias=False, kernel_initializer=glorot_normal()
    )
    x = z * vectors(ops.one_hot(labels, num_classes))
    x = layers.Dense(8 * width, "relu")(x)
    x = layers.Dense(height * columns * width, "relu")(x)
    x = layers.Reshape((height, columns, width))(x)
    for filters in (2 * width, width):  # [batch, 14, 14, 256], ...
        x = layers.Conv2D(
            filters,
            5,
            padding="same",
            activation="relu",
            kernel_initializer=glorot_normal(),
        )(layers.UpSampling2D()(x))
    x = layers.Conv2D(
        image_shape[-1], 2, padding="same", kernel_initializer=glorot_normal()
    )(x)
    # In full precision, whatever the policy: images are float32.
    image = layers.Activation("tanh", dtype=keras.config.floatx())(x)
    return keras.Model([z, labels], image, name="generator")


def build_mnist_discriminator(
    image_shape: tuple[int, int, int], num_classes: int, width: int
) -> keras.Model:
    """Image -> logit [batch, 1] and logits of classes."""
    check_quarters(image_shape)
    image = x = keras.Input(image_shape, name="images")
    for i, strides in enumerate((2, 1, 2, 1)):
        x = layers.Conv2D(width * 2**i, 3, strides, padding="same")(x)
        x = Dropout(0.3)(layers.LeakyReLU(0.3)(x))
    x = layers.Flatten()(x)  # of [batch, 7, 7, 256]
    heads = [full(layers.Dense(n)(x)) for n in (1, num_classes)]
    return keras.Model(image, heads, name="discriminator")


# === clvrai/ACGAN-PyTorch, network.py ===


def dense(x: Any, units: int) -> Any:
    return layers.Dense(
        units,
        kernel_initializer=torch_uniform(x.shape[-1]),
        bias_initializer=torch_uniform(x.shape[-1]),
    )(x)


def build_cifar_generator(
    image_shape: tuple[int, int, int],
    num_classes: int,
    latent_dim: int,
    width: int,
) -> keras.Model:
    """z [batch, latent_dim] and classes -> image [batch, h, w, c]."""
    n = doublings(image_shape)
    z = keras.Input((latent_dim,), name="latents")
    labels = keras.Input((), dtype="int32", name="labels")
    filters = width * 2**n  # 384 at 32x32
    x = layers.Concatenate()([ops.one_hot(labels, num_classes), z])
    x = layers.Reshape((1, 1, filters))(dense(x, filters))
    for i in reversed(range(-1, n)):
        first, last = i == n - 1, i == -1
        x = layers.Conv2DTranspose(
            image_shape[-1] if last else width * 2**i,
            4,
            strides=1 if first else 2,
            padding="valid" if first else "same",
            use_bias=False,
            kernel_initializer=conv_init(),
        )(x)  # [batch, 4, 4, 192], ..., [batch, 32, 32, 3]
        if not last:
            x = layers.ReLU()(batch_norm(x))
    # In full precision, whatever the policy: images are float32.
    image = layers.Activation("tanh", dtype=keras.config.floatx())(x)
    return keras.Model([z, labels], image, name="generator")


def build_cifar_discriminator(
    image_shape: tuple[int, int, int], num_classes: int, width: int
) -> keras.Model:
    """Image -> logit [batch, 1] and logits of classes."""
    doublings(image_shape)  # or it raises
    image = x = keras.Input(image_shape, name="images")
    for i, strides in enumerate((2, 1, 2, 1, 2, 1)):
        x = layers.Conv2D(
            width * 2**i,
            3,
            strides,
            use_bias=False,
            kernel_initializer=conv_init(),
        )(layers.ZeroPadding2D(1)(x))
        if i > 0:  # not on the first layer
            x = batch_norm(x)
        x = Dropout(0.5)(layers.LeakyReLU(0.2)(x))
    x = layers.Flatten()(x)  # of [batch, 4, 4, 512]
    heads = [full(dense(x, n)) for n in (1, num_classes)]
    return keras.Model(image, heads, name="discriminator")


@dataclasses.dataclass(frozen=True)
class Network:
    """Two networks, and how they are trained.

    Args:
        build_generator: Of `image_shape`, `num_classes`, `latent_dim` and
            `width`.
        build_discriminator: Of `image_shape`, `num_classes` and `width`.
        widths: Of G and D, in the code.
        prior: Law of z.
        generator_batches: Batches that G draws for its own turn; 0 where it is
            judged by the images that D has just seen.
    """

    build_generator: Callable
    build_discriminator: Callable
    widths: tuple[int, int]
    prior: str
    generator_batches: int


NETWORKS = {
    "mnist": Network(
        build_mnist_generator,
        build_mnist_discriminator,
        (128, 32),
        "uniform",
        2,
    ),
    "cifar": Network(
        build_cifar_generator, build_cifar_discriminator, (48, 16), "normal", 0
    ),
    "toy": Network(
        build_toy_generator, build_toy_discriminator, (128, 128), "normal", 0
    ),
}
