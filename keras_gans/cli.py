"""The command line: `keras-gans list | card | generate | interpolate |
translate | train | evaluate | convert`.

A thin face over the Python interface.
"""

import argparse
import dataclasses
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from keras_gans.convert.command import add_parser as add_convert


def build_parser() -> argparse.ArgumentParser:
    """All commands with their arguments and an example each."""
    parser = argparse.ArgumentParser(
        prog="keras-gans",
        description="Generative models for Keras: load, sample and train.",
    )
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name, run, words, example):
        added = commands.add_parser(
            name,
            help=words,
            description=words,
            epilog=f"example: keras-gans {name} {example}",
        )
        added.set_defaults(run=run)
        return added

    added = command("list", run_list, "Names of trained models.", "'*_mnist'")
    added.add_argument("pattern", nargs="?", default="*")
    added.add_argument(
        "--models", action="store_true", help="architectures instead"
    )

    added = command("card", run_card, "What is known of one.", "dcgan_mnist")
    added.add_argument("name")
    added.add_argument("--json", action="store_true")

    for name, run, words, example in (
        (
            "generate",
            run_generate,
            "Make images: a PNG each, and a grid.",
            "dcgan_mnist -n 64 --seed 0 --out digits",
        ),
        (
            "interpolate",
            run_interpolate,
            "Walk from image to image: a strip of PNG.",
            "dcgan_mnist -n 4 --steps 10 --out walks",
        ),
    ):
        added = command(name, run, words, example)
        added.add_argument("name")
        added.add_argument(
            "-n", type=int, default=64 if name == "generate" else 4
        )
        added.add_argument("--seed", type=int)
        added.add_argument("--out", default="samples", help="folder")
        added.add_argument(
            "--scale", type=positive, default=1, help="enlarge pixels"
        )
        if name == "interpolate":
            added.add_argument("--steps", type=int, default=10)
            added.add_argument("--method", choices=("linear", "spherical"))

    added = command(
        "translate",
        run_translate,
        "Translate pictures from one domain to the other: a PNG each.",
        "cyclegan_horse2zebra horses/ --out zebras",
    )
    added.add_argument("name", help="a zoo name, or an entry's folder")
    added.add_argument("pictures", nargs="+", help="files, or folders of them")
    added.add_argument("--direction", choices=("AtoB", "BtoA"), default="AtoB")
    added.add_argument("--out", default="translations", help="folder")

    added = command(
        "train",
        run_train,
        "Train by a recipe; goes on where it was stopped.",
        "dcgan_mnist --data-dir mnist --out runs/dcgan_mnist",
    )
    added.add_argument("recipe", help="a zoo name, or a recipe file")
    added.add_argument("--out", help="folder; runs/<name> unless given")
    added.add_argument("--data", help="a folder of pictures, or a data set")
    added.add_argument("--data-dir", help="where the data set's files are")
    added.add_argument("--budget", help="of the recipe, by name")
    added.add_argument("--steps", type=positive, help="not the recipe's")
    added.add_argument("--licence", help="of the weights, for the card")
    added.add_argument("--skip-broken", action="store_true")

    added = command(
        "evaluate",
        run_evaluate,
        "Measure a model; prints a table and writes JSON.",
        "dcgan_mnist --metrics frechet_distance precision_recall "
        "--n 10000 --seeds 0 1 2 --data-dir mnist",
    )
    added.add_argument("name", help="a zoo name, or an entry's folder")
    added.add_argument(
        "--metrics", nargs="+", default=["frechet_distance"], metavar="NAME"
    )
    added.add_argument(
        "--n",
        type=int,
        help="samples a seed, 10000 unless given; of a model that translates, "
        "at most so many test images of each domain",
    )
    added.add_argument(
        "--seeds",
        type=int,
        nargs="+",
        help="0; of a model that translates, 0 to 4: of the floors' draws",
    )
    added.add_argument(
        "--extractor",
        help="lenet_mnist; for a model that translates, mobilenet_v1",
    )
    added.add_argument("--extractor-weights", help="a local file of them")
    added.add_argument(
        "--classes",
        nargs=2,
        metavar=("A", "B"),
        help="the extractor's classes of both domains, for class_share: names "
        "or numbers; known of horse2zebra",
    )
    added.add_argument("--data", help="a data set or folder; the card's else")
    added.add_argument("--data-dir", help="where the data set's files are")
    added.add_argument("--test-split", help="'test' unless given")
    added.add_argument("--validation-split", help="as in 'train[50000:]'")
    added.add_argument("--reference", help="statistics (npz) for the test set")
    added.add_argument("--out", help="JSON file; <name>_metrics.json else")
    added.add_argument(
        "--write-card", action="store_true", help="into the entry's card"
    )

    add_convert(command)
    return parser


def positive(text: str) -> int:
    """An argument that counts something."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not positive")
    return number


def run_list(options: argparse.Namespace) -> None:
    import keras_gans

    find = (
        keras_gans.list_models if options.models else keras_gans.list_pretrained
    )
    for name in find(options.pattern):
        print(name)


def run_card(options: argparse.Namespace) -> None:
    from keras_gans.cards import read_card
    from keras_gans.pretrained import find_entry

    card = read_card(find_entry(options.name) / "card.json")
    print(card.to_json() if options.json else card.to_markdown(), end="")


def _able_to(name: str, verb: str) -> Any:
    """The model of that name, or a `ValueError` if it lacks the verb."""
    import keras_gans

    model = keras_gans.load(name)
    if not hasattr(model, verb):
        others = ("generate", "interpolate", "translate", "predict")
        known = next(other for other in others if hasattr(model, other))
        raise ValueError(
            f"Expected a model that can {verb}. Received: {name!r}, a "
            f"{type(model).__name__}, which can {known}. `keras-gans list` "
            "names others."
        )
    return model


def run_generate(options: argparse.Namespace) -> None:
    from keras_gans.files import writable_folder
    from keras_gans.images import grid, save_png, to_uint8

    model = _able_to(options.name, "generate")
    out = writable_folder(options.out)
    images = model.generate(options.n, seed=options.seed)
    for i, image in enumerate(images):
        save_png(out / f"{i:05d}.png", to_uint8(image), options.scale)
    print(save_png(out / "grid.png", grid(images[:100]), options.scale))


def run_interpolate(options: argparse.Namespace) -> None:
    from keras_gans.files import writable_folder
    from keras_gans.images import grid, save_png

    model = _able_to(options.name, "interpolate")
    out = writable_folder(options.out)
    walks = model.interpolate(
        options.n, options.steps, seed=options.seed, method=options.method
    )
    strip = grid(walks.reshape(-1, *model.image_shape), columns=options.steps)
    print(save_png(out / "interpolation.png", strip, options.scale))


def run_translate(options: argparse.Namespace) -> None:
    from keras_gans.datasets.folder import pictures_in, read_picture
    from keras_gans.files import writable_folder
    from keras_gans.images import save_png

    files = pictures_in(options.pictures)
    model = _able_to(options.name, "translate")
    out = writable_folder(options.out)
    for file, name in files.items():
        image = read_picture(file, model.image_shape[-1])
        height, width = (n // 4 * 4 for n in image.shape[:2])
        made = model.translate(image[:height, :width], options.direction)
        print(save_png(out / name, made))


def run_train(options: argparse.Namespace) -> None:
    import keras_gans
    from keras_gans.datasets import TERMS
    from keras_gans.pretrained import recipe_path
    from keras_gans.recipes import read_recipe
    from keras_gans.training import train

    path = recipe_path(options.recipe)
    recipe = read_recipe(path).with_budget(options.budget)
    data = dict(recipe.data)
    if options.data:
        # At the recipe's size: larger than the crops, where it crops.
        kept = {k: v for k, v in data.items() if k == "image_shape"}
        data = kept | {"name": options.data}
    if options.data_dir:
        data["data_dir"] = options.data_dir
    if options.skip_broken:
        data["skip_broken"] = True
    recipe = dataclasses.replace(
        recipe, data=data, steps=options.steps or recipe.steps
    )
    path = path.resolve()
    name = path.parent.name if path.name == "recipe.toml" else path.stem
    out = Path(options.out or Path("runs") / name)
    model = train(recipe, out)
    private = ("data_dir", "source", "skip_broken")
    public = {k: v for k, v in data.items() if k not in private}
    terms = TERMS.get(public["name"], "not known")
    if public["name"] not in TERMS:  # a folder: where it lies is private
        public["name"] = Path(public["name"]).resolve().name
    public.setdefault("split", "train")
    ours = not options.recipe.endswith(".toml") and not options.data
    entry = out / name
    keras_gans.save_pretrained(
        model,
        entry,
        description=f"{type(model).__name__} trained on {public['name']}.",
        data=public | {"terms": terms},
        recipe=dataclasses.replace(recipe, data=public),
        licence=options.licence or ("Apache-2.0" if ours else "not said"),
        commit=_commit(),
        picture=_translations(model, recipe),
    )
    print(entry)


def _translations(model: Any, recipe: Any) -> Any:
    """The picture of a model that translates: of test images, if it has any."""
    from keras_gans import datasets

    if not model.two_domains:
        return None
    arguments = dict(recipe.data) | {"image_shape": model.image_shape}
    try:
        data = datasets.load(**arguments | {"split": "test"})
    except ValueError:  # a folder that has none
        data = datasets.load(**arguments)
    return model.translations(data)


def run_evaluate(options: argparse.Namespace) -> None:
    import keras_gans
    from keras_gans.cards import read_card, with_figures, write_card
    from keras_gans.datasets.cyclegan import CLASSES
    from keras_gans.files import written_aside
    from keras_gans.metrics.evaluation import check_metrics
    from keras_gans.metrics.translation import check_translation_metrics
    from keras_gans.pretrained import find_entry
    from keras_gans.registry import MODELS

    folder = find_entry(options.name)
    card = read_card(folder / "card.json")
    kind = MODELS.get(card.model)
    translates = hasattr(kind, "translate")
    if translates:
        known = card.data if not options.data else {"name": options.data}
        options.classes = options.classes or CLASSES.get(known.get("name"))
        check_translation_metrics(options.metrics, options.classes)
    else:
        check_metrics(options.metrics)
    out = Path(options.out or f"{folder.name}_metrics.json")
    model = keras_gans.load(options.name)
    measure = _measure_translations if translates else _measure_samples
    figures = measure(options, model)
    width = max(len(figure.name) for figure in figures)
    for figure in figures:
        spread = f" ± {figure.deviation:.2g}" if figure.deviation else ""
        print(f"{figure.name:{width}}  {figure.value:.4f}{spread}")
    with written_aside(out) as file:
        rows = [figure.as_dict() for figure in figures]
        file.write((json.dumps(rows, indent=2) + "\n").encode())
    print(out)
    if options.write_card:
        write_card(with_figures(card, figures), folder)
        print(folder / "README.md")


def _measure_samples(options: argparse.Namespace, model: Any) -> list[Any]:
    """Figures of a model that draws its own samples."""
    from keras_gans.metrics import Reference, evaluate, extractor

    if not hasattr(model, "generate"):
        raise ValueError(
            "Expected a model that makes images. Received: "
            f"{type(model).__name__}. `keras-gans list` names others."
        )
    if options.classes:
        raise ValueError(
            "Expected `--classes` of a model that translates. Received: "
            f"{type(model).__name__}. Leave it out."
        )
    train, validation, test = _splits(options, model)
    return evaluate(
        model,
        options.metrics,
        extractor(
            options.extractor or "lenet_mnist", options.extractor_weights
        ),
        train=train,
        test=test,
        validation=validation,
        reference=options.reference and Reference.load(options.reference),
        n=10_000 if options.n is None else options.n,
        seeds=options.seeds or (0,),
    )


def _measure_translations(options: argparse.Namespace, model: Any) -> list[Any]:
    """Figures of a model that translates."""
    from keras_gans.metrics import evaluate_translation, extractor
    from keras_gans.metrics.translation import OF_PIXELS

    if options.reference or options.validation_split:
        raise ValueError(
            "Expected test images alone for a model that translates. Received: "
            "--reference or --validation-split. Leave it out."
        )
    measure = options.extractor or "mobilenet_v1"
    if set(options.metrics) - set(OF_PIXELS):
        measure = extractor(measure, options.extractor_weights)
    train, _, test = _splits(options, model)
    classes = options.classes and [
        int(c) if c.isdigit() else c for c in options.classes
    ]
    return evaluate_translation(
        model,
        options.metrics,
        measure,
        train=train,
        test=test,
        classes=classes,
        n=options.n,
        seeds=options.seeds or range(5),
    )


def _splits(options: argparse.Namespace, model: Any) -> list[Any]:
    """The training, validation and test images that an evaluation asks for."""
    from keras_gans import datasets
    from keras_gans.metrics.translation import WITH_FLOOR

    known = dict(model.card.data)
    name = options.data or known.get("name")
    if not name:
        raise ValueError(
            "Expected a data set. Received: a card that names none. Give one "
            "with --data."
        )
    trained_on = known.get("split", "train") if not options.data else "train"
    test = options.test_split
    if test is None:
        apart = model.two_domains or name in ("mnist", "fashion_mnist")
        test = "test" if apart else trained_on
    if model.two_domains and (
        not _has_training(name) or not set(options.metrics) & set(WITH_FLOOR)
    ):
        trained_on = None
    height, width, channels = model.image_shape
    return [
        None
        if split is None
        else datasets.load(
            name,
            split,
            data_dir=options.data_dir,
            image_shape=(height, width, channels),
        )
        for split in (trained_on, options.validation_split, test)
    ]


def _has_training(name: str) -> bool:
    """Whether two domains have training images; a folder may have none."""
    from keras_gans.datasets import FOLDERS

    folder = Path(name)
    there = [part for part in FOLDERS if (folder / part).is_dir()]
    if folder.is_dir() and not there:
        raise ValueError(
            "Expected a folder with testA and testB in it, and for floors "
            f"trainA and trainB. Received: {name}, which has none of them. "
            "Sort the pictures of both domains into them."
        )
    return not there or "trainA" in there or "trainB" in there


def _commit() -> str:
    """The commit of the code, "-dirty" where files differ; "" if installed."""
    root = Path(__file__).resolve().parents[1]

    def git(*arguments):
        return subprocess.run(
            ["git", *arguments],
            cwd=root,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()

    try:
        # Another repository may lie around an installed package.
        if Path(git("rev-parse", "--show-toplevel")).resolve() != root:
            return ""
        return git("describe", "--always", "--dirty", "--abbrev=12")
    except (OSError, subprocess.CalledProcessError):
        return ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; a bad input is one line on stderr, and status 2."""
    options = build_parser().parse_args(arguments)
    try:
        options.run(options)
    except (ValueError, ImportError, OSError) as error:
        print(f"keras-gans: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as stopped:
        print(f"keras-gans: {str(stopped) or 'Stopped.'}", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
