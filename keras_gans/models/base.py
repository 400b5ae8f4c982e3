"""What every model of the zoo can do: `GenerativeModel`, `AdversarialModel`.

Both are abstract. A model's networks, its losses and its `train_step` stand in
its own file.
"""

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_gans import backend, inputs
from keras_gans.latents import (
    check_prior,
    linear_path,
    sample_prior,
    sample_prior_in_step,
    spherical_path,
)
from keras_gans.optimizers import OptimizerGroup
from keras_gans.registry import unknown


class GenerativeModel(keras.Model):
    """Abstract base: training, sampling and saving, the same for every model.

    A subclass builds its networks in `__init__` (so that `fit` never has to
    guess their shapes), names its optimizers in `players`, gives the paper's in
    `default_optimizers`, and writes `train_step`.

    Args:
        image_shape: `(height, width, channels)` of the images it makes.
        latent_dim: Length of a latent vector z.
        prior: Law of z: "normal", "uniform" on [-1, 1], or "unit_uniform" on
            [-sqrt 3, sqrt 3].
        metrics: Names of the running means that `fit` shows.
    """

    takes_labels = False

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        latent_dim: int,
        prior: str,
        metrics: tuple[str, ...],
        name: str | None = None,
    ):
        super().__init__(name=name)
        shape = tuple(image_shape) if np.iterable(image_shape) else ()
        if len(shape) != 3 or not all(
            isinstance(n, (int, np.integer)) and n > 0 for n in shape
        ):
            raise ValueError(
                "Expected `image_shape` as (height, width, channels), three "
                f"positive integers. Received: image_shape={image_shape}. "
                "Grayscale images are (28, 28, 1)."
            )
        if not isinstance(latent_dim, (int, np.integer)) or latent_dim < 1:
            raise ValueError(
                "Expected `latent_dim` as a positive integer. Received: "
                f"latent_dim={latent_dim}. The papers use about 100."
            )
        self.image_shape = tuple(int(n) for n in shape)
        self.latent_dim = int(latent_dim)
        self.prior = check_prior(prior)
        self.seed_generator = backend.SeedGenerator()
        self.ema_generator = None
        self.card = None  # of the zoo's entry that it was loaded from
        self.networks_without_weights = []
        self.trackers = {n: keras.metrics.Mean(name=n) for n in metrics}
        self.compiled_networks = {}
        self.built = True

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
                one, or None for the paper's.

        Raises:
            ValueError: If an optimizer's name is not one of `players`, or two
                players share one optimizer.
        """
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
                `keras.Model.fit`.

        Returns:
            Keras's `History`.

        Raises:
            ValueError: If the images have another shape or range, hold NaN or
                infinity, or are none; if labels come to a model without.
        """
        if kwargs.get("validation_data") is not None or kwargs.get(
            "validation_split"
        ):
            self.check_has_test_loss()
        inputs.check_options(kwargs)
        if not inputs.shuffled_by_keras(x):
            kwargs.setdefault("shuffle", False)
        x, y = inputs.checked(self, x, y, kwargs.get("steps_per_epoch"))
        if self.networks_without_weights:
            warnings.warn(
                f"{self.card.name} came without trained weights of its "
                f"{', '.join(self.networks_without_weights)}, which start anew "
                "and may undo what the generator knows.",
                stacklevel=2,
            )
            self.networks_without_weights = []
        if not self.compiled:
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
        with inputs.plain_errors():
            return super().fit(x, y, **kwargs)

    def evaluate(self, x: Any = None, y: Any = None, **kwargs: Any) -> Any:
        """The loss on held-out data, for models that have one.

        Raises:
            ValueError: For adversarial models, which have none.
        """
        self.check_has_test_loss()
        return super().evaluate(x, y, **kwargs)

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

    def sample_latents(self, batch_size: Any) -> Any:
        """z for a training step, `[batch_size, latent_dim]`, never repeated."""
        return sample_prior_in_step(
            self.prior, batch_size, self.latent_dim, self.seed_generator
        )

    def report(self, batch_size: Any, **values: Any) -> dict[str, Any]:
        """Add a step's values to the running means; return the means.

        Weighted by the samples of a step: a ragged last batch counts less.
        """
        for name, value in values.items():
            self.trackers[name].update_state(value, sample_weight=batch_size)
        return {name: self.trackers[name].result() for name in values}

    # === Sampling ===

    @property
    def sampler(self) -> keras.Model:
        """The network that makes images: the EMA generator, if there is one."""
        return self.ema_generator or self.generator

    @property
    def needed_networks(self) -> list[keras.Model]:
        """The networks without whose weights it cannot sample."""
        return [self.generator]

    def stored(self, network: keras.Model) -> keras.Model:
        """The network whose weights an entry of the zoo keeps for this one."""
        return self.sampler if network is self.generator else network

    def probe(self, network: keras.Model) -> np.ndarray:
        """Inputs on which two states of a network are compared."""
        if network is self.generator:
            return self.draw_latents(64, seed=0)
        return self.generate(64, seed=0)

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Images from latents: `[batch, latent_dim]` -> `[batch, h, w, c]`."""
        return (self.generator if training else self.sampler)(
            inputs, training=training
        )

    def generate(
        self,
        n: int = 64,
        seed: int | None = None,
        labels: Any = None,
        *,
        latents: np.ndarray | None = None,
        batch_size: int = 64,
    ) -> np.ndarray:
        """Make images.

        Args:
            n: How many.
            seed: The same seed gives the same images on every backend, and the
                first 8 of 64 are the 8 of 8. None draws anew.
            labels: For conditional models; here None.
            latents: float32 `[n, latent_dim]` to be used instead of drawn ones.
            batch_size: Images made at once.

        Returns:
            float32 `[n, height, width, channels]` in [-1, 1].

        Raises:
            ValueError: If `latents` have another shape or are not finite, `n`
                or `batch_size` is less than 1, or labels come to a model that
                takes none.

        Example:

        ```python
        gan.generate(64, seed=0).shape  # (64, 28, 28, 1)
        ```
        """
        inputs.Contract.of(self).check_labels(labels is not None)
        if latents is None:
            z = self.draw_latents(n, seed)
        else:
            z = np.asarray(latents, dtype=np.float32)
            shaped = z.ndim == 2 and z.shape[1] == self.latent_dim and len(z)
            if not shaped or not np.isfinite(z).all():
                raise ValueError(
                    f"Expected finite `latents` of shape [n, {self.latent_dim}]"
                    f". Received: shape={z.shape}, {np.isnan(z).sum()} of them "
                    "NaN. Draw some with `model.draw_latents(n)`."
                )
        return self.infer(self.sampler, z, batch_size)

    def draw_latents(self, n: int, seed: int | None = None) -> np.ndarray:
        """Draw z from the prior with NumPy, float32 `[n, latent_dim]`."""
        if not isinstance(n, (int, np.integer)) or isinstance(n, bool) or n < 1:
            raise ValueError(
                f"Expected `n` as a positive integer. Received: n={n!r}. "
                "Ask for at least one image."
            )
        if seed is not None and not (
            isinstance(seed, (int, np.integer)) and seed >= 0
        ):
            raise ValueError(
                "Expected `seed` as an integer from 0, or None. Received: "
                f"seed={seed!r}. Leave it out to draw anew."
            )
        return sample_prior(self.prior, n, self.latent_dim, seed)

    def interpolate(
        self,
        n: int = 1,
        steps: int = 8,
        seed: int | None = None,
        method: str | None = None,
        *,
        latents: np.ndarray | None = None,
        batch_size: int = 64,
    ) -> np.ndarray:
        """Walk through the latent space from one image to another.

        Args:
            n: Number of walks.
            steps: Images a walk, both ends included.
            seed: As in `generate`.
            method: "linear" or "spherical". Defaults to "spherical" for a
                normal prior and "linear" for a uniform one.
            latents: float32 `[2, n, latent_dim]`, the ends of the walks,
                instead of drawn ones.
            batch_size: Images made at once.

        Returns:
            float32 `[n, steps, height, width, channels]` in [-1, 1].

        Raises:
            ValueError: If `steps` is less than 2, the method is unknown, or
                `latents` have another shape.

        Example:

        ```python
        strip = gan.interpolate(4, steps=10, seed=0)  # four walks
        ```
        """
        default = "spherical" if self.prior == "normal" else "linear"
        paths = {"linear": linear_path, "spherical": spherical_path}
        method = method or default
        if method not in paths:
            raise ValueError(
                "Expected `method` to be 'linear' or 'spherical'. "
                f"Received: method={method!r}. Leave it out for the one that "
                "suits the prior."
            )
        if not isinstance(steps, (int, np.integer)) or steps < 2:
            raise ValueError(
                "Expected `steps` as an integer of at least 2, for the two "
                f"ends. Received: steps={steps!r}. Try steps=8."
            )
        if latents is None:
            self.draw_latents(n, seed)  # refuses a wrong n or seed
            ends = self.draw_latents(2 * n, seed)
            ends = ends.reshape(2, n, self.latent_dim)
        else:
            ends = np.asarray(latents, dtype=np.float32)
            if ends.ndim != 3 or (
                (ends.shape[0], ends.shape[2]) != (2, self.latent_dim)
            ):
                raise ValueError(
                    f"Expected `latents` of shape [2, n, {self.latent_dim}], "
                    f"the two ends of n walks. Received: shape={ends.shape}. "
                    "Draw some with `np.stack([a, b])`."
                )
        z = paths[method](ends[0], ends[1], steps)
        images = self.generate(
            latents=z.reshape(-1, self.latent_dim), batch_size=batch_size
        )
        return images.reshape(len(z), steps, *self.image_shape)

    def infer(
        self, network: keras.Model, x: np.ndarray, batch_size: int
    ) -> np.ndarray:
        """Run a network on a NumPy array, batch by batch, without training."""
        if not isinstance(batch_size, (int, np.integer)) or batch_size < 1:
            raise ValueError(
                "Expected `batch_size` as a positive integer. Received: "
                f"batch_size={batch_size!r}. The default is 64."
            )
        run = self.compiled_networks.get(network.name)
        if run is None or run.network is not network:  # or a new one
            run = backend.inference(network)
            # On the function: Keras would save a network kept in the dict.
            run.network = network
            self.compiled_networks[network.name] = run
        parts = [
            run(x[i : i + batch_size]) for i in range(0, len(x), batch_size)
        ]
        return np.concatenate(parts).astype(np.float32)

    # === Saving ===

    def export(self, filepath: Any, *args: Any, **kwargs: Any) -> Any:
        """Export the network that makes images, as `keras.Model.export`.

        The artifact maps latents `[batch, latent_dim]` to images.

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


class AdversarialModel(GenerativeModel):
    """Abstract base of a game between a `generator` and a `discriminator`."""

    @property
    def players(self) -> dict[str, list[keras.Variable]]:
        return {
            "discriminator_optimizer": self.discriminator.trainable_variables,
            "generator_optimizer": self.generator.trainable_variables,
        }

    def compile(
        self,
        generator_optimizer: Any = None,
        discriminator_optimizer: Any = None,
        **options: Any,
    ) -> None:
        """Get ready to train; bare `compile()` takes the paper's optimizers.

        Args:
            generator_optimizer: A `keras.optimizers.Optimizer`, the name of
                one, or None for the paper's.
            discriminator_optimizer: Likewise; not the same object.
            **options: `run_eagerly`, `steps_per_execution`, `jit_compile`, as
                in `GenerativeModel.compile`.
        """
        super().compile(
            generator_optimizer=generator_optimizer,
            discriminator_optimizer=discriminator_optimizer,
            **options,
        )

    def check_has_test_loss(self) -> None:
        raise ValueError(
            "Expected a model with a loss on held-out data. Received: "
            f"{type(self).__name__}, a game of two players, whose losses "
            "measure them against each other. Leave `evaluate` and the "
            "validation data out, and look at samples: "
            "`keras_gans.callbacks.SampleGrid`."
        )

    def keep_ema(self, decay: float | None) -> None:
        """Keep `ema_generator`, an exponential moving average, or none.

        Call it in `__init__`, once the generator is built.

        Args:
            decay: Share of the average that a step keeps, in [0, 1); None
                keeps no average.
        """
        if decay is None:
            return
        if not isinstance(decay, (int, float)) or not 0.0 <= decay < 1.0:
            raise ValueError(
                "Expected `ema_decay` in [0, 1), or None for no average. "
                f"Received: ema_decay={decay!r}. A usual value is 0.999."
            )
        self.ema_generator = keras.models.clone_model(self.generator)
        self.ema_generator.name = "ema_generator"
        self.ema_generator.set_weights(self.generator.get_weights())
        self.ema_generator.trainable = False

    def update_ema(self) -> None:
        """Move the average one step: theta' <- d theta' + (1 - d) theta.

        All weights, BatchNorm's moving statistics included.
        """
        if self.ema_generator is None:
            return
        for average, weight in zip(
            self.ema_generator.weights, self.generator.weights, strict=True
        ):
            step = (1.0 - self.ema_decay) * (weight - average)
            average.assign(average + step)


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
