"""The linear probe: what is separable, and scikit-learn's own solution."""

import inspect

import numpy as np
import pytest
import scipy.optimize

from keras_gans.metrics.linear_probe import _fit, linear_probe

RNG = np.random.default_rng(0)


def blobs(n, classes, d, noise, seed=0):
    centres = np.random.default_rng(1).normal(size=(classes, d))
    y = np.arange(n) % classes
    rng = np.random.default_rng(seed)
    return centres[y] + noise * rng.normal(size=(n, d)), y


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_separable_classes_and_odd_scales(dtype):
    x, y = blobs(400, 5, 20, 0.1)
    x = 1e3 * x * np.logspace(-3, 3, 20) + 7.0
    x[:, 0] = 0.1  # a constant feature
    x = x.astype(dtype)
    assert linear_probe(x[:300], y[:300], x[300:], y[300:], c=1.0) == 1.0


def test_chance_on_noise():
    x, y = RNG.normal(size=(2000, 5)), RNG.integers(0, 4, 2000)
    assert 0.18 < linear_probe(x[:1000], y[:1000], x[1000:], y[1000:]) < 0.3


def test_classes_may_have_gaps():
    x, y = blobs(300, 3, 10, 0.1)
    y = np.array([2, 5, 9])[y]
    assert linear_probe(x[:200], y[:200], x[200:], y[200:], c=1.0) == 1.0


def test_deterministic():
    x, y = blobs(300, 3, 10, 2.0)
    runs = {linear_probe(x[:200], y[:200], x[200:], y[200:]) for _ in range(3)}
    assert len(runs) == 1


def test_the_minimum_is_the_minimum():
    x, y = blobs(200, 3, 6, 1.0)
    classes, c = np.arange(3), 0.1
    weights, bias = _fit(x, y, classes, c, 500)
    t = np.where(y[:, None] == classes, 1.0, -1.0)
    slack = np.maximum(1 - t * (x @ weights + bias), 0)
    # The gradient vanishes: w = 2 c X^T (t slack), and 0 = sum of t slack.
    np.testing.assert_allclose(weights, 2 * c * x.T @ (t * slack), atol=1e-2)
    np.testing.assert_allclose((t * slack).sum(0), 0.0, atol=1e-1)


def test_the_solution_of_liblinear():
    svm = pytest.importorskip("sklearn.svm")
    x, y = blobs(300, 4, 12, 1.5)
    x = (x - x.mean(0)) / x.std(0)
    weights, bias = _fit(x, y, np.arange(4), 0.05, 500)
    # liblinear punishes the bias too, unless it is scaled.
    theirs = svm.LinearSVC(C=0.05, intercept_scaling=100, tol=1e-8)
    theirs.fit(x, y)
    np.testing.assert_allclose(weights, theirs.coef_.T, atol=2e-3)
    np.testing.assert_allclose(bias, theirs.intercept_, atol=2e-3)


def test_bad_input():
    x, y = blobs(20, 2, 3, 1.0)
    with pytest.raises(ValueError, match="at least 2 classes"):
        linear_probe(x, 0 * y, x, y)
    with pytest.raises(ValueError, match="Expected 20 of `train_y`"):
        linear_probe(x, y[:5], x, y)
    with pytest.raises(ValueError, match="of one width"):
        linear_probe(x, y, x[:, :2], y)


def test_default_c():
    x, y = blobs(300, 3, 10, 2.0)
    data = (x[:200], y[:200], x[200:], y[200:])
    assert linear_probe(*data) == linear_probe(*data, c=1e-3)
    assert inspect.signature(linear_probe).parameters["c"].default == 1e-3


def test_value_and_gradient_are_of_one_function(monkeypatch):
    x, y = blobs(60, 3, 4, 1.0)
    caught = []

    def minimize(loss, start, **options):
        caught.append(loss)
        return scipy.optimize.OptimizeResult(x=start, nit=0)

    monkeypatch.setattr(scipy.optimize, "minimize", minimize)
    _fit(x, y, np.arange(3), 0.05, 1)
    (loss,) = caught
    flat = RNG.normal(size=15)
    weights, bias = flat.reshape(5, 3)[:-1], flat.reshape(5, 3)[-1]
    t = np.where(y[:, None] == np.arange(3), 1.0, -1.0)
    hinge = np.maximum(1 - t * (x @ weights + bias), 0)
    expected = (weights**2).sum() / 2 + 0.05 * (hinge**2).sum()
    assert loss(flat)[0] == pytest.approx(expected)
    off = scipy.optimize.check_grad(
        lambda z: loss(z)[0], lambda z: loss(z)[1], flat
    )
    assert off < 1e-4
