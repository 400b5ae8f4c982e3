"""Figures in the history of `fit`, and the best weights."""

import dataclasses

import keras
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
    watch = Evaluate(["diversity"], n=60, test=digits)
    history = gan.fit(
        digits.arrays()[0][:64], epochs=3, verbose=0, callbacks=[watch]
    ).history["diversity/lenet_mnist"]
    assert watch.best_value == max(history)


@pytest.mark.parametrize(
    "metric, sign", [("precision_recall", -1), ("frechet_distance", 1)]
)
def test_direction_is_the_metrics(metric, sign):
    assert Evaluate([metric]).sign == sign
    assert Evaluate([metric], higher_is_better=sign == 1).sign == -sign
    assert Evaluate(metric).metrics == [metric]


def test_first_metric_has_a_direction():
    with pytest.raises(ValueError, match="Received: 'class_histogram'"):
        Evaluate(["class_histogram"])
    assert Evaluate(["class_histogram"], higher_is_better=False).sign == 1
    assert Evaluate(["diversity", "class_histogram"]).sign == -1


def test_stopped_early_is_measured_at_the_end(digits, tmp_path):
    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = epoch == 2

    gan = keras_gans.GAN(variant="small")
    watch = Evaluate(every=2, n=60, test=digits, folder=tmp_path)
    data = digits.arrays()[0][:64]
    gan.fit(data, epochs=9, verbose=0, callbacks=[watch, Stop()])
    (figure,) = evaluate(gan, test=digits, n=60, verbose=False)
    assert watch.last_epoch == 3
    assert watch.last_value == pytest.approx(figure.value, rel=1e-5)


def test_samples_that_are_not_finite(digits, tmp_path, capsys):
    class Ruin(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                weights = self.model.generator.get_weights()
                weights = [np.full_like(w, np.nan) for w in weights]
                self.model.generator.set_weights(weights)

    gan = keras_gans.GAN(variant="small")
    watch = Evaluate(n=60, test=digits, folder=tmp_path)
    data = digits.arrays()[0][:64]
    history = gan.fit(data, epochs=3, verbose=0, callbacks=[Ruin(), watch])
    values = history.history["frechet_distance/lenet_mnist"]
    assert np.isnan(values).tolist() == [False, True, True]
    assert watch.best_epoch == 1 and np.isnan(watch.last_value)
    assert (tmp_path / "last.keras").is_file()
    assert "last nan in epoch 3" in capsys.readouterr().out


def test_real_features_are_taken_once(digits):
    lenet = keras_gans.metrics.extractor("lenet_mnist")
    seen = []

    def run(images):
        seen.append(len(images))
        return lenet.run(images)

    counted = dataclasses.replace(lenet, run=run)
    gan = keras_gans.GAN(variant="small")
    watch = Evaluate(n=60, test=digits, extractor_name=counted)
    gan.fit(digits.arrays()[0][:64], epochs=3, verbose=0, callbacks=[watch])
    # One sample before the training, to find what does not fit.
    assert sorted(seen) == [1, 60, 60, 60, 500]


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"metrics": ["frechet"]}, "name of a metric"),
        ({"metrics": []}, "name of a metric, or several"),
        ({"every": 0}, "integer from 1 on.*every"),
        ({"n": 1}, "at least 2 samples"),
        ({"n": 0.5}, "at least 2 samples.*n=0.5"),
        ({"seed": -1}, "seed=-1"),
        ({"extractor_name": "inceptoin"}, "Did you mean 'inception'"),
        ({"test": np.zeros((9, 28, 28, 1))}, "`test` as an `ImageData`"),
        ({"reference": "mnist.npz"}, "`reference`.*Received: str"),
    ],
)
def test_refusals_before_training(arguments, words):
    with pytest.raises(ValueError, match=words):
        Evaluate(**arguments)


def test_nothing_measured_yet():
    with pytest.raises(ValueError, match="no measurement yet"):
        Evaluate().restore_best()
    with pytest.raises(TypeError, match="tset"):
        Evaluate(tset=None)
