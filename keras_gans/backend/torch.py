"""PyTorch: eager, so every function here is a few lines around autograd."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import torch


def vjp(
    fn: Callable,
    variables: Sequence[keras.Variable] = (),
    inputs: Sequence[torch.Tensor] = (),
) -> tuple:
    """Run `fn(*inputs) -> (outputs, aux)` and keep the way back.

    Returns:
        `(outputs, aux, pullback)`, as in the TensorFlow engine.
    """
    # A fresh leaf: what lies before an input has a pullback of its own.
    inputs = [x.detach().requires_grad_() for x in inputs]
    sources = [v.value for v in variables] + inputs
    with torch.enable_grad():
        outputs, aux = fn(*inputs)

    def pullback(cotangents, wrt=slice(None)):
        used = [i for i, c in enumerate(cotangents) if c is not None]
        return list(
            torch.autograd.grad(
                [outputs[i] for i in used],
                sources[wrt],
                [cotangents[i] for i in used],
                retain_graph=True,  # a joint step pulls back twice
                allow_unused=True,
            )
        )

    return [y.detach() for y in outputs], aux, pullback


def apply(
    optimizer: keras.optimizers.Optimizer,
    gradients: Sequence[torch.Tensor],
    variables: Sequence[keras.Variable],
) -> None:
    """Move `variables` by one step."""
    with torch.no_grad():
        optimizer.apply(gradients, variables)


def gradient(fn: Callable, x: torch.Tensor) -> torch.Tensor:
    """Derivative of `sum(fn(x))` with respect to `x`, differentiable again."""
    if not x.requires_grad:
        x = x.detach().requires_grad_()
    with torch.enable_grad():
        return torch.autograd.grad(fn(x).sum(), x, create_graph=True)[0]


def portable(step: Callable) -> Callable:
    """Mark a step `(self, data)`; PyTorch runs it as it is."""
    return step


def num_replicas() -> int:
    return 1


def replica_id() -> int:
    return 0


def share() -> float:
    return 1.0


def sum_over_replicas(x: Any) -> Any:
    return x


def as_logs(values: dict) -> dict:
    return values


def synchronize(model: keras.Model) -> None:
    """Variables always hold their values here; see the JAX engine."""


def fit_callbacks() -> list[keras.callbacks.Callback]:
    """What `fit` adds to those that it is given."""
    return []


def inference(network: keras.Model) -> Callable[..., np.ndarray]:
    """Wrap `network(x, training=False)` as a function of NumPy arrays."""

    def call(*x):
        with torch.no_grad():
            x = x if len(x) > 1 else x[0]
            return keras.ops.convert_to_numpy(network(x, training=False))

    return call


def recomputed(fn: Callable, *args: torch.Tensor) -> Any:
    """`fn(*args)`; PyTorch would compute all of it again on the way back."""
    return fn(*args)


def with_pullback(fn: Callable, x: torch.Tensor) -> Any:
    """The y of `fn(x) -> (y, pullback)`; its derivative is PyTorch's own."""
    return fn(x)[0]


def convolution(x: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    """Convolve `[n, h, w, c]` with `[kh, kw, c, filters]`, unpadded."""
    filters = kernel.shape[-1]
    if filters == 1 and x.dtype == torch.float64:
        # PyTorch 2.13 fails at the derivative of one filter on a CPU.
        kernel = keras.ops.pad(kernel, ((0, 0),) * 3 + ((0, 1),))
    return keras.ops.conv(x, kernel, padding="valid")[..., :filters]


def upsampled_convolution(
    x: torch.Tensor, kernel: torch.Tensor
) -> torch.Tensor:
    """Convolve `[n, h, w, c]`, twice as large, with `[3, 3, c, filters]`."""
    x = keras.ops.repeat(keras.ops.repeat(x, 2, 1), 2, 2)
    return keras.ops.conv(x, kernel, padding="same")
