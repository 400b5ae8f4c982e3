"""Toy distributions: densities integrate to one, samples follow them."""

import numpy as np
import pytest

from keras_gans.datasets import toy
from keras_gans.metrics import mode_coverage

# Wider noise for the integrals, so that a coarse grid of points will do.
WIDE = {
    "ring": toy.ring(deviation=0.05),
    "grid": toy.grid(deviation=0.04),
    "swiss_roll": toy.swiss_roll(deviation=0.03),
    "two_moons": toy.two_moons(deviation=0.05),
}
N = 40_000


def cells(side=30, points=4, half=1.2):
    """Centres of small squares, `[side^2, points^2, 2]`; and their area."""
    edges = np.linspace(-half, half, side * points + 1)
    middle = (edges[1:] + edges[:-1]) / 2
    x, y = np.meshgrid(middle, middle, indexing="ij")
    squares = np.stack([x, y], -1).reshape(side, points, side, points, 2)
    squares = squares.transpose(0, 2, 1, 3, 4).reshape(side**2, points**2, 2)
    return squares, (middle[1] - middle[0]) ** 2


@pytest.mark.parametrize("name", toy.IN_THE_PLANE)
def test_density_integrates_to_one_and_samples_agree(name):
    law = WIDE[name]
    squares, area = cells()
    density = law.density(squares.reshape(-1, 2)).reshape(squares.shape[:2])
    p = area * density.sum(axis=1)  # of each cell
    assert p.sum() == pytest.approx(1.0, abs=1e-4)

    edges = np.linspace(-1.2, 1.2, 31)
    counts, *_ = np.histogram2d(*law.sample(N, seed=1).T, bins=(edges, edges))
    counts = counts.reshape(-1)
    seen = N * p > 5  # Pearson's rule
    expected = N * p[seen]
    chi2 = np.sum((counts[seen] - expected) ** 2 / expected)
    degrees = np.count_nonzero(seen)
    assert abs(chi2 - degrees) < 5 * np.sqrt(2 * degrees)
    # And almost nothing where there should be almost nothing.
    rest = N * p[~seen].sum()
    assert counts[~seen].sum() <= rest + 6 * np.sqrt(rest + 1)


def test_mixture_on_a_line():
    law = toy.mixture_1d((-2.0, 1.0, 3.0), (0.5, 0.2, 1.0), (0.2, 0.3, 0.5))
    x = np.linspace(-8, 12, 200_001)
    density = law.density(x)
    assert density.sum() * (x[1] - x[0]) == pytest.approx(1.0, abs=1e-9)
    samples = law.sample(N, seed=2)
    assert samples.shape == (N,) and samples.dtype == np.float32
    # Kolmogorov's distance to the integral of the density.
    cumulative = np.cumsum(density) * (x[1] - x[0])
    at = np.interp(np.sort(samples), x, cumulative)
    assert np.abs(at - (np.arange(N) + 0.5) / N).max() < 2 / np.sqrt(N)


@pytest.mark.parametrize("name", toy.IN_THE_PLANE)
def test_defaults_fit_into_the_square(name):
    law = toy.IN_THE_PLANE[name]()
    points = law.sample(20_000)
    assert np.abs(points).max() < 1.0
    assert points.std() > 0.3  # and fill it
    np.testing.assert_array_equal(points, law.sample(20_000, seed=0))
    assert not np.array_equal(points, law.sample(20_000, seed=1))
    images = law.images(20_000)
    assert images.shape == (20_000, 1, 1, 2) and images.dtype == np.float32
    np.testing.assert_array_equal(toy.points_of(images), points)


@pytest.mark.parametrize("law, modes", [(toy.ring(), 8), (toy.grid(), 25)])
def test_modes_are_those_of_the_metric(law, modes):
    found, share = mode_coverage(law.sample(2500), law.centres, law.deviation)
    assert (len(law.centres), found) == (modes, modes)
    assert share == pytest.approx(1 - np.exp(-4.5), abs=0.01)


def test_moons_and_roll_by_hand():
    ends = toy.two_moons().curve(np.array([0.0, 0.25, 0.5, 0.75]))
    by_hand = [(0.5, -0.25), (-0.5, 0.75), (-0.5, 0.25), (0.5, -0.75)]
    np.testing.assert_allclose(ends / 0.55, by_hand, atol=1e-12)
    inner, outer = toy.swiss_roll().curve(np.array([0.0, 1.0]))
    np.testing.assert_allclose(inner, [0, -1.5 * np.pi / 16], atol=1e-12)
    np.testing.assert_allclose(outer, [0, 4.5 * np.pi / 16], atol=1e-12)


def test_refusals():
    with pytest.raises(ValueError, match=r"`weights` of sum 1. Received"):
        toy.mixture_1d((0.0, 1.0), (1.0, 1.0), (0.5, 0.6))
    with pytest.raises(ValueError, match="as many `means`"):
        toy.mixture_1d((0.0, 1.0), (1.0,))
    with pytest.raises(ValueError, match="finite `points`"):
        toy.ring().density(np.zeros((3, 1, 1, 2)))
    with pytest.raises(ValueError, match="one deviation"):
        _ = toy.mixture_1d(deviations=(0.1, 0.2)).deviation
    with pytest.raises(ValueError, match="`n` as an integer"):
        toy.ring().sample(0)
    with pytest.raises(ValueError, match="`deviation` as a"):
        toy.swiss_roll(deviation=0.0)
