"""Measure a model: samples -> features -> figures, under a named protocol.

Every metric here is a few lines that pick its arguments; what it computes
stands in the file of its name.
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
from keras import layers

from keras_gans import backend
from keras_gans.datasets import ImageData
from keras_gans.metrics.classes import class_histogram, conditional_accuracy
from keras_gans.metrics.density_coverage import density_coverage
from keras_gans.metrics.diversity import diversity
from keras_gans.metrics.extractors import Extractor, extractor
from keras_gans.metrics.frechet import frechet_distance
from keras_gans.metrics.inception_score import inception_score
from keras_gans.metrics.kernel import kernel_distance
from keras_gans.metrics.linear_probe import linear_probe
from keras_gans.metrics.memorisation import memorisation
from keras_gans.metrics.parzen import parzen
from keras_gans.metrics.precision_recall import precision_recall
from keras_gans.metrics.protocol import Figure, check_same_protocol
from keras_gans.metrics.reference import Reference
from keras_gans.registry import unknown

# Metrics of neighbours compare all pairs: at most so many of each side.
MOST_NEIGHBOURS = 10_000


class Evaluation:
    """What the metrics ask for, each thing made once and kept.

    Args:
        model: With `generate`.
        extract: The feature extractor.
        train: What the model was trained on; None where it is not at hand.
        test: Images that it never saw, or None.
        validation: For the Parzen window's width, or None.
        reference: Instead of `test`, its statistics.
        n: Number of samples.
        seed: Of the samples, and of the draws of training images.
        verbose: Show progress bars.
    """

    def __init__(
        self,
        model: keras.Model,
        extract: Extractor,
        train: ImageData | None = None,
        test: ImageData | None = None,
        validation: ImageData | None = None,
        reference: Reference | None = None,
        n: int = 10_000,
        seed: int = 0,
        verbose: bool = False,
        kept: dict | None = None,
    ):
        self.model = model
        self.extract = extract
        self.train_data = train
        self.test_data = test
        self.validation_data = validation
        self.given_reference = reference
        self.n = n
        self.seed = seed
        self.verbose = verbose
        self.kept = {} if kept is None else kept  # of real data, over seeds

    def need(self, name: str) -> ImageData:
        """The data of that name, or a `ValueError` that asks for it."""
        data = getattr(self, f"{name}_data")
        if data is None:
            raise ValueError(
                f"Expected `{name}` data for this metric. Received: {name}="
                "None. Give it, or leave the metric out."
            )
        return data

    @functools.cached_property
    def labels(self) -> np.ndarray | None:
        """The classes asked of a conditional model, all alike often."""
        if not self.model.takes_labels:
            return None
        return np.arange(self.n) % self.model.num_classes

    def samples(self, n: int, batch_size: int = 500) -> Iterator[np.ndarray]:
        """The first n samples of the seed, in batches, [-1, 1]."""
        latents = self.model.draw_latents(n, self.seed)
        for i in range(0, n, batch_size):
            part = slice(i, min(i + batch_size, n))
            labels = None if self.labels is None else self.labels[part]
            yield self.model.generate(latents=latents[part], labels=labels)

    @functools.cached_property
    def fake(self) -> tuple[np.ndarray, np.ndarray | None]:
        """Features and logits of the samples."""
        return self.extract(self.samples(self.n), self.n, self.verbose)

    def real(self, name: str) -> np.ndarray:
        """Features of the real images of a split."""
        if name == "test" and self.given_reference is not None:
            if self.given_reference.features is None:
                raise ValueError(
                    "Expected reference statistics with features for this "
                    "metric. Received: mean and covariance only. Save them "
                    "with `features=True`."
                )
            return self.given_reference.features
        if name not in self.kept:
            data = self.need(name)
            batches = (
                data.part(slice(i, i + 500)).arrays()[0]
                for i in range(0, len(data), 500)
            )
            self.kept[name] = self.extract(batches, len(data), self.verbose)[0]
        return self.kept[name]

    @property
    def reference(self) -> Reference:
        """Statistics of the test images."""
        if self.given_reference is not None:
            check_same_protocol(
                self.given_reference.protocol,
                self.real_protocol(),
                ignore=("data", "split", "real"),
            )
            return self.given_reference
        if "reference" not in self.kept:
            self.kept["reference"] = Reference.of(
                self.real("test"), self.real_protocol()
            )
        return self.kept["reference"]

    def some(self, features: np.ndarray, n: int) -> np.ndarray:
        """n of the features, drawn without replacement."""
        if n >= len(features):
            return features
        generator = np.random.default_rng(self.seed)
        return features[generator.choice(len(features), n, replace=False)]

    def logits(self) -> np.ndarray:
        """Class logits of the samples, or a `ValueError`."""
        if self.fake[1] is None:
            raise ValueError(
                "Expected an extractor that classifies, for this metric. "
                f"Received: {self.extract.name}. Use 'lenet_mnist' for digits."
            )
        return self.fake[1]

    def real_protocol(self) -> dict[str, Any]:
        """The real side of a protocol."""
        facts = {
            "extractor": self.extract.name,
            "sha256": self.extract.sha256,
            "resize": self.extract.resize,
        }
        if self.given_reference is not None:
            own = self.given_reference.protocol
            named = {k: own[k] for k in ("data", "split", "real") if k in own}
            return named | facts
        data = self.test_data
        if data is None:
            return facts
        return {
            "data": data.name,
            "split": data.split,
            "real": len(data),
        } | facts


# === Metrics: each gives its figures by name ===


def measure_frechet(e: Evaluation) -> dict[str, float]:
    reference = e.reference
    fake = Reference.of(e.fake[0], {})
    name = "FID" if e.extract.name == "inception" else "frechet_distance"
    figures = {
        name: frechet_distance(
            fake.mean,
            fake.covariance,
            reference.mean,
            reference.covariance,
        )
    }
    if e.train_data is not None:  # beside it its floor
        drawn = Reference.of(e.some(e.real("train"), e.n), {})
        figures[f"{name} of training images"] = frechet_distance(
            drawn.mean,
            drawn.covariance,
            reference.mean,
            reference.covariance,
        )
    return figures


def measure_kernel(e: Evaluation) -> dict[str, float]:
    real = e.real("test")
    size = max(2, min(1000, len(real) // 2, e.n // 2))
    value, error = kernel_distance(
        real, e.fake[0], subset_size=size, seed=e.seed
    )
    name = "KID" if e.extract.name == "inception" else "kernel_distance"
    return {name: value, f"{name} standard error": error}


def measure_inception_score(e: Evaluation) -> dict[str, float]:
    name = "inception_score" if e.extract.name == "inception" else "class_score"
    return {name: inception_score(e.logits(), from_logits=True)[0]}


def measure_precision_recall(e: Evaluation) -> dict[str, float]:
    real = e.some(e.real("test"), MOST_NEIGHBOURS)
    precision, recall = precision_recall(real, e.fake[0][:MOST_NEIGHBOURS])
    return {"precision": precision, "recall": recall}


def measure_density_coverage(e: Evaluation) -> dict[str, float]:
    real = e.some(e.real("test"), MOST_NEIGHBOURS)
    density, coverage = density_coverage(real, e.fake[0][:MOST_NEIGHBOURS])
    return {"density": density, "coverage": coverage}


def measure_memorisation(e: Evaluation) -> dict[str, float]:
    found = memorisation(
        e.real("train"), e.real("test"), e.fake[0][:MOST_NEIGHBOURS]
    )
    return {
        "memorised share": found.memorised,
        "nearest training image, samples over test": found.ratio,
    }


def measure_diversity(e: Evaluation) -> dict[str, float]:
    return {"diversity": diversity(e.fake[0], e.real("test"))}


def measure_class_histogram(e: Evaluation) -> dict[str, float]:
    logits = e.logits()
    counts = class_histogram(logits.argmax(axis=1), logits.shape[1])
    shares = counts / counts.sum()
    named = {f"share of class {i}": float(s) for i, s in enumerate(shares)}
    return named | {
        "share of the least frequent class": float(shares.min()),
        "share of the most frequent class": float(shares.max()),
    }


def measure_conditional_accuracy(e: Evaluation) -> dict[str, float]:
    if e.labels is None:
        raise ValueError(
            "Expected a conditional model for conditional_accuracy. Received: "
            f"{type(e.model).__name__}, which takes no labels. Leave it out."
        )
    predicted = e.logits().argmax(axis=1)
    return {"conditional_accuracy": conditional_accuracy(predicted, e.labels)}


def measure_linear_probe(e: Evaluation) -> dict[str, float]:
    train, test = e.need("train"), e.need("test")
    return {
        "linear_probe": linear_probe(
            pooled_features(e.model.discriminator, train.arrays()[0]),
            train.labels,
            pooled_features(e.model.discriminator, test.arrays()[0]),
            test.labels,
        )
    }


def measure_parzen(e: Evaluation) -> dict[str, float]:
    def pixels(images):
        return (images.reshape(len(images), -1) + 1.0) / 2.0

    samples = np.concatenate(list(e.samples(min(e.n, 10_000))))
    found = parzen(
        pixels(samples),
        pixels(e.need("validation").arrays()[0]),
        pixels(e.need("test").arrays()[0]),
    )
    return {
        "parzen_log_likelihood": found.mean,
        "parzen_log_likelihood standard error": found.standard_error,
        "parzen_log_likelihood sigma": found.sigma,
    }


METRICS: dict[str, Callable[[Evaluation], dict[str, float]]] = {
    "class_histogram": measure_class_histogram,
    "conditional_accuracy": measure_conditional_accuracy,
    "density_coverage": measure_density_coverage,
    "diversity": measure_diversity,
    "frechet_distance": measure_frechet,
    "inception_score": measure_inception_score,
    "kernel_distance": measure_kernel,
    "linear_probe": measure_linear_probe,
    "memorisation": measure_memorisation,
    "parzen": measure_parzen,
    "precision_recall": measure_precision_recall,
}

# Those that see no features.
OF_PIXELS = ("linear_probe", "parzen")


def evaluate(
    model: keras.Model,
    metrics: Sequence[str] = ("frechet_distance",),
    extractor_name: str | keras.Model | Extractor = "lenet_mnist",
    train: ImageData | None = None,
    test: ImageData | None = None,
    validation: ImageData | None = None,
    reference: Reference | None = None,
    n: int = 10_000,
    seeds: Sequence[int] = (0,),
    verbose: bool = True,
) -> list[Figure]:
    """Measure a model.

    Args:
        model: With `generate`, as `keras_gans.load` gives it.
        metrics: Names in `keras_gans.metrics.METRICS`.
        extractor_name: What `keras_gans.metrics.extractor` takes.
        train: What the model was trained on: for floors, the memorisation
            check and the linear probe.
        test: Real images that it never saw.
        validation: For the Parzen estimate.
        reference: Statistics of real images, instead of `test`.
        n: Samples for each seed.
        seeds: Of the samples; a figure is the mean over them.
        verbose: Show progress bars.

    Returns:
        A `Figure` a number, each with its protocol.

    Raises:
        ValueError: If a metric is unknown, n is less than 2, there is no seed,
            or data that a metric needs is missing.

    Example:

    ```python
    data = keras_gans.datasets.load("mnist", "test")
    figures = keras_gans.metrics.evaluate(gan, test=data, n=10_000)
    ```
    """
    check_metrics(metrics)
    if not hasattr(model, "generate"):
        raise ValueError(
            "Expected a model that draws its own samples. Received: "
            f"{type(model).__name__}. `evaluate_translation` measures one that "
            "translates."
        )
    if not isinstance(n, (int, np.integer)) or n < 2 or len(seeds) < 1:
        raise ValueError(
            "Expected at least 2 samples and one seed. Received: "
            f"n={n!r}, seeds={list(seeds)}. Published figures use n=10000 or "
            "n=50000."
        )
    extract = extractor(extractor_name)
    rows: dict[str, list[float]] = {}
    protocols = {}
    kept: dict[str, Any] = {}
    for seed in seeds:
        e = Evaluation(
            model,
            extract,
            train,
            test,
            validation,
            reference,
            n,
            seed,
            verbose,
            kept,
        )
        for metric in metrics:
            protocol = _protocol(metric, e, seeds)
            for name, value in METRICS[metric](e).items():
                if metric not in OF_PIXELS and name not in PUBLISHED:
                    name = f"{name}/{extract.name}"
                rows.setdefault(name, []).append(float(value))
                protocols[name] = protocol
    return [
        Figure(
            name,
            float(np.mean(values)),
            float(np.std(values)),
            protocols[name],
        )
        for name, values in rows.items()
    ]


def check_metrics(metrics: Sequence[str]) -> None:
    """Raise a `ValueError` for a name that is no metric's."""
    for name in metrics:
        if name not in METRICS:
            raise ValueError(unknown("metric", str(name), sorted(METRICS)))


# Names that say which features: those of the 2015 Inception.
PUBLISHED = (
    "FID",
    "FID of training images",
    "KID",
    "KID standard error",
    "inception_score",
)


def _protocol(
    metric: str, e: Evaluation, seeds: Sequence[int]
) -> dict[str, Any]:
    n = e.n
    if metric in ("density_coverage", "precision_recall", "memorisation"):
        n = min(n, MOST_NEIGHBOURS)
    facts = e.real_protocol()
    if metric in OF_PIXELS:
        for name in ("extractor", "sha256", "resize"):
            facts.pop(name)
    if metric in ("memorisation", "linear_probe", "frechet_distance"):
        if e.train_data is not None:
            facts["train"] = f"{e.train_data.split} ({len(e.train_data)})"
    if metric == "parzen":
        n = min(n, 10_000)
        if e.validation_data is not None:
            facts["validation"] = e.validation_data.split
    if metric != "linear_probe":
        facts |= {"generated": n, "seeds": list(seeds)}
        average = getattr(e.model, "ema_generator", None) is not None
        facts["generator"] = "moving average" if average else "as trained"
    return facts


def pooled_features(
    network: keras.Model, images: np.ndarray, batch_size: int = 500
) -> np.ndarray:
    """Features of a discriminator, for a linear probe.

    The outputs of all its convolutions, each max-pooled to 4x4, flattened and
    joined (Radford et al. 2016, section 5.1); of a network without
    convolutions, the outputs of its hidden layers.

    Args:
        network: From images to logits.
        images: float32 `[n, h, w, c]` in [-1, 1].
        batch_size: Images at once.

    Returns:
        float32 `[n, d]`.
    """
    activations = [
        layer.output
        for layer in network.layers
        if isinstance(layer, (layers.LeakyReLU, layers.ReLU))
        or type(layer).__name__ == "Maxout"
    ] or [
        layer.output
        for layer in network.layers[:-1]
        if isinstance(layer, layers.Dense)
    ]
    parts = []
    for x in activations:
        if len(x.shape) == 4:
            pool = tuple(-(-side // 4) for side in x.shape[1:3])
            x = layers.MaxPooling2D(pool, padding="same")(x)
        parts.append(layers.Flatten()(x))
    joined = layers.Concatenate()(parts) if len(parts) > 1 else parts[0]
    run = backend.inference(keras.Model(network.input, joined))
    return np.concatenate(
        [
            run(images[i : i + batch_size])
            for i in range(0, len(images), batch_size)
        ]
    )
