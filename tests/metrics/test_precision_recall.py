"""Improved precision and recall: known answers, prdc's, torch-fidelity's."""

import numpy as np
import pytest

from keras_gans.metrics.precision_recall import precision_recall
from tests.metrics.peers import torch_fidelity

RNG = np.random.default_rng(0)


def test_the_same_samples():
    x = RNG.normal(size=(200, 5))
    assert precision_recall(x, x) == (1.0, 1.0)
    assert precision_recall(x, RNG.permutation(x)) == (1.0, 1.0)


def test_far_apart():
    x = RNG.normal(size=(200, 5))
    assert precision_recall(x, x + 100.0) == (0.0, 0.0)


def test_half_of_the_modes_and_half_of_the_samples_off():
    a = RNG.normal(size=(100, 5))
    real = np.concatenate([a, a + 100.0])
    assert precision_recall(real, a) == (1.0, 0.5)
    assert precision_recall(a, real) == (0.5, 1.0)


def test_by_hand():
    # Radii of real: 1, 1, 8 (k = 1); of fake: 1, 1, 20.
    real, fake = [[0.0], [1.0], [9.0]], [[1.5], [2.5], [22.5]]
    assert precision_recall(real, fake, k=1) == (2 / 3, 2 / 3)


@pytest.mark.parametrize(
    "d, step, k, dtype",
    [(4, 0.0, 3, "float64"), (32, 0.2, 5, "float32"), (128, 0.1, 3, "float32")],
)
def test_counts_of_the_reference_packages(d, step, k, dtype, capsys):
    prdc = pytest.importorskip("prdc")
    prc = torch_fidelity("metric_prc")
    real = RNG.normal(size=(250, d)).astype(dtype)
    fake = RNG.normal(step, 0.95, size=(200, d)).astype(dtype)
    found = precision_recall(real, fake, k)
    theirs = prdc.compute_prdc(real, fake, k)
    assert found == (theirs["precision"], theirs["recall"])
    theirs = prc.prc_features_to_metric(
        prc.torch.from_numpy(fake.astype("float64")),
        prc.torch.from_numpy(real.astype("float64")),
        prc_neighborhood=k,
        prc_batch_size=10_000,
        save_cpu_ram=False,
        verbose=False,
    )
    # A mean in float32 there.
    np.testing.assert_allclose(
        found, (theirs["precision"], theirs["recall"]), rtol=1e-6
    )


def test_a_distance_equal_to_the_radius_is_inside():
    # All radii are 1 (k = 1), and 1.0 lies 1 from 2.0.
    found = precision_recall([[0.0], [1.0]], [[2.0], [3.0]], k=1)
    assert found == (0.5, 0.5)
