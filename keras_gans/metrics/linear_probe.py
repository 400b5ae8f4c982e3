"""How well a linear classifier does on a network's features.

Alec Radford, Luke Metz, Soumith Chintala, 2016, "Unsupervised Representation
Learning with Deep Convolutional GANs", arXiv:1511.06434, section 5.1: the
discriminator's features of all layers, max-pooled to 4x4, flattened and joined,
under a linear L2-SVM.
"""

from typing import Any

import keras
import numpy as np

from keras_gans.arguments import check_counts
from keras_gans.metrics.checks import (
    check_number,
    checked_labels,
    checked_together,
)


def linear_probe(
    train_x: Any,
    train_y: Any,
    test_x: Any,
    test_y: Any,
    c: float = 1e-3,
    max_iterations: int = 500,
    verbose: bool = False,
) -> float:
    """Test accuracy of a linear L2-SVM, one class against the rest.

    Each class's weights w and bias b minimise, over targets t of -1 and 1,

        |w|^2 / 2 + c sum_i max(0, 1 - t_i (w.x_i + b))^2.

    The same features give the same accuracy: nothing is drawn.

    ```python
    x = np.random.default_rng(0).normal(size=(600, 2))
    y = (x[:, 0] > 0).astype(int)
    linear_probe(x[:500], y[:500], x[500:], y[500:])  # 0.93
    ```

    Args:
        train_x, test_x: Features `[n, d]`, standardised here by the mean and
            deviation of `train_x`. float32 is computed in float32.
        train_y, test_y: Integer classes `[n]`, from 0.
        c: Weight of the hinge against that of w. The paper does not give its
            own; choose it on images held out of the training set.
        max_iterations: Of L-BFGS.
        verbose: Show a progress bar of its iterations.

    Returns:
        Accuracy in [0, 1].

    Raises:
        ValueError: On bad features or labels, or fewer than two classes.
    """
    train_x, test_x = checked_together(1, train_x=train_x, test_x=test_x)
    train_y = checked_labels(train_y, "train_y", len(train_x))
    test_y = checked_labels(test_y, "test_y", len(test_x))
    check_number("c", c)
    check_counts(max_iterations=max_iterations)
    classes = np.unique(train_y)
    if len(classes) < 2:
        raise ValueError(
            f"Expected at least 2 classes in `train_y`. Received: "
            f"{classes.tolist()}. Give training images of all classes."
        )
    mean = train_x.mean(axis=0, dtype=np.float64).astype(train_x.dtype)
    x = train_x - mean
    deviation = np.sqrt(np.einsum("nd,nd->d", x, x) / len(x))
    # What remains of a constant feature is rounding, and says nothing.
    constant = deviation <= 8 * np.finfo(x.dtype).eps * np.abs(mean)
    deviation[constant] = np.inf
    x /= deviation
    weights, bias = _fit(x, train_y, classes, c, max_iterations, verbose)
    scores = ((test_x - mean) / deviation) @ weights + bias
    return float(np.mean(classes[scores.argmax(axis=1)] == test_y))


def _fit(
    x: np.ndarray,
    y: np.ndarray,
    classes: np.ndarray,
    c: float,
    steps: int,
    verbose: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Weights `[d, classes]` and biases `[classes]`, all in one problem."""
    from scipy.optimize import minimize  # slow to import

    targets = np.where(y[:, None] == classes, 1.0, -1.0).astype(x.dtype)
    shape = (x.shape[1] + 1, len(classes))

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        parameters = flat.reshape(shape)
        weights, bias = parameters[:-1], parameters[-1]
        scores = x @ weights.astype(x.dtype) + bias.astype(x.dtype)
        hinge = np.maximum(1.0 - targets * scores, 0.0)
        slope = -2.0 * targets * hinge
        gradient = np.empty(shape)
        gradient[:-1] = weights + c * (x.T @ slope)
        gradient[-1] = c * slope.sum(axis=0, dtype=np.float64)
        value = 0.5 * np.sum(weights**2)
        value += c * np.sum(hinge**2, dtype=np.float64)
        return float(value), gradient.ravel()

    # It stops where the loss does not fall any more, mostly before the last.
    bar = keras.utils.Progbar(None, unit_name="iteration", verbose=verbose)
    found = minimize(
        loss,
        np.zeros(shape[0] * shape[1]),
        jac=True,
        method="L-BFGS-B",
        callback=lambda _: bar.add(1),
        options={"maxiter": steps, "ftol": 1e-7},
    )
    bar.update(found.nit, finalize=True)
    parameters = found.x.reshape(shape)
    return parameters[:-1], parameters[-1]
