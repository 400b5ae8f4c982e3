"""Models that make images of sentences: `TextModel`, abstract."""

import random
from typing import Any

import keras
import numpy as np

from keras_gans.datasets.captioned import CaptionedBatches, CaptionedData
from keras_gans.images import grid
from keras_gans.inputs import Contract, check_options
from keras_gans.latents import check_steps
from keras_gans.models.adversarial import AdversarialModel
from keras_gans.text import (
    TextEncoder,
    check_embeddings,
    check_texts,
    text_encoder,
)


class TextModel(AdversarialModel):
    """Abstract base of games whose `generator` takes latents and a text.

    Args:
        image_shape, latent_dim, metrics, name: As in `LatentModel`; latents
            are normal.
        text_dim: Width of a text's embedding.
        text_encoder: What makes embeddings of texts, as in
            `keras_gans.text.text_encoder`.
    """

    takes_text = True
    use = 'images = model.generate(8, seed=0, texts=["a purple flower"])'
    shows = "eight samples of seed 0 for each of ten captions, and ways between"

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        latent_dim: int,
        text_dim: int,
        text_encoder: Any,
        metrics: tuple[str, ...],
        name: str | None = None,
    ):
        super().__init__(image_shape, latent_dim, "normal", metrics, name)
        if not isinstance(text_dim, (int, np.integer)) or text_dim < 1:
            raise ValueError(
                "Expected `text_dim` as a positive integer. Received: "
                f"text_dim={text_dim!r}. WordLlama's vectors are 256 wide."
            )
        self.text_dim = int(text_dim)
        self.text_encoder = text_encoder

    @property
    def text_encoder(self) -> TextEncoder:
        """What makes embeddings of texts; assign a function to change it."""
        return self._text_encoder

    @text_encoder.setter
    def text_encoder(self, given: Any) -> None:
        self._text_encoder = text_encoder(given)

    def encode(self, texts: Any) -> np.ndarray:
        """Embeddings of texts, float32 `[n, text_dim]`.

        Raises:
            ValueError: If a text is empty, no string or too long, or the
                encoder's vectors are of another width than the model's.
        """
        vectors = self.text_encoder(texts)
        return check_embeddings(vectors, self.text_dim, self.text_encoder)

    # === Training ===

    def fit(self, x: Any = None, y: Any = None, **kwargs: Any) -> Any:
        """Train on images in [-1, 1] and a text of each.

        Compiles with the paper's optimizers where `compile` was not called.

        Args:
            x: float32 `[n, height, width, channels]` in [-1, 1], a
                `CaptionedData`, or a data set of batches (images, embeddings).
            y: Beside an array, n texts or their embeddings `[n, text_dim]`.
                Each image is paired with its own text and, as a wrong one, with
                that of its neighbour in the batch.
            **kwargs: `batch_size`, `epochs`, `callbacks`, ... as in
                `keras.Model.fit`.

        Returns:
            Keras's `History`.

        Raises:
            ValueError: If the images have another shape or range, there are
                not as many texts as images, embeddings are of another width,
                or a batch has one pair alone.
        """
        check_options(kwargs)
        kwargs["batch_size"] = batch_size = kwargs.get("batch_size") or 64
        if isinstance(x, CaptionedData) and y is None:
            del kwargs["batch_size"]
            # Another order each time, of `keras.utils.set_random_seed`.
            seed = random.randrange(2**31)
            x = self.pairs_of(x, batch_size, seed)
        elif hasattr(x, "shape") and y is not None:
            Contract.of(self).check_images(keras.ops.convert_to_numpy(x))
            y = self._texts_beside(x, y, batch_size)
        else:
            del kwargs["batch_size"]
        return super().fit(x, y, **kwargs)

    def pairs_of(
        self, data: CaptionedData, batch_size: int, seed: int, flip: bool = True
    ) -> CaptionedBatches:
        """Captioned images as this model trains on them."""
        data = data.encoded(self.text_encoder)
        check_embeddings(data.embeddings[0], self.text_dim, self.text_encoder)
        return data.pairs(batch_size, seed, flip, self.image_shape[:2])

    def _texts_beside(self, x: Any, y: Any, batch_size: int) -> np.ndarray:
        """Embeddings of the texts `y` of the images `x`."""
        y = [y] if isinstance(y, str) else y
        if len(x) != len(y):
            raise ValueError(
                f"Expected a text for each image. Received: {len(x)} images "
                f"and {len(y)} texts. Leave out the images that have none."
            )
        if len(x) % batch_size == 1 or batch_size == 1:
            raise ValueError(
                "Expected batches of at least 2 pairs, of which one's text is "
                f"wrong for the other. Received: {len(x)} images in batches of "
                f"{batch_size}, one of them of 1. Choose another `batch_size`."
            )
        kind = getattr(getattr(y, "dtype", None), "kind", "f")  # NumPy's
        if isinstance(y, (list, tuple)) or kind in "UO":
            return self.encode(y)
        y = keras.ops.convert_to_numpy(y)
        return check_embeddings(y, self.text_dim, self.text_encoder)

    # === Sampling ===

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Images from `[latents, embeddings]`."""
        return super().call(inputs, training=training)

    def generate(
        self,
        n: int = 8,
        seed: int | None = None,
        *,
        texts: Any = None,
        embeddings: Any = None,
        latents: np.ndarray | None = None,
        batch_size: int = 64,
    ) -> np.ndarray:
        """Make images of texts.

        Args:
            n: Images of each text.
            seed: The same seed gives the same images on every backend. None
                draws anew.
            texts: A text, or k of them.
            embeddings: Of k texts, `[k, text_dim]`, instead.
            latents: float32 `[k * n, latent_dim]` to be used instead of drawn
                ones: z and the noise of Conditioning Augmentation.
            batch_size: Images made at once.

        Returns:
            float32 `[k * n, height, width, channels]` in [-1, 1]: n of the
            first text, then n of the second.

        Raises:
            ValueError: If there is no text, or a wrong one; if embeddings or
                latents have another shape or are not finite.

        Example:

        ```python
        model.generate(8, seed=0, texts=["a purple flower"])
        ```
        """
        z, embeddings = self.conditions(n, seed, texts, embeddings, latents)
        return self.infer(self.sampler, z, embeddings, batch_size=batch_size)

    def conditions(
        self,
        n: int,
        seed: int | None,
        texts: Any,
        embeddings: Any,
        latents: Any,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Latents and embeddings of each image that `generate` makes."""
        embeddings = self._embeddings(texts, embeddings)
        self.draw_latents(n, seed)  # refuses a wrong n or seed
        if latents is None:
            latents = self.draw_latents(n * len(embeddings), seed)
        z = self.check_latents(latents)
        if len(z) != n * len(embeddings):
            raise ValueError(
                f"Expected {n * len(embeddings)} latents, n={n} of each of "
                f"{len(embeddings)} texts. Received: {len(z)}. Draw them with "
                "`model.draw_latents`."
            )
        return z, np.repeat(embeddings, n, axis=0)

    def _embeddings(self, texts: Any, embeddings: Any) -> np.ndarray:
        if (texts is None) == (embeddings is None):
            got = "neither" if texts is None else "both"
            raise ValueError(
                f"Expected texts or their embeddings. Received: {got}. Pass "
                "texts=['a red flower'], say."
            )
        if texts is not None:
            return self.encode(texts)
        return check_embeddings(embeddings, self.text_dim, self.text_encoder)

    def interpolate(
        self,
        n: int = 1,
        steps: int = 8,
        seed: int | None = None,
        *,
        texts: Any = None,
        embeddings: Any = None,
        batch_size: int = 64,
    ) -> np.ndarray:
        """Walk from one text to another, the noise unchanged.

        Args:
            n: Number of walks, each with noise of its own.
            steps: Images a walk, both ends included.
            seed: As in `generate`.
            texts: The two texts.
            embeddings: Of two texts, `[2, text_dim]`, instead.
            batch_size: Images made at once.

        Returns:
            float32 `[n, steps, height, width, channels]` in [-1, 1].

        Raises:
            ValueError: If there are not two texts, or `steps` is less than 2.
        """
        if texts is not None:
            texts = check_texts(texts)
        ends = self._embeddings(texts, embeddings)
        if len(ends) != 2:
            raise ValueError(
                "Expected two texts, the ends of a walk. Received: "
                f"{len(ends)}. Pass texts=['a red flower', 'a yellow flower'], "
                "say."
            )
        check_steps(steps)
        t = np.linspace(0.0, 1.0, steps, dtype=np.float32)[:, None]
        walk = (1.0 - t) * ends[0] + t * ends[1]
        z = np.repeat(self.draw_latents(n, seed), steps, axis=0)
        images = self.infer(
            self.sampler, z, np.tile(walk, (n, 1)), batch_size=batch_size
        )
        return images.reshape(n, steps, *self.image_shape)

    # === Pictures, and entries of the zoo ===

    def probe(self, network: keras.Model) -> Any:
        rng = np.random.default_rng(0)
        scale = self.text_dim**-0.5
        vectors = rng.standard_normal((64, self.text_dim)) * scale
        z = self.draw_latents(64, seed=0), vectors.astype(np.float32)
        if network is self.generator:
            return list(z)
        images = self.infer(self.sampler, *z, batch_size=64)
        width = network.inputs[1].shape[1]
        return [images, np.abs(rng.standard_normal((64, width), np.float32))]

    def shown_of(self, data: CaptionedData) -> tuple[np.ndarray, list[str]]:
        """A picture for a card, and what its rows are.

        Eight samples of seed 0 for each of ten captions, then the way from the
        first to the second, from the third to the fourth, ...
        """
        shown = data.examples(10)
        vectors = shown.first_embeddings(self.text_encoder)
        images = [self.generate(8, 0, embeddings=vectors)]
        rows = [texts[0] for texts in shown.captions]
        for i in range(0, len(vectors) - 1, 2):
            ends = vectors[i : i + 2]
            images.append(self.interpolate(1, 8, 0, embeddings=ends)[0])
            rows.append(f"from {i + 1} to {i + 2}")
        return grid(np.concatenate(images), columns=8), rows

    def progress(self, data: CaptionedData) -> np.ndarray:
        """A row for each of ten captions, eight samples of seed 0 each."""
        vectors = data.examples(10).first_embeddings(self.text_encoder)
        return grid(self.generate(8, 0, embeddings=vectors), columns=8)
