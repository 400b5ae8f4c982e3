"""Gradients and steps against closed forms, on whichever backend runs."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_gans import backend
from keras_gans.backend import (
    SeedGenerator,
    gradient,
    minimize,
    minimize_jointly,
    vjp,
)


def variable(*values):
    return keras.Variable(np.array(values, dtype="float32"))


def sgd(variables, rate=0.1):
    optimizer = keras.optimizers.SGD(rate)
    optimizer.build(variables)
    return optimizer


def numpy(x):
    return ops.convert_to_numpy(x)


def test_minimize_takes_one_step_of_gradient_descent():
    w = variable(1.0, -2.0)
    # d/dw of sum(w^2) / 2 is w: w <- w - 0.1 w.
    loss, aux = minimize(lambda: (ops.sum(w**2) / 2, "kept"), sgd([w]), [w])
    np.testing.assert_allclose(numpy(loss), 2.5)
    assert aux == "kept"
    np.testing.assert_allclose(numpy(w), [0.9, -1.8], rtol=1e-6)


def test_minimize_accepts_a_loss_alone():
    w = variable(3.0)
    loss, aux = minimize(lambda: ops.sum(w), sgd([w]), [w])
    assert aux is None
    np.testing.assert_allclose(numpy(w), [2.9], rtol=1e-6)


def test_loss_scaling_changes_neither_loss_nor_step():
    w = variable(1.0, -2.0)
    optimizer = keras.optimizers.LossScaleOptimizer(
        keras.optimizers.SGD(0.1), initial_scale=1024.0
    )
    optimizer.build([w])
    loss, _ = minimize(lambda: ops.sum(w**2) / 2, optimizer, [w])
    np.testing.assert_allclose(numpy(loss), 2.5)
    np.testing.assert_allclose(numpy(w), [0.9, -1.8], rtol=1e-6)


def test_overflow_skips_the_step_and_halves_the_scale():
    w = variable(1.0)
    optimizer = keras.optimizers.LossScaleOptimizer(
        keras.optimizers.SGD(0.1), initial_scale=2.0**100
    )
    optimizer.build([w])
    minimize(lambda: ops.sum(w) * 1e30, optimizer, [w])
    np.testing.assert_allclose(numpy(w), [1.0])
    assert float(numpy(optimizer.dynamic_scale)) == 2.0**99


def test_assignments_inside_a_loss_are_kept_and_made_once():
    w, count = variable(1.0), variable(0.0)

    def loss_fn():
        count.assign(count + 1.0)
        return ops.sum(w)

    minimize(loss_fn, sgd([w]), [w])
    np.testing.assert_allclose(numpy(count), [1.0])


def test_through_a_kept_forward_pass_is_the_chain_rule():
    # y = w^2, loss = sin(y): dw = cos(w^2) 2w.
    w, runs = variable(0.7), variable(0.0)

    def forward():
        runs.assign(runs + 1.0)
        return w**2

    kept = vjp(forward, [w])
    np.testing.assert_allclose(numpy(kept[0]), [0.49], rtol=1e-6)
    loss, _ = minimize(
        lambda y: ops.sum(ops.sin(y)), sgd([w], 1.0), [w], through=kept
    )
    np.testing.assert_allclose(numpy(loss), np.sin(0.49), rtol=1e-6)
    expected = 0.7 - np.cos(0.49) * 1.4
    np.testing.assert_allclose(numpy(w), [expected], rtol=1e-5)
    np.testing.assert_allclose(numpy(runs), [1.0])


def test_joint_step_is_simultaneous():
    # The bilinear game f(x, y) = x y: each gradient at the old point.
    x, y = variable(1.0), variable(2.0)

    def losses_fn():
        return (ops.sum(x * y), -ops.sum(x * y)), None

    (x_loss, y_loss), _ = minimize_jointly(
        losses_fn, (sgd([x]), [x]), (sgd([y]), [y])
    )
    np.testing.assert_allclose([numpy(x_loss), numpy(y_loss)], [2.0, -2.0])
    np.testing.assert_allclose(numpy(x), [0.8], rtol=1e-6)  # 1 - 0.1 * 2
    np.testing.assert_allclose(numpy(y), [2.1], rtol=1e-6)  # 2 + 0.1 * 1


def test_gradient_and_its_gradient():
    # f(x) = w x^3 a row: df/dx = 3 w x^2, d/dw of its sum = 3 sum x^2.
    w = variable(2.0)
    x = ops.convert_to_tensor(np.array([[1.0], [2.0]], dtype="float32"))
    slope = gradient(lambda x: w * x**3, x)
    np.testing.assert_allclose(numpy(slope), [[6.0], [24.0]], rtol=1e-6)

    minimize(lambda: ops.sum(gradient(lambda x: w * x**3, x)), sgd([w]), [w])
    np.testing.assert_allclose(numpy(w), [2.0 - 0.1 * 15.0], rtol=1e-5)


def test_seed_generator_repeats_and_never_stands_still():
    first, second = SeedGenerator(7), SeedGenerator(7)
    a = numpy(keras.random.normal((4,), seed=first))
    b = numpy(keras.random.normal((4,), seed=first))
    assert np.abs(a - b).max() > 1e-3
    np.testing.assert_array_equal(
        a, numpy(keras.random.normal((4,), seed=second))
    )
    keras_own = keras.random.SeedGenerator(7)
    np.testing.assert_array_equal(
        a, numpy(keras.random.normal((4,), seed=keras_own))
    )


def test_seed_of_none_follows_set_random_seed():
    keras.utils.set_random_seed(5)
    first = numpy(SeedGenerator().state)
    keras.utils.set_random_seed(5)
    np.testing.assert_array_equal(first, numpy(SeedGenerator().state))
    assert np.any(first != numpy(SeedGenerator().state))


def test_inference_of_any_batch_size():
    network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    run = backend.inference(network)
    for n in (1, 5):
        x = np.ones((n, 3), dtype="float32")
        expected = x @ numpy(network.weights[0]) + numpy(network.weights[1])
        np.testing.assert_allclose(run(x), expected, rtol=1e-5)


def test_other_backends_are_refused_in_one_sentence():
    from tests.test_conformance import installed, run_python

    if not installed("jax"):
        pytest.skip("Keras's NumPy backend needs the extra `jax`")
    program = """
try:
    import keras_gans
except ImportError as error:
    print(error)
"""
    said = run_python(program, "numpy")
    assert "Received: KERAS_BACKEND=numpy" in said
