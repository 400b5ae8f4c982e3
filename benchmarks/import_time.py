"""What `import keras_gans` costs over `import keras`.

`python benchmarks/import_time.py` starts fresh interpreters in turn, one import
each, and prints the medians and the median of the pairwise ratios. It writes
`benchmarks/results/import_time.csv`.
"""

import argparse
import csv
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

RESULTS = Path(__file__).parent / "results" / "import_time.csv"


def seconds(module: str) -> float:
    """Wall time of a fresh interpreter that imports `module`."""
    # What keras_gans sets by itself, so that both start the same TensorFlow.
    environment = os.environ | {"TF_ENABLE_ONEDNN_OPTS": "1"}
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", f"import {module}"],
        env=environment,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    seconds("keras_gans")  # warms the file cache
    pairs = [(seconds("keras"), seconds("keras_gans")) for _ in range(rounds)]
    row = {
        "rounds": rounds,
        "backend": os.environ.get("KERAS_BACKEND", "tensorflow"),
        "keras_s": round(statistics.median(k for k, _ in pairs), 3),
        "keras_gans_s": round(statistics.median(g for _, g in pairs), 3),
        "ratio": round(statistics.median(g / k for k, g in pairs), 3),
    }
    RESULTS.parent.mkdir(exist_ok=True)
    with open(RESULTS, "w", newline="") as file:
        writer = csv.DictWriter(file, row)
        writer.writeheader()
        writer.writerow(row)
    print(row)


if __name__ == "__main__":
    main()
