"""Images of two domains that do not belong together one by one."""

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_gans.datasets.data import (
    WHOLE,
    ImageData,
    ShuffledBatches,
    augmented,
    check_batching,
    read_rows,
    rows_of,
)
from keras_gans.inputs import check_values, is_tf_dataset, warn_if_half_range

FOLDERS = ("trainA", "trainB", "testA", "testB")


@dataclasses.dataclass(frozen=True)
class UnpairedData:
    """Two sets of images, of any two lengths. Made by `unpaired`.

    Args:
        name: Of the data set.
        a: Images of domain A.
        b: Images of domain B, of the same shape.
        split: Which part of the data set.
    """

    name: str
    a: ImageData
    b: ImageData
    split: str = "train"

    def __len__(self) -> int:
        """Pairs an epoch: every image of the larger domain is in one."""
        return max(len(self.a), len(self.b))

    @property
    def image_shape(self) -> tuple[int, int, int]:
        return self.a.image_shape

    def part(self, chosen: slice, split: str | None = None) -> "UnpairedData":
        """Some of the images of each domain, by a slice."""
        return dataclasses.replace(
            self,
            a=self.a.part(chosen, split),
            b=self.b.part(chosen, split),
            split=split or self.split,
        )

    def fingerprint(self) -> str:
        """A hash of up to 1,000 images of each domain."""
        both = self.a.fingerprint() + self.b.fingerprint()
        return hashlib.sha256(both.encode()).hexdigest()[:16]

    def batches(
        self,
        batch_size: int = 1,
        seed: int = 0,
        flip: bool = True,
        crop: tuple[int, int] | None = None,
    ) -> "UnpairedBatches":
        """Pairs of batches as `fit` takes them, a `keras.utils.PyDataset`.

        Args:
            batch_size: Images of each domain in a batch.
            seed: Of the order of each epoch, and of flips and crops.
            flip: Mirror half of the images, left to right.
            crop: `(height, width)` to cut of each image, anywhere in it.

        Raises:
            ValueError: If the images are smaller than `crop`.
        """
        for side in (self.a, self.b):
            check_batching(side, batch_size, crop)
        return UnpairedBatches(self, batch_size, seed, flip, crop)


class UnpairedBatches(ShuffledBatches):
    """Images of A and of B. Made by `UnpairedData.batches`.

    An epoch is one of the larger domain. The smaller goes through its own, a
    new permutation each, so that all its images are seen alike often.
    """

    def __len__(self) -> int:
        return -(-len(self.data) // self.batch_size)

    def batch(
        self, epoch: int, index: int, share: tuple[int, int] = WHOLE
    ) -> tuple[np.ndarray, np.ndarray]:
        """Batch `index` of `epoch`: images of A and of B, in [-1, 1]."""
        start = index * self.batch_size
        stop = min(start + self.batch_size, len(self.data))
        walked = epoch * len(self.data)
        places = range(walked + start, walked + stop)
        domains = enumerate((self.data.a, self.data.b))
        a, b = (self._images(i, data, places, share) for i, data in domains)
        return a, b

    def _images(
        self, side: int, data: ImageData, places: range, share: tuple[int, int]
    ) -> np.ndarray:
        """The images at some places of a domain's endless walk, or a share."""
        n, rows = len(places), rows_of(share, len(places))
        chosen = []
        for place in places[rows]:
            epoch, i = divmod(place, len(data))
            chosen.append(self.order(epoch, len(data), side)[i])
        generator = np.random.default_rng((self.seed, side, places.start))
        images = read_rows(data.images, chosen)
        return augmented(images, generator, self.flip, self.crop, n, rows)


def unpaired(a: Any, b: Any, name: str = "unpaired") -> UnpairedData:
    """Two domains as one data set.

    Args:
        a, b: An `ImageData`, or images `[n, height, width, channels]`, uint8 or
            float in [-1, 1], each.
        name: Of the data set.

    Raises:
        ValueError: If a domain is empty, or their images differ in shape.

    Example:

    ```python
    data = keras_gans.datasets.unpaired(horses, zebras)
    cyclegan.fit(data.batches(1))
    ```
    """
    a, b = (
        side if isinstance(side, ImageData) else ImageData(word, _array(side))
        for side, word in ((a, "A"), (b, "B"))
    )
    for side, word in ((a, "A"), (b, "B")):
        if not len(side):
            raise ValueError(
                "Expected at least one image of each domain. Received: none "
                f"of {word}. Check the folder or the filter that made it."
            )
    if a.image_shape != b.image_shape:
        raise ValueError(
            "Expected images of one shape in both domains. Received: "
            f"{a.image_shape} in A, {b.image_shape} in B. Resize one of them."
        )
    return UnpairedData(name, a, b, a.split)


def two_domains(
    a: Any,
    b: Any,
    image_shape: tuple[int, int, int],
    skip_broken: bool = False,
) -> Any:
    """What `CycleGAN.fit(a, b)` was given, as one data set of pairs.

    Args:
        a, b: Two folders of pictures, to be resized to 286/256 of
            `image_shape`; two `tf.data` sets of batches, the shorter of which
            is repeated; or what `unpaired` takes.
        image_shape: Of the model.
        skip_broken: Leave out a folder's pictures that cannot be read.

    Returns:
        An `UnpairedData`, or a `tf.data` set.

    Raises:
        ValueError: As `unpaired`; if a data set is of unknown length.
    """
    if is_tf_dataset(a) and is_tf_dataset(b):
        return _zipped(a, b)
    if isinstance(a, (str, Path)) and isinstance(b, (str, Path)):
        from keras_gans.datasets.folder import from_folder, pictures_in

        height, width, channels = image_shape
        larger = (round(height * 286 / 256), round(width * 286 / 256))
        for folder in (a, b):  # both, before one is decoded
            pictures_in([folder])
        shape = (*larger, channels)
        a, b = (from_folder(f, shape, skip_broken) for f in (a, b))
    for side in (a, b):
        if not (isinstance(side, ImageData) or hasattr(side, "shape")):
            raise ValueError(
                "Expected both domains as folders, arrays, `ImageData` or "
                f"`tf.data` sets. Received: {type(a).__name__} and "
                f"{type(b).__name__}. Other data sets go into one that gives "
                "(a, b)."
            )
    return unpaired(a, b)


def _zipped(a: Any, b: Any) -> Any:
    import tensorflow as tf

    lengths = [int(side.cardinality()) for side in (a, b)]
    if 0 in lengths:
        raise ValueError(
            "Expected at least one batch of each domain. Received: an empty "
            f"data set, cardinalities {lengths}. Check the filter that made "
            "it."
        )
    if min(lengths) < 0:
        raise ValueError(
            "Expected two data sets of known length. Received: cardinalities "
            f"{lengths}. Tell it by "
            "`tf.data.experimental.assert_cardinality`; of endless ones "
            "`.take(n)` an epoch."
        )
    pairs = tf.data.Dataset.zip((a.repeat(), b.repeat()))
    return pairs.take(max(lengths))


def _array(images: Any) -> np.ndarray:
    images = np.asarray(keras.ops.convert_to_numpy(images))
    if images.ndim != 4:
        raise ValueError(
            "Expected images [n, height, width, channels]. Received: "
            f"shape={images.shape}. Add the axis that is missing."
        )
    if len(images) and images.dtype != np.uint8:
        check_values(images)
        warn_if_half_range(images)
    return images


def from_folders(
    folder: Path,
    split: str,
    image_shape: tuple[int, int, int],
    skip_broken: bool = False,
    name: str | None = None,
) -> UnpairedData:
    """The folders `trainA` and `trainB`, or `testA` and `testB`, of a folder.

    Raises:
        ValueError: If one of them is missing, or has no readable picture.
    """
    from keras_gans.datasets.folder import from_folder, pictures_in

    if not folder.is_dir():
        raise ValueError(
            f"Expected a zip file, or a folder with {split}A and {split}B in "
            f"it. Received: {str(folder)!r}, which is neither. Check the path."
        )
    paths = [folder / f"{split}{side}" for side in "AB"]
    for side, path in zip("AB", paths, strict=True):
        if not path.is_dir():
            there = [f for f in FOLDERS if (folder / f).is_dir()]
            raise ValueError(
                f"Expected the folders {split}A and {split}B in {folder}. "
                f"Received: {', '.join(there) or 'none of them'}. Put the "
                f"pictures of domain {side} into {path.name}."
            )
        pictures_in([path])  # some in both, before one is decoded
    sides = [from_folder(path, image_shape, skip_broken) for path in paths]
    a, b = (dataclasses.replace(s, labels=None, split=split) for s in sides)
    data = unpaired(a, b, name or folder.resolve().name)
    return dataclasses.replace(data, split=split)
