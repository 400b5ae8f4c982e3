"""The networks of CycleGAN: ResNet generators and 70x70 PatchGANs.

Johnson et al. 2016, arXiv:1603.08155, and Isola et al. 2017, arXiv:1611.07004,
as the CycleGAN authors' PyTorch code has them (`models/networks.py`).
"""

from typing import Any

import keras
from keras import layers, ops

from keras_gans.layers import Conv2D
from keras_gans.registry import serializable


@serializable
class InstanceNormalization(layers.Layer):
    """Each channel of each image to mean 0 and variance 1, and no more.

    Without scale and offset, as the authors' code has it (affine=False).
    Ulyanov et al. 2016, arXiv:1607.08022. Input and output: `[n, h, w, c]`.
    """

    def call(self, x: Any) -> Any:
        x32 = ops.cast(x, "float32") if self.compute_dtype != "float64" else x
        centred = x32 - ops.mean(x32, axis=(1, 2), keepdims=True)
        variance = ops.mean(ops.square(centred), axis=(1, 2), keepdims=True)
        return ops.cast(centred * ops.rsqrt(variance + 1e-5), x.dtype)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return input_shape


def conv_init() -> keras.initializers.Initializer:
    return keras.initializers.RandomNormal(0.0, 0.02)


def reflect(x: Any, n: int) -> Any:
    """Pad by n mirrored pixels on each side."""
    return ops.pad(x, ((0, 0), (n, n), (n, n), (0, 0)), mode="reflect")


def conv(x: Any, filters: int, size: int, strides: int = 1) -> Any:
    return Conv2D(
        filters, size, strides=strides, kernel_initializer=conv_init()
    )(x)


def build_generator(
    channels: int, width: int, num_blocks: int, name: str
) -> keras.Model:
    """Image [n, h, w, c] in [-1, 1] -> one of the other domain, as large.

    c7s1-64, d128, d256, R256 x `num_blocks`, u128, u64, c7s1-3 in the paper's
    words (appendix 7.2). h and w are any multiples of 4.
    """
    image = keras.Input((None, None, channels), name="images")
    x = conv(reflect(image, 3), width, 7)
    x = layers.ReLU()(InstanceNormalization()(x))  # [n, h, w, 64]
    for filters in (2 * width, 4 * width):
        # PyTorch pads all sides; "same" pads right and bottom only.
        x = conv(layers.ZeroPadding2D(1)(x), filters, 3, strides=2)
        x = layers.ReLU()(InstanceNormalization()(x))  # [n, h/4, w/4, 256]
    for _ in range(num_blocks):
        y = conv(reflect(x, 1), 4 * width, 3)
        y = layers.ReLU()(InstanceNormalization()(y))
        y = conv(reflect(y, 1), 4 * width, 3)
        x = layers.Add()([x, InstanceNormalization()(y)])  # no ReLU after
    for filters in (2 * width, width):
        x = layers.Conv2DTranspose(
            filters, 3, strides=2, kernel_initializer=conv_init()
        )(x)  # one row and column more than PyTorch's padding 1 leaves
        x = layers.Cropping2D(((1, 0), (1, 0)))(x)
        x = layers.ReLU()(InstanceNormalization()(x))  # [n, h, w, 64]
    x = conv(reflect(x, 3), channels, 7)
    # In full precision, whatever the policy: images are float32.
    image_out = layers.Activation("tanh", dtype=keras.config.floatx())(x)
    return keras.Model(image, image_out, name=name)


def build_discriminator(channels: int, width: int, name: str) -> keras.Model:
    """Image [n, h, w, c] -> logits [n, h/8 - 2, w/8 - 2, 1], a 70x70 PatchGAN.

    Each logit judges the 70 x 70 pixels that it sees: C64-C128-C256-C512
    (appendix 7.2).
    """
    image = keras.Input((None, None, channels), name="images")
    x = conv(layers.ZeroPadding2D(1)(image), width, 4, strides=2)
    x = layers.LeakyReLU(0.2)(x)  # [n, h/2, w/2, 64], no norm on the first
    for filters, strides in ((2 * width, 2), (4 * width, 2), (8 * width, 1)):
        x = conv(layers.ZeroPadding2D(1)(x), filters, 4, strides)
        x = layers.LeakyReLU(0.2)(InstanceNormalization()(x))
    x = conv(layers.ZeroPadding2D(1)(x), 1, 4)
    logits = layers.Activation("linear", dtype=keras.config.floatx())(x)
    return keras.Model(image, logits, name=name)
