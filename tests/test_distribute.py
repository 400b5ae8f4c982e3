"""Training on many devices and machines, each in processes of their own."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

import keras
import numpy as np
import pytest

from keras_gans import distribute
from keras_gans.datasets import CaptionedData, ImageData, unpaired
from keras_gans.training import saves
from tests.test_conformance import run_python

ON_TENSORFLOW = keras.backend.backend() == "tensorflow"

# Trains a model for three steps, as one replica and as two. Each replica draws
# its rows of the noise that one would draw. In float64, where the two agree to
# the last digits: in float32 the last digit of CycleGAN's first weights, which
# differs between shares of a batch, is 1e-5 to 1e-2 of its weights three steps
# later, by the kinks of its ReLUs and by norms of almost constant channels.
AS_ONE_OR_TWO = """
import sys
import numpy as np
import keras
import tensorflow as tf
import keras_gans
from keras import ops
from keras_gans import backend, distribute
from keras_gans.models import stackgan
from tests.conformance import TINY, fit, images_like

keras.config.set_floatx("float64")
cpu = tf.config.list_physical_devices("CPU")[0]
logical = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(cpu, logical)

def rows_of_a_replica(draw):
    def drawn(shape, *args, **kwargs):
        if backend.num_replicas() == 1:
            return draw(shape, *args, **kwargs)
        whole = draw((2 * shape[0], *shape[1:]), *args, **kwargs)
        context = tf.distribute.get_replica_context()
        i = tf.get_static_value(context.replica_id_in_sync_group)
        return whole[i::2] if in_turn else ops.split(whole, 2)[i]
    return drawn

for name in ("normal", "uniform", "randint"):
    setattr(keras.random, name, rows_of_a_replica(getattr(keras.random, name)))

def dropout(x, rate, seed):
    keep = keras.random.uniform(ops.shape(x), seed=seed) >= rate
    return x * ops.cast(keep, x.dtype) / (1 - rate)

keras.random.dropout = dropout
backend.engine.replica_id = lambda: 0  # the same seeds everywhere

# As StackGAN's, whose wrong texts are the next ones in a share of four rows.
def judge_pairs(discriminator, real, fake, mean):
    part = {layer.name: layer for layer in discriminator.layers}
    def judge(x, text):
        return part["get_cond_logits"]([x, text], training=True)
    rows = [0, 1, 2] + [4, 5, 6] * (backend.num_replicas() == 1)
    real = part["encode_img"](real, training=True)
    fake = part["encode_img"](fake, training=True)
    wrong = ops.take(mean, [row + 1 for row in rows], 0)
    logits = [judge(real, mean), judge(ops.take(real, rows, 0), wrong),
              judge(fake, mean)]
    if "get_uncond_logits" in part:
        logits += [part["get_uncond_logits"](x) for x in (real, fake)]
    return logits

stackgan.judge_pairs = judge_pairs

def train(name, config, strategy):
    keras.utils.set_random_seed(0)
    with strategy.scope():
        model = keras_gans.create(name, **config)
        distribute.synchronize_batch_norm(model)
        rates = {p: keras.optimizers.SGD(0.01) for p in model.players}
        model.compile(**rates)
    rows = 8 * model.batches_a_step
    images = images_like(config, 3 * rows)
    if name == "autoencoder":  # it has no noise: of an uneven last batch, too
        images = images[:21]
    if in_turn and strategy is not two:
        images = images.reshape(3, 2, 4, *model.image_shape)
        images = images.swapaxes(1, 2).reshape(24, *model.image_shape)
    history = fit(model, images, batch_size=8, shuffle=False, verbose=0)
    return model, history.history

two = distribute.strategy("mirrored")
assert two.num_replicas_in_sync == 2
"""

EQUAL = (
    AS_ONE_OR_TWO
    + """
NO_NOISE = {"cyclegan": {"pool_size": 0}, "autoencoder": {"corruption": None}}
for name, config in [*TINY.items()][PART::3]:
    config = config | NO_NOISE.get(name, {})
    # The first half of a share are LAPGAN's real images, the second its fakes:
    # one replica gets the rows of two in turn.
    in_turn = name == "lapgan"
    one_model, one_logs = train(name, config, distribute.strategy("one"))
    two_model, two_logs = train(name, config, two)
    start = keras.utils.set_random_seed(0) or keras_gans.create(name, **config)
    pairs = [*zip(one_model.weights, two_model.weights, start.weights)]
    for a, b, c in pairs:
        if a.path.startswith("seed_generator") or "random" in a.path:
            continue
        error = np.abs(a.numpy() - b.numpy()).max(initial=0)
        assert error < 1e-12, (name, a.path, error)
    assert any(np.abs(a.numpy() - c.numpy()).max(initial=0) > 1e-4
               for a, _, c in pairs), name
    for key, values in one_logs.items():
        np.testing.assert_allclose(two_logs[key], values, rtol=1e-6)
print("equal")
"""
)


@pytest.mark.skipif(not ON_TENSORFLOW, reason="replicas are TensorFlow's")
@pytest.mark.parametrize("part", range(3))
def test_two_replicas_take_the_step_of_one(part):
    assert "equal" in run_python(EQUAL.replace("PART", str(part)), "tensorflow")


OVERFLOWS = """
import numpy as np
import tensorflow as tf
import keras
import keras_gans  # it sets TensorFlow's options
from keras_gans import backend, distribute

cpu = tf.config.list_physical_devices("CPU")[0]
logical = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(cpu, logical)
two = distribute.strategy("mirrored")
assert two.num_replicas_in_sync == 2
for overflows in (0, 1, None):
    with two.scope():
        weights = keras.Variable([1.0, 2.0])
        optimizer = keras.optimizers.LossScaleOptimizer(
            keras.optimizers.SGD(0.5), initial_scale=4.0
        )
        optimizer.build([weights])

    @tf.function
    def step():
        def of_replica():
            here = backend.engine.replica_id()
            gradient = tf.cast([here + 1, here + 1], "float32") * 4.0
            if overflows is not None:
                bad = tf.where(here == overflows, np.inf, 0.0)
                gradient += tf.cast(bad, "float32")
            backend.engine.apply(optimizer, [gradient], [weights])
        two.run(of_replica)

    step()
    scale = float(optimizer.dynamic_scale.numpy())
    # Skipped and halved wherever it overflows; else 1 + 2 of both replicas.
    expected = [1.0, 2.0] if overflows is not None else [-0.5, 0.5]
    np.testing.assert_array_equal(weights.numpy(), expected)
    assert scale == (4.0 if overflows is None else 2.0), scale
print("skipped")
"""


@pytest.mark.skipif(not ON_TENSORFLOW, reason="replicas are TensorFlow's")
def test_an_overflow_in_any_replica_skips_the_step_of_all():
    assert "skipped" in run_python(OVERFLOWS, "tensorflow")


def shares_of(batch, replicas):
    """A batch of a kind of data, whole, and put together of its shares."""
    whole = batch((0, 1))
    parts = [batch((i, replicas)) for i in range(replicas)]
    together = keras.tree.map_structure(lambda *x: np.concatenate(x), *parts)
    return keras.tree.flatten(whole), keras.tree.flatten(together)


@pytest.mark.parametrize("replicas", [2, 3])
@pytest.mark.parametrize("batch_size", [5, 7, 15])
def test_shares_of_replicas_make_up_the_batch(batch_size, replicas):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (22, 6, 6, 3), dtype=np.uint8)
    data = ImageData("some", images, np.arange(22) % 4)
    vectors = tuple(rng.normal(size=(2, 3)) for _ in range(22))
    captioned = CaptionedData(
        "some",
        images,
        np.arange(22) % 4,
        captions=(("one", "two"),) * 22,
        embeddings=vectors,
        encoder="letters",
    )
    how = {"batch_size": batch_size, "seed": 3, "flip": True, "crop": (4, 4)}
    for batches in (
        data.batches(labels=True, **how),
        unpaired(data, data.part(slice(17))).batches(**how),
        captioned.pairs(**how),
    ):
        # Of a smaller last batch one would get nothing: `check_replicas`.
        whole = batches.sizes()[1] >= replicas
        for index in range(len(batches) - (not whole)):
            for a, b in zip(
                *shares_of(
                    lambda share: batches.batch(2, index, share),  # noqa: B023
                    replicas,
                ),
                strict=True,
            ):
                np.testing.assert_array_equal(a, b)


SWITCHED = """
import dataclasses, sys
import numpy as np
import tensorflow as tf
import keras_gans  # it sets TensorFlow's options
from keras_gans import distribute, training
from tests.test_training import assert_equal, final, tiny, toy

cpu = tf.config.list_physical_devices("CPU")[0]
logical = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(cpu, logical)
two, one = distribute.strategy("mirrored"), distribute.strategy("one")
assert two.num_replicas_in_sync == 2
for first, second in ((two, one), (one, two)):
    out = f"{sys.argv[1]}/{first.num_replicas_in_sync}"
    recipe = tiny("dcgan", steps=3)
    data = toy(recipe)
    before = training.train(recipe, out, data, verbose=0, strategy=first)
    with second.scope():
        assert_equal(before, final(training.Path(out)))
    recipe = dataclasses.replace(recipe, steps=6)
    after = training.train(recipe, out, data, verbose=0, strategy=second)
    for player in after.players:
        assert getattr(after, player).iterations.numpy() == 6
    assert all(np.isfinite(w.numpy()).all() for w in after.weights)
    assert_equal(after, final(training.Path(out)))
print("went on")
"""


@pytest.mark.skipif(not ON_TENSORFLOW, reason="replicas are TensorFlow's")
def test_a_save_made_under_another_strategy(tmp_path):
    said = run_python(SWITCHED, "tensorflow", str(tmp_path))
    assert "went on" in said


# === Several machines ===

RECIPE = """
model = "dcgan"
steps = 60
batch_size = 15
seed = 0
save_every = 5
sample_every = 30
[config]
image_shape = [28, 28, 1]
width = 4
ema_decay = 0.9
[data]
name = "mnist_5k"
"""


def start_workers(program):
    """Two processes of this machine that know each other by `TF_CONFIG`."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    hosts = [f"127.0.0.1:{s.getsockname()[1]}" for s in sockets]
    for s in sockets:
        s.close()
    workers = []
    for i in range(2):
        config = {
            "cluster": {"worker": hosts},
            "task": {"type": "worker", "index": i},
        }
        workers.append(
            subprocess.Popen(
                program,
                env=os.environ | {"TF_CONFIG": json.dumps(config)},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
    return workers


def ended(workers, timeout=240):
    """What the workers said; they are killed where they do not end."""
    try:
        return [worker.communicate(timeout=timeout)[0] for worker in workers]
    finally:
        for worker in workers:
            worker.kill()


def train_command(recipe, out):
    program = "import sys; from keras_gans.cli import main; sys.exit(main())"
    arguments = ["train", str(recipe), "--out", str(out)]
    return [sys.executable, "-c", program, *arguments]


def weights_in(path):
    model = keras.saving.load_model(path)
    optimizers = [v for o in model.players for v in getattr(model, o).variables]
    return [w.numpy() for w in model.weights + optimizers]


@pytest.mark.slow
@pytest.mark.skipif(not ON_TENSORFLOW, reason="workers are TensorFlow's")
@pytest.mark.parametrize("lost", [0, 1])
def test_a_worker_that_is_lost_costs_nothing(lost, tmp_path):
    recipe = tmp_path / "small.toml"
    recipe.write_text(RECIPE)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    for text in ended(start_workers(train_command(recipe, whole))):
        assert f"{whole / 'small'}" in text, text[-2000:]

    workers = start_workers(train_command(recipe, broken))
    killed, other = workers[lost], workers[1 - lost]
    deadline = time.monotonic() + 120
    while not (broken.is_dir() and len(saves(broken)) > 1):
        assert time.monotonic() < deadline and other.poll() is None
        time.sleep(0.05)
    killed.send_signal(signal.SIGKILL)
    said, _ = other.communicate(timeout=120)
    assert other.returncode == 2
    # Which it is TensorFlow does not always say.
    worker = f"(worker {lost}|another worker)"
    assert re.search(f"step. Received: no sign of {worker}. Start", said), said
    assert "Traceback" not in said
    killed.communicate()
    assert not (broken / "small").exists()

    ended(start_workers(train_command(recipe, broken)))
    newest = saves(whole)[-1].name
    assert newest == saves(broken)[-1].name == "step_00000060.keras"
    for a, b in zip(
        weights_in(whole / newest), weights_in(broken / newest), strict=True
    ):
        np.testing.assert_array_equal(a, b)


@pytest.mark.skipif(not ON_TENSORFLOW, reason="workers are TensorFlow's")
def test_two_workers_hold_the_same_weights_and_report_the_same_logs():
    program = """
import hashlib
import keras
import keras_gans
from keras_gans import distribute
from tests.conformance import TINY, fit, images_like

strategy = distribute.strategy("auto")
assert strategy.num_replicas_in_sync == 2
for name in ("acgan",):
    keras.utils.set_random_seed(0)
    with strategy.scope():
        model = keras_gans.create(name, **TINY[name])
        distribute.synchronize_batch_norm(model)
    images = images_like(TINY[name], 24 * model.batches_a_step)
    history = fit(model, images, batch_size=8, verbose=0).history
    weights = b"".join(w.numpy().tobytes() for w in model.weights)
    print("=", name, hashlib.sha256(weights).hexdigest(), history)
"""
    said = ended(start_workers([sys.executable, "-c", program]))
    lines = [[x for x in s.splitlines() if x.startswith("= ")] for s in said]
    assert len(lines[0]) == 1, said[0][-2000:]
    assert lines[0] == lines[1]


# === What is asked for ===


def test_workers_of_a_configuration():
    config = {
        "cluster": {"worker": ["a:1", "b:2"]},
        "task": {"type": "worker", "index": 1},
    }
    assert distribute.workers_of(json.dumps(config)) == ["a:1", "b:2"]
    assert distribute.workers_of(None) == distribute.workers_of("") == []


@pytest.mark.parametrize(
    "config, words",
    [
        ("{", "which is not JSON"),
        ("[]", "Name the workers"),
        ("{}", "Name the workers"),
        ('{"cluster": {"worker": []}}', "Name the workers"),
        (
            '{"cluster": {"worker": ["a"]}, '
            '"task": {"type": "worker", "index": 0}}',
            "Name the workers",
        ),
        (
            '{"cluster": {"worker": ["a:1", "b:1"]}, '
            '"task": {"type": "worker", "index": 2}}',
            "from 0 to 1.*Received: type='worker', index=2",
        ),
        (
            '{"cluster": {"worker": ["a:1"]}, '
            '"task": {"type": "chief", "index": 0}}',
            "Received: type='chief'",
        ),
    ],
)
def test_a_configuration_that_names_no_workers(config, words):
    with pytest.raises(ValueError, match=f"Expected TF_CONFIG.*{words}"):
        distribute.workers_of(config)


def test_strategies_that_are_not_to_be_had(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with pytest.raises(ValueError, match="Did you mean 'mirrored'"):
        distribute.strategy("mirror")
    with pytest.raises(ValueError, match="Expected .* Received: "):
        distribute.strategy("multiworker")
    if keras.backend.backend() == "torch":
        with pytest.raises(ValueError, match="one' on PyTorch"):
            distribute.strategy("mirrored")


def test_one_device_is_what_there_was(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    for kind in ("one", "auto"):
        strategy = distribute.strategy(kind)
        assert strategy.num_replicas_in_sync == 1
        assert distribute.is_chief(strategy)
        assert not distribute.any_worker(strategy, False)
        with strategy.scope():
            assert keras.Variable(1.0).numpy() == 1.0


@pytest.mark.skipif(not ON_TENSORFLOW, reason="TensorFlow's is in use then")
def test_workers_must_meet_before_tensorflow_starts(monkeypatch):
    config = {
        "cluster": {"worker": ["127.0.0.1:1", "127.0.0.1:2"]},
        "task": {"type": "worker", "index": 0},
    }
    monkeypatch.setenv("TF_CONFIG", json.dumps(config))
    keras.ops.ones(1)
    with pytest.raises(RuntimeError, match="beginning of the program"):
        distribute.strategy("multiworker")


ON_JAX = """
import numpy as np
import jax
import keras
import keras_gans
from keras_gans import distribute
from tests.conformance import TINY, fit, images_like

def train(name, strategy):
    keras.utils.set_random_seed(0)
    with strategy.scope():
        model = keras_gans.create(name, **TINY[name])
        rates = {p: keras.optimizers.SGD(0.01) for p in model.players}
        model.compile(**rates)
        images = images_like(TINY[name], 24 * model.batches_a_step)
        logs = fit(model, images, batch_size=8, verbose=0).history
    return [np.asarray(w) for w in model.weights], logs

assert len(jax.devices()) == 2
two = distribute.strategy("mirrored")
assert two.num_replicas_in_sync == 2
for name in ("dcgan",):
    one_weights, one_logs = train(name, distribute.strategy("one"))
    two_weights, two_logs = train(name, two)
    for a, b in zip(one_weights, two_weights):
        np.testing.assert_allclose(a, b, atol=1e-5)
    for key in one_logs:
        np.testing.assert_allclose(one_logs[key], two_logs[key], rtol=1e-4)

# What JAX cannot cut: a sentence, and the weights are still there.
with two.scope():
    model = keras_gans.create("gan", **TINY["gan"])
    for rows, batch_size, words in ((21, 8, "last batch"), (24, 5, "to 6")):
        try:
            fit(model, images_like(TINY["gan"], rows), batch_size=batch_size)
        except ValueError as error:
            assert words in str(error), error
        else:
            raise AssertionError(rows)
    assert np.isfinite(model.generate(2, seed=0)).all()
print("equal")
"""


def test_two_devices_of_jax_take_the_step_of_one(monkeypatch):
    pytest.importorskip("jax")
    flag = "--xla_force_host_platform_device_count=2"
    monkeypatch.setenv("XLA_FLAGS", flag)
    assert "equal" in run_python(ON_JAX, "jax")
