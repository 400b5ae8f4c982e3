"""Modes found on the ring of 8 Gaussians and the 5x5 grid, over seeds.

`python benchmarks/toy.py` trains GAN, WGAN, WGAN-GP and Cramer GAN with the
recipes of `keras_gans/lab/mixtures.py`, five seeds each, and measures 2,500
samples of each: modes found, and the share within three deviations of one
(`keras_gans.metrics.mode_coverage`). Beside them: uniform noise on the square,
and the true distribution. It writes `benchmarks/results/toy.csv`, a row a
training as soon as it is done, and the table `toy.md` beside it, of the
trainings with the laboratory's steps. Rows that are there already are not
measured again: `--anew` forgets those that are asked for.
"""

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

import keras_gans  # first: it sets TensorFlow's options  # noqa: F401

import keras  # isort: skip
import numpy as np
from rows import read_rows, write_rows

from keras_gans.lab import mixtures
from keras_gans.metrics import mode_coverage

RESULTS = Path(__file__).parent / "results"
COLUMNS = (
    "data",
    "model",
    "seed",
    "steps",
    "modes",
    "of",
    "quality",
    "seconds",
    "backend",
)


def key_of(row: dict[str, Any]) -> tuple:
    names = row["data"], row["model"], row["backend"]
    return *names, int(row["seed"]), int(row["steps"])


def measure(data: str, model: str, seed: int, steps: int) -> dict[str, Any]:
    """Train one model, and measure what it makes."""
    law = mixtures.LAWS[data]()
    start = time.perf_counter()
    run = mixtures.train(model, law, steps, seed)
    return {
        "data": data,
        "model": model,
        "seed": seed,
        "steps": steps,
        "modes": run.modes,
        "of": len(law.centres),
        "quality": round(run.quality, 4),
        "seconds": round(time.perf_counter() - start, 1),
        "backend": keras.backend.backend(),
    }


def bounds_of(data: str) -> list[tuple[str, int, float]]:
    """What noise and the truth reach: `(title, modes, share)`."""
    law = mixtures.LAWS[data]()
    n = mixtures.SAMPLES
    noise = np.random.default_rng(0).uniform(-1.0, 1.0, (n, 2))
    return [
        (title, *mode_coverage(points, law.centres, law.deviation))
        for title, points in (
            ("noise", noise),
            ("the truth", law.sample(n, seed=0)),
        )
    ]


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown: a line a model and a mixture."""
    lines = [
        "# Modes of toy mixtures",
        "",
        "Written by `python benchmarks/toy.py`, whose first lines say what is "
        "measured; `toy.csv` beside it has every training. Of 2,500 samples; "
        "means and standard deviations over the seeds (n - 1).",
        "",
        "| | model | seeds | modes found, of each seed | found all "
        "| high-quality share |",
        "|---|---|---:|---|---:|---:|",
    ]
    for data, make in mixtures.LAWS.items():
        of = len(make().centres)
        for title, modes, share in bounds_of(data):
            lines.append(
                f"| {data} | {title} | | {modes} of {of} | | {share:.1%} |"
            )
        for model, recipe in mixtures.RECIPES.items():
            mine = [
                r
                for r in rows
                if (r["data"], r["model"]) == (data, model)
                and int(r["steps"]) == mixtures.STEPS[data]
            ]
            if not mine:
                continue
            modes = [int(r["modes"]) for r in mine]
            shares = [float(r["quality"]) for r in mine]
            spread = statistics.stdev(shares) if len(shares) > 1 else 0.0
            lines.append(
                f"| {data} | {recipe.title} | {len(mine)} "
                f"| {', '.join(map(str, modes))} of {of} "
                f"| {sum(m == of for m in modes)} of {len(modes)} "
                f"| {statistics.mean(shares):.1%} ± {spread:.1%} |"
            )
    return "\n".join([*lines, ""])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    laws, models = [*mixtures.LAWS], [*mixtures.RECIPES]
    parser.add_argument("--data", nargs="+", choices=laws, default=laws)
    parser.add_argument("--models", nargs="+", choices=models, default=models)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--steps", type=int, help="instead of the laboratory's")
    parser.add_argument("--anew", action="store_true")
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args()

    args.out.mkdir(parents=True, exist_ok=True)
    path = args.out / "toy.csv"
    rows = read_rows(path)
    backend = keras.backend.backend()
    asked = [
        (data, model, backend, seed, args.steps or mixtures.STEPS[data])
        for data in args.data
        for model in args.models
        for seed in args.seeds
    ]
    if args.anew:
        rows = [row for row in rows if key_of(row) not in asked]
    for key in asked:
        if key in map(key_of, rows):
            continue
        data, model, _, seed, steps = key
        rows.append(measure(data, model, seed, steps))
        write_rows(rows, path, COLUMNS)
        print(rows[-1], flush=True)
    (args.out / "toy.md").write_text(table(rows))
    print(table(rows))


if __name__ == "__main__":
    main()
