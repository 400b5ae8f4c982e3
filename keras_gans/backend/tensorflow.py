"""TensorFlow: the reference engine, and the one that distributes."""

import ctypes
import functools
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

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
    if num_replicas() > 1:
        gradients = _of_all_replicas(optimizer, gradients)
    optimizer.apply_gradients(list(zip(gradients, variables, strict=True)))


def _of_all_replicas(
    optimizer: keras.optimizers.Optimizer, gradients: Sequence[tf.Tensor]
) -> Sequence[tf.Tensor]:
    """Each replica's even share of the whole batch's gradient, clipped.

    Keras clips what each replica has, which is less, and sums what is left;
    and whether a gradient is finite it asks the first replica alone.
    """
    clips = getattr(optimizer, "inner_optimizer", optimizer)
    scaled = clips is not optimizer
    clipped = clips.clipnorm or clips.global_clipnorm or clips.clipvalue
    if not scaled and not clipped:
        return gradients  # Keras sums them
    scale = optimizer.scale_loss(1.0)  # of mixed precision; else 1
    gradients = [sum_over_replicas(g) / scale for g in gradients]
    if clips.clipnorm:
        gradients = [tf.clip_by_norm(g, clips.clipnorm) for g in gradients]
    elif clips.global_clipnorm:
        norm = clips.global_clipnorm
        gradients, _ = tf.clip_by_global_norm(gradients, norm)
    elif clips.clipvalue:
        bound = clips.clipvalue
        gradients = [tf.clip_by_value(g, -bound, bound) for g in gradients]
    return [g * scale / num_replicas() for g in gradients]


def gradient(fn: Callable, x: tf.Tensor) -> tf.Tensor:
    """Derivative of `sum(fn(x))` with respect to `x`, differentiable again."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(fn(x))
    return tape.gradient(total, x)


_of_thread = threading.local()  # a replica is traced in a thread of its own


def portable(step: Callable) -> Callable:
    """Tell a step `(self, data)` its replica's share of a batch."""

    @functools.wraps(step)
    def step_of_a_replica(self, data):
        if num_replicas() == 1:
            return step(self, data)
        rows = tf.shape(tf.nest.flatten(data)[0])[0]
        tf.debugging.assert_positive(
            rows,
            "Expected an image of every batch for each of "
            f"{num_replicas()} replicas. Received: a batch that leaves one "
            "without. Change `batch_size`, or leave some images out.",
        )
        rows = tf.cast(rows, tf.float64)  # exact for every dtype of a loss
        _of_thread.share = rows / sum_over_replicas(rows)
        try:
            return step(self, data)
        finally:
            del _of_thread.share

    return step_of_a_replica


def sum_over_replicas(x: tf.Tensor) -> tf.Tensor:
    """The sum of what each replica has here."""
    if num_replicas() == 1:
        return x
    context = tf.distribute.get_replica_context()
    return context.all_reduce(tf.distribute.ReduceOp.SUM, x)


def share() -> Any:
    """The part of a step's batch that this replica has."""
    return getattr(_of_thread, "share", 1.0 / num_replicas())


def as_logs(values: dict) -> dict:
    """Scalars by name, as Keras's `fit` takes them from a step.

    Of several machines it takes the mean along the first axis, which a scalar
    has not.
    """
    strategy = tf.distribute.get_strategy()
    if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return {name: tf.reshape(v, (1,)) for name, v in values.items()}
    return values


def num_replicas() -> int:
    return tf.distribute.get_strategy().num_replicas_in_sync


def replica_id() -> tf.Tensor:
    context = tf.distribute.get_replica_context()
    # None outside of a replica, where variables are made, not noise.
    number = 0 if context is None else context.replica_id_in_sync_group
    return tf.convert_to_tensor(number)


def synchronize(model: keras.Model) -> None:
    """Variables always hold their values here; see the JAX engine."""


M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h


class KeepMemory(keras.callbacks.Callback):
    """Lets malloc keep for the next step what this one frees.

    A `PyDataset` becomes a data set of a generator, at whose start TensorFlow
    has glibc map every tensor of 128 KiB or more anew, where Python is 3.11 or
    later (`ApplyPython311MemoryPatch`). At 128 pixels a CycleGAN then takes 400
    MB a step page by page, which is a tenth of its time. Up to 8 MiB are kept
    here: at 256 pixels that takes 4 % less memory than the 32 MiB to which
    glibc's own bound may rise, and one hundredth more time.
    """

    async_safe = True  # Keras need not wait for a step because of it

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        # At every step: a validation in between starts a generator, too.
        libc = ctypes.CDLL(None) if sys.platform == "linux" else None
        if hasattr(libc, "mallopt"):  # musl's has no such bounds
            libc.mallopt(M_MMAP_THRESHOLD, 8 * 2**20)
            libc.mallopt(M_TRIM_THRESHOLD, 16 * 2**20)


def fit_callbacks() -> list[keras.callbacks.Callback]:
    """What `fit` adds to those that it is given."""
    return [KeepMemory()]


def inference(network: keras.Model) -> Callable[..., np.ndarray]:
    """Compile `network(x, training=False)` as a function of NumPy arrays."""

    def call(*x):
        return network(x if len(x) > 1 else x[0], training=False)

    # One trace for every batch size. TensorFlow counts traces by the code of a
    # function, and would warn of many networks as of one that is traced often:
    # a partial has no code of its own.
    signature = [
        tf.TensorSpec((None, *x.shape[1:]), x.dtype) for x in network.inputs
    ]
    call = tf.function(functools.partial(call), input_signature=signature)
    return lambda *x: call(*x).numpy()


def recomputed(fn: Callable, *args: tf.Tensor) -> Any:
    """`fn(*args)`, which is computed anew for its derivatives.

    Of what is in between nothing is kept for them. What they do not need is
    not computed again in a graph: of a convolution of padded images the padding
    is, the convolution is not. Differentiable again, as `tf.recompute_grad` is
    not.
    """

    @tf.custom_gradient
    def run(*args):
        def pullback(dy):
            with tf.control_dependencies([dy]):  # not before: it would be kept
                again = [tf.identity(x) for x in args]
            with tf.GradientTape() as tape:
                tape.watch(again)
                y = fn(*again)
            dx, *others = tape.gradient(y, again, output_gradients=dy)
            # No further back before they are there: they need what was made.
            with tf.control_dependencies(others):
                return tf.identity(dx), *others

        return fn(*args), pullback

    # As tensors: a variable's derivative would be counted twice.
    return run(*map(tf.convert_to_tensor, args))


def with_pullback(fn: Callable, x: tf.Tensor) -> Any:
    """The y of `fn(x) -> (y, pullback)`, with dx = pullback(dy).

    A second derivative is refused: what the pullback keeps are constants to it.
    """

    @tf.custom_gradient
    def run(x):
        y, pullback = fn(x)

        @tf.custom_gradient
        def pull(dy, x):  # of x, too, lest its part of a second one is missed
            return pullback(dy), refuse

        return y, lambda dy: pull(dy, x)

    def refuse(*_):
        raise NotImplementedError(
            "Expected one derivative of a network in training. Received: a "
            "second one, as of a gradient penalty. Call it with training=False."
        )

    return run(tf.convert_to_tensor(x))


def convolution(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Convolve `[n, h, w, c]` with `[kh, kw, c, filters]`, unpadded.

    On CPUs `tf.nn.conv2d` takes as long for 3 filters as for 16. A matrix
    product does not, and pays for the memory from which taps are scattered.
    """
    x, kernel = tf.convert_to_tensor(x), tf.convert_to_tensor(kernel)
    height, width, channels, filters = kernel.shape
    full = x.dtype in (tf.float32, tf.float64)
    if not full or tf.config.list_logical_devices("GPU"):
        return tf.nn.conv2d(x, kernel, 1, "VALID")
    if height * width * filters < channels:
        y = _scattered(x, kernel)
    elif filters <= 4:
        y = _few_filters(x, kernel)
    else:
        return tf.nn.conv2d(x, kernel, 1, "VALID")
    n, *sides, _ = x.shape  # what is known of them
    sides = [
        side and side - size + 1
        for side, size in zip(sides, (height, width), strict=True)
    ]
    y.set_shape((n, *sides, filters))
    return y


def upsampled_convolution(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Convolve `[n, h, w, c]`, twice as large, with `[3, 3, c, filters]`.

    Nearest neighbours, zeros around them: `[n, 2 * h, 2 * w, filters]`. As each
    pixel stands in four places, sums of the kernel's rows and columns give with
    4 products what itself gives with 9, as a transposed convolution of 4x4. Of
    smaller images than 8x8 the sums take longer than they save.
    """
    x, kernel = tf.convert_to_tensor(x), tf.convert_to_tensor(kernel)
    _, height, width, _ = x.shape
    full = x.dtype in (tf.float32, tf.float64)  # the sums would be rounded
    if not full or not height or not width or height * width < 64:
        x = tf.repeat(tf.repeat(x, 2, 1), 2, 2)
        return tf.nn.conv2d(x, kernel, 1, "SAME")
    kernel = tf.transpose(kernel, (0, 1, 3, 2))
    for axis in (0, 1):
        before, here, after = tf.unstack(kernel, axis=axis)
        sums = [after, after + here, here + before, before]
        kernel = tf.stack(sums, axis)
    shape = tf.shape(x)[0], 2 * height, 2 * width, kernel.shape[2]
    return tf.nn.conv2d_transpose(x, kernel, shape, 2, "SAME")


@tf.custom_gradient
def _few_filters(x: tf.Tensor, kernel: tf.Tensor) -> tuple:
    """`_scattered`, and derivatives by convolutions, which are faster.

    That of the kernel takes half to a quarter of the time with x and dy in each
    other's place, as if dy had been convolved: it comes out mirrored.
    """
    height, width, channels, filters = kernel.shape

    def pullback(dy):
        dx = tf.nn.conv2d_transpose(dy, kernel, tf.shape(x), 1, "VALID")
        around = [(0, 0), (height - 1,) * 2, (width - 1,) * 2, (0, 0)]
        mirrored = tf.raw_ops.Conv2DBackpropFilter(
            input=tf.pad(dy, around),
            filter_sizes=(height, width, filters, channels),
            out_backprop=x,
            strides=[1, 1, 1, 1],
            padding="VALID",
        )
        mirrored = tf.transpose(mirrored, (0, 1, 3, 2))
        return dx, tf.reverse(mirrored, (0, 1))

    return _scattered(x, kernel), pullback


def _scattered(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """A product with all taps at each pixel, then a sum of shifted planes."""
    height, width, channels, filters = kernel.shape
    rows, columns = tf.shape(x)[1] - height + 1, tf.shape(x)[2] - width + 1
    taps = tf.reshape(tf.transpose(kernel, (2, 0, 1, 3)), (channels, -1))
    y = tf.matmul(tf.reshape(x, (-1, channels)), taps)
    y = tf.reshape(y, (*tf.unstack(tf.shape(x)[:3]), height, width * filters))
    y = tf.add_n([y[:, i : i + rows, :, i] for i in range(height)])
    return tf.add_n(
        [
            y[:, :, j : j + columns, j * filters : (j + 1) * filters]
            for j in range(width)
        ]
    )
