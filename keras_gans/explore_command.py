"""`keras-gans arithmetic | manifold | outliers`: see `keras_gans.explore`."""

import argparse
from collections.abc import Callable
from typing import Any

# What a verb is called where a model lacks it.
VERBS = {"draw_latents": "make images of latents", "score": "score images"}
MOST_SAMPLES = 100_000  # whose latents are drawn to pick some by number


def add_parsers(command: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the commands.

    Args:
        command: Of name, function, words and example, the parser to add
            arguments to.
    """
    added = command(
        "arithmetic",
        run_arithmetic,
        "mean(A) - mean(B) + mean(C) of latents, by the numbers of samples in "
        "what `generate` makes of the same seed.",
        "dcgan_mnist --a 3 7 12 --b 1 4 9 --c 0 2 5 --seed 0",
    )
    added.add_argument("name")
    for group in "abc":
        added.add_argument(
            f"--{group}",
            type=int,
            nargs="+",
            required=True,
            metavar="NUMBER",
            help="of samples, from 0",
        )
    added.add_argument("--seed", type=int, default=0)
    added.add_argument("--label", type=int, help="of a model of classes")
    _add_picture(added, "arithmetic.png")

    added = command(
        "manifold",
        run_manifold,
        "A map of a latent space of 2 dimensions.",
        "./my_vae -n 20 --out manifold.png",
    )
    added.add_argument("name")
    added.add_argument("-n", type=int, default=20, help="images a side")
    added.add_argument("--label", type=int, help="of a model of classes")
    _add_picture(added, "manifold.png")

    added = command(
        "outliers",
        run_outliers,
        "How well a model's bound of log p(x) tells other images from those "
        "that it was trained on; prints the AUROC.",
        "vae_mnist --known mnist --known-dir mnist --others fashion_mnist "
        "--others-dir fashion",
    )
    added.add_argument("name")
    for group in ("known", "others"):
        added.add_argument(
            f"--{group}", required=True, help="a data set or folder"
        )
        added.add_argument(f"--{group}-dir", help="where its files are")
    added.add_argument("-n", type=int, default=1000, help="images of each")
    added.add_argument("-k", type=int, default=1, help="importance samples")
    _add_picture(added, "outliers.png", scale=False)


def _add_picture(
    added: argparse.ArgumentParser, out: str, scale: bool = True
) -> None:
    added.add_argument("--out", default=out, help="the picture")
    if scale:
        added.add_argument("--scale", type=int, default=1)


def able_to(name: str, verb: str) -> Any:
    """The model of that name, or a `ValueError` if it lacks the verb."""
    import keras_gans

    model = keras_gans.load(name)
    if not hasattr(model, verb):
        others = (
            "generate",
            "interpolate",
            "translate",
            "reconstruct",
            "predict",
        )
        known = next(other for other in others if hasattr(model, other))
        raise ValueError(
            f"Expected a model that can {VERBS.get(verb, verb)}. Received: "
            f"{name!r}, of the kind {type(model).__name__}, which can {known}. "
            "`keras-gans list` names others."
        )
    return model


def run_arithmetic(options: argparse.Namespace) -> None:
    import numpy as np

    from keras_gans.arguments import check_counts
    from keras_gans.explore import arithmetic

    numbers = [options.a, options.b, options.c]
    largest = max(max(group) for group in numbers)
    for number in (min(map(min, numbers)), largest):
        if not 0 <= number < MOST_SAMPLES:
            raise ValueError(
                "Expected --a, --b and --c as numbers of samples, from 0 to "
                f"{MOST_SAMPLES - 1}. Received: {number}. Look them up in what "
                "`keras-gans generate` makes of the same seed."
            )
    check_counts(scale=options.scale)
    model = able_to(options.name, "draw_latents")
    z = model.draw_latents(largest + 1, options.seed)
    groups = [z[np.array(group)] for group in numbers]
    arithmetic(model, *groups, options.out, options.scale, options.label)
    print(options.out)


def run_manifold(options: argparse.Namespace) -> None:
    from keras_gans.arguments import check_counts
    from keras_gans.explore import manifold

    check_counts(scale=options.scale)
    model = able_to(options.name, "generate")
    manifold(model, options.out, options.n, options.scale, options.label)
    print(options.out)


def run_outliers(options: argparse.Namespace) -> None:
    import numpy as np

    from keras_gans import datasets
    from keras_gans.arguments import check_counts
    from keras_gans.explore import outliers

    check_counts(n=options.n, k=options.k)
    model = able_to(options.name, "score")
    images = []
    for name, folder in (
        (options.known, options.known_dir),
        (options.others, options.others_dir),
    ):
        split = "test" if name in datasets.HAVE_TEST_SPLIT else "train"
        data = datasets.load(
            name, split, data_dir=folder, image_shape=model.image_shape
        )
        some = np.random.default_rng(0).permutation(len(data))[: options.n]
        images.append(data.part(np.sort(some)).arrays())
    (known, known_labels), (others, other_labels) = images
    given = {}
    if model.takes_labels:
        given = {"known_labels": known_labels, "other_labels": other_labels}
    found = outliers(model, known, others, options.out, options.k, **given)
    print(f"AUROC {found.auroc:.4f}")
    print(options.out)
