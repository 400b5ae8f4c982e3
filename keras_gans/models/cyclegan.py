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
- Translation and identity go through a generator as one batch. Statistics are
  per image, so the numbers are the same.
- Adam's epsilon is PyTorch's 1e-8 at the first step and, in Keras's form, up to
  32 times smaller later, where only gradients below 1e-7 can tell.
"""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_gans.backend import minimize, portable
from keras_gans.datasets.data import as_float
from keras_gans.datasets.unpaired import UnpairedData, two_domains
from keras_gans.images import grid, to_uint8
from keras_gans.inputs import check_translatable, fitting, is_tf_dataset
from keras_gans.losses import cross_entropy_to, squared_error_to
from keras_gans.models.base import GenerativeModel
from keras_gans.models.cyclegan_networks import (
    build_discriminator,
    build_generator,
)
from keras_gans.models.cyclegan_pool import ImagePool
from keras_gans.optimizers import LinearDecay
from keras_gans.registry import register, unknown

ADVERSARIAL = {"lsgan": squared_error_to, "vanilla": cross_entropy_to}


@register("cyclegan")
class CycleGAN(GenerativeModel):
    """Translation between two domains of unpaired images (Zhu et al. 2017).

    Args:
        image_shape: `(height, width, channels)` of the crops it trains on,
            sides divisible by 4. `translate` takes other sizes, too. The
            paper's: (256, 256, 3).
        num_blocks: Residual blocks of a generator; the paper's: 9 from 256
            pixels on, 6 below.
        width: Filters next to the image, ngf = ndf. The paper's: 64.
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

    two_domains = True
    use = 'images = model.translate(images)  # and direction="BtoA"'
    shows = "the first test images, translated: 16 from A to B, then 16 back"

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
        if adversarial not in ADVERSARIAL:
            raise ValueError(
                unknown("adversarial loss", adversarial, [*ADVERSARIAL])
            )
        for word, number, least in (
            ("num_blocks", num_blocks, 1),
            ("width", width, 1),
            ("pool_size", pool_size, 0),
            ("epochs", epochs, 0),
            ("decay_epochs", decay_epochs, 0),
            ("steps_per_epoch", steps_per_epoch, 1),
        ):
            whole = isinstance(number, (int, np.integer))
            optional = word == "steps_per_epoch" and number is None
            if not optional and not (whole and number >= least):
                raise ValueError(
                    f"Expected `{word}` as an integer from {least}. Received: "
                    f"{word}={number!r}. The paper's is the default."
                )
        for word, weight in (
            ("cycle_weight", cycle_weight),
            ("identity_weight", identity_weight),
        ):
            real = isinstance(weight, (int, float))
            if not (real and 0.0 <= weight < float("inf")):
                raise ValueError(
                    f"Expected `{word}` as a finite number from 0. Received: "
                    f"{word}={weight!r}. The paper's is the default."
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

        def generator(end):
            return build_generator(
                channels, width, num_blocks, f"generator_{end}"
            )

        def discriminator(end):
            return build_discriminator(channels, width, f"discriminator_{end}")

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
            return keras.optimizers.Adam(
                rate, beta_1=0.5, beta_2=0.999, epsilon=1e-8 * 0.001**0.5
            )

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
        **kwargs: Any,
    ) -> Any:
        """Train on images of A (`x`) and of B (`y`), which need not pair up.

        Compiles with the paper's optimizers, and a schedule for as many steps
        an epoch as there are, where `compile` was not called.

        Args:
            x, y: Two folders of pictures, resized to 286/256 of `image_shape`
                and cropped at random; two arrays `[n, h, w, c]` in [-1, 1] or
                of uint8, cropped if they are larger; two `ImageData`; or two
                `tf.data` sets of batches, the shorter of which is repeated.
                Or, in `x` alone, a data set that gives both, `(a, b)`.
            batch_size: Images of each domain a step. The paper's: 1.
            flip: Mirror half of the images; not of a `tf.data` set.
            **kwargs: `epochs`, `callbacks`, ... as in `keras.Model.fit`.

        Returns:
            Keras's `History`.

        Raises:
            ValueError: If a domain is empty, or the images have another shape
                or range.
        """
        if y is not None:
            x = two_domains(x, y, self.image_shape)
        if isinstance(x, UnpairedData):
            x = x.batches(batch_size, flip=flip, crop=self.image_shape[:2])
        if not self.compiled and self.steps_per_epoch is None:
            self.steps_per_epoch = length_of(x)
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
            losses = {
                "g_loss_ab": adversarial(self.discriminator_b(fake_b), True),
                "g_loss_ba": adversarial(self.discriminator_a(fake_a), True),
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
                on_real, on_fake = in_one_batch(discriminator, real, fake)
                on_both = adversarial(on_real, True) + adversarial(
                    on_fake, False
                )
                losses[name] = 0.5 * on_both
            return sum(losses.values()), losses

        _, d_losses = minimize(
            d_loss_fn, self.discriminator_optimizer, discriminators
        )
        return self.report(batch_size, **g_losses, **d_losses)

    def check_has_test_loss(self) -> None:
        raise ValueError(
            "Expected a model with a loss on held-out data. Received: "
            f"{type(self).__name__}, a game, whose losses measure its players "
            "against each other. Leave `evaluate` and the validation data out, "
            "and look at translations: `keras_gans.callbacks.TranslationGrid`."
        )

    # === Translating ===

    @property
    def sampler(self) -> keras.Model:
        """From A to B: what `call`, `predict` and `export` are of."""
        return self.generator_ab

    @property
    def needed_networks(self) -> list[keras.Model]:
        # A checkpoint of one generator, converted, is an entry of one way.
        file = f"{self.generator_ba.name}.weights.h5"
        if self.card is not None and file not in self.card.files:
            return [self.generator_ab]
        return [self.generator_ab, self.generator_ba]

    def translate(
        self, images: Any, direction: str = "AtoB", *, batch_size: int = 1
    ) -> np.ndarray:
        """Translate images from one domain to the other.

        Args:
            images: One image `[h, w, c]` or a batch `[n, h, w, c]`, float in
                [-1, 1] or uint8 0..255, h and w divisible by 4.
            direction: "AtoB" or "BtoA".
            batch_size: Images translated at once.

        Returns:
            The same kind as `images`: one or a batch, float32 or uint8.

        Raises:
            ValueError: If the direction is unknown or came without weights,
                or the images have another size, number of channels or range.

        Example:

        ```python
        zebras = cyclegan.translate(horses)
        ```
        """
        networks = {"AtoB": self.generator_ab, "BtoA": self.generator_ba}
        if direction not in networks:
            raise ValueError(unknown("direction", direction, [*networks]))
        network = networks[direction]
        if network.name in self.networks_without_weights:
            raise ValueError(
                "Expected a direction that this model knows. Received: "
                f"direction={direction!r}, whose {network.name} came without "
                "weights. Take the other one, or train it by `fit`."
            )
        images = np.asarray(images)
        check_translatable(images, self.image_shape[-1])
        x = as_float(images if images.ndim == 4 else images[None])
        out = self.infer(network, x, batch_size)
        out = to_uint8(out) if images.dtype == np.uint8 else out
        return out if images.ndim == 4 else out[0]

    def probe(self, network: keras.Model) -> np.ndarray:
        # Smooth pictures, of which float16 weights change as much as of real.
        height, width, channels = self.image_shape
        noise = np.random.default_rng(0).normal(size=(4, 8, 8, channels))
        images = ops.image.resize(noise.astype("float32"), (height, width))
        return np.tanh(ops.convert_to_numpy(images))

    def progress(self, data: UnpairedData) -> np.ndarray:
        """Rows of image, translation, reconstruction: 4 of A, then 4 of B."""
        triples = []
        ways = (("AtoB", "BtoA"), ("BtoA", "AtoB"))
        for side, (there, back) in zip((data.a, data.b), ways, strict=True):
            images = centre(side.part(slice(4)).arrays()[0], self.image_shape)
            made = self.translate(images, there)
            triple = [images, made, self.translate(made, back)]
            triples.append(np.stack(triple, axis=1))  # [n, 3, h, w, c]
        images = np.concatenate(triples)
        return grid(images.reshape(-1, *self.image_shape), columns=6)

    def translations(self, data: UnpairedData, n: int = 16) -> np.ndarray:
        """A picture of the first n images of A translated, then n of B."""
        made = [
            self.translate(centre(side.part(slice(n)).arrays()[0], size), way)
            for side, way, size in (
                (data.a, "AtoB", self.image_shape),
                (data.b, "BtoA", self.image_shape),
            )
        ]
        return grid(np.concatenate(made), columns=8)

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
        }


def in_one_batch(network: keras.Model, x: Any, y: Any) -> tuple[Any, Any]:
    """`network(x)` and `network(y)` in one pass; statistics are per image."""
    n = ops.shape(x)[0]
    out = network(ops.concatenate([x, y]), training=True)
    return out[:n], out[n:]


def length_of(data: Any) -> int | None:
    """Batches an epoch of what `fit` reads, where it is known."""
    if is_tf_dataset(data):
        length = int(data.cardinality())
        return length if length > 0 else None
    return getattr(data, "num_batches", None)


def mean_distance(x: Any, y: Any) -> Any:
    """E|x - y|_1 / size, as `torch.nn.L1Loss`."""
    return ops.mean(ops.abs(x - y))


def centre(images: np.ndarray, image_shape: tuple) -> np.ndarray:
    """The middle of images `[n, h, w, c]`."""
    top = (images.shape[1] - image_shape[0]) // 2
    left = (images.shape[2] - image_shape[1]) // 2
    return images[:, top : top + image_shape[0], left : left + image_shape[1]]
