"""The networks of CycleGAN: ResNet generators and 70x70 PatchGANs.

Johnson et al. 2016, arXiv:1603.08155, and Isola et al. 2017, arXiv:1611.07004,
as the CycleGAN authors' PyTorch code has them (`models/networks.py`).
"""

from typing import Any

import keras
from keras import layers, ops

from keras_gans.backend import recomputed, with_pullback
from keras_gans.layers import Conv2D
from keras_gans.registry import serializable


@serializable
class InstanceNormalization(layers.Layer):
    """Each channel of each image to mean 0 and variance 1, and no more.

    Without scale and offset, as the authors' code has it (affine=False).
    Ulyanov et al. 2016, arXiv:1607.08022. Input and output: `[n, h, w, c]`.
    """

    def call(self, x: Any, training: bool = False) -> Any:
        return with_pullback(normalized, x) if training else normalized(x)[0]

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return input_shape


def normalized(x: Any) -> tuple:
    """`(x - mean) / sqrt(variance + 1e-5)`, and its derivative of that alone.

    TensorFlow would keep the centred images for it, besides the normalised.
    """
    dtype = keras.backend.standardize_dtype(x.dtype)
    full = "float64" if dtype == "float64" else "float32"

    def mean(x):
        return ops.mean(x, axis=(1, 2), keepdims=True)

    centred = ops.cast(x, full) - mean(ops.cast(x, full))
    scale = ops.rsqrt(mean(ops.square(centred)) + 1e-5)
    y = ops.cast(centred * scale, dtype)

    def pullback(dy):
        dy, y_full = ops.cast(dy, full), ops.cast(y, full)
        dx = scale * (dy - mean(dy) - y_full * mean(dy * y_full))
        return ops.cast(dx, dtype)

    return y, pullback


@serializable
class PaddedConv2D(Conv2D):
    """A convolution, with bias, of images with more pixels on all four sides.

    TensorFlow pads once more on the way back and keeps the images as they came,
    where it would keep a padded copy of each, and a rectified one.

    Args:
        pad: Pixels on each side. Keras's "same" puts more of them right and
            below where strides are 2; PyTorch has them alike.
        mode: "reflect", mirrored without the edge, or "constant", zeros.
        relu: Whether it is of `relu(images)`.
        *args, **kwargs: As of `keras.layers.Conv2D`, but for `padding`.

    Raises:
        ValueError: If `padding` is given, too.
    """

    def __init__(
        self,
        *args: Any,
        pad: int = 1,
        mode: str = "constant",
        relu: bool = False,
        **kwargs: Any,
    ):
        super().__init__(*args, **kwargs)
        if self.padding != "valid":
            raise ValueError(
                "Expected no `padding` beside `pad`. Received: "
                f"padding={self.padding!r}, pad={pad}. Leave it out."
            )
        self.pad = pad
        self.mode = mode
        self.relu = relu

    def call(self, inputs: Any, training: bool = False) -> Any:
        around = self.pad, self.pad

        def convolve(x, kernel):
            x = ops.relu(x) if self.relu else x
            x = ops.pad(x, ((0, 0), around, around, (0, 0)), mode=self.mode)
            return self.convolution_op(x, kernel)

        if training:
            y = recomputed(convolve, inputs, self.kernel)
        else:
            y = convolve(inputs, self.kernel)
        return y + self.bias

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        n, height, width, channels = input_shape
        sides = (side and side + 2 * self.pad for side in (height, width))
        return super().compute_output_shape((n, *sides, channels))

    def get_config(self) -> dict:
        return super().get_config() | {
            "pad": self.pad,
            "mode": self.mode,
            "relu": self.relu,
        }


@serializable
class Crop(layers.Layer):
    """Images without their first row and column.

    `layers.Cropping2D` has the same values; TensorFlow takes its derivative on
    one thread. Input: `[n, h, w, c]`. Output: `[n, h - 1, w - 1, c]`.
    """

    def call(self, x: Any) -> Any:
        n, height, width, channels = ops.shape(x)
        return ops.slice(x, (0, 1, 1, 0), (n, height - 1, width - 1, channels))

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        n, height, width, channels = input_shape
        return n, height and height - 1, width and width - 1, channels


def conv_init() -> keras.initializers.Initializer:
    return keras.initializers.RandomNormal(0.0, 0.02)


def conv(
    x: Any,
    filters: int,
    size: int,
    pad: int = 1,
    strides: int = 1,
    mode: str = "constant",
    relu: bool = False,
) -> Any:
    """`PaddedConv2D` with the authors' initial weights."""
    return PaddedConv2D(
        filters,
        size,
        strides=strides,
        pad=pad,
        mode=mode,
        relu=relu,
        kernel_initializer=conv_init(),
    )(x)


def up(x: Any, filters: int) -> Any:
    """Twice as large, by a transposed convolution of PyTorch's padding 1."""
    x = layers.Conv2DTranspose(
        filters, 3, strides=2, kernel_initializer=conv_init()
    )(x)  # one row and column more than are left there
    return Crop()(x)


def norm(x: Any) -> Any:
    return InstanceNormalization()(x)


def build_generator(
    channels: int, width: int, num_blocks: int, name: str
) -> keras.Model:
    """Image [n, h, w, c] in [-1, 1] -> one of the other domain, as large.

    c7s1-64, d128, d256, R256 x `num_blocks`, u128, u64, c7s1-3 in the paper's
    words (appendix 7.2). h and w are any multiples of 4.
    """
    image = keras.Input((None, None, channels), name="images")
    x = norm(conv(image, width, 7, pad=3, mode="reflect"))  # [n, h, w, 64]
    for filters in (2 * width, 4 * width):
        x = norm(conv(x, filters, 3, strides=2, relu=True))
    x = layers.ReLU()(x)  # [n, h/4, w/4, 256]
    for _ in range(num_blocks):
        y = norm(conv(x, 4 * width, 3, mode="reflect"))
        y = norm(conv(y, 4 * width, 3, mode="reflect", relu=True))
        x = layers.Add()([x, y])  # no ReLU after
    x = layers.ReLU()(norm(up(x, 2 * width)))
    x = norm(up(x, width))  # [n, h, w, 64]
    x = conv(x, channels, 7, pad=3, mode="reflect", relu=True)
    # In full precision, whatever the policy: images are float32.
    image_out = layers.Activation("tanh", dtype=keras.config.floatx())(x)
    return keras.Model(image, image_out, name=name)


def build_discriminator(channels: int, width: int, name: str) -> keras.Model:
    """Image [n, h, w, c] -> logits [n, h/8 - 2, w/8 - 2, 1], a 70x70 PatchGAN.

    Each logit judges the 70 x 70 pixels that it sees: C64-C128-C256-C512
    (appendix 7.2).
    """
    image = keras.Input((None, None, channels), name="images")
    x = conv(image, width, 4, strides=2)
    x = layers.LeakyReLU(0.2)(x)  # [n, h/2, w/2, 64], no norm on the first
    for filters, strides in ((2 * width, 2), (4 * width, 2), (8 * width, 1)):
        x = conv(x, filters, 4, strides=strides)
        x = layers.LeakyReLU(0.2)(norm(x))
    x = conv(x, 1, 4)
    logits = layers.Activation("linear", dtype=keras.config.floatx())(x)
    return keras.Model(image, logits, name=name)
