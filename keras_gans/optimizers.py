"""Optimizers: a group of them as one, and the schedules of the originals."""

import math
from typing import Any

import keras
from keras import ops

from keras_gans.registry import serializable


class OptimizerGroup(keras.optimizers.Optimizer):
    """The optimizers of a game's players, as the one that Keras asks for.

    Keras keeps `model.optimizer` for its callbacks and, on JAX, for the state
    of a step; a game has an optimizer a player. The group lends its members'
    variables and takes no step of its own. It saves nothing: the members are
    attributes of the model, and are saved there.

    `learning_rate` reads the first member's. Setting it moves all members and
    keeps the ratios that they had when the group was made, so
    `LearningRateScheduler` and `ReduceLROnPlateau` work unchanged; a member
    with a schedule refuses, as Keras's optimizers do.

    Args:
        members: Dict from name to a built `keras.optimizers.Optimizer`.
    """

    def __init__(self, members: dict[str, keras.optimizers.Optimizer]):
        super().__init__(learning_rate=0.0)
        self.members = dict(members)
        self.built = True
        self.rates = [
            None if callable(rate) else float(keras.ops.convert_to_numpy(rate))
            for rate in map(_rate, members.values())
        ]

    @property
    def variables(self) -> list[keras.Variable]:
        return [v for m in self.members.values() for v in m.variables]

    @property
    def iterations(self) -> keras.Variable:
        return next(iter(self.members.values())).iterations

    @property
    def learning_rate(self) -> Any:
        return next(iter(self.members.values())).learning_rate

    @learning_rate.setter
    def learning_rate(self, rate: float) -> None:
        first = self.rates[0]
        for member, own in zip(self.members.values(), self.rates, strict=True):
            keeps_ratio = own is not None and first
            member.learning_rate = rate * (own / first) if keeps_ratio else rate

    def finalize_variable_values(self, var_list: list) -> None:
        # `fit` ends with this; it would let a member's own EMA overwrite the
        # weights, which ruins a resume. `ema_generator` is the model's EMA.
        pass

    def save_own_variables(self, store: Any) -> None:
        pass

    def load_own_variables(self, store: Any) -> None:
        pass

    def get_config(self) -> dict:
        raise NotImplementedError(
            "Expected a model to be saved, with its optimizers. Received: an "
            "OptimizerGroup alone. Call `model.save`."
        )


def _rate(optimizer: keras.optimizers.Optimizer) -> Any:
    """The learning rate as given: a variable, or a schedule (callable)."""
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    return inner._learning_rate


@serializable
class GeometricDecay(keras.optimizers.schedules.LearningRateSchedule):
    """Divide the learning rate by `factor` after every step, down to a floor.

    eta_t = max(eta_0 / factor^t, minimum): pylearn2's `ExponentialDecay`, with
    which the original GAN was trained.

    Args:
        initial: eta_0, the rate of the first step.
        factor: The divisor a step. The GAN's is 1.000004.
        minimum: The floor. The GAN's is 1e-6.

    Example:

    ```python
    rate = GeometricDecay(0.1, factor=1.000004)
    float(rate(250_000))  # 0.0368
    ```
    """

    def __init__(
        self,
        initial: float = 0.1,
        factor: float = 1.000004,
        minimum: float = 1e-6,
    ):
        super().__init__()
        self.initial = initial
        self.factor = factor
        self.minimum = minimum

    def __call__(self, step: Any) -> Any:
        step = ops.cast(step, keras.config.floatx())
        # exp(-t log f): in float32, 1.000004 to the power t is 5 % off after
        # a million steps, as the base is rounded first.
        decayed = self.initial * ops.exp(-math.log(self.factor) * step)
        return ops.maximum(decayed, self.minimum)

    def get_config(self) -> dict:
        return {
            "initial": self.initial,
            "factor": self.factor,
            "minimum": self.minimum,
        }


@serializable
class LinearDecay(keras.optimizers.schedules.LearningRateSchedule):
    """Full for some epochs, then falling to zero in a straight line.

    eta_e = eta (1 - max(0, e + 1 - n) / (m + 1)) in epoch e, counted from 1:
    `lambda_rule` of the CycleGAN authors' code (`models/networks.py`), which
    lets n - 1 epochs have the whole rate, and the last none.

    Args:
        initial: eta. CycleGAN's is 2e-4.
        epochs: n. CycleGAN's are 100.
        decay_epochs: m. CycleGAN's are 100.
        steps_per_epoch: Steps after which an epoch is counted.

    Example:

    ```python
    rate = LinearDecay(2e-4, 100, 100, steps_per_epoch=1334)
    float(rate(149 * 1334))  # 9.9e-5, of epoch 150
    ```
    """

    def __init__(
        self,
        initial: float = 2e-4,
        epochs: int = 100,
        decay_epochs: int = 100,
        steps_per_epoch: int = 1334,
    ):
        super().__init__()
        self.initial = initial
        self.epochs = epochs
        self.decay_epochs = decay_epochs
        self.steps_per_epoch = steps_per_epoch

    def __call__(self, step: Any) -> Any:
        epoch = ops.floor_divide(ops.cast(step, "int32"), self.steps_per_epoch)
        late = ops.maximum(epoch + 2 - self.epochs, 0)  # `epoch` from 0
        late = ops.cast(late, keras.config.floatx())
        # Not below zero: a run may go on.
        factor = ops.maximum(1.0 - late / (self.decay_epochs + 1), 0.0)
        return self.initial * factor

    def get_config(self) -> dict:
        return {
            "initial": self.initial,
            "epochs": self.epochs,
            "decay_epochs": self.decay_epochs,
            "steps_per_epoch": self.steps_per_epoch,
        }


@serializable
class MomentumSGD(keras.optimizers.SGD):
    """SGD whose momentum grows linearly from epoch to epoch.

    v <- mu_e v - eta g, theta <- theta + v, with mu_e going from `momentum` in
    the first epoch to `final_momentum` in epoch `saturate` (counted from 1):
    pylearn2's `Momentum` with its `MomentumAdjustor`. Keras traces
    `SGD.momentum` as a constant, so a callback cannot do this; here it is
    computed from the number of steps taken. Torch 7's `optim.sgd` dampens: v <-
    mu_e v - (1 - mu_e) eta g, but for the first step with momentum, and those
    before it, where v <- -eta g.

    Args:
        learning_rate: eta, a float or a schedule.
        momentum: mu of the first epoch.
        final_momentum: mu from epoch `saturate` on.
        saturate: The epoch, counted from 1, that reaches `final_momentum`.
        steps_per_epoch: Steps after which an epoch is counted. 500 for the
            GAN's 50,000 digits in batches of 100.
        dampened: Whether gradients are multiplied by 1 - mu_e, as in Torch 7.
        **kwargs: As in `keras.optimizers.SGD`.
    """

    def __init__(
        self,
        learning_rate: Any = 0.1,
        momentum: float = 0.5,
        final_momentum: float = 0.7,
        saturate: int = 250,
        steps_per_epoch: int = 500,
        dampened: bool = False,
        **kwargs: Any,
    ):
        super().__init__(learning_rate, momentum=momentum, **kwargs)
        self.dampened = dampened
        self.final_momentum = final_momentum
        self.saturate = saturate
        self.steps_per_epoch = steps_per_epoch

    def build(self, variables: list[keras.Variable]) -> None:
        if self.built:
            return
        super().build(variables)
        if not self.momentums:  # Keras: none for a momentum that starts at 0
            self.momentums = self.add_optimizer_variables(variables, "momentum")

    def current_momentum(self, step: Any = None) -> Any:
        """mu of a step, of the one about to be taken, a scalar tensor."""
        step = self.iterations if step is None else step
        epoch = ops.floor_divide(step, self.steps_per_epoch)
        progress = ops.cast(epoch, keras.config.floatx()) / max(
            self.saturate - 1, 1
        )
        progress = ops.minimum(progress, 1.0)
        return self.momentum + progress * (self.final_momentum - self.momentum)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any):
        velocity = self.momentums[self._get_variable_index(variable)]
        mu = ops.cast(self.current_momentum(), variable.dtype)
        eta = ops.cast(learning_rate, variable.dtype)
        gradient = ops.cast(gradient, variable.dtype)
        if self.dampened:
            # Torch 7 keeps no velocity of steps without momentum.
            before = self.current_momentum(self.iterations - 1)
            first = (self.iterations == 0) | (before == 0)
            mu = ops.where(first, ops.zeros_like(mu), mu)
            gradient = (1.0 - mu) * gradient
        self.assign(velocity, mu * velocity - eta * gradient)
        self.assign_add(variable, velocity)

    def get_config(self) -> dict:
        return super().get_config() | {
            "final_momentum": self.final_momentum,
            "saturate": self.saturate,
            "steps_per_epoch": self.steps_per_epoch,
            "dampened": self.dampened,
        }


def torch_adam(learning_rate: Any = 2e-4) -> keras.optimizers.Adam:
    """A new Adam as PyTorch's, with the betas of DCGAN: 0.5 and 0.999.

    PyTorch's epsilon, 1e-8, is inside the bias correction, Keras's is outside:
    it acts as 1e-8 * sqrt(1 - beta_2^t) would here. The first step, where the
    two forms differ most, is PyTorch's.

    Args:
        learning_rate: A float or a schedule.
    """
    return keras.optimizers.Adam(
        learning_rate, beta_1=0.5, beta_2=0.999, epsilon=1e-8 * 0.001**0.5
    )
