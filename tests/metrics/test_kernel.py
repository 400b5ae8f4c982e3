"""Kernel distance against its definition, and against torch-fidelity."""

import numpy as np
import pytest

from keras_gans.metrics.kernel import kernel_distance
from tests.metrics.peers import torch_fidelity

RNG = np.random.default_rng(0)


def by_definition(x, y):
    """Eq. 4 of Binkowski et al., pair by pair."""
    m, d = x.shape

    def k(a, b):
        return (a @ b / d + 1.0) ** 3

    pairs = [(i, j) for i in range(m) for j in range(m)]
    same = sum(k(x[i], x[j]) + k(y[i], y[j]) for i, j in pairs if i != j)
    across = sum(k(x[i], y[j]) for i, j in pairs)
    return same / (m * (m - 1)) - 2 * across / m**2


def test_by_definition():
    x, y = RNG.normal(size=(2, 20, 5))
    # Where a subset is the whole set, each is the same estimate.
    mean, error = kernel_distance(x, y + 0.5, subset_size=20, subsets=2)
    np.testing.assert_allclose(mean, by_definition(x, y + 0.5), rtol=1e-12)
    assert np.isnan(error)


@pytest.mark.parametrize("dtype, rtol", [("float64", 1e-12), ("float32", 1e-5)])
@pytest.mark.parametrize(
    "degree, gamma, coef0", [(3, None, 1.0), (2, 0.1, 0.5)]
)
def test_as_torch_fidelity(dtype, rtol, degree, gamma, coef0):
    kid = torch_fidelity("metric_kid")
    x = RNG.normal(size=(300, 16)).astype(dtype)
    y = RNG.normal(0.3, 1.2, size=(250, 16)).astype(dtype)
    theirs = kid.kid_features_to_metric(
        kid.torch.from_numpy(x),
        kid.torch.from_numpy(y),
        kid_subsets=10,
        kid_subset_size=60,
        kid_kernel="poly",
        kid_kernel_poly_degree=degree,
        kid_kernel_poly_gamma=gamma,
        kid_kernel_poly_coef0=coef0,
        rng_seed=7,
        verbose=False,
    )
    mean, error = kernel_distance(x, y, 60, 10, degree, gamma, coef0, seed=7)
    np.testing.assert_allclose(
        mean, theirs["kernel_inception_distance_mean"], rtol=rtol
    )
    deviation = theirs["kernel_inception_distance_std"] * np.sqrt(10 / 9)
    share = 60 / (250 - 60) + 1 / 10
    np.testing.assert_allclose(error, deviation * np.sqrt(share), rtol=rtol)


def test_zero_in_expectation_for_one_law():
    found = [
        kernel_distance(*RNG.normal(size=(2, 100, 4)), 50, 4)[0]
        for _ in range(300)
    ]
    assert abs(np.mean(found)) < 3 * np.std(found) / np.sqrt(300)
    assert min(found) < 0.0 < max(found)  # unbiased, so not clipped at 0


def test_a_linear_kernel_measures_the_step_of_the_mean():
    # k = x.y: MMD^2 is |m1 - m2|^2.
    x, y = RNG.normal(size=(2, 2000, 3))
    mean, error = kernel_distance(
        x, y + [1.0, 0.0, 2.0], 200, 20, degree=1, gamma=1.0, coef0=0.0
    )
    assert abs(mean - 5.0) < 4 * error


@pytest.mark.parametrize("step", [0.0, 0.5])
def test_the_standard_error_is_that_of_another_sample(step):
    # Spread over fresh samples, against the error that each one states.
    runs = [
        kernel_distance(x, y + step, 60, 30)
        for x, y in RNG.normal(size=(100, 2, 300, 4))
    ]
    spread = np.std([mean for mean, _ in runs])
    stated = np.sqrt(np.mean([error**2 for _, error in runs]))
    # Of one law the estimate settles faster than it states.
    assert 0.75 < stated / spread < (1.4 if step else 3.0)


def test_the_seed_decides():
    x, y = RNG.normal(size=(2, 100, 4))
    assert kernel_distance(x, y, 20, 5) == kernel_distance(x, y, 20, 5)
    assert kernel_distance(x, y, 20, 5) != kernel_distance(x, y, 20, 5, seed=1)


def test_bad_input():
    x = RNG.normal(size=(50, 3))
    with pytest.raises(ValueError, match="from 2 to 50.*subset_size=50"):
        kernel_distance(x, x)
    with pytest.raises(ValueError, match="`subsets` as an integer from 2"):
        kernel_distance(x, x, 10, subsets=1)
