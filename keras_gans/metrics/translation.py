"""Measure a model that translates between two domains, A and B.

Images are translated both ways and compared, by their features, to real test
images of the domain that they are to belong to. Beside each distance stands
that of the images as they were, which a useful translation goes below, and that
of as many real training images of the target, which none can be expected to.
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np

from keras_gans.datasets.data import ImageData
from keras_gans.datasets.unpaired import UnpairedData
from keras_gans.inputs import check_translatable
from keras_gans.metrics.extractors import Extractor, extractor
from keras_gans.metrics.frechet import frechet_distance_of
from keras_gans.metrics.kernel import kernel_distance
from keras_gans.metrics.measures import is_published
from keras_gans.metrics.protocol import Figure, mean_and_deviation
from keras_gans.registry import unknown

# Direction -> the domains that it goes from and to.
WAYS = {"AtoB": ("A", "B"), "BtoA": ("B", "A")}

BATCH_SIZE = 16  # images that are floats at once

# Two disjoint subsets of the smallest size, for the kernel distance.
LEAST = 4

# Names of ImageNet's classes that the paper's data sets are of, counted from 0
# to 999; others go by number. A file of 1001 classes has one more before them.
IMAGENET = {"granny_smith": 948, "orange": 950, "sorrel": 339, "zebra": 340}


class Translations:
    """What the measures ask for, each thing made once and kept.

    Args:
        model: With `translate`.
        extract: The feature extractor; None where no measure needs one.
        test: Images that are translated, and that translations are compared to.
        train: For floors, or None.
        seeds: Of the draws of training images.
        classes: Of each domain, the index among the extractor's and its name.
        cycles: Translate back, too.
        verbose: Show progress bars.
    """

    def __init__(
        self,
        model: keras.Model,
        extract: Extractor | None,
        test: UnpairedData,
        train: UnpairedData | None,
        seeds: Sequence[int],
        classes: dict[str, tuple[int, str]],
        cycles: bool,
        verbose: bool,
    ):
        self.model = model
        self.extract = extract
        self.test = {"A": test.a, "B": test.b}
        self.train = train and {"A": train.a, "B": train.b}
        self.seeds = seeds
        self.classes = classes
        self.cycles = cycles
        self.ways = known_ways(model)
        self.verbose = verbose
        self.errors: dict[str, float] = {}

    def translated(self, way: str) -> Iterator[np.ndarray]:
        """Translations in batches; the cycle error is known after the last."""
        source, target = WAYS[way]
        data, total = self.test[source], 0.0
        for images in batches(data):
            made = self.model.translate(images, way)
            if self.cycles:
                back = self.model.translate(made, f"{target}to{source}")
                total += np.abs(back - images).sum(dtype=np.float64)
            yield made
        if self.cycles:
            self.errors[way] = total / data.images.size

    @functools.cached_property
    def fake(self) -> dict[str, tuple[np.ndarray, np.ndarray | None]]:
        """Features and logits of the translations, for each direction."""
        return {
            way: self.extract(
                self.translated(way), len(self.test[source]), self.verbose
            )
            for way, (source, _) in self.ways.items()
        }

    @functools.cached_property
    def real(self) -> dict[str, tuple[np.ndarray, np.ndarray | None]]:
        """Features and logits of the test images of each domain."""
        return {
            side: self.extract(batches(data), len(data), self.verbose)
            for side, data in self.test.items()
        }

    @functools.cached_property
    def drawn(self) -> dict[str, list[np.ndarray]]:
        """Features of training images of each direction's target, by seed.

        As many as there are translations.
        """
        found = {}
        for way, (source, target) in self.ways.items():
            data, n = self.train[target], len(self.test[source])
            draws = [
                np.random.default_rng(s).choice(len(data), n, replace=False)
                for s in self.seeds
            ]
            chosen = np.unique(draws)  # those of several draws once
            features, _ = self.extract(
                batches(data, chosen), len(chosen), self.verbose
            )
            found[way] = [features[np.searchsorted(chosen, d)] for d in draws]
        return found

    def cycle_error(self, way: str) -> float:
        """Mean |x - x'| of images and what comes of them there and back."""
        if self.extract is not None:
            _ = self.fake  # its translations serve both
        elif way not in self.errors:
            n = len(self.test[WAYS[way][0]])
            bar = keras.utils.Progbar(
                n, unit_name="image", verbose=self.verbose
            )
            for made in self.translated(way):
                bar.add(len(made))
        return self.errors[way]


# === Measures: each gives its figures by name, a value or one a seed ===


def measure_frechet(t: Translations, way: str) -> dict[str, Any]:
    name = "FID" if is_published(t.extract) else "frechet_distance"
    return beside(t, way, name, frechet_distance_of)


def measure_kernel(t: Translations, way: str) -> dict[str, Any]:
    name = "KID" if is_published(t.extract) else "kernel_distance"
    size = min(1000, *(len(data) // 2 for data in t.test.values()))

    def estimate(features, real):
        return kernel_distance(real, features, subset_size=size)

    _, error = estimate(t.fake[way][0], t.real[WAYS[way][1]][0])
    figures = beside(t, way, name, lambda *both: estimate(*both)[0])
    return figures | {f"{name} standard error {way}": error}


def measure_class_share(t: Translations, way: str) -> dict[str, float]:
    source, target = WAYS[way]
    index, word = t.classes[target]
    name = f"class_share {word} {way}"
    logits = {
        name: t.fake[way][1],
        f"{name} of untranslated {source}": t.real[source][1],
        f"{name} of real {target}": t.real[target][1],
    }
    return {n: (x.argmax(axis=1) == index).mean() for n, x in logits.items()}


def measure_cycle_error(t: Translations, way: str) -> dict[str, float]:
    return {f"cycle_error {way}to{way[0]}": t.cycle_error(way)}


def beside(
    t: Translations,
    way: str,
    name: str,
    distance: Callable[[np.ndarray, np.ndarray], float],
) -> dict[str, Any]:
    """A distance to the target's test images, and the two to judge it by."""
    source, target = WAYS[way]
    real = t.real[target][0]
    figures = {
        f"{name} {way}": distance(t.fake[way][0], real),
        f"{name} {way} of untranslated {source}": distance(
            t.real[source][0], real
        ),
    }
    if t.train:
        figures[f"{name} {way} of training {target}"] = [
            distance(features, real) for features in t.drawn[way]
        ]
    return figures


TRANSLATION_METRICS: dict[str, Callable[[Translations, str], dict]] = {
    "class_share": measure_class_share,
    "cycle_error": measure_cycle_error,
    "frechet_distance": measure_frechet,
    "kernel_distance": measure_kernel,
}

WITH_FLOOR = ("frechet_distance", "kernel_distance")
OF_PIXELS = ("cycle_error",)  # sees no features


def evaluate_translation(
    model: keras.Model,
    metrics: Sequence[str] = ("frechet_distance",),
    extractor_name: str | keras.Model | Extractor = "mobilenet_v1",
    train: UnpairedData | None = None,
    test: UnpairedData | None = None,
    classes: Sequence[str | int] | None = None,
    n: int | None = None,
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    verbose: bool = True,
) -> list[Figure]:
    """Measure a model that translates, both ways or the one that it knows.

    Args:
        model: With `translate`, as `CycleGAN`.
        metrics: Names in `keras_gans.metrics.TRANSLATION_METRICS`.
        extractor_name: What `keras_gans.metrics.extractor` takes.
        train: What the model was trained on, for the floors of the distances;
            None leaves them out.
        test: Images of both domains that it never saw, as large as those of
            `train`, sides divisible by 4.
        classes: For class_share, the extractor's class that A is of and the one
            that B is of: numbers, or for mobilenet_v1 "sorrel", "zebra",
            "granny_smith" or "orange".
        n: At most so many test images of each domain; None takes all.
        seeds: Of the draws of training images; a floor is the mean over them.
        verbose: Show progress bars.

    Returns:
        A `Figure` a number, each with its protocol. In it "images of A" are
        those that were translated from A to B, and the real ones that
        translations from B to A were compared to.

    Raises:
        ValueError: If the model does not translate, a metric or a class is
            unknown, or there are too few images.

    Example:

    ```python
    data = keras_gans.datasets.load("cyclegan/horse2zebra", "test")
    figures = keras_gans.metrics.evaluate_translation(cyclegan, test=data)
    ```
    """
    metrics = list(dict.fromkeys(metrics))
    if not hasattr(model, "translate"):
        raise ValueError(
            "Expected a model that translates. Received: "
            f"{type(model).__name__}. `keras_gans.metrics.evaluate` measures "
            "one that draws samples."
        )
    check_translation_metrics(metrics, classes)
    if "cycle_error" in metrics and len(known_ways(model)) < 2:
        raise ValueError(
            "Expected a model of both directions for cycle_error. Received: "
            f"one that knows {', '.join(known_ways(model))}. Leave the metric "
            "out."
        )
    if not set(metrics) & set(WITH_FLOOR):
        train = None
    test = _checked_data(train, test, n, seeds)
    extract, words = None, {}
    if set(metrics) - set(OF_PIXELS):
        extract = extractor(extractor_name)
    # One image through the extractor, so that what does not fit fails now.
    one = test.a.part(slice(1)).arrays()[0]
    check_translatable(one, model.image_shape[-1])
    logits = extract and extract([one])[1]
    if "class_share" in metrics:
        words = _known_classes(classes, extract, logits)
    cycles = "cycle_error" in metrics
    t = Translations(model, extract, test, train, seeds, words, cycles, verbose)
    figures = []
    for metric in metrics:
        protocol = _protocol(metric, extract, test, train, seeds)
        for way in t.ways:
            found = TRANSLATION_METRICS[metric](t, way)
            for name, value in found.items():
                # FID and KID say which features; the others name them.
                if metric not in OF_PIXELS and name[:3] not in ("FID", "KID"):
                    name = f"{name}/{extract.name}"
                mean, spread = mean_and_deviation(value)
                figures.append(Figure(name, mean, spread, protocol))
    return figures


def known_ways(model: keras.Model) -> dict[str, tuple[str, str]]:
    """The directions whose weights a model has."""
    without = getattr(model, "networks_without_weights", ())
    networks = getattr(model, "translators", None)
    if networks is None:
        return WAYS
    return {
        w: ends for w, ends in WAYS.items() if networks[w].name not in without
    }


def check_translation_metrics(
    metrics: Sequence[str], classes: Sequence[str | int] | None
) -> None:
    """Raise a `ValueError` for a name that is no measure's, or no classes."""
    known = sorted(TRANSLATION_METRICS)
    for name in metrics or ("",):
        if name not in known:
            raise ValueError(
                unknown("metric of translations", str(name), known)
            )
    whole = isinstance(classes, Sequence) and not isinstance(classes, str)
    if "class_share" in metrics and not (whole and len(classes) == 2):
        raise ValueError(
            "Expected `classes`, that of A and that of B, for class_share. "
            f"Received: classes={classes!r}. Give two names or numbers, as in "
            "('sorrel', 'zebra')."
        )


def batches(
    data: ImageData, chosen: np.ndarray | None = None
) -> Iterator[np.ndarray]:
    """The images, or some of them, as floats, a few at a time."""
    chosen = np.arange(len(data)) if chosen is None else chosen
    for i in range(0, len(chosen), BATCH_SIZE):
        yield data.part(chosen[i : i + BATCH_SIZE]).arrays()[0]


def _checked_data(
    train: UnpairedData | None,
    test: UnpairedData | None,
    n: int | None,
    seeds: Sequence[int],
) -> UnpairedData:
    """The first n test images of each domain, or a `ValueError`."""
    for word, data in (("test", test), ("train", train)):
        optional = word == "train" and data is None
        if not optional and not isinstance(data, UnpairedData):
            raise ValueError(
                f"Expected `{word}` as images of two domains. Received: "
                f"{type(data).__name__}. Load a folder with {word}A and "
                f"{word}B, or join two sets by `keras_gans.datasets.unpaired`."
            )
    if n is not None and (not isinstance(n, (int, np.integer)) or n < LEAST):
        raise ValueError(
            f"Expected `n` as an integer from {LEAST}. Received: n={n!r}. "
            "Leave it out to take all test images."
        )
    test = test.part(slice(n))
    few = min(len(test.a), len(test.b))
    if few < LEAST:
        raise ValueError(
            f"Expected at least {LEAST} test images of each domain. Received: "
            f"{len(test.a)} of A, {len(test.b)} of B. Published figures use "
            "100 and more."
        )
    if train is None:
        return test
    if not len(seeds) or min(seeds) < 0:
        raise ValueError(
            "Expected one seed or more, from 0, of draws of training images. "
            f"Received: seeds={list(seeds)}. Leave `train` out for no floor."
        )
    if train.image_shape != test.image_shape:
        raise ValueError(
            "Expected training and test images of one shape. Received: "
            f"{train.image_shape} and {test.image_shape}. Load both with one "
            "`image_shape`."
        )
    if len(train.a) < len(test.b) or len(train.b) < len(test.a):
        raise ValueError(
            "Expected at least as many training images as test images of the "
            f"other domain. Received: {len(train.a)} of A and {len(train.b)} "
            f"of B, for {len(test.a)} of A and {len(test.b)} of B. Pass a "
            "smaller `n`, or leave `train` out for no floor."
        )
    return test


def _known_classes(
    classes: Sequence[str | int], extract: Extractor, logits: np.ndarray | None
) -> dict[str, tuple[int, str]]:
    """The index of each domain's class, and what it is called."""
    if logits is None:
        raise ValueError(
            "Expected an extractor that classifies, for class_share. Received: "
            f"{extract.name}. Use 'mobilenet_v1', or leave the metric out."
        )
    n = logits.shape[1]
    named = {}
    if extract.name == "mobilenet_v1":
        named = {name: i + n - 1000 for name, i in IMAGENET.items()}
    words = {i: name for name, i in named.items()}
    found = {}
    for side, given in zip("AB", classes, strict=True):
        index = given
        if isinstance(given, str):
            name = given.lower().replace(" ", "_")
            if name not in named:
                raise ValueError(
                    unknown(f"class of {extract.name}", given, sorted(named))
                    + " Any other goes by its number."
                )
            index = named[name]
        if (
            isinstance(index, bool)
            or not isinstance(index, (int, np.integer))
            or not 0 <= index < n
        ):
            raise ValueError(
                f"Expected a class of {extract.name} as a name, or a number "
                f"from 0 to {n - 1}. Received: {given!r}. Look it up in the "
                "list of the classes that it was trained on."
            )
        found[side] = int(index), words.get(index, f"class {index}")
    return found


def _protocol(
    metric: str,
    extract: Extractor | None,
    test: UnpairedData,
    train: UnpairedData | None,
    seeds: Sequence[int],
) -> dict[str, Any]:
    height, width, _ = test.image_shape
    facts: dict[str, Any] = {
        "data": test.name,
        "split": test.split,
        "images of A": len(test.a),
        "images of B": len(test.b),
        "image size": f"{height}x{width}",
    }
    if metric not in OF_PIXELS:
        facts |= {
            "extractor": extract.name,
            "sha256": extract.sha256,
            "resize": extract.resize,
        }
    if train is not None and metric in WITH_FLOOR:
        facts["train"] = f"{train.split} ({len(train.a)} + {len(train.b)})"
        facts["seeds"] = [int(seed) for seed in seeds]
    return facts
