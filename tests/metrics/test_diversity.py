"""Mean distance of pairs."""

import sys

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from keras_gans.metrics.diversity import diversity

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("rows", [7, 50, 51, 4096])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_all_pairs(rows, dtype, monkeypatch):
    monkeypatch.setattr(sys.modules[diversity.__module__], "ROWS", rows)
    x = (RNG.normal(size=(51, 6)) + 100.0).astype(dtype)
    expected = pdist(x.astype("float64")).mean()
    np.testing.assert_allclose(diversity(x), expected, rtol=1e-10)


def test_a_collapse_is_zero():
    point = RNG.normal(size=(1, 6)).repeat(40, axis=0)
    assert diversity(point) == 0.0
    two = np.concatenate([point, point + 1.0])
    # 40 * 40 of 80 * 79 / 2 pairs, each sqrt 6 apart.
    expected = np.sqrt(6.0) * 1600 / 3160
    np.testing.assert_allclose(diversity(two), expected, rtol=1e-12)


def test_over_that_of_real():
    x = RNG.normal(size=(100, 6))
    assert diversity(0.25 * x, x) == pytest.approx(0.25)
    with pytest.raises(ValueError, match="`real` samples that differ"):
        diversity(x, np.ones((10, 6)))
