"""The laboratory's figures that train, in small."""

import csv
import importlib
from pathlib import Path

import numpy as np
import pytest

from keras_gans.datasets import toy
from keras_gans.lab import lipschitz, mixtures


def test_clipping_drives_weights_to_the_border_and_penalty_slopes_to_one():
    clipped = lipschitz.train("weight clipping", steps=100)
    penalised = lipschitz.train("gradient penalty", steps=100)
    # Clipped before each step, and by a few learning rates outside after it.
    assert lipschitz.CLIP < clipped.largest < lipschitz.CLIP + 10 * 5e-4
    assert penalised.largest > 3 * lipschitz.CLIP
    assert lipschitz.share_at_the_border(clipped.weights) > 0.3
    assert lipschitz.share_at_the_border(penalised.weights) < 0.05
    assert abs(np.median(penalised.norms) - 1.0) < 0.25
    assert np.median(clipped.norms) < 0.7


def test_both_critics_see_the_same_noise():
    clipped, penalised = (
        lipschitz.adversary(kind, seed=3) for kind in lipschitz.CRITICS
    )
    z = penalised.draw_latents(100, 0)
    np.testing.assert_array_equal(z, clipped.draw_latents(100, 0))
    points = np.asarray(penalised.generator(z, training=True))
    assert np.std(points) > 0
    np.testing.assert_allclose(
        clipped.generator(z, training=True), points, atol=1e-6
    )


def test_share_at_the_border():
    weights = np.array([0.05, -0.05, 0.04, 0.0, 1.0])
    assert lipschitz.share_at_the_border(weights, 0.05) == pytest.approx(0.4)


def test_a_run_has_its_frames_and_its_measures():
    law = toy.ring()
    run = mixtures.train("gan", law, steps=7, frames=2, batch_size=16)
    assert run.frames.shape == (3, mixtures.SAMPLES, 2)
    assert np.abs(run.frames[-1] - run.frames[0]).max() > 0
    assert 0 <= run.modes <= 8 and 0.0 <= run.quality <= 1.0
    sheet, axes = mixtures.sheet_of({"gan": run, "wgan": run}, law)
    assert [axis.get_title() for axis in axes] == ["GAN", "WGAN"]


@pytest.mark.parametrize("name", ["wgan_gp", "cramer_gan"])
def test_the_table_says_that_all_modes_are_found(name):
    path = Path(__file__).parents[2] / "benchmarks" / "results" / "toy.csv"
    with path.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["model"] == name]
    for data, law in mixtures.LAWS.items():
        found = [row["modes"] for row in rows if row["data"] == data]
        assert found == [str(len(law().centres))] * 5, data
        steps = {row["steps"] for row in rows if row["data"] == data}
        assert steps == {str(mixtures.STEPS[data])}, data


def test_the_page_says_how_the_shares_compare():
    """GAN's is by far the largest on the grid; WGAN's the least, on both."""
    path = Path(__file__).parents[2] / "benchmarks" / "results" / "toy.csv"
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))

    def share(data, model):
        mine = [r for r in rows if (r["data"], r["model"]) == (data, model)]
        return np.mean([float(row["quality"]) for row in mine])

    for data in mixtures.LAWS:
        others = [share(data, m) for m in ("gan", "wgan_gp", "cramer_gan")]
        assert share(data, "wgan") < min(others)
    others = [share("grid", m) for m in ("wgan", "wgan_gp", "cramer_gan")]
    assert share("grid", "gan") > 2 * max(others)
    for model in ("gan", "wgan"):  # never all of the grid
        modes = [
            int(row["modes"])
            for row in rows
            if (row["data"], row["model"]) == ("grid", model)
        ]
        assert len(modes) == 5 and max(modes) < 25
    # Of the true distribution: within three deviations, in the plane.
    assert 1 - np.exp(-(3**2) / 2) == pytest.approx(0.989, abs=5e-4)


@pytest.mark.parametrize("data", mixtures.LAWS)
def test_the_table_has_the_share_of_noise_and_of_the_truth(data, monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "benchmarks")
    import toy as benchmark

    law = mixtures.LAWS[data]()
    (_, _, noise), (_, modes, truth) = benchmark.bounds_of(data)
    assert modes == len(law.centres) and truth == pytest.approx(0.989, abs=0.01)
    # The discs' share of the square [-1, 1]^2.
    discs = len(law.centres) * np.pi * (3 * law.deviation) ** 2 / 4
    assert noise == pytest.approx(discs, abs=0.003)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["optimal_discriminator", "lipschitz", "mixtures"]
)
def test_draw_makes_the_pictures_of_the_page(name, tmp_path, monkeypatch):
    monkeypatch.setattr(mixtures, "STEPS", {"ring": 20, "grid": 20})
    paths = importlib.import_module(f"keras_gans.lab.{name}").draw(tmp_path)
    pages = Path(__file__).parents[2] / "docs" / "lab"
    shown = {p.name for p in pages.glob(f"{name}*") if p.suffix != ".md"}
    assert {path.name for path in paths} == shown
    assert all(path.stat().st_size > 10_000 for path in paths)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["wgan_gp", "cramer_gan"])
def test_all_modes_of_the_ring_are_found(name):
    assert mixtures.train(name, toy.ring(), mixtures.STEPS["ring"]).modes == 8
