"""StackGAN: Text to Photo-realistic Image Synthesis with Stacked GANs.

Han Zhang, Tao Xu, Hongsheng Li, Shaoting Zhang, Xiaogang Wang, Xiaolei Huang,
Dimitris Metaxas, 2017. arXiv:1612.03242.

Networks, initialisers, losses, optimizers and the order of a step are those of
the authors' PyTorch code (hanzhanggit/StackGAN-Pytorch, `code/model.py`,
`code/miscc/utils.py`, `code/trainer.py`). With `text_dim=1024` Stage-I has
20,020,832 and 12,407,425 parameters, Stage-II 37,130,480 (without the Stage-I
that it holds) and 159,889,538.

Deviations:
- Other sizes stack fewer or more stages; at 64x64 and 256x256 the networks are
  the originals.
- The discriminators return logits; the sigmoid is in the loss.
- Pictures are cropped to a square in their middle and resized bicubically; the
  authors' are squeezed into one, bilinearly.
- The frozen Stage-I runs with the batch's statistics, as the original, but its
  moving averages stay as they are: they are used when sampling.
- Adam's epsilon is PyTorch's 1e-8 at the first step and, in Keras's form, up to
  32 times smaller later, where only gradients below 1e-7 can tell.
- BatchNorm's moving variance, used when sampling, averages the batches' biased
  variances; PyTorch's averages the unbiased ones, larger by n / (n - 1).
"""

from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from keras_gans.arguments import check_counts, check_weights
from keras_gans.backend import minimize, portable, vjp
from keras_gans.losses import cross_entropy_to
from keras_gans.models.stackgan_networks import (
    build_discriminator,
    build_stage1_generator,
    build_stage2_generator,
)
from keras_gans.models.text import TextModel
from keras_gans.optimizers import torch_adam
from keras_gans.registry import register


@register("stackgan_stage1")
class StackGANStage1(TextModel):
    """The first stage: a sketch of a text's shapes and colours.

    Args:
        image_shape: `(size, size, channels)`, size a power of two from 16. The
            paper's: (64, 64, 3).
        text_dim: Width of a text's embedding. The paper's: 1024.
        condition_dim: N_g, width of c, which Conditioning Augmentation draws.
            The paper's: 128.
        noise_dim: N_z, width of z ~ N(0, 1). The paper's: 100.
        generator_width: Twice the filters next to the image. The code's: 192.
        discriminator_width: Filters next to the image. The code's: 96.
        kl_weight: lambda, eq. 4. The code's: 2.
        decay_epochs: After so many the learning rate is halved. The code's: 20.
        steps_per_epoch: Of that schedule. Defaults to what `fit` is given; in
            `compile` before it, to 646, COCO's in batches of 128.
        augment: What the discriminator's images go through, as in
            `keras_gans.augment.DiffAugment`; None, as the original: nothing.
        ema_decay: Keep `ema_generator`, a moving average of the generator with
            this decay, and sample from it. None, as the original: no average.
        text_encoder: "wordllama" (256 wide), or a function from texts to
            embeddings.

    Raises:
        ValueError: If an argument is out of its range.

    `fit` takes images and their texts, and shows `d_loss` (2 log 2 = 1.39 at
    chance), `g_loss` (log 2 = 0.69 at chance) and `kl`, unweighted.

    Example:

    ```python
    model = keras_gans.StackGANStage1()
    model.fit(images, captions, batch_size=64, epochs=120)
    flowers = model.generate(8, seed=0, texts=["a purple flower"])
    ```
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (64, 64, 3),
        text_dim: int = 256,
        condition_dim: int = 128,
        noise_dim: int = 100,
        generator_width: int = 192,
        discriminator_width: int = 96,
        kl_weight: float = 2.0,
        decay_epochs: int = 20,
        steps_per_epoch: int | None = None,
        augment: str | None = None,
        ema_decay: float | None = None,
        text_encoder: Any = "wordllama",
        name: str = "stackgan_stage1",
    ):
        check_counts(
            condition_dim=condition_dim,
            noise_dim=noise_dim,
            generator_width=generator_width,
            discriminator_width=discriminator_width,
            decay_epochs=decay_epochs,
        )
        check_counts(optional=True, steps_per_epoch=steps_per_epoch)
        check_weights(kl_weight=kl_weight)
        super().__init__(
            image_shape,
            noise_dim + condition_dim,
            text_dim,
            text_encoder,
            metrics=("d_loss", "g_loss", "kl"),
            name=name,
        )
        check_size(self.image_shape)
        self.condition_dim = condition_dim
        self.noise_dim = noise_dim
        self.generator_width = generator_width
        self.discriminator_width = discriminator_width
        self.kl_weight = kl_weight
        self.decay_epochs = decay_epochs
        self.steps_per_epoch = steps_per_epoch
        self.ema_decay = ema_decay
        self.generator = self.build_generator()
        self.discriminator = build_discriminator(
            self.image_shape,
            condition_dim,
            discriminator_width,
            unconditional=False,
        )
        self.keep_ema(ema_decay)
        self.use_augment(augment)

    def build_generator(self, name: str = "generator") -> keras.Model:
        """A new generator of this configuration."""
        return build_stage1_generator(
            self.image_shape,
            self.noise_dim,
            self.text_dim,
            self.condition_dim,
            self.generator_width,
            name,
        )

    def default_optimizers(self) -> dict[str, keras.optimizers.Optimizer]:
        return adams(self.decay_epochs, self.steps_per_epoch)

    @portable
    def train_step(self, data: Any) -> dict[str, Any]:
        real, embeddings, _ = keras.utils.unpack_x_y_sample_weight(data)
        batch_size = ops.shape(real)[0]
        variables = self.players["generator_optimizer"]

        # One generated batch for both players.
        latents = self.sample_latents(batch_size)
        generated = vjp(
            lambda: generate(self.generator, latents, embeddings), variables
        )
        (fake, mean, _), _ = generated

        # Update D: real images with their texts, with others' (wrong), and
        # generated ones: the matching-aware discriminator, eq. 3.
        def d_loss_fn():
            real_pairs, wrong_pairs, fake_pairs = judge_pairs(
                self.discriminator,
                self.augmented(real),
                self.augmented(fake),
                mean,
            )
            return cross_entropy_to(real_pairs, True) + 0.5 * (
                cross_entropy_to(fake_pairs, False)
                + cross_entropy_to(wrong_pairs, False)
            )

        d_loss, _ = minimize(
            d_loss_fn,
            self.discriminator_optimizer,
            self.discriminator.trainable_variables,
        )

        # Update G under the D that has just moved, eq. 4. What D is told of
        # the text, mu, is not for G to change.
        def g_loss_fn(fake, mean, log_variance):
            condition = ops.stop_gradient(mean)
            seen = [self.augmented(fake), condition]
            logits = self.discriminator(seen, training=True)
            g_loss = cross_entropy_to(logits, True)
            kl = kl_divergence(mean, log_variance)
            return g_loss + self.kl_weight * kl, (g_loss, kl)

        _, (g_loss, kl) = minimize(
            g_loss_fn, self.generator_optimizer, variables, through=generated
        )
        self.update_ema(
            lambda average: average([latents, embeddings], training=True)
        )
        return self.report(batch_size, d_loss=d_loss, g_loss=g_loss, kl=kl)

    def get_config(self) -> dict:
        return self.base_config() | {
            "image_shape": self.image_shape,
            "text_dim": self.text_dim,
            "condition_dim": self.condition_dim,
            "noise_dim": self.noise_dim,
            "generator_width": self.generator_width,
            "discriminator_width": self.discriminator_width,
            "kl_weight": self.kl_weight,
            "decay_epochs": self.decay_epochs,
            "steps_per_epoch": self.steps_per_epoch,
            "augment": self.augment,
            "ema_decay": self.ema_decay,
            "text_encoder": self.text_encoder.name,
        }


@register("stackgan")
class StackGANStage2(TextModel):
    """Both stages: the second corrects the first's sketch and adds detail.

    Args:
        stage1: A trained `StackGANStage1`, whose generator is copied and
            frozen; the name of one in the zoo, or its folder. Its arguments, a
            dict, build it untrained.
        image_shape: `(size, size, channels)`, size a power of two, larger than
            a quarter of Stage-I's. The paper's: (256, 256, 3).
        condition_dim: Width of this stage's own c. The paper's: 128.
        generator_width: Filters of the first layer. The code's: 192.
        discriminator_width: Filters next to the image. The code's: 96.
        num_blocks: Residual blocks. The code's: 2 (the paper's at 256: 4).
        kl_weight: lambda, eq. 6. The code's: 2.
        decay_epochs: After so many the learning rate is halved. The code's: 20.
        steps_per_epoch: Of that schedule. Defaults to what `fit` is given; in
            `compile` before it, to 2069, COCO's in batches of 40.
        augment, ema_decay: As in `StackGANStage1`.
        text_encoder: Defaults to that of Stage-I.

    Raises:
        ValueError: If an argument is out of its range.

    `fit` takes images and their texts, and shows `d_loss` (2 log 2 = 1.39 at
    chance), `g_loss` (2 log 2 at chance: conditional and unconditional) and
    `kl`, unweighted.

    Example:

    ```python
    model = keras_gans.StackGANStage2(stage1)
    model.fit(images, captions, batch_size=40, epochs=100)
    texts = ["a purple flower with a yellow centre"]
    flowers, sketches = model.generate(8, texts=texts, sketches=True)
    ```
    """

    def __init__(
        self,
        stage1: Any,
        image_shape: tuple[int, int, int] = (256, 256, 3),
        condition_dim: int = 128,
        generator_width: int = 192,
        discriminator_width: int = 96,
        num_blocks: int = 2,
        kl_weight: float = 2.0,
        decay_epochs: int = 20,
        steps_per_epoch: int | None = None,
        augment: str | None = None,
        ema_decay: float | None = None,
        text_encoder: Any = None,
        name: str = "stackgan",
    ):
        check_counts(
            condition_dim=condition_dim,
            generator_width=generator_width,
            discriminator_width=discriminator_width,
            decay_epochs=decay_epochs,
        )
        check_counts(0, num_blocks=num_blocks)
        check_counts(optional=True, steps_per_epoch=steps_per_epoch)
        check_weights(kl_weight=kl_weight)
        stage1 = as_stage1(stage1)
        super().__init__(
            image_shape,
            stage1.latent_dim + condition_dim,
            stage1.text_dim,
            text_encoder or stage1.text_encoder,
            metrics=("d_loss", "g_loss", "kl"),
            name=name,
        )
        check_size(self.image_shape, stage1.image_shape)
        self.stage1_config = stage1.get_config()
        self.condition_dim = condition_dim
        self.generator_width = generator_width
        self.discriminator_width = discriminator_width
        self.num_blocks = num_blocks
        self.kl_weight = kl_weight
        self.decay_epochs = decay_epochs
        self.steps_per_epoch = steps_per_epoch
        self.ema_decay = ema_decay
        self.generator = build_stage2_generator(
            frozen_copy(stage1),
            self.image_shape,
            condition_dim,
            generator_width,
            num_blocks,
        )
        self.discriminator = build_discriminator(
            self.image_shape,
            condition_dim,
            discriminator_width,
            unconditional=True,
        )
        self.keep_ema(ema_decay)
        self.use_augment(augment)

    @property
    def players(self) -> dict[str, list[keras.Variable]]:
        stage1 = self.generator.get_layer("stage1_g").trainable_variables
        frozen = {id(variable) for variable in stage1}
        own = [
            variable
            for variable in self.generator.trainable_variables
            if id(variable) not in frozen
        ]
        return super().players | {"generator_optimizer": own}

    def default_optimizers(self) -> dict[str, keras.optimizers.Optimizer]:
        return adams(self.decay_epochs, self.steps_per_epoch or 2069)

    @portable
    def train_step(self, data: Any) -> dict[str, Any]:
        real, embeddings, _ = keras.utils.unpack_x_y_sample_weight(data)
        batch_size = ops.shape(real)[0]
        variables = self.players["generator_optimizer"]

        # One generated batch for both players; Stage-I does not move.
        latents = self.sample_latents(batch_size)
        generated = vjp(
            lambda: generate(self.generator, latents, embeddings), variables
        )
        (fake, mean, _), _ = generated

        # Update D: as in Stage-I, eq. 5, and by the image alone.
        def d_loss_fn():
            real_pairs, wrong_pairs, fake_pairs, real_alone, fake_alone = (
                judge_pairs(
                    self.discriminator,
                    self.augmented(real),
                    self.augmented(fake),
                    mean,
                )
            )
            on_real = cross_entropy_to(real_pairs, True) + cross_entropy_to(
                real_alone, True
            )
            on_others = sum(
                cross_entropy_to(logits, False)
                for logits in (fake_pairs, wrong_pairs, fake_alone)
            )
            return on_real / 2.0 + on_others / 3.0

        d_loss, _ = minimize(
            d_loss_fn,
            self.discriminator_optimizer,
            self.discriminator.trainable_variables,
        )

        # Update G under the D that has just moved, eq. 6.
        def g_loss_fn(fake, mean, log_variance):
            condition = ops.stop_gradient(mean)
            seen = [self.augmented(fake), condition]
            logits = self.discriminator(seen, training=True)
            g_loss = sum(cross_entropy_to(each, True) for each in logits)
            kl = kl_divergence(mean, log_variance)
            return g_loss + self.kl_weight * kl, (g_loss, kl)

        _, (g_loss, kl) = minimize(
            g_loss_fn, self.generator_optimizer, variables, through=generated
        )
        self.update_ema(
            lambda average: average([latents, embeddings], training=True)
        )
        return self.report(batch_size, d_loss=d_loss, g_loss=g_loss, kl=kl)

    def generate(
        self,
        n: int = 8,
        seed: int | None = None,
        *,
        texts: Any = None,
        embeddings: Any = None,
        latents: np.ndarray | None = None,
        batch_size: int = 64,
        sketches: bool = False,
    ) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        """Make images of texts, as `TextModel.generate`.

        Args:
            n, seed, texts, embeddings, latents, batch_size: As there.
            sketches: Give `(images, sketches)`, with what Stage-I drew.
        """
        z, embeddings = self.conditions(n, seed, texts, embeddings, latents)
        images = self.infer(self.sampler, z, embeddings, batch_size=batch_size)
        if not sketches:
            return images
        stage1 = self.sampler.get_layer("stage1_g")
        drawn = self.infer(
            stage1,
            z[:, : -self.condition_dim],
            embeddings,
            batch_size=batch_size,
        )
        return images, drawn

    def get_config(self) -> dict:
        return self.base_config() | {
            "stage1": self.stage1_config,
            "image_shape": self.image_shape,
            "condition_dim": self.condition_dim,
            "generator_width": self.generator_width,
            "discriminator_width": self.discriminator_width,
            "num_blocks": self.num_blocks,
            "kl_weight": self.kl_weight,
            "decay_epochs": self.decay_epochs,
            "steps_per_epoch": self.steps_per_epoch,
            "augment": self.augment,
            "ema_decay": self.ema_decay,
            "text_encoder": self.text_encoder.name,
        }


# === What both stages share ===


def generate(
    generator: keras.Model, latents: Any, embeddings: Any
) -> tuple[Any, Any, Any]:
    """The images of a step, and the mu and log sigma^2 of their texts."""
    mean, log_variance = generator.get_layer("ca_net")(embeddings)
    fake = generator([latents, embeddings], training=True)
    return fake, mean, log_variance


def judge_pairs(
    discriminator: keras.Model, real: Any, fake: Any, mean: Any
) -> list[Any]:
    """Logits of real, wrong and fake pairs; in Stage-II then of images alone.

    `compute_discriminator_loss` of the code: a wrong pair is an image with the
    text of the next one in the batch. Each kind goes through the discriminator
    apart, with BatchNorm statistics of its own.
    """
    encode = discriminator.get_layer("encode_img")
    judge = discriminator.get_layer("get_cond_logits")
    real_features = encode(real, training=True)
    fake_features = encode(fake, training=True)
    logits = [
        judge([real_features, mean], training=True),
        judge([real_features[:-1], mean[1:]], training=True),
        judge([fake_features, mean], training=True),
    ]
    names = [layer.name for layer in discriminator.layers]
    if "get_uncond_logits" in names:
        judge = discriminator.get_layer("get_uncond_logits")
        logits += [judge(real_features), judge(fake_features)]
    return logits


def kl_divergence(mean: Any, log_variance: Any) -> Any:
    """D_KL(N(mu, sigma^2) || N(0, 1)), eq. 2, the mean over all numbers.

    -1/2 E[1 + log sigma^2 - mu^2 - sigma^2]; 0 at mu = 0, sigma = 1.
    """
    terms = 1.0 + log_variance - ops.square(mean) - ops.exp(log_variance)
    return -0.5 * ops.mean(terms)


def adams(
    decay_epochs: int, steps_per_epoch: int | None
) -> dict[str, keras.optimizers.Optimizer]:
    """Adam for both players, its rate halved every few epochs."""

    def adam():
        rate = keras.optimizers.schedules.ExponentialDecay(
            2e-4, decay_epochs * (steps_per_epoch or 646), 0.5, staircase=True
        )
        return torch_adam(rate)

    return {"discriminator_optimizer": adam(), "generator_optimizer": adam()}


def as_stage1(given: Any) -> StackGANStage1:
    """What `StackGANStage2` was given as a model, loaded or built."""
    if isinstance(given, (str, Path)):
        import keras_gans

        given = keras_gans.load(given)
    elif isinstance(given, dict):
        given = StackGANStage1.from_config(given)
    if not isinstance(given, StackGANStage1):
        raise ValueError(
            "Expected `stage1` as a StackGANStage1, the name of one in the "
            f"zoo, or its arguments. Received: {type(given).__name__}. Train "
            "one first: `keras_gans.StackGANStage1().fit(images, texts)`."
        )
    return given


def frozen_copy(stage1: StackGANStage1) -> keras.Model:
    """Its generator with its weights, whose moving statistics stay."""
    copy = stage1.build_generator(name="stage1_g")
    copy.set_weights(stage1.sampler.get_weights())
    for layer in copy.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = 1.0
    return copy


def check_size(
    image_shape: tuple[int, int, int],
    sketch_shape: tuple[int, int, int] | None = None,
) -> None:
    """Raise a `ValueError` where stages of doubling cannot make the shape."""
    height, width, channels = image_shape
    least = 16 if sketch_shape is None else max(16, sketch_shape[0] // 2)
    if height != width or height < least or height & (height - 1):
        raise ValueError(
            "Expected `image_shape` as a square with a side that is a power of "
            f"two from {least}. Received: image_shape={image_shape}. Resize or "
            f"crop the images, to (64, 64, {channels}) say."
        )
    if sketch_shape is not None and sketch_shape[2] != channels:
        raise ValueError(
            f"Expected `image_shape` with Stage-I's {sketch_shape[2]} "
            f"channels. Received: image_shape={image_shape}. Both stages make "
            "the same kind of image."
        )
