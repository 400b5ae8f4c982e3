"""Data sets: `load` one by name, or a folder of your own pictures.

Images are uint8 where they are kept, and float32 in [-1, 1] where they are
used: `data.arrays()`, `data.batches(64)`. `toy` has distributions in the plane,
whose densities are known.
"""

import re
from pathlib import Path
from typing import Any

import numpy as np

from keras_gans.datasets import toy
from keras_gans.datasets.captioned import (
    CaptionedData,
    from_captions,
    has_captions,
)
from keras_gans.datasets.data import Batches, ImageData
from keras_gans.datasets.embedded import mnist_5k
from keras_gans.datasets.unpaired import (
    FOLDERS,
    UnpairedData,
    from_folders,
    unpaired,
)
from keras_gans.registry import unknown

__all__ = [
    "Batches",
    "CaptionedData",
    "ImageData",
    "UnpairedData",
    "load",
    "mnist_5k",
    "toy",
    "unpaired",
]

NAMES = (
    "cyclegan/horse2zebra",
    "fashion_mnist",
    "flowers102",
    "mnist",
    "mnist_5k",
)
HAVE_TEST_SPLIT = (
    "cyclegan/horse2zebra",
    "fashion_mnist",
    "flowers102",
    "mnist",
)

# What is made of pictures of two domains, as CycleGAN's paper has it.
TWO_DOMAINS = {"train": (286, 286, 3), "test": (256, 256, 3)}

# Under what terms the images are, for the cards of what was trained on them.
TERMS = {
    "cyclegan/horse2zebra": "photographs of ImageNet, for research use",
    "fashion_mnist": "MIT (Zalando)",
    "flowers102": "photographs for research use (Nilsback, Zisserman)",
    "mnist": "CC BY-SA 3.0 (LeCun, Cortes, Burges)",
    "mnist_5k": "CC BY-SA 3.0 (LeCun, Cortes, Burges)",
}


def load(
    name: str | Path,
    split: str = "train",
    source: str | None = None,
    data_dir: str | Path | None = None,
    image_shape: tuple[int, int, int] | None = None,
    skip_broken: bool = False,
) -> ImageData | UnpairedData:
    """Load a data set by name, or all pictures in a folder.

    Args:
        name: "mnist", "fashion_mnist", "mnist_5k" (in the package),
            "flowers102", or the path of a folder of pictures, any sizes and
            channels. Two domains are "cyclegan/horse2zebra" and the other data
            sets of that paper, or a folder with `trainA`, `trainB`, `testA`
            and `testB` in it. A folder with `captions.tsv` or `captions.jsonl`
            in it has images with captions, as flowers102 has.
        split: "train" or "test" where the data set has both; a part of it as
            in "train[:50000]" or "train[50000:]". Of flowers102 "test" is 20
            of the 102 classes, and "train" the others.
        source: For the MNISTs, "idx" reads the four original files in
            `data_dir`, "tfds" prepares them with tensorflow-datasets (from
            `data_dir` without a network). Defaults to "idx" with a `data_dir`,
            "tfds" without.
        data_dir: Where the original files are. For flowers102 and CycleGAN's
            the zip or its folder.
        image_shape: For pictures of any size, what to make of each. Defaults
            to (64, 64, 3); for two domains to (286, 286, 3), of which
            training cuts 256x256, and (256, 256, 3) of the test images.
        skip_broken: For folders, leave out pictures that cannot be read, that
            have no caption where others have, and captions without a picture.

    Returns:
        An `ImageData`, with captions a `CaptionedData`; of two domains an
        `UnpairedData`.

    Raises:
        ValueError: If the name, split or source is unknown, or a file is
            missing, damaged or not the original.

    Example:

    ```python
    data = keras_gans.datasets.load("mnist_5k")
    gan.fit(data.batches(64), epochs=10)
    ```
    """
    if not isinstance(name, (str, Path)) or not str(name):
        raise ValueError(
            "Expected the name of a data set, or a folder. Received: "
            f"name={name!r}. The names are {', '.join(NAMES)}."
        )
    if image_shape is not None:
        image_shape = _image_shape(image_shape)
    whole, part = _split(split)
    data_dir = None if data_dir is None else Path(data_dir)
    if source not in (None, "idx", "tfds"):
        raise ValueError(
            "Expected `source` to be 'idx' or 'tfds'. Received: "
            f"source={source!r}. Leave it out for the one that fits."
        )
    if name in ("mnist", "fashion_mnist"):
        from keras_gans.datasets.mnist import from_idx, from_tfds

        if source == "idx" or (source is None and data_dir is not None):
            if data_dir is None:
                raise ValueError(
                    "Expected `data_dir`, the folder of the four idx files. "
                    "Received: data_dir=None. Use source='tfds' to fetch them."
                )
            data = from_idx(name, whole, data_dir)
        else:
            data = from_tfds(name, whole, data_dir)
    elif name == "mnist_5k":
        from keras_gans.images import to_uint8

        images, labels = mnist_5k()
        data = ImageData(name, to_uint8(images), labels, tuple("0123456789"))
    elif name == "flowers102":
        from keras_gans.datasets.flowers102 import flowers102

        if data_dir is None:
            raise ValueError(
                "Expected `data_dir`, the path of flowers102.zip or its "
                "folder. Received: data_dir=None. Its pictures are for "
                "research and cannot be fetched from here."
            )
        data = flowers102(
            data_dir, whole, image_shape or (64, 64, 3), skip_broken
        )
    elif str(name).startswith("cyclegan/") and not Path(name).is_dir():
        from keras_gans.datasets.cyclegan import cyclegan

        data = cyclegan(
            str(name).removeprefix("cyclegan/"),
            whole,
            image_shape or TWO_DOMAINS[whole],
            data_dir,
            skip_broken,
        )
    elif any((Path(name) / f).is_dir() for f in FOLDERS):
        data = from_folders(
            Path(name), whole, image_shape or TWO_DOMAINS[whole], skip_broken
        )
    elif has_captions(Path(name)):
        data = from_captions(
            Path(name), image_shape or (64, 64, 3), skip_broken
        )
    elif Path(name).is_dir() or "/" in str(name):
        from keras_gans.datasets.folder import from_folder

        data = from_folder(name, image_shape or (64, 64, 3), skip_broken)
    else:
        raise ValueError(
            unknown("data set", str(name), [*NAMES])
            + " The path of a folder of pictures does, too."
        )
    if (
        whole != "train"
        and name not in HAVE_TEST_SPLIT
        and not isinstance(data, UnpairedData)
    ):
        raise ValueError(
            f"Expected `split` 'train' or a part of it: {name!r} has no "
            f"other. Received: split={split!r}. Use 'train[:90]' and "
            "'train[90:]', say."
        )
    data = data.part(part, split)
    sides = (data.a, data.b) if isinstance(data, UnpairedData) else (data,)
    if not all(map(len, sides)):
        raise ValueError(
            f"Expected a split with images. Received: split={split!r} of "
            f"{name!r}, which is empty. Count again."
        )
    return data


def _image_shape(image_shape: Any) -> tuple[int, int, int]:
    shape = tuple(image_shape) if np.iterable(image_shape) else ()
    if len(shape) != 3 or not all(isinstance(n, int) and n > 0 for n in shape):
        raise ValueError(
            "Expected `image_shape` as (height, width, channels), three "
            f"positive integers. Received: image_shape={image_shape!r}. RGB "
            "pictures of 64 pixels are (64, 64, 3)."
        )
    return shape


def split_range(split: str, n: int) -> tuple[str, range]:
    """ "train[-10:]" of 50 images -> ("train", range(40, 50))."""
    whole, part = _split(split)
    return whole, range(*part.indices(n))


def _split(split: str) -> tuple[str, slice]:
    """ "train[10:20]" -> ("train", slice(10, 20))."""
    pattern = r"(train|test)(?:\[(-?\d+)?:(-?\d+)?\])?"
    match = isinstance(split, str) and re.fullmatch(pattern, split)
    if not match:
        raise ValueError(
            "Expected `split` as 'train', 'test', or a part: "
            f"'train[:50000]'. Received: split={split!r}. Count in images."
        )
    whole, start, stop = match.groups()
    return whole, slice(
        int(start) if start else None, int(stop) if stop else None
    )
