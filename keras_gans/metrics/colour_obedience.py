"""Do samples have the colour that their caption asks for?

Captions "this flower has large X petals" for five colours X. A sample obeys if
the mean colour of its middle is nearer to what X looks like in real images than
to the other four; chance is 0.2. What X looks like is the mean over training
images whose caption gives their petals that colour and no other.
"""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

COLOURS = ("red", "yellow", "purple", "white", "pink")
OTHERS = ("orange", "blue", "green", "brown", "black", "violet", "lavender")
CAPTION = "this flower has large {} petals"
EACH = 16  # samples a colour


def colour_obedience(middles: Any, asked: Any, prototypes: Any) -> float:
    """The share of samples nearest to the colour that was asked for.

    ```python
    prototypes = np.eye(3)
    colour_obedience([[0.9, 0.1, 0.0], [0.8, 0.0, 0.1]], [0, 1], prototypes)
    ```

    is 0.5: both are nearest to the first.

    Args:
        middles: Mean colours `[n, 3]`, as `middle_colours` gives them.
        asked: Indices `[n]` of the colours that were asked for.
        prototypes: Colours `[k, 3]` to be told apart.
    """
    middles, prototypes = np.asarray(middles), np.asarray(prototypes)
    distances = np.square(middles[:, None] - prototypes).sum(axis=2)
    return float(np.mean(distances.argmin(axis=1) == np.asarray(asked)))


def middle_colours(images: np.ndarray) -> np.ndarray:
    """Mean colour of each image's middle, half as wide and high: `[n, 3]`."""
    top, left = images.shape[1] // 4, images.shape[2] // 4
    middle = images[:, top : -top or None, left : -left or None]
    return middle.mean(axis=(1, 2), dtype=np.float64)


def colour_of(caption: str) -> int | None:
    """Index of the one colour that a caption gives its petals, or None."""
    text = caption.lower()
    words = re.findall(r"[a-z]+", text)
    named = [word for word in words if word in (*COLOURS, *OTHERS)]
    if len(named) != 1 or named[0] not in COLOURS:
        return None
    of_petals = re.search(rf"\b{named[0]}\b[a-z ]*\bpetals\b", text)
    return COLOURS.index(named[0]) if of_petals else None


def prototypes_of(
    middles: np.ndarray, captions: Sequence[str]
) -> tuple[np.ndarray, list[np.ndarray]]:
    """What each of the colours looks like: `[5, 3]`, and of which images.

    Args:
        middles: Mean colours of real images, `[n, 3]`.
        captions: One of each.

    Raises:
        ValueError: If a colour is in no caption, or images have no colours.
    """
    if middles.shape[1] != 3:
        raise ValueError(
            "Expected images of 3 channels for colour_obedience. Received: "
            f"{middles.shape[1]}. Leave the metric out."
        )
    named = [colour_of(caption) for caption in captions]
    chosen = [
        np.flatnonzero([name == i for name in named])
        for i in range(len(COLOURS))
    ]
    for colour, places in zip(COLOURS, chosen, strict=True):
        if not len(places):
            raise ValueError(
                f"Expected a caption with {colour} petals and no other colour. "
                f"Received: none of {len(captions)}. Leave the metric out: it "
                "is about flowers."
            )
    return np.stack([middles[places].mean(axis=0) for places in chosen]), chosen
