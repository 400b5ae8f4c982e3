"""What metrics of ready features cost, beside torch-fidelity and prdc.

`python benchmarks/metrics.py --n 10000` measures each metric on two sets of n
random float32 features of width 2,048: seconds on the clock, seconds of all
cores, and the peak of memory above the features themselves. Each case has an
interpreter of its own, with the packages imported before the clock starts. It
writes `benchmarks/results/metrics.csv`, and keeps its other rows.

prdc takes density, coverage, precision and recall in one call; torch-fidelity
reads precision and recall in its frugal mode, `save_cpu_ram`.
"""

import argparse
import contextlib
import csv
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results" / "metrics.csv"
WIDTH = 2048
CASES = {  # metric -> packages, ours first
    "frechet_distance": ("keras_gans", "torch-fidelity"),
    "kernel_distance": ("keras_gans", "torch-fidelity"),
    "precision_recall": ("keras_gans", "torch-fidelity", "prdc"),
    "density_coverage": ("keras_gans", "prdc"),
}


def ours(metric: str) -> Callable:
    """(real, fake) -> figures."""
    from keras_gans import metrics

    if metric == "frechet_distance":
        return metrics.frechet_distance_of
    return getattr(metrics, metric)


def torch_fidelity(metric: str) -> Callable:
    """(real, fake) -> figures."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from tests.metrics import peers

    if metric == "frechet_distance":
        fid = peers.torch_fidelity("metric_fid")

        def run(real: Any, fake: Any) -> Any:
            one, two = map(fid.fid_features_to_statistics, (real, fake))
            return fid.fid_statistics_to_metric(one, two, False)

    elif metric == "kernel_distance":
        kid = peers.torch_fidelity("metric_kid")

        def run(real: Any, fake: Any) -> Any:
            return kid.kid_features_to_metric(
                real, fake, kid_subset_size=1000, kid_subsets=100, verbose=False
            )

    else:
        prc = peers.torch_fidelity("metric_prc")

        def run(real: Any, fake: Any) -> Any:
            return prc.prc_features_to_metric(
                fake, real, save_cpu_ram=True, verbose=False
            )

    import torch

    return lambda real, fake: run(
        torch.from_numpy(real), torch.from_numpy(fake)
    )


def prdc(metric: str) -> Callable:
    """(real, fake) -> figures."""
    import prdc

    k = 3 if metric == "precision_recall" else 5
    return lambda real, fake: prdc.compute_prdc(real, fake, k)


def measure(metric: str, package: str, n: int) -> None:
    """Print one case's figures as JSON; the body of a fresh interpreter."""
    import numpy as np

    packages = {
        "keras_gans": ours,
        "torch-fidelity": torch_fidelity,
        "prdc": prdc,
    }
    run = packages[package](metric)
    generator = np.random.default_rng(0)
    real = generator.standard_normal((n, WIDTH), np.float32)
    fake = generator.standard_normal((n, WIDTH), np.float32)
    fake *= np.float32(0.99)
    with contextlib.redirect_stdout(sys.stderr):
        if metric in ("precision_recall", "density_coverage"):
            run(real[:50], fake[:50])  # threads started, modules loaded
        with open("/proc/self/statm") as file:
            pages = int(file.read().split()[1])
        start, processor = time.perf_counter(), time.process_time()
        run(real, fake)
        seconds = time.perf_counter() - start
        processor = time.process_time() - processor
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    peak -= pages * os.sysconf("SC_PAGE_SIZE")
    print(json.dumps([seconds, processor, max(peak, 0) / 2**20]))


def fits(package: str, n: int) -> bool:
    """Whether prdc's distances and their int64 order fit into memory."""
    if package != "prdc":
        return True
    with open("/proc/meminfo") as file:
        free = next(int(x.split()[1]) for x in file if "MemAvailable" in x)
    return 2 * n * WIDTH * 4 + n * n * (4 + 8) < 0.9 * free * 1024


def rows_of(metric: str, n: int, rounds: int) -> list[dict[str, Any]]:
    """The medians of one metric's cases, which run in turn."""
    runs = {package: [] for package in CASES[metric] if fits(package, n)}
    for _ in range(rounds):
        for package, found in runs.items():
            done = subprocess.run(
                (sys.executable, __file__, "--case", metric, package, str(n)),
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                check=True,
            )
            found.append(json.loads(done.stdout.splitlines()[-1]))
    rows = []
    for package in CASES[metric]:
        row = {"metric": metric, "n": n, "package": package}
        if package in runs:
            figures = zip(*runs[package], strict=True)
            seconds, processor, peak = map(statistics.median, figures)
            own = rows[0]["seconds"] if rows else seconds
            row |= {
                "seconds": round(seconds, 2),
                "cpu_seconds": round(processor, 2),
                "peak_mib": round(peak),
                "times_ours": round(seconds / own, 2),
                "rounds": rounds,
            }
        else:
            row["seconds"] = "does not fit"
        rows.append(row)
        print(*row.values(), flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, nargs="+", default=[10_000, 50_000])
    parser.add_argument("--metrics", nargs="+", default=list(CASES))
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--case", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        metric, package, n = options.case
        return measure(metric, package, int(n))

    rows = []
    if RESULTS.exists():
        with open(RESULTS, newline="") as file:
            rows = [
                r
                for r in csv.DictReader(file)
                if int(r["n"]) not in options.n
                or r["metric"] not in options.metrics
            ]
    for n in options.n:
        for metric in options.metrics:
            rows += rows_of(metric, n, options.rounds)
    names = "metric n package seconds cpu_seconds peak_mib times_ours rounds"
    rows.sort(key=lambda r: (int(r["n"]), list(CASES).index(r["metric"])))
    RESULTS.parent.mkdir(exist_ok=True)
    with open(RESULTS, "w", newline="") as file:
        writer = csv.DictWriter(file, names.split())
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
