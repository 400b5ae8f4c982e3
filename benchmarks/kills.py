"""Kill the training of every model at random moments; it ends bit-equal.

`python benchmarks/kills.py` trains the tiny configuration of each registered
model (`tests/conformance.py`) undisturbed, and again with 20 SIGKILLs: at any
time, just after a save, within one. After each it starts again, by the same
call. Whenever a run gets to its end, its last save must hold the numbers of the
undisturbed one: weights, optimizers, random states.

It writes `results/kills.csv`, a row a model as soon as it is done, and the
table `results/kills.md`. Rows that are there are not made again: `--anew`
forgets them. It returns 1 if any run ended otherwise.

Processes are forked from one that has imported TensorFlow and not used it yet:
so a start takes no 10 seconds of imports. It has one thread, or they are
refused; `--check` shows that a fork ends as a Python of its own does.
"""

import argparse
import csv
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["OMP_NUM_THREADS"] = "1"

import keras_gans  # noqa: E402 first: it sets TensorFlow's options

import h5py  # noqa: E402 isort: skip
from tests import test_training as tiny_runs  # noqa: E402

RESULTS = Path(__file__).parent / "results"
COLUMNS = (
    *("model", "kills", "within_saves", "starts", "runs_ended", "steps"),
    *("bit_equal", "seconds"),
)
STEPS = 60
SAVE_EVERY = 2


def train(model: str, out: Path) -> None:
    recipe = tiny_runs.tiny(model, steps=STEPS, save_every=SAVE_EVERY)
    tiny_runs.run(recipe, out)


def start(model: str, out: Path) -> int:
    """Train in a fork; its process id."""
    tasks = os.listdir("/proc/self/task")
    if len(tasks) > 1:
        raise RuntimeError(
            f"Expected a process of one thread to fork. Received: {len(tasks)}."
        )
    child = os.fork()
    if child == 0:
        _train_and_exit(model, out)
    return child


def _train_and_exit(model: str, out: Path) -> NoReturn:
    errors = os.open(f"{out}.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(errors, 1)
    os.dup2(errors, 2)
    code = 1
    try:
        train(model, out)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def ended(child: int, until: Callable[[], bool]) -> int | None:
    """The exit code once it ends, or None once something is the case."""
    while not until():
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.0005)
    return None


def asides(out: Path) -> set[str]:
    """What a save is written to before it has its name."""
    if not out.is_dir():
        return set()
    return {name for name in os.listdir(out) if name.startswith(".save_")}


def moment(chance: random.Random, out: Path, seconds: float) -> Callable:
    """Whether the time to kill has come."""
    kind = chance.choice(("any time", "after a save", "within a save"))
    begun, left = time.monotonic(), asides(out)
    delay = (
        chance.random()
        * {
            "any time": seconds,
            "after a save": 0.2,
            "within a save": 0.03,
        }[kind]
    )
    wanted = chance.randint(1, 4) if kind == "after a save" else 1
    saves: set[str] = set()
    seen: list[float] = [begun] if kind == "any time" else []

    def come() -> bool:
        if not seen:
            saves.update(asides(out) - left)
            if len(saves) >= wanted:
                seen.append(time.monotonic())
        return bool(seen) and time.monotonic() - seen[0] >= delay

    return come


def numbers(out: Path) -> dict[str, tuple]:
    """All arrays of the last save, by their places in it."""
    found = {}
    with zipfile.ZipFile(tiny_runs.training.saves(out)[-1]) as archive:
        with archive.open("model.weights.h5") as raw, h5py.File(raw) as file:
            file.visititems(
                lambda name, item: found.update(
                    {name: (str(item.dtype), item.shape, item[()].tobytes())}
                    if isinstance(item, h5py.Dataset)
                    else {}
                )
            )
    return found


def succeed(code: int, out: Path) -> None:
    if code:
        said = Path(f"{out}.txt").read_text()
        raise RuntimeError(f"Expected the run to end. Received: {said}")


def killed(model: str, kills: int, folder: Path) -> dict:
    """The row of a model."""
    chance = random.Random(model)
    begun = time.monotonic()
    whole = folder / "whole"
    succeed(ended(start(model, whole), lambda: False), whole)
    seconds = time.monotonic() - begun
    expected = numbers(whole)
    done = within = starts = runs = 0
    equal = True
    out = folder / "killed_0"
    while True:
        starts += 1
        left = asides(out)  # by earlier kills
        child = start(model, out)
        come = moment(chance, out, seconds) if done < kills else bool
        code = ended(child, come)
        if code is None:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            done += 1
            within += bool(asides(out) - left)
            continue
        succeed(code, out)
        equal = equal and numbers(out) == expected
        runs += 1
        if done == kills:
            break
        out = folder / f"killed_{runs}"
    values = (model, done, within, starts, runs, STEPS, equal)
    seconds = round(time.monotonic() - begun)
    return dict(zip(COLUMNS, (*values, seconds), strict=True))


def same_as_a_process(model: str, folder: Path) -> bool:
    """Whether a fork ends with the numbers of a Python that was started."""
    succeed(
        ended(start(model, folder / "fork"), lambda: False), folder / "fork"
    )
    code = (
        "from benchmarks import kills; from pathlib import Path; "
        f"kills.train({model!r}, Path({str(folder / 'own')!r}))"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
    return numbers(folder / "fork") == numbers(folder / "own")


def write(rows: list[dict], out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    rows.sort(key=lambda row: row["model"])
    with open(out / "kills.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    titles = [name.replace("_", " ") for name in COLUMNS]
    lines = [
        "# Kills",
        "",
        "The tiny configuration of each model, killed at random moments and "
        "started again: whether each run that got to its end (there may be "
        "several) holds the numbers of an undisturbed one. Written by "
        "`python benchmarks/kills.py`.",
        "",
        f"| {' | '.join(titles)} |",
        "|---" * len(COLUMNS) + "|",
    ]
    lines += [f"| {' | '.join(map(str, row.values()))} |" for row in rows]
    (out / "kills.md").write_text("\n".join(lines) + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=keras_gans.list_models())
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--anew", action="store_true")
    parser.add_argument("--check", metavar="MODEL", help="a fork is as good")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.check:
            same = same_as_a_process(options.check, Path(folder))
            print(f"{options.check}: a fork ends {'' if same else 'not '}alike")
            return int(not same)
    rows = []
    if (options.out / "kills.csv").is_file() and not options.anew:
        with open(options.out / "kills.csv", newline="") as file:
            rows = list(csv.DictReader(file))
    for model in options.models:
        if model not in [row["model"] for row in rows]:
            with tempfile.TemporaryDirectory() as folder:
                rows.append(killed(model, options.kills, Path(folder)))
            print(rows[-1], flush=True)
            write(rows, options.out)
    return int(any(str(row["bit_equal"]) != "True" for row in rows))


if __name__ == "__main__":
    sys.exit(main())
