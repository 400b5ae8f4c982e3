"""Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Nets.

Jun-Yan Zhu, Taesung Park, Phillip Isola, Alexei A. Efros, 2017.
arXiv:1703.10593.

Networks, initialisers, losses, optimizers and the order of a step are those of
the authors' PyTorch code (junyanz/pytorch-CycleGAN-and-pix2pix,
`models/networks.py`, `models/cycle_gan_model.py`): a generator of 9 blocks has
11,378,179 parameters, one of 6 has 7,837,699, a discriminator 2,764,737.

A and B are the two domains. What the code calls G_A is `generator_ab` here, and
its D_A, which looks at B, is `discriminator_b`.

Deviations:
- No dropout; the authors train without it (`--no_dropout`).
- A folder's pictures are cropped to a square in their middle, then resized;
  the authors' are squeezed into one.
- The smaller domain goes through permutations of its own; the authors draw from
  it with replacement.
- Keras rounds LeakyReLU's slope and Adam's beta_2 to float32.
- Translation and identity go through a generator as one batch. Statistics are
  per image, so the numbers are the same.
- Adam's epsilon is PyTorch's 1e-8 at the first step and, in Keras's form, up to
  32 times smaller later, where only gradients below 1e-7 can tell.
"""

import random
from typing import Any

import keras
from keras import ops

from keras_gans.arguments import check_counts, check_weights
from keras_gans.augment import augmentation
from keras_gans.backend import minimize, portable
from keras_gans.datasets.unpaired import UnpairedData, two_domains
from keras_gans.inputs import fitting
from keras_gans.losses import cross_entropy_to, squared_error_to
from keras_gans.models.cyclegan_networks import (
    build_discriminator,
    build_generator,
)
from keras_gans.models.cyclegan_pool import ImagePool
from keras_gans.models.translation import TranslationModel
from keras_gans.optimizers import LinearDecay, torch_adam
from keras_gans.registry import register, unknown

ADVERSARIAL = {"lsgan": squared_error_to, "vanilla": cross_entropy_to}


@register("cyclegan")
class CycleGAN(TranslationModel):
    """Translation between two domains of unpaired images (Zhu et al. 2017).

    Args:
        image_shape: `(height, width, channels)` of the crops it trains on,
            sides divisible by 4. `translate` takes other sizes, too. The
            paper's: (256, 256, 3).
        num_blocks: Residual blocks of a generator; the paper's: 9 from 256
            pixels on, 6 below.
        width: Filters next to the image, ngf. The paper's: 64.
        discriminator_width: The same of a discriminator, ndf. Defaults to
            `width`, as in the paper.
        adversarial: "lsgan", least squares as the paper, or "vanilla", the
            cross-entropy of Goodfellow et al.
        cycle_weight: lambda, eq. 3. The paper's: 10.
        identity_weight: Of the identity loss (section 5.2), relative to
            `cycle_weight`. The code's: 0.5.
        pool_size: Past fakes kept for each discriminator. The paper's: 50.
        epochs: At the full learning rate. The paper's: 100.
        decay_epochs: After them, falling to zero. The paper's: 100.
        steps_per_epoch: Of that schedule. Defaults to what `fit` is given; in
            `compile` before it, to 1334, horse2zebra's.
        augment: What the discriminators' images go through, as in
            `keras_gans.augment.DiffAugment`; None, as the original: nothing.

    Raises:
        ValueError: If an argument is out of its range.

    `fit` takes two folders, two arrays, or two data sets, and shows each term
    of the losses, weighted as it enters: `g_loss_ab` and `g_loss_ba`, `cycle_a`
    and `cycle_b`, `identity_a` and `identity_b`, `d_loss_a` and `d_loss_b`
    (0.25 at chance, each half of two squared errors of 0.25).

    Example:

    ```python
    cyclegan = keras_gans.CycleGAN()
    cyclegan.fit("horses/", "zebras/", epochs=200)
    zebras = cyclegan.translate(horses)
    ```
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (256, 256, 3),
        num_blocks: int = 9,
        width: int = 64,
        adversarial: str = "lsgan",
        cycle_weight: float = 10.0,
        identity_weight: float = 0.5,
        pool_size: int = 50,
        epochs: int = 100,
        decay_epochs: int = 100,
        steps_per_epoch: int | None = None,
        discriminator_width: int | None = None,
        augment: str | None = None,
        name: str = "cyclegan",
    ):
        super().__init__(
            image_shape,
            metrics=(
                *("g_loss_ab", "cycle_a", "identity_b", "d_loss_b"),
                *("g_loss_ba", "cycle_b", "identity_a", "d_loss_a"),
            ),
            name=name,
        )
        height, image_width, channels = self.image_shape
        if height % 4 or image_width % 4 or min(height, image_width) < 32:
            raise ValueError(
                "Expected `image_shape` with sides of at least 32 that are "
                "divisible by 4 (two stride-2 stages). Received: "
                f"image_shape={self.image_shape}. Crop or pad to "
                f"{(*map(fitting, (height, image_width)), channels)}."
            )
        if not isinstance(adversarial, str) or adversarial not in ADVERSARIAL:
            raise ValueError(
                unknown("adversarial loss", str(adversarial), [*ADVERSARIAL])
            )
        check_counts(num_blocks=num_blocks, width=width)
        check_counts(
            0, pool_size=pool_size, epochs=epochs, decay_epochs=decay_epochs
        )
        check_counts(
            optional=True,
            steps_per_epoch=steps_per_epoch,
            discriminator_width=discriminator_width,
        )
        check_weights(
            cycle_weight=cycle_weight, identity_weight=identity_weight
        )
        self.num_blocks = num_blocks
        self.width = width
        self.adversarial = adversarial
        self.cycle_weight = cycle_weight
        self.identity_weight = identity_weight
        self.pool_size = pool_size
        self.epochs = epochs
        self.decay_epochs = decay_epochs
        self.steps_per_epoch = steps_per_epoch
        self.discriminator_width = discriminator_width
        self.augment = augment
        self.augmented = augmentation(augment)

        def generator(end):
            return build_generator(
                channels, width, num_blocks, f"generator_{end}"
            )

        def discriminator(end):
            return build_discriminator(
                channels, discriminator_width or width, f"discriminator_{end}"
            )

        self.generator_ab = generator("ab")
        self.generator_ba = generator("ba")
        self.discriminator_a = discriminator("a")
        self.discriminator_b = discriminator("b")
        self.pool_a = ImagePool(pool_size, self.image_shape, name="pool_a")
        self.pool_b = ImagePool(pool_size, self.image_shape, name="pool_b")

    # === Training ===

    @property
    def players(self) -> dict[str, list[keras.Variable]]:
        return {
            "generator_optimizer": self.generator_ab.trainable_variables
            + self.generator_ba.trainable_variables,
            "discriminator_optimizer": self.discriminator_a.trainable_variables
            + self.discriminator_b.trainable_variables,
        }

    def default_optimizers(self) -> dict[str, keras.optimizers.Optimizer]:
        # Epsilon as in dcgan.py: the first step is the original's.
        def adam():
            rate = LinearDecay(
                2e-4,
                self.epochs,
                self.decay_epochs,
                self.steps_per_epoch or 1334,
            )
            return torch_adam(rate)

        return {
            "generator_optimizer": adam(),
            "discriminator_optimizer": adam(),
        }

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int = 1,
        flip: bool = True,
        skip_broken: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Train on images of A (`x`) and of B (`y`), which need not pair up.

        Compiles with the paper's optimizers, and a schedule for as many steps
        an epoch as there are, where `compile` was not called.

        Args:
            x, y: Two folders of pictures, resized to 286/256 of `image_shape`
                and cropped at random; two arrays `[n, h, w, c]` in [-1, 1] or
                of uint8, or two `ImageData`, of which windows are cut where
                they are larger: let them be 286/256 as large as `image_shape`;
                or two `tf.data` sets of batches, the shorter of which is
                repeated. Or, in `x` alone, an `UnpairedData`, or a data set
                that gives both, `(a, b)`.
            batch_size: Images of each domain a step. The paper's: 1.
            flip: Mirror half of the images; not of a `tf.data` set.
            skip_broken: Leave out a folder's pictures that cannot be read.
            **kwargs: `epochs`, `callbacks`, ... as in `keras.Model.fit`.

        Returns:
            Keras's `History`.

        Raises:
            ValueError: If a domain is empty, or the images have another shape
                or range.
        """
        if y is not None:
            x = two_domains(x, y, self.image_shape, skip_broken)
        if isinstance(x, UnpairedData):
            # Another order each time, of `keras.utils.set_random_seed`.
            x = x.batches(
                batch_size,
                seed=random.randrange(2**31),
                flip=flip,
                crop=self.image_shape[:2],
            )
        return super().fit(x, **kwargs)

    @portable
    def train_step(self, data: Any) -> dict[str, Any]:
        real_a, real_b, _ = keras.utils.unpack_x_y_sample_weight(data)
        batch_size = ops.shape(real_a)[0]
        adversarial = ADVERSARIAL[self.adversarial]

        # Both generators, under one optimizer: L_GAN(G, D_B) + L_GAN(F, D_A)
        # + lambda L_cyc(G, F), eq. 3, and L_identity of section 5.2.
        def g_loss_fn():
            fake_b, same_b = in_one_batch(self.generator_ab, real_a, real_b)
            fake_a, same_a = in_one_batch(self.generator_ba, real_b, real_a)
            back_a = self.generator_ba(fake_b, training=True)  # F(G(a))
            back_b = self.generator_ab(fake_a, training=True)  # G(F(b))
            cycle = self.cycle_weight
            identity = self.cycle_weight * self.identity_weight
            on_a = self.discriminator_a(self.augmented(fake_a), training=True)
            on_b = self.discriminator_b(self.augmented(fake_b), training=True)
            losses = {
                "g_loss_ab": adversarial(on_b, True),
                "g_loss_ba": adversarial(on_a, True),
                "cycle_a": cycle * mean_distance(back_a, real_a),
                "cycle_b": cycle * mean_distance(back_b, real_b),
                "identity_a": identity * mean_distance(same_a, real_a),
                "identity_b": identity * mean_distance(same_b, real_b),
            }
            return sum(losses.values()), (losses, fake_a, fake_b)

        generators, discriminators = self.players.values()
        _, (g_losses, fake_a, fake_b) = minimize(
            g_loss_fn, self.generator_optimizer, generators
        )

        # Both discriminators, on fakes of now and of earlier; halved, "which
        # slows down the rate at which D learns" (appendix 7.1).
        fake_a, fake_b = self.pool_a(fake_a), self.pool_b(fake_b)

        def d_loss_fn():
            losses = {}
            for name, discriminator, real, fake in (
                ("d_loss_a", self.discriminator_a, real_a, fake_a),
                ("d_loss_b", self.discriminator_b, real_b, fake_b),
            ):
                on_real, on_fake = in_one_batch(
                    discriminator, self.augmented(real), self.augmented(fake)
                )
                on_both = adversarial(on_real, True) + adversarial(
                    on_fake, False
                )
                losses[name] = 0.5 * on_both
            return sum(losses.values()), losses

        _, d_losses = minimize(
            d_loss_fn, self.discriminator_optimizer, discriminators
        )
        return self.report(batch_size, **g_losses, **d_losses)

    @property
    def translators(self) -> dict[str, keras.Model]:
        return {"AtoB": self.generator_ab, "BtoA": self.generator_ba}

    def get_config(self) -> dict:
        return self.base_config() | {
            "image_shape": self.image_shape,
            "num_blocks": self.num_blocks,
            "width": self.width,
            "adversarial": self.adversarial,
            "cycle_weight": self.cycle_weight,
            "identity_weight": self.identity_weight,
            "pool_size": self.pool_size,
            "epochs": self.epochs,
            "decay_epochs": self.decay_epochs,
            "steps_per_epoch": self.steps_per_epoch,
            "discriminator_width": self.discriminator_width,
            "augment": self.augment,
        }


def in_one_batch(network: keras.Model, x: Any, y: Any) -> tuple[Any, Any]:
    """`network(x)` and `network(y)` in one pass; statistics are per image."""
    n = ops.shape(x)[0]
    out = network(ops.concatenate([x, y]), training=True)
    return out[:n], out[n:]


def mean_distance(x: Any, y: Any) -> Any:
    """E|x - y|_1 / size, as `torch.nn.L1Loss`."""
    return ops.mean(ops.abs(x - ops.cast(y, x.dtype)))
