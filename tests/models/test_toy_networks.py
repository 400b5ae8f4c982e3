"""Every adversarial model that takes points in the plane trains on them."""

import keras
import numpy as np
import pytest

import keras_gans
from keras_gans.datasets import toy
from keras_gans.models.toy_networks import (
    build_toy_discriminator,
    build_toy_generator,
)

POINTS = (1, 1, 2)
MODELS = {
    "gan": {"variant": "toy"},
    "wgan": {"network": "mlp", "width": 16, "n_critic": 2},
    "wgan_gp": {"network": "toy", "width": 16, "n_critic": 2},
    "cramer_gan": {"network": "toy", "width": 16, "n_critic": 2},
    "cgan": {"network": "toy", "width": 16, "num_classes": 8},
    "acgan": {"network": "toy", "generator_width": 16, "num_classes": 8},
}


def test_the_networks_of_gan_toy():
    generator = build_toy_generator(POINTS, 2, 512)
    critic = build_toy_discriminator(POINTS, 512)
    # 2 * 512 + 512, twice 512 * 512 + 512, 512 * 2 + 2; or 512 + 1.
    assert generator.count_params() == 527_874
    assert critic.count_params() == 527_361
    hidden, last = critic.layers[-4], critic.layers[-2]
    weights = keras.ops.convert_to_numpy(hidden.kernel)
    assert weights.std() == pytest.approx((2 / 512) ** 0.5, rel=0.01)
    weights = keras.ops.convert_to_numpy(last.kernel)
    assert weights.std() == pytest.approx((2 / 513) ** 0.5, rel=0.1)


@pytest.mark.parametrize("name", MODELS)
def test_it_trains_on_points(name):
    gan = keras_gans.create(
        name, image_shape=POINTS, latent_dim=2, **MODELS[name]
    )
    before = gan.generate(50, seed=0)
    ring = toy.ring()
    data = [ring.images(192)]
    if gan.takes_labels:
        data.append(ring.classes(192))
    history = gan.fit(*data, batch_size=32, verbose=0)
    after = gan.generate(50, seed=0)
    assert np.isfinite([v[-1] for v in history.history.values()]).all()
    assert toy.points_of(after).shape == (50, 2)
    assert np.abs(after - before).max() > 0
    assert np.abs(after).max() <= 1.0
    again = type(gan).from_config(gan.get_config())
    again.generator.set_weights(gan.generator.get_weights())
    np.testing.assert_array_equal(again.generate(50, seed=0), after)


def told_the_class(name, config, steps):
    """Train on the ring of 8; the share of points within 0.1 of their class."""
    keras.utils.set_random_seed(0)
    ring = toy.ring()
    n = 256 * steps
    gan = keras_gans.create(
        name, image_shape=POINTS, latent_dim=2, num_classes=8, **config
    )
    gan.fit(ring.images(n), ring.classes(n), batch_size=256, verbose=0)
    labels = np.repeat(np.arange(8), 100)
    points = toy.points_of(gan.generate(800, labels=labels, seed=0))
    distance = np.linalg.norm(points - ring.centres[labels], axis=1)
    return np.mean(distance < 0.1)


# Chance is an eighth. ACGAN leaves out a class or two: what D guesses right
# need not be where the class is.
@pytest.mark.parametrize("name, least", [("cgan", 0.9), ("acgan", 0.5)])
def test_points_are_of_the_class_asked_for(name, least):
    assert told_the_class(name, {"network": "toy"}, steps=800) > least


def test_classes_of_points_of_unequal_weights():
    three = toy.mixture_1d((-2, 0, 2), (0.1, 0.1, 0.1), (0.2, 0.3, 0.5))
    points, classes = three.sample(4000, seed=3), three.classes(4000, seed=3)
    assert np.abs(points - np.array([-2, 0, 2])[classes]).max() < 0.5
    np.testing.assert_allclose(
        np.bincount(classes) / 4000, [0.2, 0.3, 0.5], atol=0.03
    )
