"""A data set in memory, and its batches as a pure function of (seed, epoch)."""

import dataclasses
import hashlib
from typing import Any

import keras
import numpy as np

from keras_gans.images import from_uint8


@dataclasses.dataclass(frozen=True)
class ImageData:
    """Images as they come from files, with labels where they have some.

    Args:
        name: Of the data set.
        images: uint8 `[n, height, width, channels]`, an array or a memory map.
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
        return from_uint8(self.images), self.labels

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
        return from_uint8(self.images[:: max(1, -(-size // most_bytes))])

    def batches(
        self,
        batch_size: int = 64,
        seed: int = 0,
        labels: bool = False,
        flip: bool = False,
    ) -> "Batches":
        """The data as `fit` takes it, a `keras.utils.PyDataset`.

        Args:
            batch_size: Images a batch; the last of an epoch may have fewer.
            seed: Of the order of each epoch, and of the flips.
            labels: Give `(images, labels)` instead of images alone.
            flip: Mirror half of the images, left to right.

        Raises:
            ValueError: If `labels` are asked of a data set that has none.
        """
        if labels and self.labels is None:
            raise ValueError(
                f"Expected a data set with labels. Received: {self.name!r}, "
                "which has none. Leave out `labels=True`."
            )
        if not isinstance(batch_size, (int, np.integer)) or batch_size < 1:
            raise ValueError(
                "Expected `batch_size` as a positive integer. Received: "
                f"batch_size={batch_size!r}. The papers use about 64."
            )
        return Batches(self, batch_size, seed, labels, flip)


class Batches(keras.utils.PyDataset):
    """Shuffled batches whose order depends on (seed, epoch) and nothing else.

    Any batch of any epoch can be had at once, so a run that was stopped goes
    on where it was. Made by `ImageData.batches`.
    """

    keeps_order = True  # `fit` does not shuffle the batches again

    def __init__(
        self,
        data: ImageData,
        batch_size: int,
        seed: int,
        labels: bool = False,
        flip: bool = False,
    ):
        super().__init__()
        self.data = data
        self.batch_size = batch_size
        self.seed = seed
        self.labels = labels
        self.flip = flip
        self.epoch = 0
        self._order = (None, None)  # of the epoch that was asked for last

    def __len__(self) -> int:
        return -(-len(self.data) // self.batch_size)

    def __getitem__(self, index: int) -> Any:
        return self.batch(self.epoch, index)

    def on_epoch_end(self) -> None:
        self.epoch += 1

    def batch(self, epoch: int, index: int) -> Any:
        """Batch `index` of `epoch`: images in [-1, 1], or (images, labels)."""
        start = index * self.batch_size
        # Sorted: neighbours on a disk are read together.
        chosen = np.sort(self.order(epoch)[start : start + self.batch_size])
        images = from_uint8(self.data.images[chosen])
        if self.flip:
            generator = np.random.default_rng((self.seed, epoch, index))
            mirrored = generator.random(len(images)) < 0.5
            images[mirrored] = images[mirrored, :, ::-1]
        return (images, self.data.labels[chosen]) if self.labels else images

    def order(self, epoch: int) -> np.ndarray:
        """The permutation of an epoch."""
        kept_epoch, kept = self._order
        if kept_epoch != epoch:
            generator = np.random.default_rng((self.seed, epoch))
            kept = generator.permutation(len(self.data))
            self._order = (epoch, kept)
        return kept

    def steps(self, start: int, stop: int) -> "StepRange":
        """The batches of steps `start` to `stop`, counted over all epochs."""
        return StepRange(self, start, stop)


class StepRange(keras.utils.PyDataset):
    """Steps `start` to `stop` of an endless run over `Batches`."""

    keeps_order = True

    def __init__(self, batches: Batches, start: int, stop: int):
        # Two threads make the batches to come while a step is taken.
        super().__init__(workers=2, max_queue_size=8)
        self.batches = batches
        self.start = start
        self.stop = stop

    def __len__(self) -> int:
        return self.stop - self.start

    def __getitem__(self, index: int) -> Any:
        epoch, i = divmod(self.start + index, len(self.batches))
        return self.batches.batch(epoch, i)
