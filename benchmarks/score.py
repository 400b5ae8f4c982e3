"""How long a VAE takes to score images, and in how much memory.

    python benchmarks/score.py --images 10000 --k 5000

`VAE.score` of the IWAE's network (784-200-200-50) on random images, in a
process of its own: seconds, the peak memory of that process (framework and
images included), GFLOP/s of the decoder's products. Writes `results/score.csv`.
"""

import argparse
import csv
import datetime
import os
import resource
import time
from pathlib import Path

RESULTS = Path(__file__).parent / "results" / "score.csv"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--k", type=int, default=5_000)
    options = parser.parse_args()

    import keras
    import numpy as np

    import keras_gans

    rng = np.random.default_rng(0)
    shape = (options.images, 28, 28, 1)
    images = rng.uniform(-1.0, 1.0, shape).astype(np.float32)
    vae = keras_gans.VAE(network="iwae", binarise=True)
    vae.score(images[:50], k=options.k)  # compiles
    start = time.perf_counter()
    vae.score(images, k=options.k, verbose=True)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    widths = (vae.latent_dim, *vae.widths[::-1], 784)
    products = sum(a * b for a, b in zip(widths, widths[1:], strict=False))
    work = 2.0 * products * options.images * options.k
    row = {
        "images": options.images,
        "k": options.k,
        "backend": keras.backend.backend(),
        "seconds": round(seconds, 1),
        "peak_mib": round(peak),
        "gflops": round(work / seconds / 1e9, 1),
        "threads": len(os.sched_getaffinity(0)),
        "date": datetime.date.today().isoformat(),
    }
    RESULTS.parent.mkdir(exist_ok=True)
    with open(RESULTS, "w", newline="") as file:
        writer = csv.DictWriter(file, [*row])
        writer.writeheader()
        writer.writerow(row)
    for name, value in row.items():
        print(f"{name:10} {value}")


if __name__ == "__main__":
    main()
