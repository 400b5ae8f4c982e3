"""A callback that shows two translators learning."""

from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_gans.arguments import check_counts
from keras_gans.callbacks.samples import check_channels
from keras_gans.datasets.unpaired import unpaired
from keras_gans.files import writable_folder
from keras_gans.images import save_png
from keras_gans.inputs import check_translatable


class TranslationGrid(keras.callbacks.Callback):
    """Write translations after every epoch: `epoch_0001.png`, ...

    Original, translation and reconstruction of the same images each time, two
    of them a row (one, where their number is odd): first those of A, then those
    of B. Training is not disturbed.

    Args:
        folder: Where the pictures go; made where it is missing.
        a, b: Images of each domain, best ones that are not trained on: float32
            in [-1, 1] or uint8 `[n, h, w, c]`, or an `ImageData`. Of one shape,
            which need not be that of training; h and w divisible by 4.
        n: Images of each domain; the first ones.
        every: Epochs between pictures.
        scale: Whole number by which each pixel is enlarged.

    Raises:
        ValueError: If the folder cannot be written, a number is not positive, a
            domain is empty, or their shapes differ. By `fit`, before the first
            step, if the model does not translate such images.

    Example:

    ```python
    test = keras_gans.datasets.load("cyclegan/horse2zebra", "test")
    watch = keras_gans.callbacks.TranslationGrid("pictures", test.a, test.b)
    cyclegan.fit(horses, zebras, epochs=200, callbacks=[watch])
    ```
    """

    def __init__(
        self,
        folder: str | Path,
        a: Any,
        b: Any,
        n: int = 4,
        every: int = 1,
        scale: int = 1,
    ):
        super().__init__()
        check_counts(n=n, every=every, scale=scale)
        data = unpaired(a, b)
        self.images = {
            "AtoB": data.a.part(slice(n)).arrays()[0],
            "BtoA": data.b.part(slice(n)).arrays()[0],
        }
        self.folder = writable_folder(folder)
        self.every = every
        self.scale = scale

    def on_train_begin(self, logs: dict | None = None) -> None:
        if not hasattr(self.model, "translate"):
            raise ValueError(
                "Expected a model that translates. Received: "
                f"{type(self.model).__name__}. `SampleGrid` shows one that "
                "draws its own samples."
            )
        check_channels(self.model)
        for images in self.images.values():
            check_translatable(images, self.model.image_shape[-1])

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        if (epoch + 1) % self.every == 0:
            path = self.folder / f"epoch_{epoch + 1:04d}.png"
            save_png(path, self.picture(), self.scale)

    def picture(self) -> np.ndarray:
        """The translations as they are now, uint8."""
        return self.model.triples(*self.images.values())
