"""Histograms and accuracies by hand."""

import numpy as np
import pytest

from keras_gans.metrics.classes import class_histogram, conditional_accuracy


def test_histogram():
    counts = class_histogram(np.array([0, 2, 2, 1, 2]), classes=4)
    np.testing.assert_array_equal(counts, [1, 1, 3, 0])


def test_conditional_accuracy():
    assert conditional_accuracy([0, 1, 2, 2], [0, 1, 1, 2]) == 0.75
    assert conditional_accuracy(np.uint8([1]), np.int64([1])) == 1.0


def test_bad_input():
    with pytest.raises(ValueError, match="from 0 to 2. Received: 3"):
        class_histogram([3], classes=3)
    with pytest.raises(ValueError, match="argmax"):
        class_histogram([[0.1, 0.9]], classes=2)
    with pytest.raises(ValueError, match="Expected 2 of `asked`. Received: 1"):
        conditional_accuracy([0, 1], [0])
