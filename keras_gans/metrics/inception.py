"""The weights of Inception-v3 of 2015-12-05: fetched, checked, converted.

The network itself stands in `inception_network.py`. Weights, layers' names and
numbers are those of the PyTorch file that pytorch-fid and torch-fidelity share,
converted from TensorFlow's graph.
"""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np
from keras import layers

from keras_gans.files import cache_folder, fetch, file_hash, written_aside
from keras_gans.metrics.inception_network import Bias, build_inception

# The same 95,628,359 bytes as pytorch-fid's `pt_inception-2015-12-05-...pth`.
# The authors publish the first eight digits, in the file's name; the others are
# as several projects that pin either copy give them.
URL = (
    "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/"
    "weights-inception-2015-12-05-6726825d.pth"
)
SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"


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
    images = np.zeros((2, 28, 28, 1), "float32")
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
