"""Wasserstein GAN.

Martin Arjovsky, Soumith Chintala, Leon Bottou, 2017. arXiv:1701.07875.

Networks, initialisers, optimizers and the order of a step are those of the
authors' code (martinarjovsky/WassersteinGAN, `main.py`): DCGAN's networks, of
3,576,704 and 2,765,568 trainable parameters at 64x64x3, or perceptrons, of
813,504 and 794,881.

Deviations:
- The critic maximises E[f(x)] - E[f(G(z))], as in the paper; in the code it
  minimises that, which is the same game with -f for f.
- Weights are clipped before a critic step, as in the code; Algorithm 1 clips
  after it (line 7). All that differs is that the generator's step sees the last
  critic as it was before it is clipped.
- `warmup`: the code's generator waits for 100 critic steps at times. Here its
  learning rate is zero then, and RMSProp's mean square goes on from gradients
  that the code does not take.
- Where an epoch's end leaves less than n_critic batches, the critic steps share
  it evenly, with fakes as many as real images, and G's batch as large as the
  largest. The code ends the critic's turn there, and always draws whole batches
  of noise.
- `ema_decay`: steps in which the generator waits count, too.
- RMSProp's epsilon is inside of Keras's root, and outside of PyTorch's: only
  gradients below 1e-7 can tell.
- Sizes other than 64, as in dcgan.py.
- The perceptron's images, which no non-linearity bounds, are clipped to [-1, 1]
  when they are sampled.
"""

import math
from typing import Any

import keras
from keras import layers, ops

from keras_gans.arguments import check_counts, check_positive
from keras_gans.backend import minimize, portable
from keras_gans.batching import rows_in_turn
from keras_gans.layers import full, torch_uniform
from keras_gans.losses import wasserstein_estimate
from keras_gans.models import dcgan
from keras_gans.models.adversarial import AdversarialModel
from keras_gans.registry import register, serializable, unknown


@serializable
class ClipSamples(layers.Layer):
    """Images to [-1, 1], but in training, where a gradient must come back."""

    def call(self, x: Any, training: bool = False) -> Any:
        return x if training else ops.clip(x, -1.0, 1.0)


def dense(x: Any, units: int) -> Any:
    fan_in = x.shape[-1]
    return layers.Dense(
        units,
        kernel_initializer=torch_uniform(fan_in),
        bias_initializer=torch_uniform(fan_in),
    )(x)


def build_mlp_generator(
    image_shape: tuple[int, int, int], latent_dim: int, width: int
) -> keras.Model:
    """z [batch, latent_dim] -> image [batch, h, w, c]: `models/mlp.py`."""
    z = x = keras.Input((latent_dim,), name="latents")
    for _ in range(3):
        x = layers.ReLU()(dense(x, width))
    x = dense(x, math.prod(image_shape))
    dtype = keras.config.floatx()  # of images, whatever the policy
    x = layers.Reshape(image_shape, dtype=dtype)(x)
    image = ClipSamples(dtype=dtype)(x)
    return keras.Model(z, image, name="generator")


def build_mlp_discriminator(
    image_shape: tuple[int, int, int], width: int
) -> keras.Model:
    """Image [batch, h, w, c] -> score [batch, 1]: `models/mlp.py`."""
    image = keras.Input(image_shape, name="images")
    x = layers.Flatten()(image)
    for _ in range(3):
        x = layers.ReLU()(dense(x, width))
    return keras.Model(image, full(dense(x, 1)), name="discriminator")


NETWORKS = {
    "dcgan": (dcgan.build_generator, dcgan.build_discriminator),
    "mlp": (build_mlp_generator, build_mlp_discriminator),
}


@serializable
class WarmUp(keras.optimizers.schedules.LearningRateSchedule):
    """The generator's rate while the critic catches up: zero, but at times.

    The authors' `Diters`: 100 critic steps before each of the generator's
    first 25, and before every 500th.

    Args:
        rate: Learning rate of the steps that are taken. The code's: 5e-5.
        n_critic: Critic steps of a training step. The code's: 5.
    """

    def __init__(self, rate: float = 5e-5, n_critic: int = 5):
        super().__init__()
        self.rate = rate
        self.n_critic = n_critic

    def __call__(self, step: Any) -> Any:
        wait = -(-100 // self.n_critic)  # training steps of 100 critic steps
        # The first 25, then steps 25 to 499, then periods of 500 of which the
        # first waits.
        first, period = 25 * wait, 499 + wait
        step = ops.cast(step, "int32")
        late = (step - first - 475) % period
        moves = ops.where(
            step < first, step % wait == wait - 1, late >= wait - 1
        )
        moves = moves | ((step >= first) & (step < first + 475))
        return self.rate * ops.cast(moves, keras.config.floatx())

    def get_config(self) -> dict:
        return {"rate": self.rate, "n_critic": self.n_critic}


@register("wgan")
class WGAN(AdversarialModel):
    """Wasserstein GAN with clipped weights (Arjovsky et al. 2017).

    min_G max_f E[f(x)] - E[f(G(z))], eq. 3, over critics f whose weights lie in
    a small box, so that their slopes are bounded.

    Args:
        image_shape: `(height, width, channels)`; for "dcgan" as in `DCGAN`.
            The code's: (64, 64, 3).
        latent_dim: Length of z ~ N(0, 1). The code's: 100.
        network: "dcgan", or "mlp", three hidden layers each.
        width: Filters next to the image, or units of a hidden layer. The
            code's: 64 (the paper's perceptron: 512).
        n_critic: Critic steps to one of the generator. The paper's: 5.
        clip_value: c, half the side of the box of weights. The paper's: 0.01.
        warmup: Let the generator wait for 100 critic steps before each of its
            first 25 steps and every 500th, as the code does. Of the optimizer
            that bare `compile()` makes.
        augment: What the critic's images go through, as in
            `keras_gans.augment.DiffAugment`; None, as the original: nothing.
        ema_decay: Keep `ema_generator`, a moving average of the generator with
            this decay, and sample from it. None, as the original: no average.

    Raises:
        ValueError: If an argument is out of its range, or the network cannot
            make that shape.

    `discriminator` is the critic: it gives scores, not logits. `fit` takes
    float32 `[n, height, width, channels]` in [-1, 1], n_critic batches a step,
    and shows `wasserstein` (the critic's estimate of the distance, up to its
    Lipschitz constant: it falls as samples get better), `d_loss`, its negative,
    and `g_loss`.

    Example:

    ```python
    gan = keras_gans.WGAN(image_shape=(28, 28, 1))
    gan.fit(keras_gans.datasets.mnist_5k()[0], batch_size=64, epochs=10)
    digits = gan.generate(64, seed=0)
    ```
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (64, 64, 3),
        latent_dim: int = 100,
        network: str = "dcgan",
        width: int = 64,
        n_critic: int = 5,
        clip_value: float = 0.01,
        warmup: bool = False,
        augment: str | None = None,
        ema_decay: float | None = None,
        name: str = "wgan",
    ):
        if network not in [*NETWORKS]:
            raise ValueError(unknown("network", network, [*NETWORKS]))
        check_counts(width=width, n_critic=n_critic)
        check_positive(clip_value=clip_value)
        super().__init__(
            image_shape,
            latent_dim,
            prior="normal",
            metrics=("d_loss", "g_loss", "wasserstein"),
            name=name,
        )
        self.network = network
        self.width = width
        self.n_critic = self.batches_a_step = n_critic
        self.clip_value = clip_value
        self.warmup = warmup
        self.ema_decay = ema_decay
        build_generator, build_discriminator = NETWORKS[network]
        self.generator = build_generator(
            self.image_shape, self.latent_dim, width
        )
        self.discriminator = build_discriminator(self.image_shape, width)
        self.keep_ema(ema_decay)
        self.use_augment(augment)

    def default_optimizers(self) -> dict[str, keras.optimizers.Optimizer]:
        def rmsprop(rate):
            # PyTorch's. Its epsilon is outside of the root, Keras's inside.
            return keras.optimizers.RMSprop(rate, rho=0.99, epsilon=1e-8**2)

        return {
            "discriminator_optimizer": rmsprop(5e-5),
            "generator_optimizer": rmsprop(
                WarmUp(5e-5, self.n_critic) if self.warmup else 5e-5
            ),
        }

    @portable
    def train_step(self, data: Any) -> dict[str, Any]:
        images, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        batch_size = ops.shape(images)[0]
        f, c = self.discriminator, self.clip_value

        for (real,) in rows_in_turn(self.n_critic, images):  # Alg. 1, l. 2
            for w in f.trainable_variables:
                w.assign(ops.clip(w, -c, c))  # l. 7
            z = self.sample_latents(ops.shape(real)[0])  # l. 4
            fake = self.generator(z, training=True)

            # Each batch has BatchNorm statistics of its own.
            def d_loss_fn(real=real, fake=fake):
                return -wasserstein_estimate(self.judge(real), self.judge(fake))

            d_loss, _ = minimize(
                d_loss_fn, self.discriminator_optimizer, f.trainable_variables
            )  # l. 5-6

        m = (batch_size + self.n_critic - 1) // self.n_critic
        z = self.sample_latents(m)  # l. 9

        def g_loss_fn():
            fake = self.generator(z, training=True)
            return -ops.mean(self.judge(fake))

        g_loss, _ = minimize(
            g_loss_fn,
            self.generator_optimizer,
            self.generator.trainable_variables,
        )  # l. 10-11
        self.update_ema(lambda average: average(z, training=True))
        return self.report(
            batch_size, d_loss=d_loss, g_loss=g_loss, wasserstein=-d_loss
        )

    def get_config(self) -> dict:
        return self.base_config() | {
            "image_shape": self.image_shape,
            "latent_dim": self.latent_dim,
            "network": self.network,
            "width": self.width,
            "n_critic": self.n_critic,
            "clip_value": self.clip_value,
            "warmup": self.warmup,
            "augment": self.augment,
            "ema_decay": self.ema_decay,
        }
