"""tf.distribute: two logical CPUs, in a process of their own."""

import keras
import pytest

from tests.test_conformance import run_python

if keras.backend.backend() != "tensorflow":
    pytest.skip("tf.distribute is TensorFlow's", allow_module_level=True)

TWO_REPLICAS = """
import numpy as np
import keras_gans, keras
import tensorflow as tf
from keras_gans.backend import SeedGenerator, minimize

cpu = tf.config.list_physical_devices("CPU")[0]
logical = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(cpu, logical)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])

# A mean loss over the global batch 1, 2 | 3, 4: w <- 1 - 0.1 * 2.5.
with strategy.scope():
    w = keras.Variable(np.float32([1.0]))
    optimizer = keras.optimizers.SGD(0.1)
    optimizer.build([w])
    seeds = SeedGenerator(3)

def step(x):
    loss, _ = minimize(lambda: tf.reduce_mean(w * x), optimizer, [w])
    return loss, keras.random.normal((1000,), seed=seeds)

def share(context):
    i = context.replica_id_in_sync_group
    return tf.constant([[1.0, 2.0], [3.0, 4.0]][i])

x = strategy.experimental_distribute_values_from_function(share)
loss, noise = tf.function(lambda x: strategy.run(step, (x,)))(x)
losses = [float(v) for v in strategy.experimental_local_results(loss)]
np.testing.assert_allclose(losses, [1.5, 3.5])
np.testing.assert_allclose(w.numpy(), [0.75], rtol=1e-6)
a, b = (v.numpy() for v in strategy.experimental_local_results(noise))
assert abs(np.corrcoef(a, b)[0, 1]) < 0.1, "replicas draw the same noise"
np.testing.assert_array_equal(
    a, keras.random.normal((1000,), seed=SeedGenerator(3)).numpy()
)

# Every model trains under the strategy as it is.
from tests.conformance import CASES, TINY, fit, images_like, made
for name, config in [*TINY.items()][HALF::2]:
    keras.utils.set_random_seed(0)
    with strategy.scope():
        model = keras_gans.create(name, **config)
        model.compile()
    before = [np.array(v) for v in model.get_weights()]
    fit(model, images_like(config, 16), batch_size=8, verbose=0)
    after = model.get_weights()
    assert all(np.isfinite(v).all() for v in after), name
    moved = [np.abs(v - u).max() > 0 for u, v in zip(before, after)]
    # StackGAN's first stage is frozen; layers of four rectified units, as these
    # are, may have none that is active.
    stays = 20 if name == "stackgan" else len(moved) // 4
    assert sum(moved) >= len(moved) - stays, (name, moved)
    # BatchNorm's moving statistics are each replica's own; all else is one.
    average = getattr(model, "ema_generator", None)
    average = average.layers if average else []
    kept = [w for la in average for w in la.weights
            if "moving_" not in w.path]
    for v in model.trainable_variables + kept:
        one, two = strategy.experimental_local_results(v.value)
        np.testing.assert_array_equal(one.numpy(), two.numpy(), v.path)
    assert made(model, 3).shape == (3, *config["image_shape"])
# Too few images for the replicas: a sentence, and nothing trained.
with strategy.scope():
    model = keras_gans.create("wgan_gp", **CASES["wgan_gp"][1])
images = images_like(CASES["wgan_gp"][1], n=21)
for rows, batch_size in ((21, 1), (21, 2), (3, 3)):
    try:
        model.fit(images[:rows], batch_size=batch_size, verbose=0)
    except ValueError as error:
        assert "replica" in str(error), error
    else:
        raise AssertionError((rows, batch_size))
print("two replicas: fine")
"""


@pytest.mark.parametrize("half", [0, 1])
def test_two_replicas(half):
    script = TWO_REPLICAS.replace("HALF", str(half))
    assert "fine" in run_python(script, "tensorflow")
