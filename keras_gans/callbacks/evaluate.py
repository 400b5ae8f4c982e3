"""Measure a model while it trains, and keep the best of it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras

from keras_gans.callbacks.samples import check_generates, check_positive
from keras_gans.files import writable_folder


class Evaluate(keras.callbacks.Callback):
    """Write metrics into the history of `fit`, and keep the best weights.

    The first figure of the first metric decides which epoch was the best.
    After `fit`, `best_epoch` and `best_value` say which, `restore_best()` puts
    its weights back, and `last_value` is that of the weights as they stand.

    Args:
        metrics: Names in `keras_gans.metrics.METRICS`.
        every: Epochs between measurements; the last epoch is always measured.
        n: Samples for each measurement.
        seed: Of the samples.
        higher_is_better: For metrics such as precision. A distance is better
            the lower it is.
        folder: Save `best.keras` and `last.keras` there, too.
        **data: `extractor_name`, `train`, `test`, `validation`, `reference`,
            as in `keras_gans.metrics.evaluate`.

    Raises:
        ValueError: If a metric is unknown, a number is not positive, or the
            folder cannot be written.

    Example:

    ```python
    test = keras_gans.datasets.load("mnist", "test")
    watch = keras_gans.callbacks.Evaluate(n=2000, test=test)
    gan.fit(images, epochs=10, callbacks=[watch])
    watch.restore_best()
    ```
    """

    def __init__(
        self,
        metrics: Sequence[str] = ("frechet_distance",),
        every: int = 1,
        n: int = 2000,
        seed: int = 0,
        higher_is_better: bool = False,
        folder: str | Path | None = None,
        **data: Any,
    ):
        from keras_gans.metrics.evaluation import check_metrics

        super().__init__()
        check_positive(every=every, n=n)
        check_metrics(metrics)
        self.metrics = list(metrics)
        self.every = every
        self.n = n
        self.seed = seed
        self.sign = -1.0 if higher_is_better else 1.0
        self.folder = None if folder is None else writable_folder(folder)
        self.data = data
        self.best_epoch = self.best_value = self.best_weights = None
        self.last_epoch = self.last_value = None

    def on_train_begin(self, logs: dict | None = None) -> None:
        check_generates(self.model)
        self.best_epoch = self.best_value = self.best_weights = None
        self.last_epoch = self.last_value = None

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        last = epoch + 1 == self.params.get("epochs")
        if (epoch + 1) % self.every and not last:
            return
        from keras_gans.metrics import evaluate

        figures = evaluate(
            self.model,
            self.metrics,
            n=self.n,
            seeds=(self.seed,),
            verbose=False,
            **self.data,
        )
        if logs is not None:  # Keras's History reads it after this callback
            logs.update({figure.name: figure.value for figure in figures})
        self.watched = figures[0].name
        self.last_epoch, self.last_value = epoch + 1, figures[0].value
        if (
            self.best_value is None
            or self.sign * self.last_value < self.sign * self.best_value
        ):
            self.best_epoch, self.best_value = epoch + 1, self.last_value
            self.best_weights = self.model.get_weights()
            if self.folder is not None:
                self.model.save(self.folder / "best.keras")

    def on_train_end(self, logs: dict | None = None) -> None:
        if self.best_epoch is None:
            return
        if self.folder is not None:
            self.model.save(self.folder / "last.keras")
        print(
            f"{self.watched}: best {self.best_value:.4f} in epoch "
            f"{self.best_epoch}, last {self.last_value:.4f} in epoch "
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
