"""Modes of a 2-D mixture that samples reach, and how many lie near one.

Akash Srivastava, Lazar Valkov, Chris Russell, Michael Gutmann, Charles Sutton,
2017, "VEEGAN: Reducing Mode Collapse in GANs using Implicit Variational
Learning", arXiv:1705.07761, section 4.1: 2,500 samples; one is of high quality
within three standard deviations of the nearest mode, and a mode is captured by
at least one such sample.
"""

from typing import Any

import numpy as np

from keras_gans.arguments import check_counts
from keras_gans.metrics.checks import (
    check_number,
    checked_together,
)


def mode_coverage(
    points: Any,
    centres: Any,
    deviation: float,
    within: float = 3.0,
    least: int = 1,
) -> tuple[int, float]:
    """Number of modes covered, and the share of samples near a mode.

    ```python
    centres = [[0.0, 0.0], [2.0, 0.0]]
    mode_coverage([[0.1, 0.0], [1.0, 0.0]], centres, 0.05)  # (1, 0.5)
    ```

    Args:
        points: Samples `[n, 2]`.
        centres: Means of the mixture's components `[modes, 2]`.
        deviation: Standard deviation of a component, along each axis.
        within: How many deviations away a sample of high quality may lie. Of
            the true mixture in 2-D, 98.9 % lie within 3.
        least: Samples of high quality that cover a mode, each counted for its
            nearest.

    Returns:
        `(modes covered, high-quality share)`.

    Raises:
        ValueError: On bad points, or another argument that is not positive.
    """
    from scipy.spatial import cKDTree  # slow to import

    points, centres = checked_together(1, points=points, centres=centres)
    check_number("deviation", deviation)
    check_number("within", within)
    check_counts(least=least)
    distance, nearest = cKDTree(centres).query(points)
    good = distance <= within * deviation
    counts = np.bincount(nearest[good], minlength=len(centres))
    return int(np.count_nonzero(counts >= least)), float(good.mean())
