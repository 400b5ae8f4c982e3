"""Models that translate images from one domain to another, and back."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_gans.datasets.data import as_float
from keras_gans.datasets.unpaired import UnpairedData
from keras_gans.images import grid, to_uint8
from keras_gans.inputs import check_translatable
from keras_gans.models.base import GenerativeModel
from keras_gans.registry import unknown


class TranslationModel(GenerativeModel):
    """Abstract base of models of two domains, A and B.

    A subclass names its networks in `translators`. Arguments as in
    `GenerativeModel`.
    """

    two_domains = True
    use = 'images = model.translate(images)  # and direction="BtoA"'
    shows = "the first test images, translated: 16 from A to B, then 16 back"

    @property
    def translators(self) -> dict[str, keras.Model]:
        """The network of each direction, "AtoB" and "BtoA"."""
        raise NotImplementedError

    @property
    def sampler(self) -> keras.Model:
        """From A to B: what `call`, `predict` and `export` are of."""
        return self.translators["AtoB"]

    @property
    def needed_networks(self) -> list[keras.Model]:
        # A checkpoint of one generator, converted, is an entry of one way.
        there, back = self.translators.values()
        file = f"{back.name}.weights.h5"
        one_way = self.card is not None and file not in self.card.files
        return [there] if one_way else [there, back]

    def check_has_test_loss(self) -> None:
        raise ValueError(
            "Expected a model with a loss on held-out data. Received: "
            f"{type(self).__name__}, a game, whose losses measure its players "
            "against each other. Leave `evaluate` and the validation data out, "
            "and look at translations: `keras_gans.callbacks.TranslationGrid`."
        )

    def translate(
        self, images: Any, direction: str = "AtoB", *, batch_size: int = 1
    ) -> np.ndarray:
        """Translate images from one domain to the other.

        Args:
            images: One image `[h, w, c]` or a batch `[n, h, w, c]`, float in
                [-1, 1] or uint8 0..255, h and w divisible by 4.
            direction: "AtoB" or "BtoA".
            batch_size: Images translated at once.

        Returns:
            The same kind as `images`: one or a batch, float32 or uint8.

        Raises:
            ValueError: If the direction is unknown or came without weights,
                or the images have another size, number of channels or range.

        Example:

        ```python
        zebras = cyclegan.translate(horses)
        ```
        """
        networks = self.translators
        if not isinstance(direction, str) or direction not in networks:
            raise ValueError(unknown("direction", str(direction), [*networks]))
        network = networks[direction]
        if network.name in self.networks_without_weights:
            raise ValueError(
                "Expected a direction that this model knows. Received: "
                f"direction={direction!r}, whose {network.name} came without "
                "weights. Take the other one, or train it by `fit`."
            )
        images = as_pixels(images)
        check_translatable(images, self.image_shape[-1])
        x = as_float(images if images.ndim == 4 else images[None])
        out = self.infer(network, x, batch_size=batch_size)
        out = to_uint8(out) if images.dtype == np.uint8 else out
        return out if images.ndim == 4 else out[0]

    def probe(self, network: keras.Model) -> np.ndarray:
        # Smooth pictures, of which float16 weights change as much as of real.
        height, width, channels = self.image_shape
        noise = np.random.default_rng(0).normal(size=(4, 8, 8, channels))
        images = ops.image.resize(noise.astype("float32"), (height, width))
        return np.tanh(ops.convert_to_numpy(images))

    def progress(self, data: UnpairedData) -> np.ndarray:
        """Rows of image, translation, reconstruction: 4 of A, then 4 of B."""
        return self.triples(*self._first(data, 4))

    def triples(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """A picture of images, their translations, and what comes back.

        Two images a row, one where there is an odd number of A: first those of
        A, then those of B.
        """
        triples = []
        for images, there, back in ((a, "AtoB", "BtoA"), (b, "BtoA", "AtoB")):
            made = self.translate(images, there)
            triple = [images, made, self.translate(made, back)]
            triples.append(np.stack(triple, axis=1))  # [n, 3, h, w, c]
        # So that no row has images of both domains.
        columns = 6 if len(a) % 2 == 0 else 3
        images = np.concatenate(triples)
        return grid(images.reshape(-1, *images.shape[2:]), columns)

    def translations(self, data: UnpairedData, n: int = 16) -> np.ndarray:
        """A picture of the first n images of A translated, then n of B."""
        a, b = self._first(data, n)
        made = [self.translate(a, "AtoB"), self.translate(b, "BtoA")]
        return grid(np.concatenate(made), columns=8)

    def _first(self, data: UnpairedData, n: int) -> list[np.ndarray]:
        """The middles of the first n images of each domain."""
        height, width, _ = self.image_shape
        middles = []
        for side in (data.a, data.b):
            images = side.part(slice(n)).arrays()[0]
            top = (images.shape[1] - height) // 2
            left = (images.shape[2] - width) // 2
            middles.append(images[:, top : top + height, left : left + width])
        return middles


def as_pixels(images: Any) -> np.ndarray:
    """Images as an array, or a `ValueError` that says how to give them."""
    try:
        array = np.asarray(images)
    except ValueError:  # rows of several lengths
        array = np.empty(0, object)
    if array.dtype == object or array.dtype.kind in "USOM" or array.ndim == 0:
        raise ValueError(
            "Expected an image [h, w, c] as an array, or a batch of images of "
            f"one size. Received: {type(images).__name__}. Read files with "
            "`keras_gans.datasets.load`, and translate pictures of several "
            "sizes one by one."
        )
    return array
