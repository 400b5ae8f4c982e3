"""Inception-v3 of 2015-12-05: the features under every published FID.

Christian Szegedy et al., "Rethinking the Inception Architecture for Computer
Vision", arXiv:1512.00567, in the graph that TensorFlow published on that day
(`inception-2015-12-05.tgz`: 1,008 classes) and that Heusel et al. (FID,
arXiv:1706.08500) and Salimans et al. (Inception Score, arXiv:1606.03498) used.

It is not the Inception of `keras.applications`, and its features are others:
- average pools leave the padding out of the mean;
- the last block pools by maximum, where the paper has an average;
- pixels are resized by TensorFlow 1's `resize_bilinear`, whose corners are off
  by half a pixel, and mapped by (x - 128) / 128.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
from keras import layers, ops

from keras_gans.registry import serializable


def resize_bilinear(images: Any, size: int) -> Any:
    """TensorFlow 1's `tf.image.resize_bilinear(align_corners=False)`.

    Output pixel i lies at input pixel i * in / out: no half-pixel centers, no
    antialiasing. Positions are float32, as there.

    Args:
        images: Float `[n, height, width, channels]`.
        size: Height and width of the result, in pixels.

    Returns:
        `[n, size, size, channels]` of the same dtype.
    """
    for axis in (2, 1):  # along each row, then between rows
        length = ops.shape(images)[axis]
        scale = ops.cast(length / size, "float32")
        position = ops.arange(size, dtype="float32") * scale
        low = ops.cast(ops.floor(position), "int32")
        high = ops.minimum(low + 1, length - 1)
        share = ops.cast(position - ops.floor(position), images.dtype)
        share = ops.reshape(share, (1, size, 1) if axis == 2 else (size, 1, 1))
        a = ops.take(images, low, axis=axis)
        images = a + (ops.take(images, high, axis=axis) - a) * share
    return images


@serializable
class InceptionInput(layers.Layer):
    """Images in [-1, 1] as the network of 2015 saw those of a PNG.

    Rounded to pixels 0..255 as `keras_gans.images.to_uint8` does, gray repeated
    to three channels, resized to 299 x 299, mapped to (x - 128) / 128.

    Input: `[n, height, width, 1 or 3]`. Output: `[n, 299, 299, 3]`.
    """

    def call(self, images: Any) -> Any:
        pixels = ops.clip(ops.round((images + 1.0) * 127.5), 0.0, 255.0)
        pixels = ops.broadcast_to(pixels, (*ops.shape(pixels)[:3], 3))
        return (resize_bilinear(pixels, 299) - 128.0) / 128.0

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (input_shape[0], 299, 299, 3)


@serializable
class Bias(layers.Layer):
    """Add one number to each feature. Input and output: `[n, features]`."""

    def build(self, input_shape: tuple) -> None:
        self.bias = self.add_weight(
            shape=input_shape[-1:], initializer="zeros", name="bias"
        )

    def call(self, x: Any) -> Any:
        return x + self.bias

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return input_shape


def conv(
    x: Any,
    name: str,
    filters: int,
    size: int | tuple[int, int],
    strides: int = 1,
    padding: str = "same",
) -> Any:
    """Convolution, BatchNorm, ReLU; they are `<name>_conv`, `_bn`, `<name>`."""
    x = layers.Conv2D(
        filters, size, strides, padding, use_bias=False, name=f"{name}_conv"
    )(x)
    # With gamma: the file has it, and torch-fidelity multiplies by it.
    x = layers.BatchNormalization(epsilon=1e-3, name=f"{name}_bn")(x)
    return layers.ReLU(name=name)(x)


def average_pool(x: Any) -> Any:
    # Keras leaves "same" padding out of the mean, as TensorFlow 1 does.
    return layers.AveragePooling2D(3, strides=1, padding="same")(x)


def block_a(x: Any, name: str, pool_filters: int) -> Any:
    """35 x 35: 1x1, 5x5, two 3x3, pool."""
    a = conv(x, f"{name}_branch1x1", 64, 1)

    b = conv(x, f"{name}_branch5x5_1", 48, 1)
    b = conv(b, f"{name}_branch5x5_2", 64, 5)

    c = conv(x, f"{name}_branch3x3dbl_1", 64, 1)
    c = conv(c, f"{name}_branch3x3dbl_2", 96, 3)
    c = conv(c, f"{name}_branch3x3dbl_3", 96, 3)

    d = conv(average_pool(x), f"{name}_branch_pool", pool_filters, 1)
    return layers.Concatenate(name=name)([a, b, c, d])


def block_b(x: Any, name: str) -> Any:
    """35 x 35 -> 17 x 17: 3x3, two 3x3, pool."""
    a = conv(x, f"{name}_branch3x3", 384, 3, 2, "valid")

    b = conv(x, f"{name}_branch3x3dbl_1", 64, 1)
    b = conv(b, f"{name}_branch3x3dbl_2", 96, 3)
    b = conv(b, f"{name}_branch3x3dbl_3", 96, 3, 2, "valid")

    c = layers.MaxPooling2D(3, strides=2)(x)
    return layers.Concatenate(name=name)([a, b, c])


def block_c(x: Any, name: str, filters: int) -> Any:
    """17 x 17: 1x1, 7x7 in two factors, twice 7x7 in four factors, pool."""
    a = conv(x, f"{name}_branch1x1", 192, 1)

    b = conv(x, f"{name}_branch7x7_1", filters, 1)
    b = conv(b, f"{name}_branch7x7_2", filters, (1, 7))
    b = conv(b, f"{name}_branch7x7_3", 192, (7, 1))

    c = conv(x, f"{name}_branch7x7dbl_1", filters, 1)
    c = conv(c, f"{name}_branch7x7dbl_2", filters, (7, 1))
    c = conv(c, f"{name}_branch7x7dbl_3", filters, (1, 7))
    c = conv(c, f"{name}_branch7x7dbl_4", filters, (7, 1))
    c = conv(c, f"{name}_branch7x7dbl_5", 192, (1, 7))

    d = conv(average_pool(x), f"{name}_branch_pool", 192, 1)
    return layers.Concatenate(name=name)([a, b, c, d])


def block_d(x: Any, name: str) -> Any:
    """17 x 17 -> 8 x 8: 3x3, 7x7 in two factors and 3x3, pool."""
    a = conv(x, f"{name}_branch3x3_1", 192, 1)
    a = conv(a, f"{name}_branch3x3_2", 320, 3, 2, "valid")

    b = conv(x, f"{name}_branch7x7x3_1", 192, 1)
    b = conv(b, f"{name}_branch7x7x3_2", 192, (1, 7))
    b = conv(b, f"{name}_branch7x7x3_3", 192, (7, 1))
    b = conv(b, f"{name}_branch7x7x3_4", 192, 3, 2, "valid")

    c = layers.MaxPooling2D(3, strides=2)(x)
    return layers.Concatenate(name=name)([a, b, c])


def block_e(x: Any, name: str, pooled: Any) -> Any:
    """8 x 8: 1x1, and 3x3 spread over 1x3 beside 3x1, once and twice, pool."""
    a = conv(x, f"{name}_branch1x1", 320, 1)

    b = conv(x, f"{name}_branch3x3_1", 384, 1)
    b1 = conv(b, f"{name}_branch3x3_2a", 384, (1, 3))
    b2 = conv(b, f"{name}_branch3x3_2b", 384, (3, 1))

    c = conv(x, f"{name}_branch3x3dbl_1", 448, 1)
    c = conv(c, f"{name}_branch3x3dbl_2", 384, 3)
    c1 = conv(c, f"{name}_branch3x3dbl_3a", 384, (1, 3))
    c2 = conv(c, f"{name}_branch3x3dbl_3b", 384, (3, 1))

    d = conv(pooled, f"{name}_branch_pool", 192, 1)
    return layers.Concatenate(name=name)([a, b1, b2, c1, c2, d])


def build_inception() -> keras.Model:
    """The network with random weights; `load_inception` fills in the real ones.

    In full precision whatever the dtype policy, and never trained.

    Input: images, float32 `[n, height, width, 1 or 3]` in [-1, 1], any size.
    They are rounded to pixels first: no gradient comes back through it.

    Output, a dictionary:
    - `features`: `[n, 2048]`, `pool_3`, for FID and KID;
    - `logits_unbiased`: `[n, 1008]`, without the last bias, for the Inception
      Score, which the original code computed so;
    - `logits`: `[n, 1008]`, with it.

    Example:

    ```python
    inception = build_inception()
    images = np.zeros((2, 28, 28, 1), "float32")
    inception.predict(images)["features"].shape  # (2, 2048)
    ```
    """
    with full_precision():
        image = keras.Input((None, None, None), name="images")
        x = InceptionInput(name="pixels")(image)  # [n, 299, 299, 3]
        x = conv(x, "Conv2d_1a_3x3", 32, 3, 2, "valid")  # [n, 149, 149, 32]
        x = conv(x, "Conv2d_2a_3x3", 32, 3, 1, "valid")  # [n, 147, 147, 32]
        x = conv(x, "Conv2d_2b_3x3", 64, 3)
        x = layers.MaxPooling2D(3, 2, name="MaxPool_1")(x)  # [n, 73, 73, 64]
        x = conv(x, "Conv2d_3b_1x1", 80, 1)
        x = conv(x, "Conv2d_4a_3x3", 192, 3, 1, "valid")  # [n, 71, 71, 192]
        x = layers.MaxPooling2D(3, 2, name="MaxPool_2")(x)  # [n, 35, 35, 192]

        x = block_a(x, "Mixed_5b", pool_filters=32)  # [n, 35, 35, 256]
        x = block_a(x, "Mixed_5c", pool_filters=64)  # [n, 35, 35, 288]
        x = block_a(x, "Mixed_5d", pool_filters=64)
        x = block_b(x, "Mixed_6a")  # [n, 17, 17, 768]
        x = block_c(x, "Mixed_6b", filters=128)
        x = block_c(x, "Mixed_6c", filters=160)
        x = block_c(x, "Mixed_6d", filters=160)
        x = block_c(x, "Mixed_6e", filters=192)
        x = block_d(x, "Mixed_7a")  # [n, 8, 8, 1280]
        x = block_e(x, "Mixed_7b", average_pool(x))  # [n, 8, 8, 2048]
        # The graph of 2015 has a maximum here, perhaps by mistake.
        pooled = layers.MaxPooling2D(3, strides=1, padding="same")(x)
        x = block_e(x, "Mixed_7c", pooled)

        features = layers.GlobalAveragePooling2D(name="features")(x)
        unbiased = layers.Dense(1008, use_bias=False, name="logits_unbiased")(
            features
        )
        logits = Bias(name="logits")(unbiased)
    outputs = {
        "features": features,
        "logits_unbiased": unbiased,
        "logits": logits,
    }
    model = keras.Model(image, outputs, name="inception")
    model.trainable = False
    return model


@contextlib.contextmanager
def full_precision() -> Iterator[None]:
    """Layers made within compute in float32, whatever the dtype policy.

    In float64 where that is `floatx`; half precision never is full.
    """
    policy, floatx = keras.config.dtype_policy(), keras.config.floatx()
    full = "float64" if floatx == "float64" else "float32"
    keras.config.set_floatx(full)
    keras.config.set_dtype_policy(full)
    try:
        yield
    finally:
        keras.config.set_floatx(floatx)
        keras.config.set_dtype_policy(policy)
