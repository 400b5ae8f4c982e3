"""DiffAugment: ranges, gradients, and that it does what it is for."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_gans
from keras_gans import backend
from keras_gans.augment import (
    AUGMENTATIONS,
    DiffAugment,
    augmentation,
    cutout,
    translation,
)

ALL = "color,translation,cutout"


def numpy(x):
    return ops.convert_to_numpy(x)


def pictures(n=8, height=16, width=16, channels=3):
    rng = np.random.default_rng(0)
    images = rng.uniform(-1, 1, (n, height, width, channels))
    return images.astype(np.float32)


def test_none_is_the_identity():
    images = pictures()
    assert augmentation(None)(images) is images


@pytest.mark.parametrize("policy", [*AUGMENTATIONS, ALL])
def test_every_image_and_every_call_differs(policy):
    images = np.repeat(pictures(1), 8, axis=0)
    layer = DiffAugment(policy)
    first, second = numpy(layer(images)), numpy(layer(images))
    assert first.shape == images.shape and first.dtype == np.float32
    assert np.isfinite(first).all()
    assert np.abs(first - second).max() > 0.1
    assert len(np.unique(first.round(4), axis=0)) > 4
    # Drawn from a state that a run saves: the same again.
    state = np.array(layer.seed_generator.state)
    third = numpy(layer(images))
    layer.seed_generator.state.assign(state)
    np.testing.assert_array_equal(numpy(layer(images)), third)


def test_ranges_of_colours():
    """Each of the three against its law, on images that show it alone."""
    n = 4000
    flat = numpy(DiffAugment("color")(np.zeros((n, 2, 2, 3), np.float32)))
    shift = flat[:, 0, 0, 0]  # brightness alone moves a gray image
    assert np.ptp(flat, axis=(1, 2, 3)).max() < 1e-6
    assert -0.5 <= shift.min() < -0.49 and 0.49 < shift.max() <= 0.5
    assert abs(shift.mean()) < 0.02

    gray = np.zeros((n, 2, 2, 1), np.float32)
    gray[:, 0] = 1.0  # half black, half white: contrast is their distance
    made = numpy(DiffAugment("color")(gray))
    contrast = made[:, 0, 0, 0] - made[:, 1, 0, 0]
    assert 0.5 <= contrast.min() < 0.51 and 1.49 < contrast.max() <= 1.5
    assert abs(contrast.mean() - 1.0) < 0.02

    coloured = np.zeros((n, 2, 2, 3), np.float32)
    coloured[..., 0] = 1.0  # the same everywhere: contrast of channels
    made = numpy(DiffAugment("color")(coloured))
    both = made[:, 0, 0, 0] - made[:, 0, 0, 1]  # saturation x contrast
    assert 0.0 <= both.min() < 0.02 and 2.8 < both.max() <= 3.0
    assert abs(both.mean() - 1.0) < 0.04


def test_translation_moves_by_whole_pixels():
    images = pictures(400, 16, 24, 1)
    made = numpy(translation(ops.convert_to_tensor(images), seed=1))
    seen = set()
    padded = np.pad(images, ((0, 0), (3, 3), (3, 3), (0, 0)))
    for image, moved in zip(padded, made, strict=True):
        fits = [
            (i, j)
            for i in range(-2, 3)
            for j in range(-3, 4)
            if np.array_equal(moved, image[3 + i : 19 + i, 3 + j : 27 + j])
        ]
        assert len(fits) == 1
        seen.add(fits[0])
    # An eighth of 16 and of 24, both ways: all of 5 x 7 places.
    assert len(seen) == 35


def test_cutout_is_a_square_of_half_the_side():
    ones = np.ones((600, 16, 16, 1), np.float32)
    made = numpy(cutout(ops.convert_to_tensor(ones), seed=1))[..., 0]
    assert set(np.unique(made)) == {0.0, 1.0}
    rows = (made == 0).any(axis=2).sum(axis=1)
    columns = (made == 0).any(axis=1).sum(axis=1)
    np.testing.assert_array_equal((made == 0).sum(axis=(1, 2)), rows * columns)
    for sizes in (rows, columns):  # cut off at the border down to a half
        assert sizes.max() == 8 and sizes.min() == 4
    # The middle is any of 0..16: 17 places, 9 of them with the whole square.
    assert abs((rows == 8).mean() - 9 / 17) < 0.1


def test_laws_are_the_authors():
    """Against their code's formulas, with the draws taken from ours."""
    torch = pytest.importorskip("torch", reason="needs the extra `torch`")
    images = pictures(6, 8, 8, 3)
    seed = 7
    made = numpy(AUGMENTATIONS["color"](ops.convert_to_tensor(images), seed))
    shape = (6, 1, 1, 1)
    draws = [
        torch.from_numpy(
            np.array(keras.random.uniform(shape, low, high, seed=seed))
        )
        for low, high in ((0.0, 1.0), (0.0, 1.0), (0.0, 1.0))
    ]
    x = torch.from_numpy(images)
    x = x + (draws[0] - 0.5)
    mean = x.mean(dim=3, keepdim=True)
    x = (x - mean) * (draws[1] * 2) + mean
    mean = x.mean(dim=[1, 2, 3], keepdim=True)
    x = (x - mean) * (draws[2] + 0.5) + mean
    np.testing.assert_allclose(made, x.numpy(), atol=1e-5)


@pytest.mark.parametrize("policy", [*AUGMENTATIONS, ALL])
def test_gradients_go_back_through_it(policy):
    """By finite differences, in the direction of a random change."""
    images = ops.convert_to_tensor(pictures(2, 8, 8, 2))
    layer = DiffAugment(policy)
    state = np.array(layer.seed_generator.state)
    weights = np.random.default_rng(1).normal(size=images.shape)
    weights = ops.convert_to_tensor(weights.astype(np.float32))

    def score(x):
        layer.seed_generator.state.assign(state)
        return ops.sum(layer(x) * weights, axis=(1, 2, 3))

    slope = numpy(backend.gradient(score, images))
    change = np.random.default_rng(2).normal(size=images.shape)
    change = ops.convert_to_tensor(change.astype(np.float32) * 0.1)
    ahead = numpy(score(images + change)).sum()
    behind = numpy(score(images - change)).sum()
    np.testing.assert_allclose(
        (slope * numpy(change)).sum(),
        (ahead - behind) / 2,
        rtol=1e-3,
        atol=1e-3,
    )
    assert np.abs(slope).max() > 0


@pytest.mark.parametrize(
    "policy, words",
    [
        ("colour", "one of color, translation, cutout.*'colour'.*'color'"),
        ("color;cutout", "color;cutout"),
        ("", "Received: name=''"),
        (3, "Received: name=3"),
        ("color,,cutout", "Received: name=''"),
    ],
)
def test_unknown_augmentations(policy, words):
    with pytest.raises(ValueError, match=words):
        DiffAugment(policy)
    with pytest.raises(ValueError, match=words):
        keras_gans.DCGAN((28, 28, 1), width=2, augment=policy)


def test_what_is_no_images():
    layer = DiffAugment("color")
    with pytest.raises(ValueError, match=r"float images.*shape=\(4, 16, 16\)"):
        layer(np.zeros((4, 16, 16), np.float32))


def test_blanks_between_names():
    assert DiffAugment("color, cutout").policy == "color,cutout"


def accuracy(gan, images):
    """The share of real images that D takes for real."""
    logits = numpy(gan.discriminator(images, training=False))
    return (logits > 0).mean()


@pytest.mark.slow
def test_discriminator_learns_less_by_heart():
    """300 digits: D knows those it trains on better than 2,000 others.

    With augmentation the gap between the two accuracies, here the mean of
    five over a training, shrinks.
    """
    digits = keras_gans.datasets.mnist_5k()[0]
    order = np.random.default_rng(0).permutation(len(digits))
    train, others = digits[order[:300]], digits[order[300:2300]]
    gaps = []
    for policy in (None, "translation,cutout"):
        keras.utils.set_random_seed(0)
        gan = keras_gans.GAN(variant="small", augment=policy)
        gan.compile(
            keras.optimizers.Adam(2e-4, beta_1=0.5),
            keras.optimizers.Adam(2e-3, beta_1=0.5),
        )
        found = []
        for _ in range(5):
            gan.fit(train, batch_size=50, epochs=40, verbose=0)
            found.append(accuracy(gan, train) - accuracy(gan, others))
        gaps.append(np.mean(found))
    assert gaps[0] > 0.02
    assert gaps[1] < 0.5 * gaps[0]
