"""LAPGAN against its paper, its authors' code, and its own equations."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_gans
from keras_gans import losses
from keras_gans.backend import vjp
from keras_gans.layers import bare
from keras_gans.models.lapgan_networks import BASES
from keras_gans.optimizers import MomentumSGD
from keras_gans.pyramid import upsample

SMALL = {"base_widths": (8, 8), "generator_width": 4, "discriminator_width": 4}


def count(network):
    return sum(int(np.prod(v.shape)) for v in network.trainable_variables)


@pytest.mark.parametrize(
    "num_classes, fine, middle",
    [
        (None, (218_179, 116_545), (218_179, 108_353)),
        (10, (232_579, 129_409), (224_131, 112_769)),
    ],
)
def test_parameter_counts_of_the_originals_levels(num_classes, fine, middle):
    gan = keras_gans.LAPGAN(num_classes=num_classes, base_widths=(8, 8))
    for side, expected in ((32, fine), (16, middle)):
        assert tuple(map(count, gan.players_of(side))) == expected


def test_parameter_counts_of_the_originals_base():
    dense = BASES["dense"]
    g, d = dense.widths
    generator = dense.build_generator((8, 8, 3), 100, g, None)
    discriminator = dense.build_discriminator((8, 8, 3), d, None)
    assert (count(generator), count(discriminator)) == (66_352_192, 2_872_001)


@pytest.mark.parametrize(
    "shape, levels, sides",
    [
        ((32, 32, 3), 3, [8, 16, 32]),
        ((28, 28, 1), 3, [7, 14, 28]),
        ((64, 64, 3), 4, [8, 16, 32, 64]),
        ((20, 32, 2), 2, [10, 20]),
    ],
)
@pytest.mark.parametrize("base", BASES)
def test_sizes_and_levels(shape, levels, sides, base):
    gan = keras_gans.LAPGAN(shape, levels, base=base, **SMALL)
    assert gan.sides == sides
    stages = gan.generate(3, seed=0, stages=True)
    height, width, channels = shape
    assert [s.shape for s in stages] == [
        (3, side, side * width // height, channels) for side in sides
    ]
    picture = gan.more_pictures()["stages.png"]
    # A row a sample, a column a stage, with lines between.
    assert picture.shape[2] == channels
    assert 8 * height <= picture.shape[0] <= 8 * (height + 4)
    assert levels * width <= picture.shape[1] <= levels * (width + 4)


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"image_shape": (30, 30, 1)}, "halve 2 times.*30x30"),
        ({"image_shape": 32}, "three positive integers.*image_shape=32"),
        ({"levels": 1}, "`levels` as an integer of at least 2.*levels=1"),
        ({"levels": 2.5}, "levels=2.5"),
        ({"levels": 5}, "at least 5x5.*2x2"),
        ({"levels": 20_000}, "at most 6 levels of images of 32x32"),
        ({"base": "deep"}, "base='deep'"),
        ({"optimizer": "lion"}, "optimizer='lion'"),
        ({"base_widths": 8}, "`base_widths` as two integers"),
        ({"base_widths": (8, 0)}, r"base_widths\[1\]=0"),
        ({"base": ["dense"]}, "base=\\['dense'\\]"),
        ({"generator_width": 0}, "generator_width=0"),
        ({"num_classes": 0}, "num_classes=0"),
        ({"augment": "colour"}, "color, translation, cutout.*'colour'"),
    ],
)
def test_arguments_that_are_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        keras_gans.LAPGAN(**{**SMALL, **arguments})


def test_samples_are_the_sum_of_their_levels():
    """I_k = u(I_{k+1}) + G_k(z_k, u(I_{k+1})), written out."""
    gan = keras_gans.LAPGAN((28, 28, 1), **SMALL)
    z = gan.draw_latents(5, seed=0)
    first, middle, last = np.split(z, [100, 100 + 14 * 14], axis=1)
    image = gan.players_of(7)[0](ops.convert_to_tensor(first))
    for side, plane in ((14, middle), (28, last)):
        low = upsample(image)
        plane = ops.reshape(plane, (-1, side, side, 1))
        image = low + gan.players_of(side)[0]([plane, low])
    image = np.clip(ops.convert_to_numpy(image), -1, 1)
    np.testing.assert_allclose(gan.generate(5, seed=0), image, atol=1e-5)
    stages = gan.generate(5, seed=0, stages=True)
    np.testing.assert_allclose(stages[-1], image, atol=1e-5)


def test_labels_reach_every_network_and_nothing_else_changes():
    gan = keras_gans.LAPGAN((28, 28, 1), num_classes=3, **SMALL)
    z = gan.draw_latents(3, seed=0)
    as_one = gan.generate(latents=z, labels=1)
    np.testing.assert_array_equal(
        as_one, gan.generate(latents=z, labels=[1, 1, 1])
    )
    in_turn = gan.generate(latents=z, labels=[0, 1, 2])
    np.testing.assert_allclose(in_turn[1], as_one[1], atol=1e-6)
    stages = [gan.generate(latents=z, labels=c, stages=True) for c in (0, 1)]
    for zero, one in zip(*stages, strict=True):
        assert np.abs(zero - one).max() > 1e-4
    walks = gan.interpolate(2, 3, seed=0, labels=[2, 0])
    ends = gan.draw_latents(4, seed=0)
    expected = gan.generate(latents=ends[:2], labels=[2, 0])
    np.testing.assert_allclose(walks[:, 0], expected, atol=1e-5)


@pytest.mark.parametrize(
    "labels, words",
    [
        (None, "Expected .images, labels.*no labels"),
        (np.zeros(7, int), r"each of 8 images.*shape=\(7,\).*as many as"),
        (np.zeros((8, 3), int), "rows that are not one-hot.*argmax"),
        (np.zeros((8, 1), int), r"shape=\(8, 1\).*\[:, 0\]"),
        (np.full(8, 0.5), "Received: 0.5"),
        ([[0], [1, 2]] * 4, "an array of object"),
        (np.full(8, 3), "labels from 3 to 3.*num_classes"),
        (np.arange(8) - 1, "labels from -1 to 6"),
    ],
)
def test_labels_that_are_refused(labels, words):
    gan = keras_gans.LAPGAN((28, 28, 1), num_classes=3, **SMALL)
    images = np.zeros((8, 28, 28, 1), np.float32) - 1
    with pytest.raises(ValueError, match=words):
        gan.fit(images, labels, verbose=0)
    if labels is not None:
        with pytest.raises(ValueError, match="from 0 to 2"):
            gan.generate(8, labels=labels)


def test_labels_as_a_list():
    gan = keras_gans.LAPGAN((28, 28, 1), num_classes=3, **SMALL)
    images = np.zeros((8, 28, 28, 1), np.float32) - 0.5
    gan.fit(images, [0, 1, 2, 0, 1, 2, 0, 1], verbose=0)


def test_labels_to_a_model_without_classes():
    gan = keras_gans.LAPGAN((28, 28, 1), **SMALL)
    with pytest.raises(ValueError, match="unconditional and takes no labels"):
        gan.generate(8, labels=1)


def test_optimizers_are_the_authors():
    gan = keras_gans.LAPGAN(**SMALL)
    for name, sgd in gan.default_optimizers().items():
        assert isinstance(sgd, MomentumSGD) and sgd.dampened
        assert sgd.momentum == (0.0 if name.endswith("8_optimizer") else 0.5)
        # + 0.0008 an epoch, to 0.7
        epochs = (0.7 - sgd.momentum) / 0.0008
        assert sgd.saturate - 1 == pytest.approx(epochs)
        rates = [
            float(ops.convert_to_numpy(sgd._learning_rate(704 * e)))
            for e in (0, 100_000)
        ]
        assert rates == pytest.approx([0.02, 0.02 / 1.000004**1e5], rel=1e-4)


def test_optimizers_by_name():
    gan = keras_gans.LAPGAN((28, 28, 1), **SMALL)
    gan.compile(generator_14_optimizer=keras.optimizers.SGD(0.5))
    assert float(gan.generator_14_optimizer.learning_rate) == 0.5
    assert isinstance(gan.discriminator_7_optimizer, MomentumSGD)
    with pytest.raises(ValueError, match="generator_28_optimizer"):
        gan.compile(generator_optimizer="adam")


def test_odd_and_single_batches():
    gan = keras_gans.LAPGAN((28, 28, 1), **SMALL)
    images = np.zeros((8, 28, 28, 1), np.float32) - 0.5
    history = gan.fit(images, batch_size=7, verbose=0).history  # 7, then 1
    assert all(np.isfinite(v).all() for v in history.values())


def test_levels_do_not_move_each_other():
    """A level whose optimizers take steps of zero stays as it is."""
    gan = keras_gans.LAPGAN((28, 28, 1), **SMALL)
    gan.compile(
        generator_14_optimizer=keras.optimizers.SGD(0.0),
        discriminator_14_optimizer=keras.optimizers.SGD(0.0),
    )
    before = [[w.copy() for w in n.get_weights()] for n in gan.players_of(14)]
    base = [w.copy() for w in gan.players_of(7)[0].get_weights()]
    images = np.random.default_rng(0).uniform(-1, 1, (8, 28, 28, 1))
    gan.fit(images.astype(np.float32), batch_size=8, verbose=0)
    for network, weights in zip(gan.players_of(14), before, strict=True):
        for a, b in zip(network.get_weights(), weights, strict=True):
            np.testing.assert_array_equal(a, b)
    moved = gan.players_of(7)[0].get_weights()
    assert any(np.any(a != b) for a, b in zip(moved, base, strict=True))


def test_learns_a_blurred_disc():
    """Samples come near the one image that there is."""
    y, x = np.mgrid[-1:1:28j, -1:1:28j]
    disc = np.tanh(8 * (0.6 - np.hypot(x, y)))[None, ..., None]
    images = np.repeat(disc, 128, axis=0).astype("float32")
    gan = keras_gans.LAPGAN(
        (28, 28, 1),
        base="convolutional",
        noise_dim=8,
        generator_width=8,
        discriminator_width=8,
        base_widths=(32, 16),
    )
    gan.compile(
        **{
            name: keras.optimizers.Adam(1e-3, beta_1=0.5)
            for name in gan.players
        }
    )
    before = np.abs(gan.generate(16, seed=0) - disc).mean()
    gan.fit(images, batch_size=16, epochs=30, verbose=0)
    after = np.abs(gan.generate(16, seed=0) - disc).mean()
    assert before > 0.6 and after < 0.35


# === Against the authors' code ===


def originals(side, num_classes, seed=0):
    """PyTorch renderings of one level's networks, small, in float64."""
    import torch

    from tests.references import torch_lapgan as reference

    torch.manual_seed(seed)
    if side == 8:
        netG = reference.BaseG(8, 3, 100, 24, num_classes)
        netD = reference.BaseD(8, 3, 16, num_classes)
    else:
        netG = reference.LevelG(side, 3, 6, num_classes)
        netD = reference.LevelD(side, 3, 5, num_classes)
    return netG, netD


def port(gan, side, netG, netD):
    from tests.models import porting

    for ours, theirs in zip(gan.players_of(side), (netG, netD), strict=True):
        ours.set_weights(porting.keras_weights(theirs))


def model_like(num_classes):
    return keras_gans.LAPGAN(
        (16, 16, 3),
        2,
        num_classes,
        generator_width=6,
        discriminator_width=5,
        base_widths=(24, 16),
    )


def without_dropout(gan, side, netD):
    """Neither library's masks are the other's."""
    from torch import nn

    for layer in gan.players_of(side)[1].layers:
        if isinstance(layer, keras_gans.layers.Dropout):
            layer.rate = 0.0
    for module in netD.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0


@pytest.mark.parametrize("num_classes", [None, 4])
@pytest.mark.parametrize("side", [8, 16])
def test_step_is_the_originals(float64, monkeypatch, side, num_classes):
    """Outputs, losses, gradients and three steps of a level and the base."""
    if keras.backend.backend() != "tensorflow":
        pytest.skip("parity in float64 is shown on TensorFlow")
    torch = pytest.importorskip("torch", reason="needs the extra `torch`")
    from tests.models import porting
    from tests.references import torch_lapgan as reference

    netG, netD = (n.double() for n in originals(side, num_classes))
    gan = model_like(num_classes)
    port(gan, side, netG, netD)
    without_dropout(gan, side, netD)
    generator, discriminator = gan.players_of(side)

    real = torch.rand(6, 3, 16, 16).double() * 2 - 1
    coarse = reference.down_and_up(real)
    if side == 8:
        fine, low = torch.nn.functional.avg_pool2d(real, 2), None
    else:
        fine, low = real, coarse
    labels = torch.arange(6) % 4
    one_hot, classes = None, []
    if num_classes is not None:
        one_hot = torch.nn.functional.one_hot(labels, 4).double()
        classes = [ops.convert_to_tensor(labels.numpy(), "int32")]
    shape = (100,) if side == 8 else (1, side, side)
    noises = torch.rand(3, 2, 6, *shape).double() * 2 - 1

    # The pyramid's u(d(I)) is Torch 7's.
    np.testing.assert_allclose(
        upsample(keras_gans.pyramid.downsample(porting.to_keras(real))),
        porting.to_keras(coarse),
        atol=1e-12,
    )

    # Outputs.
    given = [t for t in (low, one_hot) if t is not None]
    ours_low = [] if low is None else [porting.to_keras(low)]
    fake = netG(noises[0][0], *given)
    ours = generator(bare(porting.to_keras(noises[0][0]), *ours_low, *classes))
    assert porting.relative_to_largest(ours, porting.to_keras(fake)) < 1e-6
    image = fake if low is None else fake + low
    ours = discriminator(bare(porting.to_keras(image), *classes))
    theirs = torch.logit(netD(fake, *given)).detach().numpy()
    assert porting.relative_to_largest(ours, theirs) < 1e-6

    # Gradients of both players' losses, before anyone has moved.
    def ours_of(network, loss_fn):
        loss, pullback = vjp(loss_fn, network.trainable_variables)
        return loss, pullback(np.float64(1.0))

    def images():
        z = porting.to_keras(noises[0][0])
        detail = generator(bare(z, *ours_low, *classes), training=True)
        return detail if low is None else ours_low[0] + detail

    criterion = torch.nn.BCELoss()
    for network, net, loss_fn, target in (
        (
            discriminator,
            netD,
            lambda: losses.cross_entropy_to(
                discriminator(bare(porting.to_keras(image), *classes)), False
            ),
            0.0,
        ),
        (
            generator,
            netG,
            lambda: losses.non_saturating_generator_loss(
                discriminator(bare(images(), *classes))
            ),
            1.0,
        ),
    ):
        loss, gradients = ours_of(network, loss_fn)
        judged = netD(netG(noises[0][0], *given), *given)
        error = criterion(judged, torch.full_like(judged, target))
        assert porting.relative_to_largest(loss, error.item()) < 1e-6
        net.zero_grad()
        error.backward()
        theirs = porting.keras_weights(net, of=lambda p: p.grad)
        for a, b in zip(gradients, theirs, strict=True):
            assert porting.relative_to_largest(a, b) < 1e-6

    # Whole steps, by the authors' optimizer.
    optimG, optimD = (
        reference.SGD(net.parameters(), momentum=0.5) for net in (netG, netD)
    )
    gan.compile(
        **{
            f"{player}_{side}_optimizer": MomentumSGD(
                0.02, momentum=0.5, final_momentum=0.5, dampened=True
            )
            for player in ("generator", "discriminator")
        },
        run_eagerly=True,
    )
    for pair in noises:
        zs = iter([pair[0][:3], pair[1]])
        monkeypatch.setattr(
            gan,
            "sample_noise",
            lambda side, n, zs=zs: porting.to_keras(next(zs)),
        )
        logs, _ = gan.step_level(
            side,
            porting.to_keras(fine),
            ours_low[0] if ours_low else None,
            classes[0] if classes else None,
            6,
        )
        errD, errG = reference.train_step(
            netG,
            netD,
            optimG,
            optimD,
            fine,
            low,
            [pair[0][:3], pair[1]],
            one_hot,
        )
        np.testing.assert_allclose(logs[f"d_loss_{side}"], 2 * errD, rtol=1e-9)
        np.testing.assert_allclose(logs[f"g_loss_{side}"], errG, rtol=1e-9)
        for network, net in ((generator, netG), (discriminator, netD)):
            theirs = porting.keras_weights(net)
            for a, b in zip(network.get_weights(), theirs, strict=True):
                np.testing.assert_allclose(a, b, atol=1e-9)


@pytest.mark.parametrize("side", [8, 16])
def test_float32_outputs_are_the_originals_on_every_backend(side):
    torch = pytest.importorskip("torch", reason="needs the extra `torch`")
    from tests.models import porting

    netG, netD = originals(side, None)
    netD.eval()
    gan = model_like(None)
    port(gan, side, netG, netD)
    shape = (100,) if side == 8 else (1, side, side)
    z, low = torch.rand(4, *shape), torch.rand(4, 3, side, side)
    given = [] if side == 8 else [low]
    generator, discriminator = gan.players_of(side)
    with torch.no_grad():
        fake = netG(z, *given)
        image = fake if side == 8 else fake + low
        probability = netD(fake, *given).numpy()
    ours = generator(bare(*(porting.to_keras(t) for t in (z, *given))))
    ours = ops.convert_to_numpy(ours)
    theirs = fake.numpy().transpose(0, 2, 3, 1)
    np.testing.assert_allclose(ours, theirs, atol=1e-4)
    logits = ops.convert_to_numpy(discriminator(porting.to_keras(image)))
    np.testing.assert_allclose(
        1 / (1 + np.exp(-logits)), probability, atol=1e-4
    )


def test_initial_weights_are_the_originals():
    from tests.models import porting

    pytest.importorskip("torch", reason="needs the extra `torch`")
    for num_classes in (None, 4):
        gan = model_like(num_classes)
        for side in (8, 16):
            nets = originals(side, num_classes)
            for ours, net in zip(gan.players_of(side), nets, strict=True):
                theirs = porting.keras_weights(net)
                for a, b in zip(ours.get_weights(), theirs, strict=True):
                    assert a.shape == b.shape
                    if b.size < 16:  # too few to compare
                        continue
                    error = 8 * b.std() / b.size**0.5  # 4 of each sample
                    assert abs(a.std() - b.std()) <= error
                    assert abs(a.mean() - b.mean()) <= error
