"""Measure a model: samples -> features -> figures, under a named protocol."""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

import keras
import numpy as np

from keras_gans.datasets.captioned import CaptionedData
from keras_gans.datasets.data import ImageData
from keras_gans.metrics.extractors import Extractor, extractor
from keras_gans.metrics.measures import METRICS, Metric, is_published
from keras_gans.metrics.parzen import VALIDATION
from keras_gans.metrics.protocol import (
    Figure,
    counted,
    differences,
    mean_and_deviation,
    of_data,
    of_extractor,
)
from keras_gans.metrics.reference import Reference
from keras_gans.metrics.subject import Subject
from keras_gans.registry import unknown

MOST_SEED = 2**32 - 1  # of NumPy's legacy generator, which draws subsets


def evaluate(
    model: keras.Model,
    metrics: str | Sequence[str] = ("frechet_distance",),
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

    Whatever is missing or does not fit is found before anything is measured.

    Args:
        model: With `generate`, as `keras_gans.load` gives it.
        metrics: Names in `keras_gans.metrics.METRICS`, or one of them.
        extractor_name: What `keras_gans.metrics.extractor` takes.
        train: What the model was trained on: for floors, the memorisation
            check and the linear probe.
        test: Real images that it never saw.
        validation: For the Parzen estimate.
        reference: Statistics of real images, instead of `test`, made with the
            same extractor.
        n: Samples for each seed.
        seeds: Of the samples; a figure is the mean over them.
        verbose: Show progress bars.

    Returns:
        A `Figure` a number, each with its protocol. With `train`, each Fréchet
        distance is followed by its floor: that of n training images, drawn at
        random, the mean over five draws; of all of them where there are no
        more than n, and its name says how many where there are fewer.

    Raises:
        ValueError: If a metric is unknown, or anything that it needs is
            missing, of another kind or too little.

    Example:

    ```python
    data = keras_gans.datasets.load("mnist", "test")
    figures = keras_gans.metrics.evaluate(gan, test=data, n=10_000)
    ```
    """
    metrics = check_metrics(metrics)
    of_samples = any(METRICS[name].of_samples for name in metrics)
    if not hasattr(model, "generate") and of_samples:
        raise ValueError(
            "Expected a model that draws its own samples. Received: "
            f"{type(model).__name__}. `evaluate_translation` measures one that "
            "translates."
        )
    seeds = check_draws(metrics, n, seeds)
    subject = Subject(
        model,
        None,
        train,
        test,
        validation,
        reference,
        int(n),
        seeds[0],
        verbose,
    )
    for name in metrics:  # before an extractor is fetched
        _check_data(name, METRICS[name], subject)
    if needs_extractor(metrics, reference):
        subject.extract = extractor(extractor_name)
    check_subject(metrics, subject)

    measured: dict[str, dict[str, list[float]]] = {m: {} for m in metrics}
    for seed in seeds:
        at_seed = dataclasses.replace(subject, seed=seed)
        for name, found in measured.items():
            if METRICS[name].of_samples or seed == seeds[0]:
                if verbose:
                    print(f"{name}, seed {seed}", flush=True)
                for key, value in METRICS[name].measure(at_seed).items():
                    found.setdefault(key, []).append(float(value))
    figures = []
    for name, found in measured.items():
        metric = METRICS[name]
        protocol = _protocol(metric, subject, seeds)
        figures += _figures(metric, found, subject.extract, protocol)
        if metric.floor and train is not None:
            found, drawn = metric.floor(subject)
            protocol = _real(metric, subject) | of_extractor(subject.extract)
            protocol |= {"train": counted(train)} | drawn
            figures += _figures(metric, found, subject.extract, protocol)
    return figures


def _figures(
    metric: Metric,
    found: dict[str, list[float]],
    extract: Extractor | None,
    protocol: dict[str, Any],
) -> list[Figure]:
    """Means and deviations of the values of each name."""
    return [
        Figure(
            full_name(metric, name, extract),
            *mean_and_deviation(values),
            protocol,
        )
        for name, values in found.items()
    ]


def full_name(metric: Metric, name: str, extract: Extractor | None) -> str:
    """A figure's name, which says over which features it was measured."""
    if not metric.of_features:
        return name
    if metric.published and is_published(extract):
        _, _, rest = name.partition(" ")
        return f"{metric.published} {rest}".strip()
    return f"{name}/{extract.name}"


# === Protocols ===


def _real(metric: Metric, s: Subject) -> dict[str, Any]:
    """The fields of the test images, as far as the metric sees them."""
    if not metric.test:
        return {}
    if s.reference is None or not metric.of_features:
        return of_data(s.test, metric.most)
    own = s.reference.protocol
    facts = {k: own[k] for k in ("data", "split", "real") if k in own}
    if metric.most and s.reals:
        facts["real"] = min(s.reals, metric.most)
    return facts


def _protocol(
    metric: Metric, s: Subject, seeds: Sequence[int]
) -> dict[str, Any]:
    facts = _real(metric, s)
    if metric.of_features:
        facts |= of_extractor(s.extract)
    if "train" in metric.needs:
        facts["train"] = counted(s.train)
    if "validation" in metric.needs:
        facts["validation"] = counted(s.validation, VALIDATION)
    if metric.of_samples:
        average = getattr(s.model, "ema_generator", None) is not None
        if s.model.takes_text and s.test is not None:
            facts |= {
                "captions": counted(s.test),
                "text encoder": s.model.text_encoder.name,
            }
        if s.model.takes_labels:
            facts["classes"] = "each in turn"
        facts |= {
            "generated": min(s.n, metric.most or metric.most_fake or s.n),
            "seeds": list(seeds),
            "generator": "moving average" if average else "as trained",
        }
    return facts | metric.facts(s)


# === Checks, before any long work ===


def check_metrics(metrics: str | Sequence[str]) -> list[str]:
    """The names, each once; a `ValueError` for one that is no metric's."""
    names = [metrics] if isinstance(metrics, str) else metrics
    if not isinstance(names, Iterable) or not (names := list(names)):
        raise ValueError(
            "Expected the name of a metric, or several. Received: metrics="
            f"{metrics!r}. They are {', '.join(sorted(METRICS))}."
        )
    for name in names:
        if not isinstance(name, str) or name not in METRICS:
            raise ValueError(unknown("metric", str(name), sorted(METRICS)))
    return list(dict.fromkeys(names))


def check_draws(
    metrics: Sequence[str], n: int, seeds: Sequence[int]
) -> list[int]:
    """The seeds as integers; a `ValueError` where they or n do not fit."""
    if not _whole(n) or n < 2:
        raise ValueError(
            f"Expected at least 2 samples. Received: n={n!r}. Published "
            "figures use n=10000 or n=50000."
        )
    for name in metrics:
        if METRICS[name].of_samples and n < METRICS[name].least:
            raise ValueError(
                f"Expected at least {METRICS[name].least} samples for {name}. "
                f"Received: n={n}. Draw more, or leave the metric out."
            )
    if (
        isinstance(seeds, (str, bytes))
        or not isinstance(seeds, Iterable)
        or not (listed := list(seeds))
        or not all(_whole(seed) and 0 <= seed <= MOST_SEED for seed in listed)
        or len(set(listed)) < len(listed)
    ):
        raise ValueError(
            f"Expected one seed or more in a list, integers from 0 to "
            f"{MOST_SEED}, each once. Received: seeds={seeds!r}. Pass (0,) or "
            "(0, 1, 2), say."
        )
    return [int(seed) for seed in listed]


def needs_extractor(
    metrics: Sequence[str], reference: Reference | None
) -> bool:
    """Whether features are compared; a reference is checked in any case."""
    of_features = any(METRICS[name].of_features for name in metrics)
    return of_features or reference is not None


def check_subject(metrics: Sequence[str], subject: Subject) -> None:
    """Raise a `ValueError` where a metric cannot be measured on it."""
    for name in metrics:
        _check_data(name, METRICS[name], subject)
    if subject.reference is not None:
        _check_reference(subject.reference, subject.extract)
    if any(METRICS[name].of_features for name in metrics):
        _check_features(metrics, subject)


def _whole(x: Any) -> bool:
    return isinstance(x, (int, np.integer)) and not isinstance(x, bool)


def _check_data(name: str, metric: Metric, s: Subject) -> None:
    """Raise a `ValueError` where real data or the model lack something."""
    needed = [part for part in ("train", "validation") if part in metric.needs]
    if metric.test == "images" or (metric.test and s.reference is None):
        needed.append("test")
    for part in needed:
        if getattr(s, part) is None:
            raise ValueError(
                f"Expected `{part}` data for {name}. Received: {part}=None. "
                "Give it, or leave the metric out."
            )
    if (
        metric.test == "features"
        and s.reference is not None
        and s.reference.features is None
    ):
        raise ValueError(
            f"Expected reference statistics with features for {name}. "
            "Received: mean and covariance only. Save them with "
            "`features=True`."
        )
    real = len(s.test) if metric.test == "images" else s.reals
    if metric.test and real is not None and real < metric.least:
        raise ValueError(
            f"Expected at least {metric.least} test images for {name}. "
            f"Received: {real}. Give more, or leave the metric out."
        )
    if "labels" in metric.needs:
        for part in ("train", "test"):
            if getattr(s, part).labels is None:
                raise ValueError(
                    f"Expected `{part}` data with labels for {name}. Received: "
                    f"{getattr(s, part).name!r}, which has none. Leave the "
                    "metric out."
                )
    if "conditional" in metric.needs and not s.model.takes_labels:
        raise ValueError(
            f"Expected a conditional model for {name}. Received: "
            f"{type(s.model).__name__}, which takes no labels. Leave the "
            "metric out."
        )
    if "text" in metric.needs and not s.model.takes_text:
        raise ValueError(
            f"Expected a model of texts for {name}. Received: "
            f"{type(s.model).__name__}, which takes none. Leave the metric out."
        )
    if s.model.takes_text and metric.of_samples:
        _check_captions(name, metric, s)
    if "score" in metric.needs and not hasattr(s.model, "score"):
        raise ValueError(
            f"Expected a model with a likelihood for {name}. Received: "
            f"{type(s.model).__name__}, which has none. Leave the metric out, "
            "or take parzen, which is of samples."
        )
    if "reconstruct" in metric.needs and not hasattr(s.model, "reconstruct"):
        raise ValueError(
            f"Expected a model that encodes and decodes for {name}. Received: "
            f"{type(s.model).__name__}, which does not. Leave the metric out."
        )
    if "discriminator" in metric.needs and not hasattr(
        s.model, "discriminator"
    ):
        raise ValueError(
            f"Expected a model with a discriminator for {name}. Received: "
            f"{type(s.model).__name__}, which has none. Leave the metric out."
        )
    for part in () if metric.of_features else needed:
        shape = getattr(s, part).image_shape
        if shape != tuple(s.model.image_shape):
            raise ValueError(
                f"Expected `{part}` images of the model's shape, "
                f"{tuple(s.model.image_shape)}, for {name}. Received: {shape}. "
                "Load them with that `image_shape`."
            )


def _check_captions(name: str, metric: Metric, s: Subject) -> None:
    """Raise a `ValueError` where there are no captions to ask for."""
    needed = ("train", "test") if "train" in metric.needs else ("test",)
    for part in needed:
        if not isinstance(getattr(s, part), CaptionedData):
            raise ValueError(
                f"Expected `{part}` images with captions for {name} of a "
                f"{type(s.model).__name__}. Received: "
                f"{type(getattr(s, part)).__name__}. Load a folder with "
                "captions.tsv, or flowers102."
            )


def _check_reference(reference: Reference, extract: Extractor) -> None:
    """Raise a `ValueError` where it was made with another extractor."""
    ours = of_extractor(extract)
    theirs = {name: reference.protocol.get(name) for name in ours}
    if found := differences(theirs, ours):
        words = (
            " and ".join(f"{name} {pair[i]!r}" for name, pair in found.items())
            for i in (0, 1)
        )
        has, uses = words
        raise ValueError(
            "Expected reference statistics of the extractor that is used, of "
            f"{uses}. Received: a reference of {has}. Make it again with "
            "`Reference.from_data`, or measure with its extractor."
        )


def _check_features(metrics: Sequence[str], s: Subject) -> None:
    """One sample through the extractor: what does not fit fails now."""
    features, logits = s.extract(dataclasses.replace(s, n=1).samples(1))
    width = features.shape[1]
    if s.reference is not None and len(s.reference.mean) != width:
        raise ValueError(
            f"Expected reference statistics of {width} features. Received: "
            f"{len(s.reference.mean)}. Make them again with "
            "`Reference.from_data`."
        )
    for name in metrics:
        if "logits" in METRICS[name].needs and logits is None:
            raise ValueError(
                f"Expected an extractor that classifies, for {name}. Received: "
                f"{s.extract.name}. Use 'lenet_mnist' for digits."
            )
