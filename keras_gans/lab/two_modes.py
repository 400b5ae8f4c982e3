"""One Gaussian fitted to a density of two modes, by three divergences.

min over (mean, deviation) of KL(P || Q), KL(Q || P) or JS(P, Q), where P is an
even mixture of N(-2, 0.6^2) and N(2, 0.6^2), and Q normal.
"""

from pathlib import Path

import numpy as np

from keras_gans.datasets import toy
from keras_gans.divergences import gaussians, histograms
from keras_gans.lab.drawing import BLUE, GREEN, GREY, RED, figure, save

P = toy.mixture_1d((-2.0, 2.0), (0.6, 0.6))
DIVERGENCES = {
    "KL(P ‖ Q)": histograms.kl,
    "KL(Q ‖ P), reverse": histograms.reverse_kl,
    "Jensen-Shannon": histograms.jensen_shannon,
}


def histogram_of(density: np.ndarray) -> np.ndarray:
    return density / density.sum()


def fit(name: str, cells: int = 1201) -> tuple[float, float, float]:
    """The best Gaussian by one of `DIVERGENCES`.

    Returns:
        `(mean, deviation, divergence)`. Of two that are as good, mirrored, the
        one on the right.
    """
    from scipy.optimize import minimize
    from scipy.stats import norm

    x = np.linspace(-9.0, 9.0, cells)
    p = histogram_of(P.density(x))
    divergence = DIVERGENCES[name]

    def loss(parameters):
        mean, log_deviation = parameters
        q = norm.pdf(x, mean, np.exp(log_deviation))
        return divergence(p, histogram_of(q))

    # A start on a mode, and one between them.
    found = [
        minimize(loss, start, method="Nelder-Mead", options={"xatol": 1e-6})
        for start in ([2.0, -0.5], [0.1, 0.7])
    ]
    best = min(found, key=lambda result: result.fun)
    return float(best.x[0]), float(np.exp(best.x[1])), float(best.fun)


def profile(name: str, means: np.ndarray, cells: int = 301) -> np.ndarray:
    """The divergence by Q's mean, with the best deviation of each."""
    from scipy.stats import norm

    x = np.linspace(-9.0, 9.0, cells)
    p = histogram_of(P.density(x))
    deviations = np.geomspace(0.4, 3.0, 60)
    return np.array(
        [
            min(
                DIVERGENCES[name](p, histogram_of(norm.pdf(x, mean, deviation)))
                for deviation in deviations
            )
            for mean in means
        ]
    )


def draw(folder: Path) -> list[Path]:
    from scipy.stats import norm

    sheet, (left, right, dents) = figure(3)
    x = np.linspace(-6.0, 6.0, 601)
    left.fill_between(x, P.density(x), color=GREY, alpha=0.3, label="P")
    means = np.linspace(-3.0, 3.0, 61)
    styles = ((BLUE, "-", 4.0), (RED, "-", 1.5), (GREEN, "--", 1.5))
    for name, (colour, style, lw) in zip(DIVERGENCES, styles, strict=True):
        mean, deviation, value = fit(name)
        label = f"{name}:\nN({abs(mean):.2f}, {deviation:.2f}²)"
        density = norm.pdf(x, mean, deviation)
        left.plot(x, density, style, color=colour, lw=lw, label=label)
        right.plot(means, profile(name, means), color=colour)
        right.plot(mean, value, "o", color=colour)
    finer = np.linspace(-3.0, 3.0, 121)
    dents.plot(finer, profile("Jensen-Shannon", finer), color=GREEN)
    dents.set(
        xlabel="mean of Q",
        ylabel="divergence, nats",
        title="Jensen-Shannon's, enlarged",
    )
    left.set(
        xlabel="x",
        ylabel="density",
        ylim=(0, 1.6),
        title="the best Gaussian Q by each",
    )
    left.legend(frameon=False, loc="upper left", fontsize=8)
    right.set(
        xlabel="mean of Q",
        ylabel="divergence, nats",
        ylim=(0, 2),
        title="with the best deviation",
    )
    return [save(sheet, folder / "two_modes.png")]


def overlap_with(mean: float, deviation: float, mode: float) -> float:
    """1 - the total variation of N(mean, deviation^2) from one mode of P."""
    return 1.0 - gaussians.total_variation((mean, deviation), (mode, 0.6))
