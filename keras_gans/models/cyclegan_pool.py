"""The pool of past fakes that CycleGAN's discriminators look at."""

from typing import Any

import keras
from keras import layers, ops

from keras_gans.backend import SeedGenerator
from keras_gans.registry import serializable


@serializable
class ImagePool(layers.Layer):
    """Past fakes, of which a discriminator sees half (`util/image_pool.py`).

    Shrivastava et al. 2017, arXiv:1612.07828, section 2.3. While there is room
    each image is kept and returned. Then, one image after the other, by the
    toss of a coin: it is returned, or it takes the place of one that is.

    Args:
        size: Images kept; 0 keeps none, and returns what comes.
        image_shape: `(height, width, channels)`.
    """

    def __init__(
        self, size: int, image_shape: tuple[int, int, int], **kwargs: Any
    ):
        # In full precision, whatever the policy: images are.
        super().__init__(dtype=keras.config.floatx(), **kwargs)
        self.size = size
        self.seed_generator = SeedGenerator()
        # Each replica has its own fakes; the first one's are saved.
        own = {
            "initializer": "zeros",
            "trainable": False,
            "synchronization": "on_read",
            "aggregation": "only_first_replica",
        }
        shape = (size, *image_shape)
        self.kept = keras.Variable(
            shape=shape, dtype=self.dtype, name="kept", **own
        )
        self.count = keras.Variable(
            shape=(), dtype="int32", name="count", **own
        )
        self.built = True

    def call(self, images: Any) -> Any:
        """`[n, h, w, c]` -> as many, of now and of earlier."""
        if self.size == 0:
            return images
        n = ops.shape(images)[0]
        coins = keras.random.uniform((n,), seed=self.seed_generator)
        places = keras.random.randint(
            (n,), 0, self.size, seed=self.seed_generator
        )
        return self.query(images, coins, places)

    def query(self, images: Any, coins: Any, places: Any) -> Any:
        """The same with given choices: `coins` `[n]` in [0, 1), `places` `[n]`.

        An image is swapped for that of its place where its coin is over 0.5.
        """

        def one(i, state):
            kept, count, returned = state
            filling = count < self.size
            place = ops.where(filling, count, places[i])
            place = ops.minimum(place, self.size - 1)
            stays = ops.logical_or(filling, coins[i] > 0.5)
            swaps = ops.logical_and(ops.logical_not(filling), stays)
            new, old = images[i], kept[place]
            kept = _put(kept, place, ops.where(stays, new, old))
            returned = _put(returned, i, ops.where(swaps, old, new))
            return kept, count + ops.cast(filling, count.dtype), returned

        images = ops.cast(images, self.dtype)
        state = (self.kept.value, self.count.value, images)
        n = ops.shape(images)[0]
        kept, count, returned = ops.fori_loop(0, n, one, state)
        self.kept.assign(kept)
        self.count.assign(count)
        return returned


def _put(images: Any, i: Any, image: Any) -> Any:
    """`images` with `image` at index i."""
    return ops.scatter_update(images, ops.reshape(i, (1, 1)), image[None])
