"""Models that make images of latent vectors: `LatentModel`, abstract."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_gans import backend, inputs
from keras_gans.arguments import check_counts
from keras_gans.images import grid
from keras_gans.latents import (
    check_prior,
    check_steps,
    linear_path,
    sample_prior,
    sample_prior_in_step,
    spherical_path,
)
from keras_gans.layers import bare
from keras_gans.models.base import GenerativeModel


class LatentModel(GenerativeModel):
    """Abstract base of models with a `generator` from z to images.

    Args:
        image_shape: `(height, width, channels)` of the images it makes.
        latent_dim: Length of a latent vector z.
        prior: Law of z: "normal", "uniform" on [-1, 1], or "unit_uniform" on
            [-sqrt 3, sqrt 3].
        metrics: Names of the running means that `fit` shows.
        num_classes: Of labels, which the generator takes beside z; None for an
            unconditional model.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        latent_dim: int,
        prior: str,
        metrics: tuple[str, ...],
        name: str | None = None,
        num_classes: int | None = None,
    ):
        super().__init__(image_shape, metrics, name)
        check_counts(optional=True, num_classes=num_classes)
        self.num_classes = num_classes
        self.class_counts = None
        if num_classes is not None:
            # All replicas have the same.
            self.class_counts = keras.Variable(
                initializer="zeros",
                shape=(num_classes,),
                dtype="float32",
                trainable=False,
                aggregation="mean",
                name="class_counts",
            )
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

    def count_classes(self, labels: Any) -> None:
        """Count a training step's classes, `[batch]`, for `generate`."""
        if labels is not None:
            classes = ops.one_hot(labels, self.num_classes, dtype="float32")
            seen = backend.sum_over_replicas(ops.sum(classes, axis=0))
            self.class_counts.assign(self.class_counts + seen)

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

    def probe(self, network: keras.Model) -> Any:
        """Inputs on which two states of a network are compared."""
        if network is self.generator:
            first = self.draw_latents(64, seed=0)
        else:
            first = self.generate(64, seed=0)
        labels = []
        if len(network.inputs) > 1:
            labels = self.given_labels(None, 64, seed=0)
        return bare(first, *labels)

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Images from latents: `[batch, latent_dim]` -> `[batch, h, w, c]`.

        From `[latents, labels]` where it is conditional.
        """
        return (self.generator if training else self.sampler)(
            inputs, training=training
        )

    def progress(self, data: Any) -> np.ndarray:
        """A grid of 64 samples of seed 0; it needs no data.

        Of a conditional model a column each of its first 10 classes.
        """
        if not self.takes_labels:
            return grid(self.generate(64, seed=0))
        columns = min(self.num_classes, 10)
        n = 64 // columns * columns
        labels = np.arange(n) % columns
        return grid(self.generate(n, seed=0, labels=labels), columns)

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
            labels: For conditional models, the class of all images, or of
                each: `[n]`, or one-hot `[n, num_classes]`. None draws them by
                their frequencies in training.
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
        z = self.draw_latents(n, seed) if latents is None else latents
        z = self.check_latents(z)
        given = self.given_labels(labels, len(z), seed)
        return self.infer(self.sampler, z, *given, batch_size=batch_size)

    def given_labels(
        self, labels: Any, n: int, seed: int | None = None
    ) -> list[np.ndarray]:
        """The classes of n images, int32 `[n]`, in a list; or none of them.

        Args:
            labels: As in `generate`.
            n: How many.
            seed: Of those that are drawn; the first 8 of 64 are the 8 of 8.

        Raises:
            ValueError: If they are not of the model's classes, or it has none.
        """
        if labels is None:
            return [self.draw_labels(n, seed)] if self.takes_labels else []
        contract = inputs.Contract.of(self)
        contract.check_labels(True)
        if isinstance(labels, (int, np.integer)):
            labels = np.full(n, labels)
        return [contract.checked_classes(n, labels)]

    def draw_labels(self, n: int, seed: int | None = None) -> np.ndarray:
        """Draw classes by their frequencies in training, int32 `[n]`.

        Before any training all classes are as likely.
        """
        counts = ops.convert_to_numpy(self.class_counts).astype(float)
        frequencies = counts if counts.any() else np.ones(self.num_classes)
        frequencies = frequencies / frequencies.sum()
        # Beside the latents' numbers, not the same ones.
        generator = np.random.default_rng(None if seed is None else [seed, 1])
        return generator.choice(self.num_classes, n, p=frequencies).astype(
            np.int32
        )

    def check_latents(self, latents: Any) -> np.ndarray:
        """They as float32 `[n, latent_dim]`, or a `ValueError`."""
        z = inputs.as_array(latents)
        shaped = z.ndim == 2 and z.shape[1] == self.latent_dim and len(z)
        if not shaped or z.dtype.kind not in "fiu" or not np.isfinite(z).all():
            got = f"shape={z.shape}"
            if z.dtype.kind not in "fiu":
                got = f"an array of {z.dtype}"
            elif shaped:
                got = f"NaN or infinity in {(~np.isfinite(z)).sum()} of them"
            raise ValueError(
                f"Expected finite `latents` of shape [n, {self.latent_dim}]. "
                f"Received: {got}. Draw some with `model.draw_latents(n)`."
            )
        return z.astype(np.float32)

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
        labels: Any = None,
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
            labels: As in `generate`, a class a walk.
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
        check_steps(steps)
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
        classes = self.given_labels(labels, len(z), seed)
        images = self.generate(
            latents=z.reshape(-1, self.latent_dim),
            labels=np.repeat(classes[0], steps) if classes else None,
            batch_size=batch_size,
        )
        return images.reshape(len(z), steps, *self.image_shape)

    # === Saving ===

    def base_config(self) -> dict:
        config = super().base_config()
        if self.takes_labels:
            counts = ops.convert_to_numpy(self.class_counts)
            config["class_counts"] = [float(count) for count in counts]
        return config

    @classmethod
    def from_config(cls, config: dict) -> "LatentModel":
        config = dict(config)
        counts = config.pop("class_counts", None)
        model = super().from_config(config)
        if counts is not None:
            model.class_counts.assign(checked_counts(counts, model.num_classes))
        return model


def checked_counts(counts: Any, num_classes: int) -> np.ndarray:
    """How often a model saw each class, `[num_classes]`, or a `ValueError`."""
    try:
        checked = np.asarray(counts, dtype=np.float32)
    except (TypeError, ValueError):
        checked = np.full(0, np.nan)
    if checked.shape != (num_classes,) or not (
        np.isfinite(checked).all() and (checked >= 0).all()
    ):
        raise ValueError(
            f"Expected `class_counts` as {num_classes} numbers from 0 on. "
            f"Received: class_counts={counts!r:.80}. Leave it out for classes "
            "that are all as likely."
        )
    return checked
