"""Train by a recipe, so that nothing is lost when the run is.

A run lives in a folder:

    run.json                  what is being trained, and by which recipe
    step_00012000.keras       the last two saves: weights, optimizers, EMA,
    step_00013000.keras       schedules and random states
    samples/step_00013000.png
    log.csv                   a line a save

The order of the data is a function of (seed, step), and all noise comes from
states that are saved, so a run that was killed at any moment and started again
ends with the weights of one that was not.
"""

import contextlib
import csv
import dataclasses
import errno
import fcntl
import hashlib
import json
import os
import re
import signal
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras

import keras_gans
from keras_gans import datasets, distribute, pretrained, registry
from keras_gans.cards import Card
from keras_gans.files import (
    first_line,
    regular,
    text_of,
    writable_folder,
    written_aside,
)
from keras_gans.images import save_png
from keras_gans.inputs import check_replicas
from keras_gans.models.base import dtype_policy
from keras_gans.recipes import Recipe
from keras_gans.weights import check_hdf5, save_model


def train(
    recipe: Recipe,
    out: str | Path,
    data: datasets.ImageData | None = None,
    verbose: str | int = "auto",
    strategy: Any = None,
) -> keras.Model:
    """Train a recipe to its end in the folder `out`, from where it stands.

    Ctrl-C and SIGTERM save and leave; starting again goes on. Of several
    workers, which must all see the folder, the first writes to it.

    Args:
        recipe: What to train.
        out: The run's folder; made where it is missing.
        data: Instead of the recipe's data set.
        verbose: As in `keras.Model.fit`.
        strategy: As of `keras_gans.distribute.strategy`; None trains on one
            device. The recipe's batches are dealt out to the replicas, and
            BatchNorm sees the whole of them: the steps are those of one.

    Returns:
        The trained model.

    Raises:
        OSError: If there is no room for a save; those before stay whole.
        ValueError: If the folder cannot be written, or holds a run of another
            recipe or of a version whose saves cannot be read; or if the recipe
            starts from an entry of other networks.
        KeyboardInterrupt: After Ctrl-C or SIGTERM, once all is saved.
        ConnectionError: If another worker is gone.
    """
    strategy = strategy or distribute.strategy("one")
    with strategy.scope(), distribute.plain_loss_of_a_worker(strategy):
        return _train_under(strategy, recipe, out, data, verbose)


def _train_under(
    strategy: Any,
    recipe: Recipe,
    out: str | Path,
    data: datasets.ImageData | None,
    verbose: str | int,
) -> keras.Model:
    out = writable_folder(out)
    keras.utils.set_random_seed(recipe.seed)
    model = _create(recipe)
    if data is None:
        if model.takes_text:
            model.encode("a text")  # what is missing, before the long work
        data = datasets.load(**_data_arguments(recipe))
    _check_kind(recipe, data, model)
    batches = _batches(recipe, data, model)
    check_replicas(model, batches)
    _check_decay(recipe, model)
    with distribute.written_by_one(strategy, out) as ours, _alone_in(ours):
        start = None
        if recipe.start_from and not saves(out):
            card = pretrained.take_weights(model, recipe.start_from)
            start = _facts_of_start(recipe.start_from, card)
        _check_same_run(recipe, data, model, ours, start)
        _sweep(ours)
        run = (recipe, data, batches, model, strategy, verbose)
        return _train(*run, saved_in=out, out=ours)


def _train(
    recipe: Recipe,
    data: datasets.ImageData,
    batches: Any,
    model: keras.Model,
    strategy: Any,
    verbose: str | int,
    saved_in: Path,
    out: Path,
) -> keras.Model:
    """Train from where the run in `saved_in` stands."""
    if getattr(model, "steps_per_epoch", 0) is None:
        model.steps_per_epoch = len(batches)  # of its schedule
    step = 0
    if saves(saved_in):
        step, model = _restore(saved_in, model)
    if step > recipe.steps:
        raise ValueError(
            f"Expected at least the {step} steps that the run in {saved_in} "
            f"has taken. Received: steps={recipe.steps}. Choose another folder."
        )
    if not model.compiled:
        model.compile()
    distributes = distribute.deals_out(strategy)
    if distributes:
        distribute.synchronize_batch_norm(model)
    # Several workers stop together, at the end of a stretch.
    together = distribute.is_of_workers(strategy)
    if step == 0 and not model.is_adapted():
        model.adapt(data.sample())

    with _Stop() as stop:
        ends = False  # as soon as any worker is asked to stop
        while step < recipe.steps and not ends:
            target = _next_stop(step, recipe)
            counter = _Counter(step, None if together else stop)
            if verbose:
                print(f"Steps {step + 1} to {target} of {recipe.steps}")
            steps, length = batches.steps(step, target), None
            if distributes:
                steps = distribute.dealt(steps, strategy)
                length = target - step  # what is dealt out does not tell
            history = model.fit(
                steps,
                steps_per_epoch=length,
                verbose=verbose,
                callbacks=[counter],
            ).history
            step = counter.step
            ends = distribute.any_worker(strategy, stop.asked)
            if step % recipe.sample_every == 0 or step == recipe.steps:
                _draw(model, data, out, step)
            if step % recipe.save_every == 0 or step == recipe.steps or ends:
                save(model, out, step)
                _log(out, step, history)
    if ends and step < recipe.steps:
        raise KeyboardInterrupt(
            f"Stopped and saved at step {step} of {recipe.steps} in "
            f"{saved_in}. Start again to go on."
        )
    return model


def save(model: keras.Model, out: Path, step: int) -> Path:
    """Save a run's whole state, atomically; the last two saves are kept.

    Written aside, flushed to the disk, renamed: a kill at any moment leaves
    the old saves or the new one, never half of it.
    """
    path = out / f"step_{step:08d}.keras"
    try:
        save_model(model, path)
    except OSError as error:
        full = error.errno == errno.ENOSPC or "No space left" in str(error)
        raise OSError(
            f"Expected {'room for' if full else 'to write'} a save in {out}. "
            f"Received: {error}. The saves before are whole: mend that, and "
            "start again to go on."
        ) from error
    for old in saves(out)[:-2]:
        old.unlink()
    return path


def saves(out: Path) -> list[Path]:
    """The saves in a run's folder, oldest first."""
    names = re.compile(r"step_\d{8}\.keras")
    return sorted(f for f in out.iterdir() if names.fullmatch(f.name))


@contextlib.contextmanager
def _alone_in(out: Path) -> Iterator[None]:
    """Hold a run's folder against other processes."""
    handle = os.open(out, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise ValueError(
            f"Expected a run that nobody else is training. Received: {out}, "
            "which another process holds. Wait for it, or choose another "
            "folder."
        ) from None
    finally:
        os.close(handle)


def _create(recipe: Recipe) -> keras.Model:
    """The recipe's model, untrained."""
    try:
        with dtype_policy(recipe.dtype_policy):
            return registry.create(recipe.model, **recipe.config)
    except TypeError as error:
        raise ValueError(
            f"Expected `config` as the arguments of {recipe.model}. Received: "
            f"{error}. Change the recipe."
        ) from None


def _check_kind(
    recipe: Recipe, data: datasets.ImageData, model: keras.Model
) -> None:
    """Raise a `ValueError` unless the model can train on the data."""
    two = isinstance(data, datasets.UnpairedData)
    if two != model.two_domains:
        raise ValueError(
            f"Expected {'two domains' if model.two_domains else 'one domain'} "
            f"of images for {recipe.model}. Received: {data.name!r}, which has "
            f"{'two' if two else 'one'}. Folders trainA and trainB make two."
        )
    if model.takes_labels and data.labels is None:
        raise ValueError(
            f"Expected images with labels for {recipe.model} with "
            f"num_classes={model.num_classes}. Received: {data.name!r}, which "
            "has none. Put the pictures of each class into a folder of its "
            "own, or leave `num_classes` out of the recipe."
        )
    if model.takes_labels and data.labels.max() >= model.num_classes:
        raise ValueError(
            f"Expected labels from 0 to {model.num_classes - 1}, for "
            f"num_classes={model.num_classes}. Received: {data.name!r} with "
            f"labels up to {data.labels.max()}. Set num_classes="
            f"{data.labels.max() + 1} in the recipe."
        )
    if model.takes_text and not isinstance(data, datasets.CaptionedData):
        raise ValueError(
            f"Expected images with captions for {recipe.model}. Received: "
            f"{data.name!r}, which has none. Put captions.tsv, with the "
            "columns image and caption, into the folder."
        )


def _batches(
    recipe: Recipe, data: datasets.ImageData, model: keras.Model
) -> Any:
    """The data as the model trains on it, in an order of (seed, step)."""
    how = {
        "batch_size": recipe.batch_size * model.batches_a_step,
        "seed": recipe.seed,
        "flip": recipe.flip,
    }
    if model.takes_text:
        return model.pairs_of(data, **how)
    how["crop"] = model.image_shape[:2]
    if model.two_domains:
        return data.batches(**how)
    return data.batches(**how, labels=model.takes_labels)


class _Counter(keras.callbacks.Callback):
    """Counts steps, and ends `fit` at the first one after a stop is asked."""

    def __init__(self, step: int, stop: "_Stop | None"):
        super().__init__()
        self.step = step
        self.stop = stop

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self.step += 1
        if self.stop is not None and self.stop.asked:
            self.model.stop_training = True


class _Stop:
    """Turns Ctrl-C and SIGTERM into a flag while it is entered."""

    def __init__(self):
        self.asked = False
        self.before = {}

    def __enter__(self):
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self.before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(self, *error):
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def _ask(self, number, frame):
        if self.asked:  # asked twice: at once, from the last save
            raise KeyboardInterrupt
        self.asked = True


def _data_arguments(recipe: Recipe) -> dict[str, Any]:
    arguments = dict(recipe.data)
    shape = recipe.config.get("image_shape")
    if shape is not None:
        arguments.setdefault("image_shape", tuple(shape))
    return arguments


DEFAULTS = {
    field.name: field.default
    for field in dataclasses.fields(Recipe)
    if field.default is not dataclasses.MISSING
}


def _check_decay(recipe: Recipe, model: keras.Model) -> None:
    """Raise a `ValueError` where steps would be taken at a rate of zero."""
    decay_steps = getattr(model, "decay_steps", None)
    if decay_steps and recipe.steps > decay_steps:
        raise ValueError(
            f"Expected at most {decay_steps} steps, over which the learning "
            f"rate falls to zero. Received: steps={recipe.steps}. Change "
            "`decay_steps` in the recipe's `config`, too."
        )


def _facts_of_start(start_from: str, card: Card) -> dict[str, str]:
    """What is known of the entry that a run begins with, for its card.

    A folder's place is private; `./` tells its name from one of the zoo.
    """
    known = start_from in pretrained.list_pretrained() or "://" in start_from
    place = start_from if known else f"./{Path(start_from).resolve().name}"
    return {
        "start_from": place,
        "data": f"{card.data.get('name', 'not said')}, "
        f"{card.data.get('terms', 'terms not known')}",
        "licence": card.licence,
    }


def start_of(out: str | Path) -> dict[str, str] | None:
    """What the run in a folder began with: `start_from`, `data`, `licence`.

    None where it began with random weights.
    """
    return json.loads(text_of(Path(out) / "run.json")).get("start")


def _check_same_run(
    recipe: Recipe,
    data: datasets.ImageData,
    model: keras.Model,
    out: Path,
    start: dict[str, str] | None = None,
) -> None:
    """Write `run.json` for a new run, or compare it with an old one's."""
    fields = recipe.as_dict()
    # A run may be made longer, and saved or drawn more often; and where it
    # began is in its saves.
    for free in (
        *("steps", "budgets", "save_every", "sample_every"),
        "start_from",
    ):
        fields.pop(free)
    # Where the data lies on this machine is not what it is.
    fields["data"] = {
        "name": data.name,
        "split": data.split,
        "images": len(data),
        "sha256": data.fingerprint(),
    }
    fields["networks"] = _shapes_hash(model)
    ours = json.loads(json.dumps(fields))
    path = out / "run.json"
    if not path.exists():
        if saves(out):
            raise ValueError(
                f"Expected {path}, which says what the saves beside it are of. "
                "Received: no such file. Choose another folder."
            )
        _write_run(path, ours, start)
        return
    try:
        facts = json.loads(text_of(path))
        began = str((facts.get("start") or {}).get("start_from", ""))
        # A field that is younger than the run had its default there.
        theirs = DEFAULTS | facts["recipe"]
        differ = [n for n in ours if theirs.get(n) != ours[n]]
    except (
        *(OSError, ValueError, KeyError, TypeError, AttributeError),
        RecursionError,
    ) as error:
        raise ValueError(
            f"Expected {path} as this package writes it. Received: "
            f"{error!r:.200}. "
            "Choose another folder."
        ) from None
    if differ == ["networks"]:
        raise ValueError(
            f"Expected networks as those of the run in {out}. Received: those "
            "of a version of keras_gans that has changed them. Go on with the "
            "version that began it, or choose another folder."
        )
    for name in differ:
        raise ValueError(
            f"Expected a run of the same recipe in {out}, which has "
            f"{name}={theirs.get(name)!r:.200}. Received: {name}="
            f"{ours[name]!r:.200}. Choose another folder."
        )
    if not saves(out):
        _write_run(path, ours, start)  # nothing is lost by another start
    elif recipe.start_from and Path(recipe.start_from).name != Path(began).name:
        raise ValueError(
            f"Expected a run that began with {began or 'random weights'!r}, as "
            f"that in {out}. Received: start_from={recipe.start_from!r}. Leave "
            "it out to go on, or choose another folder."
        )


def _write_run(
    path: Path, recipe: dict[str, Any], start: dict[str, str] | None
) -> None:
    facts = {"keras_gans": keras_gans.__version__, "recipe": recipe}
    with written_aside(path) as file:
        file.write(json.dumps(facts | {"start": start}, indent=2).encode())


def _shapes_hash(model: keras.Model) -> str:
    """Changes when a network does: of all weights' names and shapes."""
    facts = repr([(w.name, tuple(w.shape)) for w in model.weights])
    return hashlib.sha256(facts.encode()).hexdigest()[:16]


def _sweep(out: Path) -> None:
    """Remove what a killed save left aside."""
    for aside in out.glob(".save_*"):
        for file in aside.glob("*"):
            file.unlink()
        aside.rmdir()
    for files in (".run.json.*", ".log.csv.*", "samples/.step_*"):
        for file in out.glob(files):
            file.unlink()


def _restore(out: Path, expected: keras.Model) -> tuple[int, keras.Model]:
    """The newest save and its step; it must be of the `expected` model."""
    newest = saves(out)[-1]
    try:
        same = _is_save_of(expected, newest)
        model = keras.saving.load_model(newest) if same else None
    except Exception as error:
        advice = (
            "Go on with the version of keras_gans that wrote it."
            if newest.is_file() and zipfile.is_zipfile(newest)
            else "It is damaged: remove it to go on from the one before."
        )
        words = first_line(error)[:300]
        raise ValueError(
            "Expected a save that this version of keras_gans reads. Received: "
            f"{newest} ({words}). {advice}"
        ) from error
    if not same or _arguments(model) != _arguments(expected):
        raise ValueError(
            f"Expected a save of the recipe's {type(expected).__name__}. "
            f"Received: {newest}, of another model. Choose another folder."
        )
    return int(newest.stem.removeprefix("step_")), model


def _is_save_of(expected: keras.Model, path: Path) -> bool:
    """Whether a save is of such a model, before Keras builds what it says.

    Raises:
        ValueError: If it is damaged, or unpacks to more than it has.
    """
    with zipfile.ZipFile(regular(path)) as archive:
        for member in archive.infolist():
            if member.filename not in MEMBERS:
                raise ValueError(f"{member.filename!r:.100} in it")
            if member.file_size > member.compress_size:
                raise ValueError(f"{member.filename!r:.100} is packed")
        theirs = json.loads(archive.read("config.json"))
        weights = archive.getinfo("model.weights.h5")
        with archive.open(weights) as file:
            check_hdf5(file, weights.file_size)
    ours = keras.saving.serialize_keras_object(expected)
    ours = json.loads(json.dumps(ours))
    return theirs["registered_name"] == ours["registered_name"] and all(
        ours["config"].get(name) == value  # a save may be older than a name
        for name, value in theirs["config"].items()
        if name not in SEEN
    )


MEMBERS = ("config.json", "metadata.json", "model.weights.h5")  # none packed
SEEN = ("class_counts",)  # of the data, since its class was given arguments


def _arguments(model: keras.Model) -> dict[str, Any]:
    """What its class was given."""
    return {k: v for k, v in model.get_config().items() if k not in SEEN}


def _next_stop(step: int, recipe: Recipe) -> int:
    """The next step at which to save, to draw, or to end."""
    after = [
        (step // n + 1) * n for n in (recipe.save_every, recipe.sample_every)
    ]
    return min(*after, recipe.steps)


def _draw(
    model: keras.Model, data: datasets.ImageData, out: Path, step: int
) -> None:
    folder = writable_folder(out / "samples")
    save_png(folder / f"step_{step:08d}.png", model.progress(data))


def _rows(log: Path) -> Iterator[dict[str, Any]]:
    """Lines of a log, as far as it can be read."""
    with (
        open(log, newline="", errors="replace") as file,
        contextlib.suppress(csv.Error),
    ):
        yield from csv.DictReader(file)


def _log(out: Path, step: int, history: dict[str, list[float]]) -> None:
    """Append the means of the stretch of steps that ended at `step`.

    A stretch begins at the last save or picture. Lines past `step`, of a run
    that was killed, are dropped.
    """
    path = out / "log.csv"
    row = {"step": step} | {k: float(v[-1]) for k, v in history.items()}
    rows = []
    if path.is_file():
        rows = [
            r
            for r in _rows(path)
            if re.fullmatch("[0-9]{1,12}", r.get("step") or "")
            and int(r["step"]) < step
        ]
    with written_aside(path) as file:
        lines = [",".join(row)]
        lines += [",".join(map(str, r.values())) for r in [*rows, row]]
        file.write(("\n".join(lines) + "\n").encode())
