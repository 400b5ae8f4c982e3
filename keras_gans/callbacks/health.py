"""Watch a game of two players for the ways in which it goes wrong."""

import warnings

import keras
import numpy as np
from keras import ops

from keras_gans import backend
from keras_gans.callbacks.samples import check_generates, check_positive
from keras_gans.losses import discriminator_loss


class HealthMonitor(keras.callbacks.Callback):
    """Warn, once each and with the evidence, of what ruins a training.

    - "nan": a loss or a sample is not finite.
    - "collapse": samples are much more alike than real images are, and cover
      few of them, in pixels.
    - "saturated": the discriminator's loss on fresh images is next to nothing,
      so it has won. Only for models with a `generator_objective`.
    - "vanishing": the generator's loss hardly changes with its images, so it
      learns nothing. Only for models with a `generator_objective`.

    All but "nan" must be found at `patience` checks in a row: a new generator
    is not diverse either.

    Args:
        images: Real images, float32 `[n, h, w, c]` in [-1, 1]; n from 50, of
            which at most `n` are used.
        every: Steps between checks.
        n: Samples at a check.
        patience: Checks in a row.
        stop: End `fit` at the first finding.
        least_diversity: Mean distance of samples over that of real images.
        least_coverage: Share of real images with a sample among them
            (Naeem et al. 2020, k = 5).
        least_d_loss: The discriminator's; 2 log 2 = 1.39 at chance.
        least_gradient: Root mean square, over samples, of the norm of the
            generator loss's gradient in the image.

    `findings` maps what was found to its evidence.

    Raises:
        ValueError: If there are fewer than 50 images, or a number is not
            positive.

    Example:

    ```python
    monitor = keras_gans.callbacks.HealthMonitor(images, stop=True)
    gan.fit(images, callbacks=[monitor])
    monitor.findings  # {} if all went well
    ```
    """

    def __init__(
        self,
        images: np.ndarray,
        every: int = 100,
        n: int = 256,
        patience: int = 3,
        stop: bool = False,
        least_diversity: float = 0.2,
        least_coverage: float = 0.1,
        least_d_loss: float = 0.01,
        least_gradient: float = 1e-4,
    ):
        super().__init__()
        check_positive(every=every, n=n, patience=patience)
        images = np.asarray(images, dtype=np.float32)
        if images.ndim != 4 or len(images) < 50 or n < 50:
            raise ValueError(
                "Expected at least 50 real images [n, h, w, c], and n from 50."
                f" Received: shape={images.shape}, n={n}. Give a few hundred."
            )
        self.images = images[:: max(1, len(images) // n)][:n]
        self.every = every
        self.n = n
        self.patience = patience
        self.stop = stop
        self.least_diversity = least_diversity
        self.least_coverage = least_coverage
        self.least_d_loss = least_d_loss
        self.least_gradient = least_gradient
        self.findings: dict[str, str] = {}
        self.steps = 0
        self.in_a_row: dict[str, int] = {}

    def on_train_begin(self, logs: dict | None = None) -> None:
        check_generates(self.model)
        self.findings, self.in_a_row, self.steps = {}, {}, 0

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self.steps += 1
        for name, value in (logs or {}).items():
            if not np.all(np.isfinite(value)):
                self.found("nan", f"{name} is {value}")
        if self.steps % self.every == 0:
            backend.synchronize(self.model)
            self.check()

    def check(self) -> None:
        """Look for everything, once."""
        fake = self.model.generate(self.n, seed=0)
        bad = int((~np.isfinite(fake)).any(axis=(1, 2, 3)).sum())
        if bad:
            self.found("nan", f"{bad} of {self.n} samples are not finite")
            return
        self.check_collapse(fake)
        if hasattr(self.model, "generator_objective"):
            self.check_saturation(fake)
            self.check_gradient(fake)

    def check_collapse(self, fake: np.ndarray) -> None:
        from keras_gans.metrics.density_coverage import density_coverage
        from keras_gans.metrics.diversity import diversity

        real = self.images.reshape(len(self.images), -1)
        fake = fake.reshape(len(fake), -1)
        ratio = diversity(fake, real)
        coverage = density_coverage(real, fake)[1]
        self.suspect(
            "collapse",
            ratio < self.least_diversity and coverage < self.least_coverage,
            f"samples are {ratio:.2f} times as diverse as real images and "
            f"cover {coverage:.0%} of them (limits {self.least_diversity:.2f} "
            f"and {self.least_coverage:.0%})",
        )

    def check_saturation(self, fake: np.ndarray) -> None:
        logits = [
            self.model.discriminator(images, training=False)
            for images in (self.images, fake)
        ]
        d_loss = float(ops.convert_to_numpy(discriminator_loss(*logits)))
        self.suspect(
            "saturated",
            d_loss < self.least_d_loss,
            f"the discriminator's loss is {d_loss:.2g} on {self.n} samples and "
            f"as many real images (1.39 at chance, limit {self.least_d_loss})",
        )

    def check_gradient(self, fake: np.ndarray) -> None:
        def loss_of_each(images):
            # The objective is a mean: times n, each sample has its own.
            logits = self.model.discriminator(images, training=False)
            return self.model.generator_objective(logits) * len(fake)

        slope = backend.gradient(loss_of_each, ops.convert_to_tensor(fake))
        slope = ops.convert_to_numpy(slope).reshape(len(fake), -1)
        norm = float(np.sqrt((slope**2).sum(axis=1).mean()))
        self.suspect(
            "vanishing",
            norm < self.least_gradient,
            f"the gradient of the generator's loss in its images has norm "
            f"{norm:.2g} (limit {self.least_gradient})",
        )

    def suspect(self, kind: str, seen: bool, evidence: str) -> None:
        """Count what is seen at checks in a row."""
        self.in_a_row[kind] = self.in_a_row.get(kind, 0) + 1 if seen else 0
        if self.in_a_row[kind] >= self.patience:
            self.found(kind, evidence)

    def found(self, kind: str, evidence: str) -> None:
        """Warn of it, the first time."""
        if kind in self.findings:
            return
        self.findings[kind] = evidence
        meaning = {
            "nan": "the training has diverged; lower the learning rate",
            "collapse": "the generator has collapsed; lower its learning rate, "
            "or start from another seed",
            "saturated": "the discriminator has won; lower its learning rate",
            "vanishing": "the generator has stopped learning; the "
            "non-saturating loss has a gradient where this one has none",
        }[kind]
        warnings.warn(
            f"Step {self.steps}: {evidence}: {meaning}.", stacklevel=2
        )
        if self.stop:
            self.model.stop_training = True
