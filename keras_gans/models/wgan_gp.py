"""Improved Training of Wasserstein GANs.

Ishaan Gulrajani, Faruk Ahmed, Martin Arjovsky, Vincent Dumoulin, Aaron
Courville, 2017. arXiv:1704.00028.

Networks, initialisers, optimizers and the order of a step are those of the
authors' code (igul222/improved_wgan_training). Trainable parameters of G and
the critic: `gan_mnist.py` 1,554,177 and 1,030,145; `gan_cifar.py` 5,179,907 and
4,114,689; `gan_cifar_resnet.py` 1,204,483 and 1,053,825, with ten classes
1,218,307 and 1,055,115; `gan_64x64.py` 8,540,483 and 7,491,841; `gan_toy.py`
527,874 and 527,361.

Deviations:
- G's BatchNorm samples with moving statistics, so that an image does not depend
  on those drawn with it; the code's has a batch's statistics then, too.
- The critic's layer normalisation is differentiated as its formula says; the
  code's holds the mean fixed within the variance, which the gradient of a
  gradient must not.
- The slope's norm is sqrt(sum + 1e-12), so that it has a derivative everywhere.
- `gan_cifar_resnet.py` adds noise of one grey level to real images, which it
  scales by 256; here they are taken as they come. G's BatchNorm there sees half
  a batch at a time.
- Sizes other than the code's stack fewer or more stages. Classes are the code's
  in "resnet", ours in the other networks.
- What is left of an epoch is dealt out evenly to the critic steps.
"""

from typing import Any

import keras
from keras import ops

from keras_gans.arguments import (
    check_counts,
    check_image_shape,
    check_positive,
    check_weights,
)
from keras_gans.backend import minimize, portable
from keras_gans.batching import rows_in_turn
from keras_gans.layers import bare
from keras_gans.losses import (
    between,
    class_loss,
    gradient_penalty,
    wasserstein_estimate,
)
from keras_gans.models.adversarial import AdversarialModel
from keras_gans.models.wgan_gp_networks import NETWORKS
from keras_gans.optimizers import LinearDecay
from keras_gans.registry import register, unknown


@register("wgan_gp")
class WGANGP(AdversarialModel):
    """Wasserstein GAN with gradient penalty (Gulrajani et al. 2017).

    min_G max_f E[f(x)] - E[f(G(z))] - lambda E[(||grad f(x^)||_2 - 1)^2],
    eq. 3, x^ on straight lines between real and generated images.

    Args:
        image_shape: `(size, size, channels)`, size 28 for "mnist", else a power
            of two from 16; any for "toy", (1, 1, 2) for points in the plane.
        network: "mnist" (at 28x28), "dcgan" and "resnet" (the CIFAR code's, at
            32x32), "good" (at 64x64), "bottleneck" (at 64x64, of 101 layers),
            "toy" (`gan_toy.py`). Defaults to "mnist" at 28x28, to "dcgan"
            elsewhere.
        latent_dim: Length of z ~ N(0, 1). The code's: 128; 2 of "toy".
        width: DIM of the code. Defaults to the network's: 64; 128 in "dcgan"
            and "resnet", 512 in "toy".
        depth: Layers of each "bottleneck" network, 2 more than a multiple of 3.
            The paper's: 101.
        num_classes: Of labels: the generator's BatchNorm is told the class, the
            critic has an auxiliary head that guesses it. None for none.
        n_critic: Critic steps to one of the generator. The paper's: 5.
        gp_weight: lambda. The paper's: 10.
        learning_rate: Of Adam, alpha, for both players. Defaults to the
            network's: 1e-4; 2e-4 of "resnet".
        beta_1: Of Adam, likewise. Algorithm 1's: 0. Defaults to the network's:
            0.5 of "mnist", "dcgan" and "toy", else 0.
        decay_steps: Generator steps over which the learning rate falls to zero;
            0 for none. Defaults to the network's: 100,000 for "resnet".
        augment: What the critic's images go through, as in
            `keras_gans.augment.DiffAugment`; None, as the original: nothing.
        ema_decay: Keep `ema_generator`, a moving average of the generator with
            this decay, and sample from it. None, as the original: no average.

    Raises:
        ValueError: If an argument is out of its range, or the network cannot
            make that shape.

    `discriminator` is the critic: it gives scores, not logits. `fit` takes
    float32 `[n, size, size, channels]` in [-1, 1], with labels where there are
    classes, n_critic batches a step, and shows `wasserstein` (the critic's
    estimate of the distance: it falls as samples get better), `gp` (before
    lambda), `d_loss` and `g_loss`.

    Example:

    ```python
    gan = keras_gans.WGANGP(image_shape=(28, 28, 1))
    gan.fit(keras_gans.datasets.mnist_5k()[0], batch_size=50, epochs=10)
    digits = gan.generate(64, seed=0)
    ```
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (32, 32, 3),
        network: str | None = None,
        latent_dim: int = 128,
        width: int | None = None,
        depth: int | None = None,
        num_classes: int | None = None,
        n_critic: int = 5,
        gp_weight: float = 10.0,
        learning_rate: float | None = None,
        beta_1: float | None = None,
        decay_steps: int | None = None,
        augment: str | None = None,
        ema_decay: float | None = None,
        name: str = "wgan_gp",
    ):
        image_shape = check_image_shape(image_shape)
        if network is None:
            network = "mnist" if image_shape[0] == 28 else "dcgan"
        if network not in [*NETWORKS]:
            raise ValueError(unknown("network", network, [*NETWORKS]))
        if depth is not None and network != "bottleneck":
            raise ValueError(
                "Expected `depth` for network='bottleneck' alone. Received: "
                f"depth={depth}, network={network!r}. Leave it out."
            )
        check_counts(n_critic=n_critic)
        check_counts(optional=True, width=width)
        check_counts(0, optional=True, decay_steps=decay_steps)
        check_positive(gp_weight=gp_weight)
        if learning_rate is not None:
            check_positive(learning_rate=learning_rate)
        if beta_1 is not None:
            check_weights(beta_1=beta_1)
            if beta_1 >= 1.0:
                raise ValueError(
                    "Expected `beta_1` in [0, 1), the share of its average "
                    f"that Adam keeps. Received: beta_1={beta_1}. Algorithm "
                    "1's is 0."
                )
        super().__init__(
            image_shape,
            latent_dim,
            prior="normal",
            metrics=("d_loss", "g_loss", "gp", "wasserstein"),
            name=name,
            num_classes=num_classes,
        )
        kind = NETWORKS[network]
        self.network = network
        self.width = kind.width if width is None else width
        self.depth = depth
        self.n_critic = self.batches_a_step = n_critic
        self.gp_weight = gp_weight
        self.learning_rate = learning_rate
        self.beta_1 = kind.beta_1 if beta_1 is None else beta_1
        self.decay_steps = (
            kind.decay_steps if decay_steps is None else decay_steps
        )
        self.ema_decay = ema_decay
        options = {"num_classes": num_classes}
        if depth is not None:
            options["depth"] = depth
        self.generator = kind.build_generator(
            self.image_shape, self.latent_dim, self.width, **options
        )
        self.discriminator = kind.build_discriminator(
            self.image_shape, self.width, **options
        )
        self.keep_ema(ema_decay)
        self.use_augment(augment)

    def default_optimizers(self) -> dict[str, keras.optimizers.Optimizer]:
        kind = NETWORKS[self.network]

        def adam(first, every):
            rate = self.learning_rate or kind.learning_rate
            if self.decay_steps:  # by 1 / decay_steps each `every` steps
                rate = LinearDecay(rate, first, self.decay_steps - 1, every)
            # TensorFlow 1's, of the same form as Keras's.
            return keras.optimizers.Adam(rate, self.beta_1, 0.9, epsilon=1e-8)

        # G takes its first step in iteration 1 of the code, not 0.
        return {
            "discriminator_optimizer": adam(2, self.n_critic),
            "generator_optimizer": adam(1, 1),
        }

    # === Training ===

    @portable
    def train_step(self, data: Any) -> dict[str, Any]:
        images, labels, _ = keras.utils.unpack_x_y_sample_weight(data)
        self.count_classes(labels)
        for real, classes in rows_in_turn(self.n_critic, images, labels):
            d_loss, parts = self.step_critic(real, classes)  # Alg. 1, l. 2-10
        n = ops.shape(images)[0]
        m = (n + self.n_critic - 1) // self.n_critic
        g_loss = self.step_generator(m)  # l. 11-12
        return self.report(n, d_loss=d_loss, g_loss=g_loss, **parts)

    def step_critic(self, real: Any, labels: Any) -> tuple[Any, dict[str, Any]]:
        """One step of f on a batch: its loss, and what that is made of."""
        m = ops.shape(real)[0]
        given = [] if labels is None else [ops.cast(labels, "int32")]
        z = self.sample_latents(m)  # l. 4
        fake = self.generator(bare(z, *given), training=True)  # l. 5
        real, fake = self.augmented(real), self.augmented(fake)
        x_hat = between(real, fake, self.seed_generator)  # l. 6

        def d_loss_fn():
            # One pass for both: nothing in f mixes the images of a batch. Not
            # for x^, whose slope would be sought among theirs, too.
            scores, logits = self.criticise(ops.concatenate([real, fake]))
            wasserstein = wasserstein_estimate(scores[:m], scores[m:])
            gp = gradient_penalty(
                lambda x: self.criticise(x)[0],
                x_hat,
                NETWORKS[self.network].scale,
            )
            d_loss = -wasserstein + self.gp_weight * gp  # l. 7
            if given:
                d_loss += class_loss(*given, logits[:m])
            return d_loss, {"wasserstein": wasserstein, "gp": gp}

        return minimize(
            d_loss_fn,
            self.discriminator_optimizer,
            self.discriminator.trainable_variables,
        )  # l. 9

    def step_generator(self, m: Any) -> Any:
        """One step of G under f, on a batch as its network has it: its loss."""
        n = m * NETWORKS[self.network].generator_batches
        z = self.sample_latents(n)
        given = []
        if self.takes_labels:
            given = [
                keras.random.randint(
                    (n,), 0, self.num_classes, seed=self.seed_generator
                )
            ]
        inputs = bare(z, *given)

        def g_loss_fn():
            fake = self.generator(inputs, training=True)
            scores, logits = self.criticise(self.augmented(fake))
            g_loss = -ops.mean(scores)
            if given:
                g_loss += 0.1 * class_loss(*given, logits)
            return g_loss

        g_loss, _ = minimize(
            g_loss_fn,
            self.generator_optimizer,
            self.generator.trainable_variables,
        )
        self.update_ema(lambda average: average(inputs, training=True))
        return g_loss

    def criticise(self, images: Any) -> tuple[Any, Any]:
        """f(x) `[batch, 1]`, and logits of the classes, or None."""
        scores = self.discriminator(images, training=True)
        return scores if self.takes_labels else (scores, None)

    def get_config(self) -> dict:
        return self.base_config() | {
            "image_shape": self.image_shape,
            "network": self.network,
            "latent_dim": self.latent_dim,
            "width": self.width,
            "depth": self.depth,
            "num_classes": self.num_classes,
            "n_critic": self.n_critic,
            "gp_weight": self.gp_weight,
            "learning_rate": self.learning_rate,
            "beta_1": self.beta_1,
            "decay_steps": self.decay_steps,
            "augment": self.augment,
            "ema_decay": self.ema_decay,
        }
