"""Density and coverage.

Muhammad Ferjad Naeem, Seong Joon Oh, Youngjung Uh, Yunjey Choi, Jaejun Yoo,
2020, "Reliable Fidelity and Diversity Metrics for Generative Models",
arXiv:2002.09797, section 3. Balls stand around real samples only, so that
one outlier among the generated ones lifts nothing, and density counts how many
balls a sample lies in, not whether it lies in one.
"""

from typing import Any

from keras_gans.arguments import check_counts
from keras_gans.metrics.checks import checked, checked_together
from keras_gans.metrics.neighbours import blocks, kth_distance


def density_coverage(real: Any, fake: Any, k: int = 5) -> tuple[float, float]:
    """How densely samples lie where real ones do, and how many they reach.

    ```python
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(2, 1000, 8))
    density_coverage(real, fake)  # about (1, 1 - 2**-5): the same law
    ```

    Args:
        real, fake: `[n, d]` and `[m, d]`, more than `k` real ones.
        k: Neighbour that sets a ball's radius; the paper's default.

    Returns:
        `(density, coverage)`: balls that a sample lies in, over k, which may
        pass 1; and the share of balls that hold a sample, in [0, 1]. A distance
        equal to the radius counts as outside, as in the authors' `prdc`.

    Raises:
        ValueError: On bad features, or too few of them.
    """
    check_counts(k=k)
    real, fake = checked_together(real=real, fake=fake)
    checked(real, "real", k + 1)
    radii = kth_distance(real, k)[:, None]
    inside, covered = 0, 0
    for block in blocks(real, fake):
        near = block.within(radii[block.rows], closed=False)
        inside += int(near.sum())
        covered += int(near.any(axis=1).sum())
    return inside / (k * len(fake)), covered / len(real)
