"""WGAN against its code, and the box that its critic's weights lie in."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_gans
from keras_gans.models.wgan import WarmUp
from tests.conformance import images_like


def count(network):
    return sum(int(np.prod(v.shape)) for v in network.trainable_variables)


@pytest.mark.parametrize(
    "network, counts",
    [("dcgan", (3_576_704, 2_765_568)), ("mlp", (813_504, 794_881))],
)
def test_parameter_counts_of_the_code(network, counts):
    gan = keras_gans.WGAN(network=network)
    assert (count(gan.generator), count(gan.discriminator)) == counts


def test_initial_perceptron_is_pytorchs():
    gan = keras_gans.WGAN((28, 28, 1), network="mlp")
    for network in (gan.generator, gan.discriminator):
        for layer in network.layers:
            if hasattr(layer, "kernel"):
                kernel = ops.convert_to_numpy(layer.kernel)
                bound = kernel.shape[0] ** -0.5
                assert 0.9 * bound < np.abs(kernel).max() <= bound * 1.0001
                bias = ops.convert_to_numpy(layer.bias)
                assert np.abs(bias).max() <= bound * 1.0001 and bias.any()


def test_bare_compile_gives_the_codes_optimizers():
    gan = keras_gans.WGAN((28, 28, 1), width=2)
    gan.compile()
    for rmsprop in (gan.generator_optimizer, gan.discriminator_optimizer):
        assert isinstance(rmsprop, keras.optimizers.RMSprop)
        assert float(rmsprop.learning_rate) == pytest.approx(5e-5)
        assert (rmsprop.rho, rmsprop.momentum) == (0.99, 0.0)
        assert rmsprop.epsilon == pytest.approx(1e-16)


@pytest.mark.parametrize("network", ["dcgan", "mlp"])
def test_step_is_the_codes(float64, monkeypatch, network):
    """Two steps of three critic steps, from the same numbers."""
    if keras.backend.backend() != "tensorflow":
        pytest.skip("parity in float64 is shown on TensorFlow")
    torch = pytest.importorskip("torch", reason="needs the extra `torch`")
    from tests.models import porting
    from tests.references import torch_wgan as reference

    torch.manual_seed(0)
    size, width, n, c = 28, 8, 4, 0.01
    build = {"dcgan": reference.build_dcgan, "mlp": reference.build_mlp}
    netG, netD = build[network](size, 2, 7, width)
    netG.double(), netD.double()
    gan = keras_gans.WGAN((size, size, 2), 7, network, width, n_critic=3)

    def ours_of(net, is_critic):
        """Its weights; those of the perceptron meet an image as [h, w, c]."""
        weights = porting.keras_weights(net)
        if is_critic:  # in the code it is minimised: -f
            for i in [-1] if network == "dcgan" else [-2, -1]:
                weights[i] = -weights[i]
        if network == "mlp":
            pixels = np.arange(2 * size * size).reshape(2, size, size)
            pixels = pixels.transpose(1, 2, 0).reshape(-1)
            if is_critic:
                weights[0] = weights[0][pixels]
            else:
                weights[-2] = weights[-2][:, pixels]
                weights[-1] = weights[-1][pixels]
        return weights

    gan.generator.set_weights(ours_of(netG, False))
    gan.discriminator.set_weights(ours_of(netD, True))
    reals = torch.rand(2, 3, n, 2, size, size).double() * 2 - 1
    noises = torch.randn(2, 4, n, 7, 1, 1).double()
    # SGD: the order of things shows to the last digits.
    gan.compile(*(keras.optimizers.SGD(0.05) for _ in "GD"), run_eagerly=True)
    theirs = [torch.optim.SGD(p.parameters(), 0.05) for p in (netG, netD)]
    for real, noise in zip(reals, noises, strict=True):
        images = np.stack([porting.to_keras(x) for x in real], axis=1)
        images = ops.convert_to_tensor(images.reshape(-1, size, size, 2))
        draws = iter([porting.to_keras(z[:, :, 0, 0]) for z in noise])
        monkeypatch.setattr(
            gan, "sample_latents", lambda n, draws=draws: next(draws)
        )
        gan.reset_metrics()
        logs = gan.train_step((images,))
        errD, errG = reference.train_step(
            netG, netD, *theirs, real, noise, real.shape[2:], c
        )
        np.testing.assert_allclose(logs["wasserstein"], -errD, rtol=1e-6)
        np.testing.assert_allclose(logs["d_loss"], errD, rtol=1e-6)
        np.testing.assert_allclose(logs["g_loss"], errG, rtol=1e-6)
    for player, net in ((gan.generator, netG), (gan.discriminator, netD)):
        expected = ours_of(net, player is gan.discriminator)
        for weight, value in zip(player.weights, expected, strict=True):
            moving = weight.path.endswith("moving_variance")  # n / (n - 1)
            np.testing.assert_allclose(
                weight,
                value,
                rtol=0.05 if moving else 0,
                atol=1e-8,
                err_msg=weight.path,
            )


def test_rmsprop_is_pytorchs(float64):
    """Steps of gradients from large to next to none, where epsilon tells."""
    torch = pytest.importorskip("torch", reason="needs the extra `torch`")
    from tests.references import torch_wgan as reference

    gan = keras_gans.WGAN((28, 28, 1), network="mlp", width=2)
    ours = gan.default_optimizers()["discriminator_optimizer"]
    theirs = torch.nn.Linear(5, 1, bias=False).double()
    start = theirs.weight.detach().numpy()[0].copy()
    variable = keras.Variable(start)
    optimizer = reference.build_optimizer(theirs)
    ours.build([variable])
    scales = np.array([1e2, 1.0, 1e-4, 1e-8, 1e-10])
    for gradient in scales * np.random.default_rng(0).normal(size=(20, 5)):
        ours.apply_gradients([(ops.convert_to_tensor(gradient), variable)])
        theirs.weight.grad = torch.from_numpy(gradient[None])
        optimizer.step()
    moved = theirs.weight.detach().numpy()[0] - start
    found = ops.convert_to_numpy(variable) - start
    # The epsilons meet in another form where a gradient is as small as they.
    np.testing.assert_allclose(found[:3], moved[:3], rtol=1e-3)
    np.testing.assert_allclose(found[3:], moved[3:], rtol=1.0)


def test_weights_are_clipped_before_each_critic_step():
    gan = keras_gans.WGAN((28, 28, 1), width=4, clip_value=0.003)
    images = images_like({"image_shape": (28, 28, 1)}, n=20)
    gan.fit(images, batch_size=4, epochs=3, verbose=0)
    for weight in gan.discriminator.trainable_variables:
        largest = np.abs(ops.convert_to_numpy(weight)).max()
        assert largest <= 0.003 + 10 * 5e-5 * 1.01  # and the last step
    largest = [np.abs(w).max() for w in gan.generator.get_weights()]
    assert max(largest) > 0.03  # the generator's are free


def codes_schedule(n_steps, n_critic=5):
    """Whether G moves after each training step, by the loop of `main.py`."""
    moves, iterations, waited = [], 0, 0
    for _ in range(n_steps):
        waited += n_critic
        patience = 100 if iterations < 25 or iterations % 500 == 0 else n_critic
        moves.append(waited >= patience)
        if moves[-1]:
            iterations, waited = iterations + 1, 0
    return moves


def test_warm_up_is_the_codes():
    for n_critic in (1, 3, 5, 100, 200):
        expected = codes_schedule(8000, n_critic)
        rate = WarmUp(2.0, n_critic)
        found = ops.convert_to_numpy(rate(np.arange(8000)))
        np.testing.assert_array_equal(found, 2.0 * np.array(expected))


def test_generator_waits_in_the_warm_up():
    """20 training steps of 5 critic steps, of which the last moves it."""
    gan = keras_gans.WGAN((28, 28, 1), network="mlp", width=32, warmup=True)
    images = images_like({"image_shape": (28, 28, 1)}, n=5 * 19)
    before = gan.generator.get_weights()
    gan.fit(images, batch_size=1, verbose=0)  # 19 steps
    after = gan.generator.get_weights()
    assert all((a == b).all() for a, b in zip(before, after, strict=True))
    gan.fit(images[:5], batch_size=1, verbose=0)
    after = gan.generator.get_weights()
    assert any((a != b).any() for a, b in zip(before, after, strict=True))


def test_images_of_the_perceptron_are_clipped_when_sampled():
    gan = keras_gans.WGAN((8, 8, 1), network="mlp")
    gan.generator.set_weights(
        [100.0 * weight for weight in gan.generator.get_weights()]
    )
    images = gan.generate(8, seed=0)
    assert np.abs(images).max() == 1.0
    free = gan.generator(gan.draw_latents(8, seed=0), training=True)
    free = ops.convert_to_numpy(free)
    assert np.abs(free).max() > 1.0
    np.testing.assert_allclose(np.clip(free, -1, 1), images, atol=1e-5)


def test_learns_a_disc():
    """On one blurred disc, samples come near the data."""
    y, x = np.mgrid[-1:1:16j, -1:1:16j]
    disc = np.tanh(8 * (0.6 - np.hypot(x, y)))[None, ..., None]
    images = np.repeat(disc, 80, axis=0).astype("float32")
    gan = keras_gans.WGAN((16, 16, 1), 8, "mlp", width=32, clip_value=0.1)
    before = np.abs(gan.generate(16, seed=0) - disc).mean()
    gan.compile(*(keras.optimizers.RMSprop(1e-3) for _ in range(2)))
    gan.fit(images, batch_size=16, epochs=300, verbose=0)
    after = np.abs(gan.generate(16, seed=0) - disc).mean()
    assert before > 0.7 and after < 0.25


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        ({"clip_value": 0.0}, "`clip_value` as a positive number"),
        ({"clip_value": -0.01}, "`clip_value`.*Received: clip_value=-0.01"),
        ({"clip_value": float("inf")}, "`clip_value`"),
        ({"n_critic": 0}, "`n_critic` as an integer from 1 on"),
        ({"n_critic": 2.5}, "`n_critic`"),
        ({"network": "resnet"}, "network: one of dcgan, mlp"),
        ({"width": 0}, "`width`"),
        ({"image_shape": (30, 30, 1)}, "power of two"),
    ],
)
def test_bad_arguments(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        keras_gans.WGAN(**arguments)
