"""What a long training takes of the machine, with every callback on.

`python benchmarks/long_run.py` trains the smallest model for 10,000 steps in
epochs of 100, with a grid, a film, measures and a health check, and writes to
`results/long_run.csv` what it holds after each epoch: resident memory, open
files, bytes of the pictures. It prints the slope of the memory over the last
three quarters, and returns 1 if it rises by more than 1 KiB a step, if files
stay open, if the film outgrows its frames, or if grids or the film grow.
"""

import argparse
import csv
import os
import sys
import tempfile
import time
import warnings
from pathlib import Path

import keras_gans  # first: it sets TensorFlow's options  # noqa: F401

import keras  # isort: skip
import numpy as np

from keras_gans import callbacks
from keras_gans.datasets import ImageData

RESULTS = Path(__file__).parent / "results" / "long_run.csv"
PAGE = os.sysconf("SC_PAGE_SIZE")
MOST_BYTES_A_STEP = 1024
MOST_FRAMES = 51  # the film's 50, and the last
COLUMNS = ("step", "seconds", "resident_bytes", "open_files", "grid_bytes")


class Watch(keras.callbacks.Callback):
    """A row an epoch of what the process holds."""

    def __init__(self, folder: Path):
        super().__init__()
        self.folder = folder
        self.rows: list[dict[str, float]] = []
        self.steps = 0
        self.start = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self.steps += 1

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        grids = sorted((self.folder / "grids").iterdir())
        seconds = time.perf_counter() - self.start
        row = (
            *(self.steps, round(seconds, 1), pages * PAGE),
            *(len(os.listdir("/proc/self/fd")), grids[-1].stat().st_size),
        )
        self.rows.append(dict(zip(COLUMNS, row, strict=True)))


def long_run(steps: int, folder: Path) -> dict[str, float]:
    """Train in `folder`; the figures by name, and `rows` of all epochs."""
    keras.utils.set_random_seed(0)
    images = np.random.default_rng(0).integers(0, 256, (800, 8, 8, 1), "uint8")
    data = ImageData("noise", images)
    image = keras.Input((8, 8, 1))
    pixels = keras.Model(image, keras.layers.Flatten()(image))
    gan = keras_gans.GAN((8, 8, 1), latent_dim=4, variant="small")
    watch = Watch(folder)
    film = callbacks.TrainingGIF(folder / "film.gif", max_frames=50)
    on = [
        callbacks.SampleGrid(folder / "grids"),
        film,
        callbacks.Evaluate(
            n=50, folder=folder, extractor_name=pixels, test=data
        ),
        callbacks.HealthMonitor(data),
        watch,
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # noise is not learnt well
        gan.fit(data.batches(8), epochs=steps // 100, callbacks=on, verbose=0)
    late = watch.rows[len(watch.rows) // 4 :]
    slope = np.polyfit(
        [row["step"] for row in late],
        [row["resident_bytes"] for row in late],
        1,
    )[0]
    return {
        "rows": watch.rows,
        "steps": watch.steps,
        "bytes_a_step": float(slope),
        "files_left_open": late[-1]["open_files"] - late[0]["open_files"],
        "frames": len(film.frames),
        "film_bytes": (folder / "film.gif").stat().st_size,
        "smallest_grid_bytes": min(row["grid_bytes"] for row in watch.rows),
        "largest_grid_bytes": max(row["grid_bytes"] for row in watch.rows),
    }


def too_large(found: dict[str, float]) -> bool:
    """Whether pictures grew: a frame of the film has no more than two grids."""
    grid = found["largest_grid_bytes"]
    return (
        found["frames"] > MOST_FRAMES
        or grid > 2 * found["smallest_grid_bytes"]
        or found["film_bytes"] > 2 * MOST_FRAMES * grid
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = long_run(options.steps, Path(folder))
    rows = found.pop("rows")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with open(options.out, "w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    for name, value in found.items():
        print(f"{name:20} {value:.4g}")
    return int(
        found["bytes_a_step"] > MOST_BYTES_A_STEP
        or found["files_left_open"] > 0
        or too_large(found)
    )


if __name__ == "__main__":
    sys.exit(main())
