"""The data sets of the CycleGAN paper: "cyclegan/horse2zebra" and others.

From the zip files that the authors published, whose folders are `trainA`,
`trainB`, `testA` and `testB`, or from tensorflow-datasets' `cycle_gan/*`.
"""

from pathlib import Path, PurePosixPath

import numpy as np

from keras_gans.datasets.archive import unpacked
from keras_gans.datasets.data import ImageData
from keras_gans.datasets.folder import SUFFIXES, fitted
from keras_gans.datasets.unpaired import (
    FOLDERS,
    UnpairedData,
    from_folders,
    unpaired,
)
from keras_gans.files import cache_folder, first_line
from keras_gans.registry import unknown

NAMES = (
    "ae_photos",
    "apple2orange",
    "cezanne2photo",
    "cityscapes",
    "facades",
    "horse2zebra",
    "iphone2dslr_flower",
    "maps",
    "monet2photo",
    "summer2winter_yosemite",
    "ukiyoe2photo",
    "vangogh2photo",
)

# ImageNet's classes of the domains that have one, for measures by a classifier.
CLASSES = {
    "cyclegan/apple2orange": ("granny_smith", "orange"),
    "cyclegan/horse2zebra": ("sorrel", "zebra"),
}


def cyclegan(
    name: str,
    split: str,
    image_shape: tuple[int, int, int],
    source: Path | None = None,
    skip_broken: bool = False,
) -> UnpairedData:
    """A data set of the paper.

    Args:
        name: One of `NAMES`.
        split: "train" or "test".
        image_shape: What to make of each picture, as in `datasets.load`.
        source: The zip file, the folder that was in it, or None for
            tensorflow-datasets.
        skip_broken: Leave out pictures that cannot be read.

    Raises:
        ValueError: If the name is unknown, or `source` has another layout.
    """
    if name not in NAMES:
        raise ValueError(unknown("data set of CycleGAN", name, [*NAMES]))
    whole = f"cyclegan/{name}"
    if source is None:
        return _from_tfds(name, split, image_shape, whole)
    folder = unpacked(source, _place) if source.is_file() else source
    if (folder / name).is_dir():  # the folder that the zip was unpacked in
        folder = folder / name
    return from_folders(folder, split, image_shape, skip_broken, whole)


def _place(path: PurePosixPath) -> str | None:
    known = path.parent.name in FOLDERS and path.suffix.lower() in SUFFIXES
    return f"{path.parent.name}/{path.name}" if known else None


def _from_tfds(
    name: str, split: str, image_shape: tuple[int, int, int], whole: str
) -> UnpairedData:
    import tensorflow_datasets as tfds
    from PIL import Image

    try:
        builder = tfds.builder(
            f"cycle_gan/{name}", data_dir=cache_folder("tensorflow_datasets")
        )
        builder.download_and_prepare()
    except Exception as error:  # tfds raises many kinds
        words = first_line(error)[:200]
        raise ValueError(
            f"Expected tensorflow-datasets to prepare cycle_gan/{name}. "
            f"Received: {words}. Without a network, give the zip file as "
            "`data_dir`."
        ) from None
    sides = []
    for side in "AB":
        examples = tfds.as_numpy(builder.as_dataset(split=f"{split}{side}"))
        images = [
            fitted(Image.fromarray(example["image"]), image_shape)
            for example in examples
        ]
        data = ImageData(f"{split}{side}", np.stack(images), split=split)
        sides.append(data)
    return unpaired(*sides, name=whole)
