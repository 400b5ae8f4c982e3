"""Training on many devices and machines, each in processes of their own."""

import json
import os

import keras
import numpy as np
import pytest

import keras_gans
from keras_gans import distribute
from tests.conformance import TINY
from tests.test_conformance import run_python

ON_TENSORFLOW = keras.backend.backend() == "tensorflow"

# Trains a model for three steps, as one replica and as two. Each replica draws
# its rows of the noise that one would draw.
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
for name, config in [*TINY.items()][PART::3]:
    config = config | ({"pool_size": 0} if name == "cyclegan" else {})
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
        assert error < 1e-5, (name, a.path, error)
    assert any(np.abs(a.numpy() - c.numpy()).max(initial=0) > 1e-4
               for a, _, c in pairs), name
    for key, values in one_logs.items():
        np.testing.assert_allclose(
            two_logs[key], values, rtol=1e-4, atol=1e-5, err_msg=f"{name} {key}")
print("equal")
"""
)


@pytest.mark.skipif(not ON_TENSORFLOW, reason="replicas are TensorFlow's")
@pytest.mark.parametrize("part", range(3))
def test_two_replicas_take_the_step_of_one(part):
    assert "equal" in run_python(EQUAL.replace("PART", str(part)), "tensorflow")
