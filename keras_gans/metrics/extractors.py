"""Feature extractors: the networks over whose features images are compared.

Each has a name that becomes part of a metric's name, and the sha256 of its
weights, which is part of the protocol.
"""

import dataclasses
import functools
import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_gans import backend
from keras_gans.files import file_hash, first_line, regular
from keras_gans.metrics.checks import as_array
from keras_gans.metrics.inception_network import full_precision
from keras_gans.registry import unknown
from keras_gans.weights import check_hdf5

NAMES = ("inception", "lenet_mnist", "mobilenet_v1")
WITH_FILES = ("inception", "mobilenet_v1")  # of weights, of your own


@dataclasses.dataclass(frozen=True)
class Extractor:
    """A network that makes features of images.

    In float32 whatever the dtype policy, so that a figure does not depend on
    how the model that is measured was trained.

    Args:
        name: Part of every metric's name.
        sha256: Of the weights; of a model of your own, of its architecture,
            too.
        resize: What is done to images of another size, in words.
        run: float32 `[n, h, w, c]` in [-1, 1] -> features `[n, d]` and class
            logits `[n, classes]`, or None where it has none.
    """

    name: str
    sha256: str
    resize: str
    run: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray | None]]

    def __call__(
        self,
        batches: Iterable[np.ndarray],
        total: int | None = None,
        verbose: bool = False,
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Features and logits of a stream of batches of images.

        Only one batch is in memory at a time.

        Args:
            batches: float32 `[n, h, w, c]` in [-1, 1] each.
            total: Number of images, for the progress bar.
            verbose: Show one.

        Raises:
            ValueError: If images are outside [-1, 1] or not finite, or there
                are none.
        """
        bar = keras.utils.Progbar(total, unit_name="image", verbose=verbose)
        parts = []
        for images in batches:
            images = check_images(images)
            features, logits = self.run(images)
            if logits is not None:
                logits = np.asarray(logits, np.float32)
            parts.append((np.asarray(features, np.float32), logits))
            bar.add(len(images))
        if not parts:
            raise ValueError(
                "Expected images to take features of. Received: none. Give at "
                "least two."
            )
        features = np.concatenate([p[0] for p in parts])
        if parts[0][1] is None:
            return features, None
        return features, np.concatenate([p[1] for p in parts])


def extractor(
    spec: str | keras.Model | Extractor, weights: str | Path | None = None
) -> Extractor:
    """An extractor by name, or of a model of your own.

    Args:
        spec: "inception", over whose features FID is defined; "mobilenet_v1",
            trained on ImageNet; "lenet_mnist" for digits; or a Keras model from
            images in [-1, 1] to one tensor of features, whatever its shape.
            Its name becomes part of the metrics', so it is not one of those.
        weights: A local file of weights, for "inception" and "mobilenet_v1".
            They are fetched where it is None.

    Raises:
        ValueError: If the name is unknown, or the weights are not the
            network's; if a model of your own has a name of the above, or not
            one input of images and one output.

    Example:

    ```python
    images, labels = keras_gans.datasets.mnist_5k()
    lenet = keras_gans.metrics.extractor("lenet_mnist")
    features, logits = lenet([images[:500], images[500:1000]])
    ```
    """
    if weights is not None and spec not in WITH_FILES:
        got = spec if isinstance(spec, str) else type(spec).__name__
        raise ValueError(
            f"Expected `weights` beside {' or '.join(WITH_FILES)} only. "
            f"Received: weights={str(weights)!r} for {got}. Leave them out: it "
            "has its own."
        )
    if isinstance(spec, Extractor):
        return spec
    if isinstance(spec, keras.Model):
        return _own(spec)
    if not isinstance(spec, str) or spec not in NAMES:
        raise ValueError(
            unknown("extractor", str(spec), [*NAMES])
            + " A Keras model does, too."
        )
    return _named(spec, None if weights is None else str(weights))


def _own(model: keras.Model) -> Extractor:
    if model.name in NAMES:
        raise ValueError(
            "Expected a model of your own under a name of its own. Received: "
            f"name={model.name!r}, under which published features go. Build it "
            "with another `name`."
        )
    try:
        inputs, outputs = model.inputs, model.outputs
    except AttributeError:  # a subclass, which says nothing of them
        inputs, outputs = [], []
    inputs, outputs = inputs or [], outputs or []
    one_of_each = len(inputs) == 1 and len(outputs) == 1
    if not one_of_each or len(inputs[0].shape) != 4:
        shapes = [tuple(x.shape) for x in inputs]
        raise ValueError(
            "Expected a model from images [n, height, width, channels] to one "
            f"tensor of features. Received: {model.name!r} with inputs "
            f"{shapes} and {len(outputs)} outputs. Make one with "
            "`keras.Model(image, features)`."
        )
    shape = tuple(inputs[0].shape[1:])
    run = backend.inference(model)

    def features(images):
        pairs = zip(shape, images.shape[1:], strict=True)
        if any(side not in (None, given) for side, given in pairs):
            raise ValueError(
                f"Expected images [n, {', '.join(map(str, shape))}] for "
                f"{model.name!r}. Received: shape={images.shape}. Put a "
                "resizing layer before it, or use another extractor."
            )
        return run(images).reshape(len(images), -1), None

    return Extractor(model.name, model_hash(model), "none", features)


@functools.cache
def _named(name: str, weights: str | None) -> Extractor:
    return {
        "inception": _inception,
        "lenet_mnist": _lenet_mnist,
        "mobilenet_v1": _mobilenet_v1,
    }[name](weights)


def _inception(weights: str | None) -> Extractor:
    from keras_gans.metrics.inception import SHA256, load_inception

    network = load_inception(weights)
    outputs = [network.output["features"], network.output["logits_unbiased"]]
    with full_precision():
        network = keras.Model(network.input, outputs)
    return Extractor(
        "inception",
        SHA256,
        "bilinear, as TensorFlow 1, to 299x299",
        _two_headed(network),
    )


def _lenet_mnist(weights: str | None) -> Extractor:
    from keras_gans.pretrained import load

    with full_precision():
        lenet = load("lenet_mnist")
        network = lenet.classifier
        features = network.get_layer("features").output
        network = keras.Model(network.input, [features, network.output])
    run = _two_headed(network)

    def of_digits(images):
        if images.shape[1:] != (28, 28, 1):
            raise ValueError(
                "Expected digits [n, 28, 28, 1] for lenet_mnist. Received: "
                f"shape={images.shape}. Use 'mobilenet_v1' for other pictures."
            )
        return run(images)

    # That of the file, as the entry's card has it.
    sha256 = lenet.card.files["classifier.weights.h5"]["sha256"]
    return Extractor("lenet_mnist", sha256, "none", of_digits)


def _mobilenet_v1(weights: str | None) -> Extractor:
    # A file with the 1001 classes of the first release, 0 the background, or
    # the 1000 that `keras.applications` fetches.
    classes = 1001 if weights else 1000
    try:
        with full_precision():
            whole = keras.applications.MobileNet(
                weights=None if weights else "imagenet", classes=classes
            )
        if weights:
            check_hdf5(weights, regular(weights).stat().st_size)
            whole.load_weights(weights)
    except Exception as error:
        raise ValueError(
            "Expected the weights of MobileNet (alpha 1, 224x224, "
            f"{classes} classes). Received: {first_line(error)[:200]}. Give a "
            "file of them as `weights`."
        ) from None
    pooled = next(
        layer
        for layer in whole.layers
        if isinstance(layer, keras.layers.GlobalAveragePooling2D)
    )
    with full_precision():
        features = keras.layers.Flatten()(pooled.output)
        network = keras.Model(whole.input, [features, whole.output])
    run = _two_headed(network)

    def of_pictures(images):
        if images.shape[-1] == 1:
            images = np.repeat(images, 3, axis=-1)
        features, shares = run(resized(images, 224))
        return features, np.log(np.maximum(shares, 1e-30))  # softmax undone

    return Extractor(
        "mobilenet_v1",
        file_hash(weights) if weights else weights_hash(whole),
        "bilinear with antialiasing to 224x224",
        of_pictures,
    )


def _two_headed(network: keras.Model) -> Callable[[np.ndarray], tuple]:
    """Run a network of two outputs; on TensorFlow, traced once."""
    width = network.outputs[0].shape[-1]
    with full_precision():
        joined = keras.layers.Concatenate()(network.outputs)
        run = backend.inference(keras.Model(network.input, joined))

    def both(images):
        outputs = run(images)
        return outputs[:, :width], outputs[:, width:]

    return both


def check_images(images: Any) -> np.ndarray:
    """float32 `[n, h, w, c]`, finite and in [-1, 1], or a `ValueError`."""
    images = as_array(images, "images")
    if images.dtype.kind not in "fi" or images.ndim != 4 or not images.size:
        raise ValueError(
            "Expected images [n, height, width, channels] of float numbers, "
            f"one at least. Received: {images.dtype} of shape={images.shape}. "
            "Add the axis that is missing, or map pixels with "
            "`keras_gans.images.from_uint8`."
        )
    images = images.astype(np.float32, copy=False)
    if not np.isfinite(images).all() or np.abs(images).max() > 1 + 1e-4:
        raise ValueError(
            "Expected finite images in [-1, 1]. Received: values from "
            f"{images.min():.3g} to {images.max():.3g}. Map pixels 0..255 with "
            "`keras_gans.images.from_uint8`."
        )
    return images


def resized(images: np.ndarray, size: int) -> np.ndarray:
    """Resize to `size` x `size`, bilinear, antialiased where it shrinks.

    As two matrix products, so that every backend sees the same pixels.
    """
    rows, columns = (_resizing(n, size) for n in images.shape[1:3])
    images = np.einsum("rh,nhwc->nrwc", rows, images, optimize=True)
    return np.einsum("sw,nrwc->nrsc", columns, images, optimize=True)


@functools.cache
def _resizing(old: int, new: int) -> np.ndarray:
    """Matrix [new, old] of a triangle filter, half-pixel centres."""
    scale = max(old / new, 1.0)
    centres = (np.arange(new) + 0.5) * old / new - 0.5
    distance = np.abs(centres[:, None] - np.arange(old)) / scale
    weights = np.maximum(1.0 - distance, 0.0)
    weights /= weights.sum(axis=1, keepdims=True)
    return weights.astype(np.float32)


def weights_hash(network: keras.Model) -> str:
    """sha256 of all weights of a network, in order, in hexadecimal."""
    hasher = hashlib.sha256()
    for weight in network.get_weights():
        hasher.update(np.ascontiguousarray(weight).tobytes())
    return hasher.hexdigest()


def model_hash(network: keras.Model) -> str:
    """sha256 of a network's architecture and weights, in hexadecimal.

    Layers are numbered: Keras makes up other names at each turn. Whether they
    are trainable is left out: it changes no feature.
    """
    layers = network._flatten_layers(include_self=True)
    numbers = {layer.name: f"layer {i}" for i, layer in enumerate(layers)}

    def plain(value):
        if isinstance(value, dict):
            return {
                str(key): plain(item)
                for key, item in value.items()
                if key not in ("trainable", "shared_object_id")
            }
        if isinstance(value, (list, tuple)):
            return [plain(item) for item in value]
        return numbers.get(value, value) if isinstance(value, str) else value

    try:
        config = keras.saving.serialize_keras_object(network.get_config())
    except (NotImplementedError, TypeError, ValueError):
        config = None  # of a subclass: its name and the shapes remain
    shapes = [[list(w.shape), str(w.dtype)] for w in network.weights]
    facts = [type(network).__name__, plain(config), shapes]
    hasher = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    hasher.update(weights_hash(network).encode())
    return hasher.hexdigest()
