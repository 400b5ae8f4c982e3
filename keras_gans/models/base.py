"""What every model of the zoo can do: `GenerativeModel`.

Abstract, as the two that build on it: `LatentModel` makes images of latent
vectors, `AdversarialModel` is a game of a generator and a discriminator. A
model's networks, its losses and its `train_step` stand in its own file.
"""

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_gans import backend, inputs
from keras_gans.arguments import check_image_shape
from keras_gans.batching import grouped
from keras_gans.optimizers import OptimizerGroup
from keras_gans.registry import unknown


class GenerativeModel(keras.Model):
    """Abstract base: training, entries and saving, the same for every model.

    A subclass builds its networks in `__init__` (so that `fit` never has to
    guess their shapes), names its optimizers in `players`, gives the paper's in
    `default_optimizers`, and writes `train_step`.

    Args:
        image_shape: `(height, width, channels)` of the images it makes.
        metrics: Names of the running means that `fit` shows.
    """

    # Of the labels that it takes beside images; None takes none.
    num_classes = None
    # For cards: how it is used, and what their picture shows.
    use = "images = model.generate(64, seed=0)"
    shows = "64 samples of seed 0, the first that it makes"
    # Files of other pictures of an entry, and what each shows.
    pictures = {}
    # Whether it trains on pairs of images, one of each of two domains.
    two_domains = False
    # Batches that a training step takes; `rows_in_turn` takes them apart.
    batches_a_step = 1
    # Whether it makes images of texts; then `text_dim` is their width.
    takes_text = False
    text_dim = None

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        metrics: tuple[str, ...],
        name: str | None = None,
    ):
        super().__init__(name=name)
        self.image_shape = check_image_shape(image_shape)
        self.card = None  # of the zoo's entry that it was loaded from
        self.networks_without_weights = []
        self.trackers = {n: keras.metrics.Mean(name=n) for n in metrics}
        self.compiled_networks = {}
        self.built = True

    @property
    def takes_labels(self) -> bool:
        """Whether it is conditional on classes."""
        return self.num_classes is not None

    # === Training ===

    @property
    def players(self) -> dict[str, list[keras.Variable]]:
        """Name of each optimizer, and the variables that it moves."""
        raise NotImplementedError

    def default_optimizers(self) -> dict[str, keras.optimizers.Optimizer]:
        """New optimizers as the paper has them, by the names of `players`."""
        raise NotImplementedError

    def compile(
        self,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: bool | str = "auto",
        **optimizers: Any,
    ) -> None:
        """Get ready to train; bare `compile()` takes the paper's optimizers.

        Args:
            run_eagerly: Run `train_step` as plain Python, to step through it.
            steps_per_execution: Steps a compiled call.
            jit_compile: "auto" compiles with XLA on accelerators only; on CPUs
                it makes these convolutions several times slower.
            **optimizers: By name, a `keras.optimizers.Optimizer`, the name of
                one, or None for the paper's. Where there is one player alone,
                `optimizer` is its, too.

        Raises:
            ValueError: If an optimizer's name is not one of `players`, or two
                players share one optimizer.
        """
        if len(self.players) == 1 and "optimizer" in optimizers:
            optimizers[next(iter(self.players))] = optimizers.pop("optimizer")
        for name in optimizers:
            if name not in self.players:
                raise ValueError(
                    unknown("optimizer of this model", name, [*self.players])
                )
        chosen = self.default_optimizers() | {
            name: keras.optimizers.get(optimizer)
            for name, optimizer in optimizers.items()
            if optimizer is not None
        }
        self.compile_options = {
            "run_eagerly": run_eagerly,
            "steps_per_execution": steps_per_execution,
            "jit_compile": jit_compile,
        }
        LossScaleOptimizer = keras.optimizers.LossScaleOptimizer
        self.wrapped_here = []
        members = {}
        for name, variables in self.players.items():
            optimizer = chosen[name]
            if self.dtype_policy.name == "mixed_float16" and not isinstance(
                optimizer, LossScaleOptimizer
            ):
                optimizer = LossScaleOptimizer(optimizer)
                self.wrapped_here.append(name)
            _build_for(optimizer, name, variables)
            setattr(self, name, optimizer)
            members[name] = optimizer
        super().compile(
            OptimizerGroup(members),
            auto_scale_loss=False,  # each member has a scale of its own
            **self.compile_options,
        )
        self._loss_tracker = None  # the names in `metrics` are all there is

    def get_compile_config(self) -> dict:
        if not self.compiled:
            return {}
        optimizers = {
            name: keras.optimizers.serialize(
                getattr(self, name).inner_optimizer
                if name in self.wrapped_here
                else getattr(self, name)
            )
            for name in self.players
        }
        return self.compile_options | {"optimizers": optimizers}

    def compile_from_config(self, config: dict) -> None:
        config = dict(config)
        optimizers = {
            name: keras.optimizers.deserialize(optimizer)
            for name, optimizer in config.pop("optimizers").items()
        }
        self.compile(**config, **optimizers)

    def fit(self, x: Any = None, y: Any = None, **kwargs: Any) -> Any:
        """Train, as `keras.Model.fit`, on images in [-1, 1].

        Compiles with the paper's optimizers where `compile` was not called.

        Args:
            x: float32 `[n, height, width, channels]` in [-1, 1], a
                `tf.data.Dataset` or `keras.utils.PyDataset` of such batches.
            y: Labels, for models that take them.
            **kwargs: `batch_size`, `epochs`, `callbacks`, ... as in
                `keras.Model.fit`. Where a training step takes several batches,
                as with n_critic, these are the sizes of one, and steps are
                counted whole. The images of a step are dealt out anew.

        Returns:
            Keras's `History`.

        Raises:
            ValueError: If the images have another shape or range, hold NaN or
                infinity, or are none; if labels come to a model without.
        """
        held_out = kwargs.get("validation_data")
        if held_out is not None or kwargs.get("validation_split"):
            self.check_has_test_loss()
        if held_out is not None:
            kwargs["validation_data"] = self.checked_held_out(held_out)
        inputs.check_options(kwargs)
        if not inputs.shuffled_by_keras(x):
            kwargs.setdefault("shuffle", False)
        n, whole = self.batches_a_step, getattr(x, "whole_steps", False)
        x, y = inputs.checked(self, x, y, kwargs.get("steps_per_epoch"))
        inputs.check_replicas(self, x, kwargs.get("batch_size"))
        if n > 1 and hasattr(x, "shape"):
            kwargs["batch_size"] = n * (kwargs.get("batch_size") or 32)
        elif n > 1 and not whole:
            x = grouped(x, n)
        if self.networks_without_weights:
            warnings.warn(
                f"{self.card.name if self.card else self.name} came without "
                "trained weights of its "
                f"{', '.join(self.networks_without_weights)}, which start anew "
                "and may undo what the generator knows.",
                stacklevel=2,
            )
            self.networks_without_weights = []
        if not self.compiled:
            if getattr(self, "steps_per_epoch", 0) is None:  # its schedule's
                steps = kwargs.get("steps_per_epoch")
                batch_size = kwargs.get("batch_size")
                self.steps_per_epoch = steps or inputs.steps_of(x, batch_size)
            self.compile()
        if not self.is_adapted() and hasattr(x, "shape"):
            self.adapt(ops.convert_to_numpy(x))
        elif not self.is_adapted():
            warnings.warn(
                f"{type(self).__name__} starts from its training images, and "
                "takes them from an array only. Call `adapt(images)` with some "
                "of this data set before `fit`.",
                stacklevel=2,
            )
        callbacks = kwargs.pop("callbacks", None) or []
        if not isinstance(callbacks, keras.callbacks.CallbackList):
            callbacks = keras.tree.flatten(callbacks) + backend.fit_callbacks()
        with inputs.plain_errors():
            return super().fit(x, y, callbacks=callbacks, **kwargs)

    def _maybe_symbolic_build(self, *args: Any, **kwargs: Any) -> None:
        # It is built. Keras would take the mean of a batch over the workers,
        # which fails where their shares are of different sizes.
        pass

    def evaluate(self, x: Any = None, y: Any = None, **kwargs: Any) -> Any:
        """The loss on held-out data, for models that have one.

        Raises:
            ValueError: For adversarial models, which have none.
        """
        self.check_has_test_loss()
        inputs.check_options(kwargs)
        x, y = inputs.checked(self, x, y)
        if not self.compiled:
            self.compile()
        with inputs.plain_errors():
            return super().evaluate(x, y, **kwargs)

    def checked_held_out(self, data: Any) -> Any:
        """Validation data for Keras, once they are such as `fit` takes."""
        if not isinstance(data, (tuple, list)):
            data = (data,)
        if len(data) not in (1, 2):
            raise ValueError(
                "Expected `validation_data` as images, or (images, labels). "
                f"Received: {len(data)} of them. Leave the rest out."
            )
        x, y = inputs.checked(self, *data)
        return x if y is None else (x, y)

    def check_has_test_loss(self) -> None:
        """Raise a `ValueError` where `evaluate` would mean nothing."""

    def adapt(self, images: np.ndarray) -> None:
        """Take from the training images what the paper takes before step 1.

        Nothing, unless a model says otherwise. `fit` calls it with arrays
        where `is_adapted` is False.
        """

    def is_adapted(self) -> bool:
        """Whether `adapt` was called, or has nothing to do."""
        return True

    def report(self, batch_size: Any, **values: Any) -> dict[str, Any]:
        """Add a step's values to the running means; return the means.

        Weighted by the samples of a step: a ragged last batch counts less.
        Of several replicas, the means over all of their samples.
        """
        values, batch_size = backend.mean_over_replicas(values, batch_size)
        for name, value in values.items():
            self.trackers[name].update_state(value, sample_weight=batch_size)
        return backend.as_logs(
            {name: self.trackers[name].result() for name in values}
        )

    # === Sampling ===

    @property
    def sampler(self) -> keras.Model:
        """The network that makes images."""
        raise NotImplementedError

    def call(self, inputs: Any, training: bool = False) -> Any:
        """What `sampler` makes of `inputs`."""
        return self.sampler(inputs, training=training)

    def infer(
        self, network: keras.Model, *inputs: np.ndarray, batch_size: int
    ) -> np.ndarray:
        """Run a network on NumPy arrays, batch by batch, without training."""
        if not isinstance(batch_size, (int, np.integer)) or batch_size < 1:
            raise ValueError(
                "Expected `batch_size` as a positive integer. Received: "
                f"batch_size={batch_size!r}. Leave it out for the default."
            )
        run = self.compiled_networks.get(network.name)
        if run is None or run.network is not network:  # or a new one
            run = backend.inference(network)
            # On the function: Keras would save a network kept in the dict.
            run.network = network
            self.compiled_networks[network.name] = run
        parts = [
            run(*(x[i : i + batch_size] for x in inputs))
            for i in range(0, len(inputs[0]), batch_size)
        ]
        return np.concatenate(parts).astype(np.float32)

    # === Entries of the zoo ===

    @property
    def needed_networks(self) -> list[keras.Model]:
        """The networks without whose weights it makes no images."""
        return [self.sampler]

    def stored(self, network: keras.Model) -> keras.Model:
        """The network whose weights an entry keeps for this one."""
        return network

    def probe(self, network: keras.Model) -> np.ndarray:
        """Inputs on which two states of a network are compared."""
        raise NotImplementedError

    def progress(self, data: Any) -> np.ndarray:
        """A picture of what the model makes now, of the same inputs each time.

        Args:
            data: What it trains on, as `keras_gans.datasets.load` gives it.

        Returns:
            uint8 `[height, width, channels]`.
        """
        raise NotImplementedError

    def more_pictures(self) -> dict[str, np.ndarray]:
        """The pictures that `pictures` names, uint8 `[h, w, c]` each."""
        return {}

    # === Saving ===

    def export(self, filepath: Any, *args: Any, **kwargs: Any) -> Any:
        """Export the network that makes images, as `keras.Model.export`.

        Example:

        ```python
        gan.export("generator")  # a TensorFlow SavedModel
        ```
        """
        return self.sampler.export(filepath, *args, **kwargs)

    def get_config(self) -> dict:
        raise NotImplementedError

    @classmethod
    def from_config(cls, config: dict) -> "GenerativeModel":
        config = dict(config)
        # Networks take Keras's global policy when they are built.
        with dtype_policy(config.pop("dtype_policy", None)):
            return cls(**config)

    def base_config(self) -> dict:
        """What every `get_config` holds."""
        return {"name": self.name, "dtype_policy": self.dtype_policy.name}

    @property
    def random_states(self) -> list[keras.Variable]:
        """States of all `SeedGenerator`s: what Keras forgets to save."""
        weights = {id(v) for v in self.weights}
        return [v for v in self.variables if id(v) not in weights]

    def save_own_variables(self, store: Any) -> None:
        super().save_own_variables(store)
        for i, state in enumerate(self.random_states):
            store[f"random_state_{i}"] = ops.convert_to_numpy(state)

    def load_own_variables(self, store: Any) -> None:
        own = {k: store[k] for k in store.keys() if "random_state_" not in k}
        super().load_own_variables(own)
        for i, state in enumerate(self.random_states):
            if f"random_state_{i}" in store.keys():
                state.assign(store[f"random_state_{i}"])


@contextlib.contextmanager
def dtype_policy(policy: str | None) -> Iterator[None]:
    """Build under a dtype policy, and leave Keras's global one as it was."""
    before = keras.config.dtype_policy()
    if policy is not None:
        keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _build_for(
    optimizer: keras.optimizers.Optimizer,
    name: str,
    variables: list[keras.Variable],
) -> None:
    """Build an optimizer, or check that it was built for these variables."""
    if not optimizer.built:
        optimizer.build(variables)
        return
    known = [id(v) for v in optimizer._trainable_variables]
    if known != [id(v) for v in variables]:
        raise ValueError(
            f"Expected a new optimizer as {name}. Received: "
            f"{optimizer.name}, which holds the slots of other variables. Make "
            "another with the same settings."
        )
