"""Shared layers against NumPy."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_gans.layers import Dropout, Maxout


def test_maxout_is_the_largest_affine_map():
    layer = Maxout(3, pieces=2)
    x = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
    y = ops.convert_to_numpy(layer(x))
    kernel, bias = (ops.convert_to_numpy(w) for w in layer.weights)
    assert kernel.shape == (4, 6) and np.all(bias == 0)
    pieces = (x @ kernel + bias).reshape(5, 3, 2)
    np.testing.assert_allclose(y, pieces.max(-1), rtol=1e-5)
    assert layer.compute_output_shape((None, 4)) == (None, 3)


def test_maxout_config_round_trip():
    layer = Maxout(3, 2, kernel_initializer="zeros", name="m")
    twin = Maxout.from_config(layer.get_config())
    assert twin.get_config() == layer.get_config()


def test_dropout_keeps_the_mean_and_drops_the_share():
    layer = Dropout(0.2)
    x = np.ones((200, 500), dtype="float32")
    y = ops.convert_to_numpy(layer(x, training=True))
    values = np.unique(np.round(y, 5))
    np.testing.assert_allclose(values, [0.0, 1.25])
    assert abs((y == 0).mean() - 0.2) < 0.01
    assert np.any(y != ops.convert_to_numpy(layer(x, training=True)))
    np.testing.assert_array_equal(ops.convert_to_numpy(layer(x)), x)


def test_dropout_masks_come_back_with_the_state():
    layer, x = Dropout(0.5), np.ones((4, 50), dtype="float32")
    state = ops.convert_to_numpy(layer.seed_generator.state).copy()
    first = ops.convert_to_numpy(layer(x, training=True)).copy()
    layer.seed_generator.state.assign(state)
    again = ops.convert_to_numpy(layer(x, training=True))
    np.testing.assert_array_equal(first, again)


def test_dropout_refuses_a_rate_of_one():
    with pytest.raises(ValueError, match="Received: rate=1.0"):
        Dropout(1.0)


def test_both_load_in_a_keras_file(tmp_path):
    x = keras.Input((4,))
    model = keras.Model(x, Maxout(2, 3)(Dropout(0.5)(x)))
    model.save(tmp_path / "m.keras")
    twin = keras.saving.load_model(tmp_path / "m.keras")
    data = np.ones((2, 4), dtype="float32")
    np.testing.assert_array_equal(
        ops.convert_to_numpy(model(data)), ops.convert_to_numpy(twin(data))
    )
