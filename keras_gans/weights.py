"""A network's weights in a file: `.weights.h5`, as Keras reads them too."""

import os
import shutil
import tempfile
import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_gans.files import file_hash, first_line, flush_folder, written_aside


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


def save_model(model: keras.Model, path: Path) -> None:
    """Write a `.keras` file, which takes the place of an old one once whole.

    Raises:
        OSError: If there is no room; the old one stays.
    """
    with tempfile.TemporaryDirectory(prefix=".save_", dir=path.parent) as aside:
        whole = Path(aside) / path.name
        model.save(whole)
        with open(whole, "rb") as file:
            os.fsync(file.fileno())
        os.replace(whole, path)
    flush_folder(path.parent)


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
    if not is_whole(path, facts):
        raise ValueError(
            f"Expected {path} with {facts['size']} bytes and sha256 "
            f"{facts['sha256']}, as its card says. Received: {size} bytes of "
            f"something else: the file is damaged. Fetch the entry again."
        )
    before = network.get_weights()
    try:
        check_hdf5(path, size)
        # Keras warns at length, before it raises one error of the same.
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            network.load_weights(path)
        if not all(np.isfinite(w).all() for w in network.get_weights()):
            raise ValueError("NaN or infinity in them")
    except Exception as error:
        network.set_weights(before)
        raise ValueError(
            f"Expected {path} to hold the weights of this {network.name} "
            f"({network.count_params():,} numbers). Received: those of another "
            f"network ({first_line(error)[:200]}). Check config.json, and that "
            "this version of keras_gans saved it."
        ) from None
    for warning in said:
        warnings.warn_explicit(
            warning.message, warning.category, warning.filename, warning.lineno
        )


def is_whole(path: Path, facts: dict[str, Any]) -> bool:
    """Whether a file has the bytes that its card says."""
    return (
        path.is_file()
        and path.stat().st_size == facts["size"]
        and file_hash(path) == facts["sha256"].lower()
    )


def check_hdf5(file: Any, size: int) -> None:
    """Raise a `ValueError` unless a file holds the numbers that it claims to.

    What can be said in HDF5 and in no weights: links to other files, groups and
    arrays with two names, which a reader may never be done with, and arrays
    that are in the file by their shape only, or in chunks, which may be packed
    or far larger than their array.

    Args:
        file: A path, or an open binary file.
        size: Its bytes.
    """
    import h5py

    seen = set()  # addresses of groups and arrays
    numbers = 0  # bytes of all arrays

    def check(group: h5py.Group) -> None:
        nonlocal numbers
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise ValueError(f"a link to elsewhere, {name!r:.100}")
            item = group[name]
            address = h5py.h5o.get_info(item.id).addr
            if address in seen:
                raise ValueError(f"a second name of something, {name!r:.100}")
            seen.add(address)
            if isinstance(item, h5py.Group):
                check(item)
            elif not isinstance(item, h5py.Dataset) or item.dtype.kind == "O":
                raise ValueError(f"no numbers in {name!r:.100}")
            elif item.external or item.is_virtual:
                raise ValueError(f"an array of another file, {name!r:.100}")
            elif item.chunks is not None:
                raise ValueError(f"an array in chunks, {name!r:.100}")
            else:
                numbers += item.nbytes
            if numbers > size:
                raise ValueError(
                    f"arrays of more than the file's {size:,} bytes"
                )

    with h5py.File(file, "r") as content:
        seen.add(h5py.h5o.get_info(content["/"].id).addr)
        check(content)


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
