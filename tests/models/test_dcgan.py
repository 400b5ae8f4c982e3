"""DCGAN against its paper, its original, and the shapes it can make."""

import keras
import numpy as np
import pytest

import keras_gans
from keras_gans import losses
from keras_gans.backend import vjp


def count(network):
    return sum(int(np.prod(v.shape)) for v in network.trainable_variables)


def test_parameter_counts_of_the_original():
    gan = keras_gans.DCGAN()
    assert count(gan.generator) == 3_576_704
    assert count(gan.discriminator) == 2_765_568


@pytest.mark.parametrize(
    "size, channels", [(28, 1), (32, 2), (64, 4), (128, 3)]
)
def test_sizes_and_channels(size, channels):
    gan = keras_gans.DCGAN((size, size, channels), latent_dim=5, width=2)
    assert gan.generate(2, seed=0).shape == (2, size, size, channels)
    for network in (gan.generator, gan.discriminator):
        shapes = [layer.output.shape[:3] for layer in network.layers]
        assert (None, 4, 4) in shapes
        assert ((None, 7, 7) in shapes) == (size == 28)


@pytest.mark.parametrize(
    "shape", [(16, 16, 1), (48, 48, 3), (64, 32, 3), (30, 30, 1), (2, 2, 1)]
)
def test_shapes_that_it_cannot_make(shape):
    with pytest.raises(ValueError, match="power of two.*Received: image_shape"):
        keras_gans.DCGAN(shape)


def test_initial_weights_are_the_originals():
    gan = keras_gans.DCGAN()
    for network in (gan.generator, gan.discriminator):
        for weight in network.weights:
            value = keras.ops.convert_to_numpy(weight)
            kind = weight.path.split("/")[-1]
            mean, deviation = {
                "kernel": (0.0, 0.02),
                "gamma": (1.0, 0.02),
                "beta": (0.0, 0.0),
                "moving_mean": (0.0, 0.0),
                "moving_variance": (1.0, 0.0),
            }[kind]
            # Four standard errors.
            assert abs(value.mean() - mean) <= 4 * deviation / value.size**0.5
            assert abs(value.std() - deviation) <= 0.2 * deviation
    kernels = [w for w in gan.weights if w.path.endswith("kernel")]
    values = [keras.ops.convert_to_numpy(k).ravel()[:20] for k in kernels]
    for i, a in enumerate(values):  # no two layers start alike
        assert all(np.any(a != b) for b in values[i + 1 :])


def test_prior_is_normal():
    z = keras_gans.DCGAN((28, 28, 1), width=2).draw_latents(1000, seed=0)
    assert np.abs(z).max() > 3.5 and abs(z.std() - 1) < 0.01


def test_bare_compile_gives_the_papers_optimizers():
    gan = keras_gans.DCGAN((28, 28, 1), width=2)
    gan.compile()
    for adam in (gan.generator_optimizer, gan.discriminator_optimizer):
        assert isinstance(adam, keras.optimizers.Adam)
        assert float(keras.ops.convert_to_numpy(adam.learning_rate)) == (
            pytest.approx(2e-4)
        )
        assert (adam.beta_1, adam.beta_2) == (0.5, 0.999)


def test_learns_to_tell_and_to_fool():
    """On one blurred disc, samples come near the data in 300 steps."""
    y, x = np.mgrid[-1:1:28j, -1:1:28j]
    disc = np.tanh(8 * (0.6 - np.hypot(x, y)))[None, ..., None]
    images = np.repeat(disc, 64, axis=0).astype("float32")
    gan = keras_gans.DCGAN((28, 28, 1), latent_dim=8, width=8)
    before = np.abs(gan.generate(16, seed=0) - disc).mean()
    gan.compile(*(keras.optimizers.Adam(2e-3, beta_1=0.5) for _ in range(2)))
    gan.fit(images, batch_size=16, epochs=75, verbose=0)
    after = np.abs(gan.generate(16, seed=0) - disc).mean()
    assert before > 0.7 and after < 0.4


def test_statistics_of_the_average_are_its_own():
    """Each step, of the batch of latents that the step drew."""
    gan = keras_gans.DCGAN((28, 28, 1), latent_dim=8, width=4, ema_decay=0.5)
    drawn = []
    sample = gan.sample_latents

    def kept(n):
        drawn.append(sample(n))
        return drawn[-1]

    gan.sample_latents = kept
    gan.compile(
        *(keras.optimizers.SGD(0.5) for _ in range(2)), run_eagerly=True
    )
    images = np.random.default_rng(0).uniform(-1, 1, (32, 28, 28, 1))
    for _ in range(40):  # as many as the moving means take
        gan.train_step((images.astype(np.float32),))
    first = next(
        layer
        for layer in gan.ema_generator.layers
        if isinstance(layer, keras.layers.BatchNormalization)
    )
    before = keras.Model(gan.ema_generator.inputs, first.input)
    batches = [keras.ops.convert_to_numpy(before(z)) for z in drawn[-20:]]
    mean = np.mean(batches, axis=(0, 1, 2, 3))
    spread = np.std(batches, axis=(0, 1, 2, 3))
    moving = keras.ops.convert_to_numpy(first.moving_mean)
    assert np.abs(moving - mean).max() < 0.3 * spread.max()
    moving = keras.ops.convert_to_numpy(first.moving_variance) ** 0.5
    np.testing.assert_allclose(moving, spread, rtol=0.3)


def tensorflow_and_torch():
    if keras.backend.backend() != "tensorflow":
        pytest.skip("parity in float64 is shown on TensorFlow")
    return pytest.importorskip("torch", reason="needs the extra `torch`")


@pytest.mark.parametrize("size, width", [(64, 8), (28, 8)])
def test_step_is_the_originals(float64, monkeypatch, size, width):
    """Outputs, losses, gradients, and two steps, from the same numbers."""
    torch = tensorflow_and_torch()
    from tests.models import porting
    from tests.references import torch_dcgan as reference

    torch.manual_seed(0)
    netG = reference.build_generator(size, 3, 100, width).double()
    netD = reference.build_discriminator(size, 3, width).double()
    gan = keras_gans.DCGAN((size, size, 3), width=width)
    gan.generator.set_weights(porting.keras_weights(netG))
    gan.discriminator.set_weights(porting.keras_weights(netD))
    real = torch.rand(6, 3, size, size).double() * 2 - 1
    noises = torch.randn(2, 6, 100).double()

    # Outputs, without training mode and with it.
    netG.eval(), netD.eval()
    fake = netG(noises[0][..., None, None])
    ours = gan.generator(porting.to_keras(noises[0]))
    assert porting.relative_to_largest(ours, porting.to_keras(fake)) < 1e-6
    ours = gan.discriminator(porting.to_keras(fake))[:, 0]
    theirs = torch.logit(netD(fake)).detach().numpy()
    assert porting.relative_to_largest(ours, theirs) < 1e-6
    netG.train(), netD.train()

    # The discriminator's gradients, before anyone has moved.
    loss, pullback = vjp(
        lambda: losses.discriminator_loss(
            gan.discriminator(porting.to_keras(real), training=True),
            gan.discriminator(porting.to_keras(fake), training=True),
        ),
        gan.discriminator.trainable_variables,
    )
    criterion = torch.nn.BCELoss()
    errD = criterion(netD(real), torch.ones(6).double())
    errD = errD + criterion(netD(fake.detach()), torch.zeros(6).double())
    assert porting.relative_to_largest(loss, errD.item()) < 1e-6
    theirs = torch.autograd.grad(errD, list(netD.parameters()))
    for ours, gradient in zip(pullback(np.float64(1.0)), theirs, strict=True):
        gradient = gradient.numpy()
        if gradient.ndim == 4:
            gradient = gradient.transpose(2, 3, 1, 0)
        assert porting.relative_to_largest(ours, gradient) < 1e-6

    # Whole steps, moving statistics included. One player at a time has the
    # original's Adam: Keras's rounds beta_2 to float32, and a second Adam turns
    # that, where a gradient is near zero, into a step of its own. With SGD
    # alone the order of things shows to the last digits.
    for adam, steps, atol in (("G", 1, 1e-6), ("D", 1, 1e-6), ("", 2, 1e-8)):
        gan.generator.set_weights(porting.keras_weights(netG))
        gan.discriminator.set_weights(porting.keras_weights(netD))
        gan.compile(
            None if adam == "G" else keras.optimizers.SGD(0.05),
            None if adam == "D" else keras.optimizers.SGD(0.05),
            run_eagerly=True,
        )
        optimizerG, optimizerD = (
            reference.build_optimizer(net)
            if player == adam
            else torch.optim.SGD(net.parameters(), 0.05)
            for player, net in (("G", netG), ("D", netD))
        )
        for noise in noises[:steps]:
            z = porting.to_keras(noise)
            monkeypatch.setattr(gan, "sample_latents", lambda n, z=z: z)
            gan.reset_metrics()
            logs = gan.train_step((porting.to_keras(real),))
            errD, errG = reference.train_step(
                netG, netD, optimizerG, optimizerD, real, noise[..., None, None]
            )
            np.testing.assert_allclose(logs["d_loss"], errD, rtol=1e-6)
            rtol = 1e-4 if adam == "D" else 1e-6  # seen through D's step
            np.testing.assert_allclose(logs["g_loss"], errG, rtol=rtol)
            if adam != "D":
                porting.assert_same_weights(gan.generator, netG, atol=atol)
            if adam != "G":
                porting.assert_same_weights(gan.discriminator, netD, atol=atol)


def test_float32_outputs_are_the_originals_on_every_backend():
    torch = pytest.importorskip("torch", reason="needs the extra `torch`")
    from tests.models import porting
    from tests.references import torch_dcgan as reference

    torch.manual_seed(0)
    netG = reference.build_generator(64, 3, 100, 16).eval()
    netD = reference.build_discriminator(64, 3, 16).eval()
    gan = keras_gans.DCGAN((64, 64, 3), width=16)
    gan.generator.set_weights(porting.keras_weights(netG))
    gan.discriminator.set_weights(porting.keras_weights(netD))
    z = torch.from_numpy(gan.draw_latents(4, seed=0))
    with torch.no_grad():
        fake = netG(z[..., None, None])
        probability = netD(fake).numpy()
    images = fake.numpy().transpose(0, 2, 3, 1)
    np.testing.assert_allclose(gan.generate(4, seed=0), images, atol=1e-4)
    logits = gan.discriminator.predict(images, verbose=0)[:, 0]
    ours = 1 / (1 + np.exp(-logits))
    np.testing.assert_allclose(ours, probability, atol=1e-4)
