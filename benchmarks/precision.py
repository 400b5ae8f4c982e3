"""How near the gradients of half precision are to those of float32.

    python benchmarks/precision.py

For each model of the zoo, at its default size: the cosine of each player's
gradient in the first step with that of float32, the same weights, images and
noise; of smooth random images, as many as the originals take a step, 4 for
StackGAN at 256x256. With fewer the errors are larger: each image's are its own,
and what is to be learnt is common to them. Rounding depends on the processor's
instructions. Writes `precision.csv` and, from the same rows, `precision.md`.
"""

import argparse
import sys
from pathlib import Path

from rows import read_rows, write_rows

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import keras_gans  # noqa: E402 first: it sets TensorFlow's options

import keras  # noqa: E402 isort: skip
from tests.conformance import images_like  # noqa: E402
from tests.precision import gradient_cosines  # noqa: E402

RESULTS = Path(__file__).parent / "results"
POLICIES = ("mixed_float16", "mixed_bfloat16")
COLUMNS = ("model", "batch", "player", *POLICIES)
BATCHES = {
    "acgan": 100,
    "autoencoder": 100,
    "cgan": 100,
    "cramer_gan": 64,
    "cyclegan": 1,
    "dcgan": 128,
    "gan": 100,
    "lapgan": 128,
    "stackgan": 4,
    "stackgan_stage1": 128,
    "vae": 100,
    "wgan": 64,
    "wgan_gp": 64,
}


def measure(name: str) -> list[dict[str, str]]:
    keras.utils.set_random_seed(0)
    model = keras_gans.create(name)
    n = BATCHES[name]
    shape = {"image_shape": model.image_shape}
    images = images_like(shape, n * model.batches_a_step)
    cosines = {p: gradient_cosines(model, images, p) for p in POLICIES}
    return [
        {
            "model": name,
            "batch": str(n),
            "player": player.removesuffix("_optimizer"),
        }
        | {p: f"{cosines[p][player]:.4f}" for p in POLICIES}
        for player in model.players
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--models", nargs="+")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "precision.csv"
    for name in options.models or keras_gans.list_models():
        kept = [row for row in read_rows(path) if row["model"] != name]
        rows = sorted([*kept, *measure(name)], key=lambda row: row["model"])
        write_rows(rows, path, COLUMNS)
    lines = [
        "# Half precision",
        "",
        "Cosine of the first step's gradient with float32's. Written by "
        "`python benchmarks/precision.py`.",
        "",
        f"| {' | '.join(COLUMNS)} |",
        "|---|---:|---|---:|---:|",
        *(f"| {' | '.join(row.values())} |" for row in read_rows(path)),
        "",
    ]
    (options.out / "precision.md").write_text("\n".join(lines))
    print("\n".join(lines))


if __name__ == "__main__":
    main()
