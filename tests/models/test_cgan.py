"""CGAN against its paper, the code, and the labels that it is told."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_gans
from keras_gans import losses
from keras_gans.backend import vjp
from keras_gans.layers import Dropout
from keras_gans.optimizers import MomentumSGD

NETWORKS = ["paper", "convolutional"]
SMALL = {
    "paper": {"image_shape": (8, 8, 1), "width": 48, "latent_dim": 7},
    "convolutional": {
        "image_shape": (8, 8, 1),
        "network": "convolutional",
        "width": 4,
        "latent_dim": 7,
    },
}


def count(network):
    return sum(int(np.prod(v.shape)) for v in network.trainable_variables)


def test_parameter_counts():
    paper = keras_gans.CGAN()
    assert count(paper.generator) == 2_413_984
    assert count(paper.discriminator) == 1_224_351
    conv = keras_gans.CGAN(network="convolutional")
    assert count(conv.generator) == 6_820_538
    assert count(conv.discriminator) == 6_688_202


def test_initial_weights_of_the_paper():
    gan = keras_gans.CGAN()
    for network, bound in ((gan.generator, 0.05), (gan.discriminator, 0.005)):
        for weight in network.trainable_variables:
            value = ops.convert_to_numpy(weight)
            if weight.path.endswith("kernel"):
                end = 0.05 if value.shape[0] == 10 else bound  # of a class
                assert 0.97 * end < np.abs(value).max() <= end
                assert abs(value.std() - end / 3**0.5) < 0.1 * end
            else:
                assert np.all(value == 0)


def test_initial_weights_of_the_code():
    gan = keras_gans.CGAN(network="convolutional")
    for network in (gan.generator, gan.discriminator):
        for weight in network.trainable_variables:
            assert weight.path.endswith("kernel")  # nothing has a bias
            value = ops.convert_to_numpy(weight)
            assert abs(value.mean()) <= 4 * 0.02 / value.size**0.5
            assert abs(value.std() - 0.02) <= 4 * 0.02 / value.size**0.5


def test_dropout_of_the_paper():
    gan = keras_gans.CGAN(ema_decay=0.9)
    for network, rates in (
        (gan.generator, [0.5, 0.5]),
        (gan.discriminator, [0.2, 0.5, 0.5]),
        (gan.ema_generator, [0.5, 0.5]),
    ):
        found = [la.rate for la in network.layers if isinstance(la, Dropout)]
        assert found == rates
    less = keras_gans.CGAN(generator_dropout=0.1).generator
    found = [la.rate for la in less.layers if isinstance(la, Dropout)]
    assert found == [0.1, 0.1]
    z, labels = gan.draw_latents(4, seed=0), np.arange(4, dtype="int32")
    first, second = (
        ops.convert_to_numpy(gan.generator([z, labels], training=True))
        for _ in range(2)
    )
    assert np.abs(first - second).max() > 1e-3
    np.testing.assert_array_equal(  # none when it samples
        gan.generate(latents=z, labels=labels),
        gan.generate(latents=z, labels=labels),
    )


def test_prior_of_each_network():
    for network, bound in (("paper", 3**0.5), ("convolutional", 1.0)):
        gan = keras_gans.CGAN(**{**SMALL[network], "latent_dim": 100})
        z = gan.draw_latents(100, seed=0)
        assert 0.999 * bound < np.abs(z).max() <= bound * (1 + 1e-6)


def test_bare_compile_gives_the_papers_optimizers():
    gan = keras_gans.CGAN()
    gan.compile()
    for sgd in (gan.generator_optimizer, gan.discriminator_optimizer):
        assert isinstance(sgd, MomentumSGD) and not sgd.dampened
        momenta = [
            float(ops.convert_to_numpy(sgd.current_momentum(ops.array(step))))
            for step in (0, 249 * 500, 10**6)
        ]
        np.testing.assert_allclose(momenta, [0.5, 0.7, 0.7], rtol=1e-6)
        schedule = sgd.get_config()["learning_rate"]["config"]
        assert schedule == {"initial": 0.1, "factor": 1.00004, "minimum": 1e-6}


def test_learning_rate_falls_as_the_codes():
    """Epoch 1 to 101 at 2e-4; then a hundredth less each."""
    lrt, expected = 2e-4, {}
    for epoch in range(1, 201):
        expected[epoch] = lrt
        if epoch > 100:  # `n_epochs > niter`, once it is counted
            lrt -= 2e-4 / 100
    gan = keras_gans.CGAN(**SMALL["convolutional"])
    adam = gan.default_optimizers()["generator_optimizer"]
    assert (adam.beta_1, adam.beta_2) == (0.5, 0.999)
    for epoch in (1, 2, 100, 101, 102, 150, 199, 200):
        for step in (195 * (epoch - 1), 195 * epoch - 1):
            rate = float(ops.convert_to_numpy(adam._learning_rate(step)))
            assert rate == pytest.approx(expected[epoch], rel=1e-4), epoch
    short = keras_gans.CGAN(**SMALL["convolutional"], decay_steps=200)
    adam = short.default_optimizers()["discriminator_optimizer"]
    rates = [
        float(ops.convert_to_numpy(adam._learning_rate(s))) for s in (100, 300)
    ]
    assert rates == pytest.approx([2e-4, 0.0])
    steady = keras_gans.CGAN(**SMALL["convolutional"], decay_steps=0)
    adam = steady.default_optimizers()["discriminator_optimizer"]
    assert float(adam.learning_rate) == pytest.approx(2e-4)


@pytest.mark.parametrize("shape", [(4, 4, 1), (12, 20, 3), (32, 32, 2)])
def test_sizes_and_channels(shape):
    gan = keras_gans.CGAN(shape, 3, "convolutional", latent_dim=5, width=2)
    images = gan.generate(2, seed=0)
    assert images.shape == (2, *shape)
    logits = gan.discriminator([images, np.array([0, 2], "int32")])
    assert logits.shape == (2, 1)


@pytest.mark.parametrize("network", NETWORKS)
def test_both_players_are_told_the_class(network):
    gan = keras_gans.CGAN(num_classes=3, **SMALL[network])
    z = gan.draw_latents(3, seed=0)
    made = [gan.generate(latents=z, labels=label) for label in range(3)]
    in_turn = gan.generate(latents=z, labels=[0, 1, 2])
    for label in range(3):
        assert np.abs(made[label] - made[label - 1]).max() > 1e-4
        np.testing.assert_allclose(
            in_turn[label], made[label][label], atol=1e-6
        )
    judged = [
        ops.convert_to_numpy(
            gan.discriminator([made[0], np.full(3, label, "int32")])
        )
        for label in range(3)
    ]
    assert all(np.any(judged[i] != judged[i - 1]) for i in range(3))


def test_brightness_of_classes_is_learnt():
    """Two classes, one bright and one dark: images are as asked."""
    labels = np.arange(128) % 2
    images = np.broadcast_to(
        np.where(labels, 0.8, -0.8)[:, None, None, None], (128, 8, 8, 1)
    ).astype("float32")
    gan = keras_gans.CGAN(num_classes=2, ema_decay=0.9, **SMALL["paper"])
    gan.compile(*(keras.optimizers.Adam(1e-3, 0.5) for _ in range(2)))
    gan.fit(images, labels, batch_size=16, epochs=40, verbose=0)
    assert gan.generate(32, seed=0, labels=1).mean() > 0.2
    assert gan.generate(32, seed=0, labels=0).mean() < -0.2


def test_places_of_classes_are_learnt():
    """Bars, left in one class, right in the other: images are as asked."""
    labels = np.arange(256) % 2
    centres = np.where(labels, 5.5, 1.5)
    centres += np.random.default_rng(0).normal(0, 0.7, 256)
    offsets = np.arange(8) - centres[:, None, None]
    images = np.tanh(3 - 2 * np.abs(offsets)).repeat(8, 1)[..., None]
    images = images.astype("float32")
    gan = keras_gans.CGAN(
        num_classes=2, ema_decay=0.9, **SMALL["convolutional"]
    )
    gan.compile(*(keras.optimizers.Adam(2e-3, 0.5) for _ in range(2)))
    gan.fit(images, labels, batch_size=16, epochs=20, verbose=0)
    for label, side in ((0, slice(0, 4)), (1, slice(4, 8))):
        made = gan.generate(32, seed=0, labels=label)
        brighter = made[:, :, side].mean() - made.mean()
        expected = images[label::2][:, :, side].mean() - images.mean()
        assert brighter > 0.3 * expected


def test_every_other_batch_is_a_players():
    """G's minibatch lends its labels alone, D's is all it sees."""
    gan = keras_gans.CGAN(num_classes=4, **SMALL["convolutional"])
    gan.compile(
        keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0), run_eagerly=True
    )
    shown = {"labels": [], "images": []}
    judge = gan.judge

    def kept(images, labels):
        shown["images"].append(ops.convert_to_numpy(images))
        shown["labels"].append(ops.convert_to_numpy(labels))
        return judge(images, labels)

    gan.judge = kept
    images = np.random.default_rng(0).uniform(-1, 1, (6, 8, 8, 1))
    images = ops.convert_to_tensor(images.astype("float32"))
    gan.train_step((images, ops.convert_to_tensor([0, 1, 0, 2, 0, 3])))
    expected = [[0, 0, 0], [1, 2, 3], [1, 2, 3]]  # G, then D's two
    np.testing.assert_array_equal(shown["labels"], expected)
    np.testing.assert_array_equal(shown["images"][1], images[1::2])


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        ({"network": "alexnet"}, "network: one of paper, convolutional"),
        ({"network": ["paper"]}, "network: one of paper, convolutional"),
        ({"num_classes": 0}, "num_classes=0"),
        ({"num_classes": None}, "num_classes=None"),
        ({"num_classes": 2.5}, "num_classes=2.5"),
        ({"latent_dim": 0}, "latent_dim=0"),
        ({"width": 23}, "`width` as an integer from 24 on"),
        ({"network": "convolutional", "width": 0}, "width=0"),
        ({"decay_steps": 10}, "network='convolutional' alone.*Leave it out"),
        ({"network": "convolutional", "decay_steps": -1}, "decay_steps=-1"),
        (
            {"network": "convolutional", "generator_dropout": 0.5},
            "`generator_dropout` for network='paper' alone",
        ),
        ({"generator_dropout": 1.0}, r"in \[0, 1\).*generator_dropout=1.0"),
        ({"generator_dropout": "half"}, "generator_dropout='half'"),
        ({"image_shape": 28}, "`image_shape` as .height, width, channels"),
        (
            {"network": "convolutional", "image_shape": (30, 28, 1)},
            r"divisible by 4.*\(30, 28, 1\).*Pad.*\(32, 28, 1\)",
        ),
        ({"augment": "colour"}, "color, translation, cutout.*'colour'"),
        ({"ema_decay": 1.0}, "ema_decay=1.0"),
    ],
)
def test_arguments_that_are_refused(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        keras_gans.CGAN(**arguments)


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
    gan = keras_gans.CGAN(num_classes=3, **SMALL["paper"])
    images = np.zeros((8, 8, 8, 1), np.float32) - 1
    with pytest.raises(ValueError, match=words):
        gan.fit(images, labels, verbose=0)
    if labels is not None:
        with pytest.raises(ValueError, match="from 0 to 2"):
            gan.generate(8, labels=labels)


def test_latents_that_are_refused():
    gan = keras_gans.CGAN(num_classes=3, **SMALL["paper"])
    with pytest.raises(ValueError, match=r"shape \[n, 7\].*\(4, 8\)"):
        gan.generate(latents=np.zeros((4, 8)), labels=0)


# === The originals' numbers ===


def originals(network):
    """The rendering's networks, small, and ours with their weights."""
    torch = pytest.importorskip("torch", reason="needs the extra `torch`")
    from tests.models import porting
    from tests.references import torch_cgan as reference

    torch.manual_seed(0)
    if network == "paper":
        shape = (6, 6, 1)
        G = reference.PaperG(36, 4, 7, 48)
        D = reference.PaperD(36, 4, 48)
    else:
        shape = (12, 12, 2)
        G, D = reference.ConvG(12, 2, 4, 7, 4), reference.ConvD(12, 2, 4, 4)
    arguments = {**SMALL[network], "image_shape": shape}
    gan = keras_gans.CGAN(num_classes=4, **arguments)
    for ours, theirs in ((gan.generator, G), (gan.discriminator, D)):
        ours.set_weights(porting.keras_weights(theirs))
    return torch, reference, G, D, gan


def without_dropout(gan, *networks):
    """Neither library's masks are the other's."""
    from torch import nn

    for network in (gan.generator, gan.discriminator):
        for layer in network.layers:
            if isinstance(layer, Dropout):
                layer.rate = 0.0
    for network in networks:
        for module in network.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0


def to_ours(pixels, gan):
    """Rows, or [n, c, h, w], in [0, 1] -> [n, h, w, c] in [-1, 1]."""
    from tests.models import porting

    return ops.reshape(
        2.0 * porting.to_keras(pixels) - 1.0, (-1, *gan.image_shape)
    )


def drawn(torch, gan, network, n=32):
    """A minibatch as the rendering has it: pixels, noise, classes."""
    height, width, channels = gan.image_shape
    paper = network == "paper"
    shape = (36,) if paper else (channels, height, width)
    X, z = torch.rand(n, *shape).double(), torch.rand(n, 7).double()
    bound = 3**0.5 if paper else 1.0
    return X, bound * (2.0 * z - 1.0), torch.randint(4, (n,))


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
def test_step_is_the_originals(float64, monkeypatch, network):
    """Outputs, losses, gradients, and steps, from the same numbers."""
    if keras.backend.backend() != "tensorflow":
        pytest.skip("parity in float64 is shown on TensorFlow")
    torch, reference, G, D, gan = originals(network)
    from tests.models import porting

    G, D = G.double(), D.double()
    without_dropout(gan, G, D)
    batches = [drawn(torch, gan, network) for _ in range(6)]

    def one_hot(y):
        return torch.nn.functional.one_hot(y, 4).double()

    # Outputs with a batch's statistics.
    X, z, y = batches[0]
    labels = porting.to_keras(y)
    fake = G(z, one_hot(y))
    ours = gan.generator([porting.to_keras(z), labels], training=True)
    assert porting.relative_to_largest(ours, to_ours(fake, gan)) < 1e-6
    judged = gan.discriminator([ours, labels], training=True)
    theirs = torch.logit(D(fake, one_hot(y))).detach().numpy()
    assert porting.relative_to_largest(judged, theirs) < 1e-6

    # Each player's loss and gradients, before anyone has moved.
    criterion = torch.nn.BCELoss()

    def d_loss():
        return losses.discriminator_loss(
            gan.judge(to_ours(X, gan), labels),
            gan.judge(to_ours(fake, gan), labels),
        )

    def g_loss():
        made = gan.generator([porting.to_keras(z), labels], training=True)
        return losses.non_saturating_generator_loss(gan.judge(made, labels))

    p_real, p_gen = D(X, one_hot(y)), D(G(z, one_hot(y)), one_hot(y))
    ones, zeros = torch.ones_like(p_real), torch.zeros_like(p_real)
    for ours, loss_fn, net, error in (
        (
            gan.discriminator,
            d_loss,
            D,
            criterion(p_real, ones) + criterion(p_gen, zeros),
        ),
        (gan.generator, g_loss, G, criterion(p_gen, ones)),
    ):
        loss, pullback = vjp(loss_fn, ours.trainable_variables)
        assert porting.relative_to_largest(loss, error.item()) < 1e-6
        net.zero_grad()
        error.backward(retain_graph=True)
        theirs = porting.keras_weights(net, of=lambda p: p.grad)
        theirs = [g for g in theirs if g is not None]  # no moving statistics
        for a, b in zip(pullback(np.float64(1.0)), theirs, strict=True):
            assert porting.relative_to_largest(a, b) < 1e-6

    # Whole steps, moving statistics included. Of the code's one player at a
    # time has Adam; see `test_dcgan.py` for the reason.
    cases = [("", 3)]
    if network == "convolutional":
        cases += [("G", 1), ("D", 1)]
    for adam, steps in cases:
        theirs = []
        for player, net in (("G", G), ("D", D)):
            if network == "paper":
                theirs.append(reference.paper_optimizer(net))
            elif player == adam:
                theirs.append(reference.conv_optimizer(net))
            else:  # with the same weight decay
                theirs.append(
                    torch.optim.SGD(net.parameters(), 0.05, weight_decay=2.5e-5)
                )
        for ours, net in ((gan.generator, G), (gan.discriminator, D)):
            ours.set_weights(porting.keras_weights(net))
        gan.compile(
            *(
                None
                if network == "paper" or player == adam
                else keras.optimizers.SGD(0.05)
                for player in "GD"
            ),
            run_eagerly=True,
        )
        for step in range(steps):
            pair = batches[2 * step : 2 * step + 2]
            turns = pair[:1] if network == "paper" else pair
            noise = iter([porting.to_keras(z) for _, z, _ in turns])
            monkeypatch.setattr(
                gan, "sample_latents", lambda n, noise=noise: next(noise)
            )
            images = ops.stack([to_ours(X, gan) for X, _, _ in turns], 1)
            labels = ops.stack([porting.to_keras(y) for _, _, y in turns], 1)
            gan.reset_metrics()
            logs = gan.train_step(
                (
                    ops.reshape(images, (-1, *gan.image_shape)),
                    ops.reshape(labels, (-1,)),
                )
            )
            given = [(X, z, one_hot(y)) for X, z, y in turns]
            if network == "paper":
                for optimizer in theirs:
                    rate = 0.1 / 1.00004**step
                    optimizer.param_groups[0]["lr"] = rate
                d, g = reference.paper_train_step(G, D, *theirs, *given[0])
                d *= 2  # `fit` shows both terms
            else:
                d, g = reference.conv_train_step(G, D, *theirs, *given)
            rtol = 1e-4 if adam == "G" else 1e-6  # seen through G's step
            np.testing.assert_allclose(logs["d_loss"], d, rtol=rtol)
            np.testing.assert_allclose(logs["g_loss"], g, rtol=1e-6)
            for player, ours, net in (
                ("G", gan.generator, G),
                ("D", gan.discriminator, D),
            ):
                if adam == player:
                    porting.assert_same_weights(ours, net, 1e-6)
                elif adam == "":
                    assert_equal(ours, net, 1e-8)


@pytest.mark.parametrize("network", NETWORKS)
def test_float32_outputs_are_the_originals_on_every_backend(network):
    torch, _, G, D, gan = originals(network)
    G.eval(), D.eval()
    z = torch.from_numpy(gan.draw_latents(4, seed=0))
    labels = np.array([3, 0, 1, 1])
    y = torch.nn.functional.one_hot(torch.from_numpy(labels), 4).float()
    with torch.no_grad():
        fake = G(z, y)
        probability = D(fake, y).numpy()
    images = ops.convert_to_numpy(to_ours(fake, gan))
    ours = gan.generate(latents=z.numpy(), labels=labels)
    np.testing.assert_allclose(ours, images, atol=1e-4)
    logits = gan.discriminator.predict(
        [images, labels.astype("int32")], verbose=0
    )
    np.testing.assert_allclose(
        1 / (1 + np.exp(-logits)), probability, atol=1e-4
    )
