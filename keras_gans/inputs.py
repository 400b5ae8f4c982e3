"""What `fit` takes, checked before it costs anything.

Arrays are looked at whole. A data set is looked at batch by batch while it is
read: every image that a step sees has been checked. Of a torch `DataLoader`,
which Keras must read by itself, the first batch is; of what is dealt out to
replicas already, the shapes.
"""

import contextlib
import dataclasses
import re
import sys
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np

# Bicubic resizing and half precision step a little over the edge.
TOLERANCE = 1e-3


@dataclasses.dataclass(frozen=True)
class Contract:
    """What a model trains on; plain facts, which a worker process can have.

    Args:
        model: Name of the model's class.
        image_shape: `(height, width, channels)`.
        two_domains: Whether a batch is `(images of A, images of B)`.
        text_dim: Width of the embeddings that come with the images, or None.
        num_classes: Of the labels that come with the images, or None.
    """

    model: str
    image_shape: tuple[int, int, int]
    two_domains: bool = False
    text_dim: int | None = None
    num_classes: int | None = None

    @classmethod
    def of(cls, model: keras.Model) -> "Contract":
        return cls(
            type(model).__name__,
            tuple(model.image_shape),
            model.two_domains,
            model.text_dim,
            model.num_classes,
        )

    @property
    def dims(self) -> str:
        return ", ".join(map(str, self.image_shape))

    def checked_batch(self, batch: Any) -> Any:
        """Check one `(images,)`, `(images, labels)` or bare batch.

        Returns:
            The batch, with labels as class numbers.
        """
        x, y, _ = keras.utils.unpack_x_y_sample_weight(batch)
        self.check_labels(y is not None)
        self.check_images(np.asarray(keras.ops.convert_to_numpy(x)))
        if self.num_classes is not None:
            return x, self.checked_classes(len(x), y)
        if y is not None:
            y = np.asarray(keras.ops.convert_to_numpy(y))
        if self.two_domains:
            self.check_images(y)
        if self.text_dim is not None:
            self.check_texts(len(x), y)
        return batch

    def checked_classes(self, images: int, labels: Any) -> np.ndarray:
        """The class of each image, int32 `[images]`, or a `ValueError`.

        Args:
            images: How many there are.
            labels: Class numbers `[images]`, or one-hot rows
                `[images, num_classes]`.
        """
        try:
            labels = np.asarray(
                labels
                if isinstance(labels, (list, tuple))
                else keras.ops.convert_to_numpy(labels)
            )
        except ValueError:  # lists of several lengths
            labels = np.asarray(labels, dtype=object)
        last = self.num_classes - 1
        if labels.shape == (images, self.num_classes):
            ones = labels == 1
            if ((labels == 0) | ones).all() and (ones.sum(-1) == 1).all():
                return labels.argmax(-1).astype(np.int32)
            got = "rows that are not one-hot"
            fix = "Take the likeliest class, `labels.argmax(-1)`."
        elif labels.dtype.kind == "f" and (labels != labels.round()).any():
            got = f"{labels[labels != labels.round()][0]}"
            fix = "Number the classes from 0."
        elif labels.dtype.kind not in "iuf":
            got = f"an array of {labels.dtype}"
            fix = "Number the classes from 0."
        elif labels.ndim == 2 and labels.shape[1] > 1:
            got = f"rows of {labels.shape[1]}, shape={labels.shape}"
            fix = f"One-hot rows are of {self.num_classes}."
        elif labels.shape == (images, 1):
            got, fix = f"shape={labels.shape}", "Take `labels[:, 0]`."
        elif labels.shape != (images,):
            got = f"shape={labels.shape}"
            fix = "Give as many as there are images, or leave some images out."
        elif images and not (0 <= labels.min() and labels.max() <= last):
            got = f"labels from {labels.min()} to {labels.max()}"
            fix = "Number them from 0, or set another `num_classes`."
        else:
            return labels.astype(np.int32)
        raise ValueError(
            f"Expected a label for each of {images} images, an integer from 0 "
            f"to {last}. Received: {got}. {fix}"
        )

    def check_texts(self, images: int, embeddings: np.ndarray) -> None:
        """Raise a `ValueError` unless a batch has an embedding an image."""
        fits = embeddings.shape == (images, self.text_dim)
        if not fits or not np.isfinite(embeddings).all():
            got = "NaN or infinity" if fits else f"shape={embeddings.shape}"
            raise ValueError(
                f"Expected finite embeddings [{images}, {self.text_dim}] "
                f"beside {images} images. Received: {got}. Encode a text of "
                "each image with `model.encode(texts)`."
            )
        if images < 2:
            raise ValueError(
                "Expected batches of at least 2 pairs, of which one's text is "
                "wrong for the other. Received: a batch of 1. Drop what is "
                "left of an epoch, or choose another batch size."
            )

    def check_labels(
        self, given: bool, call: str = "fit(images, labels)"
    ) -> None:
        """Raise a `ValueError` where labels and model do not fit together."""
        if self.two_domains:
            if not given:
                raise ValueError(
                    "Expected images of two domains, (a, b): "
                    f"{self.model} translates between them. Received: one. "
                    "Pass `fit(a, b)`."
                )
            return
        if self.text_dim is not None:
            if not given:
                raise ValueError(
                    f"Expected (images, texts): {self.model} makes images of "
                    "texts. Received: images alone. Pass `fit(images, texts)`."
                )
            return
        if given and self.num_classes is None:
            raise ValueError(
                f"Expected images alone: {self.model} is unconditional and "
                "takes no labels. Received: labels. Leave them out, or use a "
                "conditional model."
            )
        if self.num_classes is not None and not given:
            raise ValueError(
                f"Expected {call[call.index('(') :]}: {self.model} is "
                f"conditional. Received: no labels. Pass `{call}`."
            )

    def check_images(self, images: np.ndarray) -> None:
        """Raise a `ValueError` unless `images` are what the model makes.

        Float, `[n, *image_shape]`, at least one, finite, in [-1, 1].
        """
        shape = images.shape
        if images.dtype.kind not in "fiub":
            raise ValueError(
                f"Expected float images [n, {self.dims}]. Received: an array "
                f"of {images.dtype}. Load the pictures first: "
                "`keras_gans.datasets.load(folder)`."
            )
        if images.ndim > 0 and len(images) == 0:
            raise ValueError(
                f"Expected at least one image, [n, {self.dims}]. Received: an "
                f"empty data set, shape={shape}. Check the path or the filter "
                "that made it."
            )
        if shape[1:] != self.image_shape:
            if shape[1:] == self.image_shape[:2] and self.image_shape[2] == 1:
                fix = "Add the channel: `images[..., None]`."
            elif images.ndim == 4:
                fix = (
                    "Resize them, or build the model for them: "
                    f"image_shape={tuple(shape[1:])}."
                )
            else:
                fix = "Reshape them to [n, height, width, channels]."
            raise ValueError(
                f"Expected images [n, {self.dims}]. "
                f"Received: shape={shape}. {fix}"
            )
        check_values(images)


def as_array(images: Any) -> np.ndarray:
    """An array of what a user gives, or a `ValueError`."""
    try:
        return np.asarray(keras.ops.convert_to_numpy(images))
    except (TypeError, ValueError):  # lists of several lengths, files
        raise ValueError(
            "Expected one array of numbers. Received: "
            f"{type(images).__name__}. Make one with `np.stack`."
        ) from None


def check_values(images: np.ndarray) -> None:
    """Raise a `ValueError` unless `images` are finite floats in [-1, 1]."""
    low, high = float(images.min()), float(images.max())
    if not np.isfinite(low) or not np.isfinite(high):
        finite = np.isfinite(images).reshape(len(images), -1).all(axis=1)
        bad = np.flatnonzero(~finite)
        raise ValueError(
            "Expected finite images. Received: NaN or infinity in "
            f"{len(bad)} of {len(images)}, the first at index {bad[0]}. "
            "Leave them out, or mend the step that made them."
        )
    whole_numbers = not np.issubdtype(images.dtype, np.floating)
    if whole_numbers or low < -1 - TOLERANCE or high > 1 + TOLERANCE:
        raise ValueError(
            "Expected float images in [-1, 1]. Received: "
            f"{images.dtype} values from {low:g} to {high:g}. Scale 0..255 "
            "with `x / 127.5 - 1`, or uint8 pixels with "
            "`keras_gans.images.from_uint8(pixels)`."
        )


def checked(
    model: keras.Model, x: Any, y: Any = None, steps: int | None = None
) -> tuple[Any, Any]:
    """Check what was given to `fit`, or wrap it so that it is checked.

    Args:
        model: A generative model; its `Contract` is what counts.
        x: An array, a `tf.data.Dataset`, a `keras.utils.PyDataset`, or an
            iterable of batches.
        y: Labels beside an array, or None.
        steps: `steps_per_epoch` of `fit`.

    Returns:
        `(x, y)` for `keras.Model.fit`.

    Raises:
        ValueError: If the images are not what the model makes, or are none; if
            labels come to a model that takes none, or miss where it does.
    """
    contract = Contract.of(model)
    other = (list, tuple, dict, str, Path, int, float)
    if x is None or isinstance(x, other):
        got = "x=None" if x is None else f"x of type {type(x).__name__}"
        fix = "Make an array with `np.stack(images)`; labels go into `y`."
        if contract.two_domains:
            fix = "Pass both domains, `fit(a, b)`, or `datasets.load(folder)`."
        elif contract.text_dim is not None:
            fix = "Make an array with `np.stack(images)`; texts go into `y`."
        raise ValueError(
            f"Expected one array of images [n, {contract.dims}], or a data "
            f"set. Received: {got}. {fix}"
        )
    if is_tf_dataset(x):
        return _checked_tf_dataset(contract, x, steps), y
    if isinstance(x, keras.utils.PyDataset):
        return CheckedPyDataset(contract, x), y
    if hasattr(x, "shape"):
        contract.check_labels(y is not None)
        images = np.asarray(keras.ops.convert_to_numpy(x))
        contract.check_images(images)
        if contract.num_classes is not None:
            y = contract.checked_classes(len(images), y)
        warn_if_half_range(images)
        return x, y
    if isinstance(x, Iterator):
        return _checked_batches(contract, x), y
    if hasattr(x, "element_spec"):  # of tf.distribute: dealt out already
        return x, y
    # A torch DataLoader, say, which Keras knows by its type and reads as it
    # is: its first batch is checked.
    if hasattr(x, "__iter__"):
        contract.checked_batch(next(iter(x)))
    return x, y


def check_translatable(images: np.ndarray, channels: int) -> None:
    """Raise a `ValueError` unless a model can translate `images`.

    One image or a batch, uint8 or float in [-1, 1], sides divisible by 4.
    """
    if images.ndim not in (3, 4) or images.shape[-1] != channels:
        raise ValueError(
            f"Expected an image [h, w, {channels}], or a batch of them. "
            f"Received: shape={images.shape}. Convert them to {channels} "
            "channels, channels last."
        )
    height, width = images.shape[-3:-1]
    if height % 4 or width % 4 or min(height, width) < 8:
        raise ValueError(
            "Expected images with sides of at least 8 that are divisible by "
            f"4. Received: shape={images.shape}. Crop or pad them to "
            f"{fitting(height, 8)}x{fitting(width, 8)}."
        )
    if not images.size:
        raise ValueError(
            f"Expected at least one image. Received: shape={images.shape}. "
            "Check the path or the filter that made them."
        )
    in_range = images.dtype.kind == "f" and (
        np.abs(images).max() <= 1 + TOLERANCE  # NaN is not
    )
    if images.dtype != np.uint8 and not in_range:
        raise ValueError(
            "Expected float images in [-1, 1], or uint8. Received: "
            f"{images.dtype} values from {images.min():g} to "
            f"{images.max():g}. Give uint8 pixels as they are."
        )


def fitting(side: int, least: int = 32) -> int:
    """The multiple of 4 that is next below, and no less than `least`."""
    return max(least, side // 4 * 4)


def steps_of(data: Any, batch_size: int | None = None) -> int | None:
    """Batches an epoch of what `fit` reads, where it is known."""
    if is_tf_dataset(data):
        length = int(data.cardinality())
        return length if length > 0 else None
    if hasattr(data, "shape"):
        return -(-len(data) // (batch_size or 32))  # Keras's own
    if isinstance(data, keras.utils.PyDataset):
        return data.num_batches
    return len(data) if hasattr(data, "__len__") else None


def check_replicas(
    model: keras.Model, x: Any, batch_size: int | None = None
) -> None:
    """Raise a `ValueError` where batches cannot be dealt out to replicas.

    Each needs an image of every batch, the last one of an epoch included (of
    texts a pair, as one's text is wrong for the other), and as many as the
    others of the first; on JAX of the last one, too. What comes in shares may
    have uneven ones. Sizes that are not told are not checked.

    Args:
        model: That trains, made under its strategy.
        x: What `fit` is given, or `datasets.ShuffledBatches`.
        batch_size: Of an array.
    """
    replicas, sharded = replicas_of(model)
    if replicas == 1:
        return
    size, last = batches_of(x, batch_size or 32, model.batches_a_step)
    each, least = "one", replicas
    if model.takes_text:
        each, least = "a pair", 2 * replicas
    for rows in filter(None, (size, last)):
        if rows < least:
            raise ValueError(
                f"Expected batches of at least {least} images, {each} for each "
                f"of {replicas} replicas. Received: a batch of {rows}. Change "
                "the batch size, leave some images out, or train on one "
                "device."
            )
    if sharded and last is not None and last % replicas:
        raise ValueError(
            f"Expected an epoch that {replicas} devices can share. Received: "
            f"{last} images in its last batch. Leave {last % replicas} of them "
            "out."
        )
    in_shares = hasattr(x, "sizes") and not sharded
    if size is not None and size % replicas and not in_shares:
        raise ValueError(
            f"Expected batches that {replicas} replicas can share. Received: "
            f"a batch of {size}. Change `batch_size` to "
            f"{size + replicas - size % replicas}."
        )


def replicas_of(model: keras.Model) -> tuple[int, bool]:
    """How many the model trains on, and whether they are JAX's devices."""
    sharded = keras.distribution.distribution()  # on JAX alone
    if sharded is not None:
        return sharded.device_mesh.shape[0], True
    strategy = getattr(model, "distribute_strategy", None)
    return strategy.num_replicas_in_sync if strategy else 1, False


def batches_of(
    x: Any, batch_size: int, batches_a_step: int
) -> tuple[int | None, int | None]:
    """Images of the first and of the last batch; None where it is not told."""
    if hasattr(x, "sizes"):
        return x.sizes()
    if hasattr(x, "shape"):
        step = batch_size * batches_a_step
        return min(len(x), batch_size), len(x) % step or step
    if is_tf_dataset(x):
        images = keras.tree.flatten(x.element_spec)[0]
        return images.shape[:1].as_list()[0], None
    return None, None


def check_options(options: dict[str, Any]) -> None:
    """Refuse options of `fit` that a generative model would not follow.

    Before anything starts: on JAX, a `fit` that fails in its middle takes the
    weights with it.
    """
    for name in ("sample_weight", "class_weight"):
        if options.get(name) is not None:
            raise ValueError(
                f"Expected every image to count alike. Received: {name}. Leave "
                "it out, or repeat the images that should count more."
            )
    for name in ("batch_size", "epochs", "steps_per_epoch"):
        number = options.get(name)
        if number is not None and (
            not isinstance(number, (int, np.integer)) or number < 1
        ):
            raise ValueError(
                f"Expected `{name}` as a positive integer. Received: "
                f"{name}={number!r}. Leave it out for the default."
            )


def shuffled_by_keras(x: Any) -> bool:
    """Whether `fit` should shuffle: arrays, and a `PyDataset`'s batches.

    Not what comes in an order of its own (`datasets.Batches`), nor streams, of
    which Keras would warn that it cannot.
    """
    if hasattr(x, "shape"):
        return True
    own_order = getattr(x, "keeps_order", False)
    return bool(getattr(x, "num_batches", None)) and not own_order


class CheckedPyDataset(keras.utils.PyDataset):
    """A `PyDataset` whose batches are checked as they are read."""

    def __init__(self, contract: Contract, dataset: keras.utils.PyDataset):
        super().__init__(
            workers=dataset.workers,
            use_multiprocessing=dataset.use_multiprocessing,
            max_queue_size=dataset.max_queue_size,
        )
        self.contract = contract
        self.dataset = dataset
        if dataset.num_batches == 0:
            contract.check_images(np.empty((0, *contract.image_shape)))
        elif dataset.num_batches is not None:
            contract.checked_batch(dataset[0])  # before a network is compiled

    @property
    def num_batches(self) -> int | None:
        return self.dataset.num_batches

    def __getitem__(self, index: int) -> Any:
        return self.contract.checked_batch(self.dataset[index])

    def on_epoch_begin(self) -> None:
        self.dataset.on_epoch_begin()

    def on_epoch_end(self) -> None:
        self.dataset.on_epoch_end()


@contextlib.contextmanager
def plain_errors() -> Iterator[None]:
    """Raise what a check said inside of tf.data as the `ValueError` it was.

    TensorFlow wraps it in a page about the graph.
    """
    try:
        yield
    except Exception as error:
        said = re.search(r"Expected [^\n]*? Received: [^\n\"]*", str(error))
        if type(error).__name__ != "InvalidArgumentError" or not said:
            raise
        sentence = re.sub(r"[.\s]*\] \[Condition.*", ".", said.group())
        raise ValueError(sentence.rstrip("]'")) from None


def _checked_batches(contract: Contract, batches: Iterable) -> Iterator:
    for batch in batches:
        yield contract.checked_batch(batch)


def is_tf_dataset(x: Any) -> bool:
    tensorflow = sys.modules.get("tensorflow")
    return tensorflow is not None and isinstance(x, tensorflow.data.Dataset)


def _checked_tf_dataset(
    contract: Contract, dataset: Any, steps: int | None
) -> Any:
    import tensorflow as tf

    x, y, _ = keras.utils.unpack_x_y_sample_weight(dataset.element_spec)
    contract.check_labels(y is not None)
    if not x.shape.is_compatible_with((None, *contract.image_shape)):
        raise ValueError(
            f"Expected batches of images [n, {contract.dims}]. Received: a "
            f"data set of shape={tuple(x.shape)}. Batch it with `.batch(64)`, "
            "and resize its images."
        )
    # The first batch in full, for a sentence that names the trouble.
    first = next(iter(dataset.take(1)), None)
    if first is None:
        contract.check_images(np.empty((0, *contract.image_shape)))
    contract.checked_batch(first)

    def check(*batch):
        # What `from_generator` leaves open is known now.
        shape = (None, *contract.image_shape)
        n = 2 if contract.two_domains else 1
        images = [tf.ensure_shape(x, shape) for x in batch[:n]]
        batch = (*images, *batch[n:])
        if contract.num_classes is not None and batch[1].shape.rank == 2:
            batch = (batch[0], tf.argmax(batch[1], -1, tf.int32))
        domains = batch[:2] if contract.two_domains else batch[:1]
        # NaN is in no interval, so one comparison sees it too.
        fine = tf.reduce_all(
            [tf.reduce_all(tf.abs(x) <= 1 + TOLERANCE) for x in domains]
        )
        if contract.text_dim is not None:
            several = tf.shape(batch[0])[0] > 1
            fine &= several & tf.reduce_all(tf.math.is_finite(batch[1]))
        if contract.num_classes is not None:
            known = (batch[1] >= 0) & (batch[1] < contract.num_classes)
            fine &= tf.reduce_all(known)
        also, fix = "", "."
        if contract.num_classes is not None:
            also = f" with labels from 0 to {contract.num_classes - 1}"
        if contract.text_dim is not None:
            also = ", two or more, with finite embeddings"
            fix = ", or drop the last batch."
        sentence = (
            f"Expected finite images in [-1, 1]{also}. Received: others in a "
            "later batch of the data set. Mend the step that made "
            f"them{fix}"
        )
        with tf.control_dependencies([tf.debugging.Assert(fine, [sentence])]):
            return tf.nest.map_structure(
                tf.identity, batch if len(batch) > 1 else batch[0]
            )

    cardinality = dataset.cardinality().numpy()
    if cardinality == tf.data.UNKNOWN_CARDINALITY and steps is None:
        # Keras would read one batch too many an epoch, and schedules drift.
        cardinality = dataset.reduce(np.int64(0), lambda n, *_: n + 1).numpy()
    checked_dataset = dataset.map(check)
    if cardinality >= 0:
        checked_dataset = checked_dataset.apply(
            tf.data.experimental.assert_cardinality(cardinality)
        )
    return checked_dataset


def warn_if_half_range(images: np.ndarray) -> None:
    """Warn where all images lie in [0, 1]: they were likely meant as pixels."""
    if images.min() >= 0.0:
        warnings.warn(
            "Expected images in [-1, 1]; these lie in "
            f"[{images.min():g}, {images.max():g}]. If 0 is black, map them "
            "with `2 * images - 1`.",
            stacklevel=4,
        )
