"""What half precision makes of gradients."""

from unittest import mock

import keras
import numpy as np

import keras_gans
from tests.conformance import fit


def gradient_cosines(model, images, policy):
    """Cosine of each player's first gradient in a policy with float32's."""
    gradients = []
    for dtype_policy in ("float32", policy):
        keras.utils.set_random_seed(1)  # of the noise
        config = model.get_config() | {"dtype_policy": dtype_policy}
        twin = type(model).from_config(config)
        twin.set_weights(model.get_weights())
        gradients.append(first_gradients(twin, images))
    full, half = gradients
    return {
        player: full[player]
        @ half[player]
        / (np.linalg.norm(full[player]) * np.linalg.norm(half[player]))
        for player in model.players
    }


def first_gradients(model, images):
    """Each player's gradient in the first step, in which nothing moves."""
    import tensorflow as tf

    gradients = {}

    def keep(optimizer, values, variables):
        def store(scale, *values):
            flat = [np.ravel(v).astype("float64") / scale for v in values]
            gradients.setdefault(id(optimizer), np.concatenate(flat))

        # Unless it runs eagerly, in a graph, as models are trained: there
        # oneDNN sums the gradients of a bfloat16 convolution's bias in float32,
        # TensorFlow's own kernel on CPUs in bfloat16, and loses most of it.
        scale = tf.cast(optimizer.scale_loss(1.0), "float64")
        tf.numpy_function(store, [scale, *values], [])

    def dropout(x, rate, seed):  # Keras's draws other numbers in half precision
        kept = keras.random.uniform(keras.ops.shape(x), seed=seed) >= rate
        return x * keras.ops.cast(kept, x.dtype) / (1.0 - rate)

    scaled = keras.optimizers.LossScaleOptimizer
    half = model.dtype_policy.name == "mixed_float16"
    # Of 2^15, at which it begins, the first few steps may overflow.
    optimizers = {
        player: scaled(optimizer, initial_scale=256.0) if half else optimizer
        for player, optimizer in model.default_optimizers().items()
    }
    model.compile(**optimizers)
    with (
        mock.patch.object(keras_gans.backend.engine, "apply", keep),
        mock.patch.object(keras.random, "dropout", dropout),
    ):
        fit(model, images, batch_size=len(images), verbose=0)
    return {
        player: gradients[id(getattr(model, player))]
        for player in model.players
    }
