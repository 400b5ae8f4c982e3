"""What a latent space holds: arithmetic, a map of it, and outliers.

Each writes a picture. Walks from image to image are `model.interpolate`.
"""

import dataclasses
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_gans.arguments import check_counts
from keras_gans.files import writable_file, written_aside
from keras_gans.images import grid, save_png
from keras_gans.inputs import as_array
from keras_gans.models.latent import LatentModel


def arithmetic(
    model: keras.Model,
    a: Any,
    b: Any,
    c: Any,
    path: str | Path,
    scale: int = 1,
    labels: Any = None,
) -> np.ndarray:
    """mean(A) - mean(B) + mean(C) of latents, and the image that it makes.

    Radford et al. 2016, section 6.3.2: a smiling woman, less a woman, plus a
    man. A mean of a few latents is steadier than one of them.

    Args:
        model: That makes images of latents, with `generate(latents=...)`.
        a, b, c: float `[n, latent_dim]` each, n from 1 on; of a model with
            `encode`, images `[n, height, width, channels]`, too.
        path: The picture: a row each of A, B and C, what their mean makes at
            its end; below them what the result makes.
        scale: Whole number by which each pixel is enlarged.
        labels: The class of all of them, which a conditional model needs.

    Returns:
        The result's latent, float32 `[latent_dim]`.

    Raises:
        ValueError: If the path cannot be written, the model makes no images of
            latents alone, what is given is neither latents nor images, or the
            class of a conditional model is missing.

    Example:

    ```python
    z = gan.draw_latents(64, seed=0)  # those of gan.generate(64, seed=0)
    explore.arithmetic(gan, z[[3, 7]], z[[1, 4]], z[[9]], "sum.png")
    ```
    """
    path = writable_file(path)
    check_counts(scale=scale)
    check_makes_images_of_latents(model, labels)
    rows = [latents_of(model, x, labels) for x in (a, b, c)]
    means = [row.mean(axis=0) for row in rows]
    result = means[0] - means[1] + means[2]
    blank = np.ones((1, *model.image_shape), np.float32)  # white
    longest = max(map(len, rows)) + 1  # a gap before the mean
    shown = []
    for row, mean in zip(rows, means, strict=True):
        made = model.generate(latents=np.vstack([row, mean]), labels=labels)
        gap = np.repeat(blank, longest - len(row), axis=0)
        shown.append(np.concatenate([made[:-1], gap, made[-1:]]))
    made = model.generate(latents=result[None], labels=labels)
    shown.append(np.concatenate([np.repeat(blank, longest, axis=0), made]))
    save_png(path, grid(np.concatenate(shown), longest + 1), scale)
    return result


def check_makes_images_of_latents(model: keras.Model, labels: Any) -> None:
    """Raise a `ValueError` unless latents, and the class, are all it needs."""
    if not isinstance(model, LatentModel) or model.takes_text:
        raise ValueError(
            "Expected a model that makes images of latents alone. Received: "
            f"{type(model).__name__}. Take a GAN or a VAE."
        )
    if model.takes_labels and labels is None:
        raise ValueError(
            "Expected `labels`, the class of all images, of a conditional "
            "model: of each image another class is drawn without. Received: "
            "none. Pass `labels=0`, or `--label 0`."
        )
    if labels is not None:
        model.given_labels(labels, 1)


def latents_of(model: keras.Model, x: Any, labels: Any = None) -> np.ndarray:
    """Latents as they are; of images the means of their codes."""
    x = as_array(x)
    if x.ndim != 4 or not hasattr(model, "encode"):
        return model.check_latents(x)
    if isinstance(labels, (int, np.integer)):
        labels = np.full(len(x), labels)
    return model.encode(x, labels)[0]


def manifold(
    model: keras.Model,
    path: str | Path,
    n: int = 20,
    scale: int = 1,
    labels: Any = None,
) -> np.ndarray:
    """What a 2-D latent space holds, as a square of n x n images.

    The coordinates are the quantiles 1/2n, 3/2n, ... of the prior, so that each
    image stands for as much of it: Kingma and Welling 2014, figure 4.

    Args:
        model: With `latent_dim=2` and a normal prior.
        path: The picture. The first coordinate grows to the right, the second
            upwards.
        n: Images a side.
        scale: Whole number by which each pixel is enlarged.
        labels: The class of all of them, which a conditional model needs.

    Returns:
        The latents, float32 `[n, n, 2]`, rows from top to bottom.

    Raises:
        ValueError: If the path cannot be written, the latent space is another,
            or the class of a conditional model is missing.

    Example:

    ```python
    vae = keras_gans.VAE(latent_dim=2)
    vae.fit(keras_gans.datasets.mnist_5k()[0], epochs=50)
    explore.manifold(vae, "manifold.png")
    ```
    """
    from scipy.stats import norm

    path = writable_file(path)
    check_counts(2, n=n)
    check_counts(scale=scale)
    latent_dim = getattr(model, "latent_dim", None)
    prior = getattr(model, "prior", None)
    if latent_dim != 2 or prior != "normal":
        raise ValueError(
            "Expected a model with 2 latents of a normal prior. Received: "
            f"{type(model).__name__} with latent_dim={latent_dim}, "
            f"prior={prior!r}. Train `VAE(latent_dim=2)`."
        )
    check_makes_images_of_latents(model, labels)
    ticks = norm.ppf((np.arange(n) + 0.5) / n).astype(np.float32)
    z = np.stack(np.meshgrid(ticks, ticks[::-1]), axis=-1)
    images = model.generate(latents=z.reshape(-1, 2), labels=labels)
    save_png(path, grid(images, n, gap=0), scale)
    return z


@dataclasses.dataclass(frozen=True)
class Outliers:
    """How well a model's bound tells others from what it was trained on.

    Args:
        auroc: Probability that an image of another kind has the lower bound.
        known: log p(x) of known images, at least, float64 `[n]`.
        others: The same of the others.
    """

    auroc: float
    known: np.ndarray
    others: np.ndarray


def outliers(
    model: keras.Model,
    known: np.ndarray,
    others: np.ndarray,
    path: str | Path,
    k: int = 1,
    seed: int = 0,
    known_labels: Any = None,
    other_labels: Any = None,
) -> Outliers:
    """Score images by the bound of log p(x), and draw both histograms.

    Args:
        model: With `score`, a VAE.
        known: float `[n, height, width, channels]` in [-1, 1], of the kind that
            it was trained on.
        others: The same, of another kind.
        path: The picture: both histograms, and the images of both kinds that
            the model finds the least and the most likely.
        k: Importance samples of the bound.
        seed: Of the noise.
        known_labels: Of each known image, for a conditional model.
        other_labels: Of each of the others.

    Returns:
        The area under the ROC curve, and the scores.

    Raises:
        ValueError: If the path cannot be written, the model has no `score`, or
            images are not what it takes.

    Example:

    ```python
    found = explore.outliers(vae, digits, clothes, "outliers.png")
    found.auroc  # 0.99
    ```
    """
    path = writable_file(path)
    if not hasattr(model, "score"):
        raise ValueError(
            "Expected a model with a bound of log p(x). Received: "
            f"{type(model).__name__}. Take a VAE."
        )
    kinds = ((known, known_labels), (others, other_labels))
    for images, labels in kinds:  # both, before hours of work on one
        model.checked(images, labels, "score(images, labels=labels)")
    scores = [model.score(x, k=k, seed=seed, labels=y) for x, y in kinds]
    found = Outliers(auroc(*scores), *scores)
    _draw_outliers(found, known, others, path)
    return found


def auroc(known: np.ndarray, others: np.ndarray) -> float:
    """P(score of a known one > score of another); ties count half."""
    from scipy.stats import rankdata

    ranks = rankdata(np.concatenate([known, others]))
    n, m = len(known), len(others)
    return float((ranks[:n].sum() - n * (n + 1) / 2) / (n * m))


def _draw_outliers(
    found: Outliers, known: np.ndarray, others: np.ndarray, path: Path
) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 6), layout="constrained")
    axes = figure.subplot_mosaic(
        [["scores", "scores"], ["known", "others"]], height_ratios=(2, 1)
    )
    # Half a per cent may lie far below; the first bar has them.
    low, high = np.quantile(np.hstack([found.known, found.others]), (0.005, 1))
    bins = np.linspace(low, high if high > low else low + 1.0, 80)
    for name in ("known", "others"):
        values = np.maximum(getattr(found, name), low)
        axes["scores"].hist(values, bins, alpha=0.6, density=True, label=name)
    axes["scores"].set_xlabel("log p(x), at least, in nats; or less, at left")
    axes["scores"].set_ylabel("share of images a nat")
    axes["scores"].set_title(f"AUROC {found.auroc:.4f}")
    axes["scores"].legend()
    for name, images in (("known", known), ("others", others)):
        order = np.argsort(getattr(found, name))
        half = min(8, len(order) // 2)
        chosen = np.concatenate([order[:half], order[len(order) - half :]])
        if half:
            picture = grid(np.asarray(images)[chosen][..., :3], half)
            axes[name].imshow(picture.squeeze(), cmap="gray", vmin=0, vmax=255)
        axes[name].set_title(f"{name}: least likely, above most likely")
        axes[name].axis("off")
    with written_aside(path) as file:
        figure.savefig(file, format="png", dpi=120)
