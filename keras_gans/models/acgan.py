"""Conditional Image Synthesis with Auxiliary Classifier GANs.

Augustus Odena, Christopher Olah, Jonathon Shlens, 2017. arXiv:1610.09585.

The authors published no code. `network="cifar"` is clvrai/ACGAN-PyTorch
(`network.py`, `main.py`), of 1,593,888 and 1,663,867 trainable parameters,
`network="mnist"` lukedeo/keras-acgan (`mnist_acgan.py`), of 8,172,521 and
525,835. Initialisers, optimizers and the order of a step are theirs.
`network="toy"` has perceptrons, for points in the plane.

Deviations:
- The discriminators return logits; sigmoid and softmax are in the losses.
- The class loss is -log P(C = c), as in the paper. "cifar": the code minimises
  -P(C = c), as its `NLLLoss` is given probabilities, not their logarithms.
- "cifar": the code draws 110 numbers and puts the class over the first ten;
  here z is the other 100. Adam's epsilon is PyTorch's 1e-8 at the first step
  and, in Keras's form, up to 32 times smaller later. BatchNorm's moving
  variance averages biased variances.
- "mnist": the code's discriminator minimises half of what it does here, with
  half of Adam's epsilon, which makes the same steps. The code has the images in
  the same order each epoch, and leaves out what does not fill a batch.
- At other sizes than 32 "cifar" has fewer or more stages in the generator; the
  base of "mnist" is a quarter of the image, 7x7 in the code.
"""

from typing import Any

import keras
from keras import ops

from keras_gans.arguments import check_counts, check_image_shape
from keras_gans.backend import minimize, portable, vjp
from keras_gans.losses import (
    class_loss,
    discriminator_loss,
    non_saturating_generator_loss,
)
from keras_gans.models.acgan_networks import NETWORKS
from keras_gans.models.adversarial import AdversarialModel
from keras_gans.optimizers import torch_adam
from keras_gans.registry import register, unknown


@register("acgan")
class ACGAN(AdversarialModel):
    """Auxiliary classifier GAN (Odena et al. 2017).

    G is told the class of an image, D is not, and guesses it: D maximises
    L_S + L_C, G maximises L_C - L_S, of L_S = E[log P(S = real | x)] +
    E[log P(S = fake | G(c, z))], eq. 2, and L_C = E[log P(C = c | x)] +
    E[log P(C = c | G(c, z))], eq. 3.

    Args:
        image_shape: `(height, width, channels)`; for "mnist" sides divisible by
            4, for "cifar" square with a side that is a power of two from 16;
            for "toy" (1, 1, 2) for points in the plane.
        num_classes: Of labels. Of CIFAR-10 and digits: 10.
        network: "mnist", "cifar" (at 32x32), or "toy" (perceptrons as of
            WGAN-GP's `gan_toy.py`). Defaults to "mnist" at 28x28, to "cifar"
            elsewhere.
        latent_dim: Length of z ~ N(0, 1), for "mnist" uniform on [-1, 1]. The
            originals': 100.
        generator_width: Filters next to the image. Defaults to the network's:
            128 of "mnist", 48 of "cifar"; units of a layer of "toy", 128.
        discriminator_width: Likewise: 32, 16 and 128.
        augment: What the discriminator's images go through, as in
            `keras_gans.augment.DiffAugment`; None, as the originals: nothing.
        ema_decay: Keep `ema_generator`, a moving average of the generator with
            this decay, and sample from it. None, as the originals: no average.

    Raises:
        ValueError: If an argument is out of its range, or the network cannot
            make that shape.

    `discriminator` gives logits `[batch, 1]` and `[batch, num_classes]`. `fit`
    takes float32 `[n, height, width, channels]` in [-1, 1] and labels `[n]`,
    integers from 0, and shows `d_loss`, -L_S (2 log 2 = 1.39 at chance),
    `g_loss` (log 2 = 0.69 at chance), `class_loss`, D's -L_C, and the share of
    real and of generated images whose class D guesses, `real_accuracy` and
    `fake_accuracy`.

    Example:

    ```python
    gan = keras_gans.ACGAN((28, 28, 1), generator_width=32)
    images, labels = keras_gans.datasets.mnist_5k()
    gan.fit(images, labels, batch_size=100, epochs=50)
    sevens = gan.generate(64, seed=0, labels=7)
    ```
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (32, 32, 3),
        num_classes: int = 10,
        network: str | None = None,
        latent_dim: int = 100,
        generator_width: int | None = None,
        discriminator_width: int | None = None,
        augment: str | None = None,
        ema_decay: float | None = None,
        name: str = "acgan",
    ):
        image_shape = check_image_shape(image_shape)
        if network is None:
            network = "mnist" if image_shape[0] == 28 else "cifar"
        if network not in [*NETWORKS]:
            raise ValueError(unknown("network", network, [*NETWORKS]))
        check_counts(num_classes=num_classes)
        check_counts(
            optional=True,
            generator_width=generator_width,
            discriminator_width=discriminator_width,
        )
        kind = NETWORKS[network]
        super().__init__(
            image_shape,
            latent_dim,
            prior=kind.prior,
            metrics=(
                "d_loss",
                "g_loss",
                "class_loss",
                "real_accuracy",
                "fake_accuracy",
            ),
            name=name,
            num_classes=num_classes,
        )
        self.network = network
        self.generator_width = generator_width or kind.widths[0]
        self.discriminator_width = discriminator_width or kind.widths[1]
        self.ema_decay = ema_decay
        self.generator = kind.build_generator(
            image_shape=self.image_shape,
            num_classes=num_classes,
            latent_dim=self.latent_dim,
            width=self.generator_width,
        )
        self.discriminator = kind.build_discriminator(
            image_shape=self.image_shape,
            num_classes=num_classes,
            width=self.discriminator_width,
        )
        self.keep_ema(ema_decay)
        self.use_augment(augment)

    def default_optimizers(self) -> dict[str, keras.optimizers.Optimizer]:
        if self.network == "cifar":
            return {
                "discriminator_optimizer": torch_adam(2e-4),
                "generator_optimizer": torch_adam(2e-4),
            }
        if self.network == "toy":  # as GAN's
            return {
                "discriminator_optimizer": keras.optimizers.Adam(1e-3, 0.5),
                "generator_optimizer": keras.optimizers.Adam(1e-3, 0.5),
            }
        # Keras 1's, of the same form. D's is of a loss twice the code's.
        return {
            "discriminator_optimizer": keras.optimizers.Adam(
                2e-4, beta_1=0.5, epsilon=2e-8
            ),
            "generator_optimizer": keras.optimizers.Adam(
                2e-4, beta_1=0.5, epsilon=1e-8
            ),
        }

    # === Training ===

    @portable
    def train_step(self, data: Any) -> dict[str, Any]:
        real, labels, _ = keras.utils.unpack_x_y_sample_weight(data)
        labels = ops.cast(labels, "int32")
        self.count_classes(labels)
        batch_size = ops.shape(real)[0]
        generated, inputs = self.draw(batch_size)
        fake, asked = generated[0], inputs[1]

        # Update D: maximise L_S + L_C. Real and generated images go through
        # apart, each with its own BatchNorm statistics.
        def d_loss_fn():
            real_logits, real_classes = self.judge(real)
            fake_logits, fake_classes = self.judge(fake)
            d_loss = discriminator_loss(real_logits, fake_logits)
            c_loss = class_loss(labels, real_classes)
            c_loss += class_loss(asked, fake_classes)
            return d_loss + c_loss, {
                "d_loss": d_loss,
                "class_loss": c_loss,
                "real_accuracy": accuracy(labels, real_classes),
                "fake_accuracy": accuracy(asked, fake_classes),
            }

        _, values = minimize(
            d_loss_fn,
            self.discriminator_optimizer,
            self.discriminator.trainable_variables,
        )

        # Update G: maximise L_C - L_S, as log P(S = real | G(c, z)).
        batches = NETWORKS[self.network].generator_batches
        if batches:
            generated, inputs = self.draw(batches * batch_size)
        wanted = inputs[1]

        def g_loss_fn(fake):
            fake_logits, fake_classes = self.judge(fake)
            g_loss = non_saturating_generator_loss(fake_logits)
            return g_loss + class_loss(wanted, fake_classes), g_loss

        _, g_loss = minimize(
            g_loss_fn,
            self.generator_optimizer,
            self.generator.trainable_variables,
            through=generated,
        )
        self.update_ema(lambda average: average(inputs, training=True))
        return self.report(batch_size, g_loss=g_loss, **values)

    def draw(self, n: Any) -> tuple[tuple, list[Any]]:
        """n generated images with the way back to G, and what they are of.

        Noise, and classes of which each is as likely.
        """
        z = self.sample_latents(n)
        classes = keras.random.randint(
            (n,), 0, self.num_classes, seed=self.seed_generator
        )
        generated = vjp(
            lambda: self.generator([z, classes], training=True),
            self.generator.trainable_variables,
        )
        return generated, [z, classes]

    def get_config(self) -> dict:
        return self.base_config() | {
            "image_shape": self.image_shape,
            "num_classes": self.num_classes,
            "network": self.network,
            "latent_dim": self.latent_dim,
            "generator_width": self.generator_width,
            "discriminator_width": self.discriminator_width,
            "augment": self.augment,
            "ema_decay": self.ema_decay,
        }


def accuracy(labels: Any, class_logits: Any) -> Any:
    """The share of rows whose largest logit is their class's."""
    right = ops.argmax(class_logits, axis=-1) == labels
    return ops.mean(ops.cast(right, keras.config.floatx()))
