"""Improved precision and recall.

Tuomas Kynkäänniemi, Tero Karras, Samuli Laine, Jaakko Lehtinen, Timo Aila,
2019, "Improved Precision and Recall Metric for Assessing Generative Models",
arXiv:1904.06991, eqs. 1 and 2. Samples whose features lie in the union of balls
around the real ones, each as wide as its k-th nearest real neighbour is far;
and the other way round.
"""

from typing import Any

import numpy as np

from keras_gans.arguments import check_counts
from keras_gans.metrics.checks import checked_together
from keras_gans.metrics.neighbours import blocks, kth_distance


def precision_recall(real: Any, fake: Any, k: int = 3) -> tuple[float, float]:
    """Share of samples that look real, and of real ones that are reached.

    ```python
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(2, 1000, 8))
    precision_recall(real, 0.5 * fake)  # precise, with little recall
    ```

    Args:
        real, fake: `[n, d]` and `[m, d]`, more than `k` of each. Compare only
            at equal n and m: both shares grow with them.
        k: Neighbour that sets a ball's radius; the paper's default.

    Returns:
        `(precision, recall)` in [0, 1]. A distance equal to the radius counts
        as inside, as in eq. 1 and in `torch-fidelity`; `prdc` leaves it out.

    Raises:
        ValueError: On bad features, or too few of them.
    """
    check_counts(k=k)
    real, fake = checked_together(k + 1, real=real, fake=fake)
    real_radii = kth_distance(real, k)[:, None]
    fake_radii = kth_distance(fake, k)[None, :]
    precise = np.zeros(len(fake), bool)
    recalled = np.zeros(len(real), bool)
    for block in blocks(real, fake):
        radii = real_radii[block.rows]
        precise |= block.within(radii, closed=True).any(axis=0)
        recalled[block.rows] = block.within(fake_radii, closed=True).any(axis=1)
    return float(precise.mean()), float(recalled.mean())
