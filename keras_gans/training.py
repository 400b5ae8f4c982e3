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

import csv
import json
import os
import signal
import tempfile
import threading
from pathlib import Path
from typing import Any

import keras

import keras_gans
from keras_gans import datasets, registry
from keras_gans.files import writable_folder, written_aside
from keras_gans.images import grid, save_png
from keras_gans.recipes import Recipe


def train(
    recipe: Recipe,
    out: str | Path,
    data: datasets.ImageData | None = None,
    verbose: str | int = "auto",
) -> keras.Model:
    """Train a recipe to its end in the folder `out`, from where it stands.

    Ctrl-C and SIGTERM save and leave; starting again goes on.

    Args:
        recipe: What to train.
        out: The run's folder; made where it is missing.
        data: Instead of the recipe's data set.
        verbose: As in `keras.Model.fit`.

    Returns:
        The trained model.

    Raises:
        OSError: If there is no room for a save; those before stay whole.
        ValueError: If the folder cannot be written, or holds a run of another
            recipe or of a version whose saves cannot be read.
        KeyboardInterrupt: After Ctrl-C or SIGTERM, once all is saved.
    """
    out = writable_folder(out)
    if data is None:
        data = datasets.load(**_data_arguments(recipe))
    _check_same_run(recipe, data, out)
    _sweep(out)

    step, model = _restore(out)
    if model is None:
        keras.utils.set_random_seed(recipe.seed)
        model = registry.create(recipe.model, **recipe.config)
        model.compile()
    batches = data.batches(
        recipe.batch_size,
        seed=recipe.seed,
        labels=model.takes_labels,
        flip=recipe.flip,
    )
    if step == 0:
        model.adapt(data.sample())

    with _Stop() as stop:
        while step < recipe.steps and not stop.asked:
            target = _next_stop(step, recipe)
            counter = _Counter(step, stop)
            if verbose:
                print(f"Steps {step + 1} to {target} of {recipe.steps}")
            history = model.fit(
                batches.steps(step, target),
                verbose=verbose,
                callbacks=[counter],
            ).history
            step = counter.step
            if step % recipe.sample_every == 0 or step == recipe.steps:
                _draw(model, out, step)
            if (
                step % recipe.save_every == 0
                or step == recipe.steps
                or stop.asked
            ):
                save(model, out, step)
                _log(out, step, history)
    if stop.asked and step < recipe.steps:
        raise KeyboardInterrupt(
            f"Stopped and saved at step {step} of {recipe.steps} in {out}. "
            "Start again to go on."
        )
    return model


def save(model: keras.Model, out: Path, step: int) -> Path:
    """Save a run's whole state, atomically; the last two saves are kept.

    Written aside, flushed to the disk, renamed: a kill at any moment leaves
    the old saves or the new one, never half of it.
    """
    path = out / f"step_{step:08d}.keras"
    try:
        with tempfile.TemporaryDirectory(prefix=".save_", dir=out) as aside:
            whole = Path(aside) / path.name
            model.save(whole)
            with open(whole, "rb") as file:
                os.fsync(file.fileno())
            os.replace(whole, path)
    except OSError as error:
        raise OSError(
            f"Expected room for a save in {out}. Received: {error}. The saves "
            "before are whole: make room, and start again to go on."
        ) from error
    folder = os.open(out, os.O_RDONLY)
    try:
        os.fsync(folder)  # the new name, too, is on the disk
    finally:
        os.close(folder)
    for old in saves(out)[:-2]:
        old.unlink()
    return path


def saves(out: Path) -> list[Path]:
    """The saves in a run's folder, oldest first."""
    return sorted(out.glob("step_*.keras"))


class _Counter(keras.callbacks.Callback):
    """Counts steps, and ends `fit` at the first one after a stop is asked."""

    def __init__(self, step: int, stop: "_Stop"):
        super().__init__()
        self.step = step
        self.stop = stop

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self.step += 1
        if self.stop.asked:
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


def _check_same_run(
    recipe: Recipe, data: datasets.ImageData, out: Path
) -> None:
    """Write `run.json` for a new run, or compare it with an old one's."""
    fields = recipe.as_dict()
    # A run may be made longer, and saved or drawn more often.
    for free in ("steps", "budgets", "save_every", "sample_every"):
        fields.pop(free)
    # Where the data lies on this machine is not what it is.
    fields["data"] = {"name": data.name, "images": len(data)}
    ours = json.loads(json.dumps(fields))
    path = out / "run.json"
    if not path.is_file():
        facts = {"keras_gans": keras_gans.__version__, "recipe": ours}
        with written_aside(path) as file:
            file.write(json.dumps(facts, indent=2).encode())
        return
    theirs = json.loads(path.read_text()).get("recipe", {})
    for name in ours:
        if theirs.get(name) != ours[name]:
            raise ValueError(
                f"Expected a run of the same recipe in {out}, which has "
                f"{name}={theirs.get(name)!r}. Received: {name}="
                f"{ours[name]!r}. Choose another folder."
            )


def _sweep(out: Path) -> None:
    """Remove what a killed save left aside."""
    for aside in out.glob(".save_*"):
        for file in aside.glob("*"):
            file.unlink()
        aside.rmdir()
    for file in out.glob(".run.json.*"):
        file.unlink()


def _restore(out: Path) -> tuple[int, keras.Model | None]:
    """The newest save and its step, or (0, None)."""
    found = saves(out)
    if not found:
        return 0, None
    newest = found[-1]
    try:
        model = keras.saving.load_model(newest)
    except Exception as error:
        raise ValueError(
            f"Expected a save that this version of keras_gans reads. Received: "
            f"{newest} ({str(error).splitlines()[0]}). Remove it to go on from "
            f"the one before."
        ) from error
    return int(newest.stem.removeprefix("step_")), model


def _next_stop(step: int, recipe: Recipe) -> int:
    """The next step at which to save, to draw, or to end."""
    after = [
        (step // n + 1) * n for n in (recipe.save_every, recipe.sample_every)
    ]
    return min(*after, recipe.steps)


def _draw(model: keras.Model, out: Path, step: int) -> None:
    folder = writable_folder(out / "samples")
    images = model.generate(64, seed=0)
    save_png(folder / f"step_{step:08d}.png", grid(images))


def _log(out: Path, step: int, history: dict[str, list[float]]) -> None:
    """Append the means since the last line; lines past `step` are dropped."""
    path = out / "log.csv"
    row = {"step": step} | {k: float(v[-1]) for k, v in history.items()}
    rows = []
    if path.is_file():
        with open(path, newline="") as file:
            rows = [r for r in csv.DictReader(file) if int(r["step"]) < step]
    with written_aside(path) as file:
        lines = [",".join(row)]
        lines += [",".join(map(str, r.values())) for r in [*rows, row]]
        file.write(("\n".join(lines) + "\n").encode())
