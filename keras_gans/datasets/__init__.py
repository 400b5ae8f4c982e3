"""Data sets, as arrays in the library's contract: float32 in [-1, 1]."""

from keras_gans.datasets.embedded import mnist_5k

__all__ = ["mnist_5k"]
