"""Protocols: under what conditions a figure was measured.

Two figures may be compared when their protocols agree, and not otherwise.
"""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from keras_gans.datasets.data import ImageData
    from keras_gans.metrics.extractors import Extractor


@dataclasses.dataclass(frozen=True)
class Figure:
    """A measured number, with all that it depends on.

    Args:
        name: Of the metric and its extractor: "frechet_distance/lenet_mnist".
        value: Mean over the seeds.
        deviation: Standard deviation over the seeds, or of a floor over its
            draws, with n - 1; 0 for one.
        protocol: Data set, splits, numbers of images, extractor and its sha256,
            resize filter, seeds, generator settings, as far as it depends on
            them.
    """

    name: str
    value: float
    deviation: float
    protocol: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """As cards and JSON files keep it."""
        return dataclasses.asdict(self)


def mean_and_deviation(values: float | Sequence[float]) -> tuple[float, float]:
    """Mean, and standard deviation over n - 1; 0 of a single value."""
    values = np.atleast_1d(values)
    spread = np.std(values, ddof=1) if len(values) > 1 else 0.0
    return float(np.mean(values)), float(spread)


def of_data(data: "ImageData", most: int | None = None) -> dict[str, Any]:
    """The fields of real images that samples are compared to.

    Args:
        data: The images.
        most: How many of them are taken at most; None takes all.
    """
    n = len(data) if most is None else min(len(data), most)
    return {"data": data.name, "split": data.split, "real": n}


def of_extractor(extract: "Extractor") -> dict[str, Any]:
    """The fields of a feature extractor."""
    names = ("sha256", "resize")
    return {"extractor": extract.name} | {n: getattr(extract, n) for n in names}


def counted(data: "ImageData", most: int | None = None) -> str:
    """Data set, split and number of images: "mnist train (60000)"."""
    n = len(data) if most is None else min(len(data), most)
    return f"{data.name} {data.split} ({n})"


def differences(
    first: dict[str, Any], second: dict[str, Any]
) -> dict[str, tuple[Any, Any]]:
    """The fields in which two protocols differ, with both values."""
    names = [*first, *(n for n in second if n not in first)]
    pairs = {n: (first.get(n), second.get(n)) for n in names}
    return {n: (a, b) for n, (a, b) in pairs.items() if a != b}


def check_same_protocol(
    first: dict[str, Any], second: dict[str, Any], ignore: tuple[str, ...] = ()
) -> None:
    """Raise a `ValueError` that says what differs, if anything does."""
    found = differences(first, second)
    found = {n: pair for n, pair in found.items() if n not in ignore}
    if found:
        words = "; ".join(
            f"{name}={a!r} against {name}={b!r}"
            for name, (a, b) in found.items()
        )
        raise ValueError(
            f"Expected two figures of one protocol. Received: {words}. "
            "Measure one of them again, under the other's."
        )


def compare(first: Figure, second: Figure) -> float:
    """The difference of two figures, `second - first`.

    Raises:
        ValueError: If they are not of one metric and one protocol; the
            message says what differs.

    Example:

    ```python
    keras_gans.metrics.compare(before, after)  # < 0: a distance has shrunk
    ```
    """
    if first.name != second.name:
        raise ValueError(
            "Expected two figures of one metric. Received: "
            f"{first.name!r} and {second.name!r}. Compare like with like."
        )
    # Other seeds are another draw under the same conditions.
    check_same_protocol(first.protocol, second.protocol, ignore=("seeds",))
    return second.value - first.value


# How a field of a protocol is called where people read it.
WORDS = {
    "real": "real images",
    "generated": "samples",
    "train": "trained on",
    "drawn": "training images drawn",
}


def in_words(protocol: dict[str, Any] | str) -> str:
    """A protocol in one line, hashes shortened."""
    if isinstance(protocol, str):
        return protocol
    return ", ".join(
        f"{WORDS.get(name, name)} {_short(name, value)}"
        for name, value in protocol.items()
    )


def _short(name: str, value: Any) -> str:
    if name == "sha256":
        return f"{str(value)[:8]}…"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, (list, tuple)):
        return " ".join(map(str, value))
    return str(value)
