"""Differentiable Augmentation for Data-Efficient GAN Training.

Shengyu Zhao, Zhijian Liu, Ji Lin, Jun-Yan Zhu, Song Han, 2020.
arXiv:2006.10738. Ranges and order are those of the authors' code
(mit-han-lab/data-efficient-gans, `DiffAugment_pytorch.py`).

A discriminator that sees few real images learns them by heart. Every image that
it sees, real or generated, goes through the same random T first (eqs. 2 and 3);
the generator's gradient goes back through T.
"""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from keras_gans.backend import SeedGenerator
from keras_gans.pyramid import as_images
from keras_gans.registry import serializable, unknown

SHIFT = 0.125  # largest translation, a share of the side
CUT = 0.5  # side of what is cut out, a share of the image's


def augmentation(policy: str | None) -> Callable:
    """T of a policy; of None the identity.

    Args:
        policy: As `DiffAugment`, or None.

    Raises:
        ValueError: If an augmentation is unknown.
    """
    return unchanged if policy is None else DiffAugment(policy)


def unchanged(images: Any) -> Any:
    return images


@serializable
class DiffAugment(keras.layers.Layer):
    """Random changes of images, other ones each time, with a gradient.

    - "color": brightness + U(-0.5, 0.5), saturation x U(0, 2), contrast x
      U(0.5, 1.5).
    - "translation": by up to an eighth of the side, zeros behind it.
    - "cutout": a square of half the side, anywhere, set to zero.

    Args:
        policy: Some of them in their order, as in "color,translation,cutout",
            the paper's for few images.

    Input and output: float `[batch, height, width, channels]`, in [-1, 1]
    before; colours may leave it.

    Raises:
        ValueError: If an augmentation is unknown, or what it is called on are
            no float images.

    Example:

    ```python
    gan = keras_gans.DCGAN((64, 64, 3), augment="color,translation,cutout")
    ```
    """

    def __init__(self, policy: str, **kwargs: Any):
        super().__init__(**kwargs | {"dtype": keras.config.floatx()})
        known = list(AUGMENTATIONS)
        names = policy.split(",") if isinstance(policy, str) else [policy]
        names = [n.strip() if isinstance(n, str) else n for n in names]
        for name in names:
            if name not in known:
                raise ValueError(
                    unknown("augmentation", name, known)
                    + " Join several by commas; None is for none."
                )
        self.policy = ",".join(names)
        self.seed_generator = SeedGenerator()
        self.built = True

    def call(self, images: Any) -> Any:
        images = as_images(images)
        for name in self.policy.split(","):
            images = AUGMENTATIONS[name](images, self.seed_generator)
        return images

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return input_shape

    def get_config(self) -> dict:
        return super().get_config() | {"policy": self.policy}


def color(images: Any, seed: Any) -> Any:
    """Brightness, then saturation, then contrast."""
    each = (ops.shape(images)[0], 1, 1, 1)

    def uniform(low: float, high: float) -> Any:
        draws = keras.random.uniform(each, low, high, seed=seed)
        return ops.cast(draws, images.dtype)

    x = images + uniform(-0.5, 0.5)
    gray = ops.mean(x, axis=-1, keepdims=True)
    x = (x - gray) * uniform(0.0, 2.0) + gray
    mean = ops.mean(x, axis=(1, 2, 3), keepdims=True)
    return (x - mean) * uniform(0.5, 1.5) + mean


def translation(images: Any, seed: Any) -> Any:
    """out[i, j] = in[i + s, j + t], zero where that is outside."""

    def shifts(side: int) -> Any:
        """A matrix an image, `[batch, side, side]`, that moves an axis."""
        most = int(side * SHIFT + 0.5)
        n = (ops.shape(images)[0], 1, 1)
        by = keras.random.randint(n, -most, most + 1, seed=seed)
        i, j = ops.arange(side)[:, None], ops.arange(side)[None]
        return ops.cast(ops.equal(j, i + ops.cast(by, i.dtype)), images.dtype)

    height, width = images.shape[1:3]
    moved = ops.einsum("bih,bhwc->biwc", shifts(height), images)
    return ops.einsum("bjw,biwc->bijc", shifts(width), moved)


def cutout(images: Any, seed: Any) -> Any:
    """Zero in a square whose middle is anywhere, its rest outside."""

    def inside(side: int) -> Any:
        """Whether a place along an axis is in the square, `[batch, side]`."""
        size = int(side * CUT + 0.5)
        n = (ops.shape(images)[0], 1)
        middle = keras.random.randint(n, 0, side + 1 - size % 2, seed=seed)
        i = ops.arange(side)[None]
        first = ops.cast(middle, i.dtype) - size // 2
        return ops.logical_and(i >= first, i < first + size)

    height, width = images.shape[1:3]
    rows, columns = inside(height), inside(width)
    cut = ops.logical_and(rows[:, :, None], columns[:, None, :])
    return images * ops.cast(ops.logical_not(cut), images.dtype)[..., None]


AUGMENTATIONS = {
    "color": color,
    "translation": translation,
    "cutout": cutout,
}
