"""Measure a model while it trains, and keep the best of it."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import keras
import numpy as np

from keras_gans.arguments import check_counts
from keras_gans.callbacks.samples import check_generates
from keras_gans.datasets import ImageData
from keras_gans.files import told, writable_folder
from keras_gans.weights import save_model

if TYPE_CHECKING:  # slow to import
    from keras_gans.metrics import Extractor, Reference
    from keras_gans.metrics.subject import Subject


class Evaluate(keras.callbacks.Callback):
    """Write metrics into the history of `fit`, and keep the best weights.

    The first figure of the first metric decides which epoch was the best.
    After `fit`, `best_epoch` and `best_value` say which, `restore_best()` puts
    its weights back, and `last_value` is that of the weights as they stand.

    Where samples are not finite, the figures of that epoch are NaN, and the
    training goes on.

    Args:
        metrics: Names in `keras_gans.metrics.METRICS`, or one of them.
        every: Epochs between measurements; the weights at the end of `fit` are
            always measured.
        n: Samples for each measurement, from 2.
        seed: Of the samples.
        higher_is_better: Of the first figure; None for what its metric says: a
            distance is better the lower it is, precision the higher.
        folder: Save `best.keras` and `last.keras` there, too.
        extractor_name, train, test, validation, reference: As in
            `keras_gans.metrics.evaluate`. Features of real images are taken
            once, and kept for all epochs.

    Raises:
        ValueError: If a metric or the extractor is unknown, a number is not
            positive, data is no `ImageData`, or the folder cannot be written.

    Example:

    ```python
    data = keras_gans.datasets.load("mnist_5k")
    train, test = data.part(slice(0, 4000)), data.part(slice(4000, None))
    gan = keras_gans.GAN(variant="small")
    watch = keras_gans.callbacks.Evaluate(n=500, test=test)
    gan.fit(train.arrays()[0], epochs=2, callbacks=[watch])
    watch.restore_best()
    ```
    """

    def __init__(
        self,
        metrics: Sequence[str] = ("frechet_distance",),
        every: int = 1,
        n: int = 2000,
        seed: int = 0,
        higher_is_better: bool | None = None,
        folder: str | Path | None = None,
        *,
        extractor_name: "str | keras.Model | Extractor" = "lenet_mnist",
        train: ImageData | None = None,
        test: ImageData | None = None,
        validation: ImageData | None = None,
        reference: "Reference | None" = None,
    ):
        from keras_gans.metrics import METRICS, extractor
        from keras_gans.metrics.checks import check_seed
        from keras_gans.metrics.evaluation import (
            check_draws,
            check_metrics,
            needs_extractor,
        )

        super().__init__()
        metrics = check_metrics(metrics)
        check_counts(every=every)
        check_seed(seed)
        check_draws(metrics, n, [seed])
        data = {"train": train, "test": test, "validation": validation}
        check_data(data, reference)
        if higher_is_better is None:
            higher_is_better = METRICS[metrics[0]].higher_is_better
        if higher_is_better is None:
            raise ValueError(
                "Expected first a metric that says which weights are better. "
                f"Received: {metrics[0]!r}. Put another one before it, or pass "
                "`higher_is_better`."
            )
        self.metrics = metrics
        self.every = every
        self.n = n
        self.seed = seed
        self.sign = -1.0 if higher_is_better else 1.0
        self.extract = None
        if needs_extractor(metrics, reference):
            self.extract = extractor(extractor_name)
        self.folder = None if folder is None else writable_folder(folder)
        self.data = data | {"reference": reference}
        self.kept: dict = {}  # features of real images
        self.names: list[str] = []  # of the figures that were measured
        self.forget()

    def forget(self) -> None:
        """Start anew: nothing measured yet."""
        self.best_epoch = self.best_value = self.best_weights = None
        self.last_epoch = self.last_value = None
        self.epoch = 0  # epochs that have ended

    def on_train_begin(self, logs: dict | None = None) -> None:
        from keras_gans.metrics.evaluation import check_subject

        check_generates(self.model)
        check_subject(self.metrics, self.subject())
        self.forget()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.epoch = epoch + 1
        last = self.epoch == self.params.get("epochs")
        if self.epoch % self.every == 0 or last:
            figures = self.measure()
            if logs is not None:  # Keras's History reads it after this callback
                logs.update(figures)

    def subject(self) -> "Subject":
        """The model as it is, and the data it is measured with."""
        from keras_gans.metrics.subject import Subject

        return Subject(
            self.model,
            self.extract,
            **self.data,
            n=self.n,
            seed=self.seed,
            kept=self.kept,
        )

    def measure(self) -> dict[str, float]:
        """Figures of the model as it is, by name; keep it if it is the best."""
        from keras_gans.metrics.evaluation import METRICS, full_name

        subject = self.subject()
        figures = {}
        try:
            for metric in map(METRICS.get, self.metrics):
                for name, value in metric.measure(subject).items():
                    name = full_name(metric, name, self.extract)
                    figures[name] = float(value)
        except ValueError:
            batches = subject.samples(self.n)
            if all(np.isfinite(images).all() for images in batches):
                raise
            # No metric is defined, and the training may be worth seeing.
            first = full_name(
                METRICS[self.metrics[0]], self.metrics[0], self.extract
            )
            figures = dict.fromkeys(self.names or [first], float("nan"))
        self.names = list(figures)
        self.watched = self.names[0]
        self.last_epoch, self.last_value = self.epoch, figures[self.watched]
        if np.isfinite(self.last_value) and (
            self.best_value is None
            or self.sign * self.last_value < self.sign * self.best_value
        ):
            self.best_epoch, self.best_value = self.epoch, self.last_value
            self.best_weights = self.model.get_weights()
            if self.folder is not None:
                self.save("best.keras")
        return figures

    def save(self, name: str) -> None:
        """Write the model into the folder, whole or not at all."""
        with told(self.folder / name):
            save_model(self.model, self.folder / name)

    def on_train_end(self, logs: dict | None = None) -> None:
        if self.epoch == 0:
            return
        if self.folder is not None:  # first: whatever the measurement says
            self.save("last.keras")
        if self.last_epoch != self.epoch:  # stopped before its last epoch
            self.measure()
        best = "none"
        if self.best_epoch is not None:
            best = f"{self.best_value:.4f} in epoch {self.best_epoch}"
        print(
            f"{self.watched}: best {best}, last {self.last_value:.4f} in epoch "
            f"{self.last_epoch}."
        )

    def restore_best(self) -> None:
        """Put the best weights back into the model.

        Raises:
            ValueError: If nothing was measured yet.
        """
        if self.best_weights is None:
            raise ValueError(
                "Expected a `fit` with this callback first. Received: no "
                "measurement yet. Pass it in `callbacks`."
            )
        self.model.set_weights(self.best_weights)


def check_data(data: dict[str, ImageData | None], reference: object) -> None:
    """Raise a `ValueError` that names what is no data, or no statistics."""
    from keras_gans.metrics import Reference

    for name, given in data.items():
        if given is not None and not isinstance(given, ImageData):
            raise ValueError(
                f"Expected `{name}` as an `ImageData`. Received: "
                f"{type(given).__name__}. Load it with "
                "`keras_gans.datasets.load`, or make "
                "`keras_gans.datasets.ImageData(name, images)`."
            )
    if reference is not None and not isinstance(reference, Reference):
        raise ValueError(
            "Expected `reference` as statistics of real images. Received: "
            f"{type(reference).__name__}. Load them with `Reference.load`."
        )
