"""Neighbours against plain loops, where float32 tells them and where not."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from keras_gans.metrics import neighbours

RNG = np.random.default_rng(0)
NORMAL = RNG.normal(size=(300, 24))
CASES = {
    "normal": NORMAL,
    "float32": NORMAL.astype("float32"),
    "large mean": NORMAL + 1e5,
    "tiny": NORMAL * 1e-30,
    "huge": NORMAL * 1e30,
    "one outlier": np.concatenate([NORMAL, [[1e4] * 24]]),
    # Clusters so tight and far apart that float32 cannot tell inside them.
    "clusters": RNG.normal(size=(6, 24)).repeat(50, 0) + 1e-5 * NORMAL,
    "one point": np.ones((300, 24)),
    "copies": np.concatenate([NORMAL[:150]] * 2),
    "whole numbers": RNG.integers(0, 3, (300, 4)).astype("float64"),
    "few": NORMAL[:7],
}


@pytest.fixture(params=[False, True], ids=["one block", "many blocks"])
def block_bytes(request, monkeypatch):
    if request.param:
        monkeypatch.setattr(neighbours, "BLOCK_BYTES", 4 * 300 * 7)
    else:
        monkeypatch.setattr(neighbours, "RECHECKED", 8)


@pytest.mark.usefixtures("block_bytes")
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("k", [1, 3, 6])
def test_kth_of_its_own(case, k):
    x = CASES[case]
    whole = np.sort(cdist(x.astype("float64"), x.astype("float64")), axis=1)
    np.testing.assert_allclose(
        neighbours.kth_distance(x, k),
        whole[:, k],  # the 0-th is itself
        rtol=1e-7,
        atol=1e-7 * np.abs(x - x.mean(0)).max(),
    )


@pytest.mark.usefixtures("block_bytes")
@pytest.mark.parametrize("case", CASES)
def test_kth_of_others(case):
    x = CASES[case].astype("float64")
    y = x[::2] + 0.1 * x.std()
    np.testing.assert_allclose(
        neighbours.kth_distance(x, 2, y),
        np.sort(cdist(x, y), axis=1)[:, 1],
        rtol=1e-7,
        atol=1e-7 * np.abs(x - x.mean(0)).max(),
    )


@pytest.mark.usefixtures("block_bytes")
@pytest.mark.parametrize(
    "case", ["normal", "float32", "large mean", "clusters"]
)
def test_within(case):
    x, y = CASES[case][:200], CASES[case][150:]
    whole = cdist(x.astype("float64"), y.astype("float64"))
    of_x = 0.5 * (np.sort(whole, 1)[:, 4] + np.sort(whole, 1)[:, 5])[:, None]
    of_y = 0.5 * (np.sort(whole, 0)[6] + np.sort(whole, 0)[7])[None]
    for block in neighbours.blocks(x, y):
        for radii, all_radii in ((of_x[block.rows], of_x), (of_y, of_y)):
            np.testing.assert_array_equal(
                block.within(radii, closed=True),
                (whole <= all_radii)[block.rows],
            )


@pytest.mark.usefixtures("block_bytes")
def test_ties_are_decided_as_they_are():
    # Copies lie exactly on the ball: inside the closed one, not the open one.
    x = CASES["normal"]
    radii = neighbours.kth_distance(x, 3)[:, None]
    for closed, expected in ((True, 4), (False, 3)):  # itself, and neighbours
        counts = np.concatenate(
            [
                block.within(radii[block.rows], closed).sum(axis=1)
                for block in neighbours.blocks(x, x.copy())
            ]
        )
        assert (counts == expected).all()


def test_float32_is_enough_for_ordinary_features():
    x = RNG.normal(size=(2000, 64))
    block = next(neighbours.blocks(x, x))
    block.kth(5, alone=True)
    assert block.squares.dtype == np.float32


@pytest.mark.parametrize("k", [0, 7])
def test_as_many_neighbours_as_there_are(k):
    with pytest.raises(ValueError, match="`k` from 1 to 6"):
        neighbours.kth_distance(CASES["few"], k)
