"""Schedules against their formulas, and the group against its members."""

import copy

import keras
import numpy as np
import pytest
from keras import ops

from keras_gans.optimizers import GeometricDecay, MomentumSGD, OptimizerGroup


def numpy(x):
    return ops.convert_to_numpy(x)


@pytest.mark.parametrize("step", [0, 1, 1000, 1_000_000])
def test_geometric_decay(step):
    rate = numpy(GeometricDecay(0.1, factor=1.000004)(step))
    np.testing.assert_allclose(rate, 0.1 / 1.000004**step, rtol=1e-5)


def test_geometric_decay_has_a_floor():
    schedule = GeometricDecay(0.1, factor=2.0, minimum=1e-3)
    np.testing.assert_allclose(numpy(schedule(50)), 1e-3, rtol=1e-6)


def test_momentum_grows_by_epochs():
    """Against pylearn2's rule written out, with two steps an epoch."""
    w = keras.Variable(np.float32([1.0, -2.0]))
    optimizer = MomentumSGD(
        0.1, momentum=0.5, final_momentum=0.7, saturate=5, steps_per_epoch=2
    )
    optimizer.build([w])
    weight, velocity = np.array([1.0, -2.0]), np.zeros(2)
    for step in range(14):
        epoch = step // 2 + 1  # counted from 1
        alpha = min((epoch - 1) / (5 - 1), 1.0)
        momentum = 0.5 * (1 - alpha) + 0.7 * alpha
        np.testing.assert_allclose(
            numpy(optimizer.current_momentum()), momentum, rtol=1e-6
        )
        gradient = np.sin(step) + weight
        velocity = momentum * velocity - 0.1 * gradient
        weight = weight + velocity
        optimizer.apply([ops.convert_to_tensor(gradient, "float32")], [w])
        np.testing.assert_allclose(numpy(w), weight, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("start", [0.0, 0.5])
def test_dampened_momentum_is_torch_7s(start):
    """`optim.sgd` written out, with momentum from 0 on, and from 0.5."""
    w = keras.Variable(np.float32([1.0, -2.0]))
    optimizer = MomentumSGD(
        0.1,
        start,
        final_momentum=0.6,
        saturate=3,
        steps_per_epoch=2,
        dampened=True,
    )
    optimizer.build([w])
    weight, velocity = np.array([1.0, -2.0]), None
    for step in range(9):
        momentum = start + (0.6 - start) * min(step // 2 / 2, 1.0)
        gradient = np.cos(step) + weight
        change = gradient
        if momentum != 0:
            if velocity is None:
                velocity = gradient
            else:
                velocity = momentum * velocity + (1 - momentum) * gradient
            change = velocity
        weight = weight - 0.1 * change
        optimizer.apply([ops.convert_to_tensor(gradient, "float32")], [w])
        np.testing.assert_allclose(numpy(w), weight, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "optimizer",
    [
        MomentumSGD(GeometricDecay(), saturate=9),
        MomentumSGD(0.3),
        MomentumSGD(0.02, dampened=True),
    ],
)
def test_config_round_trip(optimizer):
    config = keras.optimizers.serialize(optimizer)
    # A copy: Keras deserializes schedules in place.
    twin = keras.optimizers.deserialize(copy.deepcopy(config))
    assert keras.optimizers.serialize(twin) == config


def group(*optimizers):
    members = {}
    for i, optimizer in enumerate(optimizers):
        optimizer.build([keras.Variable(np.float32([i]))])
        members[f"optimizer_{i}"] = optimizer
    return OptimizerGroup(members)


def test_group_lends_its_members_variables():
    adam, sgd = keras.optimizers.Adam(1e-3), keras.optimizers.SGD(1e-2)
    both = group(adam, sgd)
    ids = [id(v) for v in both.variables]
    assert ids == [id(v) for v in adam.variables + sgd.variables]


def test_setting_the_learning_rate_keeps_the_ratio():
    adam, sgd = keras.optimizers.Adam(1e-3), keras.optimizers.SGD(1e-2)
    both = group(adam, sgd)
    np.testing.assert_allclose(numpy(both.learning_rate), 1e-3)
    for rate in (5e-4, 0.0, 2e-3):  # back from zero, too
        both.learning_rate = rate
        np.testing.assert_allclose(numpy(adam.learning_rate), rate)
        np.testing.assert_allclose(
            numpy(sgd.learning_rate), 10 * rate, rtol=1e-6
        )


def test_learning_rate_callback_reaches_both_players():
    import keras_gans

    gan = keras_gans.GAN(image_shape=(4, 4, 1), variant="small")
    halve = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
    images = np.zeros((8, 4, 4, 1), "float32") - 0.5
    gan.fit(images, epochs=2, verbose=0, callbacks=[halve])
    for optimizer in (gan.generator_optimizer, gan.discriminator_optimizer):
        np.testing.assert_allclose(numpy(optimizer.learning_rate), 2.5e-4)


def test_one_optimizer_for_two_players_is_refused():
    import keras_gans

    gan = keras_gans.GAN(image_shape=(4, 4, 1), variant="small")
    adam = keras.optimizers.Adam()
    with pytest.raises(ValueError, match="a new optimizer as generator.*Rec"):
        gan.compile(adam, adam)


def test_optimizers_of_other_variables_are_refused():
    import keras_gans

    gan = keras_gans.GAN(image_shape=(4, 4, 1), variant="small")
    first, second = keras.optimizers.Adam(), keras.optimizers.Adam()
    gan.compile(first, second)
    gan.compile(first, second)  # the same players: it goes on
    with pytest.raises(ValueError, match="slots of other variables"):
        gan.compile(second, first)


@pytest.mark.parametrize("precision", ["float32", "mixed_float16"])
def test_loss_scaling_of_ones_own_is_kept(policy, tmp_path, precision):
    import keras_gans

    policy(precision)
    gan = keras_gans.GAN(image_shape=(4, 4, 1), variant="small")
    own = keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(1e-4))
    gan.compile(own, "adam")
    assert gan.generator_optimizer is own
    gan.fit(np.zeros((8, 4, 4, 1), "float32") - 0.5, verbose=0)
    gan.save(tmp_path / "gan.keras")
    twin = keras.saving.load_model(tmp_path / "gan.keras")
    for a, b in zip(
        own.variables, twin.generator_optimizer.variables, strict=True
    ):
        np.testing.assert_array_equal(numpy(a), numpy(b))


def test_optimizers_by_name_and_unknown_players():
    import keras_gans

    gan = keras_gans.GAN(image_shape=(4, 4, 1), variant="small")
    gan.compile(generator_optimizer="sgd")
    assert isinstance(gan.generator_optimizer, keras.optimizers.SGD)
    assert isinstance(gan.discriminator_optimizer, keras.optimizers.Adam)
    with pytest.raises(ValueError, match="Did you mean 'generator_optimizer'"):
        gan.compile(generatr_optimizer="sgd")
