"""Small perceptrons for points in the plane, which are images of 1x1.

Those of WGAN-GP's authors (igul222/improved_wgan_training, `gan_toy.py`): three
hidden layers of ReLU units each way, weights from U(+- sqrt 3 sigma) with
sigma^2 = 2 / fan_in in hidden layers and 2 / (fan_in + fan_out) in the last.
527,874 and 527,361 trainable parameters at width 512 and z of two numbers.

Deviations:
- With classes, which the code has not: the generator has the one-hot class
  beside z; the discriminator has it beside the point (CGAN), or guesses it
  (ACGAN, WGAN-GP).
- Points are in [-1, 1], as images are, and are clipped to it when they are
  sampled; the code's are on a scale of their own.
- Biases of hidden layers start from U(+- 1 / sqrt(fan_in)); the code's start
  at zero, where all folds of a critic pass through the origin, and take many of
  its 100,000 steps to spread.
"""

import math
from typing import Any

import keras
from keras import layers, ops

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


def build_toy_generator(
    image_shape: tuple[int, int, int],
    latent_dim: int,
    width: int,
    num_classes: int | None = None,
) -> keras.Model:
    """z [batch, latent_dim] -> points [batch, h, w, c], in [-1, 1]."""
    inputs = x = keras.Input((latent_dim,), name="latents")
    if num_classes is not None:
        inputs, x = beside_class(x, num_classes)
    x = layers.Dense(math.prod(image_shape))(hidden_layers(x, width))
    dtype = keras.config.floatx()  # of images, whatever the policy
    x = layers.Reshape(image_shape, dtype=dtype)(x)
    points = ClipSamples(dtype=dtype)(x)
    return keras.Model(inputs, points, name="generator")


def build_toy_discriminator(
    image_shape: tuple[int, int, int],
    width: int,
    num_classes: int | None = None,
    units: int = 1,
    told: bool = False,
) -> keras.Model:
    """Points [batch, h, w, c] -> scores [batch, units].

    With classes also to their logits [batch, num_classes]; or, `told` them,
    from points and classes to scores.
    """
    inputs = points = keras.Input(image_shape, name="images")
    x = layers.Flatten()(points)
    if told:
        (_, labels), x = beside_class(x, num_classes)
        inputs = [points, labels]
    x = hidden_layers(x, width)
    outputs = full(layers.Dense(units)(x))
    if num_classes is not None and not told:
        outputs = [outputs, full(layers.Dense(num_classes)(x))]
    return keras.Model(inputs, outputs, name="discriminator")


def beside_class(x: Any, num_classes: int) -> tuple[list[Any], Any]:
    """x and an input for classes, and both as one vector."""
    labels = keras.Input((), dtype="int32", name="labels")
    one_hot = ops.one_hot(labels, num_classes)
    return [x, labels], layers.Concatenate()([x, one_hot])
