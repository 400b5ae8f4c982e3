"""Shared layers against NumPy."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_gans.layers import Conv2D, Dropout, Maxout


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


@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize(
    "size, channels, filters, options",
    [
        (3, 33, 5, {}),
        (7, 20, 3, {}),  # scattered
        (4, 40, 1, {}),  # scattered, derivatives too
        (7, 3, 6, {}),
        (3, 33, 5, {"strides": 2}),
        (3, 33, 5, {"padding": "same"}),
        (3, 33, 5, {"dilation_rate": 2}),
    ],
)
def test_convolution_is_keras_own(n, size, channels, filters, options):
    """Outputs, both derivatives, and the derivative of one."""
    from keras_gans.backend import gradient, vjp

    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 11, 9, channels)).astype("float32")
    x = ops.convert_to_tensor(x)
    ours = Conv2D(filters, size, **options)
    theirs = keras.layers.Conv2D(filters, size, **options)
    for layer in (ours, theirs):
        layer.build(x.shape)
    ours.set_weights(theirs.get_weights())

    results = []
    for layer in (ours, theirs):

        def loss(layer=layer):
            y = layer(x)
            slopes = gradient(lambda x: ops.sin(layer(x)), x)
            return ops.sum(ops.sin(y)) + ops.sum(ops.square(slopes))

        value, pullback = vjp(loss, layer.trainable_variables)
        slopes = gradient(lambda x, layer=layer: ops.sin(layer(x)), x)
        one = ops.ones((), dtype=value.dtype)
        results.append([layer(x), value, slopes, *pullback(one)])
    for a, b in zip(*results, strict=True):
        a, b = ops.convert_to_numpy(a), ops.convert_to_numpy(b)
        np.testing.assert_allclose(a, b, atol=1e-4 * np.abs(b).max())


@pytest.mark.parametrize("sides", [(9, 8), (4, 3)])
def test_convolution_of_upsampled_images_is_keras_own(sides):
    from keras_gans.backend import gradient, vjp

    x = np.random.default_rng(0).normal(size=(3, *sides, 5)).astype("float32")
    x = ops.convert_to_tensor(x)
    ours = Conv2D(6, 3, padding="same", upsample=True)
    theirs = keras.layers.Conv2D(6, 3, padding="same")
    enlarged = keras.layers.UpSampling2D(2, interpolation="nearest")
    assert ours(x).shape == ours.compute_output_shape(x.shape)
    assert ours.compute_output_shape((None, None, 4, 5)) == (None, None, 8, 6)
    theirs(enlarged(x))
    theirs.set_weights(ours.get_weights())
    twin = Conv2D.from_config(ours.get_config())
    twin(x)
    twin.set_weights(ours.get_weights())

    results = []
    for layer in (ours, twin, lambda x: theirs(enlarged(x))):
        value, pullback = vjp(
            lambda layer=layer: ops.sum(ops.sin(layer(x))),
            getattr(layer, "trainable_variables", theirs.trainable_variables),
        )
        slopes = gradient(lambda x, layer=layer: ops.sin(layer(x)), x)
        one = ops.ones((), dtype=value.dtype)
        results.append([layer(x), value, slopes, *pullback(one)])
    for found in zip(*results, strict=True):
        *ours, theirs = map(ops.convert_to_numpy, found)
        for a in ours:
            np.testing.assert_allclose(a, theirs, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    "options",
    [{"strides": 2}, {"padding": "valid"}, {"kernel_size": 5}, {"groups": 2}],
)
def test_convolution_of_upsampled_images_takes_no_more(options):
    options = {"kernel_size": 3, "padding": "same", **options}
    with pytest.raises(ValueError, match="alone beside `upsample`"):
        Conv2D(4, upsample=True, **options)


@pytest.mark.parametrize("filters", [1, 3, 8])
def test_convolution_in_a_graph_keeps_the_shape(filters):
    if keras.backend.backend() != "tensorflow":
        pytest.skip("graphs are TensorFlow's")
    import tensorflow as tf

    layer = Conv2D(filters, 3)
    layer.build((None, None, None, 40))
    for shape in ((None, 9, 8, 40), (1, 9, 8, 40), (None, None, None, 40)):
        run = tf.function(layer, input_signature=[tf.TensorSpec(shape)])
        n, h, w, _ = shape
        expected = [n, h and h - 2, w and w - 2, filters]
        found = run.get_concrete_function().structured_outputs.shape
        assert found.as_list() == expected
        assert run(np.ones((1, 9, 8, 40))).shape == (1, 7, 6, filters)


def test_convolution_under_half_precision(policy):
    policy("mixed_bfloat16")
    layer = Conv2D(3, 3)
    x = np.random.default_rng(0).normal(size=(1, 8, 8, 40)).astype("float32")
    y = layer(x)
    assert keras.backend.standardize_dtype(y.dtype) == "bfloat16"
    kernel, bias = (ops.cast(w, "float32") for w in layer.weights)
    expected = ops.conv(x, kernel) + bias
    np.testing.assert_allclose(
        ops.convert_to_numpy(ops.cast(y, "float32")),
        ops.convert_to_numpy(expected),
        atol=0.05,
    )
