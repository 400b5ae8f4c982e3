"""A network's weights in a file: `.weights.h5`, as Keras reads them too."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_gans.files import file_hash, written_aside


def save_network(
    network: keras.Model,
    path: str | Path,
    probe: np.ndarray | list[np.ndarray],
    largest_change: float = 0.02,
) -> dict[str, Any]:
    """Write a network's weights, in float16 where outputs hardly move.

    Args:
        network: A built Keras model.
        path: The file, `<network>.weights.h5`.
        probe: Inputs on which the outputs are compared.
        largest_change: Of any output, by which float16 is still accepted. 0.02
            of an image in [-1, 1] is two and a half of 256 gray levels.

    Returns:
        The file's facts for a card: sha256, size, dtype, output_change.
    """
    path = Path(path)

    def outputs():
        return keras.tree.flatten(network.predict(probe, verbose=0))

    before = outputs()
    exact = network.get_weights()
    rounded = [w.astype(np.float16).astype(w.dtype) for w in exact]
    try:
        network.set_weights(rounded)
        pairs = zip(outputs(), before, strict=True)
        change = float(max(np.abs(a - b).max() for a, b in pairs))
    finally:
        network.set_weights(exact)
    half = bool(change <= largest_change)  # False for NaN, too
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "network.weights.h5"
        network.save_weights(whole)
        if half:
            _to_float16(whole)
        with written_aside(path) as file, open(whole, "rb") as source:
            shutil.copyfileobj(source, file)
    return {
        "sha256": file_hash(path),
        "size": path.stat().st_size,
        "dtype": "float16" if half else "float32",
        "output_change": change if half else 0.0,
    }


def load_network(
    network: keras.Model, path: str | Path, facts: dict[str, Any]
) -> None:
    """Read a network's weights, once the file is shown to be the card's.

    Args:
        network: A built Keras model.
        path: The file.
        facts: Of the file, from the card: sha256 and size.

    Raises:
        ValueError: If the file is missing, truncated, altered, or of another
            network. The network is left as it was.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(
            f"Expected the weights {path}. Received: no such file. Fetch the "
            "entry again, or build the model untrained with weights=None."
        )
    size = path.stat().st_size
    if size != facts["size"] or file_hash(path) != facts["sha256"].lower():
        raise ValueError(
            f"Expected {path} with {facts['size']} bytes and sha256 "
            f"{facts['sha256']}, as its card says. Received: {size} bytes of "
            f"something else: the file is damaged. Fetch the entry again."
        )
    before = network.get_weights()
    try:
        network.load_weights(path)
    except Exception as error:
        network.set_weights(before)
        raise ValueError(
            f"Expected {path} to hold the weights of this {network.name} "
            f"({network.count_params():,} numbers). Received: those of another "
            f"network ({str(error).splitlines()[0][:200]}). Check config.json."
        ) from None


def _to_float16(path: Path) -> None:
    """Rewrite every array of an HDF5 file in half precision."""
    import h5py

    small = path.with_name("small.h5")
    with h5py.File(path, "r") as source, h5py.File(small, "w") as target:
        target.attrs.update(source.attrs)

        def copy(name, item):
            if isinstance(item, h5py.Dataset):
                is_float = np.issubdtype(item.dtype, np.floating)
                dtype = np.float16 if is_float else item.dtype
                copied = target.create_dataset(name, data=item[()], dtype=dtype)
            else:
                copied = target.require_group(name)
            copied.attrs.update(item.attrs)

        source.visititems(copy)
    small.replace(path)
