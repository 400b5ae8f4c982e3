"""Two parallel lines: what tells a generator how far it is.

P is uniform on {0} x [0, 1], Q on {theta} x [0, 1]; example 1 of Arjovsky et
al. 2017, arXiv:1701.07875. The generator G(z) = (theta, z) has one parameter,
the discriminator is D(x) = sigmoid(w x_1 + b), which is all that it needs here.
"""

from pathlib import Path

import numpy as np

from keras_gans.divergences import samples
from keras_gans.lab.drawing import BLUE, GREEN, ORANGE, RED, figure, save


def lines(theta: float, n: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """n points of each line, evenly, `[n, 2]`."""
    z = (np.arange(n) + 0.5) / n
    return np.stack([0 * z, z], 1), np.stack([0 * z + theta, z], 1)


def distances(theta: float, n: int = 200) -> tuple[float, float]:
    """(Jensen-Shannon in nats, Wasserstein-1) of the lines."""
    real, fake = lines(theta, n)
    return (
        samples.jensen_shannon(real, fake, bins=10),
        samples.wasserstein_1(real, fake),
    )


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def train_discriminator(
    theta: float = 1.0, steps: int = 2000, rate: float = 1.0
) -> dict[str, np.ndarray]:
    """Improve D by gradient ascent, and look at G's gradients meanwhile.

    Every point of a line has the same x_1, so the means over them are exact.

    Returns:
        By step: "value", V(D, G) = E log D(x) + E log(1 - D(G(z))); and
        |d/d theta| of G's two losses, "minimax" log(1 - D(G(z))) and
        "non-saturating" -log D(G(z)).
    """
    w, b = 0.0, 0.0
    rows = {"value": [], "minimax": [], "non-saturating": []}
    for _ in range(steps):
        real, fake = b, w * theta + b  # logits
        w += rate * -sigmoid(fake) * theta
        b += rate * (sigmoid(-real) - sigmoid(fake))
        real, fake = b, w * theta + b
        rows["value"].append(-np.logaddexp(0, -real) - np.logaddexp(0, fake))
        # d/d theta log(1 - D) = -D w; d/d theta -log D = -(1 - D) w.
        rows["minimax"].append(abs(sigmoid(fake) * w))
        rows["non-saturating"].append(abs(sigmoid(-fake) * w))
    return {name: np.array(row) for name, row in rows.items()}


def draw(folder: Path) -> list[Path]:
    sheet, (left, right) = figure(2)
    thetas = np.linspace(-1.0, 1.0, 41)
    divergence, distance = np.transpose([distances(t) for t in thetas])
    left.plot(thetas, distance, color=ORANGE, label="Wasserstein")
    apart = thetas != 0
    left.plot(
        thetas[apart],
        divergence[apart],
        ".",
        color=BLUE,
        label="Jensen-Shannon, nats",
    )
    left.plot(0, divergence[~apart], "o", color=BLUE)
    left.axhline(np.log(2), color=BLUE, lw=0.7, ls=":")
    left.annotate("log 2", (-1.0, np.log(2) + 0.02), color=BLUE)
    left.set(
        xlabel="θ, where Q's line stands",
        ylabel="distance of the laws",
        xticks=(-1, -0.5, 0, 0.5, 1),
        ylim=(-0.05, 1.35),
        title="only Wasserstein knows how far",
    )
    left.legend(frameon=False, loc="upper center", fontsize=9)

    rows = train_discriminator()
    steps = 1 + np.arange(len(rows["value"]))
    right.loglog(
        steps, rows["non-saturating"], color=GREEN, label="−log D(G(z))"
    )
    right.loglog(steps, rows["minimax"], color=RED, label="log(1 − D(G(z)))")
    right.set(
        xlabel="training steps of the discriminator",
        ylabel="|derivative of G's loss by θ|",
        title="θ = 1: the minimax gradient vanishes",
    )
    right.legend(frameon=False, fontsize=9)
    return [save(sheet, folder / "parallel_lines.png")]
