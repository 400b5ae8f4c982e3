"""Encoders and decoders of the VAE, by the code that they come from."""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import layers, ops

from keras_gans.layers import bare, full, label_input, torch_uniform

# log sigma^2 of a Gaussian pixel is above this: sigma of one grey level of 255.
# Files tell no smaller difference, and without a floor a pixel that is black in
# every image has an infinite density.
FLOOR = 2.0 * math.log(1.0 / 255.0)


def pixels_of(image: Any) -> Any:
    """Image in [-1, 1] -> pixels in [0, 1], of the same shape."""
    return (image + 1.0) / 2.0


def build_generator(
    decoder: keras.Model, channels: int, likelihood: str
) -> keras.Model:
    """z `[batch, latent_dim]`, and classes -> the mean of p(x | z), an image.

    The decoder is the layer of that name in it.
    """
    said = decoder(bare(*decoder.inputs))
    if likelihood == "bernoulli":
        image = 2.0 * ops.sigmoid(said) - 1.0
    else:
        image = ops.clip(2.0 * said[..., :channels] - 1.0, -1.0, 1.0)
    return keras.Model(bare(*decoder.inputs), full(image), name="generator")


def encoder_of(image: Any, labels: list, mean: Any, spread: Any) -> keras.Model:
    """The model whose output is `[batch, 2 latent_dim]`, these two."""
    code = full(layers.Concatenate(name="code")([mean, spread]))
    return keras.Model(bare(image, *labels), code, name="encoder")


def with_classes(x: Any, labels: list, num_classes: int | None) -> Any:
    """A vector, and the one-hot class beside it, if there are classes."""
    classes = [ops.one_hot(y, num_classes) for y in labels]
    return layers.Concatenate()([x, *classes]) if classes else x


# === Fully connected: pytorch/examples and yburda/iwae ===


def glorot() -> dict[str, Any]:
    """Of weights U(+- sqrt(6 / (fan_in + fan_out))); biases of zero."""
    return {"kernel_initializer": keras.initializers.GlorotUniform()}


def torch_default(fan_in: int) -> dict[str, Any]:
    """Of weights and biases alike."""
    return {
        "kernel_initializer": torch_uniform(fan_in),
        "bias_initializer": torch_uniform(fan_in),
    }


def hidden_layers(x: Any, widths: Sequence[int], kind: "Kind") -> Any:
    for width in widths:
        x = layers.Dense(width, kind.activation, **kind.initial(x.shape[-1]))(x)
    return x


def build_dense_encoder(
    image_shape: tuple[int, int, int],
    latent_dim: int,
    widths: Sequence[int],
    num_classes: int | None,
    kind: "Kind",
) -> keras.Model:
    """Image -> hidden layers -> mean and spread of q(z | x); see `Kind`."""
    image = keras.Input(image_shape, name="images")
    labels = label_input(num_classes)
    x = layers.Flatten()(pixels_of(image))
    x = hidden_layers(with_classes(x, labels, num_classes), widths, kind)
    initial = kind.initial(x.shape[-1])
    mean = layers.Dense(latent_dim, name="mean", **initial)(x)
    initial = kind.initial(x.shape[-1])
    spread = layers.Dense(latent_dim, name="spread", **initial)(x)
    return encoder_of(image, labels, mean, spread)


def build_dense_decoder(
    image_shape: tuple[int, int, int],
    latent_dim: int,
    widths: Sequence[int],
    num_classes: int | None,
    heads: int,
    kind: "Kind",
) -> keras.Model:
    """z -> hidden layers -> what p(x | z) is, `[batch, h, w, heads * c]`."""
    z = keras.Input((latent_dim,), name="latents")
    labels = label_input(num_classes)
    x = with_classes(z, labels, num_classes)
    x = hidden_layers(x, widths[::-1], kind)
    height, width, channels = image_shape
    x = layers.Dense(
        height * width * heads * channels,
        name="pixels",
        **kind.initial(x.shape[-1]),
    )(x)
    x = layers.Reshape((height, width, heads * channels))(x)
    return keras.Model(bare(z, *labels), full(x), name="decoder")


# === Convolutional: keras.io, "Variational AutoEncoder" ===


def base_of(image_shape: tuple[int, int, int], halvings: int) -> list[int]:
    """Sides after so many halvings, or a `ValueError`."""
    sides = image_shape[:2]
    part = 2**halvings
    if any(side % part for side in sides):
        raise ValueError(
            f"Expected sides that are divisible by {part} for {halvings} "
            f"stages that halve. Received: image_shape={tuple(image_shape)}. "
            "Resize the images, or give fewer `widths`."
        )
    return [side // part for side in sides]


def build_conv_encoder(
    image_shape: tuple[int, int, int],
    latent_dim: int,
    widths: Sequence[int],
    num_classes: int | None,
    kind: "Kind",
) -> keras.Model:
    """Image -> stride-2 convolutions -> 16 -> mean and spread of q(z | x)."""
    base_of(image_shape, len(widths))
    image = keras.Input(image_shape, name="images")
    labels = label_input(num_classes)
    x = pixels_of(image)
    for y in labels:  # a plane a class
        planes = ops.one_hot(y, num_classes)[:, None, None]
        ones = ops.ones_like(x[..., :1])
        x = layers.Concatenate()([x, planes * ones])
    for width in widths:
        x = layers.Conv2D(width, 3, 2, "same", activation="relu")(x)
    x = layers.Dense(16, "relu")(layers.Flatten()(x))
    mean = layers.Dense(latent_dim, name="mean")(x)
    spread = layers.Dense(latent_dim, name="spread")(x)
    return encoder_of(image, labels, mean, spread)


def build_conv_decoder(
    image_shape: tuple[int, int, int],
    latent_dim: int,
    widths: Sequence[int],
    num_classes: int | None,
    heads: int,
    kind: "Kind",
) -> keras.Model:
    """z -> base -> transposed convolutions -> what p(x | z) is."""
    base = base_of(image_shape, len(widths))
    z = keras.Input((latent_dim,), name="latents")
    labels = label_input(num_classes)
    shape = (*base, widths[-1])
    x = with_classes(z, labels, num_classes)
    x = layers.Reshape(shape)(layers.Dense(math.prod(shape), "relu")(x))
    for width in widths[::-1]:
        x = layers.Conv2DTranspose(width, 3, 2, "same", activation="relu")(x)
    x = layers.Conv2DTranspose(
        heads * image_shape[-1], 3, padding="same", name="pixels"
    )(x)
    return keras.Model(bare(z, *labels), full(x), name="decoder")


@dataclasses.dataclass(frozen=True)
class Kind:
    """A family of networks, as the code that it comes from has it.

    Args:
        latent_dim: Length of z.
        widths: Units, or filters, of the encoder's layers; the decoder has them
            from last to first.
        build_encoder, build_decoder: Its networks.
        activation: Of hidden layers.
        initial: Of a layer's inputs, how its weights start.
        spread_scale: log sigma^2 over what the encoder's second head gives,
            which is log sigma in the IWAE's.
        adapts: Whether the last bias starts from the mean image.
    """

    latent_dim: int
    widths: tuple[int, ...]
    build_encoder: Callable[..., keras.Model]
    build_decoder: Callable[..., keras.Model]
    activation: str = "relu"
    initial: Callable[[int], dict[str, Any]] = lambda fan_in: glorot()
    spread_scale: float = 1.0
    adapts: bool = False


NETWORKS = {
    "mlp": Kind(
        20,
        (400,),
        build_dense_encoder,
        build_dense_decoder,
        initial=torch_default,
    ),
    "iwae": Kind(
        50,
        (200, 200),
        build_dense_encoder,
        build_dense_decoder,
        activation="tanh",
        spread_scale=2.0,
        adapts=True,
    ),
    "convolutional": Kind(2, (32, 64), build_conv_encoder, build_conv_decoder),
}
