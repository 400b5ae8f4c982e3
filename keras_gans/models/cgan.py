"""Conditional Generative Adversarial Nets.

Mehdi Mirza, Simon Osindero, 2014. arXiv:1411.1784.

`network="paper"` is the paper's for MNIST, of 2,413,984 and 1,224,351 trainable
parameters. Its code was not published. What its text leaves open is as in that
of the GAN that it extends (goodfeli/adversarial, `mnist.yaml`): initial
weights, both players stepping at once, dropout of a fifth of the pixels, and in
the discriminator while it judges for the generator, a momentum that grows for
250 epochs of 500 steps.
`network="convolutional"` is DCGAN's first author's (Newmu/dcgan_code,
`mnist/train_cond_dcgan.py`), with the class at every layer: 6,820,538 and
6,688,202.
`network="toy"` has perceptrons, for points in the plane.

Deviations:
- Images are in [-1, 1] outside; the networks work in [0, 1], as published, and
  map at their border.
- The discriminators return logits; the sigmoid is in the loss.
- "paper": z is uniform on [-sqrt 3, sqrt 3], as in the GAN's code; the text has
  "the unit hypercube", in which it was lost beside the dropout. The class's
  weights in the discriminator start ten times as large as the GAN's others.
- "paper": `fit` shows the sum of the discriminator's two terms, 2 log 2 at
  chance. The GAN's authors minimise half of it, and so does the step.
- "convolutional": the generator samples with BatchNorm's moving statistics, so
  that an image does not depend on those drawn with it; the code's has a
  batch's, then, too.
- Its Adam's epsilon is the code's 1e-8 at the first step and, in Keras's form,
  up to 32 times smaller later, where only gradients below 1e-7 can tell; the
  code's beta_1 also falls by a hundred-millionth of itself a step.
- Its learning rate falls after every 200th of `decay_steps`; in the code, after
  every epoch of 391 minibatches, of which each player has every other one.
- Its base is a quarter of the image, 7x7 in the code.
"""

from typing import Any

import keras
from keras import ops

from keras_gans.arguments import check_counts, check_image_shape
from keras_gans.backend import minimize, minimize_jointly, portable
from keras_gans.batching import rows_in_turn
from keras_gans.losses import discriminator_loss, non_saturating_generator_loss
from keras_gans.models.adversarial import AdversarialModel
from keras_gans.models.cgan_networks import NETWORKS
from keras_gans.optimizers import (
    GeometricDecay,
    LinearDecay,
    MomentumSGD,
    torch_adam,
)
from keras_gans.registry import register, unknown


@register("cgan")
class CGAN(AdversarialModel):
    """Conditional GAN (Mirza and Osindero 2014).

    min_G max_D E[log D(x|y)] + E[log(1 - D(G(z|y)|y))], eq. 2: both players are
    told the class y.

    Args:
        image_shape: `(height, width, channels)`; for "convolutional" sides
            divisible by 4, for "toy" (1, 1, 2) for points in the plane. The
            originals': (28, 28, 1).
        num_classes: Of labels. Of digits: 10.
        network: "paper", of dense layers and maxout; "convolutional"; or "toy",
            perceptrons as of WGAN-GP's `gan_toy.py`.
        latent_dim: Length of z, uniform on [-sqrt 3, sqrt 3], on [-1, 1] for
            "convolutional", N(0, 1) for "toy". The originals': 100.
        width: Units of G's joint layer, the paper's 1200, the others in
            proportion; filters next to the image, the code's 64; or units of a
            layer of "toy", 128.
        generator_dropout: Of "paper": share of G's hidden units set to zero in
            training. The paper's, and default: 0.5. It is a noise that drowns
            z; with less, samples of a class differ more.
        decay_steps: Of "convolutional": in their second half the learning rate
            falls to zero; 0 for never. The code's, and default: 39,100, which
            are 200 epochs.
        augment: What the discriminator's images go through, as in
            `keras_gans.augment.DiffAugment`; None, as the originals: nothing.
        ema_decay: Keep `ema_generator`, a moving average of the generator with
            this decay, and sample from it. None, as the originals: no average.

    Raises:
        ValueError: If an argument is out of its range, or the network cannot
            make that shape.

    `fit` takes float32 `[n, height, width, channels]` in [-1, 1] and labels
    `[n]`, integers from 0, and shows `d_loss` (2 log 2 = 1.39 at chance) and
    `g_loss` (log 2 = 0.69 at chance). A step of "convolutional" takes two
    batches, one for each player.

    Example:

    ```python
    gan = keras_gans.CGAN(network="convolutional")
    images, labels = keras_gans.datasets.mnist_5k()
    gan.fit(images, labels, batch_size=128, epochs=50)
    sevens = gan.generate(64, seed=0, labels=7)
    ```
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (28, 28, 1),
        num_classes: int = 10,
        network: str = "paper",
        latent_dim: int = 100,
        width: int | None = None,
        generator_dropout: float | None = None,
        decay_steps: int | None = None,
        augment: str | None = None,
        ema_decay: float | None = None,
        name: str = "cgan",
    ):
        image_shape = check_image_shape(image_shape)
        if network not in [*NETWORKS]:
            raise ValueError(unknown("network", network, [*NETWORKS]))
        for argument, value, of in (
            ("generator_dropout", generator_dropout, "paper"),
            ("decay_steps", decay_steps, "convolutional"),
        ):
            if value is not None and network != of:
                raise ValueError(
                    f"Expected `{argument}` for network={of!r} alone. Received:"
                    f" {argument}={value}, network={network!r}. Leave it out."
                )
        rate = 0.5 if generator_dropout is None else generator_dropout
        if not isinstance(rate, (int, float)) or not 0.0 <= rate < 1.0:
            raise ValueError(
                "Expected `generator_dropout` in [0, 1). Received: "
                f"generator_dropout={rate!r}. Leave it out for the paper's."
            )
        check_counts(num_classes=num_classes)
        check_counts(optional=True, width=width)
        check_counts(0, optional=True, decay_steps=decay_steps)
        kind = NETWORKS[network]
        super().__init__(
            image_shape,
            latent_dim,
            prior=kind.prior,
            metrics=("d_loss", "g_loss"),
            name=name,
            num_classes=num_classes,
        )
        self.network = network
        self.width = kind.width if width is None else width
        self.generator_dropout = generator_dropout
        self.decay_steps = decay_steps
        self.ema_decay = ema_decay
        self.batches_a_step = 2 if network == "convolutional" else 1
        options = {"dropout": rate} if network == "paper" else {}
        self.generator = kind.build_generator(
            image_shape=self.image_shape,
            num_classes=num_classes,
            latent_dim=self.latent_dim,
            width=self.width,
            **options,
        )
        self.discriminator = kind.build_discriminator(
            image_shape=self.image_shape,
            num_classes=num_classes,
            width=self.width,
        )
        self.keep_ema(ema_decay)
        self.use_augment(augment)

    def default_optimizers(self) -> dict[str, keras.optimizers.Optimizer]:
        def optimizer():
            if self.network == "paper":
                return MomentumSGD(
                    GeometricDecay(0.1, factor=1.00004, minimum=1e-6),
                    momentum=0.5,
                    final_momentum=0.7,
                    saturate=250,
                    steps_per_epoch=500,
                )
            if self.network == "toy":  # as GAN's
                return keras.optimizers.Adam(1e-3, 0.5, epsilon=1e-8)
            steps = 39_100 if self.decay_steps is None else self.decay_steps
            if steps == 0:
                return torch_adam(2e-4)
            # 101 of 200 epochs at the whole rate.
            return torch_adam(LinearDecay(2e-4, 102, 99, max(1, steps // 200)))

        return {
            "discriminator_optimizer": optimizer(),
            "generator_optimizer": optimizer(),
        }

    # === Training ===

    @portable
    def train_step(self, data: Any) -> dict[str, Any]:
        images, labels, _ = keras.utils.unpack_x_y_sample_weight(data)
        labels = ops.cast(labels, "int32")
        self.count_classes(labels)
        in_turn = self.network == "convolutional"
        step = self.step_in_turn if in_turn else self.step_together
        d_loss, g_loss = step(images, labels)
        return self.report(ops.shape(images)[0], d_loss=d_loss, g_loss=g_loss)

    def step_together(self, real: Any, labels: Any) -> tuple[Any, Any]:
        """Both gradients of eq. 2 from one pass, then both players move."""
        z = self.sample_latents(ops.shape(real)[0])

        def losses_fn():
            fake = self.generator([z, labels], training=True)
            real_logits = self.judge(real, labels)
            fake_logits = self.judge(fake, labels)
            d_loss = 0.5 * discriminator_loss(real_logits, fake_logits)
            g_loss = non_saturating_generator_loss(fake_logits)
            return (d_loss, g_loss), None

        (d_loss, g_loss), _ = minimize_jointly(
            losses_fn,
            (
                self.discriminator_optimizer,
                self.discriminator.trainable_variables,
            ),
            (self.generator_optimizer, self.generator.trainable_variables),
        )
        self.update_ema()
        return 2.0 * d_loss, g_loss

    def step_in_turn(self, images: Any, labels: Any) -> tuple[Any, Any]:
        """`train_cond_dcgan.py`: G has a minibatch's labels, D all the next."""
        (_, asked), (real, given) = rows_in_turn(2, images, labels)

        # Update G: maximise log D(G(z|y)|y).
        z = self.sample_latents(ops.shape(asked)[0])

        def g_loss_fn():
            fake = self.generator([z, asked], training=True)
            g_loss = non_saturating_generator_loss(self.judge(fake, asked))
            return g_loss + penalty(self.generator), g_loss

        _, g_loss = minimize(
            g_loss_fn,
            self.generator_optimizer,
            self.generator.trainable_variables,
        )
        self.update_ema(lambda average: average([z, asked], training=True))

        # Update D: maximise log D(x|y) + log(1 - D(G(z|y)|y)). Real and
        # generated images go through apart, as each has its own statistics.
        noise = self.sample_latents(ops.shape(given)[0])
        fake = self.generator([noise, given], training=True)

        def d_loss_fn():
            real_logits = self.judge(real, given)
            fake_logits = self.judge(fake, given)
            d_loss = discriminator_loss(real_logits, fake_logits)
            return d_loss + penalty(self.discriminator), d_loss

        _, d_loss = minimize(
            d_loss_fn,
            self.discriminator_optimizer,
            self.discriminator.trainable_variables,
        )
        return d_loss, g_loss

    def get_config(self) -> dict:
        return self.base_config() | {
            "image_shape": self.image_shape,
            "num_classes": self.num_classes,
            "network": self.network,
            "latent_dim": self.latent_dim,
            "width": self.width,
            "generator_dropout": self.generator_dropout,
            "decay_steps": self.decay_steps,
            "augment": self.augment,
            "ema_decay": self.ema_decay,
        }


def penalty(network: keras.Model, decay: float = 2.5e-5) -> Any:
    """Half of `decay` ||w||^2, whose gradient is `decay` w: weight decay."""
    squares = [ops.sum(ops.square(w)) for w in network.trainable_variables]
    return 0.5 * decay * sum(squares)
