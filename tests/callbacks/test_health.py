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
    assert fit(small_gan(), digits, monitor, steps=200) == {}
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


def test_refusals(digits):
    with pytest.raises(ValueError, match="at least 50 real images"):
        HealthMonitor(digits[:20])
    with pytest.raises(ValueError, match="positive integer.*every"):
        HealthMonitor(digits, every=0)
