"""StackGAN against its paper, its original, and the sizes it can make."""

import keras
import numpy as np
import pytest

import keras_gans
from keras_gans import losses
from keras_gans.backend import vjp
from keras_gans.convert.stackgan import (
    _to_keras,
    discriminator_keys,
    generator_keys,
)
from keras_gans.datasets.captioned import CaptionedData
from keras_gans.models import stackgan
from tests.conformance import TINY, embeddings_like, images_like

TEXTS = ["a red flower", "a yellow flower", "white petals", "large and pink"]


def letters(texts):
    """A text encoder: how often each of eight letters is in a text."""
    return [[t.count(c) / len(t) for c in "aeilortw"] for t in texts]


def stage1(**kwargs):
    config = TINY["stackgan_stage1"] | {"text_encoder": letters} | kwargs
    return keras_gans.StackGANStage1(**config)


def stage2(first=None, **kwargs):
    config = TINY["stackgan"] | {"stage1": first or stage1()} | kwargs
    return keras_gans.StackGANStage2(**config)


def count(variables):
    return sum(int(np.prod(v.shape)) for v in variables)


def test_parameter_counts_of_the_original():
    first = keras_gans.StackGANStage1(text_dim=1024)
    assert count(first.generator.trainable_variables) == 20_020_832
    assert count(first.discriminator.trainable_variables) == 12_407_425
    both = keras_gans.StackGANStage2(first)
    players = both.players
    assert count(players["generator_optimizer"]) == 37_130_480
    assert count(players["discriminator_optimizer"]) == 159_889_538


@pytest.mark.parametrize("sizes", [(16, 32), (32, 64), (32, 128), (64, 64)])
def test_sizes(sizes):
    first = stage1(image_shape=(sizes[0], sizes[0], 1))
    both = stage2(first, image_shape=(sizes[1], sizes[1], 1))
    images, sketches = both.generate(2, 0, texts=TEXTS[0], sketches=True)
    assert images.shape == (2, sizes[1], sizes[1], 1)
    assert sketches.shape == (2, sizes[0], sizes[0], 1)


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"image_shape": (48, 48, 3)}, "power of two"),
        ({"image_shape": (8, 8, 3)}, "from 16"),
        ({"image_shape": (32, 64, 3)}, "a square"),
        ({"condition_dim": 0}, "`condition_dim` as an integer from 1"),
        ({"generator_width": 2.5}, "generator_width=2.5"),
        ({"kl_weight": -1.0}, "kl_weight=-1.0"),
        ({"text_dim": 0}, "text_dim=0"),
        ({"text_encoder": 3}, "a function from texts to vectors"),
        ({"steps_per_epoch": 0}, "steps_per_epoch=0"),
    ],
)
def test_wrong_arguments(arguments, words):
    with pytest.raises(ValueError, match=words):
        stage1(**arguments)


def test_stage2_needs_a_stage1_that_fits():
    with pytest.raises(ValueError, match="StackGANStage1.*Received: DCGAN"):
        keras_gans.StackGANStage2(keras_gans.DCGAN((28, 28, 1), width=2))
    with pytest.raises(ValueError, match="pretrained model"):
        keras_gans.StackGANStage2("stackgan_stage9")
    with pytest.raises(ValueError, match="3 channels"):
        stage2(image_shape=(32, 32, 1))


def test_initial_weights_are_the_originals():
    model = keras_gans.StackGANStage1(
        (32, 32, 3), generator_width=32, discriminator_width=32
    )
    for network in (model.generator, model.discriminator):
        for weight in network.weights:
            value = keras.ops.convert_to_numpy(weight)
            kind = weight.path.split("/")[-1]
            mean, deviation = {
                "kernel": (0.0, 0.02),
                "gamma": (1.0, 0.02),
                "bias": (0.0, 0.0) if value.size > 1 else (value.mean(), 0.0),
                "beta": (0.0, 0.0),
                "moving_mean": (0.0, 0.0),
                "moving_variance": (1.0, 0.0),
            }[kind]
            assert abs(value.mean() - mean) <= 4 * deviation / value.size**0.5
            assert abs(value.std() - deviation) <= 0.25 * deviation


def test_kl_divergence_of_known_laws():
    zeros = keras.ops.zeros((2, 3))
    assert abs(float(stackgan.kl_divergence(zeros, zeros))) < 1e-7
    # N(2, 1): mu^2 / 2; N(0, e): (e - 1 - 1) / 2.
    shifted = float(stackgan.kl_divergence(zeros + 2.0, zeros))
    wide = float(stackgan.kl_divergence(zeros, zeros + 1.0))
    assert shifted == pytest.approx(2.0)
    assert wide == pytest.approx((np.e - 2.0) / 2.0, rel=1e-5)


def test_learning_rate_is_halved():
    model = stage1(decay_epochs=20, steps_per_epoch=10)
    model.compile()
    rate = model.generator_optimizer._learning_rate
    for step, expected in ((0, 2e-4), (199, 2e-4), (200, 1e-4), (400, 5e-5)):
        assert float(rate(step)) == pytest.approx(expected)


def test_schedule_takes_its_epoch_from_fit():
    model = stage1()
    images = images_like(TINY["stackgan_stage1"], 24)
    model.fit(images, embeddings_like(model), batch_size=8, verbose=0)
    assert model.steps_per_epoch == 3


# === What fit takes ===


def test_fit_takes_texts_embeddings_and_captioned_data():
    images = images_like(TINY["stackgan_stage1"], 8)
    texts = TEXTS * 2
    data = CaptionedData(
        "eight",
        images,
        np.arange(8) % 4,
        captions=tuple((text, text + "s") for text in texts),
    )
    for x, y in (
        (images, texts),
        (images, np.array(texts)),
        (images, np.array(letters(texts), np.float32)),
        (data, None),
    ):
        model = stage1()
        before = model.generate(2, 0, texts=TEXTS)
        history = model.fit(x, y, batch_size=4, verbose=0).history
        assert history.keys() == {"d_loss", "g_loss", "kl"}
        assert np.isfinite([*history.values()]).all()
        assert np.abs(model.generate(2, 0, texts=TEXTS) - before).max() > 0


@pytest.mark.parametrize(
    "y, words",
    [
        (None, "images, texts.*Received: images alone"),
        (TEXTS, "a text for each image.*8 images and 4 texts"),
        ([*TEXTS, "", *TEXTS[:3]], "words in them.*index 4"),
        ([*TEXTS, 3, *TEXTS[:3]], "as strings.*index 4"),
        (np.zeros((8, 5), np.float32), "8 wide.*'letters'.*Received: 5"),
        (np.full((8, 8), np.nan, np.float32), "NaN or infinity"),
    ],
)
def test_fit_refuses(y, words):
    images = images_like(TINY["stackgan_stage1"], 8)
    with pytest.raises(ValueError, match=words):
        stage1().fit(images, y, batch_size=4, verbose=0)


def test_a_pair_alone_is_refused():
    """Its text would be wrong for no other image."""
    model, images = stage1(), images_like(TINY["stackgan_stage1"], 9)
    with pytest.raises(ValueError, match="at least 2 pairs.*one of them of 1"):
        model.fit(images, embeddings_like(model, 9), batch_size=4)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        pairs = (images, embeddings_like(model, 9))
        data = tf.data.Dataset.from_tensor_slices(pairs).batch(4)
        with pytest.raises(ValueError, match="two or more"):
            model.fit(data, verbose=0)
        data = tf.data.Dataset.from_tensor_slices(pairs).batch(4, True)
        assert np.isfinite(model.fit(data, verbose=0).history["d_loss"]).all()


# === What generate takes ===


def test_generate_draws_each_text():
    model = stage1()
    images = model.generate(3, 0, texts=TEXTS[:2])
    assert images.shape == (6, 16, 16, 3)
    ready = model.generate(3, 0, embeddings=model.encode(TEXTS[:2]))
    np.testing.assert_array_equal(images, ready)
    # The first text's are those that it has alone.
    alone = model.generate(3, 0, texts=TEXTS[0])
    np.testing.assert_allclose(images[:3], alone, atol=1e-6)


@pytest.mark.parametrize(
    "asked, words",
    [
        ({}, "texts or their embeddings. Received: neither"),
        ({"texts": "red", "embeddings": np.zeros((1, 8))}, "Received: both"),
        ({"texts": []}, "at least one text"),
        ({"texts": " "}, "words in them"),
        ({"texts": 3}, "Received: int"),
        ({"texts": ["red", None]}, "NoneType, at index 1"),
        ({"texts": "flower " * 10_000}, "at most 1000 words.*10000 words"),
        ({"embeddings": np.zeros((2, 9))}, "8 wide.*'letters'.*9 wide"),
        ({"embeddings": np.zeros(8)}, r"\[n, 8\]"),
        ({"embeddings": [["a"] * 8]}, r"numbers \[n, 8\]"),
        ({"texts": "red", "n": 0}, "`n` as a positive integer"),
        ({"texts": "red", "latents": np.zeros((3, 9))}, "Received: 3"),
        ({"texts": "red", "latents": np.zeros((8, 2))}, r"\[n, 9\]"),
    ],
)
def test_generate_refuses(asked, words):
    with pytest.raises(ValueError, match=words):
        stage1().generate(**asked)


def test_an_unknown_encoder_is_asked_for():
    model = stage1(text_encoder="char-CNN-RNN")
    with pytest.raises(ValueError, match="trained with, 'char-CNN-RNN'"):
        model.generate(texts="a red flower")
    model.text_encoder = letters
    assert model.generate(2, texts="a red flower").shape == (2, 16, 16, 3)


def test_interpolates_between_two_texts():
    model = stage1()
    walks = model.interpolate(2, 5, 0, texts=TEXTS[:2])
    assert walks.shape == (2, 5, 16, 16, 3)
    z = model.draw_latents(2, 0)
    for place, text in ((0, TEXTS[0]), (-1, TEXTS[1])):
        end = model.generate(2, texts=text, latents=z)
        np.testing.assert_allclose(walks[:, place], end, atol=1e-6)
    with pytest.raises(ValueError, match="two texts.*Received: 3"):
        model.interpolate(texts=TEXTS[:3])
    with pytest.raises(ValueError, match="steps=1"):
        model.interpolate(steps=1, texts=TEXTS[:2])


# === The second stage ===


def test_stage2_holds_the_first_and_never_moves_it():
    first = stage1()
    images = images_like(TINY["stackgan_stage1"], 8)
    first.fit(images, TEXTS * 2, batch_size=4, epochs=2, verbose=0)
    both = stage2(first, ema_decay=0.5)
    assert both.text_encoder is first.text_encoder
    sketcher = both.generator.get_layer("stage1_g")
    before = [np.array(w) for w in sketcher.get_weights()]
    larger = images_like(TINY["stackgan"], 8)
    both.fit(larger, TEXTS * 2, batch_size=4, epochs=2, verbose=0)
    for network in (both.generator, both.ema_generator):
        after = network.get_layer("stage1_g").get_weights()
        for a, b in zip(before, after, strict=True):
            np.testing.assert_array_equal(a, b)
    images, sketches = both.generate(2, 0, texts=TEXTS, sketches=True)
    np.testing.assert_array_equal(images, both.generate(2, 0, texts=TEXTS))
    z = both.draw_latents(8, 0)[:, : first.latent_dim]
    np.testing.assert_allclose(
        sketches, first.generate(2, texts=TEXTS, latents=z), atol=1e-6
    )


def test_learns_what_a_text_says():
    """Dark and light squares: after 400 steps the text decides."""
    n = 64
    light = np.arange(n) % 2 == 0
    images = np.where(light, 0.8, -0.8).astype("float32")
    images = np.tile(images[:, None, None, None], (1, 16, 16, 3))
    # With the authors' weight of the KL term so small a game ignores its text.
    model = stage1(
        generator_width=8,
        discriminator_width=8,
        condition_dim=8,
        kl_weight=0.1,
        ema_decay=None,
    )
    texts = np.where(light, "white to the eye", "a lot of oil").tolist()
    model.text_encoder = lambda texts: [
        [3.0, -3.0] * 4 if text.startswith("white") else [-3.0, 3.0] * 4
        for text in texts
    ]
    model.compile(*(keras.optimizers.Adam(5e-3, beta_1=0.5) for _ in range(2)))
    model.fit(images, texts, batch_size=16, epochs=100, verbose=0)
    made = model.generate(16, 0, texts=["white to the eye", "a lot of oil"])
    white, black = made[:16].mean(), made[16:].mean()
    assert white > 0.4 and black < -0.4


# === The original ===


def torch_or_skip():
    return pytest.importorskip("torch", reason="needs the extra `torch`")


def originals(stage, size=16):
    """The rendering's networks of a stage, and ours with their weights."""
    from tests.references import torch_stackgan as reference

    netG = reference.Stage1G(size, 8, 4, 5, 4)
    if stage == 2:
        netG = reference.Stage2G(netG, 2, 8, 4, 4, 1)
    netD = reference.Discriminator(size * stage, 4, 4, stage == 2)
    for net in (netG, netD):
        net.apply(reference.initialise)
    shape = (size, size, 3)
    first = stage1(image_shape=shape, ema_decay=None, augment=None)
    model = first
    if stage == 2:
        shape = (2 * size, 2 * size, 3)
        model = stage2(first, image_shape=shape)
    return netG, netD, model


def put(network, keys, state):
    network.set_weights(
        [_to_keras(state[key].numpy(), layout) for key, layout, _ in keys]
    )


def put_all(model, netG, netD):
    put(model.generator, generator_keys(model), netG.state_dict())
    put(model.discriminator, discriminator_keys(model), netD.state_dict())


def inputs_of(torch, model, n):
    """Embedding, z and the noises of both stages, as the rendering has them."""
    latents = torch.randn(n, model.latent_dim).double()
    embeddings = torch.randn(n, model.text_dim).double()
    parts = latents.split([5] + [4] * (1 + (model.latent_dim > 9)), dim=1)
    return latents, embeddings, (embeddings, *parts)


@pytest.mark.parametrize("stage", [1, 2])
def test_step_is_the_originals(float64, monkeypatch, stage):
    """Outputs, each loss term, gradients and updates from the same numbers."""
    if keras.backend.backend() != "tensorflow":
        pytest.skip("parity in float64 is shown on TensorFlow")
    torch = torch_or_skip()
    from tests.models.porting import relative_to_largest, to_keras
    from tests.references import torch_stackgan as reference

    torch.manual_seed(0)
    netG, netD, model = originals(stage)
    netG.double(), netD.double()
    # Larger than at the start, so that nothing is lost in rounding.
    for net in (netG, netD):
        for p in net.parameters():
            p.data = p.data * 3.0 if p.ndim > 1 else p.data
    put_all(model, netG, netD)
    side = model.image_shape[0]
    real = torch.rand(6, 3, side, side).double() * 2 - 1
    latents, embeddings, inputs = inputs_of(torch, model, 6)

    # Outputs with the batch's statistics, and each term of the losses.
    fake, mu, logvar = netG(*inputs)
    ours = stackgan.generate(
        model.generator, to_keras(latents), to_keras(embeddings)
    )
    for a, b in zip(ours, (fake, mu, logvar), strict=True):
        assert relative_to_largest(a, to_keras(b)) < 1e-6
    pairs = stackgan.judge_pairs(
        model.discriminator, to_keras(real), ours[0], ours[1]
    )
    features = netD(real), netD(fake.detach())
    theirs = [
        netD.get_cond_logits(features[0], mu),
        netD.get_cond_logits(features[0][:-1], mu[1:]),
        netD.get_cond_logits(features[1], mu),
    ]
    if stage == 2:
        theirs += [netD.get_uncond_logits(f) for f in features]
    for a, b in zip(pairs, theirs, strict=True):
        b = torch.logit(b).detach().numpy()
        assert relative_to_largest(a[:, 0], b) < 1e-6
    kl = stackgan.kl_divergence(ours[1], ours[2])
    assert relative_to_largest(kl, reference.kl_loss(mu, logvar).item()) < 1e-6

    # Gradients of both players, before anyone has moved.
    put_all(model, netG, netD)
    errD = reference.discriminator_loss(netD, real, fake, mu)
    errG = reference.generator_loss(netD, fake, mu)
    errG = errG + 2.0 * reference.kl_loss(mu, logvar)
    moving = [p for p in netG.parameters() if p.requires_grad]
    for loss, net, parameters in (
        (errD, "discriminator", list(netD.parameters())),
        (errG, "generator", moving),
    ):
        gradients = torch.autograd.grad(loss, parameters, retain_graph=True)
        names = {
            id(p): n
            for n, p in (
                netG if net == "generator" else netD
            ).named_parameters()
        }
        found = {
            names[id(p)]: g.numpy()
            for p, g in zip(parameters, gradients, strict=True)
        }
        compare_gradients(model, net, real, latents, embeddings, found)

    # Whole steps with SGD: the order of things shows to the last digits.
    put_all(model, netG, netD)
    model.compile(
        keras.optimizers.SGD(0.05), keras.optimizers.SGD(0.05), run_eagerly=True
    )
    sgd = [torch.optim.SGD(p, 0.05) for p in (moving, netD.parameters())]
    monkeypatch.setattr(model, "sample_latents", lambda n: to_keras(latents))
    for _ in range(2):
        model.reset_metrics()
        logs = model.train_step((to_keras(real), to_keras(embeddings)))
        values = reference.train_step(netG, netD, *sgd, real, inputs)
        for name, value in zip(("d_loss", "g_loss", "kl"), values, strict=True):
            np.testing.assert_allclose(logs[name], value, rtol=1e-6)
    assert_same(model.generator, generator_keys(model), netG, 1e-8)
    assert_same(model.discriminator, discriminator_keys(model), netD, 1e-8)

    # And one with the paper's Adam, a player at a time.
    for adam in ("generator", "discriminator"):
        put_all(model, netG, netD)
        ours, theirs = {}, []
        for name, net in (("generator", netG), ("discriminator", netD)):
            ours[f"{name}_optimizer"] = (
                None if name == adam else keras.optimizers.SGD(0.0)
            )
            theirs.append(
                reference.build_optimizer(net)
                if name == adam
                else torch.optim.SGD(net.parameters(), 0.0)
            )
        model.compile(**ours, run_eagerly=True)
        reference_step = reference.train_step
        model.train_step((to_keras(real), to_keras(embeddings)))
        reference_step(netG, netD, *theirs, real, inputs)
        assert_same(model.generator, generator_keys(model), netG, 1e-6)
        assert_same(model.discriminator, discriminator_keys(model), netD, 1e-6)


def compare_gradients(model, player, real, latents, embeddings, theirs):
    from tests.models.porting import relative_to_largest, to_keras

    latents, embeddings = to_keras(latents), to_keras(embeddings)
    network = getattr(model, player)
    keys = (generator_keys if player == "generator" else discriminator_keys)(
        model
    )
    variables = model.players[f"{player}_optimizer"]

    def loss():
        fake, mean, log_variance = stackgan.generate(
            model.generator, latents, embeddings
        )
        if player == "generator":
            logits = model.discriminator(
                [fake, keras.ops.stop_gradient(mean)], training=True
            )
            logits = logits if isinstance(logits, list) else [logits]
            g_loss = sum(losses.cross_entropy_to(x, True) for x in logits)
            return g_loss + 2.0 * stackgan.kl_divergence(mean, log_variance)
        pairs = stackgan.judge_pairs(
            model.discriminator, to_keras(real), fake, mean
        )
        terms = [
            losses.cross_entropy_to(x, i in (0, 3)) for i, x in enumerate(pairs)
        ]
        if len(terms) == 3:
            return terms[0] + (terms[1] + terms[2]) / 2
        return (terms[0] + terms[3]) / 2 + (terms[1] + terms[2] + terms[4]) / 3

    _, pullback = vjp(loss, variables)
    ours = {
        id(v): g
        for v, g in zip(variables, pullback(np.float64(1.0)), strict=True)
    }
    compared = 0
    for weight, (name, layout, _) in zip(network.weights, keys, strict=True):
        if id(weight) in ours:
            expected = _to_keras(theirs[name], layout)
            # A text that ReLU silences everywhere moves nothing.
            if np.abs(expected).max() > 1e-12:
                difference = relative_to_largest(ours[id(weight)], expected)
                assert difference < 1e-6, name
            compared += 1
    assert compared == len(variables) == len(theirs)


def assert_same(network, keys, net, atol):
    """All weights; the variance of BatchNorm up to n / (n - 1)."""
    state, gradients = net.state_dict(), dict(net.named_parameters())
    for weight, (name, layout, _) in zip(network.weights, keys, strict=True):
        ours = keras.ops.convert_to_numpy(weight)
        theirs = _to_keras(state[name].numpy(), layout)
        if name.startswith("STAGE1_G") and "running" in name:
            continue  # theirs move, ours stay; see the file's deviations
        if name.endswith("running_var"):
            np.testing.assert_allclose(ours, theirs, rtol=0.05, err_msg=name)
            continue
        if atol >= 1e-6 and name in gradients:
            gradient = gradients[name].grad
            if gradient is not None:
                # Where one is rounding, Adam makes a step of it.
                size = np.abs(_to_keras(gradient.numpy(), layout))
                seen = (size > 1e-6 * size.max()) | (size == 0)
                ours, theirs = ours[seen], theirs[seen]
        np.testing.assert_allclose(ours, theirs, atol=atol, err_msg=name)


@pytest.mark.parametrize("stage", [1, 2])
def test_float32_outputs_are_the_originals_on_every_backend(stage):
    torch = torch_or_skip()
    torch.manual_seed(0)
    netG, netD, model = originals(stage)
    netG.eval(), netD.eval()
    put_all(model, netG, netD)
    latents, embeddings, inputs = inputs_of(torch, model, 4)
    with torch.no_grad():
        fake, mu, _ = netG(*(x.float() for x in inputs))
        probability = netD.get_cond_logits(netD(fake), mu).numpy()
    images = fake.numpy().transpose(0, 2, 3, 1)
    made = model.generate(
        1, embeddings=embeddings.numpy(), latents=latents.numpy()
    )
    np.testing.assert_allclose(made, images, atol=1e-4)
    logits = model.discriminator.predict([images, mu.numpy()], verbose=0)
    logits = logits[0] if stage == 2 else logits
    ours = 1 / (1 + np.exp(-logits[:, 0]))
    np.testing.assert_allclose(ours, probability, atol=1e-4)
