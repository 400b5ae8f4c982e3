"""Are samples copies of training images?

The check is of nearest neighbours: test images, which no generator has seen,
say how near to a training image a new one happens to lie (Meehan, Chaudhuri,
Dasgupta 2020, "A Non-Parametric Test to Detect Data-Copying in Generative
Models", arXiv:2004.05675, compare the same distances).
"""

import dataclasses
from typing import Any

import numpy as np

from keras_gans.metrics.checks import checked_together
from keras_gans.metrics.neighbours import kth_distance


@dataclasses.dataclass(frozen=True)
class Memorisation:
    """Distances to the nearest training image, of samples and of test images.

    Read `memorised` first: about 0.01 where nothing is copied, near 1 where all
    is. Much below 0.01, the samples are not copies, and may be no images
    either: look at the Fréchet distance. `ratio` says the same of the middle:
    about 1 where samples lie as test images do, near 0 for copies, above 1 for
    samples that lie off the data.

    Args:
        sample_median: Median distance of samples, in units of the features.
        test_median: Median distance of test images.
        memorised: Share of samples nearer to a training image than all but the
            nearest 1 % of test images are.
        ratio: `sample_median / test_median`.
    """

    sample_median: float
    test_median: float
    memorised: float
    ratio: float


def memorisation(train: Any, test: Any, fake: Any) -> Memorisation:
    """Compare distances to the training set, of samples and of test images.

    ```python
    rng = np.random.default_rng(0)
    train, test = rng.normal(size=(2, 1000, 8))
    memorisation(train, test, fake=train).memorised  # 1.0: copies
    ```

    Args:
        train, test, fake: Features, or flat pixels, `[n, d]`. The test images
            should number a few hundred at least, or 1 % of them is no figure.

    Raises:
        ValueError: On bad features, or if all test images are training images.
    """
    train, test, fake = checked_together(train=train, test=test, fake=fake)
    of_test = kth_distance(test, 1, train)
    of_fake = kth_distance(fake, 1, train)
    test_median, median = float(np.median(of_test)), float(np.median(of_fake))
    if test_median == 0.0:
        raise ValueError(
            "Expected test images that are not in the training set. Received: "
            "at least half of them copies of it. Take another split."
        )
    near = of_fake < np.quantile(of_test, 0.01)
    return Memorisation(
        sample_median=median,
        test_median=test_median,
        memorised=float(near.mean()),
        ratio=median / test_median,
    )
