"""Layers, and parts of networks, that more than one paper uses."""

from typing import Any

import keras
from keras import ops

from keras_gans.backend import SeedGenerator, convolution, upsampled_convolution
from keras_gans.registry import serializable


def full(x: Any) -> Any:
    """As float32, whatever the policy: images, logits and scores are."""
    return keras.layers.Activation("linear", dtype=keras.config.floatx())(x)


def label_input(num_classes: int | None) -> list[Any]:
    """An input of classes `[batch]`, int32, if there are classes."""
    if num_classes is None:
        return []
    return [keras.Input((), dtype="int32", name="labels")]


def bare(*inputs: Any) -> Any:
    """What a network takes: a list, but a single input as it is."""
    return list(inputs) if len(inputs) > 1 else inputs[0]


def torch_uniform(fan_in: int) -> keras.initializers.Initializer:
    """Torch's default of weights and biases alike: U(+- 1 / sqrt(fan_in))."""
    return keras.initializers.RandomUniform(-(fan_in**-0.5), fan_in**-0.5)


@serializable
class Conv2D(keras.layers.Conv2D):
    """Keras's, and sooner done with few filters or after upsampling on a CPU.

    Its weights, outputs and gradients are Keras's. TensorFlow's convolution
    takes as long for 3 filters as for 16; without stride and padding, this one
    is a matrix product where that is faster: see
    `keras_gans.backend.tensorflow.convolution`.

    Args:
        upsample: Whether it is of `UpSampling2D(2)(images)`: see
            `keras_gans.backend.tensorflow.upsampled_convolution`.
        *args, **kwargs: As of `keras.layers.Conv2D`; with `upsample`, a kernel
            of 3x3, `padding="same"` and no strides, dilation or groups.

    Raises:
        ValueError: If `upsample` is asked with others.
    """

    def __init__(self, *args: Any, upsample: bool = False, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.upsample = upsample
        steps = {*self.strides, *self.dilation_rate, self.groups}
        self._one_step = steps == {1} and self.data_format == "channels_last"
        if upsample and not (
            self._one_step
            and self.kernel_size == (3, 3)
            and self.padding == "same"
        ):
            raise ValueError(
                "Expected a kernel of 3x3 and padding='same' alone beside "
                f"`upsample`. Received: kernel_size={self.kernel_size}, "
                f"padding={self.padding!r}, strides={self.strides}, "
                f"dilation_rate={self.dilation_rate}, groups={self.groups}, "
                f"data_format={self.data_format!r}. Put "
                "`keras.layers.UpSampling2D(2)` before it instead."
            )

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        if self.upsample:
            return upsampled_convolution(inputs, kernel)
        if self.padding == "valid" and self._one_step:
            return convolution(inputs, kernel)
        return super().convolution_op(inputs, kernel)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        if self.upsample:
            n, height, width, channels = input_shape
            input_shape = (
                n,
                height and 2 * height,
                width and 2 * width,
                channels,
            )
        return super().compute_output_shape(input_shape)

    def get_config(self) -> dict:
        return super().get_config() | {"upsample": self.upsample}


@serializable
class Dropout(keras.layers.Layer):
    """Dropout whose masks differ between replicas, and come back on a resume.

    Keras's own draws the same mask on every replica, and on PyTorch takes it
    from a global state that no file holds. Kept units are scaled by
    1 / (1 - rate) in training.

    Args:
        rate: Share of units set to zero, in [0, 1).

    Input and output: any shape.
    """

    def __init__(self, rate: float, **kwargs: Any):
        super().__init__(**kwargs)
        if not 0.0 <= rate < 1.0:
            raise ValueError(
                "Expected `rate` in [0, 1), the share of units set to zero. "
                f"Received: rate={rate}. The original GAN's are 0.2 and 0.5."
            )
        self.rate = rate
        self.seed_generator = SeedGenerator()
        self.built = True

    def call(self, x: Any, training: bool = False) -> Any:
        if not training or self.rate == 0.0:
            return x
        return keras.random.dropout(x, self.rate, seed=self.seed_generator)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return input_shape

    def get_config(self) -> dict:
        return super().get_config() | {"rate": self.rate}


@serializable
class Maxout(keras.layers.Layer):
    """The largest of several affine maps, unit by unit.

    h_i(x) = max_j (x^T W_ij + b_ij), j = 1 .. pieces. Learns its own convex
    activation. Goodfellow et al., "Maxout Networks", arXiv:1302.4389, eq. 1.

    Args:
        units: Number of outputs.
        pieces: k, affine maps a unit.
        kernel_initializer: Initializer of W; biases start at zero.

    Input: `[batch, features]`. Output: `[batch, units]`.

    Example:

    ```python
    keras_gans.layers.Maxout(240, pieces=5)
    ```
    """

    def __init__(
        self,
        units: int,
        pieces: int,
        kernel_initializer: Any = "glorot_uniform",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.units = units
        self.pieces = pieces
        self.affine = keras.layers.Dense(
            units * pieces,
            kernel_initializer=kernel_initializer,
            dtype=self.dtype_policy,
            name="affine",
        )

    def build(self, input_shape: tuple) -> None:
        self.affine.build(input_shape)
        self.built = True

    def call(self, x: Any) -> Any:
        pieces = ops.reshape(self.affine(x), (-1, self.units, self.pieces))
        return ops.max(pieces, axis=-1)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict:
        return super().get_config() | {
            "units": self.units,
            "pieces": self.pieces,
            "kernel_initializer": keras.initializers.serialize(
                self.affine.kernel_initializer
            ),
        }
