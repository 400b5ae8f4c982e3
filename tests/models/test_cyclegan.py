"""CycleGAN against its original, its pool, its data, and its translations."""

import functools
import pathlib

import keras
import numpy as np
import pytest

import keras_gans
from keras_gans.backend import gradient, minimize
from keras_gans.datasets import unpaired
from keras_gans.images import from_uint8, to_uint8
from keras_gans.models import cyclegan
from keras_gans.models.cyclegan_networks import (
    InstanceNormalization,
    PaddedConv2D,
    build_discriminator,
    build_generator,
)
from keras_gans.models.cyclegan_pool import ImagePool
from keras_gans.optimizers import LinearDecay

BACKEND = keras.backend.backend()
NETWORKS = (
    "generator_ab",
    "generator_ba",
    "discriminator_a",
    "discriminator_b",
)
TERMS = {
    *("g_loss_ab", "g_loss_ba", "cycle_a", "cycle_b"),
    *("identity_a", "identity_b", "d_loss_a", "d_loss_b"),
}


def tiny(**changes):
    config = {"image_shape": (32, 32, 3), "num_blocks": 1, "width": 2}
    return keras_gans.CycleGAN(**config | {"pool_size": 3} | changes)


def numpy(x):
    return np.array(keras.ops.convert_to_numpy(x))


def images_of(n, seed=0, height=32, width=32, channels=3):
    """Smooth float32 images in [-1, 1]."""
    shape = (n, height, width, channels)
    noise = np.random.default_rng(seed).normal(size=shape)
    return np.tanh(np.cumsum(noise, axis=1) / 2).astype(np.float32)


def pixels_of(n, seed=0, height=32, width=32, channels=3):
    return to_uint8(images_of(n, seed, height, width, channels))


# === Networks ===


LAYERS = [
    {"strides": strides, "relu": relu, "mode": mode}
    for strides in (1, 2)
    for relu in (False, True)
    for mode in ("constant", "reflect")
]


@pytest.mark.parametrize("options", LAYERS, ids=str)
def test_padded_convolution_is_of_plain_ops_on_every_backend(options):
    """Its output, and the derivatives that it computes in its own way."""
    layer = PaddedConv2D(4, 3, pad=2, **options)
    x = keras.ops.convert_to_tensor(images_of(2, height=9))
    shape = layer.compute_output_shape((None, 9, 32, 3))
    assert shape[1:] == tuple(layer(x).shape[1:])
    widths = (0, 0), (2, 2), (2, 2), (0, 0)

    def plain(x):
        x = keras.ops.relu(x) if options["relu"] else x
        x = keras.ops.pad(x, widths, mode=options["mode"])
        return keras.ops.conv(x, layer.kernel, options["strides"]) + layer.bias

    same_derivatives(lambda x: layer(x, training=True), plain, x, layer.weights)
    same_derivatives(layer, plain, x, layer.weights)
    twin = PaddedConv2D.from_config(layer.get_config())
    twin.build((None, 9, 32, 3))
    twin.set_weights(layer.get_weights())
    np.testing.assert_array_equal(numpy(twin(x)), numpy(layer(x)))


def test_padded_convolution_pads_once():
    with pytest.raises(ValueError, match="padding='same', pad=2"):
        PaddedConv2D(4, 3, pad=2, padding="same")


def test_instance_norm_is_of_plain_ops_on_every_backend():
    layer = InstanceNormalization()
    x = keras.ops.convert_to_tensor(images_of(2))

    def plain(x):
        # Not of `ops.moments`, whose second derivative is wrong in TensorFlow.
        x = x - keras.ops.mean(x, (1, 2), keepdims=True)
        variance = keras.ops.mean(x * x, (1, 2), keepdims=True)
        return x / keras.ops.sqrt(variance + 1e-5)

    def in_training(x):
        return layer(x, training=True)

    same_derivatives(layer, plain, x)
    if BACKEND != "tensorflow":
        same_derivatives(in_training, plain, x)
        return
    same_derivatives(in_training, plain, x, orders=2)
    with pytest.raises(NotImplementedError, match="one derivative"):
        gradient(lambda x: gradient(in_training, x) ** 2, x)


def same_derivatives(function, plain, x, weights=(), orders=3):
    """Outputs, and first and second derivatives of a sum of their cubes."""

    def slope(f):
        return lambda x: gradient(lambda x: f(x) ** 3, x)

    for of in (lambda f: f, slope, lambda f: slope(slope(f)))[:orders]:
        ours, theirs = numpy(of(function)(x)), numpy(of(plain)(x))
        np.testing.assert_allclose(ours, theirs, atol=1e-4 * abs(theirs).max())
    if weights:
        starts = [numpy(w) for w in weights]
        moved = []
        for f in (plain, function):
            sgd = keras.optimizers.SGD(1.0)
            sgd.build(weights)
            minimize(lambda f=f: keras.ops.mean(f(x) ** 2), sgd, weights)
            moved.append([numpy(w) for w in weights])
            for weight, start in zip(weights, starts, strict=True):
                weight.assign(start)
        for a, b, start in zip(*moved, starts, strict=True):
            assert np.any(a != start)
            np.testing.assert_allclose(a, b, atol=1e-4 * abs(a).max())


def test_parameter_counts_of_the_original():
    for network, parameters in (
        (build_generator(3, 64, 9, "generator"), 11_378_179),
        (build_generator(3, 64, 6, "generator"), 7_837_699),
        (build_discriminator(3, 64, "discriminator"), 2_764_737),
    ):
        assert network.count_params() == parameters
        assert len(network.weights) == len(network.trainable_variables)


def test_defaults_are_the_papers():
    model = keras_gans.CycleGAN()
    assert model.get_config() | {"name": "", "dtype_policy": ""} == {
        "name": "",
        "dtype_policy": "",
        "image_shape": (256, 256, 3),
        "num_blocks": 9,
        "width": 64,
        "adversarial": "lsgan",
        "cycle_weight": 10.0,
        "identity_weight": 0.5,
        "pool_size": 50,
        "epochs": 100,
        "decay_epochs": 100,
        "steps_per_epoch": None,
        "discriminator_width": None,
        "augment": None,
    }
    counts = [getattr(model, name).count_params() for name in NETWORKS]
    assert counts == 2 * [11_378_179] + 2 * [2_764_737]
    # PatchGAN: 30 x 30 judgements of 70 x 70 pixels each.
    discriminator = model.discriminator_a
    assert discriminator.compute_output_shape((1, 256, 256, 3)) == (
        *(1, 30, 30, 1),
    )
    field = 1
    for layer in reversed(discriminator.layers):
        if isinstance(layer, keras.layers.Conv2D):
            field = (field - 1) * layer.strides[0] + layer.kernel_size[0]
    assert field == 70


def test_initial_weights_are_the_originals():
    model = tiny(num_blocks=2, width=16)
    kernels = []
    for name in NETWORKS:
        for weight in getattr(model, name).weights:
            value = numpy(weight)
            if weight.path.endswith("bias"):
                assert not value.any(), weight.path
                continue
            # Four standard errors of N(0, 0.02).
            assert abs(value.mean()) < 4 * 0.02 / value.size**0.5
            assert abs(value.std() - 0.02) < 4 * 0.02 / (2 * value.size) ** 0.5
            kernels.append(value.ravel()[:20])
    for i, a in enumerate(kernels):  # no two layers or networks start alike
        assert all(np.any(a != b) for b in kernels[i + 1 :])


def test_bare_compile_gives_the_papers_optimizers():
    model = tiny(steps_per_epoch=7)
    model.compile()
    for adam in (model.generator_optimizer, model.discriminator_optimizer):
        assert isinstance(adam, keras.optimizers.Adam)
        assert (adam.beta_1, adam.beta_2) == (0.5, 0.999)
        # PyTorch's 1e-8, where Keras has it, at the first step.
        assert adam.epsilon == pytest.approx(1e-8 * (1 - 0.999) ** 0.5)
        assert adam._learning_rate.get_config() == {
            "initial": 2e-4,
            "epochs": 100,
            "decay_epochs": 100,
            "steps_per_epoch": 7,
        }
    ours = [id(v) for name in NETWORKS for v in getattr(model, name).weights]
    moved = [id(v) for vs in model.players.values() for v in vs]
    assert moved == ours


# === The original's step ===


def torch_or_skip():
    return pytest.importorskip("torch", reason="needs the extra `torch`")


def original_of(model, dtype):
    """The rendering with random weights, biases too, which are `model`'s."""
    torch = torch_or_skip()
    from tests.models import porting
    from tests.references import torch_cyclegan

    torch.manual_seed(0)
    original = torch_cyclegan.CycleGAN(
        model.image_shape[-1],
        model.width,
        model.num_blocks,
        model.adversarial,
        identity_weight=model.identity_weight,
        pool_size=model.pool_size,
    )
    for name, network in original.networks.items():
        network.to(getattr(torch, dtype))
        for weight in network.parameters():
            if weight.ndim == 1:
                torch.nn.init.normal_(weight, 0.0, 0.1)
        getattr(model, name).set_weights(porting.keras_weights(network))
    return original


def matters(network):
    """Whether each weight does; a bias before a normalisation does not."""
    convolutions = len(network.weights) // 2
    live = {convolutions - 1}
    if network.name.startswith("discriminator"):
        live.add(0)
    return [
        len(weight.shape) == 4 or i // 2 in live
        for i, weight in enumerate(network.weights)
    ]


def record_gradients(model, monkeypatch):
    """What its optimizers are given from now on, by the variable's id."""
    gradients = {}
    for player in model.players:
        optimizer = getattr(model, player)

        def recording(pairs, apply=optimizer.apply_gradients):
            gradients.update({id(v): numpy(g) for g, v in pairs})
            return apply(pairs)

        monkeypatch.setattr(optimizer, "apply_gradients", recording)
    return gradients


def random_images(n, dtype="float64"):
    torch = torch_or_skip()
    return torch.rand(n, 3, 32, 32, dtype=getattr(torch, dtype)) * 2 - 1


@pytest.mark.parametrize(
    "n, pool_size, adversarial, identity_weight",
    [
        (1, 0, "lsgan", 0.0),
        (1, 2, "lsgan", 0.5),
        (2, 0, "vanilla", 0.5),
        (2, 2, "vanilla", 0.0),
    ],
)
def test_step_is_the_originals(
    float64, monkeypatch, n, pool_size, adversarial, identity_weight
):
    """Outputs, loss terms, gradients, updates, and what the pools hold."""
    if BACKEND != "tensorflow":
        pytest.skip("parity in float64 is shown on TensorFlow")
    torch_or_skip()
    from tests.models import porting

    model = tiny(
        width=4,
        pool_size=pool_size,
        adversarial=adversarial,
        identity_weight=identity_weight,
    )
    original = original_of(model, "float64")
    real_a, real_b = random_images(n), random_images(n)
    for name, network in original.networks.items():
        ours = getattr(model, name)(porting.to_keras(real_a))
        theirs = porting.to_keras(network(real_a))
        assert porting.relative_to_largest(ours, theirs) < 1e-6

    # Of a full pool A gives an image for the first, B one for the last.
    choices = {"a": ([0.9, 0.5], [1, 0]), "b": ([0.4, 0.7], [0, 1])}
    if n == 1:
        choices = {"a": ([0.9], [1]), "b": ([0.7], [0])}
    for side, given in choices.items():
        ours = getattr(model, f"pool_{side}")
        theirs = getattr(original, f"pool_{side}")
        if pool_size:
            past = random_images(pool_size)
            theirs.kept = list(past)
            ours.kept.assign(porting.to_keras(past))
            ours.count.assign(pool_size)
            coins, places = map(keras.ops.convert_to_tensor, given)
            call = functools.partial(ours.query, coins=coins, places=places)
            monkeypatch.setattr(ours, "call", call)

    model.compile(run_eagerly=True)
    gradients = record_gradients(model, monkeypatch)
    logs = model.train_step(tuple(map(porting.to_keras, (real_a, real_b))))
    terms = original.step(real_a, real_b, *choices.values())

    assert logs.keys() == terms.keys() == TERMS
    for name, term in terms.items():
        np.testing.assert_allclose(logs[name], term, rtol=1e-6, err_msg=name)
    for name, network in original.networks.items():
        rows = zip(
            getattr(model, name).weights,
            porting.keras_weights(network, of=lambda weight: weight.grad),
            porting.keras_weights(network),
            matters(getattr(model, name)),
            strict=True,
        )
        for weight, expected, updated, live in rows:
            ours = gradients[id(weight)]
            if not live:
                assert np.abs(ours).max() < 1e-12, weight.path
                continue
            assert porting.relative_to_largest(ours, expected) < 1e-6
            # Below a millionth of the largest Adam's first step is a sign
            # that rounding tossed.
            seen = np.abs(expected) > 1e-6 * np.abs(expected).max()
            assert seen.mean() > 0.99, weight.path
            np.testing.assert_allclose(
                numpy(weight)[seen], updated[seen], rtol=0, atol=1e-6
            )
    for side in "ab" if pool_size else "":
        ours = numpy(getattr(model, f"pool_{side}").kept)
        theirs = getattr(original, f"pool_{side}").kept
        theirs = [image.numpy().transpose(1, 2, 0) for image in theirs]
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)


def test_order_of_things_is_the_originals(float64):
    """Two steps of plain gradient descent agree to eight digits.

    Keras rounds the 0.2 of `LeakyReLU` to float32.
    """
    if BACKEND != "tensorflow":
        pytest.skip("parity in float64 is shown on TensorFlow")
    torch = torch_or_skip()
    from tests.models import porting

    model = tiny(pool_size=0)
    original = original_of(model, "float64")
    rate = 2.0**-7  # exact, as Keras keeps it in float32
    model.compile(
        generator_optimizer=keras.optimizers.SGD(rate),
        discriminator_optimizer=keras.optimizers.SGD(rate),
        run_eagerly=True,
    )
    original.optimizers = tuple(
        torch.optim.SGD(adam.param_groups[0]["params"], rate)
        for adam in original.optimizers
    )
    unused = [0.0], [0]  # an empty pool's choices
    for _ in range(2):
        real = random_images(1), random_images(1)
        model.reset_metrics()
        logs = model.train_step(tuple(map(porting.to_keras, real)))
        terms = original.step(*real, unused, unused)
        for name, term in terms.items():
            np.testing.assert_allclose(logs[name], term, rtol=1e-7)
        for name, network in original.networks.items():
            ours = map(numpy, getattr(model, name).weights)
            theirs = porting.keras_weights(network)
            for a, b in zip(ours, theirs, strict=True):
                np.testing.assert_allclose(a, b, rtol=0, atol=1e-8)


def test_float32_outputs_are_the_originals_on_every_backend():
    torch = torch_or_skip()
    model = tiny(num_blocks=3, width=8)
    original = original_of(model, "float32")
    images = torch.rand(2, 3, 44, 36) * 2 - 1
    with torch.no_grad():
        theirs = {k: net(images) for k, net in original.networks.items()}
    images = images.numpy().transpose(0, 2, 3, 1)
    for name in NETWORKS:
        ours = numpy(getattr(model, name)(images))
        expected = theirs[name].numpy().transpose(0, 2, 3, 1)
        np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-4)
    for name, direction in (("generator_ab", "AtoB"), ("generator_ba", "BtoA")):
        expected = theirs[name].numpy().transpose(0, 2, 3, 1)
        made = model.translate(images, direction)
        np.testing.assert_allclose(made, expected, rtol=0, atol=1e-4)


# The authors step the schedule as an epoch begins, so before the first step.
@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")
def test_learning_rate_is_the_originals_in_every_epoch():
    torch = torch_or_skip()
    from tests.references import torch_cyclegan

    weight = torch.nn.Parameter(torch.zeros(1))
    adam = torch.optim.Adam([weight], lr=2e-4)
    schedule = torch_cyclegan.schedule(adam)
    ours = LinearDecay(2e-4, 100, 100, steps_per_epoch=1334)
    for epoch in range(200):
        schedule.step()
        theirs = adam.param_groups[0]["lr"]
        for step in (epoch * 1334, (epoch + 1) * 1334 - 1):
            np.testing.assert_allclose(
                numpy(ours(step)), theirs, rtol=1e-6, atol=1e-12
            )
    assert theirs == 0.0
    assert numpy(ours(201 * 1334)) == 0.0  # a run may go on


def test_identity_and_translation_pass_as_one_batch():
    model = tiny(width=8)
    original_of(model, "float32")
    a, b = images_of(2, seed=1), images_of(1, seed=2)
    for name in NETWORKS:
        network = getattr(model, name)
        both = cyclegan.in_one_batch(network, a, b)
        for together, alone in zip(both, (a, b), strict=True):
            expected = numpy(network(alone, training=True))
            np.testing.assert_allclose(numpy(together), expected, atol=1e-5)


# === The pool ===


@pytest.mark.parametrize("n, size", [(1, 3), (2, 3), (5, 3), (5, 1), (2, 0)])
def test_pool_is_the_originals(n, size):
    torch = torch_or_skip()
    from tests.references import torch_cyclegan

    rng = np.random.default_rng(n)
    ours, theirs = ImagePool(size, (2, 3, 1)), torch_cyclegan.ImagePool(size)
    swapped = same_place = 0
    for _ in range(60 // n):
        images = rng.normal(size=(n, 2, 3, 1)).astype(np.float32)
        coins = rng.random(n).astype(np.float32)
        places = rng.integers(max(size, 1), size=n).astype(np.int32)
        expected = theirs.query(torch.from_numpy(images), coins, places).numpy()
        if size:
            tensors = map(keras.ops.convert_to_tensor, (images, coins, places))
            returned = numpy(ours.query(*tensors))
            kept = torch.stack(theirs.kept).numpy()
            np.testing.assert_array_equal(numpy(ours.kept)[: len(kept)], kept)
            assert numpy(ours.count) == len(kept)
        else:
            returned = numpy(ours(images))
        np.testing.assert_array_equal(returned, expected)
        swapped += np.any(returned != images)
        used = places[coins > 0.5]
        same_place += len(used) - len(set(used))
    assert (swapped > 0) == (size > 0)
    assert (same_place > 0) == (n > 1)  # within a batch


def test_a_full_pool_gives_half_of_its_own_from_any_place():
    pool = ImagePool(3, (1, 1, 1))
    numbers = np.arange(303, dtype=np.float32)
    returned = numpy(pool(numbers[:, None, None, None])).ravel()
    np.testing.assert_array_equal(returned[:3], numbers[:3])
    kept, places = list(numbers[:3]), []
    for new, given in zip(numbers[3:], returned[3:], strict=True):
        if given != new:
            places.append(kept.index(given))
            kept[places[-1]] = new
    np.testing.assert_array_equal(numpy(pool.kept).ravel(), kept)
    # Four standard deviations of a fair coin, and of a fair die.
    assert abs(len(places) - 150) < 4 * 75**0.5
    counts = np.bincount(places, minlength=3)
    assert np.abs(counts - len(places) / 3).max() < 4 * (300 / 9) ** 0.5


# === Training ===


@pytest.fixture(scope="module")
def model():
    """One for the tests that only look at what `fit` reads."""
    keras.utils.set_random_seed(0)
    model = tiny(pool_size=2, steps_per_epoch=3)
    model.compile()
    return model


def save_pictures(folder, n, seed):
    """PNG files of mixed sizes, gray and RGB, none of them black."""
    from PIL import Image

    folder.mkdir()
    rng = np.random.default_rng(seed)
    for i in range(n):
        height, width = rng.integers(20, 60, size=2)
        channels = 1 if i % 2 else 3
        pixels = pixels_of(1, seed + i, height, width, channels)[0]
        Image.fromarray(pixels.squeeze()).save(folder / f"{i}.png")
    return str(folder)


def two_of(kind, tmp_path):
    """5 images of A and 3 of B, as what `fit` takes, and the batch size."""
    if kind == "floats":
        return images_of(5, 1), images_of(3, 2)
    if kind == "larger pixels":
        return pixels_of(5, 1, 40, 36), pixels_of(3, 2, 40, 36)
    if kind == "folders":
        return [
            save_pictures(tmp_path / name, n, seed)
            for name, n, seed in (("horses", 5, 1), ("zebras", 3, 2))
        ]
    if kind == "unpaired":
        return (unpaired(pixels_of(5, 1), pixels_of(3, 2)),)
    import tensorflow as tf

    return [
        tf.data.Dataset.from_tensor_slices(images_of(n, n)).batch(2)
        for n in (5, 3)
    ]


@pytest.mark.parametrize(
    "kind", ["floats", "larger pixels", "folders", "unpaired", "tf.data"]
)
def test_fit_reads(kind, model, tmp_path, monkeypatch):
    if kind == "tf.data" and BACKEND != "tensorflow":
        pytest.skip("tf.data is read on TensorFlow")
    monkeypatch.setenv("KERAS_GANS_CACHE", str(tmp_path / "cache"))
    start = int(model.optimizer.iterations)
    options = {} if kind == "tf.data" else {"batch_size": 2}
    before = [numpy(w) for w in model.get_weights()]
    history = model.fit(
        *two_of(kind, tmp_path), epochs=2, verbose=0, **options
    ).history
    assert int(model.optimizer.iterations) - start == 2 * 3
    assert history.keys() == TERMS
    assert np.isfinite(list(history.values())).all()
    after = [numpy(w) for w in model.get_weights()]
    assert any(np.any(a != b) for a, b in zip(after, before, strict=True))


@pytest.mark.parametrize(
    "name, epochs", [("float32", 12), ("mixed_bfloat16", 1)]
)
def test_training_moves_all_four_networks(name, epochs, policy):
    """A is bright and B dark; after 12 epochs so are the translations."""
    if name != "float32" and BACKEND == "torch":
        if not torch_or_skip().cuda.is_available():
            pytest.skip("PyTorch has no half-precision convolutions on CPUs")
    policy(name)
    model = tiny(width=4)
    before = {n: getattr(model, n).get_weights() for n in NETWORKS}
    before = {n: list(map(numpy, weights)) for n, weights in before.items()}
    bright, dark = (
        np.clip(mean + 0.8 * images_of(n, seed=n), -1, 1)
        for mean, n in ((0.6, 5), (-0.6, 8))
    )
    adams = {p: keras.optimizers.Adam(0.05, beta_1=0.5) for p in model.players}
    # Two steps are over before TensorFlow has traced one.
    eager = BACKEND == "tensorflow" and epochs == 1
    model.compile(**adams, run_eagerly=eager)
    history = model.fit(bright, dark, batch_size=4, epochs=epochs, verbose=0)
    assert history.history.keys() == TERMS
    assert np.isfinite(list(history.history.values())).all()
    for n, starts in before.items():
        network = getattr(model, n)
        rows = zip(network.weights, starts, matters(network), strict=True)
        for weight, start, live in rows:
            assert np.isfinite(numpy(weight)).all(), weight.path
            assert not live or np.all(numpy(weight) != start), weight.path
    for pool in (model.pool_a, model.pool_b):
        assert numpy(pool.count) == 3
        kept = numpy(pool.kept).reshape(3, -1)
        assert kept.std(axis=1).min() > 0 and kept.std(axis=0).max() > 0
    if epochs > 1:
        assert model.translate(bright).mean() < -0.3
        assert model.translate(dark, "BtoA").mean() > 0.3

    made = model.translate(bright)
    policy("float32")
    twin = tiny(width=4)
    twin.generator_ab.set_weights(model.generator_ab.get_weights())
    tolerance = 1e-5 if name == "float32" else 0.1  # 8 bits of mantissa
    np.testing.assert_allclose(made, twin.translate(bright), atol=tolerance)


def states_of(model):
    variables = [
        *model.variables,
        *(v for name in model.players for v in getattr(model, name).variables),
    ]
    return [numpy(v) for v in variables]


def test_resumes_bit_equal_with_pools_and_schedule(tmp_path):
    data = unpaired(pixels_of(3, 1, 36, 36), pixels_of(2, 2, 36, 36))
    batches = data.batches(3, seed=0, crop=(32, 32))  # one an epoch
    model = tiny(epochs=1, decay_epochs=4, steps_per_epoch=1)
    # Compiled, it is in test_conformance.py; JAX is too slow without.
    model.compile(run_eagerly=BACKEND == "tensorflow")
    model.fit(batches.steps(0, 1), verbose=0)
    model.save(tmp_path / "run.keras")
    twin = keras.saving.load_model(tmp_path / "run.keras")
    for ours, theirs in (
        (model.pool_a, twin.pool_a),
        (model.pool_b, twin.pool_b),
    ):
        assert numpy(ours.kept).any() and numpy(theirs.count) == 3
        np.testing.assert_array_equal(numpy(ours.kept), numpy(theirs.kept))
    for run in (model, twin):
        for name in run.players:
            # The second epoch of one at the full rate and four that fall:
            # 1 - max(0, 2 + 1 - 1) / (4 + 1).
            rate = numpy(getattr(run, name).learning_rate)
            np.testing.assert_allclose(rate, 2e-4 * 3 / 5, rtol=1e-6)
    for run in (model, twin):
        run.fit(batches.steps(1, 2), verbose=0)
    for ours, theirs in zip(states_of(model), states_of(twin), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert int(twin.optimizer.iterations) == 2


@pytest.mark.parametrize("kind", ["floats", "tf.data", "unpaired"])
def test_schedule_has_as_many_steps_an_epoch_as_the_data(
    kind, tmp_path, monkeypatch
):
    if kind == "tf.data" and BACKEND != "tensorflow":
        pytest.skip("tf.data is read on TensorFlow")
    monkeypatch.setattr(keras.Model, "fit", lambda *_, **options: None)
    options = {} if kind == "tf.data" else {"batch_size": 2}
    for given, expected in ((None, 3), (7, 7)):
        model = tiny(steps_per_epoch=given)
        model.fit(*two_of(kind, tmp_path), **options)
        for player in model.players:
            schedule = getattr(model, player)._learning_rate
            assert schedule.steps_per_epoch == expected


# === Translating ===


@pytest.mark.parametrize("direction", ["AtoB", "BtoA"])
@pytest.mark.parametrize("shape", [(8, 44, 3), (1, 32, 32, 3), (5, 36, 20, 3)])
def test_translate_is_the_network_and_keeps_the_kind(model, direction, shape):
    network = {"AtoB": model.generator_ab, "BtoA": model.generator_ba}
    images = images_of(5, 4, *shape[-3:-1]).reshape(-1, *shape[-3:])
    images = images[: shape[0]] if len(shape) == 4 else images[:1]
    pixels = to_uint8(images)

    made = model.translate(images.reshape(shape), direction, batch_size=2)
    assert made.shape == shape and made.dtype == np.float32
    expected = numpy(network[direction](images)).reshape(shape)
    np.testing.assert_allclose(made, expected, atol=1e-5)
    assert made.std() > 1e-3

    made = model.translate(pixels.reshape(shape), direction)
    assert made.shape == shape and made.dtype == np.uint8
    expected = numpy(network[direction](from_uint8(pixels))).reshape(shape)
    expected = to_uint8(expected).astype(int)
    np.testing.assert_allclose(made.astype(int), expected, atol=1)
    np.testing.assert_array_equal(pixels, to_uint8(images))  # as they were


def test_default_direction_is_from_a_to_b(model):
    images = images_of(1)
    a_to_b = model.translate(images, "AtoB")
    np.testing.assert_array_equal(model.translate(images), a_to_b)
    assert np.abs(model.translate(images, "BtoA") - a_to_b).max() > 1e-4


def blank(*shape):
    return np.full(shape, -1.0, np.float32)


@pytest.mark.parametrize(
    "images, direction, sentence",
    [
        (blank(30, 33, 3), "AtoB", "(30, 33, 3). Crop or pad them to 28x32"),
        (blank(2, 32, 34, 3), "AtoB", "(2, 32, 34, 3). .* to 32x32"),
        (blank(4, 8, 3), "AtoB", "(4, 8, 3). Crop or pad them to 8x8"),
        (blank(32, 32, 1), "AtoB", "shape=(32, 32, 1). Convert them to 3"),
        (blank(32, 32), "AtoB", "shape=(32, 32). Convert"),
        (blank(0, 32, 32, 3), "AtoB", "shape=(0, 32, 32, 3)"),
        (blank(32, 32, 3) + 2.5, "AtoB", "float32 values from 1.5 to 1.5"),
        (blank(32, 32, 3) + np.nan, "AtoB", "values from nan to nan"),
        (blank(32, 32, 3) - np.inf, "AtoB", "values from -inf to -inf"),
        (blank(32, 32, 3).astype(int), "AtoB", "int64 values from -1 to -1"),
        (blank(32, 32, 3), "atob", "name='atob'. Did you mean 'AtoB'"),
        (blank(32, 32, 3), "BtoC", "name='BtoC'. Did you mean 'BtoA'"),
        (blank(32, 32, 3), None, "name='None'"),
    ],
)
def test_what_translate_refuses(images, direction, sentence, model):
    sentence = sentence.replace("(", r"\(").replace(")", r"\)")
    with pytest.raises(ValueError, match=f"Expected .*Received: .*{sentence}"):
        model.translate(images, direction)


# === Bad input ===


@pytest.mark.parametrize(
    "changes, sentence",
    [
        ({"pool_size": -1}, "pool_size=-1"),
        ({"pool_size": 1.5}, "pool_size=1.5"),
        ({"adversarial": "lsgn"}, "name='lsgn'. Did you mean 'lsgan'"),
        ({"image_shape": (38, 50, 3)}, r"Crop or pad to \(36, 48, 3\)"),
        ({"image_shape": (16, 32, 3)}, r"Crop or pad to \(32, 32, 3\)"),
        ({"num_blocks": 0}, "num_blocks=0"),
        ({"width": 2.0}, "width=2.0"),
        ({"epochs": -1}, "epochs=-1"),
        ({"steps_per_epoch": 0}, "steps_per_epoch=0"),
        ({"cycle_weight": -1}, "cycle_weight=-1"),
        ({"identity_weight": float("nan")}, "identity_weight=nan"),
        ({"identity_weight": "0.5"}, "identity_weight='0.5'"),
    ],
)
def test_what_the_constructor_refuses(changes, sentence):
    with pytest.raises(ValueError, match=f"Expected .*Received: .*{sentence}"):
        tiny(**changes)


def spoilt(value):
    """Of seven images the fourth, which the order of epoch 0 brings late."""
    images = images_of(7)
    images[3, 5, 5] = value
    return images


@pytest.mark.parametrize(
    "a, b, sentence",
    [
        (images_of(0), images_of(2), "none of A"),
        (images_of(2), images_of(0), "none of B"),
        (images_of(2), None, "one. Pass `fit"),
        (images_of(2), np.arange(2), r"shape=\(2,\)"),
        (images_of(2), images_of(2, 0, 36, 32), r"\(36, 32, 3\) in B"),
        (pixels_of(2, 0, 28, 32), pixels_of(2, 0, 28, 32), "'A' of 28x32"),
        (*2 * [images_of(2, channels=1)], r"image_shape=\(32, 32, 1\)"),
        (images_of(2), 200 * np.ones((2, 32, 32, 3), int), "to 200"),
        (spoilt(1.5), images_of(2), "to 1.5"),
        (images_of(2), spoilt(-1.5), "from -1.5"),
        (spoilt(np.nan), images_of(2), "1 of 7, the first at index 3"),
        (images_of(2), spoilt(np.inf), "1 of 7, the first at index 3"),
        ("/no/such/folder", "/no/such/folder", "'/no/such/folder'"),
    ],
)
def test_what_fit_refuses_before_it_starts(a, b, sentence, model):
    start = int(model.optimizer.iterations)
    with pytest.raises(ValueError, match=f"Expected .*Received: .*{sentence}"):
        model.fit(a, b, verbose=0)
    assert int(model.optimizer.iterations) == start


def test_fit_refuses_a_folder_without_pictures(model, tmp_path):
    full = save_pictures(tmp_path / "horses", 2, 0)
    (tmp_path / "zebras").mkdir()
    with pytest.raises(ValueError, match="Received: .*zebras, without any"):
        model.fit(full, str(tmp_path / "zebras"), verbose=0)


def test_fit_leaves_out_broken_pictures_if_asked(model, tmp_path):
    folders = [save_pictures(tmp_path / side, 2, 0) for side in "ab"]
    broken = tmp_path / "b" / "9.jpg"
    broken.write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"9\.jpg.*`skip_broken=True`"):
        model.fit(*folders, verbose=0)
    model.fit(*folders, skip_broken=True, verbose=0)


@pytest.mark.parametrize("one", ["horses", pathlib.Path("horses")])
def test_fit_of_one_folder_asks_for_both(one, model):
    with pytest.raises(ValueError, match="Pass both domains"):
        model.fit(one)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_fit_in_float64(dtype, float64):
    if BACKEND == "jax":
        pytest.skip("JAX has no float64 unless its x64 is set")
    images = images_of(2).astype(dtype)
    history = tiny().fit(images, images, verbose=0).history
    assert np.isfinite(list(history.values())).all()


def test_fit_refuses_bad_tf_data(model):
    if BACKEND != "tensorflow":
        pytest.skip("tf.data is read on TensorFlow")
    import tensorflow as tf

    def batches(images):
        return tf.data.Dataset.from_tensor_slices(images).batch(1)

    fine = batches(images_of(7))
    for bad in (np.nan, 1.5):  # in the fourth batch
        for two in ((batches(spoilt(bad)), fine), (fine, batches(spoilt(bad)))):
            with pytest.raises(ValueError, match="Received: .*later batch"):
                model.fit(*two, verbose=0)
    with pytest.raises(ValueError, match="Received: an empty data set"):
        model.fit(fine, batches(images_of(0)), verbose=0)
    unknown = fine.filter(lambda image: True)
    for two in ((fine, unknown), (unknown, fine)):
        with pytest.raises(ValueError, match="known length"):
            model.fit(*two, verbose=0)


def test_it_has_no_loss_on_held_out_data(model):
    images = images_of(2)
    with pytest.raises(ValueError, match="held-out"):
        model.evaluate(images, images)
    with pytest.raises(ValueError, match="held-out"):
        model.fit(images, images, validation_split=0.5, verbose=0)
