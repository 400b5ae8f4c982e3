"""LeNet, and the zoo's entry of it."""

import keras
import numpy as np

import keras_gans
from keras_gans.metrics.lenet import LeNet, Shifted


def test_parameter_count():
    assert LeNet().count_params() == 431_080


def test_shifted_digits_keep_their_classes():
    images, labels = keras_gans.datasets.mnist_5k()
    data = Shifted(images, labels, size=100)
    assert len(data) == 50
    x, y = data[3]
    assert x.shape == (100, 28, 28, 1) and x.min() == -1.0
    chosen = data.order[300:400]
    np.testing.assert_array_equal(y, labels[chosen])
    # Each is the digit itself, moved by at most 2 pixels.
    borders = ((0, 0), (2, 2), (2, 2), (0, 0))
    padded = np.pad(images[chosen], borders, constant_values=-1.0)
    for image, whole in zip(x, padded, strict=True):
        assert any(
            np.array_equal(image, whole[i : i + 28, j : j + 28])
            for i in range(5)
            for j in range(5)
        )
    first = data.order
    data.on_epoch_end()
    assert not np.array_equal(first, data.order)


def test_entry_of_the_zoo():
    lenet = keras_gans.load("lenet_mnist")
    assert isinstance(lenet, LeNet)
    accuracy = next(m for m in lenet.card.metrics if m["name"] == "accuracy")
    assert accuracy["value"] >= 0.992
    images, labels = keras_gans.datasets.mnist_5k()
    predicted = lenet.predict(images[::5], verbose=0).argmax(-1)
    assert (predicted == labels[::5]).mean() >= 0.99


def test_trains_and_is_saved(tmp_path):
    images, labels = keras_gans.datasets.mnist_5k()
    lenet = LeNet()
    lenet.compile(
        "adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    losses = lenet.fit(images, labels, epochs=2, verbose=0).history["loss"]
    assert losses[1] < losses[0] / 2
    keras_gans.save_pretrained(lenet, tmp_path / "mine")
    twin = keras_gans.load(tmp_path / "mine")
    np.testing.assert_allclose(
        twin.predict(images[:50], verbose=0),
        lenet.predict(images[:50], verbose=0),
        atol=0.02,
    )
