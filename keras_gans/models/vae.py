"""Auto-Encoding Variational Bayes.

Diederik P. Kingma, Max Welling, 2014. arXiv:1312.6114.

With k > 1 it is trained on the bound of Importance Weighted Autoencoders (Yuri
Burda, Roger Grosse, Ruslan Salakhutdinov, 2016. arXiv:1509.00519); `beta` is
that of beta-VAE (Irina Higgins et al., 2017).

Networks, initialisers and optimizers are those of three programs: "mlp" of
pytorch/examples (`vae/main.py`, 652,824 trainable parameters), "iwae" of the
IWAE's authors (yburda/iwae, one stochastic layer: 425,284), "convolutional" of
keras.io's example (69,076 and 65,089).

Deviations:
- Losses are means over a batch, in nats an image; the programs sum. Adam can
  tell by its epsilon alone, which is divided by their batch size.
- The bound with k = 1 has the closed form of its KL term (eq. 10); the IWAE's
  code estimates it from the sample.
- Adam's second moments start from zero; the IWAE's code starts them from one.
- `binarise`: pytorch/examples and keras.io take grey levels for probabilities,
  which is no likelihood. So does this by default.
- "gaussian": mean and log variance are linear in the last hidden layer (app.
  C.2); sigma is at least one grey level, so that no density is infinite.
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_gans import backend
from keras_gans.arguments import (
    check_counts,
    check_positive,
    check_weights,
    check_widths,
)
from keras_gans.backend import minimize, portable
from keras_gans.inputs import Contract, as_array
from keras_gans.layers import bare
from keras_gans.models.latent import LatentModel
from keras_gans.models.vae_networks import (
    FLOOR,
    NETWORKS,
    build_generator,
    pixels_of,
)
from keras_gans.registry import register, unknown

LIKELIHOODS = ("bernoulli", "gaussian")
AT_ONCE = 8_000_000  # numbers of a layer, at most, when scores are computed
TEST_SEED = 0
LOG_2PI = float(np.log(2.0 * np.pi))


@register("vae")
class VAE(LatentModel):
    """Variational autoencoder (Kingma and Welling 2014).

    max E_q[log p(x | z)] - beta KL(q(z | x) || p(z)), eq. 3; with k > 1
    max E[log 1/k sum_i p(x, z_i) / q(z_i | x)], eq. 8 of the IWAE.

    Args:
        image_shape: `(height, width, channels)`; sides that are divisible by
            4 for "convolutional", any for the others.
        network: "mlp" (784-400-20), "iwae" (784-200-200-50, tanh), or
            "convolutional".
        latent_dim: Length of z ~ N(0, 1). Defaults to the network's: 20; 50;
            2.
        widths: Units, or filters, of each hidden layer of the encoder; the
            decoder has them from last to first. Defaults to the network's.
        likelihood: "bernoulli", of pixels that are on or off, or "gaussian",
            with a mean and a variance of each pixel.
        binarise: Draw each pixel, on with its grey level as the probability,
            each time that an image is seen. For "bernoulli" alone.
        beta: Weight of the KL term. The paper's: 1.
        k: Importance samples of the bound that is trained on. The paper's: 1.
        num_classes: Of labels, which encoder and decoder are told; None for an
            unconditional model.
        learning_rate: Of Adam. Defaults to the network's: 1e-3; the IWAE's
            eight stages, from 1e-3 to 1e-4 in 3,280 epochs of 2,980 steps,
            with its beta_1 of 0.99 and epsilon of 5e-6. With a rate of your
            own, those are Keras's.
        decay_steps: Steps over which `learning_rate` falls to zero along a
            cosine; 0 for none.

    Raises:
        ValueError: If an argument is out of its range, or the network cannot
            make that shape.

    `fit` takes float32 `[n, height, width, channels]` in [-1, 1], with labels
    where there are classes, and shows `loss` (the bound's negative),
    `reconstruction` (-E log p(x | z)) and `kl`, in nats an image. `evaluate`
    and `validation_data` give the same of held-out images, with the same noise
    each time.

    Example:

    ```python
    vae = keras_gans.VAE(image_shape=(28, 28, 1), binarise=True)
    images, labels = keras_gans.datasets.mnist_5k()
    vae.fit(images[:4500], batch_size=128, epochs=20)
    vae.score(images[4500:], k=100).mean()  # of log p(x), in nats
    ```
    """

    use = "images = model.generate(64, seed=0)\nmean, _ = model.encode(images)"
    # What `fit` shows, the bound first.
    shown_values = ("loss", "reconstruction", "kl")

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (28, 28, 1),
        network: str = "mlp",
        latent_dim: int | None = None,
        widths: tuple[int, ...] | None = None,
        likelihood: str = "bernoulli",
        binarise: bool = False,
        beta: float = 1.0,
        k: int = 1,
        num_classes: int | None = None,
        learning_rate: float | None = None,
        decay_steps: int = 0,
        name: str = "vae",
    ):
        if network not in list(NETWORKS):
            raise ValueError(unknown("network", network, [*NETWORKS]))
        if likelihood not in LIKELIHOODS:
            raise ValueError(unknown("likelihood", likelihood, [*LIKELIHOODS]))
        check_counts(k=k)
        check_counts(0, decay_steps=decay_steps)
        check_weights(beta=beta)
        if learning_rate is not None:
            check_positive(learning_rate=learning_rate)
        kind = NETWORKS[network]
        widths = kind.widths if widths is None else widths
        widths = check_widths(widths, least=int(network == "convolutional"))
        check_fits(likelihood, binarise, beta, k, learning_rate, decay_steps)
        super().__init__(
            image_shape,
            kind.latent_dim if latent_dim is None else latent_dim,
            prior="normal",
            metrics=self.shown_values,
            name=name,
            num_classes=num_classes,
        )
        self.network = network
        self.widths = widths
        self.likelihood = likelihood
        self.binarise = binarise
        self.beta = beta
        self.k = k
        self.learning_rate = learning_rate
        self.decay_steps = decay_steps
        shared = (self.image_shape, self.latent_dim, widths, num_classes)
        self.encoder = kind.build_encoder(*shared, kind)
        heads = 2 if likelihood == "gaussian" else 1
        decoder = kind.build_decoder(*shared, heads, kind)
        self.generator = build_generator(
            decoder, self.image_shape[-1], likelihood
        )
        self.test_seeds = backend.SeedGenerator(TEST_SEED)

    @property
    def decoder(self) -> keras.Model:
        """z -> logits of pixels, or their means and log variances."""
        return self.generator.get_layer("decoder")

    @property
    def players(self) -> dict[str, list[keras.Variable]]:
        networks = (self.encoder, self.generator)
        variables = [v for n in networks for v in n.trainable_variables]
        return {"vae_optimizer": variables}

    def default_optimizers(self) -> dict[str, keras.optimizers.Optimizer]:
        schedules = keras.optimizers.schedules
        rate, beta_1, epsilon = self.learning_rate or 1e-3, 0.9, 1e-7
        if self.network == "mlp":
            # PyTorch's, whose loss is a sum over 128; see `torch_adam`.
            epsilon = 1e-8 * 0.001**0.5 / 128
        elif self.network == "iwae" and self.learning_rate is None:
            beta_1, epsilon = 0.99, 1e-4 / 20
            # Keras keeps a rate up to and with the step that is named.
            ends = np.cumsum([3**i * 2980 for i in range(7)]) - 1
            stages = [1e-4 * round(10 ** (1 - i / 7), 1) for i in range(8)]
            rate = schedules.PiecewiseConstantDecay(ends.tolist(), stages)
        if self.decay_steps:
            rate = schedules.CosineDecay(rate, self.decay_steps)
        adam = keras.optimizers.Adam(rate, beta_1, 0.999, epsilon=epsilon)
        return {"vae_optimizer": adam}

    def adapt(self, images: np.ndarray) -> None:
        """Set the last bias so that a blank decoder makes the mean image.

        b = log(p / (1 - p)) for the mean pixel p of the training set, clipped
        to [0.001, 0.999], as the IWAE's authors start (of a Gaussian, b = p);
        nothing in the other networks. `fit` does it before the first step where
        it is given an array; with a data set, call it yourself with a sample.

        Args:
            images: float32 `[n, height, width, channels]` in [-1, 1].

        Raises:
            ValueError: If the images are not what the model makes.
        """
        if self.is_adapted():
            return
        images = np.asarray(ops.convert_to_numpy(images))
        Contract.of(self).check_images(images)
        mean = np.mean(images, axis=0, dtype=np.float64)
        p = np.clip((mean + 1.0) / 2.0, 0.001, 0.999)
        if self.likelihood == "bernoulli":
            bias = np.log(p) - np.log1p(-p)
        else:  # and log variances as they were
            bias = np.concatenate([p, np.zeros_like(p)], axis=-1)
        self.decoder.get_layer("pixels").bias.assign(bias.reshape(-1))

    def is_adapted(self) -> bool:
        if not NETWORKS[self.network].adapts:
            return True
        bias = self.decoder.get_layer("pixels").bias
        return bool(np.any(ops.convert_to_numpy(bias) != 0))

    # === Training ===

    @portable
    def train_step(self, data: Any) -> dict[str, Any]:
        images, labels, _ = keras.utils.unpack_x_y_sample_weight(data)
        self.count_classes(labels)
        n = ops.shape(images)[0]
        images = self.observed(images, self.seed_generator)
        epsilon = self.sample_noise(n, self.seed_generator)
        loss, parts = minimize(
            lambda: self.negative_bound(images, labels, epsilon),
            self.vae_optimizer,
            self.players["vae_optimizer"],
        )
        return self.report(n, loss=loss, **parts)

    @portable
    def test_step(self, data: Any) -> dict[str, Any]:
        images, labels, _ = keras.utils.unpack_x_y_sample_weight(data)
        n = ops.shape(images)[0]
        images = self.observed(images, self.test_seeds)
        epsilon = self.sample_noise(n, self.test_seeds)
        loss, parts = self.negative_bound(images, labels, epsilon)
        return self.report(n, loss=loss, **parts)

    def reset_metrics(self) -> None:
        """Start means anew, and the noise of `evaluate`."""
        super().reset_metrics()
        self.test_seeds.state.assign([TEST_SEED, 0])

    def observed(self, images: Any, seed: Any) -> Any:
        """Images as the likelihood sees them: with pixels drawn, or as is."""
        if not self.binarise:
            return images
        grey = pixels_of(images)
        on = keras.random.uniform(ops.shape(images), seed=seed) < grey
        return 2.0 * ops.cast(on, images.dtype) - 1.0

    def sample_noise(self, n: Any, seed: Any) -> Any:
        """epsilon of N(0, 1), `[n, k, latent_dim]`."""
        return keras.random.normal((n, self.k, self.latent_dim), seed=seed)

    def negative_bound(
        self, images: Any, labels: Any, epsilon: Any
    ) -> tuple[Any, dict[str, Any]]:
        """What is minimised, and its parts, means over a batch in nats.

        Args:
            images: `[batch, height, width, channels]` in [-1, 1].
            labels: `[batch]`, or None.
            epsilon: Noise of N(0, 1), `[batch, k, latent_dim]`.
        """
        mean, log_variance = self.code_of(images, labels)
        kl = kl_from_prior(mean, log_variance)
        z = reparameterise(mean, log_variance, epsilon)
        log_p_x = self.log_likelihood(images, z, labels)
        reconstruction = -ops.mean(log_p_x)
        if self.k == 1:
            loss = reconstruction + self.beta * ops.mean(kl)
        else:
            log_w = log_p_x + log_ratio(z, log_variance, epsilon)
            log_k = float(np.log(self.k))
            loss = log_k - ops.mean(ops.logsumexp(log_w, axis=1))
        return loss, {"reconstruction": reconstruction, "kl": ops.mean(kl)}

    def code_of(self, images: Any, labels: Any) -> tuple[Any, Any]:
        """Mean and log variance of q(z | x), each `[batch, latent_dim]`."""
        given = [] if labels is None else [labels]
        return self.split(self.encoder(bare(images, *given)))

    def split(self, code: Any) -> tuple[Any, Any]:
        """What the encoder says, as mean and log variance."""
        scale = NETWORKS[self.network].spread_scale
        return code[:, : self.latent_dim], scale * code[:, self.latent_dim :]

    def log_likelihood(self, images: Any, z: Any, labels: Any) -> Any:
        """log p(x | z) of each sample, `[batch, k]`, for z `[batch, k, d]`."""
        height, width, channels = self.image_shape
        k = ops.shape(z)[1]
        given = [] if labels is None else [ops.repeat(labels, k)]
        flat = ops.reshape(z, (-1, self.latent_dim))
        said = self.decoder(bare(flat, *given))
        x = ops.reshape(pixels_of(images), (-1, height * width * channels))

        def rows(parameters):
            return ops.reshape(parameters, (-1, k, height * width * channels))

        first = rows(said[..., :channels])
        if self.likelihood == "bernoulli":
            # sum of x log p + (1 - x) log(1 - p), for p = sigmoid(logits)
            on = ops.einsum("bkd,bd->bk", first, x)
            return on - ops.sum(ops.softplus(first), axis=-1)
        s = FLOOR + ops.softplus(rows(said[..., channels:]) - FLOOR)
        squares = ops.square(x[:, None] - first) * ops.exp(-s)
        return -0.5 * ops.sum(LOG_2PI + s + squares, axis=-1)

    # === Codes ===

    def encode(
        self, images: Any, labels: Any = None, *, batch_size: int = 500
    ) -> tuple[np.ndarray, np.ndarray]:
        """Mean and log variance of q(z | x).

        Args:
            images: `[n, height, width, channels]` in [-1, 1].
            labels: Of each, for a conditional model.
            batch_size: Images encoded at once.

        Returns:
            Two float32 `[n, latent_dim]`.

        Raises:
            ValueError: If images or labels are not what the model takes.

        Example:

        ```python
        mean, log_variance = vae.encode(images)
        ```
        """
        x, given = self.checked(images, labels)
        return self.split(
            self.infer(self.encoder, x, *given, batch_size=batch_size)
        )

    def decode(
        self, latents: Any, labels: Any = None, *, batch_size: int = 500
    ) -> np.ndarray:
        """The mean image of p(x | z), `[n, height, width, channels]`.

        Args:
            latents: `[n, latent_dim]`.
            labels: Of each, or the class of all, for a conditional model.
            batch_size: Images decoded at once.

        Raises:
            ValueError: If latents or labels are not what the model takes.
        """
        Contract.of(self).check_labels(
            labels is not None, "decode(latents, labels)"
        )
        latents = self.check_latents(latents)
        return self.generate(
            latents=latents, labels=labels, batch_size=batch_size
        )

    def reconstruct(
        self, images: Any, labels: Any = None, *, batch_size: int = 500
    ) -> np.ndarray:
        """Images through the mean of their codes, of the same shape.

        Args:
            images: `[n, height, width, channels]` in [-1, 1].
            labels: Of each, for a conditional model.
            batch_size: Images at once.

        Raises:
            ValueError: If images or labels are not what the model takes.
        """
        mean, _ = self.encode(images, labels, batch_size=batch_size)
        return self.decode(mean, labels, batch_size=batch_size)

    def score(
        self,
        images: Any,
        k: int = 1,
        seed: int = 0,
        labels: Any = None,
        *,
        batch_size: int = 50,
        verbose: bool = False,
    ) -> np.ndarray:
        """A lower bound of log p(x), in nats; the tighter, the larger k.

        Of a conditional model, of log p(x | y).

        log 1/k sum_i p(x, z_i) / q(z_i | x), z_i of q(z | x): eq. 8 of the
        IWAE. Of a Gaussian likelihood it is a density, of pixels in [0, 1].

        Args:
            images: `[n, height, width, channels]` in [-1, 1]. Their pixels are
                drawn first where the model has `binarise`.
            k: Importance samples. Papers compare at 5,000.
            seed: Of the noise, and of the pixels.
            labels: Of each, for a conditional model.
            batch_size: Images at once.
            verbose: Show a progress bar.

        Returns:
            float64 `[n]`.

        Raises:
            ValueError: If k is less than 1, or images or labels are not what
                the model takes.

        Example:

        ```python
        vae.score(digits, k=5000).mean()
        ```
        """
        from scipy.special import logsumexp

        check_counts(k=k, batch_size=batch_size)
        check_counts(0, seed=seed)
        x, given = self.checked(images, labels, "score(images, labels=labels)")
        rng = np.random.default_rng(seed)
        if self.binarise:
            on = rng.random(x.shape, np.float32) < (x + 1.0) / 2.0
            x = 2.0 * on.astype(np.float32) - 1.0
        layers = (la for la in self.decoder.layers if la.weights)
        largest = max(int(np.prod(la.output.shape[1:])) for la in layers)
        samples = min(k, max(1, AT_ONCE // (batch_size * largest)))
        run = self._weights_of(samples)
        shape = (samples, self.latent_dim)
        bar = keras.utils.Progbar(len(x), unit_name="image")
        scores = []
        for i in range(0, len(x), batch_size):
            part = [array[i : i + batch_size] for array in (x, *given)]
            n = len(part[0])
            total = np.full((n, 1), -np.inf)  # log sum_i w_i
            for left in range(k, 0, -samples):
                epsilon = rng.standard_normal((n, *shape), dtype=np.float32)
                log_w = run(*part, epsilon)[:, :left].astype(np.float64)
                total = np.hstack([total, log_w])
                total = logsumexp(total, axis=1, keepdims=True)
            scores.append(total[:, 0] - np.log(k))
            if verbose:
                bar.add(n)
        return np.concatenate(scores)

    def _weights_of(self, samples: int) -> Callable[..., np.ndarray]:
        """Compiled: images, classes, noise -> log w_i `[batch, samples]`."""
        name = f"weights of {samples}"
        if name not in self.compiled_networks:
            epsilon = keras.Input((samples, self.latent_dim), name="epsilon")
            image, *labels = self.encoder.inputs
            given = labels[0] if labels else None
            mean, log_variance = self.code_of(image, given)
            z = reparameterise(mean, log_variance, epsilon)
            log_w = self.log_likelihood(image, z, given)
            log_w = log_w + log_ratio(z, log_variance, epsilon)
            network = keras.Model([image, *labels, epsilon], log_w)
            self.compiled_networks[name] = backend.inference(network)
        return self.compiled_networks[name]

    def checked(
        self, images: Any, labels: Any, call: str = "encode(images, labels)"
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        """Images as float32, and their classes in a list, or a `ValueError`."""
        x = as_array(images)
        contract = Contract.of(self)
        contract.check_images(x)
        contract.check_labels(labels is not None, call)
        return x.astype(np.float32), (
            [] if labels is None else self.given_labels(labels, len(x))
        )

    def get_config(self) -> dict:
        return self.base_config() | {
            "image_shape": self.image_shape,
            "network": self.network,
            "latent_dim": self.latent_dim,
            "widths": list(self.widths),
            "likelihood": self.likelihood,
            "binarise": self.binarise,
            "beta": self.beta,
            "k": self.k,
            "num_classes": self.num_classes,
            "learning_rate": self.learning_rate,
            "decay_steps": self.decay_steps,
        }


def reparameterise(mean: Any, log_variance: Any, epsilon: Any) -> Any:
    """z = mu + sigma epsilon, `[batch, k, latent_dim]`; section 2.4."""
    sigma = ops.exp(0.5 * log_variance)
    return mean[:, None] + sigma[:, None] * epsilon


def kl_from_prior(mean: Any, log_variance: Any) -> Any:
    """KL(N(mu, sigma^2) || N(0, 1)) in nats, `[batch]`; appendix B."""
    variance = ops.exp(log_variance)
    terms = 1.0 + log_variance - ops.square(mean) - variance
    return -0.5 * ops.sum(terms, axis=-1)


def log_ratio(z: Any, log_variance: Any, epsilon: Any) -> Any:
    """log p(z) - log q(z | x) of each sample, `[batch, k]`."""
    terms = ops.square(epsilon) + log_variance[:, None] - ops.square(z)
    return 0.5 * ops.sum(terms, axis=-1)


def check_fits(
    likelihood: str,
    binarise: bool,
    beta: float,
    k: int,
    learning_rate: float | None,
    decay_steps: int,
) -> None:
    """Raise a `ValueError` where arguments of a VAE do not go together."""
    if binarise and likelihood != "bernoulli":
        raise ValueError(
            "Expected `binarise` with likelihood='bernoulli' alone, of pixels "
            f"that are on or off. Received: likelihood={likelihood!r}. Leave "
            "it out."
        )
    if k > 1 and beta != 1:
        raise ValueError(
            "Expected beta=1 with k > 1: the importance-weighted bound has no "
            f"KL term to weigh. Received: beta={beta}, k={k}. Leave one out."
        )
    if decay_steps and learning_rate is None:
        raise ValueError(
            "Expected `learning_rate` beside `decay_steps`. Received: "
            f"decay_steps={decay_steps} alone. Give the rate to start from, "
            "1e-3 say."
        )
