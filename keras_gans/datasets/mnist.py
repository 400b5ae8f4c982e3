"""MNIST and Fashion-MNIST, from their idx files or tensorflow-datasets."""

import gzip
import hashlib
import zlib
from pathlib import Path

import numpy as np

from keras_gans.datasets.data import ImageData
from keras_gans.files import cache_folder, first_line, regular

# Of the unpacked files: gzip headers differ from mirror to mirror.
FILES = {
    "train": (
        "train-images-idx3-ubyte.gz",
        "train-labels-idx1-ubyte.gz",
        60_000,
    ),
    "test": ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz", 10_000),
}
MD5 = {
    ("mnist", "train"): (
        "6bbc9ace898e44ae57da46a324031adb",
        "a25bea736e30d166cdddb491f175f624",
    ),
    ("mnist", "test"): (
        "2646ac647ad5339dbf082846283269ea",
        "27ae3e4e09519cfbb04c329615203637",
    ),
    ("fashion_mnist", "train"): (
        "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        "9018921c3c673c538a1fc5bad174d6f9",
    ),
    ("fashion_mnist", "test"): (
        "8181f5470baa50b63fa0f6fddb340f0a",
        "15d484375f8d13e6eb1aabb0c3f46965",
    ),
}
CLASSES = {
    "mnist": tuple("0123456789"),
    "fashion_mnist": (
        "T-shirt/top",
        "trouser",
        "pullover",
        "dress",
        "coat",
        "sandal",
        "shirt",
        "sneaker",
        "bag",
        "ankle boot",
    ),
}


def from_idx(name: str, split: str, folder: Path) -> ImageData:
    """Read the split from the four original files in `folder`.

    Raises:
        ValueError: If a file is missing, damaged, or not the original.
    """
    images_file, labels_file, n = FILES[split]
    images_md5, labels_md5 = MD5[name, split]
    images = read_idx(folder / images_file, (n, 28, 28), images_md5)
    labels = read_idx(folder / labels_file, (n,), labels_md5)
    return ImageData(
        name, images[..., None], labels.astype(np.int64), CLASSES[name]
    )


def read_idx(path: Path, shape: tuple[int, ...], md5: str) -> np.ndarray:
    """Read a gzipped idx file of bytes whose shape and hash are known."""
    # The header: 0, 0, type 8 (bytes), dimensions, then each as 4 bytes.
    header = bytes([0, 0, 8, len(shape)])
    header += b"".join(n.to_bytes(4, "big") for n in shape)
    size = len(header) + int(np.prod(shape))
    try:
        with gzip.open(regular(path)) as file:
            data = file.read(size + 1)  # no more, whatever it unpacks to
    except FileNotFoundError:
        raise ValueError(
            f"Expected the file {path.name} of the original data set. "
            f"Received: no such file in {path.parent}. Put the four .gz files "
            "there, or leave out `data_dir` to fetch them."
        ) from None
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(
            f"Expected {path} as a whole gzip file. Received: {error}. Fetch "
            "it again."
        ) from None
    if hashlib.md5(data).hexdigest() != md5 or data[: len(header)] != header:
        raise ValueError(
            f"Expected the original file {path.name}, md5 {md5} once "
            f"unpacked. Received: {path}, which holds something else. Fetch "
            "it again."
        )
    return np.frombuffer(data, np.uint8, offset=len(header)).reshape(shape)


def from_tfds(name: str, split: str, manual_dir: Path | None) -> ImageData:
    """Prepare the split with tensorflow-datasets, which keeps it in the cache.

    Args:
        manual_dir: A folder that holds the four original files, for a machine
            without a network; None downloads them.
    """
    import tensorflow_datasets as tfds

    for file in (f for *pair, _ in FILES.values() for f in pair):
        if manual_dir is not None and not (manual_dir / file).is_file():
            raise ValueError(
                f"Expected the file {file} of the original data set. "
                f"Received: no such file in {manual_dir}. Put the four .gz "
                "files there, or leave out `data_dir` to fetch them."
            )
    builder = tfds.builder(name, data_dir=cache_folder("tensorflow_datasets"))
    config = tfds.download.DownloadConfig(manual_dir=manual_dir)
    try:
        builder.download_and_prepare(download_config=config)
    except Exception as error:  # tfds raises many kinds
        words = first_line(error)[:200]
        raise ValueError(
            f"Expected tensorflow-datasets to prepare {name}. Received: "
            f"{words}. Without a network, give the folder of the four .gz "
            "files as `data_dir`."
        ) from None
    whole = tfds.as_numpy(builder.as_dataset(split=split, batch_size=-1))
    labels = whole["label"].astype(np.int64)
    return ImageData(name, whole["image"], labels, CLASSES[name])
