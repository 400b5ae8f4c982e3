"""Oxford-102 flowers with captions, from a zip or a folder of its layout.

`flowers102/jpg/image_00001.jpg` ... and `flowers102/captions.tsv` with the
columns image, class, class_name, caption.
"""

import csv
from pathlib import Path, PurePosixPath

import numpy as np

from keras_gans.datasets.archive import unpacked
from keras_gans.datasets.data import ImageData
from keras_gans.datasets.folder import decode


def flowers102(
    source: Path, image_shape: tuple[int, int, int] = (64, 64, 3)
) -> ImageData:
    """All 8,189 images, with their class as label.

    Args:
        source: `flowers102.zip`, or the folder that was in it.
        image_shape: As in `datasets.load`.

    Raises:
        ValueError: If it has another layout.
    """
    folder = unpacked(source, _place) if source.is_file() else source
    captions = folder / "captions.tsv"
    if not captions.is_file():
        raise ValueError(
            "Expected flowers102.zip, or a folder with captions.tsv and jpg/. "
            f"Received: {str(source)!r}, which has no captions.tsv. Check the "
            "path."
        )
    with open(captions, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    columns = ("image", "class", "class_name", "caption")
    if not rows or any(name not in rows[0] for name in columns):
        raise ValueError(
            f"Expected {captions} with the columns {', '.join(columns)}. "
            f"Received: {', '.join(rows[0]) if rows else 'nothing'}. Unpack "
            "the data set again."
        )
    files = [folder / "jpg" / PurePosixPath(row["image"]).name for row in rows]
    missing = [f for f in files if not f.is_file()]
    if missing:
        raise ValueError(
            f"Expected every image that {captions} lists. Received: no "
            f"{missing[0]}. Unpack the data set again."
        )
    images, _ = decode(files, image_shape, False, folder)
    numbers = np.array([int(row["class"]) for row in rows], np.int64) - 1
    names = {int(row["class"]) - 1: row["class_name"] for row in rows}
    classes = tuple(names.get(i, "") for i in range(max(names) + 1))
    return ImageData("flowers102", images, numbers, classes)


def _place(path: PurePosixPath) -> str | None:
    if path.name == "captions.tsv":
        return path.name
    return f"jpg/{path.name}" if path.suffix == ".jpg" else None
