"""Colours of samples, against made ones."""

import numpy as np
import pytest

from keras_gans.metrics import colour_obedience
from keras_gans.metrics.colour_obedience import (
    COLOURS,
    colour_of,
    middle_colours,
    prototypes_of,
)

SEEN = np.array(
    [[1, -1, -1], [1, 1, -1], [0.2, -0.5, 0.4], [1, 1, 1], [1, 0, 0.3]]
)


def flowers(n, rng):
    """n flowers of each colour on black, and their captions."""
    colours = np.repeat(np.arange(5), n)
    images = np.full((5 * n, 8, 8, 3), -1.0)
    images[:, 2:6, 2:6] = SEEN[colours][:, None, None]
    images += rng.normal(0, 0.05, images.shape)
    captions = [f"a flower with {COLOURS[i]} petals" for i in colours]
    return images, captions, colours


def test_share_of_known_colours():
    asked = [0, 1, 2, 3, 4]
    assert colour_obedience(SEEN, asked, SEEN) == 1.0
    assert colour_obedience(SEEN, [1, 1, 2, 3, 0], SEEN) == 0.6
    assert colour_obedience(SEEN * 0.9, asked, SEEN) == 1.0


def test_middle_is_half_of_each_side():
    image = np.zeros((1, 8, 8, 3))
    image[:, 2:6, 2:6] = 1.0
    np.testing.assert_array_equal(middle_colours(image), [[1.0, 1.0, 1.0]])
    image[:, 1] = 5.0
    np.testing.assert_array_equal(middle_colours(image), [[1.0, 1.0, 1.0]])


def test_prototypes_come_from_captions():
    images, captions, colours = flowers(6, np.random.default_rng(0))
    prototypes, chosen = prototypes_of(middle_colours(images), captions)
    np.testing.assert_allclose(prototypes, SEEN, atol=0.05)
    for i, places in enumerate(chosen):
        np.testing.assert_array_equal(colours[places], i)
    with pytest.raises(ValueError, match="pink petals.*none of 24"):
        prototypes_of(middle_colours(images)[:24], captions[:24])
    with pytest.raises(ValueError, match="3 channels"):
        prototypes_of(middle_colours(images[..., :1]), captions)


@pytest.mark.parametrize(
    "caption, colour",
    [
        ("this flower has large red petals", "red"),
        ("Yellow, round PETALS", None),  # a comma may end what it is said of
        ("the yellow round petals are small", "yellow"),
        ("red petals with a yellow centre", None),
        ("the petals are pink", None),
        ("a bored bee on its petals", None),
        ("dark blue petals", None),
        ("reddish petals", None),
    ],
)
def test_which_captions_name_one_colour(caption, colour):
    expected = None if colour is None else COLOURS.index(colour)
    assert colour_of(caption) == expected
