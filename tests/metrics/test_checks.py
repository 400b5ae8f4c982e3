"""Bad input: one clear sentence each."""

import re

import numpy as np
import pytest

from keras_gans.metrics import checks
from keras_gans.metrics.classes import class_histogram
from keras_gans.metrics.density_coverage import density_coverage
from keras_gans.metrics.diversity import diversity
from keras_gans.metrics.frechet import frechet_distance_of
from keras_gans.metrics.inception_score import inception_score
from keras_gans.metrics.kernel import kernel_distance
from keras_gans.metrics.linear_probe import linear_probe
from keras_gans.metrics.memorisation import memorisation
from keras_gans.metrics.modes import mode_coverage
from keras_gans.metrics.precision_recall import precision_recall

GOOD = np.random.default_rng(0).normal(size=(40, 3))
WITH_NAN = np.where(np.arange(40)[:, None] == 7, np.nan, GOOD)
WITH_INF = np.where(np.arange(40)[:, None] == 7, np.inf, GOOD)
METRICS = {
    "frechet": frechet_distance_of,
    "kernel": lambda x, y: kernel_distance(x, y, subset_size=10),
    "precision_recall": precision_recall,
    "density_coverage": density_coverage,
    "diversity": diversity,
    "memorisation": lambda x, y: memorisation(x, y, y),
}
BAD = {
    "one sample": (GOOD[:1], "at least"),
    "none": (GOOD[:0], "at least"),
    "NaN": (WITH_NAN, "in 1 of 40 samples, the first at index 7"),
    "infinity": (WITH_INF, "in 1 of 40 samples, the first at index 7"),
    "other width": (GOOD[:, :2], "of one width"),
    "images": (GOOD.reshape(10, 2, 2, 3), "a matrix"),
    "text": (np.full((4, 3), "a"), "as numbers"),
}


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("bad", BAD)
def test_every_metric_refuses(metric, bad):
    x, words = BAD[bad]
    for pair in ((GOOD, x), (x, GOOD)):
        with pytest.raises(ValueError, match=words) as error:
            METRICS[metric](*pair)
        message = str(error.value)
        assert re.fullmatch(r"Expected .*Received: .*\..+\.", message), message


@pytest.mark.parametrize(
    "metric, words",
    [
        (lambda: precision_recall(GOOD[:3], GOOD), "at least 4 samples"),
        (lambda: density_coverage(GOOD[:5], GOOD), "at least 6 samples"),
        (lambda: kernel_distance(GOOD, GOOD), "subset_size"),
    ],
)
def test_too_few_for_the_metric(metric, words):
    with pytest.raises(ValueError, match=words):
        metric()


def test_precision_is_kept_and_other_numbers_become_float64():
    assert checks.checked(GOOD.astype("float32")).dtype == np.float32
    assert checks.checked(GOOD) is GOOD
    assert checks.checked(np.ones((2, 2), "uint8")).dtype == np.float64
    assert checks.checked(np.ones((2, 2), "float16")).dtype == np.float64
    assert checks.checked([[1, 2], [3, 4]]).dtype == np.float64


@pytest.mark.parametrize(
    "labels", [[[1]], [0.5, 1.0], [-1, 0], ["a", "b"], [True, False]]
)
def test_labels_are_classes(labels):
    with pytest.raises(ValueError, match="integer classes"):
        checks.checked_labels(labels, "predicted")


def test_labels_of_another_number():
    with pytest.raises(ValueError, match="Expected 3 of `y`. Received: 2"):
        checks.checked_labels([1, 2], "y", 3)
    with pytest.raises(ValueError, match="at least one"):
        checks.checked_labels(np.zeros(0, int), "y")


def kernel(**arguments):
    return kernel_distance(GOOD, GOOD, **{"subset_size": 9} | arguments)


def probe(**arguments):
    labels = np.arange(40) % 2
    return linear_probe(GOOD, labels, GOOD, labels, **arguments)


def modes(**arguments):
    return mode_coverage(GOOD, GOOD, **{"deviation": 0.1} | arguments)


@pytest.mark.parametrize(
    "metric, name, value",
    [
        (kernel, "subset_size", 9.0),
        (kernel, "subset_size", "9"),
        (kernel, "subsets", 2.5),
        (kernel, "subsets", 1),
        (kernel, "degree", 0),
        (kernel, "degree", 1.5),
        (kernel, "gamma", np.inf),
        (kernel, "gamma", -1.0),
        (kernel, "coef0", np.nan),
        (kernel, "seed", -1),
        (kernel, "seed", 2**32),
        (kernel, "seed", None),
        (lambda **k: precision_recall(GOOD, GOOD, **k), "k", 3.0),
        (lambda **k: density_coverage(GOOD, GOOD, **k), "k", True),
        (lambda **k: density_coverage(GOOD, GOOD, **k), "k", 0),
        (lambda **k: inception_score(np.eye(9), **k), "splits", 2.5),
        (lambda **k: class_histogram([0, 1], **k), "classes", 2.0),
        (lambda **k: class_histogram([0, 1], **k), "classes", 0),
        (probe, "c", 0.0),
        (probe, "c", np.nan),
        (probe, "c", "1"),
        (probe, "max_iterations", 0),
        (modes, "least", 0),
        (modes, "within", 0.0),
        (modes, "deviation", np.nan),
    ],
)
def test_arguments_out_of_range(metric, name, value):
    words = re.escape(f"Received: {name}={value!r}")
    with pytest.raises(ValueError, match=f"Expected `{name}` as .*{words}"):
        metric(**{name: value})


def test_kernels_that_overflow():
    for features in (GOOD * 1e120, (GOOD * 1e14).astype(np.float32)):
        with pytest.raises(ValueError, match="Expected features whose kernel"):
            kernel_distance(features, features, subset_size=9)


def test_ragged_lists():
    with pytest.raises(ValueError, match="`features` as one array.*list"):
        checks.checked([[1.0, 2.0], [3.0]])
    with pytest.raises(ValueError, match="`y` as one array"):
        checks.checked_labels([[1], [2, 3]], "y")


def test_torch_tensors():
    torch = pytest.importorskip("torch")
    x = torch.ones((3, 2), requires_grad=True)
    np.testing.assert_array_equal(checks.checked(x), np.ones((3, 2)))
    assert checks.checked(x.bfloat16()).dtype == np.float32
