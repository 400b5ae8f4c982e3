"""Priors and paths."""

import numpy as np
import pytest
from keras import ops

from keras_gans.backend import SeedGenerator
from keras_gans.latents import (
    PRIORS,
    check_prior,
    linear_path,
    sample_prior,
    sample_prior_in_step,
    spherical_path,
)

# Standard deviation and largest size of each law.
LAWS = {
    "normal": (1.0, None),
    "uniform": (3**-0.5, 1.0),
    "unit_uniform": (1.0, 3**0.5),
}


@pytest.mark.parametrize("prior", PRIORS)
@pytest.mark.parametrize("where", ["numpy", "step"])
def test_prior_has_its_moments(prior, where):
    if where == "numpy":
        z = sample_prior(prior, 1000, 100, seed=0)
    else:
        z = sample_prior_in_step(prior, 1000, 100, SeedGenerator(0))
        z = ops.convert_to_numpy(z)
    deviation, bound = LAWS[prior]
    assert z.shape == (1000, 100) and z.dtype == np.float32
    # Four standard errors of 100,000 draws.
    assert abs(z.mean()) < 4 * deviation / 316
    assert abs(z.std() - deviation) < 0.01
    if bound is not None:
        assert bound * 0.999 < np.abs(z).max() <= bound


@pytest.mark.parametrize("prior", PRIORS)
def test_first_of_many_are_the_few(prior):
    many = sample_prior(prior, 64, 7, seed=2)
    np.testing.assert_array_equal(sample_prior(prior, 8, 7, seed=2), many[:8])
    assert np.any(many != sample_prior(prior, 64, 7, seed=3))


def test_unknown_prior():
    with pytest.raises(ValueError, match="Received: prior='gauss'"):
        check_prior("gauss")


def test_linear_path_is_even():
    start, end = np.zeros((2, 3)), np.full((2, 3), 4.0)
    path = linear_path(start, end, 5)
    expected = np.broadcast_to(np.arange(5.0)[None, :, None], (2, 5, 3))
    np.testing.assert_allclose(path, expected)


def test_spherical_path_turns_evenly_at_constant_length():
    start, end = np.array([[2.0, 0.0]]), np.array([[0.0, 2.0]])
    path = spherical_path(start, end, 4)[0]
    angles = np.deg2rad([0, 30, 60, 90])
    expected = 2 * np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    np.testing.assert_allclose(path, expected, atol=1e-6)


@pytest.mark.parametrize("factor", [1.0, 2.0, -1.0, 0.0])
def test_spherical_path_of_parallel_ends_is_the_line(factor):
    start = np.array([[1.0, 2.0]])
    path = spherical_path(start, factor * start, 3)
    np.testing.assert_allclose(
        path, linear_path(start, factor * start, 3), atol=1e-5
    )
