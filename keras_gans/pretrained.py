"""The zoo: trained models by name, `load` and `save_pretrained`.

An entry is a folder:

    card.json                    what is known of it; the truth
    README.md                    the card, to be read
    config.json                  architecture and its arguments
    recipe.toml                  how it was trained, where it was by a recipe
    generator.weights.h5         one file a network
    samples.png                  64 samples of seed 0, as they come
"""

import dataclasses
import fnmatch
import json
import os
import shutil
import tempfile
import urllib.parse
import zipfile
from pathlib import Path, PurePosixPath
from typing import Any

import keras
import numpy as np

from keras_gans.cards import Card, read_card, write_card
from keras_gans.files import cache_folder, fetch, writable_folder
from keras_gans.images import grid, save_png
from keras_gans.recipes import Recipe
from keras_gans.registry import MODELS, list_models, unknown
from keras_gans.weights import load_network, save_network

HERE = Path(__file__).resolve().parent
# In a wheel the zoo lies within the package, in a checkout beside it.
ZOO = next((p for p in (HERE / "zoo", HERE.parent / "zoo") if p.is_dir()), None)


def list_pretrained(pattern: str = "*") -> list[str]:
    """Names of the packaged entries, sorted.

    Args:
        pattern: Shell-style wildcards, as in `"*_mnist"`.

    Example:

    ```python
    keras_gans.list_pretrained("dcgan*")  # ['dcgan_mnist']
    ```
    """
    folders = ZOO.iterdir() if ZOO else ()
    names = [f.name for f in folders if (f / "card.json").is_file()]
    return sorted(fnmatch.filter(names, pattern))


def load(
    name: str | Path,
    weights: str | None = "pretrained",
    sha256: str | None = None,
) -> keras.Model:
    """Load a trained model.

    Args:
        name: A name of `list_pretrained()`; the folder of an entry, as
            `save_pretrained` writes it; `"hf://owner/repo"` on the Hugging Face
            hub (needs the extra `hub`); or the https address of an entry's zip
            file, with `sha256`.
        weights: "pretrained", or None for the same architecture untrained.
        sha256: Of the zip file, in hexadecimal; for addresses only.

    Returns:
        The model, with its `card`. `fit` trains it further, from new
        optimizers; it warns where a network it needs came without weights.

    Raises:
        ValueError: If nothing has that name (the closest one is offered), or a
            file is missing, damaged, or of another model.

    Example:

    ```python
    gan = keras_gans.load("dcgan_mnist")
    images = gan.generate(64, seed=0)  # float32 [64, 28, 28, 1] in [-1, 1]
    ```
    """
    if weights not in ("pretrained", None):
        raise ValueError(
            "Expected `weights` to be 'pretrained' or None. Received: "
            f"weights={weights!r}. A folder of weights is given as the name."
        )
    folder = find_entry(name, sha256)
    card = read_card(folder / "card.json")
    model = _build(folder, card)
    model.card = card
    if weights is None:
        return model
    model.networks_without_weights = []
    for network in networks_of(model):
        file = f"{network.name}.weights.h5"
        if file in card.files and (folder / file).is_file():
            load_network(network, folder / file, card.files[file])
        elif network is model.generator:
            facts = card.files.get(file, {"size": 0, "sha256": ""})
            load_network(network, folder / file, facts)
        else:
            model.networks_without_weights.append(network.name)
    if model.ema_generator is not None:
        model.ema_generator.set_weights(model.generator.get_weights())
    return model


def save_pretrained(
    model: keras.Model,
    folder: str | Path,
    description: str = "",
    data: dict[str, Any] | None = None,
    recipe: Recipe | None = None,
    licence: str = "Apache-2.0",
    commit: str = "",
    metrics: list[dict[str, Any]] | None = None,
) -> Card:
    """Write a model as an entry: weights, config, card and samples.

    The generator's file holds the network that samples: its moving average
    where there is one. Weights are stored in float16 where no pixel moves by
    more than two and a half gray levels; the card says by how much.

    Args:
        model: A trained model.
        folder: Its name is the entry's. An entry that is there is replaced once
            the new one is whole.
        description: One sentence. Defaults to the architecture's name.
        data: What it was trained on, and the data's terms.
        recipe: What trained it.
        licence: Of the weights.
        commit: Of the code that trained it.
        metrics: Dicts of name, value and protocol.

    Returns:
        The card.

    Raises:
        ValueError: If the folder cannot be written.

    Example:

    ```python
    keras_gans.save_pretrained(gan, "my_gan")
    twin = keras_gans.load("./my_gan")
    ```
    """
    import keras_gans

    folder = Path(folder).absolute()
    writable_folder(folder.parent)
    architecture = next(n for n, c in MODELS.items() if c is type(model))
    with tempfile.TemporaryDirectory(
        prefix=f".{folder.name}.", dir=folder.parent
    ) as aside:
        aside = Path(aside)
        files = {}
        for network in networks_of(model):
            source = model.sampler if network is model.generator else network
            file = f"{network.name}.weights.h5"
            probe = _probe(model, network)
            files[file] = save_network(source, aside / file, probe)
        card = Card(
            name=folder.name,
            model=architecture,
            description=description or f"A {type(model).__name__}.",
            data=data or {},
            recipe=dataclasses.asdict(recipe) if recipe else {},
            parameters={
                network.name: sum(
                    int(np.prod(v.shape)) for v in network.trainable_variables
                )
                for network in networks_of(model)
            },
            licence=licence,
            version=keras_gans.__version__,
            commit=commit,
            files=files,
            metrics=metrics or [],
        )
        config = {"model": architecture, "config": model.get_config()}
        (aside / "config.json").write_text(json.dumps(config, indent=2) + "\n")
        save_png(aside / "samples.png", grid(model.generate(64, seed=0)))
        write_card(card, aside)
        folder.mkdir(exist_ok=True)
        # The card last: until it is there, the hashes are the old entry's.
        for file in sorted(
            aside.iterdir(), key=lambda f: f.name == "card.json"
        ):
            os.replace(file, folder / file.name)
    return card


def networks_of(model: keras.Model) -> list[keras.Model]:
    """The networks whose weights are an entry's files; the average is none."""
    networks = [
        layer for layer in model.layers if isinstance(layer, keras.Model)
    ]
    return [n for n in networks if n is not model.ema_generator]


def find_entry(name: str | Path, sha256: str | None = None) -> Path:
    """The folder of an entry, fetched where it is elsewhere."""
    text = str(name)
    if text.startswith("hf://"):
        return _from_hub(text.removeprefix("hf://"))
    if "://" in text:
        return _from_address(text, sha256)
    if ZOO is not None and text in list_pretrained():
        return ZOO / text
    if Path(name).is_dir():
        return Path(name)
    architectures = ", ".join(list_models())
    raise ValueError(
        unknown("pretrained model", text, list_pretrained())
        + " The folder of an entry, hf://owner/repo and an https address do, "
        f"too. For an untrained model use `create`: {architectures}."
    )


def recipe_path(name: str) -> Path:
    """The recipe of a zoo name, or of a file given by its path."""
    if Path(name).suffix == ".toml":
        return Path(name)
    folders = ZOO.iterdir() if ZOO else ()
    names = sorted(f.name for f in folders if (f / "recipe.toml").is_file())
    if name not in names:
        raise ValueError(
            unknown("recipe", name, names) + " A .toml file does, too."
        )
    return ZOO / name / "recipe.toml"


def _build(folder: Path, card: Card) -> keras.Model:
    path = folder / "config.json"
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        config = fields["config"]
        if fields["model"] != card.model:
            raise ValueError(f"model {fields['model']!r} beside {card.model!r}")
        # A class of the registry, with plain arguments: no code is loaded.
        return MODELS[card.model].from_config(config)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(
            f"Expected {path} to hold the arguments of a {card.model}. "
            f"Received: {error}. Fetch the entry again."
        ) from None


def _probe(model: keras.Model, network: keras.Model) -> list[np.ndarray]:
    """Inputs of a network on which its outputs are compared."""
    if network is model.generator:
        return model.draw_latents(64, seed=0)
    return model.generate(64, seed=0)


def _from_hub(repository: str) -> Path:
    try:
        import huggingface_hub
    except ImportError:
        raise ImportError(
            "Expected huggingface_hub for hf:// names. Received: no such "
            "package. Install it with `pip install keras_gans[hub]`."
        ) from None
    try:
        return Path(
            huggingface_hub.snapshot_download(
                repository,
                allow_patterns=["*.json", "*.weights.h5", "*.toml", "*.png"],
                cache_dir=cache_folder("hub"),
            )
        )
    except Exception as error:
        raise ValueError(
            f"Expected an entry at hf://{repository}. Received: "
            f"{str(error).splitlines()[0]}. Check the name and the network."
        ) from None


def _from_address(url: str, sha256: str | None) -> Path:
    if not sha256:
        raise ValueError(
            f"Expected the `sha256` of the file at {url}. Received: "
            f"sha256={sha256!r}. Pass what its publisher says."
        )
    archive = fetch(url, sha256)
    stem = Path(urllib.parse.urlsplit(url).path).stem
    target = cache_folder("entries", sha256.lower()) / stem
    if not (target / "card.json").is_file():
        _unpack(archive, target)
    return target


# Files of an entry, and more than any of them holds.
LARGEST = 1 << 30
SUFFIXES = (".json", ".h5", ".toml", ".png", ".md")


def _unpack(archive: Path, target: Path) -> None:
    """Unpack an entry's files, whichever folder of the zip they are in."""
    with tempfile.TemporaryDirectory(dir=target.parent) as aside:
        try:
            with zipfile.ZipFile(archive) as file:
                for member in file.infolist():
                    # A plain name made here: nothing points elsewhere.
                    name = PurePosixPath(member.filename).name
                    if member.is_dir() or not name.endswith(SUFFIXES):
                        continue
                    if member.file_size > LARGEST:
                        raise ValueError(f"{name} has {member.file_size} bytes")
                    with file.open(member) as source:
                        with open(Path(aside) / name, "wb") as copy:
                            shutil.copyfileobj(source, copy)
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            raise ValueError(
                f"Expected {archive} to be the zip of an entry. Received: "
                f"{error}. Fetch another."
            ) from None
        if target.is_dir():
            shutil.rmtree(target)
        shutil.copytree(aside, target)
