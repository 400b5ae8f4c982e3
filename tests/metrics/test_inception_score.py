"""Inception Score by hand, and against torch-fidelity."""

import numpy as np
import pytest

from keras_gans.metrics.inception_score import inception_score
from tests.metrics.peers import torch_fidelity

RNG = np.random.default_rng(0)


def test_sure_and_even_is_the_number_of_classes():
    one_hot = np.eye(7)[np.arange(700) % 7]
    mean, deviation = inception_score(one_hot, splits=1)
    np.testing.assert_allclose((mean, deviation), (7.0, 0.0), rtol=1e-12)


@pytest.mark.parametrize("row", [np.eye(7)[2], np.full(7, 1 / 7)])
def test_all_alike_is_one(row):
    found = inception_score(np.tile(row, (70, 1)))
    np.testing.assert_allclose(found, (1.0, 0.0), atol=1e-12)


def test_by_hand():
    p = np.array([[0.8, 0.2], [0.4, 0.6]])
    q = np.array([0.6, 0.4])
    kl = (p * np.log(p / q)).sum(axis=1).mean()
    np.testing.assert_allclose(
        inception_score(p, splits=1)[0], np.exp(kl), rtol=1e-12
    )


def test_as_torch_fidelity():
    isc = torch_fidelity("metric_isc")
    logits = 3.0 * RNG.normal(size=(1003, 20))
    theirs = isc.isc_features_to_metric(
        isc.torch.from_numpy(logits), splits=10, shuffle=True, rng_seed=5
    )
    expected = (
        theirs["inception_score_mean"],
        theirs["inception_score_std"],
    )
    found = inception_score(logits, from_logits=True, seed=5)
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(inception_score(shares, seed=5), expected)


def test_samples_in_the_order_of_their_classes():
    in_order = np.eye(10)[np.repeat(np.arange(10), 100)]
    assert inception_score(in_order)[0] > 9.0


def test_sure_logits_overflow_nowhere():
    logits = 1e4 * np.eye(5)[np.arange(50) % 5]
    mean, _ = inception_score(logits, splits=1, from_logits=True)
    np.testing.assert_allclose(mean, 5.0)


def test_bad_input():
    with pytest.raises(ValueError, match="from_logits=True"):
        inception_score(RNG.normal(size=(20, 3)))
    with pytest.raises(ValueError, match="rows off by up to 0.5"):
        inception_score(np.full((20, 3), 0.5))
    with pytest.raises(ValueError, match="`splits` from 1 to 5"):
        inception_score(np.full((5, 2), 0.5))
    with pytest.raises(ValueError, match="finite `predictions`"):
        inception_score(np.full((5, 2), np.nan))
