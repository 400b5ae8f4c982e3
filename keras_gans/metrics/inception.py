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

Weights, layers' names and numbers are those of the PyTorch file that
pytorch-fid and torch-fidelity share, converted from that graph.
"""

import contextlib
import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from keras_gans.files import cache_folder, fetch, file_hash, written_aside
from keras_gans.registry import serializable

# The same 95,628,359 bytes as pytorch-fid's `pt_inception-2015-12-05-...pth`.
# The authors publish the first eight digits, in the file's name; the others are
# as several projects that pin either copy give them.
URL = (
    "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/"
    "weights-inception-2015-12-05-6726825d.pth"
)
SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"


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
    """Layers made within compute in `floatx`, whatever the dtype policy."""
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(keras.config.floatx())
    try:
        yield
    finally:
        keras.config.set_dtype_policy(policy)


def convert_inception(state_dict: Mapping[str, np.ndarray]) -> keras.Model:
    """The Keras network with the numbers of the PyTorch file.

    Args:
        state_dict: PyTorch's names to arrays: kernels `[out, in, height,
            width]`, `fc.weight` `[1008, 2048]`.

    Raises:
        ValueError: If an array is missing, too many, or of another shape.
    """
    model = build_inception()
    # BatchNorm's count of batches is a number for training.
    left = {
        key: np.asarray(value)
        for key, value in state_dict.items()
        if not key.endswith("num_batches_tracked")
    }

    def fill(layer, *keys, axes=None):
        for weight, key in zip(layer.weights, keys, strict=True):
            value = left.pop(key, np.empty(0))
            shape = value.shape
            if axes and value.ndim == len(axes):
                value = value.transpose(axes)
            if value.shape != tuple(weight.shape):
                raise ValueError(
                    f"Expected `state_dict` with {key} of {weight.shape} in "
                    f"Keras's order of axes. Received: shape={shape}. Give "
                    "that of inception-2015-12-05."
                )
            weight.assign(value)

    for layer in model.layers:
        # Mixed_5b_branch_pool_conv is Mixed_5b.branch_pool.conv there.
        name = layer.name.replace("_branch", ".branch")
        if isinstance(layer, layers.Conv2D):
            name = name.removesuffix("_conv")
            fill(layer, f"{name}.conv.weight", axes=(2, 3, 1, 0))
        elif isinstance(layer, layers.BatchNormalization):
            name = name.removesuffix("_bn") + ".bn"
            parts = ("weight", "bias", "running_mean", "running_var")
            fill(layer, *(f"{name}.{part}" for part in parts))
        elif isinstance(layer, layers.Dense):
            fill(layer, "fc.weight", axes=(1, 0))
        elif isinstance(layer, Bias):
            fill(layer, "fc.bias")
    if left:
        raise ValueError(
            "Expected a `state_dict` of inception-2015-12-05, nothing more. "
            f"Received: {sorted(left)[0]} and {len(left) - 1} others. Give the "
            "file that pytorch-fid or torch-fidelity publishes."
        )
    return model


def load_inception(path: str | Path | None = None) -> keras.Model:
    """The network with its published weights, fetched and converted once.

    The first call fetches 96 MB, checks them, and keeps a Keras file in the
    cache; later ones read that file and need neither network nor PyTorch.

    Args:
        path: The PyTorch file, where it is on this machine already.

    Returns:
        The model of `build_inception`; `SHA256` names its weights.

    Raises:
        ValueError: If the file can neither be found nor fetched, or is not
            that of `SHA256`.
        ImportError: If it has to be converted, and PyTorch is not installed.

    Example:

    ```python
    inception = load_inception()
    features = inception.predict(images, batch_size=32)["features"]
    ```
    """
    converted = (
        cache_folder("extractors") / f"inception-{SHA256[:8]}.weights.h5"
    )
    facts = converted.with_suffix(".json")
    if path is None and _is_whole(converted, facts):
        model = build_inception()
        model.load_weights(converted)
        return model
    model = convert_inception(_read(path))
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "inception.weights.h5"
        model.save_weights(whole)
        with written_aside(converted) as file:
            file.write(whole.read_bytes())
    with written_aside(facts) as file:
        record = {"sha256": file_hash(converted), "source_sha256": SHA256}
        file.write(json.dumps(record).encode())
    return model


def _is_whole(converted: Path, facts: Path) -> bool:
    """Whether the cached file is the one that was written, of this source."""
    try:
        record = json.loads(facts.read_text())
        return record == {
            "sha256": file_hash(converted),
            "source_sha256": SHA256,
        }
    except (OSError, ValueError):
        return False


def _published(path: str | Path | None) -> Path:
    """The published file, from `path` or fetched; its hash is checked."""
    name = URL.rpartition("/")[2]
    if path is None:
        # Where `fetch` looks before it asks the network.
        path = cache_folder("fetched", SHA256) / name
        try:
            fetch(URL, SHA256)
        except ValueError as error:
            if not path.is_file():  # one of the wrong hash is named below
                raise ValueError(
                    f"Expected the Inception weights in {path}, or a way to "
                    f"fetch them. Received: {error.__context__ or error}. "
                    f"Download {URL} on another machine and put the file there."
                ) from None
    path = Path(path)
    if not path.is_file():
        raise ValueError(
            f"Expected the Inception weights {name}. Received: path={path}, no "
            f"such file. Download {URL}, or leave `path` out."
        )
    if (received := file_hash(path)) != SHA256:
        raise ValueError(
            f"Expected the Inception weights of sha256 {SHA256}. Received: "
            f"{path} of sha256 {received}, {path.stat().st_size:,} bytes. "
            f"Delete it, and download {URL} again."
        )
    return path


def _read(path: str | Path | None) -> dict[str, np.ndarray]:
    """Arrays of the published file, without running code from it."""
    try:
        import torch  # first: without it, nothing need be fetched
    except ImportError:
        raise ImportError(
            "Expected PyTorch, which converts the Inception weights once. "
            "Received: no module `torch`. Install keras_gans[torch]."
        ) from None
    tensors = torch.load(
        _published(path), map_location="cpu", weights_only=True
    )
    return {key: tensor.numpy() for key, tensor in tensors.items()}
