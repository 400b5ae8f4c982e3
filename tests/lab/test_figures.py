"""What each page of the laboratory claims, on its figure's numbers."""

import importlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.stats import norm

from keras_gans.divergences import histograms
from keras_gans.lab import (
    biased_gradients,
    bilinear_game,
    optimal_discriminator,
    parallel_lines,
    total_variation,
    two_modes,
)
from keras_gans.lab.__main__ import FIGURES, main

PAGES = Path(__file__).resolve().parents[2] / "docs" / "lab"


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_has_its_page_and_its_pictures(name):
    text = (PAGES / f"{name}.md").read_text()
    assert f"keras_gans/lab/{name}.py" in text
    assert (PAGES / f"{name}.png").is_file()
    for file in PAGES.glob(f"{name}*.[pg][ni][gf]"):
        assert f"({file.name})" in text
    assert f"({name}.md)" in (PAGES / "README.md").read_text()
    assert callable(importlib.import_module(f"keras_gans.lab.{name}").draw)


@pytest.mark.parametrize(
    "name",
    [
        "two_modes",
        "total_variation",
        "bilinear_game",
        "parallel_lines",
        "biased_gradients",
    ],
)
def test_draw_makes_the_pictures_of_the_page(name, tmp_path):
    """Those that train no network: at a page's width, with something on."""
    paths = importlib.import_module(f"keras_gans.lab.{name}").draw(tmp_path)
    assert [path.name for path in paths] == [f"{name}.png"]
    made, shown = (
        np.asarray(Image.open(path).convert("L"), np.float64)
        for path in (paths[0], PAGES / f"{name}.png")
    )
    assert made.shape == shown.shape and made.shape[1] == 990
    # Other versions of matplotlib draw letters a little differently.
    assert abs(float(made.mean()) - float(shown.mean())) < 5.0
    assert made.std() > 20.0


def test_an_unknown_figure_is_refused(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["lab", "no_such"])
    with pytest.raises(SystemExit):
        main()
    assert "'no_such' is none of two_modes" in capsys.readouterr().err


# === One Gaussian, two modes ===


def test_kl_covers_both_modes():
    mean, deviation, _ = two_modes.fit("KL(P ‖ Q)", cells=401)
    # The moments of P: 0, and 2^2 + 0.6^2.
    assert mean == pytest.approx(0.0, abs=1e-3)
    assert deviation == pytest.approx(np.sqrt(4.36), abs=1e-3)
    left, right = (two_modes.overlap_with(mean, deviation, m) for m in (-2, 2))
    assert left == pytest.approx(right, abs=1e-3) and left > 0.3


def test_reverse_kl_picks_one():
    mean, deviation, value = two_modes.fit("KL(Q ‖ P), reverse", cells=401)
    assert mean == pytest.approx(2.0, abs=0.05)
    assert deviation == pytest.approx(0.6, abs=0.05)
    assert value == pytest.approx(np.log(2), abs=0.02)  # half is missing
    assert two_modes.overlap_with(mean, deviation, 2.0) > 0.95
    assert two_modes.overlap_with(mean, deviation, -2.0) < 0.01


def test_jensen_shannon_stays_below_log_2_whatever_it_picks():
    mean, deviation, value = two_modes.fit("Jensen-Shannon", cells=401)
    assert 0 < value < np.log(2) / 2
    # It covers both, a little narrower than KL.
    assert mean == pytest.approx(0.0, abs=1e-3)
    assert deviation == pytest.approx(2.064, abs=0.01)


def test_reverse_kl_and_jensen_shannon_have_a_dent_at_each_mode():
    means = np.linspace(-3.0, 3.0, 61)
    dents = {}
    for name in two_modes.DIVERGENCES:
        y = two_modes.profile(name, means)
        inner = y[1:-1]
        low = np.flatnonzero((inner < y[:-2]) & (inner < y[2:])) + 1
        dents[name] = means[low], y[low]
    three = pytest.approx([-2.0, 0.0, 2.0], abs=1e-9)
    assert dents["KL(P ‖ Q)"][0] == pytest.approx([0.0], abs=1e-9)
    places, values = dents["KL(Q ‖ P), reverse"]
    assert places == three
    assert values == pytest.approx([np.log(2), values[1], np.log(2)], abs=0.01)
    assert values[1] > values[0]
    places, values = dents["Jensen-Shannon"]
    assert places == three and values[1] < values[0]


# === Total variation ===


def test_the_best_of_256_subsets_is_half_of_l1():
    p, q = total_variation.P, total_variation.Q
    subset, gain = total_variation.best_subset(p, q)
    assert subset == tuple(np.flatnonzero(p > q))
    assert gain == pytest.approx(0.5 * np.abs(p - q).sum(), abs=1e-12)
    assert gain == pytest.approx(histograms.total_variation(p, q), abs=1e-12)
    for p, q in np.random.default_rng(0).dirichlet(np.ones(8), (5, 2)):
        gain = total_variation.best_subset(p, q)[1]
        assert gain == pytest.approx(histograms.total_variation(p, q))


def test_total_variation_is_blind_where_wasserstein_falls():
    flips = [1, 4, 16, 64, 256, 1024]
    blind = [total_variation.advantage(n) for n in flips]
    falls = [total_variation.wasserstein_to_normal(n) for n in flips]
    np.testing.assert_allclose(blind, 1.0, atol=1e-6)
    ratios = np.divide(falls[1:], falls[:-1])
    np.testing.assert_allclose(ratios[1:], 0.5, atol=0.02)  # 1 / sqrt n
    assert 2 * np.sqrt(1024) * falls[-1] == pytest.approx(1.0, abs=1e-3)
    # One flip, by the area between the two functions.
    x = np.linspace(-10, 10, 400_001)
    steps = np.interp(x, [-1, -1 + 1e-9, 1, 1 + 1e-9], [0, 0.5, 0.5, 1])
    area = np.abs(norm.cdf(x) - steps).sum() * (x[1] - x[0])
    assert falls[0] == pytest.approx(area, abs=1e-4)


# === The optimal discriminator ===


def test_the_trained_discriminator_is_the_optimum():
    q = optimal_discriminator.MODELS["q near p"]
    d, value = optimal_discriminator.train(q, steps=600)
    mass = optimal_discriminator.weights_of(q)
    error = np.abs(d - optimal_discriminator.optimum(q))
    assert np.dot(mass, error) < 0.02
    best = optimal_discriminator.value_at_optimum(q)
    assert best - 5e-3 < value <= best + 1e-6  # no discriminator does better
    same = optimal_discriminator.MODELS["q = p"]
    assert optimal_discriminator.value_at_optimum(same) == -np.log(4)


def test_at_p_equal_q_the_value_is_minus_log_4():
    d, value = optimal_discriminator.train(
        optimal_discriminator.MODELS["q = p"], steps=600
    )
    assert value == pytest.approx(-np.log(4), abs=1e-4)
    assert -np.log(4) >= value - 1e-6
    mass = optimal_discriminator.weights_of(optimal_discriminator.P)
    assert np.dot(mass, np.abs(d - 0.5)) < 5e-3


# === The bilinear game ===


@pytest.mark.parametrize("h", [0.05, 0.2, 0.5])
def test_simultaneous_steps_spiral_out_and_alternating_ones_circle(h):
    radius = np.linalg.norm(bilinear_game.play("simultaneous", 50, h), axis=1)
    np.testing.assert_allclose(radius[1:] / radius[:-1], np.sqrt(1 + h * h))
    x, y = bilinear_game.play("alternating", 1000, h).T
    np.testing.assert_allclose(x * x - h * x * y + y * y, 1.0)
    radius = np.hypot(x, y)  # bounded, and back again
    assert radius.max() < np.sqrt(1 / (1 - h / 2)) + 1e-9
    assert radius[-100:].max() > 0.99


@pytest.mark.parametrize(
    "remedy", ["extragradient", "optimistic", "negative momentum"]
)
def test_the_remedies_arrive(remedy):
    radius = np.linalg.norm(bilinear_game.play(remedy, 1000), axis=1)
    assert radius[-1] < 1e-2 * radius[0]
    if remedy == "extragradient":
        h = 0.2
        shrink = np.sqrt(1 - h**2 + h**4)
        np.testing.assert_allclose(radius[1:] / radius[:-1], shrink)


# === Parallel lines ===


def test_jensen_shannon_stays_log_2_while_wasserstein_grows():
    for theta in (-1.0, -0.1, 0.3, 0.7):
        divergence, distance = parallel_lines.distances(theta, n=60)
        assert divergence == pytest.approx(np.log(2), rel=1e-12)
        assert distance == pytest.approx(abs(theta), rel=1e-9)
    np.testing.assert_allclose(parallel_lines.distances(0.0, n=60), 0.0)


def test_the_minimax_gradient_vanishes_and_the_other_does_not():
    rows = parallel_lines.train_discriminator(steps=2000)
    assert np.all(np.diff(rows["value"]) > 0)  # it improves at every step
    assert rows["value"][-1] > -0.01  # to its supremum, 0
    late = np.argmax(rows["minimax"])
    assert np.all(np.diff(rows["minimax"][late:]) < 0)
    assert rows["minimax"][-1] < 0.05 * rows["minimax"].max()
    assert np.all(np.diff(rows["non-saturating"]) > 0)
    assert rows["non-saturating"][-1] > 1.0


# === Biased gradients ===


@pytest.mark.parametrize("theta", [0.25, 0.7, 0.95])
@pytest.mark.parametrize("kind", ["wasserstein", "energy"])
def test_the_gradients_are_those_of_the_distances(kind, theta):
    share, h = 1 / 3, 1e-6
    rise = biased_gradients.loss(kind, theta + h, share)
    rise -= biased_gradients.loss(kind, theta - h, share)
    gradient = biased_gradients.GRADIENTS[kind](theta, share)
    assert gradient == pytest.approx(rise / (2 * h), abs=1e-5)


@pytest.mark.parametrize("truth", [0.6, 0.9])
@pytest.mark.parametrize("m", [1, 3, 10])
def test_sample_gradients_are_biased_of_wasserstein_alone(truth, m):
    bias = []
    for theta in (0.35, 0.55, 0.75, 0.95):
        mean = biased_gradients.expected_gradient("energy", theta, truth, m)
        assert mean == pytest.approx(4 * (theta - truth), abs=1e-9)
        mean = biased_gradients.expected_gradient(
            "wasserstein", theta, truth, m
        )
        bias.append(abs(mean - np.sign(theta - truth)))
    assert max(bias) > 0.2
    # Many samples mend it.
    many = biased_gradients.expected_gradient("wasserstein", 0.3, truth, 500)
    assert many == pytest.approx(-1.0, abs=1e-6)


def test_descent_on_samples_ends_elsewhere():
    for truth in biased_gradients.TRUTHS:
        wrong = biased_gradients.descend("wasserstein", truth, 1, steps=6000)
        right = biased_gradients.descend("energy", truth, 1, steps=6000)
        assert wrong > 0.97  # the median of one sample, not its mean
        assert right == pytest.approx(truth, abs=0.02)
