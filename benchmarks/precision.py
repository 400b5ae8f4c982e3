"""How near the gradients of half precision are to those of float32.

    python benchmarks/precision.py

For each model of the zoo, at its default size (CycleGAN: 6 blocks, 128x128):
the cosine of each player's gradient in the first step with that of float32, the
same weights, images and noise; of smooth random images, as many as the
originals take a step, 4 for CycleGAN and StackGAN's second stage. With fewer
the errors are larger: each image's are its own, and what is to be learnt is
common to them.
Beside them, where PyTorch is installed, what its autocast to bfloat16 comes to
in the original's first step, with noise and weights of its own.

Rounding depends on the processor's instructions. Writes `precision.csv` and,
from the same rows, `precision.md`.
"""

import argparse
import contextlib
import dataclasses
import sys
from importlib.util import find_spec
from pathlib import Path
from unittest import mock

from rows import read_rows, write_rows
from throughput import CASES, Case

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import keras_gans  # noqa: E402 first: it sets TensorFlow's options

import keras  # noqa: E402 isort: skip
import numpy as np  # noqa: E402 isort: skip
from tests.conformance import images_like  # noqa: E402
from tests.precision import gradient_cosines  # noqa: E402

RESULTS = Path(__file__).parent / "results"
POLICIES = ("mixed_float16", "mixed_bfloat16")
PYTORCH = "pytorch_bfloat16"
COLUMNS = ("model", "batch", "player", *POLICIES, PYTORCH)
SMALLER = {"cyclegan": {"image_shape": (128, 128, 3), "num_blocks": 6}}
BATCHES = {
    "acgan": 100,
    "autoencoder": 100,
    "cgan": 100,
    "cramer_gan": 64,
    "cyclegan": 4,
    "dcgan": 128,
    "gan": 100,
    "lapgan": 128,
    "stackgan": 4,
    "stackgan_stage1": 128,
    "vae": 100,
    "wgan": 64,
    "wgan_gp": 64,
}
# Of `throughput.py`: the cases whose networks are the models' default ones.
PEERS = {
    "acgan": "acgan_32",
    "cgan": "cgan_28",
    "cyclegan": "cyclegan_128",
    "dcgan": "dcgan_64",
    "gan": "gan_paper",
    "lapgan": "lapgan_32",
    "stackgan_stage1": "stackgan_64",
    "vae": "vae_28",
    "wgan": "wgan_28",
    "wgan_gp": "wgan_gp_32",
}


def measure(name: str, columns: list[str]) -> list[dict[str, str]]:
    """A row for each of its players, with these columns."""
    keras.utils.set_random_seed(0)
    options = SMALLER.get(name, {})
    if name == "stackgan":
        options = {"stage1": keras_gans.create("stackgan_stage1")}
    model = keras_gans.create(name, **options)
    n = BATCHES[name]
    shape = {"image_shape": model.image_shape}
    images = images_like(shape, n * model.batches_a_step)
    cosines = {
        policy: gradient_cosines(model, images, policy)
        for policy in POLICIES
        if policy in columns
    }
    if PYTORCH in columns and name in PEERS and find_spec("torch"):
        case = dataclasses.replace(
            CASES[PEERS[name]], image_shape=model.image_shape, batch_size=n
        )
        of_sizes = autocast_cosines(case, images)
        sizes = {
            player: sum(int(np.prod(v.shape)) for v in variables)
            for player, variables in model.players.items()
        }
        cosines[PYTORCH] = {
            player: of_sizes[size]
            for player, size in sizes.items()
            if size in of_sizes
        }
    return [
        {
            "model": name,
            "batch": str(n),
            "player": player.removesuffix("_optimizer"),
        }
        | {
            column: f"{found[player]:.4f}"
            for column, found in cosines.items()
            if player in found
        }
        for player in model.players
    ]


def autocast_cosines(case: Case, images: np.ndarray) -> dict[int, float]:
    """Of each of the original's optimizers, by the number of its weights."""
    import peers
    import torch

    real = torch.tensor(images)
    if case.is_dense:
        real = (real.flatten(1) + 1.0) / 2.0  # [0, 1], as there
    else:
        real = real.permute(0, 3, 1, 2).contiguous()
    found = []
    for half in (False, True):
        gradients: dict[int, torch.Tensor] = {}

        def keep(optimizer, closure=None, gradients=gradients):
            weights = [p for g in optimizer.param_groups for p in g["params"]]
            flat = torch.cat([p.grad.ravel().double() for p in weights])
            gradients.setdefault(len(flat), flat)

        def dropout(x, p=0.5, training=True, inplace=False):
            kept = torch.rand(x.shape) >= p if training else torch.ones(())
            return x * kept.to(x.dtype) / (1.0 - p if training else 1.0)

        torch.manual_seed(0)
        _, _, step = peers.PEERS[case.model](case, torch.contiguous_format)
        torch.manual_seed(1)
        with contextlib.ExitStack() as patches:
            for kind in (
                torch.optim.Adam,
                torch.optim.RMSprop,
                torch.optim.SGD,
            ):
                patches.enter_context(mock.patch.object(kind, "step", keep))
            functional = torch.nn.functional
            patches.enter_context(
                mock.patch.object(functional, "dropout", dropout)
            )
            patches.enter_context(
                torch.autocast("cpu", torch.bfloat16, enabled=half)
            )
            step(real)
        found.append(gradients)
    full, half = found
    return {
        size: float(
            full[size] @ half[size] / (full[size].norm() * half[size].norm())
        )
        for size in full
    }


def markdown(rows: list[dict[str, str]]) -> str:
    lines = [
        "# Half precision",
        "",
        "Cosine of the first step's gradient with float32's. Written by "
        "`python benchmarks/precision.py`.",
        "",
        f"| {' | '.join(COLUMNS)} |",
        "|---|---:|---|---:|---:|---:|",
        *(f"| {' | '.join(row.values())} |" for row in rows),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--models", nargs="+")
    parser.add_argument(
        "--columns",
        nargs="+",
        choices=COLUMNS[3:],
        default=COLUMNS[3:],
        help="to measure; what stands in the others stays",
    )
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "precision.csv"
    for name in options.models or keras_gans.list_models():
        old = {(row["model"], row["player"]): row for row in read_rows(path)}
        for row in measure(name, options.columns):
            key = row["model"], row["player"]
            old[key] = dict.fromkeys(COLUMNS, "") | old.get(key, {}) | row
        rows = sorted(old.values(), key=lambda row: row["model"])
        write_rows(rows, path, COLUMNS)
    text = markdown(rows)
    (options.out / "precision.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
