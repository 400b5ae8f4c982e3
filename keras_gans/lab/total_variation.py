"""Total variation: what it is, and what it does not see.

TV(P, Q) = max_A |P(A) - Q(A)|, which is half of sum |p - q|. The standardised
sum of n coin flips becomes normal; but it is on n + 1 points, to which a normal
law gives no probability: their total variation is 1 for all n. The Wasserstein
distance, the area between the distribution functions, falls as 1 / sqrt n.
"""

from itertools import chain, combinations
from pathlib import Path

import numpy as np

from keras_gans.lab.drawing import BLUE, GREY, ORANGE, figure, save

P = np.array([0.02, 0.05, 0.11, 0.20, 0.24, 0.19, 0.12, 0.07])
Q = np.array([0.16, 0.20, 0.21, 0.16, 0.10, 0.08, 0.05, 0.04])


def best_subset(p: np.ndarray, q: np.ndarray) -> tuple[tuple, float]:
    """The outcomes A with the largest P(A) - Q(A), among all subsets.

    Returns:
        `(A, P(A) - Q(A))`.
    """
    outcomes = range(len(p))
    subsets = chain.from_iterable(
        combinations(outcomes, size) for size in range(len(p) + 1)
    )
    gains = {a: float(sum(p[i] - q[i] for i in a)) for a in subsets}
    best = max(gains, key=gains.get)
    return best, gains[best]


def coin_sum(n: int) -> tuple[np.ndarray, np.ndarray]:
    """The standardised sum of n fair flips: places and probabilities."""
    from scipy.stats import binom

    heads = np.arange(n + 1)
    return (2.0 * heads - n) / np.sqrt(n), binom.pmf(heads, n, 0.5)


def advantage(n: int, width: float = 1e-9) -> float:
    """P(A) - N(A), a lower bound of the total variation from N(0, 1).

    A is where the coins' sum can be: n + 1 intervals, as wide as `width`.
    """
    from scipy.stats import norm

    places, p = coin_sum(n)
    return float(p.sum() - np.sum(width * norm.pdf(places)))


def wasserstein_to_normal(n: int) -> float:
    """int |F_n(x) - Phi(x)| dx, exactly, of n flips."""
    from scipy.stats import norm

    places, p = coin_sum(n)
    steps = np.concatenate([[0.0], np.minimum(1.0, np.cumsum(p)[:-1]), [1.0]])
    ends = np.concatenate([[-40.0], places, [40.0]])

    def integral(x, level):  # of Phi - level
        return x * norm.cdf(x) + norm.pdf(x) - level * x

    total = 0.0
    for low, high, level in zip(ends[:-1], ends[1:], steps, strict=True):
        # Phi crosses the level at most once between two places.
        cross = np.clip(norm.ppf(level), low, high)
        for a, b in ((low, cross), (cross, high)):
            total += abs(integral(b, level) - integral(a, level))
    return float(total)


def draw(folder: Path) -> list[Path]:
    from scipy.stats import norm

    sheet, (left, middle, right) = figure(3)
    subset, distance = best_subset(P, Q)
    outcomes = np.arange(len(P))
    left.bar(outcomes - 0.2, P, 0.4, color=BLUE, label="P")
    left.bar(outcomes + 0.2, Q, 0.4, color=ORANGE, label="Q")
    for i in subset:
        left.axvspan(i - 0.5, i + 0.5, color=GREY, alpha=0.15, lw=0)
    left.set(
        xlabel="outcome",
        ylabel="probability",
        ylim=(0, 0.32),
        title=f"best A: P(A) − Q(A) = {distance:.2f}",
    )
    left.legend(frameon=False, ncols=2, loc="upper right", fontsize=9)

    x = np.linspace(-4, 4, 801)
    middle.plot(x, norm.cdf(x), color=GREY, label="normal")
    for n, colour in ((4, ORANGE), (64, BLUE)):
        places, p = coin_sum(n)
        middle.step(
            np.concatenate([[-4], places, [4]]),
            np.concatenate([[0], np.cumsum(p), [1]]),
            where="post",
            color=colour,
            label=f"{n} flips",
        )
    middle.set(
        xlim=(-3, 3),
        xlabel="standardised sum",
        ylabel="distribution function",
        title="they come together",
    )
    middle.legend(frameon=False, fontsize=9)

    flips = 2 ** np.arange(11)
    right.loglog(
        flips,
        [advantage(int(n)) for n in flips],
        "o-",
        color=BLUE,
        label="total variation",
    )
    right.loglog(
        flips,
        [wasserstein_to_normal(int(n)) for n in flips],
        "s-",
        color=ORANGE,
        label="Wasserstein",
    )
    right.loglog(flips, 0.5 * flips**-0.5, ":", color=GREY, label="1 / (2√n)")
    right.set(
        xlabel="flips n",
        ylabel="distance from N(0, 1)",
        title="who sees it",
    )
    right.legend(frameon=False, fontsize=9)
    return [save(sheet, folder / "total_variation.png")]
