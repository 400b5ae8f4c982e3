"""Watch a game of two players for the ways in which it goes wrong."""

import warnings

import keras
import numpy as np
from keras import ops

from keras_gans import backend
from keras_gans.arguments import check_counts, check_weights
from keras_gans.callbacks.samples import check_generates
from keras_gans.datasets import ImageData
from keras_gans.inputs import Contract
from keras_gans.losses import discriminator_loss

# Samples that look like no real image cover none, either: a young generator's
# do, of all healthy ones. Coverage speaks of collapse from this density on,
# in which a real image counts 1 (measured on digits: an untrained generator
# 0.0, a DCGAN's first 200 steps up to 0.2, one or two digits dealt over and
# over 0.4 and more).
DENSE = 0.3


class HealthMonitor(keras.callbacks.Callback):
    """Warn, once each and with the evidence, of what ruins a training.

    - "nan": a loss or a sample is not finite.
    - "collapse": samples are much more alike than real images are; or they
      look like real images, of which they cover few. Both in pixels. Of digits
      it finds one class dealt, or a few images; three classes cover more.
    - "saturated": the discriminator's loss on fresh images is next to nothing,
      so it has won. Only for models with a `generator_objective`.
    - "vanishing": the generator's loss hardly changes with its images, so it
      learns nothing. Only for models with a `generator_objective`.

    All but "nan" must be found at `patience` checks in a row: a new generator
    is not diverse either.

    Args:
        images: Real images, float32 `[n, h, w, c]` in [-1, 1] or an
            `ImageData`; n from 50, of which at most `n` are used. For a model
            of texts a `CaptionedData`, whose captions are drawn.
        every: Steps between checks.
        n: Samples at a check.
        patience: Checks in a row.
        stop: End `fit` at the first finding.
        least_diversity: Mean distance of samples over that of real images.
        least_coverage: Share of real images with a sample among them
            (Naeem et al. 2020, k = 5). For 256 samples and images: fresh
            digits cover 0.97, those of one class at most 0.4, five images 0.1.
        least_d_loss: The discriminator's; 2 log 2 = 1.39 at chance.
        least_gradient: Root mean square, over samples, of the norm of the
            generator loss's gradient in the image.

    `findings` maps what was found to its evidence.

    Raises:
        ValueError: If there are fewer than 50 images, or they are not finite
            and in [-1, 1]; if a number is not positive or a limit negative; in
            `fit`, if the images are not of the model's shape.

    Example:

    ```python
    images, labels = keras_gans.datasets.mnist_5k()
    gan = keras_gans.GAN(variant="small")
    monitor = keras_gans.callbacks.HealthMonitor(images, stop=True)
    gan.fit(images, callbacks=[monitor])
    monitor.findings  # {} if all went well
    ```
    """

    def __init__(
        self,
        images: np.ndarray | ImageData,
        every: int = 100,
        n: int = 256,
        patience: int = 3,
        stop: bool = False,
        least_diversity: float = 0.2,
        least_coverage: float = 0.35,
        least_d_loss: float = 0.01,
        least_gradient: float = 1e-4,
    ):
        from keras_gans.metrics.checks import as_array

        super().__init__()
        check_counts(every=every, n=n, patience=patience)
        check_weights(
            least_diversity=least_diversity,
            least_coverage=least_coverage,
            least_d_loss=least_d_loss,
            least_gradient=least_gradient,
        )
        captions: tuple = ()
        if isinstance(images, ImageData):
            step = max(1, len(images) // n)
            data = images.part(slice(0, None, step))
            images = data.arrays()[0]
            captions = getattr(data, "captions", ())
        images = as_array(images, "images")
        if images.ndim != 4 or len(images) < 50 or n < 50:
            raise ValueError(
                "Expected at least 50 real images [n, h, w, c], and n from 50."
                f" Received: shape={images.shape}, n={n}. Give a few hundred."
            )
        # Of any shape so far; that of the model is asked for in `fit`.
        Contract("", images.shape[1:]).check_images(images)
        images = images[:: max(1, len(images) // n)][:n]
        self.images = images.astype(np.float32)
        self.captions = [texts[0] for texts in captions]
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
        if self.model.takes_text and not self.captions:
            raise ValueError(
                "Expected images with captions for a "
                f"{type(self.model).__name__}. Received: images alone. Pass a "
                "`CaptionedData`."
            )
        name, shape = type(self.model).__name__, tuple(self.model.image_shape)
        Contract(name, shape).check_images(self.images)
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
        fake = self.samples()
        bad = int((~np.isfinite(fake)).any(axis=(1, 2, 3)).sum())
        if bad:
            self.found("nan", f"{bad} of {self.n} samples are not finite")
            return
        self.check_collapse(fake)
        if hasattr(self.model, "generator_objective"):
            self.check_saturation(fake)
            self.check_gradient(fake)

    def samples(self) -> np.ndarray:
        """n of seed 0, of a model of texts those of the captions."""
        if not self.model.takes_text:
            return self.model.generate(self.n, seed=0)
        texts = (self.captions * (self.n // len(self.captions) + 1))[: self.n]
        return self.model.generate(1, seed=0, texts=texts)

    def check_collapse(self, fake: np.ndarray) -> None:
        from keras_gans.metrics.density_coverage import density_coverage
        from keras_gans.metrics.diversity import diversity

        real = self.images.reshape(len(self.images), -1)
        fake = fake.reshape(len(fake), -1)
        ratio = diversity(fake, real)
        density, coverage = density_coverage(real, fake)
        few = density >= DENSE and coverage < self.least_coverage
        self.suspect(
            "collapse",
            ratio < self.least_diversity or few,
            f"{len(fake)} samples are {ratio:.2f} times as diverse as "
            f"{len(real)} real images and cover {coverage:.0%} of them, in "
            f"density {density:.2f} (limits {self.least_diversity:.2f}, and "
            f"{self.least_coverage:.0%} from density {DENSE} on)",
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
            f"the discriminator's loss is {d_loss:.2g} on {len(fake)} samples "
            f"and {len(self.images)} real images (1.39 at chance, limit "
            f"{self.least_d_loss})",
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
