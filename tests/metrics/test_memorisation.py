"""Copies of training images, and none."""

import numpy as np
import pytest

from keras_gans.metrics.memorisation import memorisation

RNG = np.random.default_rng(0)
TRAIN, TEST, FRESH = RNG.normal(size=(3, 2000, 10))


def test_fresh_samples_of_the_same_law():
    found = memorisation(TRAIN, TEST, FRESH)
    assert 0.003 < found.memorised < 0.02
    assert 0.97 < found.ratio < 1.03


def test_copies():
    found = memorisation(TRAIN, TEST, TRAIN[:500])
    assert found.memorised == 1.0
    assert found.ratio == found.sample_median == 0.0


def test_near_copies_and_a_share_of_them():
    near = TRAIN[:500] + 1e-3 * FRESH[:500]
    assert memorisation(TRAIN, TEST, near).memorised == 1.0
    mixed = np.concatenate([near, FRESH[:500]])
    assert 0.49 < memorisation(TRAIN, TEST, mixed).memorised < 0.52


def test_off_the_data():
    found = memorisation(TRAIN, TEST, FRESH + 3.0)
    assert found.memorised == 0.0
    assert found.ratio > 1.5


def test_medians_by_hand():
    found = memorisation(
        [[0.0], [10.0]], [[1.0], [12.0], [7.0]], [[0.5], [10.0], [15.0]]
    )
    assert (found.sample_median, found.test_median) == (0.5, 2.0)
    assert found.ratio == 0.25
    assert found.memorised == pytest.approx(2 / 3)


def test_a_test_set_of_training_images():
    with pytest.raises(ValueError, match="Take another split"):
        memorisation(TRAIN, TRAIN[:50], FRESH)


def test_nearer_than_one_in_a_hundred():
    # Of the distances 1, 2, ... 1000, 1 % are below 10.99.
    test = np.arange(1.0, 1001.0)[:, None]
    found = memorisation([[0.0], [0.0]], test, [[5.0], [10.9], [11.1], [99.0]])
    assert found.memorised == 0.5
