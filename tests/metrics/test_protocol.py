"""Figures of different protocols are not compared."""

import dataclasses

import pytest

from keras_gans.metrics import Figure, compare
from keras_gans.metrics.protocol import differences, in_words

PROTOCOL = {
    "data": "mnist",
    "split": "test",
    "real": 10_000,
    "extractor": "lenet_mnist",
    "sha256": "ab" * 32,
    "generated": 10_000,
    "seeds": [0],
}
FIGURE = Figure("frechet_distance/lenet_mnist", 12.0, 0.5, PROTOCOL)


def changed(**fields):
    return dataclasses.replace(FIGURE, protocol=PROTOCOL | fields)


def test_difference_of_two_figures():
    other = dataclasses.replace(changed(seeds=[1, 2]), value=10.0)
    assert compare(FIGURE, other) == -2.0


@pytest.mark.parametrize(
    "field, value",
    [
        ("data", "fashion_mnist"),
        ("split", "train"),
        ("real", 9_999),
        ("extractor", "inception"),
        ("sha256", "cd" * 32),
        ("generated", 50_000),
        ("resize", "bicubic"),
    ],
)
def test_what_differs_is_named(field, value):
    with pytest.raises(ValueError, match=f"one protocol.*{field}=.*{value}"):
        compare(FIGURE, changed(**{field: value}))
    assert differences(PROTOCOL, PROTOCOL | {field: value}) == {
        field: (PROTOCOL.get(field), value)
    }


def test_another_metric_is_refused():
    other = dataclasses.replace(FIGURE, name="FID")
    with pytest.raises(ValueError, match="of one metric.*FID"):
        compare(FIGURE, other)


def test_in_words():
    assert in_words(PROTOCOL) == (
        "data mnist, split test, real images 10,000, extractor lenet_mnist, "
        "sha256 abababab…, samples 10,000, seeds 0"
    )
