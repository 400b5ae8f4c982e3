"""The metrics of models that draw samples: what each needs, and is called.

Every measure is a few lines that pick its arguments; what it computes stands
in the file of its name.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from keras_gans.datasets.captioned import CaptionedData
from keras_gans.metrics.caption_retrieval import (
    AMONG,
    Scorer,
    caption_retrieval,
)
from keras_gans.metrics.classes import class_histogram, conditional_accuracy
from keras_gans.metrics.colour_obedience import (
    CAPTION,
    COLOURS,
    EACH,
    colour_obedience,
    middle_colours,
    prototypes_of,
)
from keras_gans.metrics.density_coverage import density_coverage
from keras_gans.metrics.diversity import diversity
from keras_gans.metrics.extractors import Extractor
from keras_gans.metrics.frechet import Moments, frechet_distance
from keras_gans.metrics.inception import SHA256
from keras_gans.metrics.inception_score import inception_score
from keras_gans.metrics.kernel import kernel_distance
from keras_gans.metrics.linear_probe import linear_probe
from keras_gans.metrics.memorisation import memorisation
from keras_gans.metrics.parzen import VALIDATION, parzen
from keras_gans.metrics.pooled_features import pooled_features
from keras_gans.metrics.precision_recall import precision_recall
from keras_gans.metrics.reference import batches
from keras_gans.metrics.subject import Subject

# Metrics of neighbours compare all pairs: at most so many of each side. So
# many samples has the paper's Parzen estimate, too.
MOST = 10_000

DRAWS = 5  # of training images, for a floor
PRECISION_K = 3  # Kynkäänniemi et al.
DENSITY_K = 5  # Naeem et al.
PROBE_C = 1e-3
IMPORTANCE_SAMPLES = 5000  # Burda et al.
SPLITS = 10  # Salimans et al.


def measure_frechet(s: Subject) -> dict[str, float]:
    return {"frechet_distance": _distance(s.fake[0], s)}


def floor_of_frechet(s: Subject) -> tuple[dict[str, list[float]], dict]:
    """The distance of as many training images, and how they were drawn."""
    features, n = s.train_features, min(s.n, len(s.train))
    if n == len(features):
        drawn = [features]  # all: there is one such draw
    else:
        drawn = (
            features[np.random.default_rng(i).choice(len(features), n, False)]
            for i in range(DRAWS)
        )
    distances = [_distance(x, s) for x in drawn]
    # Fewer than the samples: the name says so, and nobody takes it for a
    # floor of the same number.
    many = "" if n == s.n else f"only {n} "
    return (
        {f"frechet_distance of {many}training images": distances},
        {"drawn": n, "draws": len(distances)},
    )


def _distance(features: np.ndarray, s: Subject) -> float:
    own = Moments().update(features)
    return frechet_distance(
        own.mean, own.covariance, s.real.mean, s.real.covariance
    )


def measure_kernel(s: Subject) -> dict[str, float]:
    value, error = kernel_distance(
        s.real.features, s.fake[0], subset_size=subset_size(s), seed=s.seed
    )
    return {"kernel_distance": value, "kernel_distance standard error": error}


def subset_size(s: Subject) -> int:
    """1,000, as in the paper, or half of the smaller set."""
    return min(1000, s.reals // 2, s.n // 2)


def measure_class_score(s: Subject) -> dict[str, float]:
    mean, deviation = inception_score(s.fake[1], SPLITS, from_logits=True)
    return {
        "class_score": mean,
        "class_score deviation over splits": deviation,
    }


def measure_precision_recall(s: Subject) -> dict[str, float]:
    precision, recall = precision_recall(
        s.some_real(MOST), s.fake[0][:MOST], k=PRECISION_K
    )
    return {"precision": precision, "recall": recall}


def measure_density_coverage(s: Subject) -> dict[str, float]:
    density, coverage = density_coverage(
        s.some_real(MOST), s.fake[0][:MOST], k=DENSITY_K
    )
    return {"density": density, "coverage": coverage}


def measure_memorisation(s: Subject) -> dict[str, float]:
    found = memorisation(s.train_features, s.real.features, s.fake[0][:MOST])
    return {
        "memorised share": found.memorised,
        "nearest training image, samples over test": found.ratio,
    }


def measure_diversity(s: Subject) -> dict[str, float]:
    return {"diversity": diversity(s.fake[0], s.real.features)}


def measure_class_histogram(s: Subject) -> dict[str, float]:
    logits = s.fake[1]
    counts = class_histogram(logits.argmax(axis=1), logits.shape[1])
    shares = counts / counts.sum()
    named = {f"share of class {i}": float(x) for i, x in enumerate(shares)}
    return named | {
        "share of the least frequent class": float(shares.min()),
        "share of the most frequent class": float(shares.max()),
    }


def measure_conditional_accuracy(s: Subject) -> dict[str, float]:
    predicted = s.fake[1].argmax(axis=1)
    return {"conditional_accuracy": conditional_accuracy(predicted, s.labels)}


def measure_linear_probe(s: Subject) -> dict[str, float]:
    network = s.model.discriminator
    return {
        "linear_probe": linear_probe(
            pooled_features(network, s.train),
            s.train.labels,
            pooled_features(network, s.test),
            s.test.labels,
            c=PROBE_C,
            verbose=s.verbose,
        )
    }


def measure_likelihood(s: Subject) -> dict[str, float]:
    images, labels = s.test.arrays()
    scores = s.model.score(
        images,
        k=IMPORTANCE_SAMPLES,
        seed=s.seed,
        labels=labels if s.model.takes_labels else None,
        verbose=s.verbose,
    )
    error = scores.std(ddof=1) / len(scores) ** 0.5
    return {
        "negative_log_likelihood": -float(scores.mean()),
        "negative_log_likelihood standard error": float(error),
    }


def measure_reconstruction_error(s: Subject) -> dict[str, float]:
    images, labels = s.test.arrays()
    given = (labels,) if s.model.takes_labels else ()
    errors = (s.model.reconstruct(images, *given) - images) / 2.0
    return {"reconstruction_error": float(np.mean(np.square(errors)))}


def measure_parzen(s: Subject) -> dict[str, float]:
    def pixels(images):
        return (images.reshape(len(images), -1) + 1.0) / 2.0

    found = parzen(
        np.concatenate([pixels(x) for x in s.samples(min(s.n, MOST))]),
        pixels(s.validation.part(slice(VALIDATION)).arrays()[0]),
        pixels(s.test.arrays()[0]),
    )
    return {
        "parzen_log_likelihood": found.mean,
        "parzen_log_likelihood standard error": found.standard_error,
        "parzen_log_likelihood sigma": found.sigma,
    }


def measure_colour_obedience(s: Subject) -> dict[str, float]:
    if "colours" not in s.kept:
        s.kept["colours"] = _colours_of(s.train)
    prototypes, of_training = s.kept["colours"]
    asked = np.repeat(np.arange(len(COLOURS)), EACH)
    texts = [CAPTION.format(colour) for colour in COLOURS]
    made = middle_colours(s.model.generate(EACH, s.seed, texts=texts))
    return {
        "colour_obedience": colour_obedience(made, asked, prototypes),
        "colour_obedience of training images": of_training,
    }


def _colours_of(train: CaptionedData) -> tuple[np.ndarray, float]:
    """What the colours look like, and how many real images obey."""
    middles = np.concatenate([middle_colours(x) for x in batches(train)])
    captions = [texts[0] for texts in train.captions]
    prototypes, chosen = prototypes_of(middles, captions)
    # Classes of several sizes count alike, as the samples do.
    shares = [
        colour_obedience(middles[places], np.full(len(places), i), prototypes)
        for i, places in enumerate(chosen)
    ]
    return prototypes, float(np.mean(shares))


def measure_caption_retrieval(s: Subject) -> dict[str, float]:
    if "scorer" not in s.kept:
        s.kept["scorer"] = Scorer.learn(s.train_features, s.captions("train"))
    # In an order of the seed: neighbours are of one class in many data sets.
    order = np.random.default_rng(s.seed).permutation(s.n)
    real = np.random.default_rng(s.seed).permutation(len(s.test))
    captions = s.captions("test")
    figures = {}
    for top, words in ((1, ""), (10, " top 10")):
        for features, vectors, of in (
            (s.fake[0][order], s.embeddings[order], ""),
            (s.real.features[real], captions[real], " of test images"),
        ):
            figures[f"caption_retrieval{words}{of}"] = caption_retrieval(
                s.kept["scorer"], features, vectors, top=top
            )
    return figures


@dataclasses.dataclass(frozen=True)
class Metric:
    """What is known of a metric before it is measured.

    Args:
        measure: Gives its figures by name.
        needs: Among "train", "validation", "labels" (of the training and the
            test images), "logits" (of the extractor), "conditional", "text",
            "discriminator", "reconstruct" and "score" (of the model); and of
            the test images one of
            "statistics" (or a reference), "features" (or a reference that has
            them), "images".
        higher_is_better: Of its first figure; None where neither is.
        published: What the first word of its figures becomes over the features
            of the published Inception.
        of_features: Whether it sees features, or the images themselves.
        of_samples: Whether it depends on samples, and so on the seeds.
        least: Samples and test images, each, that it needs.
        most: Of each that it takes at most; None takes all.
        most_fake: The same, of samples alone.
        facts: What else its figures depend on.
        floor: The figures of training images in the samples' place, one a
            draw, and how they were drawn.
    """

    measure: Callable[[Subject], dict[str, float]]
    needs: tuple[str, ...]
    higher_is_better: bool | None
    published: str = ""
    of_features: bool = True
    of_samples: bool = True
    least: int = 2
    most: int | None = None
    most_fake: int | None = None
    facts: Callable[[Subject], dict[str, Any]] = lambda s: {}
    floor: Callable[[Subject], tuple[dict, dict]] | None = None

    @property
    def test(self) -> str:
        """What it needs of the test images: "" where it needs none."""
        kinds = ("statistics", "features", "images")
        return next((kind for kind in kinds if kind in self.needs), "")


METRICS: dict[str, Metric] = {
    "caption_retrieval": Metric(
        measure_caption_retrieval,
        ("train", "images", "text"),
        higher_is_better=True,
        least=AMONG,
        facts=lambda s: {"among": AMONG},
    ),
    "class_histogram": Metric(
        measure_class_histogram, ("logits",), higher_is_better=None
    ),
    "colour_obedience": Metric(
        measure_colour_obedience,
        ("train", "text"),
        higher_is_better=True,
        of_features=False,
        most_fake=EACH * len(COLOURS),
    ),
    "conditional_accuracy": Metric(
        measure_conditional_accuracy,
        ("logits", "conditional"),
        higher_is_better=True,
    ),
    "density_coverage": Metric(
        measure_density_coverage,
        ("features",),
        higher_is_better=True,
        least=DENSITY_K + 1,
        most=MOST,
        facts=lambda s: {"k": DENSITY_K},
    ),
    "diversity": Metric(
        measure_diversity, ("features",), higher_is_better=True
    ),
    "frechet_distance": Metric(
        measure_frechet,
        ("statistics",),
        higher_is_better=False,
        published="FID",
        floor=floor_of_frechet,
    ),
    "inception_score": Metric(
        measure_class_score,
        ("logits",),
        higher_is_better=True,
        published="inception_score",
        least=SPLITS,
        facts=lambda s: {"splits": SPLITS},
    ),
    "kernel_distance": Metric(
        measure_kernel,
        ("features",),
        higher_is_better=False,
        published="KID",
        least=4,  # two disjoint subsets of the smallest size
        facts=lambda s: {"subset size": subset_size(s)},
    ),
    "linear_probe": Metric(
        measure_linear_probe,
        ("train", "images", "labels", "discriminator"),
        higher_is_better=True,
        of_features=False,
        of_samples=False,
        facts=lambda s: {"C": PROBE_C},
    ),
    "memorisation": Metric(
        measure_memorisation,
        ("train", "features"),
        higher_is_better=False,
        most_fake=MOST,
    ),
    "negative_log_likelihood": Metric(
        measure_likelihood,
        ("images", "score"),
        higher_is_better=False,
        of_features=False,
        of_samples=False,
        facts=lambda s: (
            {
                "importance samples": IMPORTANCE_SAMPLES,
                "pixels": "drawn" if s.model.binarise else "grey levels",
                "units": "nats an image",
                "seed": s.seed,
            }
            | ({"classes": "given"} if s.model.takes_labels else {})
        ),
    ),
    "parzen": Metric(
        measure_parzen,
        ("validation", "images"),
        higher_is_better=True,
        of_features=False,
        most_fake=MOST,
    ),
    "precision_recall": Metric(
        measure_precision_recall,
        ("features",),
        higher_is_better=True,
        least=PRECISION_K + 1,
        most=MOST,
        facts=lambda s: {"k": PRECISION_K},
    ),
    "reconstruction_error": Metric(
        measure_reconstruction_error,
        ("images", "reconstruct"),
        higher_is_better=False,
        of_features=False,
        of_samples=False,
        facts=lambda s: {"units": "squared error of pixels in [0, 1]"},
    ),
}


def is_published(extract: Extractor) -> bool:
    """Whether its features are those that FID, KID and IS are defined over."""
    return extract.sha256 == SHA256
