"""Parzen-window likelihoods against scipy, and against the true law."""

import sys

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import multivariate_normal, norm

from keras_gans.metrics.parzen import (
    choose_sigma,
    parzen,
    parzen_log_likelihood,
)

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("block_bytes", [2**26, 8 * 40 * 3])
@pytest.mark.parametrize("sigma", [0.01, 0.2, 1.0])
def test_against_logsumexp(sigma, block_bytes, monkeypatch):
    module = sys.modules[parzen.__module__]
    monkeypatch.setattr(module, "BLOCK_BYTES", block_bytes)
    samples, points = RNG.uniform(size=(40, 50)), RNG.uniform(size=(20, 50))
    window = norm(0.0, sigma)
    terms = window.logpdf(points[:, None] - samples).sum(axis=2)
    expected = logsumexp(terms, axis=1) - np.log(40)
    np.testing.assert_allclose(
        parzen_log_likelihood(samples, points, sigma), expected, rtol=1e-11
    )


def test_far_points_do_not_underflow():
    found = parzen_log_likelihood([[0.0]], [[1000.0]], 0.1)
    np.testing.assert_allclose(found, norm(0, 0.1).logpdf(1000.0), rtol=1e-12)


def test_in_expectation_the_law_and_the_window_together():
    samples = RNG.normal(size=(20_000, 2))
    points = RNG.normal(size=(500, 2))
    found = parzen_log_likelihood(samples, points, 0.5).mean()
    true = multivariate_normal(np.zeros(2), 1.25 * np.eye(2)).logpdf(points)
    assert abs(found - true.mean()) < 0.02


def test_sigma_is_the_best_on_validation():
    samples, validation = RNG.uniform(size=(2, 300, 3))
    sigmas = np.logspace(-1, 0, 10)
    means = [
        parzen_log_likelihood(samples, validation, s).mean() for s in sigmas
    ]
    assert choose_sigma(samples, validation) == sigmas[np.argmax(means)]
    assert choose_sigma(samples, validation, np.array([5.0])) == 5.0


def test_the_whole_protocol():
    samples, validation, test = RNG.uniform(size=(3, 1500, 2))
    found = parzen(samples, validation, test)
    assert found.sigma == choose_sigma(samples, validation[:1000])
    each = parzen_log_likelihood(samples, test, found.sigma)
    assert found.mean == each.mean()
    np.testing.assert_allclose(found.standard_error, each.std() / 1500**0.5)


def test_copies_of_the_test_set_win():
    test, others = RNG.uniform(size=(2, 200, 20))
    copied = parzen(test, test, test)
    assert copied.sigma == pytest.approx(0.1)
    assert copied.mean > parzen(others, test, test).mean


def test_bad_input():
    x = RNG.uniform(size=(10, 3))
    with pytest.raises(ValueError, match=r"`test` in \[0, 1\].*\(x \+ 1\) / 2"):
        parzen(x, x, 2 * x - 1)
    with pytest.raises(ValueError, match="positive `sigma`"):
        parzen_log_likelihood(x, x, 0.0)
    with pytest.raises(ValueError, match="of one width"):
        parzen_log_likelihood(x, x[:, :2], 0.1)


def test_a_thousand_validation_images_choose_sigma():
    samples = RNG.uniform(size=(1000, 20))
    validation = np.concatenate([samples, np.zeros((5000, 20))])
    assert choose_sigma(samples, validation) > 0.15
    assert parzen(samples, validation, samples).sigma == pytest.approx(0.1)
    early = np.concatenate([samples[:500], np.zeros((500, 20)), samples])
    assert parzen(samples, early, samples).sigma > 0.15
