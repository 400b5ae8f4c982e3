"""The embedded digits are digits, and are MNIST's."""

import gzip

import numpy as np

from keras_gans.datasets import mnist_5k
from keras_gans.images import to_uint8


def test_contract():
    images, labels = mnist_5k()
    assert images.shape == (5000, 28, 28, 1) and images.dtype == np.float32
    assert images.min() == -1.0 and images.max() == 1.0
    np.testing.assert_array_equal(np.bincount(labels), [500] * 10)
    # Any part is of all classes.
    assert np.bincount(labels[4500:]).min() > 35


def test_classes_look_alike():
    """A nearest-mean classifier, fitted on one half, knows the other."""
    images, labels = mnist_5k()
    x = images.reshape(len(images), -1)
    seen, classes = x[::2], labels[::2]
    means = np.stack([seen[classes == c].mean(0) for c in range(10)])
    test, truth = x[1::2], labels[1::2]
    distances = ((test[:, None] - means) ** 2).sum(-1)
    assert (distances.argmin(1) == truth).mean() > 0.75


def test_digits_are_bit_exact(mnist_folder):
    """Every embedded digit is in the original training set, with its label."""

    def read(name, header):
        with gzip.open(mnist_folder / name) as file:
            return np.frombuffer(file.read(), np.uint8)[header:]

    pixels = read("train-images-idx3-ubyte.gz", 16).reshape(-1, 784)
    truth = read("train-labels-idx1-ubyte.gz", 8)
    known = {p.tobytes(): label for p, label in zip(pixels, truth, strict=True)}
    images, labels = mnist_5k()
    for image, label in zip(to_uint8(images), labels, strict=True):
        assert known[image.tobytes()] == label
