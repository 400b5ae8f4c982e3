"""Reference statistics: the real side of a distance, kept in one file."""

import dataclasses
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from keras_gans.files import written_aside
from keras_gans.metrics.frechet import Moments


@dataclasses.dataclass(frozen=True)
class Reference:
    """Features of real images, reduced to what metrics need.

    Args:
        protocol: Data set, split, number of real images, extractor, its
            sha256, and the resize filter.
        mean: float64 `[d]`.
        covariance: float64 `[d, d]`, unbiased.
        features: float32 `[n, d]`, or None: a Fréchet distance needs none, the
            metrics of neighbours and kernels do.
    """

    protocol: dict[str, Any]
    mean: np.ndarray
    covariance: np.ndarray
    features: np.ndarray | None = None

    @classmethod
    def of(cls, features: np.ndarray, protocol: dict[str, Any]) -> "Reference":
        """Of features `[n, d]`."""
        moments = Moments()
        moments.update(features)
        return cls(protocol, moments.mean, moments.covariance, features)

    def save(self, path: str | Path, features: bool = True) -> None:
        """Write an npz file with the protocol inside.

        Args:
            path: The file.
            features: Keep them, so that every metric can be had from the file.
        """
        arrays = {"mean": self.mean, "covariance": self.covariance}
        if features and self.features is not None:
            arrays["features"] = self.features
        with written_aside(path) as file:
            np.savez(file, protocol=json.dumps(self.protocol), **arrays)

    @classmethod
    def load(cls, path: str | Path) -> "Reference":
        """Read what `save` wrote.

        Raises:
            ValueError: If there is no such file, or it is not one of these.
        """
        try:
            # Opened here: NumPy leaves a damaged zip file open.
            with (
                open(path, "rb") as raw,
                np.load(raw, allow_pickle=False) as file,
            ):
                arrays = {name: file[name] for name in file}
            reference = cls(
                json.loads(str(arrays.pop("protocol"))),
                arrays.pop("mean"),
                arrays.pop("covariance"),
                arrays.pop("features", None),
            )
            width = reference.mean.shape[0]
            whole = (
                isinstance(reference.protocol, dict)
                and reference.mean.shape == (width,)
                and reference.covariance.shape == (width, width)
                and np.isfinite(reference.mean).all()
                and np.isfinite(reference.covariance).all()
            )
            if not whole or arrays:
                raise ValueError("arrays of other names or shapes")
        except (
            OSError,
            ValueError,
            KeyError,
            TypeError,
            IndexError,
            EOFError,
            AttributeError,
            zipfile.BadZipFile,
        ) as error:
            raise ValueError(
                f"Expected reference statistics in {path}. Received: {error}. "
                "Make them with `Reference.save`."
            ) from None
        return reference
