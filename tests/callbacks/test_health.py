"""Each illness is brought about for real, and a healthy run has none."""

import keras
import numpy as np
import pytest

import keras_gans
from keras_gans.callbacks import HealthMonitor


@pytest.fixture(scope="module")
def digits():
    return keras_gans.datasets.mnist_5k()[0][::5]


def fit(gan, digits, monitor, steps=60, **optimizers):
    keras.utils.set_random_seed(0)
    if optimizers:
        gan.compile(**optimizers)
    data = np.concatenate([digits] * (steps * 32 // len(digits) + 1))
    gan.fit(data[: steps * 32], batch_size=32, verbose=0, callbacks=[monitor])
    return monitor.findings


def small_gan(**arguments):
    keras.utils.set_random_seed(0)
    return keras_gans.GAN(variant="small", **arguments)


def test_a_healthy_run(digits, recwarn):
    monitor = HealthMonitor(digits, every=20)
    assert fit(small_gan(), digits, monitor, steps=100) == {}
    assert not [w for w in recwarn if "Step" in str(w.message)]


def test_nan(digits):
    monitor = HealthMonitor(digits, every=5, stop=True)
    gan = small_gan()
    with pytest.warns(UserWarning, match="diverged"):
        findings = fit(
            gan,
            digits,
            monitor,
            generator_optimizer=keras.optimizers.SGD(1e30),
            discriminator_optimizer=keras.optimizers.SGD(1e30),
        )
    assert "nan" in findings and monitor.steps < 60


def test_collapse(digits):
    # A generator that moves much faster than the discriminator goes, as one,
    # wherever it is believed.
    monitor = HealthMonitor(digits, every=20)
    with pytest.warns(UserWarning, match="times as diverse.*collapsed"):
        findings = fit(
            small_gan(),
            digits,
            monitor,
            steps=200,
            generator_optimizer=keras.optimizers.Adam(0.05),
            discriminator_optimizer=keras.optimizers.Adam(1e-4),
        )
    assert "collapse" in findings


class Dealer(keras.Model):
    """Deals from a pool of images, as a collapsed generator does."""

    image_shape = (28, 28, 1)
    takes_text = False

    def __init__(self, pool):
        super().__init__()
        self.pool = pool

    def generate(self, n, seed=None):
        chosen = np.random.default_rng(seed).integers(0, len(self.pool), n)
        return self.pool[chosen]


def findings_of(dealer, digits):
    monitor = HealthMonitor(digits)
    monitor.set_model(dealer)
    monitor.on_train_begin()
    for _ in range(monitor.patience):
        monitor.check()
    return monitor.findings


@pytest.mark.parametrize("size", [1, 2, 5])
def test_collapse_onto_a_few_images(digits, size):
    fresh = keras_gans.datasets.mnist_5k()[0][1::5]
    with pytest.warns(UserWarning, match="256 samples .* collapsed"):
        findings = findings_of(Dealer(fresh[:size]), digits)
    assert set(findings) == {"collapse"}


@pytest.mark.parametrize("label", [0, 1])
def test_collapse_onto_a_class(digits, label):
    images, labels = keras_gans.datasets.mnist_5k()
    fresh = images[1::5][labels[1::5] == label]
    with pytest.warns(UserWarning, match="cover .*% of them"):
        assert findings_of(Dealer(fresh), digits)


def test_collapse_onto_one_image_and_noise(digits):
    noise = np.random.default_rng(0).normal(size=(300, 28, 28, 1))
    pool = np.clip(digits[0] + 0.1 * noise, -1, 1).astype(np.float32)
    with pytest.warns(UserWarning, match="collapsed"):
        assert findings_of(Dealer(pool), digits)


def test_fresh_images_and_an_untrained_generator_are_no_collapse(digits):
    fresh = keras_gans.datasets.mnist_5k()[0][1::5]
    assert findings_of(Dealer(fresh), digits) == {}
    drawn = small_gan().generate(256, seed=0)
    assert findings_of(Dealer(drawn), digits) == {}


def test_saturated_discriminator(digits):
    monitor = HealthMonitor(digits, every=20)
    with pytest.warns(UserWarning, match="discriminator has won"):
        findings = fit(
            small_gan(),
            digits,
            monitor,
            steps=300,
            generator_optimizer=keras.optimizers.SGD(0.0),
            discriminator_optimizer=keras.optimizers.Adam(1e-3),
        )
    assert "saturated" in findings and "vanishing" not in findings


def test_vanishing_gradient(digits):
    # What the paper's section 3 says of log(1 - D(G(z))).
    monitor = HealthMonitor(digits, every=50)
    with pytest.warns(UserWarning) as caught:
        findings = fit(
            small_gan(generator_loss="minimax"),
            digits,
            monitor,
            steps=400,
            generator_optimizer=keras.optimizers.SGD(0.0),
            discriminator_optimizer=keras.optimizers.Adam(3e-3),
        )
    assert set(findings) == {"saturated", "vanishing"}
    assert any("stopped learning" in str(w.message) for w in caught)


def test_warns_once(digits):
    monitor = HealthMonitor(digits, every=20, patience=1)
    with pytest.warns(UserWarning) as caught:
        fit(
            small_gan(),
            digits,
            monitor,
            steps=300,
            generator_optimizer=keras.optimizers.SGD(0.0),
            discriminator_optimizer=keras.optimizers.Adam(1e-3),
        )
    won = [w for w in caught if "has won" in str(w.message)]
    assert len(won) == 1


def test_true_counts(digits):
    monitor = HealthMonitor(digits[:60])
    monitor.set_model(small_gan())
    monitor.patience, monitor.least_d_loss = 1, 100.0
    monitor.on_train_begin()
    with pytest.warns(UserWarning, match="on 256 samples and 60 real images"):
        monitor.check()


def test_image_data(digits):
    data = keras_gans.datasets.load("mnist_5k")
    monitor = HealthMonitor(data, n=100)
    assert monitor.images.shape == (100, 28, 28, 1)
    assert monitor.images.dtype == np.float32 and monitor.images.min() == -1


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"images": np.zeros((20, 28, 28, 1))}, "at least 50 real images"),
        ({"images": np.zeros((60, 28, 28))}, "at least 50 real images"),
        ({"images": "mnist"}, "at least 50 real images"),
        ({"images": np.full((60, 8, 8, 1), 255.0)}, r"in \[-1, 1\]"),
        ({"images": np.zeros((60, 8, 8, 1), np.uint8)}, "Received: uint8"),
        ({"images": np.full((60, 8, 8, 1), np.nan)}, "NaN.* in 60 of 60"),
        ({"every": 0}, "integer from 1 on.*every"),
        ({"least_coverage": -0.1}, "least_coverage=-0.1"),
        ({"least_diversity": "low"}, "least_diversity='low'"),
        ({"least_d_loss": np.nan}, "least_d_loss=nan"),
    ],
)
def test_refusals(digits, arguments, words):
    with pytest.raises(ValueError, match=words):
        HealthMonitor(**{"images": digits} | arguments)


def test_images_of_another_shape_before_training():
    gan = small_gan()
    monitor = HealthMonitor(np.zeros((60, 8, 8, 1), np.float32))
    with pytest.raises(ValueError, match=r"n, 28, 28, 1.*\(60, 8, 8, 1\)"):
        gan.fit(-np.ones((64, 28, 28, 1)), verbose=0, callbacks=[monitor])
