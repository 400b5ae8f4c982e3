"""Density and coverage: known answers, and prdc's counts."""

import numpy as np
import pytest

from keras_gans.metrics.density_coverage import density_coverage

RNG = np.random.default_rng(0)


def test_the_same_samples():
    # In its own ball and those of k - 1 others on average: k balls in all.
    x = RNG.normal(size=(200, 5))
    assert density_coverage(x, RNG.permutation(x)) == (1.0, 1.0)


def test_far_apart():
    x = RNG.normal(size=(200, 5))
    assert density_coverage(x, x + 100.0) == (0.0, 0.0)


def test_half_of_the_modes():
    a = RNG.normal(size=(100, 5))
    assert density_coverage(np.concatenate([a, a + 100.0]), a) == (1.0, 0.5)


def test_one_law_in_expectation():
    # Naeem et al. 2020: E density = 1, E coverage about 1 - 2^-k.
    runs = np.array(
        [density_coverage(*RNG.normal(size=(2, 200, 3))) for _ in range(60)]
    )
    error = runs.std(axis=0) / np.sqrt(60)
    assert (
        abs(runs.mean(axis=0) - (1.0, 1 - 2.0**-5)) < 4 * error + 0.01
    ).all()


def test_by_hand():
    # Radii of real: 1, 1, 8 (k = 1). Fakes in 1, 2 and 0 balls; 2.0 is on the
    # edge of the second ball, and in the open ball of the third.
    real, fake = [[0.0], [1.0], [9.0]], [[-0.5], [0.75], [2.0], [18.0]]
    assert density_coverage(real, fake, k=1) == (1.0, 1.0)


@pytest.mark.parametrize(
    "d, step, k, dtype",
    [(4, 0.0, 5, "float64"), (32, 0.2, 1, "float32"), (128, 0.1, 5, "float32")],
)
def test_counts_of_prdc(d, step, k, dtype, capsys):
    prdc = pytest.importorskip("prdc")
    real = RNG.normal(size=(250, d)).astype(dtype)
    fake = RNG.normal(step, 0.95, size=(200, d)).astype(dtype)
    theirs = prdc.compute_prdc(real, fake, k)
    density, coverage = density_coverage(real, fake, k)
    assert round(density * k * 200) == round(theirs["density"] * k * 200)
    assert density == pytest.approx(theirs["density"], rel=1e-12)
    assert coverage == theirs["coverage"]
