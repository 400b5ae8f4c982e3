"""Can a sample's caption be told among 100?

A small scorer of images and texts: a ridge regression from an image's features
to its caption's embedding, learnt on training images. An image retrieves the
caption whose embedding, centred, has the largest cosine with what is predicted;
the figure is how often that is its own among 100. Chance is 0.01. Real test
images stand beside it: no sample can be expected to do better.
"""

import dataclasses
from typing import Any

import numpy as np

from keras_gans.metrics.checks import checked

AMONG = 100
RIDGE = 3.0  # times the number of training images; features have variance 1


@dataclasses.dataclass(frozen=True)
class Scorer:
    """A linear map from features to embeddings.

    Args:
        mean, scale: Of the features, `[d]`.
        weights: `[d, e]`.
        centre: Of the embeddings, `[e]`.
    """

    mean: np.ndarray
    scale: np.ndarray
    weights: np.ndarray
    centre: np.ndarray

    @classmethod
    def learn(cls, features: Any, embeddings: Any) -> "Scorer":
        """The ridge regression of embeddings `[n, e]` on features `[n, d]`."""
        x, y = np.asarray(features, np.float64), np.asarray(embeddings)
        mean, scale = x.mean(axis=0), x.std(axis=0)
        scale = np.where(scale > 1e-8 * np.abs(mean).max(), scale, np.inf)
        centre = y.mean(axis=0, dtype=np.float64)
        x = (x - mean) / scale
        gram = x.T @ x
        gram.flat[:: len(gram) + 1] += RIDGE * len(x)
        weights = np.linalg.solve(gram, x.T @ (y - centre))
        return cls(mean, scale, weights, centre)

    def scores(self, features: Any, embeddings: Any) -> np.ndarray:
        """Cosines `[n, m]` of n images and m texts."""
        predicted = (features - self.mean) / self.scale @ self.weights
        given = embeddings - self.centre
        return _unit(predicted) @ _unit(given).T


def caption_retrieval(
    scorer: Scorer,
    features: Any,
    embeddings: Any,
    among: int = AMONG,
    top: int = 1,
) -> float:
    """The share of images with their own caption among the first `top`.

    The images are taken in groups of `among`, in their order; what is left is
    not used.

    ```python
    rng = np.random.default_rng(0)
    captions = rng.normal(size=(500, 4))
    images = captions @ rng.normal(size=(4, 8))
    scorer = Scorer.learn(images, captions)
    caption_retrieval(scorer, images, captions)  # 0.74; by chance 0.01
    ```

    Args:
        scorer: What `Scorer.learn` gave.
        features: Of the images, `[n, d]`.
        embeddings: Of the caption of each, `[n, e]`.
        among: Captions to choose from, no more than n.
        top: How many of them may be named.

    Raises:
        ValueError: If there are fewer images, or captions for others.
    """
    features = checked(features, least=among)
    embeddings = np.asarray(embeddings)
    if len(embeddings) != len(features):
        raise ValueError(
            f"Expected a caption of each image. Received: {len(features)} "
            f"images, {len(embeddings)} captions. Give one for each."
        )
    found = []
    for start in range(0, len(features) - among + 1, among):
        part = slice(start, start + among)
        scores = scorer.scores(features[part], embeddings[part])
        own = np.diag(scores)[:, None]
        better, alike = (scores > own).sum(axis=1), (scores == own).sum(axis=1)
        # Of equals each is as likely to be named.
        found.append(np.clip((top - better) / alike, 0.0, 1.0))
    return float(np.mean(found))


def _unit(x: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(x, axis=1, keepdims=True)
    return x / np.where(lengths > 0.0, lengths, 1.0)
