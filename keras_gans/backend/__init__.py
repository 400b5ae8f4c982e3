"""The one door to TensorFlow, JAX and PyTorch.

Networks and losses are written in `keras.layers` and `keras.ops`, which run on
all three. What differs is how a gradient is taken and applied, and that is all
there is here: a `train_step` built from these few functions is the same source
on every backend.

- `minimize`: one step of one player.
- `minimize_jointly`: one simultaneous step of several players.
- `vjp`: a forward pass kept, so that two players can share it.
- `gradient`: derivative with respect to an input, itself differentiable.
- `portable`: the decorator of every `train_step` and `test_step`.
- `SeedGenerator`: noise that differs from replica to replica.
- `sum_over_replicas`, `mean_over_replicas`, `as_logs`: what a step reports.
- `inference`: a network as a compiled function of NumPy arrays.
- `fit_callbacks`: what `fit` adds to the callbacks that it is given.
- `convolution`, `upsampled_convolution`: without stride, as each computes them
  fastest.
- `recomputed`: a function of which the way back keeps the arguments alone.
- `with_pullback`: a function with a derivative that keeps less than its own.

Each backend is one file with the same functions: `tensorflow.py` is the
reference, `jax.py` and `torch.py` follow it.
"""

import random
from collections.abc import Callable, Sequence
from typing import Any

import keras

if keras.backend.backend() == "tensorflow":
    from keras_gans.backend import tensorflow as engine
elif keras.backend.backend() == "jax":
    from keras_gans.backend import jax as engine
elif keras.backend.backend() == "torch":
    from keras_gans.backend import torch as engine
else:
    raise ImportError(
        "Expected TensorFlow, JAX or PyTorch to train with. Received: "
        f"KERAS_BACKEND={keras.backend.backend()}. Set KERAS_BACKEND to "
        "'tensorflow', 'jax' or 'torch' before Keras is imported."
    )

as_logs = engine.as_logs
convolution = engine.convolution
fit_callbacks = engine.fit_callbacks
gradient = engine.gradient
inference = engine.inference
num_replicas = engine.num_replicas
portable = engine.portable
recomputed = engine.recomputed
sum_over_replicas = engine.sum_over_replicas
synchronize = engine.synchronize
upsampled_convolution = engine.upsampled_convolution
with_pullback = engine.with_pullback


def vjp(fn: Callable, variables: Sequence[keras.Variable]) -> tuple:
    """Run `fn()` once and keep the way back from its output to `variables`.

    A vector-Jacobian product. Two players of a game may share the generator's
    forward pass, which then is computed once, and whose BatchNorm statistics
    move once:

    ```python
    generated = vjp(lambda: generator(z, training=True), generator_variables)
    fake = generated[0]
    minimize(d_loss, d_optimizer, d_variables)       # looks at `fake`
    minimize(g_loss, g_optimizer, g_variables, through=generated)
    ```

    Args:
        fn: Function of no arguments that returns a tensor, or a tuple of them.
        variables: The `keras.Variable`s to which `pullback` carries a gradient.

    Returns:
        `(output, pullback)`. `pullback(cotangent)` maps a gradient with respect
        to `output`, a list of them where it is a tuple, to a list of gradients
        with respect to `variables`.
    """
    several = False

    def outputs_fn():
        nonlocal several
        output = fn()
        several = isinstance(output, tuple)
        return output if several else (output,), None

    outputs, _, pullback = engine.vjp(outputs_fn, variables)
    if several:
        return tuple(outputs), pullback
    return outputs[0], lambda cotangent: pullback([cotangent])


def minimize(
    loss_fn: Callable,
    optimizer: keras.optimizers.Optimizer,
    variables: Sequence[keras.Variable],
    through: tuple | None = None,
) -> tuple[Any, Any]:
    """Take one step of `optimizer` down the gradient of `loss_fn`.

    The gradient enters the backward pass already multiplied by the optimizer's
    loss scale (mixed precision) and by the replica's share of the batch (Keras
    optimizers sum over replicas, and a loss is a mean), so the reported loss
    needs no correction.

    Args:
        loss_fn: Function that returns the scalar loss, or `(loss, aux)` with
            whatever else the step needs later. On JAX nothing else leaves the
            function. It takes no argument, or, with `through`, the output; of
            a tuple each part as an argument.
        optimizer: The Keras optimizer, built for exactly `variables`.
        variables: The `keras.Variable`s that move.
        through: What `vjp` returned for `variables`. `loss_fn` is then
            differentiated at that output, and the gradient goes on from there.

    Returns:
        `(loss, aux)`; `aux` is None where `loss_fn` returns a loss alone.
    """
    if through is None:
        (loss,), aux, pullback = engine.vjp(_one_loss(loss_fn), variables)
        gradients = pullback([_first_cotangent(optimizer, loss)])
    else:
        output, to_variables = through
        several = isinstance(output, tuple)
        (loss,), aux, pullback = engine.vjp(
            _one_loss(loss_fn), inputs=output if several else (output,)
        )
        to_outputs = pullback([_first_cotangent(optimizer, loss)])
        gradients = to_variables(to_outputs if several else to_outputs[0])
    engine.apply(optimizer, gradients, variables)
    return loss, aux


def minimize_jointly(losses_fn: Callable, *players: tuple) -> tuple[Any, Any]:
    """Take one simultaneous step of several players of a game.

    Every player's gradient is taken at the same point, from one shared forward
    pass, before anyone moves.

    Args:
        losses_fn: Function of no arguments that returns `(losses, aux)`, one
            scalar loss a player.
        *players: `(optimizer, variables)` of each player, in the same order.

    Returns:
        `(losses, aux)`.
    """
    everyone = [v for _, variables in players for v in variables]
    losses, aux, pullback = engine.vjp(losses_fn, everyone)
    gradients, start = [], 0
    for i, (optimizer, variables) in enumerate(players):
        stop = start + len(variables)
        cotangents = [None] * len(players)
        cotangents[i] = _first_cotangent(optimizer, losses[i])
        gradients.append(pullback(cotangents, wrt=slice(start, stop)))
        start = stop
    for (optimizer, variables), player_gradients in zip(
        players, gradients, strict=True
    ):
        engine.apply(optimizer, player_gradients, variables)
    return losses, aux


def mean_over_replicas(values: dict, rows: Any) -> tuple[dict, Any]:
    """Means over some rows -> means over those of all replicas, and how many.

    Args:
        values: Scalars by name, means over `rows`.
        rows: How many this replica has.
    """
    if num_replicas() == 1:
        return values, rows
    rows = keras.ops.cast(rows, "float32")
    sums = [keras.ops.cast(v, "float32") * rows for v in values.values()]
    *sums, rows = keras.ops.unstack(
        sum_over_replicas(keras.ops.stack([*sums, rows]))
    )
    means = [total / rows for total in sums]
    return dict(zip(values, means, strict=True)), rows


def _one_loss(loss_fn: Callable) -> Callable:
    """Give every `loss_fn` the form `((loss,), aux)` that the engines take."""

    def losses_fn(*inputs):
        result = loss_fn(*inputs)
        loss, aux = result if isinstance(result, tuple) else (result, None)
        return (loss,), aux

    return losses_fn


def _first_cotangent(optimizer: keras.optimizers.Optimizer, loss: Any) -> Any:
    """Where the backward pass starts: d(scaled share of loss) / d(loss)."""
    dtype = keras.backend.standardize_dtype(loss.dtype)
    scale, share = optimizer.scale_loss(1.0), engine.share()
    return keras.ops.cast(scale, dtype) * keras.ops.cast(share, dtype)


class SeedGenerator(keras.random.SeedGenerator):
    """A `keras.random.SeedGenerator` whose noise differs between replicas.

    Keras keeps one state for all replicas, so each would draw the same latents
    and the generator would see a batch of copies. Here the replica's number is
    folded into every seed; with one replica the seeds are Keras's own.

    Args:
        seed: The initial seed. None draws one, which
            `keras.utils.set_random_seed` makes repeatable.
    """

    def __init__(self, seed: int | None = None, **kwargs: Any):
        # Never None for Keras: PyTorch's dropout would take its global
        # generator then, whose state no file holds.
        seed = random.randint(1, 10**9) if seed is None else seed
        super().__init__(seed, **kwargs)

    def next(self, ordered: bool = True) -> Any:
        seed = super().next(ordered)
        if num_replicas() == 1:
            return seed
        # A large odd stride: neighbouring user seeds never meet.
        shift = engine.replica_id() * 40503
        return seed + keras.ops.cast(
            keras.ops.stack([shift, 0 * shift]), seed.dtype
        )
