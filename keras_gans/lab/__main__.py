"""`python -m keras_gans.lab`: make the figures of the laboratory."""

import argparse
import importlib
import time
from pathlib import Path

from keras_gans.files import writable_folder

# Of the pages in `docs/lab/`, in a lecture's order; the last two train.
FIGURES = (
    "two_modes",
    "total_variation",
    "optimal_discriminator",
    "bilinear_game",
    "parallel_lines",
    "biased_gradients",
    "lipschitz",
    "mixtures",
)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m keras_gans.lab", description=__doc__
    )
    parser.add_argument(
        "figures",
        nargs="*",
        metavar="FIGURE",
        help=f"which; all by default: {', '.join(FIGURES)}",
    )
    parser.add_argument("--out", type=Path, default=Path("lab"))
    args = parser.parse_args()
    for name in args.figures:
        if name not in FIGURES:
            parser.error(f"{name!r} is none of {', '.join(FIGURES)}")
    out = writable_folder(args.out)
    for name in args.figures or FIGURES:
        start = time.perf_counter()
        for path in importlib.import_module(f"keras_gans.lab.{name}").draw(out):
            print(path, flush=True)
        print(f"  {name}: {time.perf_counter() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
