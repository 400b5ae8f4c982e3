"""Oxford-102 flowers with captions, from a zip or a folder of its layout.

`flowers102/jpg/image_00001.jpg` ... and `flowers102/captions.tsv` with the
columns image, class, class_name, caption.
"""

import dataclasses
from pathlib import Path, PurePosixPath

import numpy as np

from keras_gans.datasets.archive import unpacked
from keras_gans.datasets.captioned import CaptionedData, from_captions

# Test classes are every fifth: 20 of 102, none of which is trained on.
EVERY = 5


def flowers102(
    source: Path,
    split: str = "train",
    image_shape: tuple[int, int, int] = (64, 64, 3),
    skip_broken: bool = False,
) -> CaptionedData:
    """Images of flowers with a caption each, and their class as label.

    Args:
        source: `flowers102.zip`, or the folder that was in it.
        split: "train", 82 classes, or "test", the 20 others.
        image_shape, skip_broken: As in `datasets.load`.

    Raises:
        ValueError: If it has another layout.
    """
    folder = unpacked(source, _place) if source.is_file() else source
    if not (folder / "captions.tsv").is_file():
        raise ValueError(
            "Expected flowers102.zip, or a folder with captions.tsv and jpg/. "
            f"Received: {str(source)!r}, which has no captions.tsv. Check the "
            "path."
        )
    data = from_captions(
        folder, image_shape, skip_broken, "flowers102", first_class=1
    )
    if data.labels is None:
        raise ValueError(
            f"Expected {folder / 'captions.tsv'} with the column class. "
            "Received: one without. Unpack the data set again."
        )
    # Classes count from 1 in the file, from 0 here.
    is_test = (data.labels + 1) % EVERY == 0
    chosen = np.flatnonzero(is_test if split == "test" else ~is_test)
    return dataclasses.replace(data.part(chosen), split=split)


def _place(path: PurePosixPath) -> str | None:
    if path.name == "captions.tsv":
        return path.name
    return f"jpg/{path.name}" if path.suffix == ".jpg" else None
