"""What every model can do, on whichever backend runs the tests."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_gans
from keras_gans.cards import read_card
from keras_gans.pretrained import ZOO, networks_of
from tests.conformance import CASES, fit, images_like, made

BACKEND = keras.backend.backend()


ENTRIES = [
    name
    for name in keras_gans.list_pretrained()
    if read_card(ZOO / name / "card.json").model in keras_gans.list_models()
]


@pytest.fixture(params=[*CASES, *ENTRIES])
def case(request):
    """A small model of every architecture, and every entry of the zoo."""
    if request.param in ENTRIES:
        model = keras_gans.load(request.param)
        return model, images_like({"image_shape": model.image_shape})
    name, config = CASES[request.param]
    return keras_gans.create(name, **config), images_like(config)


@pytest.fixture
def drawing_case(case):
    """Those that draw their own samples."""
    if not hasattr(case[0], "generate"):
        pytest.skip("it translates images, and draws none")
    return case


def weights_of(model):
    return [np.array(w) for w in model.get_weights()]


def assert_equal(first, second):
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)


def test_generates_images_in_range(case):
    model, images = case
    samples = made(model, 5)
    assert samples.shape == (5, *images.shape[1:])
    assert samples.dtype == np.float32
    assert -1.0 <= samples.min() and samples.max() <= 1.0
    assert samples.std(axis=0).max() > 0  # not one image five times


def test_same_seed_same_samples(drawing_case):
    model, _ = drawing_case
    many = model.generate(64, seed=3)
    np.testing.assert_allclose(model.generate(8, seed=3), many[:8], atol=5e-5)
    small_batches = model.generate(64, seed=3, batch_size=10)
    np.testing.assert_allclose(small_batches, many, atol=5e-5)
    assert np.abs(model.generate(64, seed=4) - many).max() > 1e-4
    assert np.abs(model.generate(64) - model.generate(64)).max() > 1e-4


def inputs_of(model, images, n):
    """What `call` takes, and what the model's own verb makes of it."""
    if model.two_domains:
        return images[:n], model.translate(images[:n])
    z = model.draw_latents(n, seed=0)
    return z, model.generate(latents=z)


def test_predict_is_the_models_verb(case):
    inputs, outputs = inputs_of(*case, 4)
    predicted = case[0].predict(inputs, verbose=0)
    np.testing.assert_allclose(predicted, outputs, atol=1e-5)


def test_exports_what_generates(case, tmp_path):
    if BACKEND != "tensorflow":
        pytest.skip("SavedModel export is tested on TensorFlow")
    import tensorflow as tf

    model, _ = case
    model.export(str(tmp_path / "exported"), verbose=False)
    served = tf.saved_model.load(str(tmp_path / "exported"))
    inputs, outputs = inputs_of(*case, 3)
    np.testing.assert_allclose(served.serve(inputs).numpy(), outputs, atol=1e-5)


@pytest.mark.parametrize("method", ["linear", "spherical", None])
def test_interpolates_between_its_ends(drawing_case, method):
    model, images = drawing_case
    ends = model.draw_latents(6, seed=1).reshape(2, 3, -1)
    walks = model.interpolate(steps=5, method=method, latents=ends)
    assert walks.shape == (3, 5, *images.shape[1:])
    for end, where in ((ends[0], 0), (ends[1], -1)):
        expected = model.generate(latents=end)
        np.testing.assert_allclose(walks[:, where], expected, atol=1e-5)


def test_step_is_finite_and_moves_every_network(case):
    model, images = case
    networks = {network.name: network for network in networks_of(model)}
    if getattr(model, "ema_generator", None) is not None:
        networks["ema_generator"] = model.ema_generator
    before = {k: weights_of(network) for k, network in networks.items()}
    history = fit(model, images, batch_size=8, epochs=1, verbose=0).history
    assert history and all(np.isfinite(v).all() for v in history.values())
    for name, network in networks.items():
        after = weights_of(network)
        assert all(np.isfinite(w).all() for w in after), name
        moved = [
            np.abs(a - b).max() > 0
            for a, b in zip(before[name], after, strict=True)
        ]
        assert sum(moved) >= len(moved) - 1, name


def test_average_follows_and_is_what_samples(drawing_case):
    model, images = drawing_case
    if model.ema_generator is None:
        pytest.skip("this configuration keeps no average")
    start = weights_of(model.generator)
    model.fit(images[:8], batch_size=8, verbose=0)  # one step
    raw, average = weights_of(model.generator), weights_of(model.ema_generator)
    adapted = 1 if getattr(model, "variant", "") == "paper" else 0
    for a, b, c in list(
        zip(average, start, raw, strict=True)
    )[
        : len(raw)
        - adapted  # the last one, a bias, moved before the step
    ]:
        expected = model.ema_decay * b + (1 - model.ema_decay) * c
        np.testing.assert_allclose(a, expected, atol=1e-6)
    model.generator.set_weights([w + 0.1 for w in raw])
    z = model.draw_latents(4, seed=0)
    made = model.generate(latents=z)
    expected = keras.ops.convert_to_numpy(model.ema_generator(z))
    np.testing.assert_allclose(made, expected, atol=1e-5)
    raw_images = keras.ops.convert_to_numpy(model.generator(z))
    assert np.abs(made - raw_images).max() > 1e-3


def test_config_round_trip(case):
    model, _ = case
    config = model.get_config()
    twin = type(model).from_config(json.loads(json.dumps(config)))
    assert twin.get_config() == config
    assert [w.shape for w in twin.weights] == [w.shape for w in model.weights]


def test_resumes_bit_equal_from_a_keras_file(case, tmp_path):
    model, images = case
    fit(model, images, batch_size=8, epochs=2, verbose=0)
    model.save(tmp_path / "run.keras")
    twin = keras.saving.load_model(tmp_path / "run.keras")

    assert_equal(weights_of(model), weights_of(twin))
    for name in model.players:
        ours, theirs = getattr(model, name), getattr(twin, name)
        assert ours is not theirs
        assert int(ours.iterations) == int(theirs.iterations) == 6
        assert_equal(
            [np.array(v) for v in ours.variables],
            [np.array(v) for v in theirs.variables],
        )
    for run in (model, twin):
        fit(run, images, batch_size=8, epochs=2, verbose=0, shuffle=False)
    assert_equal(weights_of(model), weights_of(twin))


def test_fit_reads_every_kind_of_data_alike(drawing_case):
    model, images = drawing_case
    kinds = [images, Batches(images, 8)]
    if BACKEND == "tensorflow":
        import tensorflow as tf

        kinds.append(tf.data.Dataset.from_tensor_slices(images).batch(8))
        kinds.append(tf.data.Dataset.from_tensors(images).unbatch().batch(8))
    start = weights_of(model)
    states = [np.array(s) for s in model.random_states]
    results = []
    for data in kinds:
        twin = type(model).from_config(model.get_config())
        twin.set_weights(start)
        for state, value in zip(twin.random_states, states, strict=True):
            state.assign(value)
        if getattr(model, "variant", None) == "paper":
            twin.adapt(images)  # `fit` adapts to arrays only
        batch_size = 8 if data is images else None
        twin.fit(data, batch_size=batch_size, verbose=0, shuffle=False)
        assert int(twin.optimizer.iterations) == 3
        results.append(weights_of(twin))
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


class Batches(keras.utils.PyDataset):
    def __init__(self, images, batch_size):
        super().__init__()
        self.images, self.batch_size = images, batch_size

    def __len__(self):
        return -(-len(self.images) // self.batch_size)

    def __getitem__(self, i):
        return self.images[i * self.batch_size : (i + 1) * self.batch_size]


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
def test_mixed_precision(name, policy, case, tmp_path):
    _, images = case
    convolves = any("conv" in v.path for v in case[0].variables)
    if BACKEND == "torch" and convolves and not torch_has_cuda():
        pytest.skip("PyTorch has no half-precision convolutions on CPUs")
    config = case[0].get_config() | {"dtype_policy": name}
    model = type(case[0]).from_config(config)
    history = fit(model, images, batch_size=8, epochs=3, verbose=0).history
    assert all(np.isfinite(v).all() for v in history.values())
    assert made(model, 2).dtype == np.float32
    assert all(v.dtype == "float32" for v in model.trainable_variables)
    for player in model.players:
        scaled = isinstance(
            getattr(model, player), keras.optimizers.LossScaleOptimizer
        )
        assert scaled == (name == "mixed_float16")
    # Reported losses are unscaled: a factor of 2^15 would show.
    assert all(np.max(np.abs(v)) < 100 for v in history.values())

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
