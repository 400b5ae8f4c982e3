"""How fast the models train on a GPU, beside PyTorch eager and compiled.

    python benchmarks/gpu.py
    python benchmarks/gpu.py --device cpu --models gan_small --batch-sizes 8 \\
        --steps 2 --rounds 2 --out /tmp/gpu            # a rehearsal without one

The models and peers are those of `throughput.py`. On the GPU run

- Keras on each backend of `--backends` (JAX, unless told otherwise), by
  `model.fit` on an array, as a user gets it: feeding and callbacks are in it;
- PyTorch's rendering of the original, eager, on images that lie on the GPU;
- the same with its whole step under `torch.compile`;

each in float32, whose products all of them round to TF32, and in bfloat16
(`mixed_bfloat16`; autocast). The batch size begins at the original's and is
doubled until a contender gains less than a tenth, or memory ends: the knee.

Reported are images/s (median of some rounds, with the least and the most), the
seconds until the first step is done, GPU memory, and GFLOP/s as a share of the
fastest matrix product of the same run in the same precision. Operations are
those that PyTorch counts in the original's step, forward and backward.

Every measurement is a process of its own, one at a time. Writes `gpu.csv`, a
model's rows as soon as they are there, and of all rows `gpu.md` and `gpu.png`.
With `--models` the rows of the others stay.
"""

import argparse
import dataclasses
import datetime
import importlib.util
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from rows import read_rows, write_rows
from throughput import CASES, Case, Contender, keras_runner, random_images

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path(__file__).parent / "results"
COLUMNS = (
    "model image_shape batch_size contender precision images_per_s least most "
    "first_step_s memory_mib gflop_a_step tflops share_of_peak device date"
).split()
PEERS = ("pytorch eager", "pytorch compiled")
GAIN = 1.1  # of a batch twice as large; with less the knee is passed
SIDES = {"gpu": 8192, "cpu": 1024}  # of the matrices of the peak
POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}


# === In processes of their own; each prints its result as JSON ===


def train(task: dict[str, Any]) -> dict[str, Any]:
    """Train one contender at one batch size."""
    case = case_of(task)
    peer = task["contender"] in PEERS
    runner = peer_trainer if peer else keras_trainer
    first_step_s, seconds_of, memory = runner(case, task)
    seconds_of(1)
    rates = [
        task["steps"] * case.step_images / seconds_of(task["steps"])
        for _ in range(task["rounds"])
    ]
    return {
        "images_per_s": statistics.median(rates),
        "least": min(rates),
        "most": max(rates),
        "first_step_s": first_step_s,
        "memory_mib": memory() / 2**20,
    }


def keras_trainer(case: Case, task: dict[str, Any]) -> tuple:
    policy = POLICIES[task["precision"]]
    contender = Contender(task["contender"], policy)
    runner = keras_runner(case, contender, task["steps"])

    def memory() -> int:
        if task["device"] == "gpu" and task["contender"] == "jax":
            import jax

            return jax.devices()[0].memory_stats()["peak_bytes_in_use"]
        if task["device"] == "gpu" and task["contender"] == "tensorflow":
            import tensorflow as tf

            return tf.config.experimental.get_memory_info("GPU:0")["peak"]
        return torch_memory(task["device"])

    return runner.first_step_s, runner.train, memory


def peer_trainer(case: Case, task: dict[str, Any]) -> tuple:
    import torch

    half = task["precision"] == "bfloat16"
    use_torch(task["device"])
    images = torch_images(case, task["steps"])
    start = time.perf_counter()
    step = peer_step(case, task["device"])
    if task["contender"] == "pytorch compiled":
        step = torch.compile(step)
    kind = "cuda" if task["device"] == "gpu" else "cpu"

    def seconds_of(steps: int) -> float:
        start = time.perf_counter()
        order = torch.randperm(steps * case.step_images)
        for rows in order.split(case.step_images):
            with torch.autocast(kind, torch.bfloat16, enabled=half):
                step(images[rows])
        finish(task["device"])
        return time.perf_counter() - start

    seconds_of(1)
    first_step_s = time.perf_counter() - start
    return first_step_s, seconds_of, lambda: torch_memory(task["device"])


def count(task: dict[str, Any]) -> dict[str, float]:
    """1e9 operations of a step of the original."""
    from torch.utils.flop_counter import FlopCounterMode

    case = case_of(task)
    use_torch(task["device"])
    step = peer_step(case, task["device"])
    images = torch_images(case, 1)
    with FlopCounterMode(display=False) as counter:
        step(images)
    return {"gflop_a_step": counter.get_total_flops() / 1e9}


def peak(task: dict[str, Any]) -> dict[str, Any]:
    """GFLOP/s of the fastest matrix product, and the device's name."""
    import torch

    use_torch(task["device"])
    side = SIDES[task["device"]]
    dtype = getattr(torch, task["precision"])
    a = torch.randn(side, side).to(dtype)
    fastest = float("inf")
    for _ in range(10):
        start = time.perf_counter()
        for _ in range(5):
            a @ a
        finish(task["device"])
        fastest = min(fastest, (time.perf_counter() - start) / 5)
    gpu = task["device"] == "gpu"
    name = torch.cuda.get_device_name() if gpu else f"{os.cpu_count()} cores"
    return {"gflops": 2e-9 * side**3 / fastest, "device": name}


def case_of(task: dict[str, Any]) -> Case:
    return dataclasses.replace(
        CASES[task["model"]], batch_size=task["batch_size"]
    )


def use_torch(device: str) -> None:
    """All that PyTorch makes from here on lies on the device."""
    import torch

    torch.set_float32_matmul_precision("high")  # TF32, as JAX
    torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    torch.set_default_device("cuda" if device == "gpu" else "cpu")
    number = torch.Tensor.item

    def item(tensor: torch.Tensor) -> Any:
        here = tensor.device.type == "cpu"
        return number(tensor) if here else tensor.detach()

    # The references give losses as numbers, for each of which a GPU would wait.
    torch.Tensor.item = item
    torch._dynamo.config.capture_scalar_outputs = True


def peer_step(case: Case, device: str) -> Any:
    import torch
    from peers import PEERS

    layout = torch.contiguous_format
    if device == "gpu" and not case.is_dense:
        layout = torch.channels_last  # what tensor cores take
    _, _, step = PEERS[case.model](case, layout)
    return step


def torch_images(case: Case, steps: int) -> Any:
    """They lie where `use_torch` said."""
    import torch

    images = torch.tensor(random_images(case, steps))
    if case.is_dense:
        return (images.flatten(1) + 1.0) / 2.0  # [0, 1], as there
    return images.permute(0, 3, 1, 2).contiguous()


def finish(device: str) -> None:
    """Wait for what was asked of the GPU."""
    if device == "gpu":
        import torch

        torch.cuda.synchronize()


def torch_memory(device: str) -> int:
    if device == "gpu":
        import torch

        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


MEASURES = {"train": train, "count": count, "peak": peak}


# === In the parent's process ===


def ask(measure: str, **task: Any) -> dict[str, Any] | None:
    """What a process of its own has measured; None where it failed."""
    backend = task.get("contender")
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",  # or memory says nothing
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    if backend and backend not in PEERS:
        environment["KERAS_BACKEND"] = backend
    if task["device"] == "cpu":
        environment |= {"CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(
        [sys.executable, __file__, "--one", measure, json.dumps(task)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        print(f"  failed: {done.stderr.strip().splitlines()[-1]}", flush=True)
        return None
    return json.loads(done.stdout.splitlines()[-1])


def knee(
    name: str, contender: str, precision: str, options: argparse.Namespace
) -> list[dict[str, Any]]:
    """Rows of one contender, at larger and larger batches."""
    rows: list[dict[str, Any]] = []
    sizes = options.batch_sizes or [
        CASES[name].batch_size * 2**i for i in range(12)
    ]
    for batch_size in sizes:
        task = {
            "model": name,
            "batch_size": batch_size,
            "device": options.device,
        }
        found = ask(
            "train",
            contender=contender,
            precision=precision,
            steps=options.steps,
            rounds=options.rounds,
            **task,
        )
        if found is None:
            break
        counted = ask("count", **task) or {}
        rows.append(task | {"contender": contender, "precision": precision})
        rows[-1] |= found | counted
        print(
            f"  {contender}, {precision}, {batch_size}: "
            f"{found['images_per_s']:.4g} images/s",
            flush=True,
        )
        rates = [row["images_per_s"] for row in rows]
        if not options.batch_sizes and rates[-1] < GAIN * max(
            [0.0, *rates[:-1]]
        ):
            break
    return rows


def row_of(measured: dict[str, Any], peaks: dict[str, Any]) -> dict[str, Any]:
    """As it is written: shares of the peak in the same precision."""
    case = CASES[measured["model"]]
    row = {key: measured[key] for key in COLUMNS if key in measured}
    row |= {
        "model": case.title,
        "image_shape": "x".join(map(str, case.image_shape)),
        "device": peaks[measured["precision"]]["device"],
        "date": datetime.date.today().isoformat(),
    }
    if "gflop_a_step" in measured:
        images = dataclasses.replace(
            case, batch_size=measured["batch_size"]
        ).step_images
        gflops = measured["gflop_a_step"] * measured["images_per_s"] / images
        row["tflops"] = gflops / 1e3
        row["share_of_peak"] = gflops / peaks[measured["precision"]]["gflops"]
    return {
        k: f"{v:.4g}" if isinstance(v, float) else v for k, v in row.items()
    }


def markdown(rows: list[dict[str, Any]]) -> str:
    """A table a model."""
    lines = [
        "# Training on one GPU",
        "",
        "Written by `python benchmarks/gpu.py`, whose first lines say what is "
        f"measured. {rows[0]['device']}; {rows[0]['date']}.",
    ]
    cases = list(dict.fromkeys((r["model"], r["image_shape"]) for r in rows))
    for case in cases:
        mine = [r for r in rows if (r["model"], r["image_shape"]) == case]
        lines += [
            *("", f"## {case[0]}, {case[1]}", ""),
            "| | batch | images/s | x eager | x compiled | of peak | "
            "first step, s | memory, MiB |",
            "|---|---:|---:|---:|---:|---:|---:|---:|",
        ]
        for row in mine:
            ratios = [ratio(row, mine, peer) for peer in PEERS]
            share = row.get("share_of_peak")
            cells = [
                f"{row['contender']}, {row['precision']}",
                row["batch_size"],
                f"{row['images_per_s']} ({row['least']}-{row['most']})",
                *ratios,
                f"{float(share):.0%}" if share else "",
                row["first_step_s"],
                row["memory_mib"],
            ]
            lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines) + "\n"


def ratio(row: dict[str, Any], rows: list[dict[str, Any]], peer: str) -> str:
    """Its speed over a peer's at the same batch size and precision."""
    for other in rows:
        if other["contender"] == peer and all(
            other[key] == row[key] for key in ("batch_size", "precision")
        ):
            rates = (float(r["images_per_s"]) for r in (row, other))
            return f"{next(rates) / next(rates):.2f}"
    return ""


def plot(rows: list[dict[str, Any]], path: Path) -> None:
    """Images/s over batch sizes, a panel a model."""
    from matplotlib.figure import Figure

    cases = list(dict.fromkeys((r["model"], r["image_shape"]) for r in rows))
    columns = min(3, len(cases))
    lines = -(-len(cases) // columns)
    sheet = Figure(figsize=(4.2 * columns, 3.2 * lines), layout="constrained")
    panels = sheet.subplots(lines, columns, squeeze=False).ravel()
    for panel, case in zip(panels, cases, strict=False):
        series: dict[str, list] = {}
        for row in rows:
            if (row["model"], row["image_shape"]) == case:
                name = f"{row['contender']}, {row['precision']}"
                point = int(row["batch_size"]), float(row["images_per_s"])
                series.setdefault(name, []).append(point)
        for name, points in series.items():
            panel.plot(*zip(*sorted(points), strict=True), "o-", label=name)
        panel.set_xscale("log", base=2)
        panel.set(yscale="log", title=" ".join(case))
        panel.set(xlabel="batch size", ylabel="images/s")
    for panel in panels[len(cases) :]:
        panel.remove()
    panels[0].legend(fontsize=7)
    sheet.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--device", choices=("gpu", "cpu"), default="gpu")
    parser.add_argument(
        "--models", nargs="+", choices=CASES, default=list(CASES)
    )
    parser.add_argument(
        "--backends",
        nargs="+",
        choices=("jax", "tensorflow", "torch"),
        default=["jax"],
    )
    parser.add_argument(
        "--precisions", nargs="+", choices=POLICIES, default=list(POLICIES)
    )
    parser.add_argument("--batch-sizes", type=int, nargs="+")
    parser.add_argument("--steps", type=int, default=50, help="a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        measure, task = options.one
        pipe = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)  # what libraries print is no answer
        answer = MEASURES[measure](json.loads(task))
        print(json.dumps(answer), file=pipe, flush=True)
        return

    if not importlib.util.find_spec("torch"):
        raise SystemExit(
            "Expected PyTorch, to compare with. Received: none installed. "
            "Install the extra: pip install '.[torch]'."
        )
    peaks = {
        precision: ask("peak", device=options.device, precision=precision)
        for precision in options.precisions
    }
    if None in peaks.values():
        raise SystemExit(
            f"Expected a device={options.device!r} that PyTorch reaches. "
            "Received: the failure above. Without a GPU, --device cpu "
            "rehearses."
        )
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "gpu.csv"
    shapes = {
        n: (c.title, "x".join(map(str, c.image_shape)))
        for n, c in CASES.items()
    }
    for name in options.models:
        print(*shapes[name], flush=True)
        new = [
            row_of(measured, peaks)
            for precision in options.precisions
            for contender in (*options.backends, *PEERS)
            for measured in knee(name, contender, precision, options)
        ]
        old = [
            row
            for row in read_rows(path)
            if (row["model"], row["image_shape"]) != shapes[name]
        ]
        write_rows(old + new, path, COLUMNS)
    rows = read_rows(path)
    if rows:
        (options.out / "gpu.md").write_text(markdown(rows))
        plot(rows, options.out / "gpu.png")
        print(markdown(rows))


if __name__ == "__main__":
    main()
