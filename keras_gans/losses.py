"""Losses of adversarial games, as functions of logits and of scores.

A discriminator here returns the logit a(x), with D(x) = sigmoid(a(x)). The
textbook's logarithms of D are written as softplus, which neither overflows nor
takes the logarithm of zero:

    -log D(x)       = softplus(-a(x))
    -log(1 - D(x))  = softplus(a(x))

A critic returns a score f(x), of any size. Each loss is a scalar mean over all
logits or scores, in at least float32.
"""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from keras_gans.backend import gradient


def _full(x: Any) -> Any:
    """Half-precision numbers as float32, to be averaged."""
    half = keras.backend.standardize_dtype(x.dtype) in ("float16", "bfloat16")
    return ops.cast(x, "float32") if half else x


def _softplus_mean(x: Any) -> Any:
    return ops.mean(ops.softplus(_full(x)))


def discriminator_loss(real_logits: Any, fake_logits: Any) -> Any:
    """-E[log D(x)] - E[log(1 - D(G(z)))], which the discriminator minimises.

    The negative of V(D, G), eq. 1 of Goodfellow et al. 2014. 2 log 2 where the
    discriminator knows nothing (all logits zero).

    Args:
        real_logits: a(x), logits of real samples, any shape.
        fake_logits: a(G(z)), logits of generated samples, any shape.
    """
    # -log D(x) - log(1 - D(G(z)))
    return _softplus_mean(-real_logits) + _softplus_mean(fake_logits)


def non_saturating_generator_loss(fake_logits: Any) -> Any:
    """-E[log D(G(z))]: the generator's loss that does not saturate.

    Section 3 of Goodfellow et al. 2014: the same fixed point as the minimax
    loss, with a strong gradient where the discriminator is sure. log 2 at
    logits of zero.

    Args:
        fake_logits: a(G(z)), logits of generated samples, any shape.
    """
    return _softplus_mean(-fake_logits)  # -log D(G(z))


def minimax_generator_loss(fake_logits: Any) -> Any:
    """E[log(1 - D(G(z)))]: the generator's side of V(D, G), eq. 1.

    Goodfellow et al. 2014. Saturates: its gradient vanishes where the
    discriminator is sure. -log 2 at logits of zero.

    Args:
        fake_logits: a(G(z)), logits of generated samples, any shape.
    """
    return -_softplus_mean(fake_logits)  # log(1 - D(G(z)))


def cross_entropy_to(logits: Any, target: bool) -> Any:
    """-E[log D(x)] where `target` is True, else -E[log(1 - D(x))].

    One half of `discriminator_loss`, for games whose players judge real and
    generated samples apart.

    Args:
        logits: a(x), any shape.
        target: What D should say: whether x is real.
    """
    return _softplus_mean(-logits if target else logits)


def squared_error_to(logits: Any, target: bool) -> Any:
    """E[(a(x) - t)^2], t being 1 for real and 0 for generated samples.

    LSGAN; Mao et al. 2017, arXiv:1611.04076, eq. 9 without its halves. 0.25 at
    outputs of one half.

    Args:
        logits: a(x), any shape.
        target: What D should say: whether x is real.
    """
    return ops.mean(ops.square(_full(logits) - float(target)))


def class_loss(labels: Any, class_logits: Any) -> Any:
    """-E[log P(C = c | x)], an auxiliary classifier's: half of -L_C.

    Eq. 3 of Odena et al. 2017, arXiv:1610.09585, has it of real and of
    generated samples. The logarithm of the number of classes where the
    classifier knows nothing.

    Args:
        labels: c, integers `[batch]`.
        class_logits: Of all classes, `[batch, num_classes]`.
    """
    losses = keras.losses.sparse_categorical_crossentropy(
        labels, _full(class_logits), from_logits=True
    )
    return ops.mean(losses)


def wasserstein_estimate(real_scores: Any, fake_scores: Any) -> Any:
    """E[f(x)] - E[f(G(z))], which the critic f maximises.

    The Wasserstein-1 distance of the two laws, times the critic's Lipschitz
    constant, where no critic does better; eq. 2 and 3 of Arjovsky et al. 2017,
    arXiv:1701.07875. A generator minimises -E[f(G(z))].

    Args:
        real_scores: f(x), scores of real samples, any shape.
        fake_scores: f(G(z)), scores of generated samples, any shape.
    """
    return ops.mean(_full(real_scores)) - ops.mean(_full(fake_scores))


def gradient_penalty(
    critic: Callable[[Any], Any], images: Any, scale: float = 1.0
) -> Any:
    """E[(||scale grad f(x)||_2 - 1)^2]: how far the slopes are from 1.

    Eq. 3 of Gulrajani et al. 2017, arXiv:1704.00028, without lambda. 1 for a
    critic that is flat.

    Args:
        critic: Function of images that returns f, one score an image.
        images: x, float `[batch, height, width, channels]`: points between real
            and generated ones.
        scale: Of the images' unit over the one that slopes are taken in: 2 for
            images in [-1, 1] and a critic of pixels in [0, 1].

    Example:

    ```python
    images = keras.random.normal((8, 28, 28, 1))
    gradient_penalty(lambda x: keras.ops.sum(x, (1, 2, 3)), images)  # 27^2
    ```
    """
    # Scaled scores: half-precision gradients of single pixels would underflow.
    # A power of two, so that nothing is rounded.
    slopes = gradient(lambda x: 1024.0 * _full(critic(x)), images)
    slopes = (scale / 1024.0) * _full(slopes)
    squares = ops.sum(ops.square(slopes), axis=(1, 2, 3))
    # The square root has no derivative at zero.
    norms = ops.sqrt(squares + 1e-12)
    return ops.mean(ops.square(norms - 1.0))


def between(real: Any, fake: Any, seed: Any) -> Any:
    """Points x^ = (1 - e) x + e G(z), e ~ U[0, 1], one for each pair.

    Algorithm 1, line 6 of Gulrajani et al. 2017, with e and 1 - e swapped, as
    in the authors' code.

    Args:
        real: x, `[batch, height, width, channels]`.
        fake: G(z), likewise.
        seed: A `SeedGenerator` for e.
    """
    shape = (ops.shape(real)[0], 1, 1, 1)
    e = keras.random.uniform(shape, dtype=real.dtype, seed=seed)
    return real + e * (fake - real)
