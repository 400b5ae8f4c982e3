"""JAX: the same steps as pure functions.

A `train_step` here is traced with every variable's value in a scope instead of
in the variable. `vjp` opens a scope within the scope, so that what a player
assigns while its gradient is traced (moving statistics, seeds) comes out of the
trace as a value, and is assigned again outside of it.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import keras
import numpy as np


class Scope(keras.StatelessScope):
    """A `StatelessScope` that sees through to the one around it.

    `assigned` lists the (variable, value) pairs that were assigned inside.
    """

    def __init__(self, state_mapping: Any = None):
        super().__init__(state_mapping=state_mapping)
        self.assigned = {}

    def get_current_value(self, variable):
        value = super().get_current_value(variable)
        if value is None and self.original_scope is not None:
            return self.original_scope.get_current_value(variable)
        return value

    def add_update(self, update):
        super().add_update(update)
        self.assigned[id(update[0])] = update


def vjp(
    fn: Callable,
    variables: Sequence[keras.Variable] = (),
    inputs: Sequence[jax.Array] = (),
) -> tuple:
    """Run `fn(*inputs) -> (outputs, aux)` and keep the way back.

    Returns:
        `(outputs, aux, pullback)`, as in the TensorFlow engine.
    """
    assigned = []

    def pure(values, inputs):
        with Scope(zip(variables, values, strict=True)) as scope:
            outputs, aux = fn(*inputs)
        updates = list(scope.assigned.values())
        assigned.extend(variable for variable, _ in updates)
        return tuple(outputs), (aux, [value for _, value in updates])

    outputs, to_sources, (aux, values) = jax.vjp(
        pure, [v.value for v in variables], list(inputs), has_aux=True
    )
    for variable, value in zip(assigned, values, strict=True):
        variable.assign(value)

    def pullback(cotangents, wrt=slice(None)):
        # Zeros cost nothing once the step is compiled: they are folded away.
        cotangents = tuple(
            keras.ops.zeros_like(y) if c is None else c
            for y, c in zip(outputs, cotangents, strict=True)
        )
        to_variables, to_inputs = to_sources(cotangents)
        return (to_variables + to_inputs)[wrt]

    return outputs, aux, pullback


def apply(
    optimizer: keras.optimizers.Optimizer,
    gradients: Sequence[jax.Array],
    variables: Sequence[keras.Variable],
) -> None:
    """Move `variables` by one step.

    `stateless_apply`, not `apply`: a `LossScaleOptimizer` would assign inside
    of a `cond`.
    """
    values, optimizer_values = optimizer.stateless_apply(
        [v.value for v in optimizer.variables],
        gradients,
        [v.value for v in variables],
    )
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
    for variable, value in zip(
        optimizer.variables, optimizer_values, strict=True
    ):
        variable.assign(value)


def gradient(fn: Callable, x: jax.Array) -> jax.Array:
    """Derivative of `sum(fn(x))` with respect to `x`, differentiable again."""
    _, _, pullback = vjp(lambda x: ((fn(x).sum(),), None), inputs=[x])
    return pullback([keras.ops.ones((), dtype=x.dtype)])[0]


def portable(step: Callable) -> Callable:
    """Turn a step `(self, data)` into Keras's stateless form for JAX."""

    @functools.wraps(step)
    def stateless_step(self, state, data):
        groups = [
            self.trainable_variables,
            self.non_trainable_variables,
            self.metrics_variables,
        ]
        if len(state) == 4:  # of training
            groups.insert(2, self.optimizer.variables)
        mapping = [
            (variable, value)
            for variables, values in zip(groups, state, strict=True)
            for variable, value in zip(variables, values, strict=True)
        ]
        with Scope(mapping) as scope:
            logs = step(self, data)
        new_state = tuple(
            [scope.get_current_value(variable) for variable in variables]
            for variables in groups
        )
        return logs, new_state

    return stateless_step


def num_replicas() -> int:
    # `keras.distribution` shards one global batch: a mean is the global mean.
    return 1


def replica_id() -> int:
    return 0


def share() -> float:
    return 1.0  # see `num_replicas`


def sum_over_replicas(x: Any) -> Any:
    return x


def as_logs(values: dict) -> dict:
    return values


def synchronize(model: keras.Model) -> None:
    """Write the state of a running `fit` back into the variables.

    During an epoch the values live in `fit`, and the variables hold buffers
    that were given away.
    """
    model.jax_state_sync()


def fit_callbacks() -> list[keras.callbacks.Callback]:
    """What `fit` adds to those that it is given."""
    return []


def inference(network: keras.Model) -> Callable[..., np.ndarray]:
    """Compile `network(x, training=False)` as a function of NumPy arrays."""

    @jax.jit
    def call(trainable, non_trainable, *x):
        outputs, _ = network.stateless_call(
            trainable,
            non_trainable,
            x if len(x) > 1 else x[0],
            training=False,
        )
        return outputs

    return lambda *x: np.asarray(
        call(
            [v.value for v in network.trainable_variables],
            [v.value for v in network.non_trainable_variables],
            *x,
        )
    )


def recomputed(fn: Callable, *args: jax.Array) -> Any:
    """`fn(*args)`: what is kept for its derivatives is XLA's to choose."""
    return fn(*args)


def with_pullback(fn: Callable, x: jax.Array) -> Any:
    """The y of `fn(x) -> (y, pullback)`; its derivative is JAX's own."""
    return fn(x)[0]


def convolution(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Convolve `[n, h, w, c]` with `[kh, kw, c, filters]`, unpadded."""
    return keras.ops.conv(x, kernel, padding="valid")


def upsampled_convolution(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Convolve `[n, h, w, c]`, twice as large, with `[3, 3, c, filters]`."""
    x = keras.ops.repeat(keras.ops.repeat(x, 2, 1), 2, 2)
    return keras.ops.conv(x, kernel, padding="same")
