"""Latent vectors: priors, and paths between two points."""

from typing import Any

import keras
import numpy as np

# Name -> half-width of the uniform interval; None for the normal law.
PRIORS = {
    "normal": None,  # N(0, 1)
    "uniform": 1.0,  # U(-1, 1)
    "unit_uniform": 3.0**0.5,  # U(-sqrt 3, sqrt 3), whose variance is 1
}


def check_prior(prior: str) -> str:
    """Return `prior`, or raise a `ValueError` that names the choices."""
    if prior not in PRIORS:
        raise ValueError(
            f"Expected `prior` to be one of {', '.join(PRIORS)}. "
            f"Received: prior={prior!r}. Use 'normal' for N(0, 1)."
        )
    return prior


def sample_prior(
    prior: str, n: int, latent_dim: int, seed: int | None = None
) -> np.ndarray:
    """Draw latents with NumPy: the same on every backend and every machine.

    Args:
        prior: One of `PRIORS`.
        n: Number of latents. The first 8 of 64 are the 8 of 8.
        latent_dim: Length of each.
        seed: None draws anew each time.

    Returns:
        float32 `[n, latent_dim]`.
    """
    generator = np.random.default_rng(seed)
    bound = PRIORS[check_prior(prior)]
    if bound is None:
        return generator.standard_normal((n, latent_dim), dtype=np.float32)
    unit = generator.random((n, latent_dim), dtype=np.float32)
    return np.float32(bound) * (2.0 * unit - 1.0)


def sample_prior_in_step(
    prior: str, batch_size: Any, latent_dim: int, seed: Any
) -> Any:
    """Draw a training step's latents, on the device, from a `SeedGenerator`.

    Returns:
        A tensor `[batch_size, latent_dim]` in Keras's float type.
    """
    shape = (batch_size, latent_dim)
    bound = PRIORS[prior]
    if bound is None:
        return keras.random.normal(shape, seed=seed)
    return keras.random.uniform(shape, -bound, bound, seed=seed)


def check_steps(steps: Any) -> None:
    """Raise a `ValueError` unless a walk of so many points has two ends."""
    if not isinstance(steps, (int, np.integer)) or steps < 2:
        raise ValueError(
            "Expected `steps` as an integer of at least 2, for the two ends. "
            f"Received: steps={steps!r}. Try steps=8."
        )


def linear_path(start: np.ndarray, end: np.ndarray, steps: int) -> np.ndarray:
    """Points on the straight line from `start` to `end`, both included.

    Args:
        start, end: `[n, latent_dim]`.
        steps: Points a path, at least 2.

    Returns:
        float32 `[n, steps, latent_dim]`.
    """
    t = np.linspace(0.0, 1.0, steps, dtype=np.float64)[None, :, None]
    path = (1 - t) * start[:, None] + t * end[:, None]
    return path.astype(np.float32)


def spherical_path(
    start: np.ndarray, end: np.ndarray, steps: int
) -> np.ndarray:
    """Points on the great circle from `start` to `end`, both included.

    Slerp (Shoemake 1985; White 2016, arXiv:1609.04468): a normal latent's
    length hardly varies, and a straight line between two of them passes
    through lengths that the generator has never seen. Parallel vectors, where
    there is no one great circle, are joined by the straight line.

    Args:
        start, end: `[n, latent_dim]`.
        steps: Points a path, at least 2.

    Returns:
        float32 `[n, steps, latent_dim]`.
    """
    t = np.linspace(0.0, 1.0, steps, dtype=np.float64)[None, :, None]
    a, b = start[:, None].astype(np.float64), end[:, None].astype(np.float64)
    lengths = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    nowhere = lengths < 1e-12  # an end at the origin has no direction
    cosine = np.where(
        nowhere, 1.0, (a * b).sum(-1) / np.where(nowhere, 1.0, lengths)
    )
    angle = np.arccos(np.clip(cosine, -1.0, 1.0))[..., None]
    sine = np.sin(angle)
    parallel = sine < 1e-6
    sine = np.where(parallel, 1.0, sine)
    # slerp(a, b; t) = [sin((1-t) w) a + sin(t w) b] / sin w
    arc = (np.sin((1 - t) * angle) * a + np.sin(t * angle) * b) / sine
    path = np.where(parallel, (1 - t) * a + t * b, arc)
    return path.astype(np.float32)
