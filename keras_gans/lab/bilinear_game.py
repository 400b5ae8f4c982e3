"""The game min_x max_y x y, and how gradient steps play it.

Its one equilibrium is (0, 0). A step of size h multiplies (x, y) by a matrix;
the sizes of its eigenvalues tell whether the players get there.
"""

from pathlib import Path

import numpy as np

from keras_gans.lab.drawing import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    RED,
    figure,
    save,
)


def simultaneous(x, y, h, memory):
    """Both step from the same point: |(x, y)| grows by sqrt(1 + h^2)."""
    return x - h * y, y + h * x, memory


def alternating(x, y, h, memory):
    """y answers the new x: x^2 - h x y + y^2 stays as it is."""
    x = x - h * y
    return x, y + h * x, memory


def extragradient(x, y, h, memory):
    """Look a step ahead, and take the gradients from there.

    Korpelevich 1976. |(x, y)| shrinks by sqrt(1 - h^2 + h^4).
    """
    ahead_x, ahead_y = x - h * y, y + h * x
    return x - h * ahead_y, y + h * ahead_x, memory


def optimistic(x, y, h, memory):
    """Twice the gradient, less the last one.

    Daskalakis et al. 2018, arXiv:1711.00141.
    """
    last_x, last_y = (x, y) if memory is None else memory
    return (
        x - h * (2.0 * y - last_y),
        y + h * (2.0 * x - last_x),
        (x, y),
    )


def negative_momentum(x, y, h, memory):
    """Alternating steps that take back half of the last move.

    Gidel et al. 2019, arXiv:1807.04740.
    """
    move_x, move_y = (0.0, 0.0) if memory is None else memory
    move_x = -h * y - 0.5 * move_x
    x = x + move_x
    move_y = h * x - 0.5 * move_y
    return x, y + move_y, (move_x, move_y)


METHODS = {
    "simultaneous": simultaneous,
    "alternating": alternating,
    "extragradient": extragradient,
    "optimistic": optimistic,
    "negative momentum": negative_momentum,
}


def play(name: str, steps: int, h: float = 0.2) -> np.ndarray:
    """The path from (1, 0) by one of `METHODS`, `[steps + 1, 2]`."""
    x, y, memory = 1.0, 0.0, None
    path = [(x, y)]
    for _ in range(steps):
        x, y, memory = METHODS[name](x, y, h, memory)
        path.append((x, y))
    return np.array(path)


def draw(folder: Path) -> list[Path]:
    steps = 120
    sheet, (left, middle, right) = figure(3)
    colours = (RED, ORANGE, BLUE, GREEN, GREY)
    for name, colour in zip(METHODS, colours, strict=True):
        path = play(name, steps)
        axis = left if name in ("simultaneous", "alternating") else middle
        some = path[:55] if name == "simultaneous" else path
        axis.plot(*some.T, ".-", color=colour, lw=0.8, ms=3, label=name)
        radius = np.linalg.norm(path, axis=1)
        style = "--" if name == "optimistic" else "-"  # over extragradient's
        right.semilogy(radius, style, color=colour, label=name)
    for axis, title in (
        (left, "plain gradient steps"),
        (middle, "remedies"),
    ):
        axis.plot(0, 0, "k+", ms=10)
        axis.set(xlabel="x", ylabel="y", aspect="equal", title=title)
        axis.legend(frameon=False, fontsize=8, loc="upper left")
    left.set(xlim=(-3, 3), ylim=(-3, 4))
    middle.set(xlim=(-1.3, 1.3), ylim=(-1.3, 1.8))
    right.set(
        xlabel="steps of size 0.2",
        ylabel="distance from the equilibrium",
        title="who arrives",
        ylim=(3e-5, 30),  # room for the legend
    )
    right.legend(frameon=False, fontsize=8, loc="lower left")
    return [save(sheet, folder / "bilinear_game.png")]
