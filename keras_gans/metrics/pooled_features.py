"""Features of a discriminator, for a linear probe.

Radford et al. 2016, section 5.1: the outputs of all its convolutions, each
max-pooled to 4x4, flattened and joined.
"""

import keras
import numpy as np
from keras import layers

from keras_gans import backend
from keras_gans.datasets.data import ImageData, as_float
from keras_gans.metrics.inception_network import full_precision


def pooled_features(
    network: keras.Model,
    images: ImageData | np.ndarray,
    batch_size: int = 500,
) -> np.ndarray:
    """Features of all layers of a discriminator, joined.

    Of a network without convolutions they are the outputs of its hidden
    layers. Only one batch of images is in memory as float32.

    Args:
        network: From images to logits.
        images: A data set, or uint8 or float32 in [-1, 1] `[n, h, w, c]`.
        batch_size: Images at once.

    Returns:
        float32 `[n, d]`.
    """
    activations = [
        layer.output
        for layer in network.layers
        if isinstance(layer, (layers.LeakyReLU, layers.ReLU))
        or type(layer).__name__ == "Maxout"
    ] or [
        layer.output
        for layer in network.layers[:-1]
        if isinstance(layer, layers.Dense)
    ]
    parts = []
    with full_precision():
        for x in activations:
            if len(x.shape) == 4:
                pool = tuple(-(-side // 4) for side in x.shape[1:3])
                x = layers.MaxPooling2D(pool, padding="same")(x)
            parts.append(layers.Flatten()(x))
        joined = layers.Concatenate()(parts) if len(parts) > 1 else parts[0]
        run = backend.inference(keras.Model(network.input, joined))
    pixels = images.images if isinstance(images, ImageData) else images
    features = np.empty((len(pixels), joined.shape[-1]), np.float32)
    for i in range(0, len(pixels), batch_size):
        part = slice(i, i + batch_size)
        features[part] = run(as_float(pixels[part]))
    return features
