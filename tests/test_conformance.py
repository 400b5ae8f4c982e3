"""What every model can do, on whichever backend runs the tests."""

import functools
import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_gans
from keras_gans import augment
from keras_gans.cards import read_card
from keras_gans.models.base import GenerativeModel
from keras_gans.pretrained import ZOO, networks_of
from keras_gans.registry import MODELS
from tests.conformance import (
    CASES,
    TINY,
    drawn,
    embeddings_like,
    fit,
    given,
    images_like,
    labels_like,
    made,
)
from tests.precision import gradient_cosines

BACKEND = keras.backend.backend()


def small_enough(name):
    """Whether a few steps of an entry take seconds: of photographs, minutes."""
    model = MODELS.get(read_card(ZOO / name / "card.json").model)
    return model is not None and not model.two_domains


ENTRIES = [n for n in keras_gans.list_pretrained() if small_enough(n)]


# On TensorFlow all; elsewhere one of each model, unless ALL_CASES is set.
ALL_CASES = BACKEND == "tensorflow" or "ALL_CASES" in os.environ


def small(name):
    model_name, config = CASES[name]
    return keras_gans.create(model_name, **config), images_like(config)


@pytest.fixture(params=CASES if ALL_CASES else TINY)
def case(request):
    """A small model of every architecture."""
    return small(request.param)


@pytest.fixture(params=[*CASES, *ENTRIES] if ALL_CASES else TINY)
def case_or_entry(request):
    """The same, and every entry of the zoo at its own size."""
    if request.param in CASES:
        return small(request.param)
    model = keras_gans.load(request.param)
    return model, images_like({"image_shape": model.image_shape})


@pytest.fixture
def eager(monkeypatch):
    """Steps without TensorFlow's graphs, whose making outlasts tiny runs.

    `test_step_is_finite_and_moves_every_network` and the tests of parity and of
    exact resume in other files have the graphs.
    """
    if BACKEND == "tensorflow":
        compile_ = GenerativeModel.compile
        eagerly = functools.partialmethod(compile_, run_eagerly=True)
        monkeypatch.setattr(GenerativeModel, "compile", eagerly)


@pytest.fixture
def drawing_case(case):
    """Those that draw their own samples."""
    if not hasattr(case[0], "generate"):
        pytest.skip("it makes images of images, and draws none")
    return case


@pytest.fixture
def latent_case(drawing_case):
    """Those whose samples are of latents alone."""
    if drawing_case[0].takes_text:
        pytest.skip("it draws texts; see tests/models")
    return drawing_case


def steps_of(model, n, batch_size):
    """Training steps of n images."""
    return -(-n // (batch_size * model.batches_a_step))


def iterations_of(model, name, steps):
    """Steps that an optimizer has taken after so many training steps."""
    critic = name == "discriminator_optimizer"
    return steps * getattr(model, "n_critic", 1) if critic else steps


def weights_of(model):
    return [np.array(w) for w in model.get_weights()]


def assert_equal(first, second):
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)


def test_generates_images_in_range(case_or_entry):
    model, images = case_or_entry
    samples = made(model, 5)
    assert samples.shape == (5, *images.shape[1:])
    assert samples.dtype == np.float32
    assert -1.0 <= samples.min() and samples.max() <= 1.0
    assert samples.std(axis=0).max() > 0  # not one image five times


def test_same_seed_same_samples(case_or_entry):
    model, _ = case_or_entry
    if not hasattr(model, "generate"):
        pytest.skip("it makes images of images, and draws none")
    many = drawn(model, 64, seed=3)
    np.testing.assert_allclose(drawn(model, 8, seed=3), many[:8], atol=5e-5)
    small_batches = drawn(model, 64, seed=3, batch_size=10)
    np.testing.assert_allclose(small_batches, many, atol=5e-5)
    seen = 0.01 * np.abs(many).max()  # of a network that knows nothing yet
    assert np.abs(drawn(model, 64, seed=4) - many).max() > seen
    assert np.abs(drawn(model, 64) - drawn(model, 64)).max() > seen


def inputs_of(model, images, n):
    """What `call` takes, and what the model's own verb makes of it."""
    if model.two_domains:
        return images[:n], model.translate(images[:n])
    if not hasattr(model, "generate"):
        return images[:n], model.reconstruct(images[:n])
    z = model.draw_latents(n, seed=0)
    if model.takes_text:
        texts = embeddings_like(model, n)
        return [z, texts], model.generate(1, embeddings=texts, latents=z)
    if model.takes_labels:
        labels = labels_like(model, n).astype("int32")
        return [z, labels], model.generate(latents=z, labels=labels)
    return z, model.generate(latents=z)


def test_predict_is_the_models_verb(case):
    inputs, outputs = inputs_of(*case, 4)
    predicted = case[0].predict(inputs, verbose=0)
    np.testing.assert_allclose(predicted, outputs, atol=1e-5)


def test_exports_what_generates(case_or_entry, tmp_path):
    if BACKEND != "tensorflow":
        pytest.skip("SavedModel export is tested on TensorFlow")
    import tensorflow as tf

    model, _ = case_or_entry
    model.export(str(tmp_path / "exported"), verbose=False)
    served = tf.saved_model.load(str(tmp_path / "exported"))
    inputs, outputs = inputs_of(*case_or_entry, 3)
    np.testing.assert_allclose(served.serve(inputs).numpy(), outputs, atol=1e-5)


@pytest.mark.parametrize("method", ["linear", "spherical", None])
def test_interpolates_between_its_ends(latent_case, method):
    model, images = latent_case
    ends = model.draw_latents(6, seed=1).reshape(2, 3, -1)
    asked = {"labels": [0, 1, 2]} if model.takes_labels else {}
    walks = model.interpolate(steps=5, method=method, latents=ends, **asked)
    assert walks.shape == (3, 5, *images.shape[1:])
    for end, where in ((ends[0], 0), (ends[1], -1)):
        expected = model.generate(latents=end, **asked)
        np.testing.assert_allclose(walks[:, where], expected, atol=1e-5)


def test_step_is_finite_and_moves_every_network(case_or_entry):
    model, images = case_or_entry
    networks = {network.name: network for network in networks_of(model)}
    if getattr(model, "ema_generator", None) is not None:
        networks["ema_generator"] = model.ema_generator
    if getattr(model, "warmup", False):  # of the first steps, the critic's
        networks = {"discriminator": networks["discriminator"]}
    before = {k: weights_of(network) for k, network in networks.items()}
    history = fit(model, images, batch_size=8, epochs=1, verbose=0).history
    assert history and all(np.isfinite(v).all() for v in history.values())
    for name, network in networks.items():
        after = weights_of(network)
        assert all(np.isfinite(w).all() for w in after), name
        stage1 = [part for part in network.layers if part.name == "stage1_g"]
        frozen = {id(w) for part in stage1 for w in part.weights}
        moved = [
            np.abs(a - b).max() > 0
            for a, b, w in zip(
                before[name], after, network.weights, strict=True
            )
            if id(w) not in frozen
        ]
        assert sum(moved) >= len(moved) - 1, name


def test_average_follows_and_is_what_samples(drawing_case, eager):
    model, images = drawing_case
    if model.ema_generator is None:
        pytest.skip("this configuration keeps no average")
    start = weights_of(model.generator)
    fit(model, images[:8], batch_size=8, verbose=0)  # one step
    raw, average = weights_of(model.generator), weights_of(model.ema_generator)
    # The last one, a bias, moved before the step; moving statistics are those
    # of the average's own batches.
    adapted = 1 if getattr(model, "variant", "") == "paper" else 0
    names = [w.path for w in model.ema_generator.weights]
    for name, a, b, c in list(zip(names, average, start, raw, strict=True))[
        : len(raw) - adapted
    ]:
        if "moving_" in name:
            continue
        expected = model.ema_decay * b + (1 - model.ema_decay) * c
        np.testing.assert_allclose(a, expected, atol=1e-6)
    assert not model.ema_generator.trainable_variables
    model.generator.set_weights([w + 0.1 for w in raw])
    z, made = inputs_of(model, images, 4)
    expected = keras.ops.convert_to_numpy(model.ema_generator(z))
    np.testing.assert_allclose(made, expected, atol=1e-5)
    raw_images = keras.ops.convert_to_numpy(model.generator(z))
    assert np.abs(made - raw_images).max() > 1e-3


@pytest.mark.parametrize(
    "name", [name for name, kind in MODELS.items() if hasattr(kind, "judge")]
)
def test_augmentation_is_all_that_discriminators_see(name, monkeypatch):
    """Where T gives noise no loss of an adversary depends on any image."""

    def noise(x, seed):
        return x * 0 + keras.random.uniform(keras.ops.shape(x), seed=seed)

    monkeypatch.setitem(augment.AUGMENTATIONS, "color", noise)
    config = TINY[name] | {"augment": "color"}
    config.pop("ema_decay", None)  # an average would be what `made` shows
    model = keras_gans.create(name, **config)
    model.compile(**{p: keras.optimizers.SGD(0.0) for p in model.players})
    states = [np.array(state) for state in model.random_states]

    def losses(images):
        for state, value in zip(model.random_states, states, strict=True):
            state.assign(value)
        keras.utils.set_random_seed(0)
        history = fit(model, images, batch_size=8, verbose=0).history
        names = [k for k in history if k.startswith(("d_loss", "g_loss"))]
        assert len(names) >= 2
        return [history[k][0] for k in sorted(names)]

    images = images_like(config)
    first = losses(images)
    np.testing.assert_allclose(losses(-images), first, atol=1e-6)
    before = made(model, 4)
    for network in networks_of(model):
        if network.name.startswith("generator"):
            disturb(network)
    if before.any():  # one so small may have no unit that is alive
        assert np.abs(made(model, 4) - before).max() > 1e-4
    np.testing.assert_allclose(losses(images), first, atol=1e-6)


def disturb(generator):
    """Add to the last weights of a generator, and of each level's within."""
    layers = [layer for layer in generator.layers if layer.trainable_weights]
    levels = [p for p in layers if p.name.startswith("generator")]
    for level in levels:
        disturb(level)
    if not levels:
        weight = layers[-1].trainable_weights[-1]
        weight.assign(weight + 0.5)


def test_config_round_trip(case):
    model, _ = case
    config = model.get_config()
    twin = type(model).from_config(json.loads(json.dumps(config)))
    assert twin.get_config() == config
    assert [w.shape for w in twin.weights] == [w.shape for w in model.weights]


def test_resumes_bit_equal_from_a_keras_file(case, tmp_path, eager):
    model, images = case
    fit(model, images, batch_size=8, verbose=0)
    model.save(tmp_path / "run.keras")
    twin = keras.saving.load_model(tmp_path / "run.keras")

    assert_equal(weights_of(model), weights_of(twin))
    for name in model.players:
        ours, theirs = getattr(model, name), getattr(twin, name)
        assert ours is not theirs
        steps = steps_of(model, len(images), 8)
        expected = iterations_of(model, name, steps)
        assert int(ours.iterations) == int(theirs.iterations) == expected
        assert_equal(
            [np.array(v) for v in ours.variables],
            [np.array(v) for v in theirs.variables],
        )
    for run in (model, twin):
        keras.utils.set_random_seed(0)  # of the order of two domains
        fit(run, images, batch_size=8, verbose=0, shuffle=False)
    assert_equal(weights_of(model), weights_of(twin))


def test_fit_reads_every_kind_of_data_alike(latent_case, eager):
    model, images = latent_case
    images = images[:21]  # the last batch is ragged
    whole = given(model, images)
    kinds = [None, Batches(*whole, batch_size=8)]
    if BACKEND == "tensorflow":
        import tensorflow as tf

        plain = whole if model.takes_labels else images
        slices = tf.data.Dataset.from_tensor_slices(plain)
        uncounted = tf.data.Dataset.from_tensors(plain).unbatch()
        kinds += [slices.batch(8), uncounted.batch(8)]
    start = weights_of(model)
    states = [np.array(s) for s in model.random_states]
    results = []
    for data in kinds:
        twin = type(model).from_config(model.get_config())
        twin.set_weights(start)
        for state, value in zip(twin.random_states, states, strict=True):
            state.assign(value)
        if not twin.is_adapted():
            twin.adapt(images)  # `fit` adapts to arrays only
        how = {"verbose": 0, "shuffle": False}
        if data is None:
            twin.fit(*whole, batch_size=8, **how)
        else:
            twin.fit(data, **how)
        for name in model.players:
            expected = iterations_of(model, name, steps_of(model, 21, 8))
            assert int(getattr(twin, name).iterations) == expected
        results.append(weights_of(twin))
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-4)
            # Adam makes a step of its own out of the rounding of a zero.
            assert np.isclose(a, b, rtol=1e-5, atol=1e-6).mean() > 0.999


class Batches(keras.utils.PyDataset):
    def __init__(self, *arrays, batch_size):
        super().__init__()
        self.arrays, self.batch_size = arrays, batch_size

    def __len__(self):
        return -(-len(self.arrays[0]) // self.batch_size)

    def __getitem__(self, i):
        rows = slice(i * self.batch_size, (i + 1) * self.batch_size)
        batch = tuple(array[rows] for array in self.arrays)
        return batch if len(batch) > 1 else batch[0]


def test_xla_is_off_on_cpu(case):
    if BACKEND != "tensorflow":
        pytest.skip("JAX is always compiled by XLA, PyTorch never")
    model, _ = case
    model.compile()
    assert not model.jit_compile


def test_default_optimizers_are_new_each_time(case):
    model, _ = case
    first, second = model.default_optimizers(), model.default_optimizers()
    assert first.keys() == second.keys() == model.players.keys()
    assert all(first[name] is not second[name] for name in first)


@pytest.mark.parametrize("name", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision(name, policy, case, tmp_path, eager):
    _, images = case
    convolves = any("conv" in v.path for v in case[0].variables)
    if BACKEND == "torch" and convolves and not torch_has_cuda():
        pytest.skip("PyTorch has no half-precision convolutions on CPUs")
    config = case[0].get_config() | {"dtype_policy": name}
    model = type(case[0]).from_config(config)
    history = fit(model, images, batch_size=8, verbose=0).history
    assert all(np.isfinite(v).all() for v in history.values())
    assert made(model, 2).dtype == np.float32
    assert all(v.dtype == "float32" for v in model.trainable_variables)
    for player in model.players:
        scaled = isinstance(
            getattr(model, player), keras.optimizers.LossScaleOptimizer
        )
        assert scaled == (name == "mixed_float16")
    # Reported losses are unscaled: a factor of 2^15 would show.
    assert all(np.max(np.abs(v)) < 2000 for v in history.values())

    model.save(tmp_path / "run.keras")
    assert keras.config.dtype_policy().name == "float32"
    twin = keras.saving.load_model(tmp_path / "run.keras")
    assert twin.dtype_policy.name == name
    assert keras.config.dtype_policy().name == "float32"
    for player in model.players:
        assert_equal(
            [np.array(v) for v in getattr(model, player).variables],
            [np.array(v) for v in getattr(twin, player).variables],
        )


# Deep networks of a few channels, each layer normalised anew: rounding errors,
# 8 times as large in bfloat16, find nothing to average over, and differ between
# processors (cosines of 0.93 to 0.99 were seen). At the published widths:
# `benchmarks/precision.py`.
ROUGH = {"acgan", "cgan", "cyclegan", "stackgan"}
ROUNDED = {"mixed_float16": 0.97, "mixed_bfloat16": 0.9}


@pytest.mark.parametrize("name", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("model_name", TINY)
def test_half_precision_has_the_gradients_of_full(
    model_name, name, policy, eager
):
    if BACKEND != "tensorflow":
        pytest.skip("the gradients are those of one engine")
    keras.utils.set_random_seed(0)
    model = keras_gans.create(model_name, **TINY[model_name])
    images = images_like(TINY[model_name])
    least = ROUNDED[name] if model_name in ROUGH else 0.99
    for player, cosine in gradient_cosines(model, images, name).items():
        assert cosine > least, player


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("model_name", TINY)
def test_two_hundred_steps_in_half_precision(model_name, name, policy):
    if BACKEND != "tensorflow":
        pytest.skip("the slow tests are TensorFlow's")
    config = TINY[model_name] | {"dtype_policy": name}
    keras.utils.set_random_seed(0)
    model = type(keras_gans.create(model_name, **TINY[model_name])).from_config(
        config
    )
    images = images_like(TINY[model_name], 8 * model.batches_a_step)
    history = fit(model, images, batch_size=8, epochs=200, verbose=0).history
    assert all(np.isfinite(v).all() for v in history.values())
    assert all(np.isfinite(w.numpy()).all() for w in model.weights)
    for player in model.players:  # float16 skips a few
        assert int(getattr(model, player).iterations) >= 190, player


def torch_has_cuda():
    import torch

    return torch.cuda.is_available()


SAMPLES = """
import sys
import numpy as np
import keras_gans
from keras_gans.pretrained import ZOO
from tests.conformance import CASES, made
for case, (name, config) in CASES.items():
    model = keras_gans.create(name, **config)
    rng = np.random.default_rng(0)
    model.set_weights(
        [np.abs(rng.normal(0, 0.1, w.shape)) for w in model.get_weights()]
    )
    np.save(f"{sys.argv[1]}/{case}.npy", made(model, 4))
"""


@pytest.mark.skipif(BACKEND != "tensorflow", reason="compares all, and once")
def test_same_samples_on_every_backend(tmp_path):
    modules = {"tensorflow": "tensorflow", "jax": "jax", "torch": "torch"}
    folders = []
    for backend, module in modules.items():
        if not installed(module):
            continue
        folder = tmp_path / backend
        folder.mkdir()
        run_python(SAMPLES, backend, str(folder))
        folders.append(folder)
    if len(folders) < 2:
        pytest.skip("one backend is installed; needs the extras jax or torch")
    for case in CASES:
        samples = [np.load(folder / f"{case}.npy") for folder in folders]
        for other in samples[1:]:
            np.testing.assert_allclose(samples[0], other, atol=1e-4)


def installed(module):
    import importlib.util

    return importlib.util.find_spec(module) is not None


def run_python(program, backend, *arguments):
    root = Path(__file__).resolve().parents[1]
    environment = os.environ | {"KERAS_BACKEND": backend}
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
