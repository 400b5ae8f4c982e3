"""LAPGAN's networks: a level's, the base's, and the chain of generators."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import keras
from keras import layers, ops

from keras_gans.arguments import check_counts, check_image_shape
from keras_gans.layers import (
    Dropout,
    bare,
    full,
    label_input,
    torch_uniform,
)
from keras_gans.pyramid import Upsample, check_halves, check_levels


def conv(x: Any, filters: int, size: int, **options: Any) -> Any:
    fan_in = size * size * x.shape[-1]
    return layers.Conv2D(
        filters,
        size,
        kernel_initializer=torch_uniform(fan_in),
        bias_initializer=torch_uniform(fan_in),
        **options,
    )(x)


def dense(x: Any, units: int, activation: Any = None, std: Any = None) -> Any:
    """Affine; weights from N(0, std^2) and no bias at first, or Torch's."""
    kernel = keras.initializers.RandomNormal(0.0, std) if std else None
    return layers.Dense(
        units,
        activation,
        kernel_initializer=kernel or torch_uniform(x.shape[-1]),
        bias_initializer="zeros" if std else torch_uniform(x.shape[-1]),
    )(x)


def with_classes(x: Any, labels: list[Any], num_classes: int | None) -> Any:
    """A vector, and the one-hot class beside it, if there are classes."""
    classes = [ops.one_hot(y, num_classes) for y in labels]
    return layers.Concatenate()([x, *classes]) if labels else x


def with_planes(x: Any, labels: list[Any], num_classes: int | None) -> Any:
    """Planes [batch, h, w, c], and one of the class behind them.

    The plane is a linear layer and a ReLU of the one-hot class.
    """
    _, height, width, _ = x.shape
    planes = [
        dense(ops.one_hot(y, num_classes), height * width, "relu")
        for y in labels
    ]
    planes = [layers.Reshape((height, width, 1))(plane) for plane in planes]
    return layers.Concatenate()([x, *planes]) if labels else x


# === A level ===


def build_generator(
    shape: tuple[int, int, int], width: int, num_classes: int | None
) -> keras.Model:
    """z [batch, h, w, 1], l = u(I_{k+1}) and classes -> h [batch, h, w, c]."""
    height, columns, channels = shape
    z = keras.Input((height, columns, 1), name="noise")
    low = keras.Input(shape, name="low")
    labels = label_input(num_classes)
    x = layers.Concatenate()([with_planes(z, labels, num_classes), low])
    x = layers.ReLU()(conv(x, width, 7, padding="same"))
    x = layers.ReLU()(conv(x, width, 7, padding="same"))
    detail = full(conv(x, channels, 5, padding="same"))
    return keras.Model([z, low, *labels], detail, name=f"generator_{height}")


def build_discriminator(
    shape: tuple[int, int, int], width: int, num_classes: int | None
) -> keras.Model:
    """Image l + h [batch, h, w, c] and classes -> logit [batch, 1]."""
    image = keras.Input(shape, name="images")
    labels = label_input(num_classes)
    x = with_planes(image, labels, num_classes)
    x = layers.ReLU()(conv(x, width, 5))  # 28 x 28 of 32
    x = layers.ReLU()(conv(x, width, 5, strides=2))  # 12 x 12
    x = Dropout(0.5)(layers.Flatten()(x))
    logit = full(dense(x, 1))
    name = f"discriminator_{shape[0]}"
    return keras.Model(bare(image, *labels), logit, name=name)


# === The base ===


def build_dense_generator(
    shape: tuple[int, int, int],
    noise_dim: int,
    width: int,
    num_classes: int | None,
) -> keras.Model:
    """z [batch, noise_dim] and classes -> image [batch, h, w, c].

    The authors' two scripts differ: without classes the second hidden layer is
    a sigmoid, and weights are drawn from N(0, 0.05^2).
    """
    height, columns, channels = shape
    z = keras.Input((noise_dim,), name="noise")
    labels = label_input(num_classes)
    x = with_classes(z, labels, num_classes)
    std, second = (None, "relu") if labels else (0.05, "sigmoid")
    x = dense(x, width, "relu", std)
    x = dense(x, width, second, std)
    x = full(dense(x, height * columns * channels, None, std))
    image = layers.Reshape(shape, dtype=keras.config.floatx())(x)
    return keras.Model(bare(z, *labels), image, name=f"generator_{height}")


def build_dense_discriminator(
    shape: tuple[int, int, int], width: int, num_classes: int | None
) -> keras.Model:
    """Image [batch, h, w, c] and classes -> logit [batch, 1]."""
    image = keras.Input(shape, name="images")
    labels = label_input(num_classes)
    x = with_classes(layers.Flatten()(image), labels, num_classes)
    std = None if labels else 0.005
    for _ in range(2):
        x = Dropout(0.5)(dense(x, width, "relu", std))
    logit = full(dense(x, 1, None, std))
    name = f"discriminator_{shape[0]}"
    return keras.Model(bare(image, *labels), logit, name=name)


def normal() -> keras.initializers.Initializer:
    return keras.initializers.RandomNormal(0.0, 0.02)  # as in dcgan.py


def build_conv_generator(
    shape: tuple[int, int, int],
    noise_dim: int,
    width: int,
    num_classes: int | None,
) -> keras.Model:
    """z [batch, noise_dim] and classes -> image [batch, h, w, c].

    In the manner of DCGAN; no stage doubles, the picture is small as it is.
    """
    height, columns, channels = shape
    z = keras.Input((noise_dim,), name="noise")
    labels = label_input(num_classes)
    x = with_classes(z, labels, num_classes)
    x = layers.Dense(
        height * columns * width, use_bias=False, kernel_initializer=normal()
    )(x)
    x = layers.Reshape((height, columns, width))(x)
    for filters in (width, width // 2 or 1):
        x = layers.ReLU()(batch_norm(x))
        x = layers.Conv2D(
            filters,
            3,
            padding="same",
            use_bias=False,
            kernel_initializer=normal(),
        )(x)
    x = layers.ReLU()(batch_norm(x))
    x = layers.Conv2D(channels, 3, padding="same", kernel_initializer=normal())(
        x
    )
    image = layers.Activation("tanh", dtype=keras.config.floatx())(x)
    return keras.Model(bare(z, *labels), image, name=f"generator_{height}")


def batch_norm(x: Any) -> Any:
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x)


def build_conv_discriminator(
    shape: tuple[int, int, int], width: int, num_classes: int | None
) -> keras.Model:
    """Image [batch, h, w, c] and classes -> logit [batch, 1]."""
    image = keras.Input(shape, name="images")
    labels = label_input(num_classes)
    x = with_planes(image, labels, num_classes)
    for filters, strides in ((width, 1), (2 * width, 2), (4 * width, 2)):
        x = layers.Conv2D(
            filters,
            3,
            strides=strides,
            padding="same",
            kernel_initializer=normal(),
        )(x)
        x = layers.LeakyReLU(0.2)(x)
    x = Dropout(0.5)(layers.Flatten()(x))
    logit = full(layers.Dense(1, kernel_initializer=normal())(x))
    name = f"discriminator_{shape[0]}"
    return keras.Model(bare(image, *labels), logit, name=name)


@dataclasses.dataclass(frozen=True)
class Base:
    """How the coarsest level's networks are built, and how wide."""

    build_generator: Callable
    build_discriminator: Callable
    widths: tuple[int, int]


BASES = {
    "dense": Base(
        build_dense_generator, build_dense_discriminator, (8000, 1600)
    ),
    "convolutional": Base(
        build_conv_generator, build_conv_discriminator, (128, 64)
    ),
}


# === The chain ===


def chained(
    generators: list[keras.Model], latent_dim: int, num_classes: int | None
) -> keras.Model:
    """I_k = u(I_{k+1}) + G_k(z_k, u(I_{k+1})), eq. 5, as one network.

    Args:
        generators: The base's and each level's, coarse to fine.
        latent_dim: Length of all noise together.
        num_classes: As everywhere.

    Returns:
        Latents [batch, latent_dim] and classes -> images [batch, h, w, c] in
        [-1, 1].
    """
    latents = keras.Input((latent_dim,), name="latents")
    labels = label_input(num_classes)
    start, image = 0, None
    for generator in generators:
        shape = generator.inputs[0].shape[1:]
        size = math.prod(shape)
        z = layers.Reshape(shape)(latents[:, start : start + size])
        start += size
        if image is None:
            image = generator(bare(z, *labels))
        else:
            low = Upsample()(image)
            image = low + generator([z, low, *labels])
    images = ops.clip(image, -1.0, 1.0)
    return keras.Model(bare(latents, *labels), images, name="generator")


# === Arguments ===


def pyramid_shapes(
    image_shape: tuple[int, int, int], levels: int
) -> list[tuple[int, int, int]]:
    """Shapes of all levels, coarse to fine, or a `ValueError`."""
    height, width, channels = check_image_shape(image_shape)
    check_levels(levels)
    check_halves((height, width), levels)
    shapes = [
        (height // 2**k, width // 2**k, channels)
        for k in reversed(range(levels))
    ]
    if min(shapes[0][:2]) < 5:
        raise ValueError(
            "Expected a coarsest level of at least 5x5 pixels: the "
            "discriminators above it have two 5x5 convolutions. Received: "
            f"image_shape={tuple(image_shape)}, levels={levels}, which is "
            f"{shapes[0][0]}x{shapes[0][1]}. Take fewer levels, or larger "
            "images."
        )
    return shapes


def check_base_widths(widths: Any) -> None:
    """Raise a `ValueError` unless they are two counts."""
    if not isinstance(widths, (tuple, list)) or len(widths) != 2:
        raise ValueError(
            "Expected `base_widths` as two integers, of the base's generator "
            f"and discriminator. Received: base_widths={widths!r}. The "
            "authors' are (8000, 1600)."
        )
    generator_width, discriminator_width = widths
    check_counts(
        **{
            "base_widths[0]": generator_width,
            "base_widths[1]": discriminator_width,
        }
    )
