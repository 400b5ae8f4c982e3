"""Models that make images of latent vectors: `LatentModel`, abstract."""

from typing import Any

import keras
import numpy as np

from keras_gans import backend, inputs
from keras_gans.images import grid
from keras_gans.latents import (
    check_prior,
    linear_path,
    sample_prior,
    sample_prior_in_step,
    spherical_path,
)
from keras_gans.models.base import GenerativeModel


class LatentModel(GenerativeModel):
    """Abstract base of models with a `generator` from z to images.

    Args:
        image_shape: `(height, width, channels)` of the images it makes.
        latent_dim: Length of a latent vector z.
        prior: Law of z: "normal", "uniform" on [-1, 1], or "unit_uniform" on
            [-sqrt 3, sqrt 3].
        metrics: Names of the running means that `fit` shows.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        latent_dim: int,
        prior: str,
        metrics: tuple[str, ...],
        name: str | None = None,
    ):
        super().__init__(image_shape, metrics, name)
        if not isinstance(latent_dim, (int, np.integer)) or latent_dim < 1:
            raise ValueError(
                "Expected `latent_dim` as a positive integer. Received: "
                f"latent_dim={latent_dim}. The papers use about 100."
            )
        self.latent_dim = int(latent_dim)
        self.prior = check_prior(prior)
        self.seed_generator = backend.SeedGenerator()
        self.ema_generator = None

    def sample_latents(self, batch_size: Any) -> Any:
        """z for a training step, `[batch_size, latent_dim]`, never repeated."""
        return sample_prior_in_step(
            self.prior, batch_size, self.latent_dim, self.seed_generator
        )

    # === Sampling ===

    @property
    def sampler(self) -> keras.Model:
        """The network that makes images: the EMA generator, if there is one."""
        return self.ema_generator or self.generator

    @property
    def needed_networks(self) -> list[keras.Model]:
        """The networks without whose weights it cannot sample."""
        return [self.generator]

    def stored(self, network: keras.Model) -> keras.Model:
        """The network whose weights an entry of the zoo keeps for this one."""
        return self.sampler if network is self.generator else network

    def probe(self, network: keras.Model) -> np.ndarray:
        """Inputs on which two states of a network are compared."""
        if network is self.generator:
            return self.draw_latents(64, seed=0)
        return self.generate(64, seed=0)

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Images from latents: `[batch, latent_dim]` -> `[batch, h, w, c]`."""
        return (self.generator if training else self.sampler)(
            inputs, training=training
        )

    def progress(self, data: Any) -> np.ndarray:
        """A grid of 64 samples of seed 0; it needs no data."""
        return grid(self.generate(64, seed=0))

    def generate(
        self,
        n: int = 64,
        seed: int | None = None,
        labels: Any = None,
        *,
        latents: np.ndarray | None = None,
        batch_size: int = 64,
    ) -> np.ndarray:
        """Make images.

        Args:
            n: How many.
            seed: The same seed gives the same images on every backend, and the
                first 8 of 64 are the 8 of 8. None draws anew.
            labels: For conditional models; here None.
            latents: float32 `[n, latent_dim]` to be used instead of drawn ones.
            batch_size: Images made at once.

        Returns:
            float32 `[n, height, width, channels]` in [-1, 1].

        Raises:
            ValueError: If `latents` have another shape or are not finite, `n`
                or `batch_size` is less than 1, or labels come to a model that
                takes none.

        Example:

        ```python
        gan.generate(64, seed=0).shape  # (64, 28, 28, 1)
        ```
        """
        inputs.Contract.of(self).check_labels(labels is not None)
        if latents is None:
            z = self.draw_latents(n, seed)
        else:
            z = np.asarray(latents, dtype=np.float32)
            shaped = z.ndim == 2 and z.shape[1] == self.latent_dim and len(z)
            if not shaped or not np.isfinite(z).all():
                raise ValueError(
                    f"Expected finite `latents` of shape [n, {self.latent_dim}]"
                    f". Received: shape={z.shape}, {np.isnan(z).sum()} of them "
                    "NaN. Draw some with `model.draw_latents(n)`."
                )
        return self.infer(self.sampler, z, batch_size)

    def draw_latents(self, n: int, seed: int | None = None) -> np.ndarray:
        """Draw z from the prior with NumPy, float32 `[n, latent_dim]`."""
        if not isinstance(n, (int, np.integer)) or isinstance(n, bool) or n < 1:
            raise ValueError(
                f"Expected `n` as a positive integer. Received: n={n!r}. "
                "Ask for at least one image."
            )
        if seed is not None and not (
            isinstance(seed, (int, np.integer)) and seed >= 0
        ):
            raise ValueError(
                "Expected `seed` as an integer from 0, or None. Received: "
                f"seed={seed!r}. Leave it out to draw anew."
            )
        return sample_prior(self.prior, n, self.latent_dim, seed)

    def interpolate(
        self,
        n: int = 1,
        steps: int = 8,
        seed: int | None = None,
        method: str | None = None,
        *,
        latents: np.ndarray | None = None,
        batch_size: int = 64,
    ) -> np.ndarray:
        """Walk through the latent space from one image to another.

        Args:
            n: Number of walks.
            steps: Images a walk, both ends included.
            seed: As in `generate`.
            method: "linear" or "spherical". Defaults to "spherical" for a
                normal prior and "linear" for a uniform one.
            latents: float32 `[2, n, latent_dim]`, the ends of the walks,
                instead of drawn ones.
            batch_size: Images made at once.

        Returns:
            float32 `[n, steps, height, width, channels]` in [-1, 1].

        Raises:
            ValueError: If `steps` is less than 2, the method is unknown, or
                `latents` have another shape.

        Example:

        ```python
        strip = gan.interpolate(4, steps=10, seed=0)  # four walks
        ```
        """
        default = "spherical" if self.prior == "normal" else "linear"
        paths = {"linear": linear_path, "spherical": spherical_path}
        method = method or default
        if method not in paths:
            raise ValueError(
                "Expected `method` to be 'linear' or 'spherical'. "
                f"Received: method={method!r}. Leave it out for the one that "
                "suits the prior."
            )
        if not isinstance(steps, (int, np.integer)) or steps < 2:
            raise ValueError(
                "Expected `steps` as an integer of at least 2, for the two "
                f"ends. Received: steps={steps!r}. Try steps=8."
            )
        if latents is None:
            self.draw_latents(n, seed)  # refuses a wrong n or seed
            ends = self.draw_latents(2 * n, seed)
            ends = ends.reshape(2, n, self.latent_dim)
        else:
            ends = np.asarray(latents, dtype=np.float32)
            if ends.ndim != 3 or (
                (ends.shape[0], ends.shape[2]) != (2, self.latent_dim)
            ):
                raise ValueError(
                    f"Expected `latents` of shape [2, n, {self.latent_dim}], "
                    f"the two ends of n walks. Received: shape={ends.shape}. "
                    "Draw some with `np.stack([a, b])`."
                )
        z = paths[method](ends[0], ends[1], steps)
        images = self.generate(
            latents=z.reshape(-1, self.latent_dim), batch_size=batch_size
        )
        return images.reshape(len(z), steps, *self.image_shape)
