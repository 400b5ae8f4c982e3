"""The networks of WGAN-GP, as in igul222/improved_wgan_training.

Convolutions and linear layers start from U(+- sqrt 3 sigma), biases at zero.
BatchNorm is in generators only: a critic's penalty is on the slope at each
image, which must not depend on the others in its batch.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
from keras import layers, ops

from keras_gans.arguments import check_counts
from keras_gans.layers import bare, full, label_input
from keras_gans.models.toy_networks import (
    build_toy_discriminator,
    build_toy_generator,
)
from keras_gans.registry import serializable


def uniform(variance: float) -> keras.initializers.Initializer:
    bound = (3.0 * variance) ** 0.5
    return keras.initializers.RandomUniform(-bound, bound)


def conv(
    x: Any,
    filters: int,
    size: int,
    strides: int = 1,
    gain: float = 4.0,
    use_bias: bool = True,
) -> Any:
    """`tflib/ops/conv2d.py`: sigma^2 = gain / (fan_in + fan_out)."""
    fans = size * size * (x.shape[-1] + filters / strides**2)
    return layers.Conv2D(
        filters,
        size,
        strides=strides,
        padding="same",
        use_bias=use_bias,
        kernel_initializer=uniform(gain / fans),
    )(x)


def deconv(x: Any, filters: int, size: int = 5) -> Any:
    """`tflib/ops/deconv2d.py`: to twice the side."""
    fans = size * size * (x.shape[-1] / 2**2 + filters)
    return layers.Conv2DTranspose(
        filters,
        size,
        strides=2,
        padding="same",
        kernel_initializer=uniform(4.0 / fans),
    )(x)


@serializable
class ConditionalBatchNorm(layers.Layer):
    """BatchNorm with a scale and an offset of each class.

    Dumoulin et al. 2017, arXiv:1610.07629 (`tflib/ops/cond_batchnorm.py`).
    The class is a one-hot vector here, not an index: Keras's Adam squares the
    gradient of a row that is looked up twice before it is summed.

    Args:
        num_classes: Number of classes.

    Input: `[x, labels]`, `[batch, ..., channels]` and int32 `[batch]`. Output:
    as x.
    """

    def __init__(self, num_classes: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.num_classes = num_classes
        self.norm = layers.BatchNormalization(
            momentum=0.9,
            epsilon=1e-5,
            center=False,
            scale=False,
            dtype=self.dtype_policy,
            name="norm",
        )

    def build(self, input_shapes: list[tuple]) -> None:
        shape = (self.num_classes, input_shapes[0][-1])
        self.norm.build(input_shapes[0])
        self.scale = self.add_weight(shape, "ones", name="scale")
        self.offset = self.add_weight(shape, "zeros", name="offset")

    def call(self, inputs: list[Any], training: bool = False) -> Any:
        x, labels = inputs
        one_hot = ops.one_hot(labels, self.num_classes, dtype=x.dtype)
        shape = (-1, *(1 for _ in x.shape[1:-1]), x.shape[-1])
        scale, offset = (
            ops.reshape(ops.matmul(one_hot, ops.cast(table, x.dtype)), shape)
            for table in (self.scale, self.offset)
        )
        return self.norm(x, training=training) * scale + offset

    def compute_output_shape(self, input_shapes: list[tuple]) -> tuple:
        return input_shapes[0]

    def get_config(self) -> dict:
        return super().get_config() | {"num_classes": self.num_classes}


def batch_norm(x: Any, labels: list[Any], num_classes: int | None) -> Any:
    """BatchNorm; of each class, if there are classes."""
    if labels:
        return ConditionalBatchNorm(num_classes)([x, *labels])
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x)


@serializable
class LayerNorm(layers.Layer):
    """Each image to mean 0 and variance 1; a scale and an offset a channel.

    Ba et al. 2016, arXiv:1607.06450 (`tflib/ops/layernorm.py`). Keras's own on
    TensorFlow, as `tf.nn.moments` in the code, takes the mean for a constant
    within the variance: right for a gradient, wrong for the gradient of one.
    Input and output: `[batch, h, w, c]`.
    """

    def build(self, input_shape: tuple) -> None:
        shape = (input_shape[-1],)
        self.scale = self.add_weight(shape, "ones", name="scale")
        self.offset = self.add_weight(shape, "zeros", name="offset")

    def call(self, x: Any) -> Any:
        x32 = ops.cast(x, "float32") if self.compute_dtype != "float64" else x
        centred = x32 - ops.mean(x32, axis=(1, 2, 3), keepdims=True)
        variance = ops.mean(ops.square(centred), axis=(1, 2, 3), keepdims=True)
        y = ops.cast(centred * ops.rsqrt(variance + 1e-5), x.dtype)
        return y * self.scale + self.offset

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return input_shape


def layer_norm(x: Any) -> Any:
    return LayerNorm()(x)


def leaky_relu(x: Any) -> Any:
    # As the code writes it. TensorFlow's own logs an error where its gradient
    # is differentiated again.
    return ops.maximum(0.2 * x, x)


def critic_of(
    image: Any, features: Any, num_classes: int | None, scale: float = 1.0
) -> keras.Model:
    """Image `[batch, h, w, c]` -> score `[batch, 1]`; with classes, the list of
    it and their logits `[batch, num_classes]`, the auxiliary head."""
    score = full(layers.Dense(1)(features) * scale)
    if num_classes is None:
        return keras.Model(image, score, name="discriminator")
    logits = full(layers.Dense(num_classes)(features))
    return keras.Model(image, [score, logits], name="discriminator")


def doublings(image_shape: tuple[int, int, int]) -> int:
    """How often a 4x4 base is doubled, or a `ValueError`."""
    height, width, channels = image_shape
    if height != width or height < 16 or height & (height - 1):
        raise ValueError(
            "Expected `image_shape` square, with a side that is a power of two "
            "from 16 (a 4x4 base is doubled). Received: "
            f"image_shape={tuple(image_shape)}. Resize the images, to "
            f"(32, 32, {channels}) say, or take network='mnist' for 28x28."
        )
    return (height // 4).bit_length() - 1


def check_28(image_shape: tuple[int, int, int]) -> None:
    """Raise a `ValueError` unless images are of 28x28 pixels."""
    if tuple(image_shape[:2]) != (28, 28):
        raise ValueError(
            "Expected images of 28x28 pixels for network='mnist'. Received: "
            f"image_shape={tuple(image_shape)}. Take network='dcgan' for "
            "sides that are powers of two."
        )


# === gan_mnist.py ===


def build_mnist_generator(
    image_shape: tuple[int, int, int],
    latent_dim: int,
    width: int,
    num_classes: int | None = None,
) -> keras.Model:
    """z -> 28x28 pixels in [0, 1], given out in [-1, 1]. No BatchNorm."""
    check_28(image_shape)
    if num_classes is not None:
        raise ValueError(
            "Expected a generator with BatchNorm, which tells it the class. "
            f"Received: network='mnist', num_classes={num_classes}. Take "
            "network='resnet', with images resized to 32x32."
        )
    z = keras.Input((latent_dim,), name="latents")
    x = layers.ReLU()(layers.Dense(4 * 4 * 4 * width)(z))
    x = layers.Reshape((4, 4, 4 * width))(x)
    x = layers.ReLU()(deconv(x, 2 * width))  # [batch, 8, 8, 128]
    x = layers.Cropping2D(((0, 1), (0, 1)))(x)  # [batch, 7, 7, 128]
    x = layers.ReLU()(deconv(x, width))  # [batch, 14, 14, 64]
    pixels = layers.Activation("sigmoid", dtype=keras.config.floatx())(
        deconv(x, image_shape[-1])
    )
    return keras.Model(z, 2.0 * pixels - 1.0, name="generator")


def build_mnist_discriminator(
    image_shape: tuple[int, int, int],
    width: int,
    num_classes: int | None = None,
) -> keras.Model:
    """Image, as pixels in [0, 1] -> score; `gan_cifar.py`'s, but for them."""
    image = keras.Input(image_shape, name="images")
    x = (image + 1.0) / 2.0
    for filters in (width, 2 * width, 4 * width):
        x = leaky_relu(conv(x, filters, 5, strides=2))
    return critic_of(image, layers.Flatten()(x), num_classes)


# === gan_cifar.py ===


def build_dcgan_generator(
    image_shape: tuple[int, int, int],
    latent_dim: int,
    width: int,
    num_classes: int | None = None,
) -> keras.Model:
    n = doublings(image_shape)
    z = keras.Input((latent_dim,), name="latents")
    labels = label_input(num_classes)
    filters = width * 2 ** (n - 1)  # 512 at 32x32
    x = layers.Dense(4 * 4 * filters)(z)
    x = layers.ReLU()(batch_norm(x, labels, num_classes))  # each unit by itself
    x = layers.Reshape((4, 4, filters))(x)
    for i in reversed(range(n - 1)):
        x = deconv(x, width * 2**i)  # [batch, 8, 8, 256], ...
        x = layers.ReLU()(batch_norm(x, labels, num_classes))
    x = deconv(x, image_shape[-1])
    image = layers.Activation("tanh", dtype=keras.config.floatx())(x)
    return keras.Model(bare(z, *labels), image, name="generator")


def build_dcgan_discriminator(
    image_shape: tuple[int, int, int],
    width: int,
    num_classes: int | None = None,
) -> keras.Model:
    image = x = keras.Input(image_shape, name="images")
    for i in range(doublings(image_shape)):
        x = leaky_relu(conv(x, width * 2**i, 5, strides=2))
    return critic_of(image, layers.Flatten()(x), num_classes)


# === gan_cifar_resnet.py and the "good" ResNet of gan_64x64.py ===


def residual_block(
    x: Any,
    filters: int,
    resample: str | None = None,
    normalise: Callable[[Any], Any] = lambda x: x,
    first_bias: bool = True,
) -> Any:
    """x + c3(ReLU(N(c3(ReLU(N(x)))))), to half or twice the side.

    The shortcut's 1x1 convolution is done where there are fewer pixels. It
    commutes with pooling and with nearest-neighbour upsampling: the originals
    differ in the order, their functions do not.
    """
    y = layers.ReLU()(normalise(x))
    if resample == "up":
        y = layers.UpSampling2D()(y)
    middle = x.shape[-1] if resample == "down" else filters
    y = conv(y, middle, 3, use_bias=first_bias)
    y = conv(layers.ReLU()(normalise(y)), filters, 3)
    if resample == "down":
        x, y = layers.AveragePooling2D(2)(x), layers.AveragePooling2D(2)(y)
    if resample is not None or filters != x.shape[-1]:
        x = conv(x, filters, 1, gain=2.0)
    if resample == "up":
        x = layers.UpSampling2D()(x)
    return x + y


def build_resnet_generator(
    image_shape: tuple[int, int, int],
    latent_dim: int,
    width: int,
    num_classes: int | None = None,
) -> keras.Model:
    z = keras.Input((latent_dim,), name="latents")
    labels = label_input(num_classes)
    x = layers.Reshape((4, 4, width))(layers.Dense(4 * 4 * width)(z))
    for _ in range(doublings(image_shape)):  # 8, 16, 32
        x = residual_block(
            x, width, "up", lambda x: batch_norm(x, labels, num_classes)
        )
    x = conv(
        layers.ReLU()(batch_norm(x, [], None)), image_shape[-1], 3, gain=2.0
    )
    image = layers.Activation("tanh", dtype=keras.config.floatx())(x)
    return keras.Model(bare(z, *labels), image, name="generator")


def build_resnet_discriminator(
    image_shape: tuple[int, int, int],
    width: int,
    num_classes: int | None = None,
) -> keras.Model:
    image = keras.Input(image_shape, name="images")
    # The first block has no ReLU in front: the image is what it sees.
    y = layers.ReLU()(conv(image, width, 3))
    y = layers.AveragePooling2D(2)(conv(y, width, 3))
    x = conv(layers.AveragePooling2D(2)(image), width, 1, gain=2.0) + y
    for _ in range(doublings(image_shape) - 2):  # 8x8 at 32x32
        x = residual_block(x, width, "down")
    for _ in range(2):
        x = residual_block(x, width)
    features = layers.GlobalAveragePooling2D()(layers.ReLU()(x))
    return critic_of(image, features, num_classes)


def build_good_generator(
    image_shape: tuple[int, int, int],
    latent_dim: int,
    width: int,
    num_classes: int | None = None,
) -> keras.Model:
    n = doublings(image_shape)
    z = keras.Input((latent_dim,), name="latents")
    labels = label_input(num_classes)
    filters = width * 2 ** (n - 1)  # 512 at 64x64
    x = layers.Reshape((4, 4, filters))(layers.Dense(4 * 4 * filters)(z))
    for i in reversed(range(n)):  # 512, 256, 128, 64
        x = residual_block(
            x,
            width * 2**i,
            "up",
            lambda x: batch_norm(x, labels, num_classes),
            first_bias=False,
        )
    x = conv(layers.ReLU()(batch_norm(x, [], None)), image_shape[-1], 3)
    image = layers.Activation("tanh", dtype=keras.config.floatx())(x)
    return keras.Model(bare(z, *labels), image, name="generator")


def build_good_discriminator(
    image_shape: tuple[int, int, int],
    width: int,
    num_classes: int | None = None,
) -> keras.Model:
    n = doublings(image_shape)
    image = keras.Input(image_shape, name="images")
    x = conv(image, width, 3, gain=2.0)
    for i in range(1, n + 1):  # 128, 256, 512, 512
        filters = width * 2 ** min(i, n - 1)
        x = residual_block(x, filters, "down", layer_norm, first_bias=False)
    return critic_of(image, layers.Flatten()(x), num_classes)


# === The 101 layers of gan_64x64.py ===


def bottleneck_block(
    x: Any,
    filters: int,
    normalise: Callable[[Any], Any],
    resample: str | None = None,
) -> Any:
    """x + 0.3 N(c1(ReLU(c3(ReLU(c1(ReLU(x))))))), three layers."""
    y = conv(layers.ReLU()(x), x.shape[-1] // 2, 1)
    if resample == "up":
        y = deconv(layers.ReLU()(y), filters // 2, 3)
    else:
        strides = 2 if resample == "down" else 1
        y = conv(layers.ReLU()(y), filters // 2, 3, strides)
    y = conv(layers.ReLU()(y), filters, 1, use_bias=False)
    if resample == "up":
        # Each of the four pixels has a kernel of its own.
        height, width = x.shape[1:3]
        x = conv(x, 4 * filters, 1, gain=2.0)
        x = layers.Reshape((height, width, 2, 2, filters))(x)
        x = layers.Permute((1, 3, 2, 4, 5))(x)
        x = layers.Reshape((2 * height, 2 * width, filters))(x)
    elif resample == "down":
        x = conv(x, filters, 1, strides=2, gain=2.0)
    return x + 0.3 * normalise(y)


def plain_blocks(depth: int, n: int) -> list[int]:
    """Blocks that keep the size, at each of n + 1 sizes from 4x4 on.

    Three layers a block, n of which resample, and two at the ends.
    """
    check_counts(2 + 3 * (2 * n + 1), depth=depth)
    if (depth - 2) % 3:
        raise ValueError(
            "Expected `depth` as 2 more than a multiple of 3: blocks of three "
            f"layers, and two at the ends. Received: depth={depth}. Take "
            f"{depth - (depth - 2) % 3}."
        )
    blocks, more = divmod((depth - 2) // 3 - n, n + 1)
    return [blocks + (i < more) for i in range(n + 1)]


def build_bottleneck_generator(
    image_shape: tuple[int, int, int],
    latent_dim: int,
    width: int,
    num_classes: int | None = None,
    depth: int = 101,
) -> keras.Model:
    n = doublings(image_shape)
    check_counts(4, width=width)  # the last blocks have a quarter of it
    z = keras.Input((latent_dim,), name="latents")
    labels = label_input(num_classes)

    def normalise(x):
        return batch_norm(x, labels, num_classes)

    filters = width * 2 ** (n - 1)  # 512, and 32 in the end, at 64x64
    x = layers.Reshape((4, 4, filters))(layers.Dense(4 * 4 * filters)(z))
    for i, blocks in enumerate(plain_blocks(depth, n)):
        if i > 0:
            filters //= 2
            x = bottleneck_block(x, filters, normalise, "up")
        for _ in range(blocks):
            x = bottleneck_block(x, filters, normalise)
    x = conv(x, image_shape[-1], 1, gain=2.0)
    image = layers.Activation("tanh", dtype=keras.config.floatx())(x / 5.0)
    return keras.Model(bare(z, *labels), image, name="generator")


def build_bottleneck_discriminator(
    image_shape: tuple[int, int, int],
    width: int,
    num_classes: int | None = None,
    depth: int = 101,
) -> keras.Model:
    image = keras.Input(image_shape, name="images")
    filters = width // 2
    x = conv(image, filters, 1, gain=2.0)
    for i, blocks in enumerate(
        plain_blocks(depth, doublings(image_shape))[::-1]
    ):
        if i > 0:
            filters *= 2
            x = bottleneck_block(x, filters, layer_norm, "down")
        for _ in range(blocks):
            x = bottleneck_block(x, filters, layer_norm)
    return critic_of(image, layers.Flatten()(x), num_classes, scale=1.0 / 5.0)


@dataclasses.dataclass(frozen=True)
class Network:
    """Two networks, and how the authors train them.

    Args:
        build_generator: Of `(image_shape, latent_dim, width, num_classes)`.
        build_discriminator: Of `(image_shape, width, num_classes)`.
        width: DIM of the code.
        learning_rate: Of Adam, for both players.
        beta_1: Of Adam.
        decay_steps: Generator steps after which the rate is zero, or None.
        generator_batches: Size of the generator's batch over the critic's.
        scale: Of an image's unit over that of the critic's pixels.
    """

    build_generator: Callable
    build_discriminator: Callable
    width: int
    learning_rate: float = 1e-4
    beta_1: float = 0.0
    decay_steps: int | None = None
    generator_batches: int = 1
    scale: float = 1.0


NETWORKS = {
    "mnist": Network(
        build_mnist_generator,
        build_mnist_discriminator,
        width=64,
        beta_1=0.5,
        scale=2.0,  # pixels in [0, 1]
    ),
    "dcgan": Network(
        build_dcgan_generator, build_dcgan_discriminator, width=128, beta_1=0.5
    ),
    "resnet": Network(
        build_resnet_generator,
        build_resnet_discriminator,
        width=128,
        learning_rate=2e-4,
        decay_steps=100_000,
        generator_batches=2,
    ),
    "good": Network(build_good_generator, build_good_discriminator, width=64),
    "bottleneck": Network(
        build_bottleneck_generator, build_bottleneck_discriminator, width=64
    ),
    "toy": Network(
        build_toy_generator, build_toy_discriminator, width=512, beta_1=0.5
    ),
}
