"""Write docs/gallery.md: what every entry of the zoo makes, as it comes.

    python docs/gallery.py            the page, from the cards and pictures
    python docs/gallery.py --draw     the pictures first, from the weights

Nothing is picked: each picture is the first that the entry makes of seed 0, the
words and figures are its card's. `--draw` takes the data on which CycleGAN,
StackGAN and the autoencoder are shown from `--data-dir` or the cache.
"""

import argparse
import dataclasses
from pathlib import Path

import keras_gans
from keras_gans.cards import Card, read_card
from keras_gans.cli import picture_of
from keras_gans.recipes import read_recipe

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "gallery.md"
# Of a card's figures those that say how good its pictures are, by their names'
# beginnings; what they are beside is in brackets.
HEADLINES = {
    "frechet_distance": "frechet_distance of training images",
    "frechet_distance AtoB": "frechet_distance AtoB of untranslated A",
    "class_share zebra AtoB": "class_share zebra AtoB of real B",
    "conditional_accuracy": "",
    "colour_obedience": "colour_obedience of training images",
    "parzen_log_likelihood": "",
    "negative_log_likelihood": "",
    "reconstruction_error": "",
}


def entries() -> list[Card]:
    """Those that make pictures, by architecture and name."""
    cards = [read_card(path) for path in (ROOT / "zoo").glob("*/card.json")]
    cards = [card for card in cards if (folder(card) / "samples.png").exists()]
    return sorted(cards, key=lambda card: (card.model, card.name))


def folder(card: Card) -> Path:
    return ROOT / "zoo" / card.name


def figures(card: Card) -> str:
    """The headlines of its card in a line."""
    values = {m["name"].partition("/")[0]: m["value"] for m in card.metrics}
    words = []
    for name, beside in HEADLINES.items():
        if name in values:
            found = f"{name.replace('_', ' ')} {values[name]:.4g}"
            if beside in values:
                what = beside.removeprefix(name).strip()
                found += f" ({what}: {values[beside]:.3g})"
            words.append(found)
    return "; ".join(words)


def page() -> str:
    lines = [
        "# Gallery",
        "",
        "What every entry of the zoo makes: the first pictures of seed 0, none",
        "of them picked. Figures are of the cards, which name their protocols.",
        "Written by `make gallery`.",
    ]
    for card in entries():
        shows = keras_gans.registry.MODELS[card.model].shows
        path = f"../zoo/{card.name}"
        lines += [
            *("", f"## [`{card.name}`]({path})", "", card.description, ""),
            f"![{shows}]({path}/samples.png)",
        ]
        if card.rows:
            rows = enumerate(card.rows, 1)
            lines += ["", *(f"{i}. {row}" for i, row in rows)]
        if card.metrics:
            lines += ["", f"Measured: {figures(card)}."]
    return "\n".join(lines) + "\n"


def draw(card: Card, data_dir: str | None) -> None:
    """Its `samples.png` anew, from its weights."""
    recipe = read_recipe(folder(card) / "recipe.toml")
    if data_dir:
        data = recipe.data | {"data_dir": data_dir}
        recipe = dataclasses.replace(recipe, data=data)
    model = keras_gans.load(str(folder(card)))
    pixels, *_ = picture_of(model, recipe)
    keras_gans.images.save_png(folder(card) / "samples.png", pixels)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--draw", action="store_true", help="pictures, too")
    parser.add_argument("--names", nargs="+", help="of what is drawn; all")
    parser.add_argument("--data-dir", help="of the data they are shown on")
    options = parser.parse_args()
    if options.draw:
        for card in entries():
            if not options.names or card.name in options.names:
                draw(card, options.data_dir)
                print(card.name, flush=True)
    PAGE.write_text(page())


if __name__ == "__main__":
    main()
