"""Sample gradients of the Wasserstein distance are biased.

Bellemare et al. 2017, arXiv:1705.10743, section 3. P is Bernoulli(theta*), and
the model Bernoulli(theta) is fitted to m samples at a time, of which a share s
are ones:

    W1(theta, s) = |theta - s|         d/d theta = sign(theta - s)
    energy       = 2 (theta - s)^2     d/d theta = 4 (theta - s)

The mean of the first over the samples is 2 P(s < theta) - 1 (+ P(s = theta)),
not sign(theta - theta*); that of the second is 4 (theta - theta*).
"""

from pathlib import Path

import numpy as np

from keras_gans.divergences import histograms
from keras_gans.lab.drawing import BLUE, GREY, ORANGE, figure, save

TRUTHS = (0.6, 0.9)


def gradient_of_w1(theta: float, share: float) -> float:
    return float(np.sign(theta - share))


def gradient_of_energy(theta: float, share: float) -> float:
    return 4.0 * (theta - share)


GRADIENTS = {"wasserstein": gradient_of_w1, "energy": gradient_of_energy}


def loss(kind: str, theta: float, share: float) -> float:
    """The distance of Bernoulli(theta) from samples with a share of ones."""
    distance = {
        "wasserstein": histograms.wasserstein_1,
        "energy": histograms.energy_distance,
    }[kind]
    return distance([1.0 - theta, theta], [1.0 - share, share])


def expected_gradient(kind: str, theta: float, truth: float, m: int) -> float:
    """E over m samples of the sample gradient, exactly."""
    from scipy.stats import binom

    ones = np.arange(m + 1)
    gradients = [GRADIENTS[kind](theta, k / m) for k in ones]
    return float(np.dot(binom.pmf(ones, m, truth), gradients))


def descend(
    kind: str, truth: float, m: int, steps: int = 20_000, seed: int = 0
) -> float:
    """Where SGD on m samples a step ends: the mean of its last half."""
    generator = np.random.default_rng(seed)
    shares = generator.binomial(m, truth, steps) / m
    theta, late = 0.5, []
    for i, share in enumerate(shares):
        theta -= 0.003 * GRADIENTS[kind](theta, share)
        theta = min(max(theta, 0.0), 1.0)
        if 2 * i >= steps:
            late.append(theta)
    return float(np.mean(late))


def draw(folder: Path) -> list[Path]:
    sheet, axes = figure(3)
    thetas = np.linspace(0.005, 0.995, 199)
    for axis, truth in zip(axes, TRUTHS, strict=False):
        axis.axvline(truth, color=GREY, lw=0.8, ls=":")
        axis.axhline(0, color="black", lw=0.6)
        for m, style in ((1, ":"), (3, "--"), (25, "-")):
            values = [
                expected_gradient("wasserstein", t, truth, m) for t in thetas
            ]
            axis.plot(
                thetas,
                values,
                style,
                color=BLUE,
                label=f"Wasserstein, m = {m}",
            )
        values = [expected_gradient("energy", t, truth, 1) for t in thetas]
        axis.plot(thetas, values, color=ORANGE, label="energy, any m")
        axis.set(
            xlabel="θ of the model",
            ylabel="mean gradient over samples",
            ylim=(-2.2, 2.6),
            title=f"truth θ* = {truth}",
        )
    axes[0].legend(frameon=False, fontsize=8, loc="upper left")
    sizes = np.array([1, 2, 3, 5, 8, 13, 21, 34])
    for truth, marker in zip(TRUTHS, "os", strict=True):
        axes[2].axhline(truth, color=GREY, lw=0.8, ls=":")
        for kind, colour in (("wasserstein", BLUE), ("energy", ORANGE)):
            ends = [descend(kind, truth, int(m)) for m in sizes]
            axes[2].semilogx(
                sizes,
                ends,
                marker + "-",
                color=colour,
                lw=0.8,
                label=f"{kind}, θ* = {truth}",
            )
    axes[2].set(
        xlabel="samples a step, m",
        ylabel="θ, mean of the last 10,000 steps",
        ylim=(0.0, 1.05),
        title="where descent ends",
        xticks=sizes,
        xticklabels=sizes,
    )
    axes[2].minorticks_off()
    axes[2].legend(frameon=False, fontsize=8, loc="lower right")
    return [save(sheet, folder / "biased_gradients.png")]
