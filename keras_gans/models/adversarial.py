"""Games of two players: `AdversarialModel`, abstract."""

from typing import Any

import keras

from keras_gans.models.latent import LatentModel


class AdversarialModel(LatentModel):
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
