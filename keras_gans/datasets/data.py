"""A data set in memory, and its batches as a pure function of (seed, epoch)."""

import dataclasses
import hashlib
from typing import Any

import keras
import numpy as np

from keras_gans.files import let_go
from keras_gans.images import from_uint8


@dataclasses.dataclass(frozen=True)
class ImageData:
    """Images as they come from files, with labels where they have some.

    Args:
        name: Of the data set.
        images: `[n, height, width, channels]`, an array or a memory map:
            uint8, or float32 in [-1, 1].
        labels: int64 `[n]`, or None.
        classes: Names of the classes, or none.
        split: Which part of the data set: "train", "test[:500]", ...
    """

    name: str
    images: np.ndarray
    labels: np.ndarray | None = None
    classes: tuple[str, ...] = ()
    split: str = "train"

    def __len__(self) -> int:
        return len(self.images)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        return tuple(self.images.shape[1:])

    def part(self, chosen: slice, split: str | None = None) -> "ImageData":
        """Some of the images, by a slice or an array of indices."""
        return dataclasses.replace(
            self,
            images=self.images[chosen],
            labels=None if self.labels is None else self.labels[chosen],
            split=split or self.split,
        )

    def arrays(self) -> tuple[np.ndarray, np.ndarray | None]:
        """`(images, labels)` with images as float32 in [-1, 1]."""
        return as_float(self.images), self.labels

    def fingerprint(self) -> str:
        """A hash of up to 1,000 images, evenly from the whole, and labels."""
        hasher = hashlib.sha256(repr(self.images.shape).encode())
        some = self.images[:: max(1, len(self) // 1000)]
        hasher.update(np.ascontiguousarray(some).tobytes())
        if self.labels is not None:
            hasher.update(np.ascontiguousarray(self.labels).tobytes())
        return hasher.hexdigest()[:16]

    def sample(self, most_bytes: int = 1 << 30) -> np.ndarray:
        """Images evenly from the whole, float32 in [-1, 1], a GiB at most."""
        size = 4 * self.images.size  # as float32
        return as_float(self.images[:: max(1, -(-size // most_bytes))])

    def batches(
        self,
        batch_size: int = 64,
        seed: int = 0,
        labels: bool = False,
        flip: bool = False,
        crop: tuple[int, int] | None = None,
    ) -> "Batches":
        """The data as `fit` takes it, a `keras.utils.PyDataset`.

        Args:
            batch_size: Images a batch; the last of an epoch may have fewer.
            seed: Of the order of each epoch, and of flips and crops.
            labels: Give `(images, labels)` instead of images alone.
            flip: Mirror half of the images, left to right.
            crop: `(height, width)` to cut of each image, anywhere in it.

        Raises:
            ValueError: If `labels` are asked of a data set that has none, or
                the images are smaller than `crop`.
        """
        if labels and self.labels is None:
            raise ValueError(
                f"Expected a data set with labels. Received: {self.name!r}, "
                "which has none. Leave out `labels=True`."
            )
        check_batching(self, batch_size, crop)
        return Batches(self, batch_size, seed, labels, flip, crop)


def as_float(images: np.ndarray) -> np.ndarray:
    """float32 in [-1, 1], of pixels or of what is so already; a copy."""
    if images.dtype == np.uint8:
        return from_uint8(images)
    return np.array(images, np.float32)


def read_rows(images: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Some images as float32 in [-1, 1]; nothing of a memory map stays."""
    read = as_float(images[chosen])
    let_go(images)
    return read


def augmented(
    images: np.ndarray,
    generator: np.random.Generator,
    flip: bool,
    crop: tuple[int, int] | None,
    n: int,
    rows: slice,
) -> np.ndarray:
    """Images `[rows, h, w, c]`, half of them mirrored, each cut somewhere.

    They are some rows of a batch of n, and what happens to them does not
    depend on which are here.
    """
    if flip:
        mirrored = (generator.random(n) < 0.5)[rows]
        images[mirrored] = images[mirrored, :, ::-1]
    if crop is None or crop == images.shape[1:3]:
        return images
    height, width = crop
    tops = generator.integers(images.shape[1] - height + 1, size=n)[rows]
    lefts = generator.integers(images.shape[2] - width + 1, size=n)[rows]
    return np.stack(
        [
            image[top : top + height, left : left + width]
            for image, top, left in zip(images, tops, lefts, strict=True)
        ]
    )


WHOLE = (0, 1)  # the only one of one share


def rows_of(share: tuple[int, int], n: int) -> slice:
    """Rows of share i of as many, of a batch of n: in order, and even.

    ```python
    rows_of((1, 2), 5)  # slice(2, 5)
    ```
    """
    i, shares = share
    return slice(n * i // shares, n * (i + 1) // shares)


def check_batching(
    data: ImageData, batch_size: int, crop: tuple[int, int] | None
) -> None:
    """Raise a `ValueError` where such batches cannot be made of the data."""
    if not isinstance(batch_size, (int, np.integer)) or batch_size < 1:
        raise ValueError(
            "Expected `batch_size` as a positive integer. Received: "
            f"batch_size={batch_size!r}. The papers use about 64."
        )
    height, width, _ = data.image_shape
    if crop is not None and (crop[0] > height or crop[1] > width):
        raise ValueError(
            f"Expected images of at least {crop[0]}x{crop[1]} pixels. "
            f"Received: {data.name!r} of {height}x{width}. Load them larger, "
            "or train on smaller ones: `image_shape`."
        )


class ShuffledBatches(keras.utils.PyDataset):
    """Abstract: batches whose order depends on (seed, epoch) and nothing else.

    Any batch of any epoch can be had at once, so a run that was stopped goes
    on where it was. A subclass writes `__len__` and `batch`.
    """

    keeps_order = True  # `fit` does not shuffle the batches again

    def __init__(
        self,
        data: Any,
        batch_size: int,
        seed: int,
        flip: bool = False,
        crop: tuple[int, int] | None = None,
    ):
        super().__init__()
        self.data = data
        self.batch_size = batch_size
        self.seed = seed
        self.flip = flip
        self.crop = crop
        self.epoch = 0
        self._orders = {}  # of each key, the epoch that was asked for last

    def __getitem__(self, index: int) -> Any:
        return self.batch(self.epoch, index)

    def on_epoch_end(self) -> None:
        self.epoch += 1

    def batch(
        self, epoch: int, index: int, share: tuple[int, int] = WHOLE
    ) -> Any:
        """Batch `index` of `epoch`, or share i of as many of it, from 0."""
        raise NotImplementedError

    def sizes(self) -> tuple[int, int]:
        """Images of an epoch's first batch, and of its last."""
        n = len(self.data)
        return min(n, self.batch_size), n % self.batch_size or self.batch_size

    def steps(self, start: int, stop: int) -> "StepRange":
        """The batches of steps `start` to `stop`, counted over all epochs."""
        return StepRange(self, start, stop)

    def order(self, epoch: int, n: int, *key: int) -> np.ndarray:
        """The permutation of n images in an epoch; another for each key."""
        kept_epoch, kept = self._orders.get(key, (None, None))
        if kept_epoch != epoch:
            generator = np.random.default_rng((self.seed, *key, epoch))
            kept = generator.permutation(n)
            self._orders[key] = (epoch, kept)
        return kept


class Batches(ShuffledBatches):
    """Images, or images and their labels. Made by `ImageData.batches`."""

    def __init__(
        self,
        data: ImageData,
        batch_size: int,
        seed: int,
        labels: bool = False,
        flip: bool = False,
        crop: tuple[int, int] | None = None,
    ):
        super().__init__(data, batch_size, seed, flip, crop)
        self.labels = labels

    def __len__(self) -> int:
        return -(-len(self.data) // self.batch_size)

    def batch(
        self, epoch: int, index: int, share: tuple[int, int] = WHOLE
    ) -> Any:
        """Batch `index` of `epoch`: images in [-1, 1], or (images, labels)."""
        start = index * self.batch_size
        order = self.order(epoch, len(self.data))
        # Sorted: neighbours on a disk are read together.
        chosen = np.sort(order[start : start + self.batch_size])
        n, rows = len(chosen), rows_of(share, len(chosen))
        chosen = chosen[rows]
        generator = np.random.default_rng((self.seed, epoch, index))
        images = read_rows(self.data.images, chosen)
        images = augmented(images, generator, self.flip, self.crop, n, rows)
        return (images, self.data.labels[chosen]) if self.labels else images


class StepRange(keras.utils.PyDataset):
    """Steps `start` to `stop` of an endless run over batches."""

    keeps_order = True
    whole_steps = True  # an element is all that a training step takes

    def __init__(self, batches: Any, start: int, stop: int):
        # Two threads make the batches to come while a step is taken.
        super().__init__(workers=2, max_queue_size=8)
        self.batches = batches
        self.start = start
        self.stop = stop

    def __len__(self) -> int:
        return self.stop - self.start

    def sizes(self) -> tuple[int, int]:
        """Images of an epoch's first batch, and of its last."""
        return self.batches.sizes()

    def __getitem__(self, index: int) -> Any:
        return self.part(index)

    def part(self, index: int, share: tuple[int, int] = WHOLE) -> Any:
        """The batch of a step, or a share of it."""
        epoch, i = divmod(self.start + index, len(self.batches))
        return self.batches.batch(epoch, i, share)
