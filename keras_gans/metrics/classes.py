"""Which classes samples fall into, by a classifier's word."""

from typing import Any

import numpy as np

from keras_gans.arguments import check_counts
from keras_gans.metrics.checks import checked_labels


def class_histogram(predicted: Any, classes: int) -> np.ndarray:
    """How many samples fall into each class.

    ```python
    class_histogram([0, 2, 2], classes=3)  # [1, 0, 2]
    ```

    Args:
        predicted: Integer classes `[n]`, from 0.
        classes: How many there are.

    Returns:
        int64 counts `[classes]`.

    Raises:
        ValueError: If a class is out of range.
    """
    predicted = checked_labels(predicted, "predicted")
    check_counts(classes=classes)
    if predicted.max() >= classes:
        raise ValueError(
            f"Expected `predicted` from 0 to {classes - 1}. Received: "
            f"{predicted.max()}. Pass the classifier's own number of classes."
        )
    return np.bincount(predicted, minlength=classes)


def conditional_accuracy(predicted: Any, asked: Any) -> float:
    """Share of samples in which the classifier sees the class asked for.

    ```python
    conditional_accuracy([0, 2, 2, 1], asked=[0, 2, 1, 1])  # 0.75
    ```

    Args:
        predicted: Integer classes `[n]` of a classifier.
        asked: Integer classes `[n]` that the generator was given.

    Raises:
        ValueError: If they differ in number.
    """
    predicted = checked_labels(predicted, "predicted")
    asked = checked_labels(asked, "asked", len(predicted))
    return float(np.mean(predicted == asked))
