"""Callbacks that show a generator learning."""

from pathlib import Path

import keras
import numpy as np

from keras_gans import backend
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

    Raises:
        ValueError: If the folder cannot be written, or a number is not
            positive.

    Example:

    ```python
    gan.fit(images, epochs=10, callbacks=[SampleGrid("samples")])
    ```
    """

    def __init__(
        self,
        folder: str | Path,
        n: int = 64,
        seed: int = 0,
        every: int = 1,
        scale: int = 1,
    ):
        super().__init__()
        check_positive(n=n, every=every, scale=scale)
        self.folder = writable_folder(folder)
        self.n = n
        self.seed = seed
        self.every = every
        self.scale = scale

    def on_train_begin(self, logs: dict | None = None) -> None:
        check_generates(self.model)
        check_channels(self.model)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        if (epoch + 1) % self.every == 0:
            path = self.folder / f"epoch_{epoch + 1:04d}.png"
            images = self.model.generate(self.n, seed=self.seed)
            save_png(path, grid(images), self.scale)


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

    Raises:
        ValueError: If the folder cannot be written, a number is not positive,
            or `max_frames` is less than 2.

    Example:

    ```python
    gan.fit(images, callbacks=[TrainingGIF("digits.gif", every=20)])
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
    ):
        super().__init__()
        check_positive(n=n, every=every, scale=scale)
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
        self.every = every
        self.interval = every  # doubles in a long run
        self.max_frames = max_frames
        self.seconds = seconds
        self.scale = scale
        self.frames: list[np.ndarray] = []
        self.steps = 0

    def on_train_begin(self, logs: dict | None = None) -> None:
        check_generates(self.model)
        check_channels(self.model)
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
        return grid(self.model.generate(self.n, seed=self.seed))


def check_positive(**numbers: int) -> None:
    """Raise a `ValueError` that names a number that is none, or below 1."""
    for name, number in numbers.items():
        if not isinstance(number, (int, np.integer)) or number < 1:
            raise ValueError(
                f"Expected `{name}` as a positive integer. Received: "
                f"{name}={number!r}. Leave it out for the default."
            )


def check_generates(model: keras.Model) -> None:
    """Raise a `ValueError` where a model does not draw its own samples."""
    if not hasattr(model, "generate"):
        raise ValueError(
            "Expected a model that draws its own samples, with `generate`. "
            f"Received: {type(model).__name__}. One that translates is shown "
            "by `TranslationGrid`."
        )


def check_channels(model: keras.Model) -> None:
    """Raise a `ValueError` where no file can show a model's images."""
    channels = model.image_shape[-1]
    if channels not in (1, 3, 4):
        raise ValueError(
            "Expected images that a file can show: 1, 3 or 4 channels. "
            f"Received: image_shape={model.image_shape}. Leave the callback "
            "out, and look at some of the channels yourself."
        )
