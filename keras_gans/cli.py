"""The command line: `keras-gans list | card | generate | interpolate |
arithmetic | manifold | outliers | translate | train | evaluate | convert`.

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
from keras_gans.explore_command import able_to
from keras_gans.explore_command import add_parsers as add_explore


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
        default = 64 if name == "generate" else 4
        added.add_argument(
            "-n",
            type=int,
            help=f"how many, {default} unless given; of a model of texts 8 of "
            "each"
            if name == "generate"
            else f"how many, {default} unless given",
        )
        added.add_argument(
            "--texts",
            nargs="+",
            help="what to draw, for a model of texts"
            if name == "generate"
            else "the two ends, for a model of texts",
        )
        added.add_argument(
            "--labels",
            type=int,
            nargs="+",
            metavar="CLASS",
            help="of a model of classes: one for all images, or one each; "
            "drawn as often as in training unless given",
        )
        added.add_argument("--seed", type=int)
        added.add_argument("--out", default="samples", help="folder")
        added.add_argument(
            "--scale", type=positive, default=1, help="enlarge pixels"
        )
        if name == "interpolate":
            added.add_argument("--steps", type=int, default=10)
            added.add_argument("--method", choices=("linear", "spherical"))

    add_explore(command)

    added = command(
        "translate",
        run_translate,
        "Translate pictures from one domain to the other: a PNG each, cut to "
        "sides divisible by 4.",
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
    added.add_argument(
        "--start-from",
        metavar="ENTRY",
        help="begin with its weights, those of dcgan_mnist, say",
    )
    added.add_argument(
        "--strategy",
        choices=("auto", "one", "mirrored", "multiworker"),
        default="auto",
        help="devices to train on; auto takes all GPUs, and the workers of "
        "TF_CONFIG",
    )
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
    added.add_argument(
        "--train-split", help="what it was trained on; the card's unless given"
    )
    added.add_argument(
        "--test-split", help="'test' where the data set has it, unless given"
    )
    added.add_argument("--validation-split", help="as in 'train[50000:]'")
    added.add_argument(
        "--reference",
        metavar="FILE",
        help="statistics (npz) for the test set, which need not be at hand; "
        "floors then take --data or --data-dir",
    )
    added.add_argument(
        "--save-reference",
        metavar="FILE",
        help="write the test set's statistics there",
    )
    added.add_argument("--out", help="JSON file; <name>_metrics.json else")
    added.add_argument(
        "--write-card", action="store_true", help="into the entry's card"
    )
    added.add_argument(
        "--force",
        action="store_true",
        help="replace the card's figures of another protocol, too",
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
    text = card.to_json() if options.json else card.to_markdown()
    print(printable(text), end="")


def printable(text: str) -> str:
    """A stranger's words without what would steer the terminal."""
    return "".join(c for c in text if c.isprintable() or c == "\n")


def run_generate(options: argparse.Namespace) -> None:
    from keras_gans.files import writable_folder
    from keras_gans.images import grid, save_png, to_uint8

    model = able_to(options.name, "generate")
    asked = _asked(options, model)
    default = 8 if model.takes_text else 64
    n = default if options.n is None else options.n
    images = model.generate(n, seed=options.seed, **asked)
    out = writable_folder(options.out)
    for i, image in enumerate(images):
        save_png(out / f"{i:05d}.png", to_uint8(image), options.scale)
    # Of texts a row each.
    shown = {"columns": n} if model.takes_text else {}
    images = images if model.takes_text else images[:100]
    print(save_png(out / "grid.png", grid(images, **shown), options.scale))


def _asked(options: argparse.Namespace, model: Any) -> dict[str, Any]:
    """The texts or labels that a model is to draw, or a `ValueError`."""
    if model.takes_text != bool(options.texts):
        needs = "" if model.takes_text else "no "
        raise ValueError(
            f"Expected {needs}--texts for {options.name!r}, a "
            f"{type(model).__name__}. Received: {options.texts or 'none'}. "
            + (
                "As in --texts 'a purple flower with a yellow centre'."
                if model.takes_text
                else "Leave them out."
            )
        )
    if options.labels and not model.takes_labels:
        raise ValueError(
            f"Expected no --labels for {options.name!r}, a "
            f"{type(model).__name__} without classes. Received: "
            f"{options.labels}. Leave them out."
        )
    if options.labels:
        one = len(options.labels) == 1
        return {"labels": options.labels[0] if one else options.labels}
    return {"texts": options.texts} if options.texts else {}


def run_interpolate(options: argparse.Namespace) -> None:
    from keras_gans.files import writable_folder
    from keras_gans.images import grid, save_png

    model = able_to(options.name, "interpolate")
    asked = _asked(options, model)
    if options.method:
        if model.takes_text:
            raise ValueError(
                "Expected no `--method` between texts, whose way is straight. "
                f"Received: {options.method}. Leave it out."
            )
        asked["method"] = options.method
    walks = model.interpolate(
        4 if options.n is None else options.n,
        options.steps,
        seed=options.seed,
        **asked,
    )
    out = writable_folder(options.out)
    strip = grid(walks.reshape(-1, *model.image_shape), columns=options.steps)
    print(save_png(out / "interpolation.png", strip, options.scale))


def run_translate(options: argparse.Namespace) -> None:
    from keras_gans.datasets.folder import pictures_in, read_picture
    from keras_gans.files import writable_folder
    from keras_gans.images import save_png
    from keras_gans.inputs import check_translatable

    files = pictures_in(options.pictures)
    model = able_to(options.name, "translate")
    channels = model.image_shape[-1]

    def picture(file):
        image = read_picture(file, channels)
        height, width = (n // 4 * 4 for n in image.shape[:2])
        try:
            check_translatable(image[:height, :width], channels)
        except ValueError as error:
            raise ValueError(f"{file}: {error}") from None
        return image[:height, :width]

    for file in files:  # before one is written, that a broken one costs nothing
        picture(file)
    out = writable_folder(options.out)
    for file, name in files.items():
        made = model.translate(picture(file), options.direction)
        print(save_png(out / name, made))


def run_train(options: argparse.Namespace) -> None:
    import keras_gans
    from keras_gans import distribute
    from keras_gans.datasets import TERMS
    from keras_gans.pretrained import as_loaded, recipe_path
    from keras_gans.recipes import read_recipe
    from keras_gans.training import start_of, train

    # First: workers must meet before TensorFlow does anything.
    strategy = distribute.strategy(options.strategy)
    path = recipe_path(options.recipe)
    recipe = read_recipe(path).with_budget(options.budget)
    replicas = strategy.num_replicas_in_sync
    if options.strategy == "auto" and recipe.batch_size < replicas:
        print(f"On one device: {replicas} cannot share {recipe.batch_size}.")
        strategy = distribute.strategy("one")
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
        recipe,
        data=data,
        steps=options.steps or recipe.steps,
        start_from=options.start_from or recipe.start_from,
    )
    path = path.resolve()
    name = path.parent.name if path.name == "recipe.toml" else path.stem
    out = Path(options.out or Path("runs") / name)
    model = train(recipe, out, strategy=strategy)
    private = ("data_dir", "source", "skip_broken")
    public = {k: v for k, v in data.items() if k not in private}
    terms = TERMS.get(public["name"], "not known")
    if public["name"] not in TERMS:  # a folder: where it lies is private
        public["name"] = Path(public["name"]).resolve().name
    public.setdefault("split", "train")
    config = {
        key: Path(value).name
        if key == "stage1" and isinstance(value, str)
        else value
        for key, value in recipe.config.items()
    }
    ours = not options.recipe.endswith(".toml") and not options.data
    facts = public | {"terms": terms}
    start = start_of(out) or {"start_from": "", "licence": "Apache-2.0"}
    if start["start_from"]:
        facts["of the weights it began with"] = start["data"]
    ours = ours and start["licence"] == "Apache-2.0"
    if model.takes_text:
        encoder = f"{model.text_encoder.name}, {model.text_dim} numbers a text"
        facts["text encoder"] = encoder
    picture, rows = picture_of(as_loaded(model), recipe)
    with distribute.written_by_one(strategy, out / name) as entry:
        keras_gans.save_pretrained(
            model,
            entry,
            description=f"{type(model).__name__} trained on {public['name']}.",
            data=facts,
            recipe=dataclasses.replace(
                recipe,
                data=public,
                config=config,
                start_from=start["start_from"],
            ),
            licence=options.licence or ("Apache-2.0" if ours else "not said"),
            commit=_commit(),
            picture=picture,
            rows=rows,
        )
    print(out / name)


def picture_of(model: Any, recipe: Any) -> tuple[Any, list[str]]:
    """An entry's picture, and what its rows are, where that is to be said.

    64 samples of seed 0; of models that are shown on test images, or on their
    captions, what they make of the first of them.
    """
    from keras_gans import datasets

    reconstructs = not hasattr(model, "generate") and not model.two_domains
    if not model.two_domains and not model.takes_text and not reconstructs:
        return model.progress(None), []
    arguments = dict(recipe.data) | {"image_shape": model.image_shape}
    try:
        data = datasets.load(**arguments | {"split": "test"})
    except ValueError:  # a folder that has none
        data = datasets.load(**arguments)
    if model.takes_text:
        return model.shown_of(data)
    if reconstructs:
        return model.progress(data), []
    return model.translations(data), []


def run_evaluate(options: argparse.Namespace) -> None:
    from keras_gans.cards import (
        check_replaced,
        read_card,
        with_figures,
        write_card,
    )
    from keras_gans.datasets.cyclegan import CLASSES
    from keras_gans.files import writable_file, writable_folder, written_aside
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
        _check_samples_options(options, kind)
    out = writable_file(options.out or f"{folder.name}_metrics.json")
    if options.save_reference:
        writable_file(options.save_reference)
    if options.write_card:
        writable_folder(folder)
    measure = _measure_translations if translates else _measure_samples
    figures = measure(options, card)
    _print_table(figures, options.metrics)
    measured = {
        "model": card.name,
        "weights": {n: facts["sha256"] for n, facts in card.files.items()},
        "metrics": [figure.as_dict() for figure in figures],
    }
    with written_aside(out) as file:
        file.write((json.dumps(measured, indent=2) + "\n").encode())
    print(out)
    if options.write_card:
        if not options.force:
            check_replaced(card, figures)
        write_card(with_figures(card, figures), folder)
        print(folder / "README.md")


def _print_table(figures: Sequence[Any], metrics: Sequence[str]) -> None:
    """Figures to four digits; a Fréchet distance without a floor says so."""
    rows = [("metric", "value", "deviation")]
    for figure in figures:
        spread = f"{figure.deviation:.2g}" if figure.deviation else "-"
        rows.append((figure.name, f"{figure.value:.4g}", spread))
    floored = any(" training " in figure.name for figure in figures)
    if "frechet_distance" in metrics and not floored:
        rows.append(("no floor: no training images at hand", "-", "-"))
    width, digits, _ = (max(map(len, x)) for x in zip(*rows, strict=True))
    for name, value, spread in rows:
        print(f"{name:{width}}  {value:>{digits}}  {spread}")


def _check_samples_options(options: argparse.Namespace, kind: Any) -> None:
    """What an evaluation of samples asks for, before anything is loaded."""
    from keras_gans.metrics import METRICS
    from keras_gans.metrics.evaluation import check_draws, check_metrics

    options.metrics = check_metrics(options.metrics)
    options.n = 10_000 if options.n is None else options.n
    options.seeds = options.seeds or [0]
    check_draws(options.metrics, options.n, options.seeds)
    of_samples = any(METRICS[name].of_samples for name in options.metrics)
    if not hasattr(kind, "generate") and of_samples:
        raise ValueError(
            "Expected a model that makes images. Received: "
            f"{options.name!r}, which makes none. `keras-gans list` names "
            "others."
        )
    if options.classes:
        raise ValueError(
            "Expected `--classes` of a model that translates. Received: "
            f"{kind.__name__}. Leave it out."
        )
    if options.reference and options.save_reference:
        raise ValueError(
            "Expected statistics to read or to write. Received: --reference "
            "and --save-reference. Leave one out."
        )
    for name in options.metrics:
        if "validation" in METRICS[name].needs and not options.validation_split:
            raise ValueError(
                f"Expected `--validation-split` for {name}. Received: none. "
                "Give one that the model was not trained on, as in "
                "'train[50000:]'."
            )


def _measure_samples(options: argparse.Namespace, card: Any) -> list[Any]:
    """Figures of a model that draws its own samples."""
    import keras_gans
    from keras_gans.metrics import METRICS, Reference, evaluate, extractor
    from keras_gans.registry import MODELS

    reference = options.reference and Reference.load(options.reference)
    metrics = [METRICS[name] for name in options.metrics]
    needs = {need for metric in metrics for need in metric.needs}
    if any(metric.floor for metric in metrics) and (
        not reference or options.data or options.data_dir
    ):
        needs.add("train")
    if options.save_reference or "images" in needs:
        needs.add("test")
    if not reference and needs & {"statistics", "features"}:
        needs.add("test")
    needs &= {"train", "validation", "test"}
    if MODELS[card.model].takes_text and any(m.of_samples for m in metrics):
        needs.add("test")  # whose captions are drawn
    splits = _splits(options, card, needs)
    model = keras_gans.load(options.name)
    data = _data(options, card, splits, needs, model.image_shape)
    extract = options.extractor or "lenet_mnist"
    if (
        reference
        or options.save_reference
        or any(m.of_features for m in metrics)
    ):
        extract = extractor(extract, options.extractor_weights)
    if options.save_reference:
        reference = Reference.from_data(data["test"], extract, verbose=True)
        reference.save(options.save_reference)
        print(options.save_reference)
    return evaluate(
        model,
        options.metrics,
        extract,
        **data,
        reference=reference,
        n=options.n,
        seeds=options.seeds,
    )


def _measure_translations(options: argparse.Namespace, card: Any) -> list[Any]:
    """Figures of a model that translates."""
    import keras_gans
    from keras_gans.metrics import evaluate_translation, extractor
    from keras_gans.metrics.translation import OF_PIXELS, WITH_FLOOR

    for option in ("reference", "save_reference", "validation_split"):
        if getattr(options, option):
            raise ValueError(
                "Expected test images alone for a model that translates. "
                f"Received: --{option.replace('_', '-')}. Leave it out."
            )
    needs = {"test"}
    floored = _has_training(_data_name(options, card))
    if floored and set(options.metrics) & set(WITH_FLOOR):
        needs.add("train")
    splits = _splits(options, card, needs)
    measure = options.extractor or "mobilenet_v1"
    if set(options.metrics) - set(OF_PIXELS):
        measure = extractor(measure, options.extractor_weights)
    model = keras_gans.load(options.name)
    data = _data(options, card, splits, needs, model.image_shape)
    classes = options.classes and [
        int(c) if c.isdigit() else c for c in options.classes
    ]
    return evaluate_translation(
        model,
        options.metrics,
        measure,
        **data,
        classes=classes,
        n=options.n,
        seeds=options.seeds or range(5),
    )


def _data_name(options: argparse.Namespace, card: Any) -> str:
    """The data set's name or folder, or a `ValueError`."""
    name = options.data or card.data.get("name")
    if not name:
        raise ValueError(
            "Expected a data set. Received: a card that names none. Give one "
            "with --data."
        )
    return str(name)


def _splits(
    options: argparse.Namespace, card: Any, needs: set[str]
) -> dict[str, str | None]:
    """The splits of an evaluation, by what they are for.

    Raises:
        ValueError: If a data set or a split has to be named, or two that must
            be apart are not.
    """
    from keras_gans.datasets import HAVE_TEST_SPLIT
    from keras_gans.registry import MODELS

    if not needs:
        return {}
    name = _data_name(options, card)
    own = not options.data or options.data == card.data.get("name")
    trained_on = card.data.get("split", "train") if own else "train"
    splits = {
        "train": options.train_split or trained_on,
        "validation": options.validation_split,
        "test": options.test_split,
    }
    if "test" in needs and splits["test"] is None:
        # All data sets of two domains have one.
        apart = hasattr(MODELS[card.model], "translate")
        if not apart and name not in HAVE_TEST_SPLIT:
            raise ValueError(
                "Expected `--test-split`, images that the model was not "
                f"trained on: {name!r} has no test images of its own. "
                "Received: none. Train on a part, 'train[:4000]', say, and "
                "give the rest, 'train[4000:]'."
            )
        splits["test"] = "test"
    _check_apart(splits, needs, name)
    return splits


def _check_apart(
    splits: dict[str, str | None], needs: set[str], name: str, n: int = 10**12
) -> None:
    """Raise a `ValueError` if test images are among those trained on.

    Args:
        splits: Of "train", "validation" and "test".
        needs: Those of them that are used; what the model was trained on
            counts, used or not.
        name: Of the data set.
        n: Its images in that split; where they are not yet counted, many.
    """
    from keras_gans.datasets import split_range

    if "test" not in needs:
        return
    for other in ("train", *(needs & {"validation"})):
        one, two = (split_range(splits[part], n) for part in ("test", other))
        start = max(one[1].start, two[1].start)
        stop = min(one[1].stop, two[1].stop)
        if one[0] == two[0] and start < stop:
            use = "trained on" if other == "train" else "validated on"
            raise ValueError(
                f"Expected test images that the model was not {use}. Received: "
                f"--test-split {splits['test']!r} beside {splits[other]!r} of "
                f"{name!r}. Give splits that are apart; --train-split "
                "says what it was trained on."
            )


def _data(
    options: argparse.Namespace,
    card: Any,
    splits: dict[str, str | None],
    needs: set[str],
    image_shape: Sequence[int],
) -> dict[str, Any]:
    """The images of each split that is needed."""
    from keras_gans import datasets

    def load(split):
        return datasets.load(
            name,
            split,
            data_dir=options.data_dir,
            image_shape=tuple(image_shape),
        )

    if not needs:
        return {}
    name = _data_name(options, card)
    loaded = {part: load(splits[part]) for part in sorted(needs)}
    if any(split and "-" in split for split in splits.values()):
        # Counted from the end: where that is, is known now.
        n = len(load((splits["test"] or "train").partition("[")[0]))
        _check_apart(splits, needs, name, n)
    return loaded


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
        print(f"keras-gans: {printable(str(error))}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as stopped:
        print(f"keras-gans: {str(stopped) or 'Stopped.'}", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
