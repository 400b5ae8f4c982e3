"""How a training step gets several batches: n_critic of them, in one element.

`fit` hands a step one element of its data. A critic that takes five steps for
each of its generator's needs five batches: they come together, and the step
takes them apart again with `rows_in_turn`.
"""

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_gans.inputs import is_tf_dataset


def rows_in_turn(n: int, *tensors: Any) -> Iterator[tuple]:
    """The n batches within each tensor: rows t, t + n, t + 2 n, ... for t < n.

    Every row is in one of them. Where there are fewer rows than batches, they
    come again from the first, one a batch.

    Args:
        n: Number of batches.
        *tensors: `[rows, ...]` each, as many rows; or None, which stays so.

    Yields:
        A batch of each tensor.
    """
    rows = ops.shape(tensors[0])[0]
    # A replica may be left without a row, of an epoch's last batch.
    several = rows if isinstance(rows, int) else ops.maximum(rows, 1)
    for t in range(n):
        yield tuple(x if x is None else x[t % several :: n] for x in tensors)


def grouped(x: Any, n: int) -> Any:
    """A data set whose elements are n batches of `x` in one.

    Args:
        x: A `tf.data.Dataset`, a `keras.utils.PyDataset`, a PyTorch
            `DataLoader`, or an iterator.
        n: Batches a step.

    Raises:
        ValueError: If it is of another kind.
    """
    if is_tf_dataset(x):
        return _grouped_tf_dataset(x, n)
    if isinstance(x, keras.utils.PyDataset):
        return GroupedPyDataset(x, n)
    if isinstance(x, Iterator):
        return _grouped_batches(x, n)
    if getattr(x, "batch_sampler", None) is not None:
        return _grouped_loader(x, n)
    raise ValueError(
        "Expected an array, a tf.data.Dataset, a PyDataset, a DataLoader with "
        f"a `batch_sampler`, or a generator: a step takes {n} batches at once. "
        f"Received: {type(x).__name__}. Pass a generator that goes on for "
        "ever, with `steps_per_epoch`."
    )


class GroupedPyDataset(keras.utils.PyDataset):
    """A `PyDataset` that gives n batches of another as one."""

    def __init__(self, dataset: keras.utils.PyDataset, n: int):
        super().__init__(
            workers=dataset.workers,
            use_multiprocessing=dataset.use_multiprocessing,
            max_queue_size=dataset.max_queue_size,
        )
        self.dataset = dataset
        self.n = n

    @property
    def num_batches(self) -> int | None:
        batches = self.dataset.num_batches
        return None if batches is None else -(-batches // self.n)

    def __getitem__(self, index: int) -> Any:
        start, stop = index * self.n, (index + 1) * self.n
        if self.dataset.num_batches is not None:
            stop = min(stop, self.dataset.num_batches)
        return _as_one([self.dataset[i] for i in range(start, stop)])

    def on_epoch_begin(self) -> None:
        self.dataset.on_epoch_begin()

    def on_epoch_end(self) -> None:
        self.dataset.on_epoch_end()


def _as_one(batches: list[Any]) -> Any:
    """Batches, or tuples of them, behind one another."""
    if not isinstance(batches[0], (tuple, list)):
        return np.concatenate([ops.convert_to_numpy(b) for b in batches])
    return tuple(_as_one(list(parts)) for parts in zip(*batches, strict=True))


def _grouped_batches(batches: Iterable, n: int) -> Iterator:
    waiting = []
    for batch in batches:
        # Keras takes nothing but tuples from a generator.
        waiting.append(batch if isinstance(batch, (tuple, list)) else (batch,))
        if len(waiting) == n:
            yield _as_one(waiting)
            waiting = []
    if waiting:
        yield _as_one(waiting)


def _grouped_loader(loader: Any, n: int) -> Any:
    """The same `DataLoader`, but for its batches of indices."""
    from torch.utils.data import DataLoader

    class Sampler:
        def __iter__(self):
            batches = iter(loader.batch_sampler)
            while several := list(itertools.islice(batches, n)):
                yield list(itertools.chain.from_iterable(several))

        def __len__(self):
            return -(-len(loader.batch_sampler) // n)

    return DataLoader(
        loader.dataset,
        batch_sampler=Sampler(),
        num_workers=loader.num_workers,
        collate_fn=loader.collate_fn,
        worker_init_fn=loader.worker_init_fn,
    )


def _grouped_tf_dataset(dataset: Any, n: int) -> Any:
    import tensorflow as tf

    def as_one(*parts):
        # A ragged tensor where batches differ in size, as the last one may.
        parts = [
            part.values
            if isinstance(part, tf.RaggedTensor)
            else tf.reshape(part, tf.concat([[-1], tf.shape(part)[2:]], 0))
            for part in parts
        ]
        for part, spec in zip(parts, specs, strict=True):
            part.set_shape([None, *spec.shape[1:]])
        return tuple(parts) if len(parts) > 1 else parts[0]

    specs = tf.nest.flatten(dataset.element_spec)
    cardinality = int(dataset.cardinality())
    together = dataset.ragged_batch(n).map(as_one)
    if cardinality > 0:
        together = together.apply(
            tf.data.experimental.assert_cardinality(-(-cardinality // n))
        )
    return together
