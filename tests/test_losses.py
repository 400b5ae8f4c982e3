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
