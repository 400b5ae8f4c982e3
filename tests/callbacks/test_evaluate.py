"""Figures in the history of `fit`, and the best weights."""

import numpy as np
import pytest

import keras_gans
from keras_gans.callbacks import Evaluate
from keras_gans.metrics import evaluate


@pytest.fixture(scope="module")
def digits():
    return keras_gans.datasets.load("mnist_5k").part(slice(0, 5000, 10))


def test_history_best_and_last(digits, tmp_path, capsys):
    gan = keras_gans.GAN(variant="small")
    watch = Evaluate(n=100, test=digits, folder=tmp_path)
    history = gan.fit(
        digits.arrays()[0], epochs=4, verbose=0, callbacks=[watch]
    ).history["frechet_distance/lenet_mnist"]
    assert len(history) == 4
    assert watch.best_value == min(history)
    assert watch.best_epoch == int(np.argmin(history)) + 1
    assert (watch.last_epoch, watch.last_value) == (4, history[-1])
    assert "best" in capsys.readouterr().out

    def measured():
        (figure,) = evaluate(gan, test=digits, n=100, verbose=False)
        return figure.value

    assert measured() == pytest.approx(history[-1], rel=1e-5)
    watch.restore_best()
    assert measured() == pytest.approx(min(history), rel=1e-5)
    assert (tmp_path / "best.keras").is_file()
    assert (tmp_path / "last.keras").is_file()


def test_every_and_the_last_epoch(digits):
    gan = keras_gans.GAN(variant="small")
    watch = Evaluate(["precision_recall"], every=2, n=60, test=digits)
    history = gan.fit(
        digits.arrays()[0][:64], epochs=5, verbose=0, callbacks=[watch]
    ).history
    assert len(history["precision/lenet_mnist"]) == 3  # 2, 4 and 5


def test_higher_is_better(digits):
    gan = keras_gans.GAN(variant="small")
    watch = Evaluate(["diversity"], n=60, test=digits, higher_is_better=True)
    history = gan.fit(
        digits.arrays()[0][:64], epochs=3, verbose=0, callbacks=[watch]
    ).history["diversity/lenet_mnist"]
    assert watch.best_value == max(history)


def test_refusals():
    with pytest.raises(ValueError, match="name of a metric"):
        Evaluate(["frechet"])
    with pytest.raises(ValueError, match="positive integer.*every"):
        Evaluate(every=0)
    with pytest.raises(ValueError, match="no measurement yet"):
        Evaluate().restore_best()
