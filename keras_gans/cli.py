"""The command line: `keras-gans list | card | generate | interpolate | train`.

A thin face over the Python interface.
"""

import argparse
import dataclasses
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


def build_parser() -> argparse.ArgumentParser:
    """All commands with their arguments and an example each."""
    parser = argparse.ArgumentParser(
        prog="keras-gans",
        description="Generative models for Keras: load, sample and train.",
    )
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name, run, help, example):
        added = commands.add_parser(
            name,
            help=help,
            description=help,
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

    for name, run, help, example in (
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
        added = command(name, run, help, example)
        added.add_argument("name")
        added.add_argument(
            "-n", type=int, default=64 if run is run_generate else 4
        )
        added.add_argument("--seed", type=int)
        added.add_argument("--out", default="samples", help="folder")
        added.add_argument(
            "--scale", type=int, default=1, help="enlarge pixels"
        )
        if name == "interpolate":
            added.add_argument("--steps", type=int, default=10)
            added.add_argument("--method", choices=("linear", "spherical"))

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
    added.add_argument("--steps", type=int, help="instead of the recipe's")
    added.add_argument("--skip-broken", action="store_true")
    return parser


def run_list(options: argparse.Namespace) -> None:
    import keras_gans

    find = (
        keras_gans.list_models if options.models else keras_gans.list_pretrained
    )
    print("\n".join(find(options.pattern)))


def run_card(options: argparse.Namespace) -> None:
    from keras_gans.cards import read_card
    from keras_gans.pretrained import find_entry

    card = read_card(find_entry(options.name) / "card.json")
    print(card.to_json() if options.json else card.to_markdown(), end="")


def run_generate(options: argparse.Namespace) -> None:
    import keras_gans
    from keras_gans.files import writable_folder
    from keras_gans.images import grid, save_png, to_uint8

    out = writable_folder(options.out)
    model = keras_gans.load(options.name)
    images = model.generate(options.n, seed=options.seed)
    for i, image in enumerate(images):
        save_png(out / f"{i:05d}.png", to_uint8(image), options.scale)
    print(save_png(out / "grid.png", grid(images[:100]), options.scale))


def run_interpolate(options: argparse.Namespace) -> None:
    import keras_gans
    from keras_gans.files import writable_folder
    from keras_gans.images import grid, save_png

    out = writable_folder(options.out)
    model = keras_gans.load(options.name)
    walks = model.interpolate(
        options.n, options.steps, seed=options.seed, method=options.method
    )
    strip = grid(walks.reshape(-1, *model.image_shape), columns=options.steps)
    print(save_png(out / "interpolation.png", strip, options.scale))


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
        data = {"name": options.data}
    if options.data_dir:
        data["data_dir"] = options.data_dir
    if options.skip_broken:
        data["skip_broken"] = True
    recipe = dataclasses.replace(
        recipe, data=data, steps=options.steps or recipe.steps
    )
    name = path.parent.name if path.name == "recipe.toml" else path.stem
    out = Path(options.out or Path("runs") / name)
    model = train(recipe, out)
    public = {k: v for k, v in data.items() if k not in ("data_dir", "source")}
    entry = out / name
    keras_gans.save_pretrained(
        model,
        entry,
        description=f"{type(model).__name__} trained on {public['name']}.",
        data=public | {"terms": TERMS.get(public["name"], "not known")},
        recipe=dataclasses.replace(recipe, data=public),
        commit=_commit(),
    )
    print(entry)


def _commit() -> str:
    """The commit of the code, where it is a checkout with nothing changed."""
    here = Path(__file__).resolve().parent
    try:
        return subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"],
            cwd=here,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
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
        print(f"keras-gans: {stopped}", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
