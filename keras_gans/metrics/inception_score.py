"""Inception Score.

Tim Salimans, Ian Goodfellow, Wojciech Zaremba, Vicki Cheung, Alec Radford, Xi
Chen, 2016, "Improved Techniques for Training GANs", arXiv:1606.03498, section
4: exp(E_x KL(p(y|x) || p(y))), the mean over 10 splits of 50,000 samples.
"""

from typing import Any

import numpy as np

from keras_gans.arguments import check_counts
from keras_gans.metrics.checks import check_seed, checked


def inception_score(
    predictions: Any,
    splits: int = 10,
    from_logits: bool = False,
    seed: int = 0,
) -> tuple[float, float]:
    """How sure a classifier is of each sample, and how varied over all.

    ```python
    inception_score(np.eye(10)[np.arange(5000) % 10])  # (about 10, small)
    ```

    Args:
        predictions: `[n, classes]`, probabilities, or logits.
        splits: Parts of which the score is taken, at most n.
        from_logits: Whether `predictions` are logits.
        seed: Of the shuffle before the split, since samples may lie in the
            order of their classes; `torch-fidelity` shuffles the same way.

    Returns:
        `(mean, standard deviation)` over the splits; from 1, where all samples
        look alike, to `classes`.

    Raises:
        ValueError: On bad predictions, or fewer samples than splits.
    """
    from scipy.special import log_softmax, xlogy  # slow to import

    predictions = checked(predictions, "predictions").astype(np.float64)
    n = len(predictions)
    check_counts(splits=splits)
    check_seed(seed)
    if not 1 <= splits <= n:
        raise ValueError(
            f"Expected `splits` from 1 to {n}, the number of samples. "
            f"Received: splits={splits}. The paper takes 10."
        )
    if from_logits:
        p = np.exp(log_softmax(predictions, axis=1))
    else:
        p = predictions
        off = float(np.abs(p.sum(axis=1) - 1.0).max())
        if p.min() < 0.0 or off > 1e-3:
            raise ValueError(
                "Expected probabilities, each row of sum 1. Received: values "
                f"from {p.min():g} to {p.max():g}, rows off by up to {off:g}. "
                "Pass logits with `from_logits=True`."
            )
    p = p[np.random.RandomState(seed).permutation(n)]
    scores = []
    for i in range(splits):
        part = p[i * n // splits : (i + 1) * n // splits]
        marginal = part.mean(axis=0)
        # KL = sum p log p - sum p log q; averaged, the last is q log q.
        kl = (
            xlogy(part, part).sum() / len(part)
            - xlogy(marginal, marginal).sum()
        )
        scores.append(np.exp(kl))
    return float(np.mean(scores)), float(np.std(scores))
