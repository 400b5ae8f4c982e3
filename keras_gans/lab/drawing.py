"""How all figures look: one width, readable on a page, colours told apart."""

from pathlib import Path
from typing import Any

import numpy as np

from keras_gans.files import written_aside

# Of Okabe and Ito, which the colour-blind tell apart.
BLUE, ORANGE, GREEN, RED, GREY = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#777777",
)


def figure(columns: int = 1, height: float = 3.4, **kwargs: Any) -> tuple:
    """A figure of a page's width, and its axes, a row of them."""
    from matplotlib.figure import Figure  # no window, no global state

    sheet = Figure(figsize=(9.0, height), dpi=110, layout="constrained")
    axes = sheet.subplots(1, columns, squeeze=False, **kwargs)[0]
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
    return sheet, axes


def save(sheet: Any, path: Path) -> Path:
    """Write a figure as PNG, whole or not at all."""
    with written_aside(path) as file:
        sheet.savefig(file, format="png")
    return path


def picture_of(sheet: Any) -> np.ndarray:
    """A figure as pixels, uint8 `[height, width, 3]`, for `save_gif`."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(sheet)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
