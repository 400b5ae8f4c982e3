"""Deep Generative Image Models using a Laplacian Pyramid of
Adversarial Networks.

Emily Denton, Soumith Chintala, Arthur Szlam, Rob Fergus, 2015.
arXiv:1506.05751.

Networks, initialisers, optimizers and the order of a step are those of the
authors' CIFAR code (facebook/eyescream, `cifar/scripts`, `cifar/train`): at 32
pixels 218,179 and 116,545 parameters, with classes 232,579 and 129,409, and
66,352,192 and 2,872,001 in the base at 8 pixels.

Deviations:
- The authors subtract from every pixel its mean over the training set, and
  divide by its deviation; here images are in [-1, 1], and samples are clipped
  to it.
- They train one level at a time, each on images drawn for it; here a step
  trains every level on the same batch. No level sees another's samples.
- The discriminators return logits; the sigmoid is in the loss.
- The learning rate falls from step to step, not from epoch to epoch. At the
  same batch size an epoch of `fit` has half as many steps: theirs goes on until
  the real halves alone are as many as the images.
- G's coarse images and labels are those that D was shown in the same step; the
  authors draw others.
- `fit` shows the sum of a discriminator's two terms, 2 log 2 at chance. The
  authors minimise half of it, and so does the step.
- `base="convolutional"` and `optimizer="adam"` are ours.
"""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_gans.arguments import check_counts
from keras_gans.backend import minimize, portable
from keras_gans.images import grid
from keras_gans.latents import sample_prior_in_step
from keras_gans.layers import bare
from keras_gans.losses import discriminator_loss, non_saturating_generator_loss
from keras_gans.models.adversarial import AdversarialModel
from keras_gans.models.lapgan_networks import (
    BASES,
    build_discriminator,
    build_generator,
    chained,
    check_base_widths,
    pyramid_shapes,
)
from keras_gans.optimizers import GeometricDecay, MomentumSGD, torch_adam
from keras_gans.pyramid import gaussian_pyramid, upsample
from keras_gans.registry import register


@register("lapgan")
class LAPGAN(AdversarialModel):
    """Laplacian pyramid of generative adversarial nets (Denton et al. 2015).

    A GAN draws the coarsest picture, and a conditional GAN a level adds the
    detail that a finer one has: I_k = u(I_{k+1}) + G_k(z_k, u(I_{k+1})).

    Args:
        image_shape: `(height, width, channels)`, sides that halve
            `levels - 1` times, to 5 or more. The code's: (32, 32, 3).
        levels: K + 1, the base included. The code's: 3, of 8, 16 and 32 pixels.
        num_classes: Of labels, which every network is told; None for none.
        base: "dense", as published, or "convolutional".
        optimizer: "sgd", as published, or "adam", which takes far fewer steps.
        noise_dim: Length of the base's z, uniform on [-1, 1]. The code's: 100.
            A level's z is a plane of its size.
        generator_width: Filters of each G_k. The code's: 64.
        discriminator_width: Filters of each D_k. The code's: 64.
        base_widths: Of the base's G and D. The code's: (8000, 1600) units; the
            convolutional base's (128, 64) filters.
        steps_per_epoch: Of the schedules of momentum and learning rate.
            Defaults to what `fit` is given; in `compile` before it, to 704,
            CIFAR's 45,000 images in halves of batches of 128 (the code's base
            takes batches of 100).
        augment: What the discriminators' images go through, as in
            `keras_gans.augment.DiffAugment`; None for nothing, as published.
        ema_decay: Keep `ema_generator`, a moving average of all generators with
            this decay, and sample from it. None, as the original: no average.

    Raises:
        ValueError: If an argument is out of its range, or the sides cannot be
            halved so often.

    `fit` takes float32 `[n, height, width, channels]` in [-1, 1], with labels
    where there are classes, and shows `d_loss_32` (2 log 2 = 1.39 at chance),
    `g_loss_32` (log 2 = 0.69 at chance), and so on, of each level. Half of a
    batch is shown to the discriminators as it is, the other half gives the
    coarse pictures of the generated ones.

    Example:

    ```python
    gan = keras_gans.LAPGAN((28, 28, 1), base="convolutional", optimizer="adam")
    gan.fit(keras_gans.datasets.mnist_5k()[0], batch_size=128, epochs=10)
    small, middle, digits = gan.generate(64, seed=0, stages=True)
    ```
    """

    pictures = {"stages.png": "The first eight, each from coarse to fine"}

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (32, 32, 3),
        levels: int = 3,
        num_classes: int | None = None,
        base: str = "dense",
        optimizer: str = "sgd",
        noise_dim: int = 100,
        generator_width: int = 64,
        discriminator_width: int = 64,
        base_widths: tuple[int, int] | None = None,
        steps_per_epoch: int | None = None,
        augment: str | None = None,
        ema_decay: float | None = None,
        name: str = "lapgan",
    ):
        if str(base) not in BASES or optimizer not in ("sgd", "adam"):
            raise ValueError(
                f"Expected `base` as one of {', '.join(BASES)}, and "
                "`optimizer` as sgd or adam. Received: "
                f"base={base!r}, optimizer={optimizer!r}. The published ones "
                "are 'dense' and 'sgd'."
            )
        check_counts(
            noise_dim=noise_dim,
            generator_width=generator_width,
            discriminator_width=discriminator_width,
        )
        check_counts(optional=True, steps_per_epoch=steps_per_epoch)
        widths = BASES[base].widths if base_widths is None else base_widths
        check_base_widths(widths)
        shapes = pyramid_shapes(image_shape, levels)
        super().__init__(
            image_shape,
            noise_dim + sum(h * w for h, w, _ in shapes[1:]),
            prior="uniform",
            metrics=tuple(
                f"{player}_loss_{height}"
                for height, _, _ in shapes
                for player in "dg"
            ),
            name=name,
            num_classes=num_classes,
        )
        self.levels = int(levels)
        self.base = base
        self.optimizer_name = optimizer
        self.noise_dim = noise_dim
        self.generator_width = generator_width
        self.discriminator_width = discriminator_width
        self.base_widths = tuple(map(int, widths))
        self.steps_per_epoch = steps_per_epoch
        self.ema_decay = ema_decay
        self.sides = [height for height, _, _ in shapes]  # coarse to fine
        g_width, d_width = self.base_widths
        generators = [
            BASES[base].build_generator(
                shapes[0], noise_dim, g_width, num_classes
            )
        ] + [
            build_generator(shape, generator_width, num_classes)
            for shape in shapes[1:]
        ]
        self.generator = chained(generators, self.latent_dim, num_classes)
        self.set_discriminator(
            BASES[base].build_discriminator(shapes[0], d_width, num_classes)
        )
        for shape in shapes[1:]:
            self.set_discriminator(
                build_discriminator(shape, discriminator_width, num_classes)
            )
        self.keep_ema(ema_decay)
        self.use_augment(augment)

    def set_discriminator(self, network: keras.Model) -> None:
        """Keep it under its name, `discriminator_32` say."""
        setattr(self, network.name, network)

    def players_of(self, side: int) -> tuple[keras.Model, keras.Model]:
        """G and D of the level of that height."""
        generator = self.generator.get_layer(f"generator_{side}")
        return generator, getattr(self, f"discriminator_{side}")

    @property
    def players(self) -> dict[str, list[keras.Variable]]:
        return {
            f"{network.name}_optimizer": network.trainable_variables
            for side in self.sides
            for network in reversed(self.players_of(side))
        }

    def default_optimizers(self) -> dict[str, keras.optimizers.Optimizer]:
        steps = self.steps_per_epoch or 704

        def sgd(is_base):
            # Without classes the levels' momentum starts at 0.5, with them
            # their learning rate falls ten times as fast.
            classes = self.num_classes is not None
            momentum = 0.0 if is_base or classes else 0.5
            factor = 1.000004 if is_base or not classes else 1.00004
            return MomentumSGD(
                GeometricDecay(0.02, factor ** (1 / steps), minimum=1e-6),
                momentum=momentum,
                final_momentum=0.7,
                saturate=round((0.7 - momentum) / 0.0008) + 1,
                steps_per_epoch=steps,
                dampened=True,
            )

        return {
            f"{player}_{side}_optimizer": torch_adam(2e-4)
            if self.optimizer_name == "adam"
            else sgd(is_base=side == self.sides[0])
            for side in self.sides
            for player in ("discriminator", "generator")
        }

    # === Training ===

    @portable
    def train_step(self, data: Any) -> dict[str, Any]:
        real, labels, _ = keras.utils.unpack_x_y_sample_weight(data)
        batch_size = ops.shape(real)[0]
        if labels is not None:
            labels = ops.cast(labels, "int32")
        self.count_classes(labels)
        # I_K, ..., I_0, and u(I_{k+1}) beside each I_k: the base has none.
        pyramid = gaussian_pyramid(real, self.levels)[::-1]
        below = [None] + [upsample(coarse) for coarse in pyramid[:-1]]
        levels = zip(self.sides, pyramid, below, strict=True)
        steps = [
            self.step_level(side, fine, low, labels, batch_size)
            for side, fine, low in levels
        ]
        losses = {k: v for values, _ in steps for k, v in values.items()}
        # The base alone has BatchNorm.
        name, inputs = f"generator_{self.sides[0]}", steps[0][1]
        self.update_ema(
            lambda average: average.get_layer(name)(inputs, training=True)
        )
        return self.report(batch_size, **losses)

    def step_level(
        self, side: int, real: Any, low: Any, labels: Any, batch_size: Any
    ) -> tuple[dict[str, Any], Any]:
        """D and then G of one level: `conditional_adversarial.lua`.

        Args:
            side: The level's height.
            real: I_k, `[batch, h, w, channels]`.
            low: l_k = u(I_{k+1}), likewise; None in the base.
            labels: int32 `[batch]`, or None.
            batch_size: Number of images.

        Returns:
            The losses, and what G was given in its turn.
        """
        generator, discriminator = self.players_of(side)

        def and_given(x, rows, *others):
            return bare(x, *(t[rows] for t in others if t is not None))

        def generated(inputs, rows):
            detail = generator(inputs, training=True)
            # The image l + h stands for the pair (l, h): D looks at sums only.
            return detail if low is None else low[rows] + detail

        def judged(images, rows):
            inputs = and_given(self.augmented(images), rows, labels)
            return discriminator(inputs, training=True)

        # D: half a batch of real images; half a batch of generated ones, on
        # the coarse pictures of others.
        half = batch_size - batch_size // 2
        first, second = slice(None, half), slice(batch_size - half, None)
        z = self.sample_noise(side, half)
        fake = generated(and_given(z, second, low, labels), second)

        def d_loss_fn():
            real_logits = judged(real[first], first)
            fake_logits = judged(fake, second)
            return 0.5 * discriminator_loss(real_logits, fake_logits)

        d_loss, _ = minimize(
            d_loss_fn,
            getattr(self, f"discriminator_{side}_optimizer"),
            discriminator.trainable_variables,
        )

        # G: a whole batch, with new noise, under the D that has just moved.
        every = slice(None)
        z = self.sample_noise(side, batch_size)
        inputs = and_given(z, every, low, labels)

        def g_loss_fn():
            logits = judged(generated(inputs, every), every)
            return non_saturating_generator_loss(logits)

        g_loss, _ = minimize(
            g_loss_fn,
            getattr(self, f"generator_{side}_optimizer"),
            generator.trainable_variables,
        )
        losses = {f"d_loss_{side}": 2.0 * d_loss, f"g_loss_{side}": g_loss}
        return losses, inputs

    def sample_noise(self, side: int, n: Any) -> Any:
        """z_k for a step: `[n, noise_dim]` in the base, else `[n, h, w, 1]`."""
        generator, _ = self.players_of(side)
        shape = generator.inputs[0].shape[1:]
        z = sample_prior_in_step(
            self.prior, n, int(np.prod(shape)), self.seed_generator
        )
        return ops.reshape(z, (-1, *shape))

    # === Sampling ===

    def generate(
        self,
        n: int = 64,
        seed: int | None = None,
        labels: Any = None,
        *,
        latents: np.ndarray | None = None,
        batch_size: int = 64,
        stages: bool = False,
    ) -> np.ndarray | list[np.ndarray]:
        """Make images, as `LatentModel.generate`.

        Args:
            n, seed, labels, latents, batch_size: As there. Latents are the
                base's z, then each level's plane, coarse to fine, row by row.
            stages: Give what each level made, coarse to fine: a list of
                `[n, height, width, channels]`, of which the last are the
                images.
        """
        if not stages:
            return super().generate(
                n, seed, labels, latents=latents, batch_size=batch_size
            )
        z = self.draw_latents(n, seed) if latents is None else latents
        z = self.check_latents(z)
        classes = self.given_labels(labels, len(z), seed)
        images, made = None, []
        for side in self.sides:
            # I_k = u(I_{k+1}) + G_k(z_k, u(I_{k+1})), eq. 5
            network = self.sampler.get_layer(f"generator_{side}")
            shape = network.inputs[0].shape[1:]
            noise, z = np.split(z, [int(np.prod(shape))], axis=1)
            inputs = [noise.reshape(-1, *shape)]
            if images is not None:
                images = ops.convert_to_numpy(upsample(images))
                inputs.append(images)
            detail = self.infer(
                network, *inputs, *classes, batch_size=batch_size
            )
            images = detail if images is None else images + detail
            made.append(np.clip(images, -1.0, 1.0))
        return made

    def more_pictures(self) -> dict[str, np.ndarray]:
        rows = self.generate(8, seed=0, stages=True)
        height, width, channels = self.image_shape
        enlarged = [
            images.repeat(height // images.shape[1], 1).repeat(
                width // images.shape[2], 2
            )
            for images in rows
        ]
        shown = np.stack(enlarged, 1).reshape(-1, height, width, channels)
        return {"stages.png": grid(shown, columns=self.levels)}

    def probe(self, network: keras.Model) -> Any:
        latents = self.draw_latents(64, seed=0)
        labels = self.given_labels(None, len(latents), seed=0)
        if network is self.generator:
            return bare(latents, *labels)
        stages = self.generate(64, seed=0, stages=True)
        side = network.inputs[0].shape[1]
        return bare(stages[self.sides.index(side)], *labels)

    def get_config(self) -> dict:
        return self.base_config() | {
            "image_shape": self.image_shape,
            "levels": self.levels,
            "num_classes": self.num_classes,
            "base": self.base,
            "optimizer": self.optimizer_name,
            "noise_dim": self.noise_dim,
            "generator_width": self.generator_width,
            "discriminator_width": self.discriminator_width,
            "base_widths": self.base_widths,
            "steps_per_epoch": self.steps_per_epoch,
            "augment": self.augment,
            "ema_decay": self.ema_decay,
        }
