"""Training on many devices and machines.

```python
strategy = keras_gans.distribute.strategy("auto")
with strategy.scope():
    gan = keras_gans.create("dcgan")
    gan.compile()
gan.fit(images, batch_size=256)  # the global batch, dealt out to replicas
```

N replicas with a global batch of B take the step of one replica with B: losses
are means over the whole batch, latents differ between replicas, metrics count
every sample once, and gradients are clipped once they are summed. BatchNorm's
statistics are of a replica's own share unless `synchronize_batch_norm` is
called; so are the other texts that StackGAN pairs with images, and CycleGAN's
pool of past fakes, of which the first replica's is saved.
"""

import contextlib
import json
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras

from keras_gans.backend import sum_over_replicas
from keras_gans.datasets.data import StepRange
from keras_gans.registry import unknown

KINDS = ("auto", "one", "mirrored", "multiworker")
# Errors of TensorFlow that mean that a worker is gone.
LOSSES = (
    "AbortedError",
    "CancelledError",
    "DeadlineExceededError",
    "UnavailableError",
)


def strategy(kind: str = "auto") -> Any:
    """How training is spread over this machine, or several.

    On TensorFlow a `tf.distribute.Strategy`; make the model in its `scope()`.
    On JAX a `keras.distribution.DataParallel`, whose scope must hold `fit`,
    too. PyTorch trains on one device.

    Workers shuffle arrays each for itself: give all of them the same
    `keras.utils.set_random_seed`.

    Args:
        kind: "one": the default device. "mirrored": all GPUs of this machine;
            where there is none, all logical CPUs. "multiworker": the workers
            that the environment variable `TF_CONFIG` names, each of which runs
            the same program; call it before anything else of TensorFlow runs.
            "auto": "multiworker" where `TF_CONFIG` names several workers,
            "mirrored" where there are several GPUs, and else "one".

    Raises:
        ValueError: If the kind is unknown, or another backend's, or
            `TF_CONFIG` does not say who the workers are and which this is.
        RuntimeError: If TensorFlow has started before "multiworker".

    Example:

    ```python
    with keras_gans.distribute.strategy("mirrored").scope():
        gan = keras_gans.create("dcgan")
    ```
    """
    if kind not in KINDS:
        raise ValueError(unknown("strategy", kind, [*KINDS]))
    engine = keras.backend.backend()
    if engine == "torch" and kind not in ("auto", "one"):
        raise ValueError(
            f"Expected strategy='one' on PyTorch. Received: {kind!r}. Set "
            "KERAS_BACKEND to 'tensorflow' or 'jax' to train on several "
            "devices."
        )
    if engine == "torch":
        return OneDevice()
    return _of_tensorflow(kind) if engine == "tensorflow" else _of_jax(kind)


class OneDevice:
    """Where nothing is distributed."""

    num_replicas_in_sync = 1

    def scope(self) -> Any:
        return contextlib.nullcontext(self)


def _of_tensorflow(kind: str) -> Any:
    import tensorflow as tf

    asks = kind in ("auto", "multiworker")  # another program may have set it
    workers = workers_of(os.environ.get("TF_CONFIG")) if asks else []
    if kind == "auto" and len(workers) > 1:
        kind = "multiworker"
    if kind == "multiworker":
        if not workers:
            raise ValueError(
                "Expected TF_CONFIG with the workers. Received: none. Set it "
                "to {'cluster': {'worker': ['host0:port', 'host1:port']}, "
                "'task': {'type': 'worker', 'index': 0}} as JSON, with an "
                "index for each."
            )
        try:
            return tf.distribute.MultiWorkerMirroredStrategy()
        except RuntimeError as error:
            raise RuntimeError(
                "Expected strategy('multiworker') before TensorFlow does "
                f"anything. Received: {error} Move it to the beginning of the "
                "program, before the first model and the first tensor."
            ) from error
    gpus = tf.config.list_logical_devices("GPU")
    if kind == "mirrored":
        devices = gpus or tf.config.list_logical_devices("CPU")
        return tf.distribute.MirroredStrategy([d.name for d in devices])
    if kind == "auto" and len(gpus) > 1:
        return tf.distribute.MirroredStrategy()
    return tf.distribute.get_strategy()


def _of_jax(kind: str) -> Any:
    if kind == "multiworker" or (
        kind == "auto" and len(workers_of(os.environ.get("TF_CONFIG"))) > 1
    ):
        raise ValueError(
            "Expected one machine on JAX. Received: strategy='multiworker'. "
            "Set KERAS_BACKEND=tensorflow to train on several."
        )
    devices = keras.distribution.list_devices()
    on_cpus = devices[0].startswith("cpu")
    if kind == "one" or (kind == "auto" and (on_cpus or len(devices) == 1)):
        return OneDevice()
    parallel = keras.distribution.DataParallel(
        devices=devices, auto_shard_dataset=False
    )
    parallel.num_replicas_in_sync = len(devices)  # as TensorFlow's strategies
    return parallel


def workers_of(config: str | None) -> list[str]:
    """The workers that `TF_CONFIG` names; none where it is not set.

    Args:
        config: Its text.

    Raises:
        ValueError: If it is not JSON, or names no workers, or not which of
            them this is.
    """
    if not config:
        return []
    expected = (
        "Expected TF_CONFIG as JSON like {'cluster': {'worker': ['host:port', "
        "...]}, 'task': {'type': 'worker', 'index': 0}}. Received: "
    )
    try:
        facts = json.loads(config)
    except ValueError as error:
        raise ValueError(
            f"{expected}{config!r:.80}, which is not JSON ({error}). Mend it, "
            "or unset it to train on this machine alone."
        ) from None
    try:
        workers = facts["cluster"]["worker"]
        task, index = facts["task"]["type"], facts["task"]["index"]
        named = workers and all(":" in worker for worker in workers)
        named = named and isinstance(workers, list)
    except (KeyError, TypeError, IndexError):
        named = False
    if not named:
        raise ValueError(
            f"{expected}{config!r:.160}. Name the workers, and which of them "
            "this is."
        )
    known = isinstance(index, int) and 0 <= index < len(workers)
    if task != "worker" or not known:
        raise ValueError(
            f"Expected TF_CONFIG with a task of type 'worker' and an index "
            f"from 0 to {len(workers) - 1}, as many workers are named. "
            f"Received: type={task!r}, index={index!r}. Give each worker its "
            "own index."
        )
    return workers


def synchronize_batch_norm(model: keras.Model) -> None:
    """Let BatchNorm see the whole batch, not a replica's share of it.

    Each layer then adds up its statistics over the replicas, twice a step of
    each player. Call it before `fit`; on JAX it is so already. Nothing changes
    where there is one replica.

    Args:
        model: Any of the zoo's, or a network.

    Example:

    ```python
    with keras_gans.distribute.strategy("mirrored").scope():
        gan = keras_gans.create("dcgan")
        keras_gans.distribute.synchronize_batch_norm(gan)
    ```
    """
    if keras.backend.backend() != "tensorflow":
        return
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = True


# === Runs ===


def is_chief(strategy: Any) -> bool:
    """Whether this process is the one that writes the files of a run."""
    cluster = _cluster(strategy)
    return cluster is None or cluster.task_id == 0


@contextlib.contextmanager
def written_by_one(strategy: Any, folder: Path) -> Iterator[Path]:
    """The folder for the first worker, and for others one that is thrown away.

    All must do the same: what is written may be read from all replicas.
    """
    if is_chief(strategy):
        yield folder
        return
    with tempfile.TemporaryDirectory() as aside:
        yield Path(aside)


def is_of_workers(strategy: Any) -> bool:
    """Whether there are several machines."""
    return _cluster(strategy) is not None


def deals_out(strategy: Any) -> bool:
    """Whether batches come as shares of replicas; JAX cuts them itself."""
    tensorflow = keras.backend.backend() == "tensorflow"
    return tensorflow and strategy.num_replicas_in_sync > 1


def dealt(steps: StepRange, strategy: Any) -> Any:
    """The batches of some steps, a share for each replica, for `fit`.

    Each worker reads the rows of its own replicas and no others.

    Args:
        steps: Of a run.
        strategy: Of TensorFlow.
    """
    import tensorflow as tf

    replicas = strategy.num_replicas_in_sync
    signature = keras.tree.map_structure(
        lambda x: tf.TensorSpec((None, *x.shape[1:]), x.dtype),
        steps.part(0, (0, replicas)),
    )

    def of_worker(context):
        here = replicas // context.num_input_pipelines
        first = context.input_pipeline_id * here

        def shares():
            for step in range(len(steps)):
                for i in range(first, first + here):
                    yield steps.part(step, (i, replicas))

        data = tf.data.Dataset.from_generator(
            shares, output_signature=signature
        )
        return data.prefetch(2 * here)

    batches = strategy.distribute_datasets_from_function(of_worker)
    batches.whole_steps = True
    return batches


def any_worker(strategy: Any, here: bool) -> bool:
    """Whether it is so for any worker; each must ask."""
    if _cluster(strategy) is None:
        return here
    import tensorflow as tf

    @tf.function
    def count():
        return strategy.run(lambda: sum_over_replicas(tf.constant(float(here))))

    counted = strategy.experimental_local_results(count())
    return float(counted[0]) > 0


@contextlib.contextmanager
def plain_loss_of_a_worker(strategy: Any) -> Iterator[None]:
    """Say in a sentence that another worker is gone.

    Raises:
        ConnectionError: If it is.
    """
    try:
        yield
    except Exception as error:
        if _cluster(strategy) is None or type(error).__name__ not in LOSSES:
            raise
        told = re.search(r"from /job:worker/task:(\d+)", str(error))
        raise ConnectionError(
            "Expected all workers to take part in every step. Received: no "
            f"sign of {f'worker {told[1]}' if told else 'another worker'}. "
            "Start all of them again to go on from the last save."
        ) from error


def _cluster(strategy: Any) -> Any:
    """Of a strategy of many machines who they are; None of one machine."""
    cluster = getattr(strategy, "cluster_resolver", None)
    several = cluster is not None and cluster.task_type == "worker"
    return cluster if several else None
