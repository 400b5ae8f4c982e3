"""Captions told by their images, where the truth is known."""

import numpy as np
import pytest

from keras_gans.metrics import caption_retrieval
from keras_gans.metrics.caption_retrieval import Scorer


def pairs(n, noise, rng, mixing):
    embeddings = rng.normal(size=(n, 6)) + 3.0
    features = (embeddings - 3.0) @ mixing
    return features + noise * rng.normal(size=features.shape), embeddings


def test_what_is_linear_is_retrieved():
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(6, 20))
    scorer = Scorer.learn(*pairs(2000, 0.1, rng, mixing))
    features, embeddings = pairs(250, 0.1, rng, mixing)
    assert caption_retrieval(scorer, features, embeddings) > 0.95
    # 200 of them count: two groups of 100.
    worse = embeddings.copy()
    worse[:100] = worse[99::-1]
    share = caption_retrieval(scorer, features, worse)
    assert share == pytest.approx(0.5, abs=0.03)


def test_chance_is_one_in_a_hundred():
    rng = np.random.default_rng(1)
    mixing = rng.normal(size=(6, 20))
    scorer = Scorer.learn(*pairs(2000, 0.1, rng, mixing))
    features, _ = pairs(3000, 0.1, rng, mixing)
    _, others = pairs(3000, 0.1, rng, mixing)
    one = caption_retrieval(scorer, features, others)
    ten = caption_retrieval(scorer, features, others, top=10)
    assert one == pytest.approx(0.01, abs=0.006)
    assert ten == pytest.approx(0.1, abs=0.02)


def test_ridge_is_that_of_its_equation():
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(50, 4)), rng.normal(size=(50, 3))
    scorer = Scorer.learn(x, y)
    z = (x - x.mean(0)) / x.std(0)
    gradient = z.T @ (z @ scorer.weights - (y - y.mean(0)))
    gradient += 3.0 * 50 * scorer.weights
    np.testing.assert_allclose(gradient, 0.0, atol=1e-9)


def test_a_feature_that_is_constant_says_nothing():
    rng = np.random.default_rng(3)
    mixing = rng.normal(size=(6, 20))
    features, embeddings = pairs(500, 0.1, rng, mixing)
    features[:, 3] = 7.0
    scorer = Scorer.learn(features, embeddings)
    features[:, 3] = 8.0
    assert caption_retrieval(scorer, features, embeddings) > 0.9


def test_too_few_or_too_many():
    scorer = Scorer.learn(np.eye(5), np.eye(5))
    with pytest.raises(ValueError, match="at least 100 samples"):
        caption_retrieval(scorer, np.ones((99, 5)), np.ones((99, 5)))
    with pytest.raises(ValueError, match="100 images, 99 captions"):
        caption_retrieval(scorer, np.ones((100, 5)), np.ones((99, 5)))
    with pytest.raises(ValueError, match="NaN"):
        caption_retrieval(scorer, np.full((100, 5), np.nan), np.ones((100, 5)))
