"""Cramer GAN against Algorithm 1, and the energy distance."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_gans
from keras_gans import losses
from keras_gans.models import cramer_gan


def count(network):
    return sum(int(np.prod(v.shape)) for v in network.trainable_variables)


@pytest.mark.parametrize(
    "shape, counts",
    [
        ((28, 28, 1), (6_664_385, 3_672_512)),
        ((64, 64, 3), (5_135_363, 6_403_968)),
    ],
)
def test_parameter_counts_of_the_codes(shape, counts):
    gan = keras_gans.CramerGAN(shape)
    assert (count(gan.generator), count(gan.discriminator)) == counts


def test_initial_weights_of_the_64_pixel_network():
    gan = keras_gans.CramerGAN((64, 64, 3))
    for network in (gan.generator, gan.discriminator):
        for layer in network.layers:
            if not hasattr(layer, "kernel"):
                continue
            kernel = ops.convert_to_numpy(layer.kernel)
            # A normal law cut at two deviations has 0.88 of its deviation.
            name = type(layer).__name__
            deviation = {"Dense": 0.01, "Conv2D": 0.02 * 0.8796}.get(name, 0.02)
            assert abs(kernel.std() / deviation - 1) < 0.05
            assert not np.any(ops.convert_to_numpy(layer.bias))
            if name == "Conv2D":
                assert np.abs(kernel).max() <= 0.04 * 1.001


def test_bare_compile_gives_the_codes_optimizers():
    for shape, clipnorm in (((28, 28, 1), None), ((32, 32, 1), 1.0)):
        gan = keras_gans.CramerGAN(shape, width=4)
        gan.compile()
        for adam in (gan.generator_optimizer, gan.discriminator_optimizer):
            assert float(adam.learning_rate) == pytest.approx(1e-4)
            assert (adam.beta_1, adam.beta_2) == (0.5, 0.9)
            assert (adam.epsilon, adam.clipnorm) == (1e-8, clipnorm)


@pytest.mark.parametrize(
    "network, shape, unit",
    [
        ("toy", (1, 1, 2), 1.0),  # points as they are
        ("mnist", (28, 28, 1), 2.0),  # pixels in [0, 1]
        ("dcgan", (16, 16, 1), 2.0),
    ],
)
def test_the_penalty_is_of_slopes_in_the_critics_unit(
    float64, monkeypatch, network, shape, unit
):
    """By finite differences, along the slope and across it."""
    if keras.backend.backend() != "tensorflow":
        pytest.skip("float64 is shown on TensorFlow")
    gan = keras_gans.CramerGAN(shape, network, width=4)
    gan.compile(run_eagerly=True)
    seen = []

    def spy(critic, images, scale):
        penalty = losses.gradient_penalty(critic, images, scale)
        slopes = []
        for direction in np.eye(images[0].shape.num_elements()):
            step = 1e-6 * direction.reshape(shape)
            rise = critic(images + step) - critic(images - step)
            slopes.append(ops.convert_to_numpy(rise) / 2e-6)
        norms = unit * np.linalg.norm(slopes, axis=0)
        seen.append((float(penalty), np.mean((norms - 1.0) ** 2)))
        return penalty

    monkeypatch.setattr(cramer_gan, "gradient_penalty", spy)
    x = np.random.default_rng(0).uniform(-1, 1, (3, *shape))
    gan.step_critic(ops.convert_to_tensor(x))
    found, expected = seen[0]
    assert found == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("network", ["mnist", "dcgan"])
@pytest.mark.parametrize("kind", ["energy", "surrogate"])
def test_step_is_algorithm_1(float64, monkeypatch, network, kind):
    """Losses and two whole steps, from the same numbers."""
    if keras.backend.backend() != "tensorflow":
        pytest.skip("parity in float64 is shown on TensorFlow")
    torch = pytest.importorskip("torch", reason="needs the extra `torch`")
    from tests.models import porting
    from tests.references import torch_cramer_gan as reference

    torch.manual_seed(0)
    size, width, n = (28 if network == "mnist" else 32), 4, 3
    build_g, build_d = reference.NETWORKS[network]
    netG, netD = build_g(2, 7, width).double(), build_d(2, width).double()
    gan = keras_gans.CramerGAN(
        (size, size, 2),
        latent_dim=7,
        width=width,
        generator_loss=kind,
        n_critic=2,
    )

    def ours_of(net):
        """Layer by layer, as a rendering's modules of a kind come together."""
        return porting.paired(
            gan.generator if net is netG else gan.discriminator, net
        )

    def put():
        for net in (netG, netD):
            for weight, value in ours_of(net).values():
                weight.assign(np.ascontiguousarray(value))

    put()
    z = torch.rand(n, 7).double() * 2 - 1
    theirs = porting.to_keras(2.0 * netG(z) - 1.0)
    ours = gan.generator(porting.to_keras(z), training=True)
    assert porting.relative_to_largest(ours, theirs) < 1e-6
    theirs = netD(netG(z)).detach().numpy()
    ours = gan.discriminator(ours, training=True)
    assert porting.relative_to_largest(ours, theirs) < 1e-6

    for rates in ((0.002, 0.002), (None, 0.0), (0.0, None)):
        put()
        ours, theirs = [], []
        for rate, net in zip(rates, (netG, netD), strict=True):
            adam = {"lr": 1e-4, "betas": (0.5, 0.9)}
            ours.append(
                keras.optimizers.Adam(1e-4, 0.5, 0.9, epsilon=1e-8 * 0.1**0.5)
                if rate is None
                else keras.optimizers.SGD(rate)
            )
            theirs.append(
                torch.optim.Adam(net.parameters(), **adam)
                if rate is None
                else torch.optim.SGD(net.parameters(), rate)
            )
        gan.compile(*ours, run_eagerly=True)
        for _ in range(1 if None in rates else 2):
            x = torch.rand(3, n, 2, size, size).double()
            zs = torch.rand(6, n, 7).double() * 2 - 1
            es = torch.rand(2, n).double()
            batches = [
                (x[i], zs[2 * i], zs[2 * i + 1], es[i]) for i in range(2)
            ]
            values = reference.train_step(
                netG, netD, *theirs, batches, (x[2], zs[4], zs[5]), kind
            )
            images = np.stack([porting.to_keras(2 * b - 1) for b in x], 1)
            images = ops.convert_to_tensor(images.reshape(-1, size, size, 2))
            draws, mixes = iter(zs), iter(es)
            monkeypatch.setattr(
                gan,
                "sample_latents",
                lambda n, draws=draws: porting.to_keras(next(draws)),
            )
            monkeypatch.setattr(
                cramer_gan,
                "between",
                lambda a, b, seed, mixes=mixes: (
                    a
                    + porting.to_keras(next(mixes))[:, None, None, None]
                    * (b - a)
                ),
            )
            gan.reset_metrics()
            logs = gan.train_step((images,))
            names = ("d_loss", "g_loss", "gp", "wasserstein")
            for name, value in zip(names, values, strict=True):
                rtol = 1e-6 if rates[0] else 1e-4
                np.testing.assert_allclose(logs[name], value, rtol=rtol)
        atol = 1e-6 if None in rates else 1e-8
        porting.assert_same_paired(gan.generator, netG, atol)
        porting.assert_same_paired(gan.discriminator, netD, atol)


def test_energy_is_the_energy_distance_in_one_dimension():
    """Of laws whose distance is known, with h the identity.

    2 E|X - Y| - E|Y - Y'| for N(0, 1) and N(2, 1).
    """
    rng = np.random.default_rng(0)
    x, y, y2 = rng.standard_normal((3, 400_000, 1))
    found = float(cramer_gan.energy(x, y + 2.0, y2 + 2.0))
    # E|N(2, 2)| = 2 exp(-1) / sqrt(pi) + 2 erf(1), E|N(0, 2)| = 2 / sqrt(pi)
    apart = 2 * np.exp(-1.0) / np.pi**0.5 + 2 * 0.8427007929
    expected = 2 * apart - 2 / np.pi**0.5
    assert found == pytest.approx(expected, abs=0.01)


def test_learns_a_disc():
    """On one blurred disc, samples come near the data."""
    y, x = np.mgrid[-1:1:28j, -1:1:28j]
    disc = np.tanh(8 * (0.6 - np.hypot(x, y)))[None, ..., None]
    images = np.repeat(disc, 72, axis=0).astype("float32")
    gan = keras_gans.CramerGAN((28, 28, 1), latent_dim=8, width=8, n_critic=2)
    before = np.abs(gan.generate(16, seed=0) - disc).mean()
    gan.compile(*(keras.optimizers.Adam(1e-3, 0.5, 0.9) for _ in range(2)))
    gan.fit(images, batch_size=12, epochs=60, verbose=0)
    after = np.abs(gan.generate(16, seed=0) - disc).mean()
    assert before > 0.7 and after < 0.25


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        ({"gp_weight": 0.0}, "`gp_weight` as a positive number"),
        ({"gp_weight": -1.0}, "`gp_weight`.*Received: gp_weight=-1"),
        ({"n_critic": 0}, "`n_critic` as an integer from 1 on"),
        ({"network": "resnet"}, "network: one of mnist, dcgan"),
        ({"network": "mnist"}, "28x28"),
        ({"generator_loss": "energetic"}, "Did you mean 'energy'"),
        ({"image_shape": (30, 30, 1)}, "power of two"),
    ],
)
def test_bad_arguments(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        keras_gans.CramerGAN(**arguments)
