"""Modes of a mixture, by hand and in expectation."""

import numpy as np
import pytest

from keras_gans.metrics.modes import mode_coverage

RNG = np.random.default_rng(0)
GRID = 2.0 * np.stack(np.meshgrid(*[np.arange(5.0)] * 2), -1).reshape(25, 2)


def test_the_true_mixture():
    points = GRID[np.arange(5000) % 25] + RNG.normal(0, 0.05, (5000, 2))
    modes, quality = mode_coverage(points, GRID, 0.05)
    # P(|x| < 3 sigma) = 1 - exp(-9 / 2) in two dimensions.
    p = 1 - np.exp(-4.5)
    assert modes == 25
    assert abs(quality - p) < 4 * np.sqrt(p * (1 - p) / 5000)


def test_a_collapse_and_samples_between():
    points = np.array([[0.0, 0.1], [2.0, 0.0], [2.0, 0.1], [1.0, 1.0]])
    assert mode_coverage(points, GRID, 0.05) == (2, 0.75)
    assert mode_coverage(points, GRID, 0.05, least=2) == (1, 0.75)
    assert mode_coverage(points, GRID, 0.05, within=1.0) == (1, 0.25)
    assert mode_coverage(points[:1], GRID, 0.01) == (0, 0.0)


def test_overlapping_modes_count_the_nearest_only():
    assert mode_coverage([[0.0, 0.0]], [[0.0, 0.0], [0.1, 0.0]], 1.0)[0] == 1


def test_bad_input():
    with pytest.raises(ValueError, match="`deviation` as a finite pos"):
        mode_coverage(GRID, GRID, 0.0)
    with pytest.raises(ValueError, match="of one width"):
        mode_coverage(GRID, GRID[:, :1], 1.0)
    with pytest.raises(ValueError, match="finite `points`"):
        mode_coverage(np.nan * GRID, GRID, 1.0)
