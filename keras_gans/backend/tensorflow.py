"""TensorFlow: the reference engine, and the one that distributes."""

from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf


def vjp(
    fn: Callable,
    variables: Sequence[keras.Variable] = (),
    inputs: Sequence[tf.Tensor] = (),
) -> tuple:
    """Run `fn(*inputs) -> (outputs, aux)` and keep the way back.

    Returns:
        `(outputs, aux, pullback)`. `pullback(cotangents, wrt=slice)` gives the
        gradients with respect to `variables` followed by `inputs`; a None
        among the cotangents leaves that output out.
    """
    sources = [v.value for v in variables] + list(inputs)
    # Persistent: a joint step pulls back twice. In a graph this costs nothing.
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(list(inputs))
        outputs, aux = fn(*inputs)

    def pullback(cotangents, wrt=slice(None)):
        used = [i for i, c in enumerate(cotangents) if c is not None]
        return tape.gradient(
            [outputs[i] for i in used],
            sources[wrt],
            output_gradients=[cotangents[i] for i in used],
        )

    return outputs, aux, pullback


def apply(
    optimizer: keras.optimizers.Optimizer,
    gradients: Sequence[tf.Tensor],
    variables: Sequence[keras.Variable],
) -> None:
    """Move `variables` by one step; gradients are summed over replicas."""
    optimizer.apply_gradients(list(zip(gradients, variables, strict=True)))


def gradient(fn: Callable, x: tf.Tensor) -> tf.Tensor:
    """Derivative of `sum(fn(x))` with respect to `x`, differentiable again."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(fn(x))
    return tape.gradient(total, x)


def portable(train_step: Callable) -> Callable:
    """Mark a `train_step(self, data)`; TensorFlow runs it as it is."""
    return train_step


def num_replicas() -> int:
    return tf.distribute.get_strategy().num_replicas_in_sync


def replica_id() -> tf.Tensor:
    context = tf.distribute.get_replica_context()
    # None outside of a replica, where variables are made, not noise.
    number = 0 if context is None else context.replica_id_in_sync_group
    return tf.convert_to_tensor(number)


def synchronize(model: keras.Model) -> None:
    """Variables always hold their values here; see the JAX engine."""


def inference(network: keras.Model) -> Callable[..., np.ndarray]:
    """Compile `network(x, training=False)` as a function of NumPy arrays."""

    # One trace for every batch size.
    signature = [tf.TensorSpec(x.shape, x.dtype) for x in network.inputs]

    @tf.function(input_signature=signature)
    def call(*x):
        return network(x if len(x) > 1 else x[0], training=False)

    return lambda *x: call(*x).numpy()
