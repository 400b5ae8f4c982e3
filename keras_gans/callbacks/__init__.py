"""Callbacks: pictures of a generator learning, figures, and its health."""

from keras_gans.callbacks.evaluate import Evaluate
from keras_gans.callbacks.health import HealthMonitor
from keras_gans.callbacks.samples import SampleGrid, TrainingGIF
from keras_gans.callbacks.translations import TranslationGrid

__all__ = [
    "Evaluate",
    "HealthMonitor",
    "SampleGrid",
    "TrainingGIF",
    "TranslationGrid",
]
