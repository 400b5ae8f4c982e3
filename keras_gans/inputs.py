"""What `fit` takes, checked before it costs anything.

Arrays are looked at whole. A data set is looked at batch by batch while it is
read: every image that a step sees has been checked.
"""

import sys
import warnings
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

# Bicubic resizing and half precision step a little over the edge.
TOLERANCE = 1e-3


def checked(model: keras.Model, x: Any, y: Any = None, steps: Any = None):
    """Check what was given to `fit`, or wrap it so that it is checked.

    Args:
        model: A model with `image_shape` and `takes_labels`.
        x: An array, a tuple of arrays, a `tf.data.Dataset`, a
            `keras.utils.PyDataset`, or an iterable of batches.
        y: Labels beside an array, or None.
        steps: `steps_per_epoch` of `fit`.

    Returns:
        `(x, y)` for `keras.Model.fit`.

    Raises:
        ValueError: If the images are not what the model makes: see
            `check_images`; if there are none; if labels come to a model that
            takes none, or a model that takes labels gets none.
    """
    if x is None:
        raise ValueError(
            "Expected images to train on. Received: x=None. Pass an array "
            f"[n, {_dims(model.image_shape)}] or a data set."
        )
    if _is_tf_dataset(x):
        return _checked_tf_dataset(model, x, steps), y
    if isinstance(x, keras.utils.PyDataset):
        return CheckedPyDataset(model, x), y
    if hasattr(x, "shape"):
        check_labels_given(model, y is not None)
        images = np.asarray(keras.ops.convert_to_numpy(x))
        check_images(images, model)
        warn_if_half_range(images)
        return x, y
    if isinstance(x, (list, tuple)):
        raise ValueError(
            "Expected one array of images. Received: a "
            f"{type(x).__name__} of {len(x)}. Use `np.stack(images)`; labels "
            "go into `y`."
        )
    if hasattr(x, "__iter__") and not hasattr(x, "__len__"):
        return _checked_batches(model, x), y
    return x, y  # a torch DataLoader, say: Keras reads it as it is


def check_images(images: np.ndarray, model: keras.Model) -> None:
    """Raise a `ValueError` unless `images` are what `model` makes.

    Float, `[n, *image_shape]`, at least one, finite, in [-1, 1].
    """
    shape, expected = images.shape, tuple(model.image_shape)
    if images.ndim == 0 or len(images) == 0:
        raise ValueError(
            f"Expected at least one image, [n, {_dims(expected)}]. Received: "
            f"an empty data set, shape={shape}. Check the path or the filter "
            "that made it."
        )
    if shape[1:] != expected:
        channel = images.ndim == 3 and shape[1:] == expected[:2]
        fix = (
            "Add the channel: `images[..., None]`."
            if channel and expected[2] == 1
            else "Resize them, or build the model for them: "
            f"image_shape={tuple(shape[1:])}."
        )
        raise ValueError(
            f"Expected images [n, {_dims(expected)}]. "
            f"Received: shape={shape}. {fix}"
        )
    low, high = float(images.min()), float(images.max())
    if not np.isfinite(low) or not np.isfinite(high):
        bad = np.flatnonzero(
            ~np.isfinite(images).reshape(len(images), -1).all(axis=1)
        )
        raise ValueError(
            "Expected finite images. Received: NaN or infinity in "
            f"{len(bad)} of {len(images)}, the first at index {bad[0]}. "
            "Leave them out, or mend the step that made them."
        )
    if low < -1 - TOLERANCE or high > 1 + TOLERANCE:
        raise ValueError(
            "Expected images in [-1, 1]. Received: values from "
            f"{low:g} to {high:g}. Scale uint8 pixels with "
            "`keras_gans.images.from_uint8(pixels)`."
        )
    if not np.issubdtype(images.dtype, np.floating):
        # Some numbers are in range, but none of them is a picture.
        raise ValueError(
            "Expected float images in [-1, 1]. Received: "
            f"dtype={images.dtype}. Scale uint8 pixels with "
            "`keras_gans.images.from_uint8(pixels)`."
        )


def check_labels_given(model: keras.Model, given: bool) -> None:
    """Raise a `ValueError` where labels and model do not fit together."""
    name = type(model).__name__
    if given and not model.takes_labels:
        raise ValueError(
            f"{name} is unconditional and takes no labels. Received: labels. "
            "Leave them out, or use a conditional model."
        )
    if model.takes_labels and not given:
        raise ValueError(
            f"{name} is trained on (images, labels). Received: no labels. "
            "Pass `fit(images, labels)`."
        )


class CheckedPyDataset(keras.utils.PyDataset):
    """A `PyDataset` whose batches are checked as they are read."""

    def __init__(self, model: keras.Model, dataset: keras.utils.PyDataset):
        super().__init__(
            workers=dataset.workers,
            use_multiprocessing=dataset.use_multiprocessing,
            max_queue_size=dataset.max_queue_size,
        )
        # What a worker process needs of the model: two plain facts.
        self.facts = ModelFacts(model)
        self.dataset = dataset
        if dataset.num_batches == 0:
            check_images(np.empty((0, *model.image_shape)), model)

    @property
    def num_batches(self):
        return self.dataset.num_batches

    def __getitem__(self, index):
        batch = self.dataset[index]
        check_batch(self.facts, batch)
        return batch

    def on_epoch_begin(self):
        self.dataset.on_epoch_begin()

    def on_epoch_end(self):
        self.dataset.on_epoch_end()


class ModelFacts:
    """What the checks need to know of a model, without the model."""

    def __init__(self, model: keras.Model):
        self.image_shape = tuple(model.image_shape)
        self.takes_labels = model.takes_labels
        self.name = type(model).__name__


def check_batch(model: Any, batch: Any) -> None:
    """Check one `(images,)`, `(images, labels)` or bare batch of images."""
    x, y, _ = keras.utils.unpack_x_y_sample_weight(batch)
    check_labels_given(model, y is not None)
    check_images(np.asarray(keras.ops.convert_to_numpy(x)), model)


def _checked_batches(model: keras.Model, batches: Any) -> Iterator:
    for batch in batches:
        check_batch(model, batch)
        yield batch


def _is_tf_dataset(x: Any) -> bool:
    tensorflow = sys.modules.get("tensorflow")
    return tensorflow is not None and isinstance(x, tensorflow.data.Dataset)


def _checked_tf_dataset(model: keras.Model, dataset: Any, steps: Any) -> Any:
    import tensorflow as tf

    x, y, _ = keras.utils.unpack_x_y_sample_weight(dataset.element_spec)
    check_labels_given(model, y is not None)
    expected = (None, *model.image_shape)
    if not x.shape.is_compatible_with(expected):
        raise ValueError(
            f"Expected batches of images [n, {_dims(model.image_shape)}]. "
            f"Received: a data set of shape={tuple(x.shape)}. Batch it with "
            "`.batch(64, drop_remainder=True)`, and resize its images."
        )
    # The first batch in full, for a sentence that names the trouble.
    first = next(iter(dataset.take(1)), None)
    if first is None:
        check_images(np.empty((0, *model.image_shape)), model)
    check_batch(model, first)

    def check(*batch):
        images = keras.utils.unpack_x_y_sample_weight(batch)[0]
        # NaN is in no interval, so one comparison sees it too.
        fine = tf.reduce_all(tf.abs(images) <= 1 + TOLERANCE)
        tf.debugging.Assert(
            fine,
            ["Expected finite images in [-1, 1]. Received: other values in a"
             " later batch of the data set. Mend the step that made them."],
        )  # fmt: skip
        return batch if len(batch) > 1 else batch[0]

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


def _dims(shape: tuple) -> str:
    return ", ".join(map(str, shape))
