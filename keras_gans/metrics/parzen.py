"""Parzen-window log-likelihood of test images under a generator's samples.

Ian Goodfellow et al. 2014, "Generative Adversarial Networks",
arXiv:1406.2661, section 5, as their `parzen_ll.py` has it
(https://github.com/goodfeli/adversarial): a normal window of width sigma
around each of 10,000 samples, pixels in [0, 1]; sigma is the best of ten on the
first 1,000 validation images. Theis et al. 2016 (arXiv:1511.01844) show how
little it says in high dimensions: it is here to be compared with the paper's.
"""

import dataclasses
from typing import Any

import numpy as np

from keras_gans.metrics.checks import checked_together

BLOCK_BYTES = 2**26  # of float64 squared distances at a time
SIGMAS = np.logspace(-1.0, 0.0, 10)  # parzen_ll.py
VALIDATION = 1000  # images that choose sigma, parzen_ll.py


@dataclasses.dataclass(frozen=True)
class Parzen:
    """A Parzen-window estimate.

    Args:
        mean: Mean log-likelihood of the test images, in nats.
        standard_error: Of that mean over test images: deviation / sqrt(n).
        sigma: Width of the window that validation chose, in pixels' units.
    """

    mean: float
    standard_error: float
    sigma: float


def parzen_log_likelihood(
    samples: Any, points: Any, sigma: float
) -> np.ndarray:
    """log p(x) of each point, p a mean of normal windows around the samples.

    Args:
        samples: `[n, d]`.
        points: `[m, d]`.
        sigma: Standard deviation of the window along each axis.

    Returns:
        float64 `[m]`, in nats.

    Raises:
        ValueError: On bad features, or a sigma that is not positive.
    """
    samples, points = checked_together(1, samples=samples, points=points)
    return _log_likelihoods(samples, points, (sigma,))[0]


def choose_sigma(
    samples: Any, validation: Any, sigmas: np.ndarray = SIGMAS
) -> float:
    """The one of `sigmas` under which validation images are most likely.

    Args:
        samples: `[n, d]`.
        validation: `[m, d]`.
        sigmas: Widths to try, positive.
    """
    samples, validation = checked_together(
        1, samples=samples, validation=validation
    )
    means = _log_likelihoods(samples, validation, sigmas).mean(axis=1)
    return float(sigmas[means.argmax()])


def parzen(samples: Any, validation: Any, test: Any) -> Parzen:
    """The estimate of Goodfellow et al.: they report 225 +- 2 nats on MNIST.

    ```python
    rng = np.random.default_rng(0)
    samples, validation, test = rng.uniform(size=(3, 500, 4))
    parzen(samples, validation, test).mean  # -0.50; the true one is 0
    ```

    Args:
        samples: `[n, d]` flat pixels in [0, 1]; 10,000 in the paper.
        validation: `[m, d]`, as the samples; the first 1,000 are used.
        test: `[t, d]`, as the samples.

    Raises:
        ValueError: On bad images, or pixels outside [0, 1].
    """
    images = checked_together(samples=samples, validation=validation, test=test)
    for name, x in zip(("samples", "validation", "test"), images, strict=True):
        if x.min() < -1e-3 or x.max() > 1.0 + 1e-3:
            raise ValueError(
                f"Expected pixels of `{name}` in [0, 1]. Received: values from "
                f"{x.min():g} to {x.max():g}. Map [-1, 1] with `(x + 1) / 2`."
            )
    samples, validation, test = images
    sigma = choose_sigma(samples, validation[:VALIDATION])
    found = parzen_log_likelihood(samples, test, sigma)
    return Parzen(
        mean=float(found.mean()),
        standard_error=float(found.std() / np.sqrt(len(found))),
        sigma=sigma,
    )


def _log_likelihoods(
    samples: np.ndarray, points: np.ndarray, sigmas: Any
) -> np.ndarray:
    """float64 `[sigmas, points]`; the distances are taken once."""
    sigmas = np.asarray(sigmas, np.float64)
    if not (sigmas.size and (sigmas > 0.0).all()):
        raise ValueError(
            f"Expected a positive `sigma`. Received: {sigmas.tolist()}. "
            "The paper tries 0.1 to 1."
        )
    n, d = samples.shape
    centre = samples.mean(axis=0, dtype=np.float64)  # keeps products small
    samples, points = samples - centre, points - centre
    sample_squares = np.einsum("nd,nd->n", samples, samples)
    point_squares = np.einsum("nd,nd->n", points, points)
    found = np.empty((len(sigmas), len(points)))
    rows = max(1, BLOCK_BYTES // (8 * n))
    for start in range(0, len(points), rows):
        part = slice(start, start + rows)
        squares = (-2.0 * points[part]) @ samples.T
        squares += point_squares[part, None]
        squares += sample_squares
        nearest = squares.min(axis=1)
        squares -= nearest[:, None]  # the largest term becomes exp(0)
        for k, sigma in enumerate(sigmas):
            scale = -0.5 / sigma**2
            terms = np.multiply(squares, scale)
            total = np.exp(terms, out=terms).sum(axis=1)
            found[k, part] = np.log(total / n) + scale * nearest
    # The window's own normalisation: (2 pi sigma^2)^(-d / 2).
    return found - d * np.log(sigmas * np.sqrt(2.0 * np.pi))[:, None]
