"""Losses against values worked out by hand, and from both sides."""

import numpy as np
import pytest
from keras import ops

from keras_gans import losses

LOG2 = np.log(2.0)
# Logits whose D(x) is 0.8 and 0.25.
A, B = np.log(4.0), -np.log(3.0)


def value(loss, *logits):
    tensors = [
        ops.convert_to_tensor(np.array(x, dtype="float32")) for x in logits
    ]
    return float(ops.convert_to_numpy(loss(*tensors)))


@pytest.mark.parametrize(
    "loss, logits, expected",
    [
        (losses.discriminator_loss, ([[0.0]], [[0.0]]), 2 * LOG2),
        # -log 0.8 - log(1 - 0.25)
        (losses.discriminator_loss, ([[A]], [[B]]), -np.log(0.8 * 0.75)),
        # the other way round: -log 0.25 - log(1 - 0.8)
        (losses.discriminator_loss, ([[B]], [[A]]), -np.log(0.25 * 0.2)),
        # a mean over samples of each kind, which may differ in number
        (
            losses.discriminator_loss,
            ([[A], [B]], [[0.0]]),
            -(np.log(0.8) + np.log(0.25)) / 2 + LOG2,
        ),
        (losses.non_saturating_generator_loss, ([[0.0]],), LOG2),
        (losses.non_saturating_generator_loss, ([[A]],), -np.log(0.8)),
        (losses.non_saturating_generator_loss, ([[B]],), -np.log(0.25)),
        (losses.minimax_generator_loss, ([[0.0]],), -LOG2),
        (losses.minimax_generator_loss, ([[A]],), np.log(0.2)),
        (losses.minimax_generator_loss, ([[B]],), np.log(0.75)),
    ],
)
def test_by_hand(loss, logits, expected):
    np.testing.assert_allclose(value(loss, *logits), expected, rtol=1e-6)


def test_sure_discriminators_overflow_nowhere():
    assert value(losses.discriminator_loss, [[500.0]], [[-500.0]]) == 0.0
    assert value(losses.discriminator_loss, [[-500.0]], [[500.0]]) == 1000.0
    assert value(losses.non_saturating_generator_loss, [[-500.0]]) == 500.0
    assert value(losses.minimax_generator_loss, [[500.0]]) == -500.0


def test_half_precision_logits_are_averaged_in_float32():
    logits = ops.cast(ops.convert_to_tensor(np.zeros((3, 1))), "float16")
    loss = losses.non_saturating_generator_loss(logits)
    assert "float32" in str(loss.dtype)
    np.testing.assert_allclose(ops.convert_to_numpy(loss), LOG2, rtol=1e-6)


@pytest.mark.parametrize(
    "labels, logits, expected",
    [
        ([0, 2], [[0.0, 0.0, 0.0]] * 2, np.log(3.0)),
        # softmax of (log 4, 0, 0): 2/3, 1/6, 1/6
        ([0], [[np.log(4.0), 0.0, 0.0]], -np.log(2 / 3)),
        ([1], [[np.log(4.0), 0.0, 0.0]], -np.log(1 / 6)),
        ([0, 1], [[np.log(4.0), 0.0, 0.0]] * 2, -np.log(1 / 9) / 2),
        ([1], [[200.0, 0.0, 0.0]], 200.0),  # where a softmax is zero
    ],
)
def test_class_loss_by_hand(labels, logits, expected):
    labels = np.array(labels, "int32")
    found = value(lambda x: losses.class_loss(labels, x), logits)
    assert found == pytest.approx(expected, rel=1e-6)


def test_wasserstein_estimate_by_hand():
    real, fake = [[3.0], [5.0]], [[1.0], [0.0], [-4.0]]
    assert value(losses.wasserstein_estimate, real, fake) == pytest.approx(5.0)
    assert value(losses.wasserstein_estimate, fake, real) == pytest.approx(-5.0)


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_penalty_of_linear_critics(scale):
    """f(x) = <w, x> has the slope ||w||, wherever x is."""
    w = np.random.default_rng(0).normal(size=(1, 4, 5, 2)).astype("float32")
    norm = float(np.linalg.norm(w))
    w = ops.convert_to_tensor(w)
    x = ops.convert_to_tensor(np.ones((3, 4, 5, 2), "float32"))

    def penalty(factor):
        def critic(x):
            return ops.sum(factor * w * x, axis=(1, 2, 3))

        found = losses.gradient_penalty(critic, x, scale)
        return float(ops.convert_to_numpy(found))

    assert penalty(1.0) == pytest.approx((scale * norm - 1) ** 2, rel=1e-5)
    assert penalty(1.0 / (scale * norm)) == pytest.approx(0.0, abs=1e-10)
    assert penalty(0.0) == pytest.approx(1.0, abs=1e-5)


def test_penalty_of_each_image_by_itself():
    """f(x) = x^2 / 2 of one pixel: slopes |x|."""
    x = np.array([0.0, 1.0, -3.0], "float32").reshape(3, 1, 1, 1)
    found = losses.gradient_penalty(
        lambda x: ops.sum(ops.square(x), (1, 2, 3)) / 2,
        ops.convert_to_tensor(x),
    )
    expected = (1.0 + 0.0 + 4.0) / 3
    assert float(ops.convert_to_numpy(found)) == pytest.approx(expected)


def test_points_lie_between_their_pairs():
    from keras_gans.backend import SeedGenerator

    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(2, 500, 3, 3, 2)).astype("float32")
    x = losses.between(
        ops.convert_to_tensor(real),
        ops.convert_to_tensor(fake),
        SeedGenerator(0),
    )
    e = (ops.convert_to_numpy(x) - real) / (fake - real)
    # One e an image, the same at all its pixels; uniform over them.
    middle = np.median(e.reshape(500, -1), axis=1)
    np.testing.assert_allclose(
        e.reshape(500, -1), middle[:, None] * np.ones(18), atol=0.05
    )
    assert middle.min() >= -1e-3 and middle.max() <= 1.001
    assert abs(middle.mean() - 0.5) < 0.06
    assert abs(middle.std() - 12**-0.5) < 0.03
