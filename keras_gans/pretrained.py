"""The zoo: trained models by name, `load` and `save_pretrained`.

An entry is a folder:

    card.json                    what is known of it; the truth
    README.md                    the card, to be read
    config.json                  architecture and its arguments
    recipe.toml                  how it was trained, where it was by a recipe
    generator.weights.h5         one file a network
    samples.png                  what it makes, as it comes: 64 samples of
                                 seed 0, translations of the first test images
    stages.png                   of a pyramid, what each level adds
"""

import concurrent.futures
import fnmatch
import json
import math
import os
import shutil
import tempfile
import urllib.parse
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import keras
import numpy as np

from keras_gans.cards import Card, check_metric, read_card, write_card
from keras_gans.files import (
    cache_folder,
    check_expansion,
    exchange,
    fetch,
    first_line,
    flush_folder,
    locked,
    text_of,
    told,
    unzipping,
    writable_folder,
    written_aside,
)
from keras_gans.images import save_png
from keras_gans.recipes import Recipe
from keras_gans.registry import CLASSIFIERS, MODELS, list_models, unknown
from keras_gans.weights import is_whole, load_network, save_network

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
    # Untrained, the files say nothing of its size: up to 1 GiB is fine.
    spare = 1 << 24 if weights else 1 << 28
    model = _build(folder, card, spare)
    model.card = card
    if weights is None:
        return model
    model.networks_without_weights = []
    for network in networks_of(model):
        file = f"{network.name}.weights.h5"
        if file in card.files and (folder / file).is_file():
            load_network(network, folder / file, card.files[file])
        elif network in model.needed_networks:
            if file not in card.files:
                raise ValueError(
                    f"Expected the card of {card.name} to tell of {file}. "
                    f"Received: files {', '.join(card.files) or 'none'}. Fetch "
                    "the entry again."
                )
            load_network(network, folder / file, card.files[file])
        else:
            model.networks_without_weights.append(network.name)
    average = getattr(model, "ema_generator", None)
    if average is not None:
        average.set_weights(model.generator.get_weights())
    return model


def take_weights(model: keras.Model, name: str | Path) -> Card:
    """Give a model the weights of an entry, in place of its own.

    Args:
        model: Of the entry's class and with its networks; what else the class
            was given may differ. Its moving average starts as its generator.
        name: Of the entry: a name of `list_pretrained()`, a folder, or
            `"hf://owner/repo"`.

    Returns:
        The entry's card.

    Raises:
        ValueError: As `load`, or if a network is another one.

    Example:

    ```python
    gan = keras_gans.DCGAN((28, 28, 1), width=32, augment="translation")
    take_weights(gan, "dcgan_mnist")
    ```
    """
    if "://" in str(name) and not str(name).startswith("hf://"):
        raise ValueError(
            "Expected the name, the folder or the hf://owner/repo of an entry "
            f"to start from. Received: {str(name)!r}, whose files have no hash "
            "to be checked by. `load` it with `sha256`, then `save_pretrained`."
        )
    entry = load(name)
    if type(entry) is not type(model):
        raise ValueError(
            f"Expected an entry of a {type(model).__name__} to start from. "
            f"Received: {str(name)!r}, a {type(entry).__name__}. Choose "
            "another one."
        )
    theirs = {network.name: network for network in networks_of(entry)}
    for network in networks_of(model):
        other = theirs.get(network.name)
        differ = _first_difference(network, other)
        if differ:
            raise ValueError(
                "Expected an entry with the model's networks to start from. "
                f"Received: {str(name)!r}, whose {network.name} has {differ}. "
                "Take the arguments of its config.json."
            )
    for network in networks_of(model):
        network.set_weights(theirs[network.name].get_weights())
    model.networks_without_weights = entry.networks_without_weights
    average = getattr(model, "ema_generator", None)
    if average is not None:
        average.set_weights(model.generator.get_weights())
    return entry.card


def _first_difference(network: keras.Model, other: keras.Model | None) -> str:
    """How the weights of another one differ, in words; nothing if they fit."""
    ours = network.weights
    theirs = [] if other is None else other.weights
    for mine, given in zip(ours, theirs, strict=False):
        if mine.shape != given.shape:
            return (
                f"{given.path} of shape={tuple(given.shape)}, not "
                f"{tuple(mine.shape)}"
            )
    if len(ours) != len(theirs):
        return f"{len(theirs)} weights, not {len(ours)}"
    return ""


def save_pretrained(
    model: keras.Model,
    folder: str | Path,
    description: str = "",
    data: dict[str, Any] | None = None,
    recipe: Recipe | None = None,
    licence: str = "Apache-2.0",
    commit: str = "",
    metrics: list[dict[str, Any]] | None = None,
    picture: np.ndarray | None = None,
    rows: Sequence[str] = (),
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
        picture: uint8 `[height, width, channels]`, what to show of it. Defaults
            to 64 samples of seed 0; a model that translates, or makes images
            of texts, has no default.
        rows: What its rows show, where that is to be said.

    Returns:
        The card.

    Raises:
        ValueError: If the folder cannot be written.
        OSError: If there is no room; an entry that is there stays whole.

    Example:

    ```python
    keras_gans.save_pretrained(gan, "my_gan")
    twin = keras_gans.load("./my_gan")
    ```
    """
    import keras_gans

    folder = Path(folder).absolute()
    architecture = _check_can_be_saved(model, folder, metrics or [])
    with (
        told(folder, inside=True),
        tempfile.TemporaryDirectory(
            prefix=f".{folder.name}.", dir=folder.parent
        ) as aside,
    ):
        aside = Path(aside) / folder.name
        aside.mkdir()
        files = {}
        # In half precision outputs move more by its own rounding.
        exact = as_loaded(model)
        for network in networks_of(exact):
            if network.name in getattr(model, "networks_without_weights", ()):
                continue  # random numbers, which `load` draws anew
            file = f"{network.name}.weights.h5"
            files[file] = save_network(
                exact.stored(network), aside / file, exact.probe(network)
            )
        card = Card(
            name=folder.name,
            model=architecture,
            description=description or f"A {type(model).__name__}.",
            data=data or {},
            recipe=recipe.as_dict() if recipe else {},
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
            rows=list(rows),
        )
        config = {"model": architecture, "config": model.get_config()}
        # NumPy's numbers, which arguments may be, as Python's.
        text = json.dumps(config, indent=2, default=lambda n: n.item())
        texts = {"config.json": text + "\n"}
        if recipe:
            texts["recipe.toml"] = recipe.to_toml()
        for name, text in texts.items():
            with written_aside(aside / name) as file:
                file.write(text.encode())
        draws = hasattr(model, "generate") and not model.takes_text
        if picture is None and draws:
            picture = model.progress(None)
        if picture is not None:
            save_png(aside / "samples.png", picture)
        if architecture in MODELS:
            for file, other in model.more_pictures().items():
                save_png(aside / file, other)
        write_card(card, aside)
        _put_in_place(aside, folder)
    return card


def _check_can_be_saved(
    model: keras.Model, folder: Path, metrics: list[dict[str, Any]]
) -> str:
    """The architecture's name, once nothing stands in the way."""
    classes = MODELS | CLASSIFIERS
    found = [n for n, c in classes.items() if c is type(model)]
    if not found:
        raise ValueError(
            "Expected a model of a registered class. Received: "
            f"{type(model).__name__}. Register the class, or use `model.save`."
        )
    for metric in metrics:
        check_metric(metric, "metrics")
    writable_folder(folder.parent)
    if folder.exists() and not (
        folder.is_dir()
        and ((folder / "card.json").is_file() or not any(folder.iterdir()))
    ):
        raise ValueError(
            "Expected a new or empty folder, or that of an entry. Received: "
            f"{str(folder)!r}, which holds something else. Choose another name."
        )
    return found[0]


def _put_in_place(new: Path, folder: Path) -> None:
    """Move a whole folder to its place; what was there goes, or stays whole.

    At once on Linux: the name is never without a folder, whoever is killed or
    saves under it, too.
    """
    flush_folder(new)
    try:
        os.rename(new, folder)
    except OSError:  # there is one, with files in it
        if not exchange(new, folder):
            _replace(folder, new)
    flush_folder(folder.parent)


def _replace(folder: Path, new: Path) -> None:
    """In two renames, where the system has nothing better."""
    old = new.with_name("old")
    if folder.exists():
        os.rename(folder, old)
    try:
        os.rename(new, folder)
    except BaseException:
        if old.exists():
            os.rename(old, folder)
        raise


def networks_of(model: keras.Model) -> list[keras.Model]:
    """The networks whose weights are an entry's files; the average is none."""
    networks = [
        layer for layer in model.layers if isinstance(layer, keras.Model)
    ]
    return [n for n in networks if n is not getattr(model, "ema_generator", 0)]


def find_entry(name: str | Path, sha256: str | None = None) -> Path:
    """The folder of an entry, fetched where it is elsewhere."""
    if not isinstance(name, (str, Path)):
        raise ValueError(
            "Expected a name, a folder or an address. Received: "
            f"name={name!r}. `list_pretrained()` gives the names."
        )
    text = str(name)
    if sha256 is not None and "://" not in text:
        raise ValueError(
            "Expected `sha256` beside an https address only. Received: "
            f"name={text!r}. Leave it out: a card has the hashes."
        )
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


def _build(folder: Path, card: Card, spare: int) -> keras.Model:
    path = folder / "config.json"
    try:
        fields = json.loads(text_of(path))
        config = in_the_policy_in_force(fields["config"])
        if fields["model"] != card.model:
            raise ValueError(f"model {fields['model']!r} beside {card.model!r}")
        # As a name or an address it would be loaded from there.
        if not isinstance(config.get("stage1", {}), dict):
            raise ValueError("`stage1` that is no object")
        if folder.parent != ZOO:
            _check_size(card, config, folder, spare)
        # A class of the registry, with plain arguments: no code is loaded.
        return (MODELS | CLASSIFIERS)[card.model].from_config(config)
    except Exception as error:  # whatever a class says of wrong arguments
        words = f"{type(error).__name__}, {first_line(error)}"[:200]
        raise ValueError(
            f"Expected {path} to hold the arguments of a {card.model}. "
            f"Received: {words}. Fetch the entry again."
        ) from None


DEEPEST = 100  # of the zoo no model has a tenth of these layers in a row
# The paper's bottleneck networks have 101 layers, three of them in a block.
MOST = {"num_blocks": DEEPEST, "depth": 200}
LARGEST_SIDE = 2048  # of an image


def _check_depth(config: dict[str, Any]) -> None:
    """Raise a `ValueError` where a model would take hours to build.

    Or gigabytes: some layers hold matrices of an image's size.
    """
    for name, value in config.items():
        if isinstance(value, dict):
            _check_depth(value)
        most, size = MOST.get(name), value
        if isinstance(value, list):
            most, size = DEEPEST, len(value)
            if name.endswith("_shape") and size <= DEEPEST:
                most, size = LARGEST_SIDE, max(value, default=0)
        if most and isinstance(size, (int, float)) and size > most:
            raise ValueError(f"{name}={value!r:.100}, more than {most}")


def _check_size(
    card: Card, config: dict[str, Any], folder: Path, spare: int
) -> None:
    """Raise a `ValueError` where a model is too large for the entry's files.

    It is built without memory for its weights first, in a thread: what Keras
    keeps of it goes with the thread.
    """
    _check_depth(config)
    plain = _without("ema_decay", config)  # would be a copy with memory

    def count() -> tuple[int, list[str]]:
        with keras.StatelessScope(initialize_variables=False):
            model = (MODELS | CLASSIFIERS)[card.model].from_config(plain)
        numbers = sum(math.prod(v.shape) for v in model.variables)
        return numbers, [network.name for network in networks_of(model)]

    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        numbers, names = thread.submit(count).result()
    # Of the files that will be read, and are what the card says.
    files = [f"{name}.weights.h5" for name in names]
    held = sum(
        facts["size"]
        for file, facts in card.files.items()
        if file in files and is_whole(folder / file, facts)
    )
    # Discriminators, which may be missing, and pools of images are larger.
    if numbers > 32 * held + spare:
        raise ValueError(f"{numbers:,} numbers beside {held:,} bytes of them")


def as_loaded(model: keras.Model) -> keras.Model:
    """The model in the policy in force, where it was trained in another."""
    if model.dtype_policy.name == keras.config.dtype_policy().name:
        return model
    config = in_the_policy_in_force(model.get_config())
    twin = type(model).from_config(config)
    twin.set_weights(model.get_weights())
    return twin


def in_the_policy_in_force(config: dict[str, Any]) -> dict[str, Any]:
    """Arguments without the dtype policy of the training, at any depth.

    Weights are stored alike in all of them, and who trained in bfloat16 may
    have had a processor for it that others lack.
    """
    return _without("dtype_policy", config)


def _without(name: str, config: dict[str, Any]) -> dict[str, Any]:
    """A config without one argument, at any depth."""
    return {
        key: _without(name, value) if isinstance(value, dict) else value
        for key, value in config.items()
        if key != name
    }


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
            f"{first_line(error)}. Check the name and the network."
        ) from None


def _from_address(url: str, sha256: str | None) -> Path:
    archive = fetch(url, sha256, LARGEST)
    stem = Path(urllib.parse.urlsplit(url).path).stem or "entry"
    target = cache_folder("entries", sha256.lower()) / stem
    with locked(target.parent):
        if not _is_unpacked(archive, target):
            _unpack(archive, target)
    return target


LARGEST = 1 << 30  # bytes of a file; no entry has one as large
SUFFIXES = (".json", ".h5", ".toml", ".png", ".md")


def _members(file: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """An entry's files, whichever folder of the zip they are in."""
    # Plain names made here: nothing points elsewhere.
    named = [(PurePosixPath(m.filename).name, m) for m in file.infolist()]
    return {
        name: member
        for name, member in named
        if not member.is_dir() and name.endswith(SUFFIXES)
    }


def _is_unpacked(archive: Path, target: Path) -> bool:
    """Whether all files are there, and still as they are in the archive."""
    try:
        with zipfile.ZipFile(archive) as file:
            return all(
                (target / name).stat().st_size == member.file_size
                and zlib.crc32((target / name).read_bytes()) == member.CRC
                for name, member in _members(file).items()
            )
    except (OSError, ValueError, RuntimeError, zipfile.BadZipFile):
        return False  # `_unpack` says why


def _unpack(archive: Path, target: Path) -> None:
    with (
        told(target, inside=True),
        tempfile.TemporaryDirectory(dir=target.parent) as aside,
    ):
        new = Path(aside) / target.name
        new.mkdir()
        with (
            unzipping(archive, "the zip of an entry"),
            zipfile.ZipFile(archive) as file,
        ):
            check_expansion(archive, file.infolist())
            for name, member in _members(file).items():
                if member.file_size > LARGEST:
                    raise ValueError(f"{name} has {member.file_size} bytes")
                with (
                    file.open(member) as source,
                    open(new / name, "wb") as copy,
                ):
                    shutil.copyfileobj(source, copy)
        _put_in_place(new, target)
