"""Games of generators and discriminators: `AdversarialModel`, abstract."""

from collections.abc import Callable
from typing import Any

import keras

from keras_gans.augment import augmentation
from keras_gans.layers import bare
from keras_gans.models.latent import LatentModel


class AdversarialModel(LatentModel):
    """Abstract base of a game between a `generator` and a `discriminator`.

    Of more players where a model says so in `players`: LAPGAN has two a level.
    """

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
                in `GenerativeModel.compile`; the optimizers of a game of more
                players, by their names in `players`.
        """
        given = {
            "generator_optimizer": generator_optimizer,
            "discriminator_optimizer": discriminator_optimizer,
        }
        given = {k: v for k, v in given.items() if v is not None}
        super().compile(**given, **options)

    def check_has_test_loss(self) -> None:
        raise ValueError(
            "Expected a model with a loss on held-out data. Received: "
            f"{type(self).__name__}, a game of two players, whose losses "
            "measure them against each other. Leave `evaluate` and the "
            "validation data out, and look at samples: "
            "`keras_gans.callbacks.SampleGrid`."
        )

    def use_augment(self, policy: str | None) -> None:
        """Show the discriminator images changed at random, or as they are.

        Call it in `__init__`; then `augmented` is T of DiffAugment.

        Args:
            policy: As in `keras_gans.augment.DiffAugment`; None for no change.
        """
        self.augment = policy
        self.augmented = augmentation(policy)

    def judge(self, images: Any, *given: Any) -> Any:
        """D(T(x)) in training: the logits of images, real or generated.

        Where D is told more of them, the class say, it is `given`.
        """
        inputs = bare(self.augmented(images), *given)
        return self.discriminator(inputs, training=True)

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
        for norm in batch_norms_of(self.ema_generator):
            norm.trainable = True  # or it would not look at a batch
            for variable in norm.trainable_variables:
                variable.trainable = False  # by no optimizer, that is

    def update_ema(self, run: Callable | None = None) -> None:
        """Move the average one step: theta' <- d theta' + (1 - d) theta.

        BatchNorm's moving statistics are not averaged. Those of many networks
        are not those of the average of them: sampled with their mean, one that
        draws digits drew nothing. They follow the batches of the average
        itself, as any network's do.

        Args:
            run: Runs the average, or its part that has BatchNorm, on a batch:
                `lambda average: average(z, training=True)`. None where it has
                none.
        """
        average = self.ema_generator
        if average is None:
            return
        moving = {
            id(variable)
            for norm in batch_norms_of(average)
            for variable in (norm.moving_mean, norm.moving_variance)
        }
        for mean, weight in zip(
            average.weights, self.generator.weights, strict=True
        ):
            if id(mean) not in moving:
                step = (1.0 - self.ema_decay) * (weight - mean)
                mean.assign(mean + step)
        if run is not None:
            run(average)


def batch_norms_of(network: keras.Model) -> list[keras.layers.Layer]:
    """Its BatchNorm layers, those of the networks within it, too."""
    return [
        layer
        for layer in network._flatten_layers()
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
