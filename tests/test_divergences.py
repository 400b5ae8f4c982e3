"""Divergences against closed forms, scipy, definitions, and each other."""

import itertools

import numpy as np
import pytest
import scipy.spatial.distance
import scipy.stats

import keras_gans
from keras_gans.divergences import (
    gaussians,
    histograms,
    kantorovich_rubinstein,
    samples,
)

RNG = np.random.default_rng(0)
P, Q = RNG.dirichlet(np.ones(8), 2)
NAMES = (
    "total_variation",
    "kl",
    "reverse_kl",
    "jensen_shannon",
    "wasserstein_1",
    "energy_distance",
)


# === Histograms ===


def test_two_outcomes_by_hand():
    p, q = [0.5, 0.5], [0.25, 0.75]
    assert histograms.total_variation(p, q) == 0.25
    by_hand = 0.5 * np.log(2) + 0.5 * np.log(2 / 3)
    assert histograms.kl(p, q) == pytest.approx(by_hand, rel=1e-14)
    by_hand = 0.25 * np.log(1 / 2) + 0.75 * np.log(3 / 2)
    assert histograms.reverse_kl(p, q) == pytest.approx(by_hand, rel=1e-14)
    assert histograms.wasserstein_1(p, q) == 0.25
    # 2 E|X - Y| = 2 * 0.5, E|X - X'| = 0.5, E|Y - Y'| = 0.375.
    assert histograms.energy_distance(p, q) == pytest.approx(0.125)


@pytest.mark.parametrize("name", NAMES)
def test_of_a_law_from_itself_is_zero(name):
    assert getattr(histograms, name)(P, P) == pytest.approx(0.0, abs=1e-15)
    assert getattr(gaussians, name)((1.0, 2.0), (1.0, 2.0)) == pytest.approx(
        0.0, abs=1e-12
    )
    x = RNG.normal(size=(50, 2))
    assert getattr(samples, name)(x, x) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_symmetry(name):
    one = getattr(histograms, name)(P, Q), getattr(histograms, name)(Q, P)
    laws = (0.0, 1.0), (0.7, 2.0)
    two = getattr(gaussians, name)(*laws), getattr(gaussians, name)(*laws[::-1])
    same = "kl" not in name
    assert (one[0] == pytest.approx(one[1], rel=1e-12)) is same
    assert (two[0] == pytest.approx(two[1], rel=1e-9)) is same
    assert min(*one, *two) > 0


def test_scipy_has_the_same():
    assert histograms.kl(P, Q) == pytest.approx(scipy.stats.entropy(P, Q))
    root = scipy.spatial.distance.jensenshannon(P, Q)
    assert histograms.jensen_shannon(P, Q) == pytest.approx(root**2)
    places = RNG.normal(size=8)
    root = scipy.stats.energy_distance(places, places, P, Q)
    ours = histograms.energy_distance(P, Q, places)
    assert ours == pytest.approx(root**2)


def test_the_linear_program_agrees_with_the_line():
    places = RNG.normal(size=8)
    on_line = histograms.wasserstein_1(P, Q, places)
    direction = np.array([0.6, 0.8])
    in_plane = histograms.wasserstein_1(P, Q, places[:, None] * direction)
    assert in_plane == pytest.approx(on_line, rel=1e-9)
    # And with the definition on a line: the area between the two functions.
    order = np.argsort(places)
    gap = np.abs(np.cumsum(P[order]) - np.cumsum(Q[order]))[:-1]
    assert on_line == pytest.approx(np.sum(gap * np.diff(places[order])))


def test_infinite_kl_is_inf_and_never_nan():
    p, q = [0.5, 0.5, 0.0], [0.5, 0.0, 0.5]
    assert histograms.kl(p, q) == histograms.reverse_kl(p, q) == np.inf
    assert histograms.kl([1.0, 0.0], [0.5, 0.5]) == np.log(2)
    tiny = 5e-324  # the least number; halved, it is zero
    assert histograms.kl([1.0, 0.0], [1.0, tiny]) == 0.0
    assert np.isfinite(histograms.kl([0.5, 0.5], [1.0, tiny]))
    assert histograms.jensen_shannon([1.0, tiny], [1.0, 0.0]) == 0.0
    assert histograms.jensen_shannon([1, 0], [0, 1]) == np.log(2)
    assert samples.kl([0.0, 1.0], [0.0, 0.1]) == np.inf


def test_pinsker_and_the_total_variation_bound_of_jensen_shannon():
    for p, q in RNG.dirichlet(np.full(5, 0.5), (50, 2)):
        variation = histograms.total_variation(p, q)
        assert variation <= np.sqrt(histograms.kl(p, q) / 2) + 1e-12
        assert histograms.jensen_shannon(p, q) <= variation * np.log(2) + 1e-12


@pytest.mark.parametrize("name", NAMES)
def test_what_is_no_law_is_refused(name):
    divergence = getattr(histograms, name)
    with pytest.raises(ValueError, match=r"`p`.*sum 1. Received: a sum of 2"):
        divergence([1.0, 1.0], [0.5, 0.5])
    with pytest.raises(ValueError, match=r"`q`.*sum 1. Received: a sum of 0.9"):
        divergence([0.5, 0.5], [0.5, 0.4])
    with pytest.raises(ValueError, match="same outcomes. Received: 2 and 3"):
        divergence([0.5, 0.5], [0.5, 0.25, 0.25])
    with pytest.raises(ValueError, match="from 0 on. Received: values from -0"):
        divergence([1.5, -0.5], [0.5, 0.5])
    with pytest.raises(ValueError, match="finite prob"):
        divergence([np.nan, 0.5], [0.5, 0.5])
    with pytest.raises(ValueError, match=r"shape=\(1, 2\)"):
        divergence([[0.5, 0.5]], [0.5, 0.5])


def test_other_refusals():
    with pytest.raises(ValueError, match="place for each outcome"):
        histograms.wasserstein_1([0.5, 0.5], [0.5, 0.5], [0.0, 1.0, 2.0])
    many = np.full(501, 1 / 501)
    with pytest.raises(ValueError, match="Received: 251,001"):
        histograms.wasserstein_1(many, many, RNG.normal(size=(501, 2)))
    with pytest.raises(ValueError, match="of one width"):
        samples.energy_distance(np.zeros((3, 2)), np.zeros((3, 1)))
    with pytest.raises(ValueError, match="finite `y`"):
        samples.wasserstein_1([0.0], [np.inf])
    with pytest.raises(ValueError, match=r"p\[1\], the deviation"):
        gaussians.kl((0.0, 0.0), (0.0, 1.0))
    with pytest.raises(ValueError, match="as .mean, deviation."):
        gaussians.wasserstein_1(1.0, (0.0, 1.0))
    with pytest.raises(ValueError, match="positive definite"):
        gaussians.kl((np.zeros(2), -np.eye(2)), (np.zeros(2), np.eye(2)))
    with pytest.raises(ValueError, match="one dimension"):
        gaussians.kl((0.0, 1.0), (np.zeros(2), np.eye(2)))


def test_float32_histograms_pass():
    p = np.full(1_000_000, 1e-6, np.float32)
    assert histograms.total_variation(p, p) == 0.0


# === Gaussians ===

LAWS = [
    ((0.0, 1.0), (1.5, 1.0)),
    ((0.3, 0.5), (-1.0, 2.0)),
    ((2.0, 3.0), (2.0, 0.7)),
]


@pytest.mark.parametrize("p, q", LAWS)
def test_gaussians_against_fine_histograms(p, q):
    x = np.linspace(-18, 18, 400_001)
    both = [scipy.stats.norm.pdf(x, *law) * (x[1] - x[0]) for law in (p, q)]
    for name in NAMES[:4]:
        numeric = getattr(histograms, name)(*both)
        closed = getattr(gaussians, name)(p, q)
        assert closed == pytest.approx(numeric, rel=1e-4), name
    coarse = slice(None, None, 400)
    both = [h[coarse] / h[coarse].sum() for h in both]
    for name in NAMES[4:]:
        numeric = getattr(histograms, name)(*both, x[coarse])
        closed = getattr(gaussians, name)(p, q)
        assert closed == pytest.approx(numeric, rel=1e-2), name


def test_textbook_forms_of_gaussians():
    kl = np.log(2.0 / 0.5) + (0.25 + 1.3**2) / (2 * 4.0) - 0.5
    assert gaussians.kl(*LAWS[1]) == pytest.approx(kl)
    assert gaussians.wasserstein_1((0, 1), (-3, 1)) == 3.0
    # Two deviations that differ by d: E|d Z| = d sqrt(2 / pi).
    spread = gaussians.wasserstein_1((2.0, 3.0), (2.0, 1.0))
    assert spread == pytest.approx(2.0 * np.sqrt(2 / np.pi))
    far = (0.0, 1.0), (1000.0, 1.0)
    assert gaussians.total_variation(*far) == 1.0
    assert gaussians.jensen_shannon(*far) == pytest.approx(np.log(2))
    assert gaussians.kl(*far) == 500_000.0


def test_many_dimensions():
    factor = RNG.normal(size=(3, 3))
    a, s = RNG.normal(size=3), factor @ factor.T + np.eye(3)
    b, t = np.zeros(3), np.diag([1.0, 2.0, 3.0])
    inverse = np.linalg.inv(t)
    kl = 0.5 * (
        np.trace(inverse @ s)
        + a @ inverse @ a
        - 3
        + np.log(np.linalg.det(t) / np.linalg.det(s))
    )
    assert gaussians.kl((a, s), (b, t)) == pytest.approx(kl)
    assert gaussians.reverse_kl((b, t), (a, s)) == pytest.approx(kl)


# === Samples ===


def test_samples_of_gaussians():
    x, y = RNG.normal(0, 1, 20_000), RNG.normal(1.5, 1, 20_000)
    for name in NAMES:
        if name in ("kl", "reverse_kl"):
            continue  # empty bins in the tails: tested by hand above
        closed = getattr(gaussians, name)(*LAWS[0])
        found = getattr(samples, name)(x[:5000], y[:5000])
        assert found == pytest.approx(closed, rel=0.06), name
    wide = RNG.normal(0.5, 2, 20_000)  # no bin of x is empty
    closed = gaussians.kl((0.0, 1.0), (0.5, 2.0))
    assert samples.kl(x, wide) == pytest.approx(closed, rel=0.06)
    assert samples.reverse_kl(wide, x) == samples.kl(x, wide)


def test_assignment_program_and_shift_agree():
    x = RNG.normal(size=(40, 2))
    y = RNG.normal(size=(40, 2))
    by_assignment = samples.wasserstein_1(x, y)
    twice = samples.wasserstein_1(x, np.repeat(y, 2, axis=0))  # the program
    assert twice == pytest.approx(by_assignment, rel=1e-9)
    shift = samples.wasserstein_1(x, x + [3.0, 4.0])
    assert shift == pytest.approx(5.0, rel=1e-12)


def test_energy_of_samples_is_that_of_their_histogram():
    x, y = RNG.normal(size=(30, 2)), RNG.normal(size=(40, 2))
    p = np.repeat([1 / 30, 0], [30, 40])
    q = np.repeat([0, 1 / 40], [30, 40])
    whole = histograms.energy_distance(p, q, np.concatenate([x, y]))
    assert samples.energy_distance(x, y) == pytest.approx(whole, rel=1e-12)


def test_binned_is_shared():
    p, q = samples.binned([0.0, 0.1, 1.0], [0.0, 1.0], bins=2)
    np.testing.assert_allclose(p, [2 / 3, 1 / 3])
    np.testing.assert_allclose(q, [1 / 2, 1 / 2])


# === The critic ===


def test_the_critic_bounds_from_below():
    x = RNG.normal(size=(300, 2))
    y = np.concatenate([x[:150] + [2.0, 0.0], x[150:] - [0.0, 1.0]])
    exact = samples.wasserstein_1(x, y)
    bound = kantorovich_rubinstein(x, y, steps=300)
    assert 0.8 * exact < bound.value <= exact + 1e-9
    # The scores themselves are 1-Lipschitz on the samples.
    points = np.concatenate([x, y])
    f = np.concatenate([bound.scores_x, bound.scores_y])
    for i, j in itertools.islice(itertools.combinations(range(600), 2), 9999):
        apart = np.linalg.norm(points[i] - points[j])
        assert abs(f[i] - f[j]) <= apart * (1 + 1e-9)


def test_the_critic_on_a_line():
    x, y = RNG.normal(0, 1, 500), RNG.normal(100.0, 1, 500)
    bound = kantorovich_rubinstein(x, y, steps=100, seed=1)
    exact = samples.wasserstein_1(x, y)
    assert 0.9 * exact < bound.value <= exact
    nothing = kantorovich_rubinstein([1.0, 1.0], [1.0], steps=1)
    assert nothing.value == pytest.approx(0.0, abs=1e-12)


def test_it_is_part_of_the_package():
    assert keras_gans.divergences.histograms is histograms


@pytest.mark.parametrize(
    "p, q, expected",
    [
        ((0, 1), (0, 1e155), 1.0),
        ((0, 1e-155), (0, 1), 1.0),
        ((5, 1e-160), (0, 1e-5), 1.0),
        ((0, 1), (1e160, 3), 1.0),
        ((0, 1), (0, 1 + 1e-13), 0.0),
        ((0, 1e-200), (3e-200, 2e-200), None),
        ((0, 1e200), (3e200, 2e200), None),
    ],
)
def test_total_variation_of_gaussians_of_any_scale(p, q, expected):
    if expected is None:  # that of the same laws at a scale of one
        expected = gaussians.total_variation((0, 1), (3, 2))
    for one, two in ((p, q), (q, p)):
        found = gaussians.total_variation(one, two)
        assert found == pytest.approx(expected, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("deviation", [0.3, 1e-2, 1e-4, 1e-6])
def test_jensen_shannon_of_a_narrow_gaussian(deviation):
    from scipy.integrate import quad
    from scipy.stats import norm

    wide, narrow = norm(0.0, 1.0), norm(0.0, deviation)

    def half(law, other):
        def gain(z):
            x = law.mean() + law.std() * z
            ratio = other.logpdf(x) - law.logpdf(x)
            return norm.pdf(z) * (np.log(2.0) - np.logaddexp(0.0, ratio))

        edge = 40.0 * deviation  # of the narrow one, where it ends
        parts = (-12.0, -min(edge, 12.0), 0.0, min(edge, 12.0), 12.0)
        return sum(
            quad(gain, a, b, limit=500)[0]
            for a, b in zip(parts, parts[1:], strict=False)
        )

    expected = (half(wide, narrow) + half(narrow, wide)) / 2.0
    found = gaussians.jensen_shannon((0, 1), (0, deviation))
    assert found == pytest.approx(expected, rel=1e-5)


def test_sums_that_are_nearly_one_are_divided_out():
    p, q = [1.00009, 0.0], [0.0, 1.00009]
    assert histograms.total_variation(p, q) == 1.0
    assert histograms.energy_distance(p, q) == 2.0


def test_more_bins_than_memory_are_refused():
    x = np.zeros((3, 20))
    with pytest.raises(ValueError, match="at most 10,000,000 bins"):
        samples.binned(x, x + 1.0)
    with pytest.raises(ValueError, match="q.1., the deviation"):
        gaussians.reverse_kl((0, 1), (0, -1))
    with pytest.raises(ValueError, match="Expected `p` as finite"):
        gaussians.kl(([0.0], [[np.inf]]), (0, 1))


def test_energy_distance_of_many_outcomes_in_bounded_memory():
    n = 200_000  # whose distances would take 320 GB
    line = np.linspace(0.0, 1.0, n)
    p, q = np.zeros(n), np.full(n, 1.0 / n)
    p[0] = 1.0
    # 2 E Y - E|Y - Y'| of a uniform Y: 1 - 1/3.
    assert histograms.energy_distance(p, q, line) == pytest.approx(2 / 3, 1e-4)


def test_energy_distance_of_a_line_in_the_plane():
    generator = np.random.default_rng(0)
    p, q = generator.dirichlet(np.ones(700), 2)
    line = generator.normal(size=700)
    tilted = np.stack([0.6 * line, 0.8 * line], axis=1)
    assert histograms.energy_distance(p, q, tilted) == pytest.approx(
        histograms.energy_distance(p, q, line), rel=1e-9
    )


@pytest.mark.parametrize("deviation", [1e-20, 1e-35, 1e-100, 1e-300])
def test_jensen_shannon_of_a_spike_is_log_2(deviation):
    found = gaussians.jensen_shannon((0.0, 1.0), (0.0, deviation))
    assert found == pytest.approx(np.log(2), abs=1e-12)


def test_laws_of_huge_scale_are_as_of_small_ones():
    small = (0.0, 0.5), (0.5, 0.85)
    huge = (0.0, 1e308), (1e308, 1.7e308)
    for name in ("jensen_shannon", "total_variation"):
        divergence = getattr(gaussians, name)
        assert divergence(*huge) == pytest.approx(divergence(*small))
    expected = gaussians.energy_distance((0.0, 1.0), (1.0, 1.7))
    found = gaussians.energy_distance((0.0, 1e307), (1e307, 1.7e307))
    assert found == pytest.approx(1e307 * expected)
    found = samples.energy_distance([1e307, -1e307], [0.0, 1.0])
    expected = samples.energy_distance([1.0, -1.0], [0.0, 0.0])
    assert found == pytest.approx(1e307 * expected)


def test_unequal_samples_beyond_the_program_are_refused():
    x = np.zeros((600, 2))
    with pytest.raises(ValueError, match="600 and 500. Take some"):
        samples.wasserstein_1(x, x[:500])
