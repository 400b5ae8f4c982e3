"""Metrics: features -> statistics -> metric, under a named protocol.

```python
test = keras_gans.datasets.load("mnist", "test", data_dir="mnist")
figures = keras_gans.metrics.evaluate(gan, test=test, n=10_000, seeds=(0, 1, 2))
```

Each metric is a pure function of ready features, in a file of its name;
`evaluate` makes the features and writes the protocol beside every figure.
"""

from keras_gans.metrics.caption_retrieval import caption_retrieval
from keras_gans.metrics.classes import class_histogram, conditional_accuracy
from keras_gans.metrics.colour_obedience import colour_obedience
from keras_gans.metrics.density_coverage import density_coverage
from keras_gans.metrics.diversity import diversity
from keras_gans.metrics.evaluation import METRICS, evaluate
from keras_gans.metrics.extractors import Extractor, extractor
from keras_gans.metrics.frechet import (
    Moments,
    frechet_distance,
    frechet_distance_of,
)
from keras_gans.metrics.inception_score import inception_score
from keras_gans.metrics.kernel import kernel_distance
from keras_gans.metrics.lenet import LeNet
from keras_gans.metrics.linear_probe import linear_probe
from keras_gans.metrics.memorisation import memorisation
from keras_gans.metrics.modes import mode_coverage
from keras_gans.metrics.parzen import parzen
from keras_gans.metrics.precision_recall import precision_recall
from keras_gans.metrics.protocol import Figure, compare
from keras_gans.metrics.reference import Reference
from keras_gans.metrics.translation import (
    TRANSLATION_METRICS,
    evaluate_translation,
)

__all__ = [
    "METRICS",
    "TRANSLATION_METRICS",
    "Extractor",
    "Figure",
    "LeNet",
    "Moments",
    "Reference",
    "caption_retrieval",
    "class_histogram",
    "colour_obedience",
    "compare",
    "conditional_accuracy",
    "density_coverage",
    "diversity",
    "evaluate",
    "evaluate_translation",
    "extractor",
    "frechet_distance",
    "frechet_distance_of",
    "inception_score",
    "kernel_distance",
    "linear_probe",
    "memorisation",
    "mode_coverage",
    "parzen",
    "precision_recall",
]
