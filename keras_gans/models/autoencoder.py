"""Reducing the Dimensionality of Data with Neural Networks.

Geoffrey E. Hinton, Ruslan R. Salakhutdinov, 2006. Science 313, 504-507.

The autoencoder, and two of its relatives: denoising (Pascal Vincent, Hugo
Larochelle, Yoshua Bengio, Pierre-Antoine Manzagol, 2008: reconstruct x from a
corrupted x~) and sparse (Andrew Ng, CS294A lecture notes, 2011: few units of
the code are on at once). They are what a VAE is compared with.

Deviations:
- Hinton and Salakhutdinov stack Boltzmann machines to start from, and minimise
  with conjugate gradients. Here all weights start from Glorot's law and are
  trained at once by Adam, as is usual since.
- Theirs is 784-1000-500-250-30, of logistic units; ours 784-500-250-30, of
  rectified ones, unless `widths` and `activation` say so.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from keras_gans.arguments import (
    check_counts,
    check_image_shape,
    check_weights,
    check_widths,
)
from keras_gans.backend import SeedGenerator, minimize, portable
from keras_gans.images import grid
from keras_gans.inputs import Contract, as_array
from keras_gans.layers import full
from keras_gans.models.base import GenerativeModel
from keras_gans.registry import register, unknown

CORRUPTIONS = ("masking", "gaussian")
SPARSITIES = ("l1", "kl")
LOSSES = ("cross_entropy", "squared_error")


def dense(x: Any, units: int, activation: str | None) -> Any:
    return layers.Dense(units, activation)(x)


def build_encoder(
    image_shape: tuple[int, int, int],
    code_dim: int,
    widths: Sequence[int],
    activation: str | None,
    code_activation: str | None,
) -> keras.Model:
    """Image [batch, h, w, c] -> code [batch, code_dim]."""
    image = keras.Input(image_shape, name="images")
    x = layers.Flatten()((image + 1.0) / 2.0)
    for width in widths:
        x = dense(x, width, activation)
    code = full(dense(x, code_dim, code_activation))
    return keras.Model(image, code, name="encoder")


def build_decoder(
    image_shape: tuple[int, int, int],
    code_dim: int,
    widths: Sequence[int],
    activation: str | None,
) -> keras.Model:
    """Code -> pixels [batch, h, w, c], as logits or as they are."""
    x = code = keras.Input((code_dim,), name="codes")
    for width in widths[::-1]:
        x = dense(x, width, activation)
    x = dense(x, int(np.prod(image_shape)), None)
    pixels = full(layers.Reshape(image_shape)(x))
    return keras.Model(code, pixels, name="decoder")


@register("autoencoder")
class Autoencoder(GenerativeModel):
    """Autoencoder (Hinton and Salakhutdinov 2006); denoising; sparse.

    min E[L(x, g(f(x~)))] + weight E[sparsity of f(x~)], x~ = x unless it is
    corrupted.

    Args:
        image_shape: `(height, width, channels)`, any.
        code_dim: Length of the code f(x). The paper's: 30.
        widths: Units of each hidden layer of the encoder; the decoder has them
            from last to first. () for none. The paper's: (1000, 500, 250).
        activation: Of hidden layers; None for a linear autoencoder, whose code
            spans the principal subspace where the loss is "squared_error".
        loss: "cross_entropy", of pixels in [0, 1] that are sigmoids, as in the
            paper; or "squared_error", half of the sum over pixels.
        corruption: "masking" (pixels are turned black, Vincent et al.),
            "gaussian" (noise is added), or None.
        noise: Share of pixels that are masked, or sigma in units of [0, 1].
        sparsity: "l1" (sum of absolute codes), "kl" (from `target` to the mean
            of each unit, whose activation is a sigmoid then), or None.
        sparsity_weight: Of that term.
        target: rho, how often a unit is to be on, in (0, 1).

    Raises:
        ValueError: If an argument is out of its range.

    `fit` takes float32 `[n, height, width, channels]` in [-1, 1] and shows
    `loss`, `reconstruction` and, where it is asked for, `sparsity`, a mean over
    images of sums over pixels. `evaluate` and `validation_data` give the same,
    of images that are not corrupted.

    Example:

    ```python
    model = keras_gans.Autoencoder(corruption="masking", noise=0.3)
    images, labels = keras_gans.datasets.mnist_5k()
    model.fit(images, batch_size=100, epochs=20)
    codes = model.encode(images)
    ```
    """

    use = "images = model.reconstruct(images)"
    shows = "digits, and what came back of them"

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (28, 28, 1),
        code_dim: int = 30,
        widths: Sequence[int] = (500, 250),
        activation: str | None = "relu",
        loss: str = "cross_entropy",
        corruption: str | None = None,
        noise: float = 0.25,
        sparsity: str | None = None,
        sparsity_weight: float = 1.0,
        target: float = 0.05,
        name: str = "autoencoder",
    ):
        check_counts(code_dim=code_dim)
        widths = check_widths(widths)
        check_weights(noise=noise, sparsity_weight=sparsity_weight)
        for kind, value, choices in (
            ("loss", loss, LOSSES),
            ("corruption", corruption, CORRUPTIONS),
            ("sparsity", sparsity, SPARSITIES),
        ):
            if value not in choices and (value is not None or kind == "loss"):
                raise ValueError(unknown(kind, value, [*choices]))
        if corruption == "masking" and noise > 1:
            raise ValueError(
                "Expected `noise` as a share of pixels, from 0 to 1. Received: "
                f"noise={noise}. Take corruption='gaussian' for a sigma."
            )
        check_weights(target=target)
        if not 0.0 < target < 1.0:
            raise ValueError(
                "Expected `target` between 0 and 1, how often a unit is on. "
                f"Received: target={target}. A usual value is 0.05."
            )
        parts = ("loss", "reconstruction")
        if sparsity is not None:
            parts = (*parts, "sparsity")
        super().__init__(check_image_shape(image_shape), parts, name)
        self.code_dim = int(code_dim)
        self.widths = widths
        self.activation = activation
        self.loss_name = loss
        self.corruption = corruption
        self.noise = noise
        self.sparsity = sparsity
        self.sparsity_weight = sparsity_weight
        self.target = target
        self.seed_generator = SeedGenerator()
        shared = (self.image_shape, self.code_dim, self.widths, activation)
        code_activation = "sigmoid" if sparsity == "kl" else None
        self.encoder = build_encoder(*shared, code_activation)
        self.decoder = build_decoder(*shared)

    @property
    def players(self) -> dict[str, list[keras.Variable]]:
        networks = (self.encoder, self.decoder)
        variables = [v for n in networks for v in n.trainable_variables]
        return {"autoencoder_optimizer": variables}

    def default_optimizers(self) -> dict[str, keras.optimizers.Optimizer]:
        return {"autoencoder_optimizer": keras.optimizers.Adam(1e-3)}

    # === Training ===

    @portable
    def train_step(self, data: Any) -> dict[str, Any]:
        images, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        corrupted = self.corrupted(images)
        loss, parts = minimize(
            lambda: self.objective(corrupted, images),
            self.autoencoder_optimizer,
            self.players["autoencoder_optimizer"],
        )
        return self.report(ops.shape(images)[0], loss=loss, **parts)

    @portable
    def test_step(self, data: Any) -> dict[str, Any]:
        images, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        loss, parts = self.objective(images, images)
        return self.report(ops.shape(images)[0], loss=loss, **parts)

    def corrupted(self, images: Any) -> Any:
        """x~ of x, both in [-1, 1] but for noise that is added."""
        shape = ops.shape(images)
        if self.corruption == "masking":
            u = keras.random.uniform(shape, seed=self.seed_generator)
            return ops.where(u < self.noise, -ops.ones_like(images), images)
        if self.corruption == "gaussian":
            e = keras.random.normal(shape, seed=self.seed_generator)
            return images + 2.0 * self.noise * ops.cast(e, images.dtype)
        return images

    def objective(self, seen: Any, images: Any) -> tuple[Any, dict[str, Any]]:
        """What is minimised, of what the encoder sees, and its parts."""
        code = self.encoder(seen)
        said = self.decoder(code)
        x = (images + 1.0) / 2.0
        if self.loss_name == "cross_entropy":
            # - x log p - (1 - x) log(1 - p), for p = sigmoid(said)
            errors = ops.softplus(said) - x * said
        else:
            errors = 0.5 * ops.square(x - said)
        reconstruction = ops.mean(ops.sum(errors, axis=(1, 2, 3)))
        parts = {"reconstruction": reconstruction}
        if self.sparsity is None:
            return reconstruction, parts
        if self.sparsity == "l1":
            parts["sparsity"] = ops.mean(ops.sum(ops.abs(code), axis=-1))
        else:
            parts["sparsity"] = kl_of_units(self.target, code)
        loss = reconstruction + self.sparsity_weight * parts["sparsity"]
        return loss, parts

    # === Codes ===

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Images through their codes, `[batch, height, width, channels]`."""
        return self.image_of(self.decoder(self.encoder(inputs)))

    def image_of(self, said: Any) -> Any:
        """What the decoder says of pixels, as an image in [-1, 1]."""
        if self.loss_name == "cross_entropy":
            return 2.0 * ops.sigmoid(said) - 1.0
        return ops.clip(2.0 * said - 1.0, -1.0, 1.0)

    def encode(self, images: Any, *, batch_size: int = 500) -> np.ndarray:
        """Codes, float32 `[n, code_dim]`, of images in [-1, 1].

        Raises:
            ValueError: If the images are not what the model takes.
        """
        x = as_array(images)
        Contract.of(self).check_images(x)
        x = x.astype(np.float32)
        return self.infer(self.encoder, x, batch_size=batch_size)

    def decode(self, codes: Any, *, batch_size: int = 500) -> np.ndarray:
        """Images, float32 in [-1, 1], of codes `[n, code_dim]`.

        Raises:
            ValueError: If the codes have another shape, or are not finite.
        """
        codes = as_array(codes)
        shaped = codes.ndim == 2 and codes.shape[1] == self.code_dim
        numbers = codes.dtype.kind in "fiu" and np.isfinite(codes).all()
        if not shaped or not len(codes) or not numbers:
            got = f"shape={codes.shape} of {codes.dtype}"
            got += "" if numbers else ", not all of them finite numbers"
            raise ValueError(
                f"Expected finite codes of shape [n, {self.code_dim}]. "
                f"Received: {got}. Make some with `model.encode(images)`."
            )
        codes = codes.astype(np.float32)
        said = self.infer(self.decoder, codes, batch_size=batch_size)
        return ops.convert_to_numpy(self.image_of(said)).astype(np.float32)

    def reconstruct(self, images: Any, *, batch_size: int = 500) -> np.ndarray:
        """Images through their codes, of the same shape.

        Raises:
            ValueError: If the images are not what the model takes.
        """
        codes = self.encode(images, batch_size=batch_size)
        return self.decode(codes, batch_size=batch_size)

    # === Entries of the zoo ===

    @property
    def needed_networks(self) -> list[keras.Model]:
        return [self.encoder, self.decoder]

    def probe(self, network: keras.Model) -> np.ndarray:
        rng = np.random.default_rng(0)
        images = rng.uniform(-1.0, 1.0, (64, *self.image_shape))
        images = images.astype(np.float32)
        return images if network is self.encoder else self.encode(images)

    def progress(self, data: Any) -> np.ndarray:
        """Rows of 8 images, each above what came back of it."""
        x = data.part(slice(32)).arrays()[0]
        x = x[: max(8, len(x) // 8 * 8)]
        made = self.reconstruct(x)
        columns = min(8, len(x))
        rows = [
            part[i : i + columns]
            for i in range(0, len(x), columns)
            for part in (x, made)
        ]
        return grid(np.concatenate(rows), columns)

    def export(self, filepath: Any, *args: Any, **kwargs: Any) -> Any:
        """Export images -> reconstructions, as `keras.Model.export`."""
        image = self.encoder.inputs[0]
        whole = keras.Model(image, self.call(image))
        return whole.export(filepath, *args, **kwargs)

    def get_config(self) -> dict:
        return self.base_config() | {
            "image_shape": self.image_shape,
            "code_dim": self.code_dim,
            "widths": list(self.widths),
            "activation": self.activation,
            "loss": self.loss_name,
            "corruption": self.corruption,
            "noise": self.noise,
            "sparsity": self.sparsity,
            "sparsity_weight": self.sparsity_weight,
            "target": self.target,
        }


def kl_of_units(target: float, code: Any) -> Any:
    """Sum over units of KL(rho || rho_j), rho_j the batch's mean of unit j."""
    on = ops.clip(ops.mean(code, axis=0), 1e-6, 1.0 - 1e-6)
    off = 1.0 - on
    return ops.sum(
        target * (np.log(target) - ops.log(on))
        + (1.0 - target) * (np.log1p(-target) - ops.log(off))
    )
