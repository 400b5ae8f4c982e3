"""Small perceptrons for points in the plane, which are images of 1x1.

Those of WGAN-GP's authors (igul222/improved_wgan_training, `gan_toy.py`): three
hidden layers of ReLU units each way, weights from U(+- sqrt 3 sigma) with
sigma^2 = 2 / fan_in in hidden layers and 2 / (fan_in + fan_out) in the last.
527,874 and 527,361 trainable parameters at width 512 and z of two numbers.

Deviations:
- Points are in [-1, 1], as images are, and are clipped to it when they are
  sampled; the code's are on a scale of their own.
- Biases of hidden layers start from U(+- 1 / sqrt(fan_in)); the code's start
  at zero, where all folds of a critic pass through the origin, and take many of
  its 100,000 steps to spread.
"""

import math
from typing import Any

import keras
from keras import layers

from keras_gans.layers import full, torch_uniform
from keras_gans.models.wgan import ClipSamples


def he_uniform(fan_in: int) -> keras.initializers.Initializer:
    bound = (6.0 / fan_in) ** 0.5  # sqrt 3 sigma
    return keras.initializers.RandomUniform(-bound, bound)


def hidden_layers(x: Any, width: int) -> Any:
    for _ in range(3):
        x = layers.Dense(
            width,
            activation="relu",
            kernel_initializer=he_uniform(x.shape[-1]),
            bias_initializer=torch_uniform(x.shape[-1]),
        )(x)
    return x


def check_no_classes(num_classes: int | None) -> None:
    if num_classes is not None:
        raise ValueError(
            "Expected network='toy' without classes. Received: "
            f"num_classes={num_classes}. Leave it out."
        )


def build_toy_generator(
    image_shape: tuple[int, int, int],
    latent_dim: int,
    width: int,
    num_classes: int | None = None,
) -> keras.Model:
    """z [batch, latent_dim] -> points [batch, h, w, c], in [-1, 1]."""
    check_no_classes(num_classes)
    z = keras.Input((latent_dim,), name="latents")
    x = layers.Dense(math.prod(image_shape))(hidden_layers(z, width))
    dtype = keras.config.floatx()  # of images, whatever the policy
    x = layers.Reshape(image_shape, dtype=dtype)(x)
    points = ClipSamples(dtype=dtype)(x)
    return keras.Model(z, points, name="generator")


def build_toy_discriminator(
    image_shape: tuple[int, int, int],
    width: int,
    num_classes: int | None = None,
    units: int = 1,
) -> keras.Model:
    """Points [batch, h, w, c] -> scores [batch, units]."""
    check_no_classes(num_classes)
    points = keras.Input(image_shape, name="images")
    x = hidden_layers(layers.Flatten()(points), width)
    return keras.Model(
        points, full(layers.Dense(units)(x)), name="discriminator"
    )
