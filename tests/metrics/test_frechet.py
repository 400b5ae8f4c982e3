"""Fréchet distance against closed forms, and against torch-fidelity."""

import numpy as np
import pytest
from scipy.stats import ortho_group

from keras_gans.metrics.frechet import (
    Moments,
    _nuclear_norm,
    frechet_distance,
    frechet_distance_of,
)
from tests.metrics.peers import torch_fidelity

RNG = np.random.default_rng(0)


def torch_fidelity_distance(x, y):
    fid = torch_fidelity("metric_fid")
    one, two = (
        fid.fid_features_to_statistics(fid.torch.from_numpy(z)) for z in (x, y)
    )
    return fid.fid_statistics_to_metric(one, two, False)[
        "frechet_inception_distance"
    ]


def covariance(d, rank=None):
    factor = RNG.normal(size=(d, rank or 2 * d))
    return factor @ factor.T / factor.shape[1]


def test_one_dimension_by_hand():
    # (1 - 4)^2 + (2 - 3)^2: means and standard deviations.
    found = frechet_distance([1.0], [[4.0]], [4.0], [[9.0]])
    np.testing.assert_allclose(found, 10.0, rtol=1e-14)


def test_covariances_that_commute():
    # One basis Q: sum (sqrt a - sqrt b)^2 beside the step of the mean.
    q = ortho_group.rvs(6, random_state=0)
    a, b = RNG.uniform(0.1, 4.0, (2, 6))
    step = RNG.normal(size=6)
    found = frechet_distance(
        step, q @ np.diag(a) @ q.T, np.zeros(6), q @ np.diag(b) @ q.T
    )
    expected = step @ step + ((np.sqrt(a) - np.sqrt(b)) ** 2).sum()
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_a_linear_optimal_transport_map():
    # y = T x with T positive definite is optimal: E|x - Tx|^2 is the distance.
    c, t = covariance(8), covariance(8)
    found = frechet_distance(np.zeros(8), c, np.zeros(8), t @ c @ t)
    expected = np.trace((np.eye(8) - t) @ c @ (np.eye(8) - t))
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_symmetric_and_zero_for_the_same_law():
    c1, c2, zero = covariance(20), covariance(20), np.zeros(20)
    np.testing.assert_allclose(
        frechet_distance(zero, c1, zero, c2),
        frechet_distance(zero, c2, zero, c1),
        rtol=1e-12,
    )
    assert frechet_distance(zero, c1, zero, c1) < 1e-12 * np.trace(c1)


def test_singular_covariances_are_exact():
    # Laws within a 5-dimensional subspace of 64: as in 5 dimensions.
    basis = ortho_group.rvs(64, random_state=1)[:, :5]
    mean1, mean2 = RNG.normal(size=(2, 5))
    c1, c2 = covariance(5), covariance(5)
    found = frechet_distance(
        basis @ mean1,
        basis @ c1 @ basis.T,
        basis @ mean2,
        basis @ c2 @ basis.T,
    )
    expected = frechet_distance(mean1, c1, mean2, c2)
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_fewer_samples_than_features():
    # Exact by the samples' own Gram matrices: Tr (C1 C2)^(1/2) is the nuclear
    # norm of X1 X2^T / (n - 1).
    x, y = RNG.normal(size=(2, 30, 200))
    x, y = x - x.mean(0), 2.0 * (y - y.mean(0))
    nuclear = np.linalg.svd(x @ y.T, compute_uv=False).sum()
    expected = ((x**2).sum() + (y**2).sum() - 2 * nuclear) / 29
    np.testing.assert_allclose(frechet_distance_of(x, y), expected, rtol=1e-7)


def test_subspaces_at_right_angles_share_nothing():
    one, two = np.diag([1.0, 2.0, 0.0, 0.0]), np.diag([0.0, 0.0, 3.0, 4.0])
    zero = np.zeros(4)
    assert frechet_distance(zero, one, zero, two) == pytest.approx(10.0)


def test_a_constant_set():
    # All mass in one point, and a feature that never moves.
    zero = np.zeros(3)
    none, some = np.zeros((3, 3)), np.diag([1.0, 2.0, 0.0])
    assert frechet_distance(zero, none, zero, some) == pytest.approx(3.0)
    assert frechet_distance(zero, none, zero, none) == 0.0


def test_features_of_very_different_scale():
    # A small feature is not rounded away beside a large one.
    scale = np.array([1e6, 1.0, 1e-6])
    one, two = np.diag(scale**2), np.diag((2 * scale) ** 2)
    found = frechet_distance(np.zeros(3), one, np.zeros(3), two)
    np.testing.assert_allclose(found, (scale**2).sum(), rtol=1e-12)
    tiny = frechet_distance([0.0], [[1e-30]], [0.0], [[4e-30]])
    np.testing.assert_allclose(tiny, 1e-30, rtol=1e-12)


@pytest.mark.parametrize("shape", [(30, 30), (40, 20), (20, 40), (1, 1)])
@pytest.mark.parametrize("smallest", [0, -6, -12, -16, -np.inf])
def test_sum_of_singular_values(shape, smallest):
    # Of any condition, and with none of some (10^-inf = 0).
    r = min(shape)
    values = 10.0 ** np.linspace(0, max(smallest, -20), r)
    values[values < 1e-17] = 0.0
    left = ortho_group.rvs(shape[0], random_state=0)[:, :r] if r > 1 else [[1]]
    right = ortho_group.rvs(shape[1], random_state=1)[:, :r] if r > 1 else [[1]]
    found = _nuclear_norm(np.asarray(left) * values @ np.transpose(right))
    np.testing.assert_allclose(found, values.sum(), rtol=1e-13)


def test_as_torch_fidelity():
    d = 64
    x = RNG.normal(size=(500, d)) @ RNG.normal(size=(d, d)) + 1.0
    y = RNG.normal(size=(400, d)) @ RNG.normal(size=(d, d))
    np.testing.assert_allclose(
        frechet_distance_of(x, y), torch_fidelity_distance(x, y), rtol=1e-6
    )
    near = x[:400] + 0.01 * y  # and where the distance is small
    np.testing.assert_allclose(
        frechet_distance_of(x, near),
        torch_fidelity_distance(x, near),
        rtol=1e-6,
    )


def test_moments_in_batches_and_merged():
    x = RNG.normal(size=(1000, 7)) @ RNG.normal(size=(7, 7))
    one, two = Moments(), Moments()
    for start in range(0, 600, 37):
        one.update(x[start : min(start + 37, 600)])
    two.update(x[600:601]).update(x[601:])
    both = one.merge(two).merge(Moments())
    assert both.n == 1000
    np.testing.assert_allclose(both.mean, x.mean(0), rtol=1e-12)
    np.testing.assert_allclose(both.covariance, np.cov(x.T), rtol=1e-12)
    fresh = Moments().merge(two)
    fresh.update(x)
    assert two.n == 400  # what was merged from stays as it was
    np.testing.assert_allclose(two.mean, x[600:].mean(0), rtol=1e-12)


def test_a_large_mean_costs_no_digits():
    x = RNG.normal(size=(6000, 3))  # more than one block of rows
    moments = Moments()
    for part in np.array_split(x + 2.0**20, 9):
        moments.update(part)
    np.testing.assert_allclose(moments.covariance, np.cov(x.T), atol=1e-9)
    whole = Moments().update(x)
    np.testing.assert_allclose(whole.covariance, np.cov(x.T), rtol=1e-12)


def test_float32_is_summed_in_float64():
    x = RNG.normal(3.0, 1.0, (5000, 4)).astype("float32")
    moments = Moments().update(x)
    assert moments.covariance.dtype == moments.mean.dtype == np.float64
    np.testing.assert_allclose(
        moments.covariance, np.cov(x.T.astype("float64")), rtol=1e-12
    )


def test_bad_input():
    with pytest.raises(ValueError, match="2 samples for a covariance"):
        _ = Moments().update(np.ones((1, 3))).covariance
    with pytest.raises(ValueError, match="width 3, as before"):
        Moments().update(np.ones((2, 3))).update(np.ones((2, 4)))
    with pytest.raises(ValueError, match="of one width"):
        frechet_distance(np.ones(3), np.eye(3), np.ones(2), np.eye(2))
    with pytest.raises(ValueError, match="finite means"):
        frechet_distance([np.nan], [[1.0]], [0.0], [[1.0]])


@pytest.mark.parametrize(
    "cov, words",
    [
        (np.eye(3) * (1 + 1j), "complex"),
        (np.eye(3) + np.eye(3, k=1), "`cov2` symmetric"),
        (np.diag([1.0, 1.0, -1.0]), "`cov2` positive semi-definite"),
        (np.eye(3)[::-1], "`cov2` positive semi-definite"),
        (np.ones((3, 3)) * 2 - np.eye(3), "`cov2` positive semi-definite"),
    ],
)
def test_what_is_no_covariance(cov, words):
    with pytest.raises(ValueError, match=words):
        frechet_distance(np.zeros(3), np.eye(3), np.zeros(3), cov)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n, d", [(5, 40), (2, 3), (100, 300)])
def test_rounding_of_deficient_covariances_passes(n, d, dtype):
    generator = np.random.default_rng(0)
    scale = 10.0 ** generator.uniform(-2, 2, d)
    features = (generator.normal(size=(n, d)) * scale).astype(dtype)
    features[:, 0] = 1.0  # one constant feature
    mean = features.mean(axis=0)
    step = features - mean
    cov = step.T @ step / (n - 1)  # in `dtype`, not in float64
    distance = frechet_distance(mean, cov, mean, cov)
    assert distance <= 1e-3 * np.trace(cov)
