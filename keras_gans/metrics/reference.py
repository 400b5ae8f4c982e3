"""Reference statistics: the real side of a distance, kept in one file."""

import dataclasses
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from keras_gans.datasets.data import ImageData
from keras_gans.files import (
    check_expansion,
    regular,
    writable_file,
    written_aside,
)
from keras_gans.metrics.extractors import Extractor
from keras_gans.metrics.frechet import Moments
from keras_gans.metrics.protocol import of_data, of_extractor


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

    @classmethod
    def from_data(
        cls, data: ImageData, extract: Extractor, verbose: bool = False
    ) -> "Reference":
        """Of real images; the protocol is theirs and the extractor's.

        Args:
            data: At least two images.
            extract: Of `keras_gans.metrics.extractor`.
            verbose: Show a progress bar.

        Example:

        ```python
        test = keras_gans.datasets.load("mnist", "test")
        lenet = keras_gans.metrics.extractor("lenet_mnist")
        Reference.from_data(test, lenet).save("mnist_test.npz")
        ```
        """
        features, _ = extract(batches(data), len(data), verbose)
        return cls.of(features, of_data(data) | of_extractor(extract))

    def save(self, path: str | Path, features: bool = True) -> None:
        """Write an npz file with the protocol inside.

        Args:
            path: The file; its folder is made where it is missing.
            features: Keep them, so that every metric can be had from the file.

        Raises:
            ValueError: If it cannot be written.
        """
        arrays = {"mean": self.mean, "covariance": self.covariance}
        if features and self.features is not None:
            arrays["features"] = self.features
        # NumPy's numbers become Python's.
        protocol = json.dumps(self.protocol, default=lambda x: x.item())
        with written_aside(writable_file(path)) as file:
            np.savez(file, protocol=protocol, **arrays)

    @classmethod
    def load(cls, path: str | Path) -> "Reference":
        """Read what `save` wrote.

        Raises:
            ValueError: If there is no such file, or it is not one of these.
        """
        try:
            arrays = _arrays(path)
            reference = cls(
                _protocol(arrays.pop("protocol", None)),
                arrays.pop("mean", None),
                arrays.pop("covariance", None),
                arrays.pop("features", None),
            )
            _check(reference)
        except OSError as error:
            wrong = error.strerror or "a damaged file"
        except ValueError as error:
            wrong = str(error)
        else:
            return reference
        raise ValueError(
            f"Expected reference statistics in {path}. Received: {wrong}. "
            "Make them with `Reference.save`."
        )


def batches(data: ImageData, batch_size: int = 500) -> Iterator[np.ndarray]:
    """The images as floats, a batch at a time."""
    for i in range(0, len(data), batch_size):
        yield data.part(slice(i, i + batch_size)).arrays()[0]


def _arrays(path: str | Path) -> dict[str, np.ndarray]:
    """What is in an npz file, or a `ValueError` that says what is wrong."""
    # Opened here: NumPy leaves a damaged zip file open.
    with open(regular(path), "rb") as raw:
        if not zipfile.is_zipfile(raw):
            raise ValueError("no npz file, or a damaged one")
        raw.seek(0)
        try:
            with np.load(raw, allow_pickle=False) as file:
                check_expansion(path, file.zip.infolist())
                arrays = {
                    name: file[name]
                    for name in ("protocol", "mean", "covariance", "features")
                    if name in file
                }
                # NumPy gives what it does not know as bytes.
                if not all(isinstance(a, np.ndarray) for a in arrays.values()):
                    raise ValueError
                return arrays
        except Exception:  # NumPy raises many kinds
            raise ValueError("arrays that are damaged or no numbers") from None


def _protocol(text: Any) -> dict[str, Any]:
    try:
        protocol = json.loads(str(text))
    except (ValueError, RecursionError):
        protocol = None
    if not isinstance(protocol, dict):
        raise ValueError("no protocol, or one that is no JSON object")
    return protocol


def _check(reference: Reference) -> None:
    """Raise a `ValueError` with what is wrong, if anything is."""
    mean, covariance, features = (
        reference.mean,
        reference.covariance,
        reference.features,
    )
    for name, x, axes in (
        ("mean", mean, 1),
        ("covariance", covariance, 2),
        ("features", features, 2),
    ):
        if x is None and name == "features":
            continue
        if x is None:
            raise ValueError(f"no `{name}`")
        # NumPy's linear algebra knows no long doubles.
        floats = x.dtype.kind == "f" and x.dtype.itemsize <= 8
        if not floats or x.ndim != axes or not x.size:
            raise ValueError(f"`{name}` of {x.dtype} and shape={x.shape}")
        if not np.isfinite(x).all():
            raise ValueError(f"NaN or infinity in `{name}`")
        if x.shape[-1] != len(mean):
            raise ValueError(
                f"`{name}` of shape={x.shape} beside a mean of {len(mean)}"
            )
    if len(covariance) != len(mean):
        raise ValueError(f"`covariance` of shape={covariance.shape}")
    if features is not None and len(features) < 2:
        raise ValueError("features of a single image")
    slack = 1e-6 * (np.abs(covariance).max() or 1.0)
    if np.abs(covariance - covariance.T).max() > slack:
        raise ValueError("a covariance that is not symmetric")
    try:
        np.linalg.cholesky(covariance + slack * np.eye(len(mean)))
    except np.linalg.LinAlgError:
        raise ValueError("a covariance with negative eigenvalues") from None
