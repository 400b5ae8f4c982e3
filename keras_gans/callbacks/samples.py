"""Callbacks that show a generator learning."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_gans import backend
from keras_gans.arguments import check_counts
from keras_gans.files import writable_folder
from keras_gans.images import grid, save_gif, save_png


class SampleGrid(keras.callbacks.Callback):
    """Write a grid of samples after every epoch: `epoch_0001.png`, ...

    The latents are the same each time, so the pictures show one set of samples
    changing. Training is not disturbed: its noise is another.

    Args:
        folder: Where the pictures go; made where it is missing.
        n: Images in the grid.
        seed: Of the latents.
        every: Epochs between pictures.
        scale: Whole number by which each pixel is enlarged.
        texts: For a model of texts, what to draw: n images of each.

    Raises:
        ValueError: If the folder cannot be written, or a number is not
            positive.

    Example:

    ```python
    images, labels = keras_gans.datasets.mnist_5k()
    gan = keras_gans.GAN(variant="small")
    pictures = keras_gans.callbacks.SampleGrid("samples")
    gan.fit(images, epochs=2, callbacks=[pictures])
    ```
    """

    def __init__(
        self,
        folder: str | Path,
        n: int = 64,
        seed: int = 0,
        every: int = 1,
        scale: int = 1,
        texts: Sequence[str] | None = None,
    ):
        super().__init__()
        check_counts(n=n, every=every, scale=scale)
        self.folder = writable_folder(folder)
        self.n = n
        self.seed = seed
        self.texts = texts
        self.every = every
        self.scale = scale

    def on_train_begin(self, logs: dict | None = None) -> None:
        check_draws(self.model, self.texts)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        if (epoch + 1) % self.every == 0:
            path = self.folder / f"epoch_{epoch + 1:04d}.png"
            save_png(path, samples_of(self), self.scale)


class TrainingGIF(keras.callbacks.Callback):
    """Write an animated GIF of the same samples through the whole run.

    Args:
        path: The file; its folder is made where it is missing.
        n: Images in each frame.
        seed: Of the latents.
        every: Compiled calls between frames: steps, unless `compile` was given
            `steps_per_execution`.
        max_frames: Where a run has more, every second frame is dropped and
            the interval doubles, so a long run costs no more than a short one.
        seconds: How long a frame is shown.
        scale: Whole number by which each pixel is enlarged.
        texts: For a model of texts, what to draw: n images of each.

    Raises:
        ValueError: If the folder cannot be written, a number is not positive,
            or `max_frames` is less than 2.

    Example:

    ```python
    images, labels = keras_gans.datasets.mnist_5k()
    gan = keras_gans.GAN(variant="small")
    film = keras_gans.callbacks.TrainingGIF("digits.gif", every=20)
    gan.fit(images, callbacks=[film])
    ```
    """

    def __init__(
        self,
        path: str | Path,
        n: int = 36,
        seed: int = 0,
        every: int = 20,
        max_frames: int = 100,
        seconds: float = 0.1,
        scale: int = 1,
        texts: Sequence[str] | None = None,
    ):
        super().__init__()
        check_counts(n=n, every=every, scale=scale)
        if max_frames < 2:
            raise ValueError(
                "Expected `max_frames` of at least 2. Received: "
                f"max_frames={max_frames}. A film has more than one picture."
            )
        self.path = Path(path)
        if self.path.is_dir() or not 0 < seconds < 60:
            raise ValueError(
                "Expected the path of a file, and `seconds` between 0 and 60. "
                f"Received: path={str(path)!r}, seconds={seconds}. Name a file "
                "as in 'samples/run.gif'."
            )
        writable_folder(self.path.parent)
        self.n = n
        self.seed = seed
        self.texts = texts
        self.every = every
        self.interval = every  # doubles in a long run
        self.max_frames = max_frames
        self.seconds = seconds
        self.scale = scale
        self.frames: list[np.ndarray] = []
        self.steps = 0

    def on_train_begin(self, logs: dict | None = None) -> None:
        check_draws(self.model, self.texts)
        self.interval = self.every
        self.frames = [self.frame()]
        self.steps = 0

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self.steps += 1
        if self.steps % self.interval == 0:
            backend.synchronize(self.model)
            self.frames.append(self.frame())
            if len(self.frames) > self.max_frames:
                self.frames = self.frames[::2]
                self.interval *= 2

    def on_train_end(self, logs: dict | None = None) -> None:
        self.frames.append(self.frame())
        save_gif(self.path, self.frames, self.seconds, self.scale)

    def frame(self) -> np.ndarray:
        """The samples as they are now, uint8."""
        return samples_of(self)


def samples_of(callback: SampleGrid | TrainingGIF) -> np.ndarray:
    """A grid of the samples that a callback shows; of texts a row each."""
    model, n, seed = callback.model, callback.n, callback.seed
    if callback.texts is None:
        return grid(model.generate(n, seed=seed))
    return grid(model.generate(n, seed=seed, texts=callback.texts), columns=n)


def check_generates(model: keras.Model) -> None:
    """Raise a `ValueError` where a model does not draw its own samples."""
    if not hasattr(model, "generate"):
        raise ValueError(
            "Expected a model that draws its own samples, with `generate`. "
            f"Received: {type(model).__name__}. One that translates is shown "
            "by `TranslationGrid`."
        )


def check_draws(model: keras.Model, texts: Any) -> None:
    """Raise a `ValueError` unless a callback can draw a model's samples.

    Args:
        model: What is trained.
        texts: That the callback was given to draw, or None.
    """
    check_generates(model)
    check_channels(model)
    if model.takes_text != (texts is not None):
        raise ValueError(
            f"Expected {'texts to draw' if model.takes_text else 'no texts'} "
            f"for a {type(model).__name__}. Received: texts={texts!r:.60}. "
            "Pass texts=['a red flower'] to the callback of a model of texts, "
            "and to no other."
        )
    if texts is not None:
        model.encode(texts)  # what is wrong is found before the first step


def check_channels(model: keras.Model) -> None:
    """Raise a `ValueError` where no file can show a model's images."""
    channels = model.image_shape[-1]
    if channels not in (1, 3, 4):
        raise ValueError(
            "Expected images that a file can show: 1, 3 or 4 channels. "
            f"Received: image_shape={model.image_shape}. Leave the callback "
            "out, and look at some of the channels yourself."
        )
