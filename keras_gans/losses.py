"""Losses of adversarial games, as functions of logits.

A discriminator here returns the logit a(x), with D(x) = sigmoid(a(x)). The
textbook's logarithms of D are written as softplus, which neither overflows nor
takes the logarithm of zero:

    -log D(x)       = softplus(-a(x))
    -log(1 - D(x))  = softplus(a(x))

Each returns a scalar mean over all logits, in at least float32.
"""

from typing import Any

import keras
from keras import ops


def _softplus_mean(x: Any) -> Any:
    # Half-precision logits are averaged in float32.
    dtype = keras.backend.standardize_dtype(x.dtype)
    if dtype in ("float16", "bfloat16"):
        x = ops.cast(x, "float32")
    return ops.mean(ops.softplus(x))


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
    dtype = keras.backend.standardize_dtype(logits.dtype)
    if dtype in ("float16", "bfloat16"):
        logits = ops.cast(logits, "float32")
    return ops.mean(ops.square(logits - float(target)))
