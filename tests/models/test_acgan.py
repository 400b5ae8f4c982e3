"""ACGAN against its codes, and the classes that it draws and guesses."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_gans
from keras_gans import losses
from keras_gans.backend import vjp
from keras_gans.layers import Dropout
from keras_gans.models.acgan import accuracy

NETWORKS = ["mnist", "cifar"]
SMALL = {
    "mnist": {
        "image_shape": (8, 8, 1),
        "network": "mnist",
        "latent_dim": 7,
        "generator_width": 4,
        "discriminator_width": 4,
    },
    "cifar": {
        "image_shape": (16, 16, 1),
        "latent_dim": 7,
        "generator_width": 4,
        "discriminator_width": 4,
    },
}


def count(network):
    return sum(int(np.prod(v.shape)) for v in network.trainable_variables)


def test_parameter_counts():
    cifar = keras_gans.ACGAN()
    assert cifar.network == "cifar"
    assert count(cifar.generator) == 1_593_888
    assert count(cifar.discriminator) == 1_663_867
    mnist = keras_gans.ACGAN((28, 28, 1))
    assert mnist.network == "mnist"
    assert count(mnist.generator) == 8_172_521
    assert count(mnist.discriminator) == 525_835


def values_of(network, kind):
    """Paths and values of all weights of a kind."""
    for weight in network.weights:
        if weight.path.endswith(kind):
            yield weight.path, ops.convert_to_numpy(weight)


def test_initial_weights_of_cifar():
    """N(0, 0.02) in convolutions, PyTorch's own in linear layers."""
    gan = keras_gans.ACGAN()
    for network in (gan.generator, gan.discriminator):
        for path, value in values_of(network, "kernel"):
            if value.ndim == 4:
                assert abs(value.std() - 0.02) < 0.002, path
                continue
            bound = value.shape[0] ** -0.5
            assert 0.99 * bound < np.abs(value).max() <= bound, path
            assert abs(value.std() - bound / 3**0.5) < 0.02 * bound, path
        for path, value in values_of(network, "gamma"):
            assert abs(value.mean() - 1.0) < 4 * 0.02 / value.size**0.5, path
            assert abs(value.std() - 0.02) < 4 * 0.02 / value.size**0.5, path
        for path, value in values_of(network, "beta"):
            assert not value.any(), path
    biases = [value for _, value in values_of(gan.generator, "bias")]
    assert len(biases) == 1  # of the linear layer
    assert 0.9 * 110**-0.5 < np.abs(biases[0]).max() <= 110**-0.5


def test_initial_weights_of_mnist():
    """Glorot's: normal where the code says so, uniform elsewhere."""
    gan = keras_gans.ACGAN((28, 28, 1), generator_width=32)
    for network in (gan.generator, gan.discriminator):
        for path, value in values_of(network, "kernel"):
            area = value.size / np.prod(value.shape[-2:])
            deviation = (2.0 / (area * sum(value.shape[-2:]))) ** 0.5
            error = 4 * deviation / value.size**0.5
            assert abs(value.std() - deviation) < error, path
            normal = np.abs(value).max() > 3**0.5 * deviation * 1.001
            embedding = value.shape[0] == gan.num_classes
            of_g = network is gan.generator
            assert normal == (of_g and (value.ndim == 4 or embedding)), path
        for path, value in values_of(network, "bias"):
            assert not value.any(), path


def test_activations_and_dropout_of_the_discriminators():
    for network, slope, rates in (
        ("mnist", 0.3, [0.3] * 4),
        ("cifar", 0.2, [0.5] * 6),
    ):
        found = keras_gans.ACGAN(**SMALL[network]).discriminator.layers
        slopes = [x for x in found if isinstance(x, layers.LeakyReLU)]
        assert [x.negative_slope for x in slopes] == [
            pytest.approx(slope) for _ in rates
        ]
        assert [x.rate for x in found if isinstance(x, Dropout)] == rates


def test_prior_of_each_network():
    z = keras_gans.ACGAN(**SMALL["cifar"]).draw_latents(1000, seed=0)
    assert np.abs(z).max() > 3.0 and abs(z.std() - 1) < 0.02
    z = keras_gans.ACGAN(**SMALL["mnist"]).draw_latents(1000, seed=0)
    assert 0.999 < np.abs(z).max() <= 1.0


def test_bare_compile_gives_the_codes_optimizers():
    for network in NETWORKS:
        gan = keras_gans.ACGAN(**SMALL[network])
        gan.compile()
        for adam in (gan.generator_optimizer, gan.discriminator_optimizer):
            assert isinstance(adam, keras.optimizers.Adam)
            rate = float(ops.convert_to_numpy(adam.learning_rate))
            assert rate == pytest.approx(2e-4)
            assert (adam.beta_1, adam.beta_2) == (0.5, 0.999)


@pytest.mark.parametrize(
    "network, shape",
    [
        ("mnist", (4, 12, 3)),
        ("mnist", (28, 28, 1)),
        ("mnist", (32, 32, 3)),
        ("cifar", (16, 16, 1)),
        ("cifar", (64, 64, 3)),
    ],
)
def test_sizes_and_channels(network, shape):
    gan = keras_gans.ACGAN(
        shape, 3, network, 5, generator_width=2, discriminator_width=2
    )
    images = gan.generate(2, seed=0)
    assert images.shape == (2, *shape)
    logits, class_logits = gan.discriminator(images)
    assert (logits.shape, class_logits.shape) == ((2, 1), (2, 3))


@pytest.mark.parametrize("network", NETWORKS)
def test_the_generator_is_told_the_class(network):
    gan = keras_gans.ACGAN(num_classes=3, **SMALL[network])
    z = gan.draw_latents(3, seed=0)
    made = [gan.generate(latents=z, labels=label) for label in range(3)]
    in_turn = gan.generate(latents=z, labels=[0, 1, 2])
    for label in range(3):
        assert np.abs(made[label] - made[label - 1]).max() > 1e-5
        np.testing.assert_allclose(
            in_turn[label], made[label][label], atol=1e-6
        )


def test_classes_of_generated_images_are_drawn_evenly():
    gan = keras_gans.ACGAN(num_classes=4, **SMALL["mnist"])
    _, (z, classes) = gan.draw(4000)
    assert z.shape == (4000, 7)
    counts = np.bincount(ops.convert_to_numpy(classes), minlength=4)
    assert np.abs(counts - 1000).max() < 4 * 1000**0.5
    _, (_, others) = gan.draw(4000)
    assert np.any(ops.convert_to_numpy(others != classes))


def test_accuracy_by_hand():
    logits = np.array([[0.0, 1.0, 2.0], [5.0, 1.0, 2.0], [0.0, 3.0, -1.0]])
    labels = np.array([2, 1, 1], "int32")
    assert float(accuracy(labels, logits)) == pytest.approx(2 / 3)


def bars(n=256):
    """Bars of 8x8, left in class 0, right in class 1."""
    labels = np.arange(n) % 2
    centres = np.where(labels, 5.5, 1.5)
    centres += np.random.default_rng(0).normal(0, 0.7, n)
    offsets = np.arange(8) - centres[:, None, None]
    images = np.tanh(3 - 2 * np.abs(offsets)).repeat(8, 1)[..., None]
    return images.astype("float32"), labels


@pytest.mark.parametrize("network", NETWORKS)
def test_classes_are_learnt(network):
    """By G, as asked, and by D, as `fit` shows."""
    images, labels = bars()
    if network == "cifar":  # from 16 pixels on
        images = images.repeat(2, 1).repeat(2, 2)
    gan = keras_gans.ACGAN(num_classes=2, ema_decay=0.9, **SMALL[network])
    gan.compile(*(keras.optimizers.Adam(2e-3, 0.5) for _ in range(2)))
    history = gan.fit(images, labels, batch_size=16, epochs=20, verbose=0)
    history = history.history
    assert history["real_accuracy"][-1] > 0.9
    assert history["fake_accuracy"][-1] > 0.9
    assert history["class_loss"][-1] < history["class_loss"][0] - 0.5
    half = gan.image_shape[1] // 2
    for label, side in ((0, slice(0, half)), (1, slice(half, None))):
        made = gan.generate(32, seed=0, labels=label)
        brighter = made[:, :, side].mean() - made.mean()
        expected = images[label::2][:, :, side].mean() - images.mean()
        assert brighter > 0.3 * expected


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        ({"network": "imagenet"}, "network: one of mnist, cifar"),
        ({"network": ["mnist"]}, "network: one of mnist, cifar"),
        ({"num_classes": 0}, "num_classes=0"),
        ({"num_classes": None}, "num_classes=None"),
        ({"latent_dim": 0}, "latent_dim=0"),
        ({"generator_width": 0}, "generator_width=0"),
        ({"discriminator_width": 1.5}, "discriminator_width=1.5"),
        ({"image_shape": (30, 30, 1)}, "power of two.*network='mnist'"),
        ({"image_shape": (8, 8, 1)}, "power of two from 16"),
        ({"image_shape": (28, 30, 1)}, r"divisible by 4.*\(28, 32, 1\)"),
        ({"image_shape": 28}, "`image_shape` as .height, width, channels"),
        ({"augment": "colour"}, "color, translation, cutout.*'colour'"),
        ({"ema_decay": -0.1}, "ema_decay=-0.1"),
    ],
)
def test_arguments_that_are_refused(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        keras_gans.ACGAN(**arguments)


@pytest.mark.parametrize(
    "labels, words",
    [
        (None, "Expected .images, labels.*no labels"),
        (np.zeros(7, int), r"each of 8 images.*shape=\(7,\).*as many as"),
        (np.zeros((8, 3), int), "rows that are not one-hot.*argmax"),
        (np.full(8, 0.5), "Received: 0.5"),
        (np.full(8, 3), "labels from 3 to 3.*num_classes"),
        (np.arange(8) - 1, "labels from -1 to 6"),
    ],
)
def test_labels_that_are_refused(labels, words):
    gan = keras_gans.ACGAN(num_classes=3, **SMALL["mnist"])
    images = np.zeros((8, 8, 8, 1), np.float32) - 1
    with pytest.raises(ValueError, match=words):
        gan.fit(images, labels, verbose=0)
    if labels is not None:
        with pytest.raises(ValueError, match="from 0 to 2"):
            gan.generate(8, labels=labels)


def test_latents_that_are_refused():
    gan = keras_gans.ACGAN(num_classes=3, **SMALL["mnist"])
    with pytest.raises(ValueError, match=r"shape \[n, 7\].*\(4, 8\)"):
        gan.generate(latents=np.zeros((4, 8)), labels=0)


# === The codes' numbers ===


def originals(network):
    """The rendering's networks, small, and ours with their weights."""
    torch = pytest.importorskip("torch", reason="needs the extra `torch`")
    from tests.models import porting
    from tests.references import torch_acgan as reference

    torch.manual_seed(0)
    size = 12 if network == "mnist" else 32
    g, d = {
        "mnist": (reference.MnistG, reference.MnistD),
        "cifar": (reference.CifarG, reference.CifarD),
    }[network]
    G, D = g(size, 2, 4, 7, 4), d(size, 2, 4, 2)
    gan = keras_gans.ACGAN(
        (size, size, 2),
        4,
        network,
        7,
        generator_width=4,
        discriminator_width=2,
    )
    for ours, theirs in ((gan.generator, G), (gan.discriminator, D)):
        ours.set_weights(porting.keras_weights(theirs))
    return torch, reference, G, D, gan


def without_dropout(gan, D):
    """Neither library's masks are the other's."""
    from torch import nn

    for layer in gan.discriminator.layers:
        if isinstance(layer, Dropout):
            layer.rate = 0.0
    for module in D.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0


def assert_equal(ours, theirs, atol):
    """All weights; moving variances up to n / (n - 1)."""
    from tests.models import porting

    values = porting.keras_weights(theirs)
    for weight, value in zip(ours.weights, values, strict=True):
        moving = weight.path.endswith("moving_variance")
        how = {"rtol": 0.005} if moving else {"atol": atol, "rtol": 0.0}
        found = ops.convert_to_numpy(weight)
        np.testing.assert_allclose(found, value, **how, err_msg=weight.path)


@pytest.mark.parametrize("network", NETWORKS)
def test_step_is_the_codes(float64, monkeypatch, network):
    """Outputs, losses, gradients, and steps, from the same numbers."""
    if keras.backend.backend() != "tensorflow":
        pytest.skip("parity in float64 is shown on TensorFlow")
    torch, reference, G, D, gan = originals(network)
    from tests.models import porting

    G, D = G.double(), D.double()
    without_dropout(gan, D)
    n = 16
    of_g = 2 * n if network == "mnist" else n
    size = gan.image_shape[0]

    def drawn():
        real = torch.rand(n, 2, size, size).double() * 2 - 1
        z = [torch.randn(m, 7).double() for m in (n, of_g)]
        y = [torch.randint(4, (m,)) for m in (n, n, of_g)]
        return real, y[0], z[0], y[1], z[1], y[2]

    def one_hot(y):
        return torch.nn.functional.one_hot(y, 4).double()

    # Outputs with a batch's statistics.
    real, label, z, y, _, _ = drawn()
    to_keras = porting.to_keras
    fake = G(z, one_hot(y))
    ours = gan.generator([to_keras(z), to_keras(y)], training=True)
    assert porting.relative_to_largest(ours, to_keras(fake)) < 1e-6
    logits, class_logits = gan.discriminator(to_keras(fake), training=True)
    p, log_p = D(fake)
    theirs = torch.logit(p).detach()
    assert porting.relative_to_largest(logits[:, 0], theirs) < 1e-6
    ours = keras.activations.log_softmax(class_logits)
    assert porting.relative_to_largest(ours, log_p.detach()) < 1e-6

    # Each player's loss and gradients, before anyone has moved.
    def d_loss():
        real_logits, real_classes = gan.judge(to_keras(real))
        fake_logits, fake_classes = gan.judge(to_keras(fake))
        return (
            losses.discriminator_loss(real_logits, fake_logits)
            + losses.class_loss(to_keras(label), real_classes)
            + losses.class_loss(to_keras(y), fake_classes)
        )

    def g_loss():
        made = gan.generator([to_keras(z), to_keras(y)], training=True)
        logits, classes = gan.judge(made)
        adversarial = losses.non_saturating_generator_loss(logits)
        return adversarial + losses.class_loss(to_keras(y), classes)

    bce, nll = torch.nn.functional.binary_cross_entropy, reference.nll
    (p_real, real_classes), (p_fake, fake_classes) = D(real), D(fake)
    ones, zeros = torch.ones_like(p_real), torch.zeros_like(p_real)
    errors = {
        "D": bce(p_real, ones)
        + bce(p_fake, zeros)
        + nll(real_classes, label)
        + nll(fake_classes, y),
        "G": bce(p_fake, ones) + nll(fake_classes, y),
    }
    for player, ours, loss_fn, net in (
        ("D", gan.discriminator, d_loss, D),
        ("G", gan.generator, g_loss, G),
    ):
        loss, pullback = vjp(loss_fn, ours.trainable_variables)
        assert porting.relative_to_largest(loss, errors[player].item()) < 1e-6
        net.zero_grad()
        errors[player].backward(retain_graph=True)
        theirs = porting.keras_weights(net, of=lambda p: p.grad)
        theirs = [g for g in theirs if g is not None]  # no moving statistics
        for a, b in zip(pullback(np.float64(1.0)), theirs, strict=True):
            assert porting.relative_to_largest(a, b) < 1e-6

    # Whole steps. With SGD alone the order of things shows to the last digits;
    # one player at a time has Adam, see `test_dcgan.py` for the reason.
    for adam, steps in (("", 2), ("G", 1), ("D", 1)):
        for ours, net in ((gan.generator, G), (gan.discriminator, D)):
            ours.set_weights(porting.keras_weights(net))
        half = 0.5 if network == "mnist" else 1.0  # D's is a mean of both
        gan.compile(
            None if adam == "G" else keras.optimizers.SGD(0.05),
            None if adam == "D" else keras.optimizers.SGD(0.05 * half),
            run_eagerly=True,
        )
        # Keras 1's epsilon in PyTorch's form, at the first step.
        epsilon = 1e-8 / 0.001**0.5 if network == "mnist" else 1e-8
        solvers = [
            torch.optim.Adam(net.parameters(), **reference.ADAM, eps=epsilon)
            if player == adam
            else torch.optim.SGD(net.parameters(), 0.05)
            for player, net in (("G", G), ("D", D))
        ]
        for _ in range(steps):
            real, label, z, y, z_of_g, y_of_g = drawn()
            noise = iter([to_keras(z), to_keras(z_of_g)])
            classes = iter([to_keras(y.int()), to_keras(y_of_g.int())])
            monkeypatch.setattr(
                gan, "sample_latents", lambda n, noise=noise: next(noise)
            )
            monkeypatch.setattr(
                keras.random,
                "randint",
                lambda *args, classes=classes, **kwargs: next(classes),
            )
            gan.reset_metrics()
            logs = gan.train_step((to_keras(real), to_keras(label)))
            batch = (real, label, z, y)
            if network == "mnist":
                step, batch = (
                    reference.mnist_train_step,
                    (*batch, z_of_g, y_of_g),
                )
            else:
                step = reference.cifar_train_step
            errD, errG, aux = step(G, D, *solvers, *batch)
            np.testing.assert_allclose(logs["d_loss"], errD, rtol=1e-6)
            np.testing.assert_allclose(logs["class_loss"], aux, rtol=1e-6)
            rtol = 1e-4 if adam == "D" else 1e-6  # seen through D's step
            np.testing.assert_allclose(logs["g_loss"], errG, rtol=rtol)
            for player, ours, net in (
                ("G", gan.generator, G),
                ("D", gan.discriminator, D),
            ):
                if adam == player:
                    porting.assert_same_weights(ours, net, 1e-6)
                elif adam == "":
                    # Keras rounds LeakyReLU's slope to float32.
                    assert_equal(ours, net, 1e-7)


@pytest.mark.parametrize("network", NETWORKS)
def test_float32_outputs_are_the_codes_on_every_backend(network):
    torch, _, G, D, gan = originals(network)
    G.eval(), D.eval()
    z = torch.from_numpy(gan.draw_latents(4, seed=0))
    labels = np.array([3, 0, 1, 1])
    y = torch.nn.functional.one_hot(torch.from_numpy(labels), 4).float()
    with torch.no_grad():
        fake = G(z, y)
        probability, log_probabilities = (x.numpy() for x in D(fake))
    images = fake.numpy().transpose(0, 2, 3, 1)
    ours = gan.generate(latents=z.numpy(), labels=labels)
    np.testing.assert_allclose(ours, images, atol=1e-4)
    logits, class_logits = gan.discriminator.predict(images, verbose=0)
    ours = 1 / (1 + np.exp(-logits[:, 0]))
    np.testing.assert_allclose(ours, probability, atol=1e-4)
    ours = keras.activations.log_softmax(ops.convert_to_tensor(class_logits))
    ours = ops.convert_to_numpy(ours)
    np.testing.assert_allclose(ours, log_probabilities, atol=1e-4)
