"""What is measured: a model, its samples, and the real images beside them."""

import dataclasses
import functools
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from keras_gans.datasets.data import ImageData
from keras_gans.metrics.extractors import Extractor
from keras_gans.metrics.reference import Reference, batches


@dataclasses.dataclass
class Subject:
    """What the metrics ask for, each thing made once and kept.

    Args:
        model: With `generate`.
        extract: The feature extractor; None where no metric needs one.
        train: What the model was trained on; None where it is not at hand.
        test: Images that it never saw, or None.
        validation: For the Parzen window's width, or None.
        reference: Statistics that stand for `test` where features are
            compared, or None.
        n: Number of samples.
        seed: Of the samples, and of the draws of real images.
        verbose: Show progress bars.
        kept: What was made of real data, for all seeds.
    """

    model: keras.Model
    extract: Extractor | None
    train: ImageData | None = None
    test: ImageData | None = None
    validation: ImageData | None = None
    reference: Reference | None = None
    n: int = 10_000
    seed: int = 0
    verbose: bool = False
    kept: dict[str, Any] = dataclasses.field(default_factory=dict)

    @functools.cached_property
    def labels(self) -> np.ndarray | None:
        """The classes asked of a conditional model, all alike often."""
        if not self.model.takes_labels:
            return None
        return np.arange(self.n) % self.model.num_classes

    @functools.cached_property
    def embeddings(self) -> np.ndarray:
        """Of the captions asked of a text model: those of the test images.

        Where there are more samples, the captions are asked again.
        """
        vectors = self.captions("test")
        return vectors[np.arange(self.n) % len(vectors)]

    def captions(self, part: str) -> np.ndarray:
        """Embeddings of the first captions of "train" or "test"."""
        key = f"captions of {part}"
        if key not in self.kept:
            data = getattr(self, part)
            encoder = self.model.text_encoder
            self.kept[key] = data.first_embeddings(encoder)
        return self.kept[key]

    def samples(self, n: int, batch_size: int = 500) -> Iterator[np.ndarray]:
        """The first n samples of the seed, in batches, [-1, 1]."""
        latents = self.model.draw_latents(n, self.seed)
        for i in range(0, n, batch_size):
            part = slice(i, min(i + batch_size, n))
            asked = {}
            if self.model.takes_text:
                asked = {"n": 1, "embeddings": self.embeddings[part]}
            elif self.labels is not None:
                asked = {"labels": self.labels[part]}
            yield self.model.generate(latents=latents[part], **asked)

    @functools.cached_property
    def fake(self) -> tuple[np.ndarray, np.ndarray | None]:
        """Features and logits of the samples."""
        return self.extract(self.samples(self.n), self.n, self.verbose)

    @property
    def train_features(self) -> np.ndarray:
        """Features of the training images."""
        if "train" not in self.kept:
            self.kept["train"] = self.extract(
                batches(self.train), len(self.train), self.verbose
            )[0]
        return self.kept["train"]

    @property
    def real(self) -> Reference:
        """Features of the test images, and their mean and covariance."""
        if self.reference is not None:
            return self.reference
        if "test" not in self.kept:
            self.kept["test"] = Reference.from_data(
                self.test, self.extract, self.verbose
            )
        return self.kept["test"]

    def some_real(self, most: int) -> np.ndarray:
        """At most so many features of test images, drawn by the seed."""
        features = self.real.features
        if most >= len(features):
            return features
        generator = np.random.default_rng(self.seed)
        return features[generator.choice(len(features), most, replace=False)]

    @property
    def reals(self) -> int | None:
        """How many test images features are compared to; None: not known."""
        if self.reference is None:
            return None if self.test is None else len(self.test)
        if self.reference.features is not None:
            return len(self.reference.features)
        return self.reference.protocol.get("real")
