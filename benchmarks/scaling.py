"""How training scales over devices and workers, and what that costs.

    python benchmarks/scaling.py

Measured on this machine:

- devices: images/s of the paper's DCGAN at 28x28 for a global batch of 64 on 1,
  2 and 4 logical CPU devices, and of 1 and 2 worker processes that talk over
  loopback, each with its share of the cores. All of them have the same cores
  together, so the efficiency is images/s over those of one: what is lost is the
  price of dealing out and of summing.
- memory: peak resident memory of a training on random crops of folders of more
  and more pictures (links to the same 500 files), decoded to 256x256 by
  `datasets.load`.
- bytes: the gradients that one training step sums over replicas, for each model
  of the zoo at its default size, and the seconds of a step of one replica.

Computed from these, the plan: expected efficiency on 8, 64 and 512 devices, by
ring all-reduce over a given interconnect. A sum of b bytes over N devices takes
2 (N - 1) / N b / bandwidth + 2 (N - 1) latencies, for each of a step's sums;
those of synchronised BatchNorm are left out. "After" the step none of it
is hidden; "beside" it, as much as two thirds of the step (its backward passes)
hide. What decides is the latter's lever: "nothing" where nothing is left over,
else "gradients" where the bytes take longer than the latencies, else "latency".

Writes `scaling.csv` and, from the same rows, `scaling.md`. Parts may be run
alone; the rows of others stay.
"""

import argparse
import itertools
import json
import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from rows import read_rows, write_rows
from throughput import epoch_seconds

RESULTS = Path(__file__).parent / "results"
COLUMNS = ("part", "what", "measure", "value")
BATCH = 64
REPLICAS = (8, 64, 512)
# Images of a replica's step where bytes are counted: a pair for StackGAN.
ROWS = 2


# === In processes of their own; each prints its result as JSON ===


def measure_speed(devices: int, steps: int) -> float:
    """Images/s on so many logical devices, or as a worker of `TF_CONFIG`."""
    import keras_gans  # first: it sets TensorFlow's options

    import numpy as np  # isort: skip
    import tensorflow as tf

    cpu = tf.config.list_physical_devices("CPU")[0]
    logical = [tf.config.LogicalDeviceConfiguration()] * devices
    tf.config.set_logical_device_configuration(cpu, logical)
    kind = "one" if devices == 1 else "mirrored"
    kind = "multiworker" if "TF_CONFIG" in os.environ else kind
    strategy = keras_gans.distribute.strategy(kind)
    with strategy.scope():
        gan = keras_gans.create("dcgan", image_shape=(28, 28, 1))
        gan.compile()
    shape = (steps * BATCH, 28, 28, 1)
    images = np.random.default_rng(0).uniform(-1, 1, shape).astype("float32")
    seconds = [epoch_seconds(gan, images, batch_size=BATCH) for _ in range(6)]
    return len(images) / statistics.median(seconds[1:])  # the first one traces


def measure_memory(gigabytes: float, steps: int) -> dict[str, float]:
    """Of a folder that decodes to so much: its pictures, and the peak in GB."""
    import keras_gans

    import numpy as np  # isort: skip

    generator = np.random.default_rng(0)
    pictures = round(gigabytes * 1e9 / (256 * 256 * 3))
    with tempfile.TemporaryDirectory() as folder:
        os.environ["KERAS_GANS_CACHE"] = str(Path(folder) / "cache")
        linked = Path(folder) / "pictures"
        linked.mkdir()
        for i in range(pictures):
            if i < 500:
                pixels = generator.integers(0, 256, (64, 64, 3), dtype=np.uint8)
                keras_gans.images.save_png(linked / f"{i:07d}.png", pixels)
            else:
                target = linked / f"{i % 500:07d}.png"
                os.link(target, linked / f"{i:07d}.png")
        data = keras_gans.datasets.load(str(linked), image_shape=(256, 256, 3))
        gan = keras_gans.create("dcgan", image_shape=(64, 64, 3), width=8)
        batches = data.batches(batch_size=BATCH, crop=(64, 64))
        gan.fit(batches.steps(0, steps), verbose=0)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"pictures": pictures, "peak GB": peak / 1e9}


def measure_bytes(name: str) -> dict[str, float]:
    """Bytes that a step sums, and seconds of a step."""
    import keras_gans

    import numpy as np  # isort: skip

    options = {}
    if name == "stackgan":
        options["stage1"] = keras_gans.create("stackgan_stage1")
    model = keras_gans.create(name, **options)
    model.compile()
    rows = ROWS * model.batches_a_step
    images = np.zeros((rows, *model.image_shape), "float32")
    images[::2] = -0.5
    beside = None
    if model.takes_labels:
        beside = np.arange(rows) % model.num_classes
    elif model.takes_text:
        beside = np.ones((rows, model.text_dim), "float32")
    elif model.two_domains:
        beside = images
    summed = []
    apply = keras_gans.backend.engine.apply

    def counted(optimizer, gradients, variables):
        summed.append(4 * sum(int(np.prod(g.shape)) for g in gradients))
        apply(optimizer, gradients, variables)

    keras_gans.backend.engine.apply = counted
    seconds = [
        epoch_seconds(model.fit, images, beside, batch_size=ROWS, verbose=0)
        for _ in range(3)
    ]
    return {
        "MB a step": sum(summed) / 1e6,
        "sums a step": len(summed),
        "seconds a step": min(seconds[1:]),
    }


MEASURES = {
    "speed": measure_speed,
    "memory": measure_memory,
    "bytes": measure_bytes,
}


def start(measure: str, *arguments: Any, **environment: str) -> Any:
    return subprocess.Popen(
        [sys.executable, __file__, "--one", measure, json.dumps(arguments)],
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        text=True,
    )


def result_of(process: Any) -> Any:
    """What a process of its own has measured."""
    printed, _ = process.communicate()
    if process.returncode:
        raise SystemExit(process.returncode)
    return json.loads(printed.splitlines()[-1])


def workers(n: int, *arguments: Any) -> list[Any]:
    """As many processes that know each other by `TF_CONFIG`."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(n)]
    hosts = [f"127.0.0.1:{s.getsockname()[1]}" for s in sockets]
    for s in sockets:
        s.close()
    tasks = [{"type": "worker", "index": i} for i in range(n)]
    cluster = {"worker": hosts}
    configs = [json.dumps({"cluster": cluster, "task": t}) for t in tasks]
    cores = str(max(1, len(os.sched_getaffinity(0)) // n))  # a share of them
    threads = {
        name: cores
        for name in (
            *("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"),
            "OMP_NUM_THREADS",
        )
    }
    return [
        start("speed", *arguments, TF_CONFIG=config, **threads)
        for config in configs
    ]


# === The parts ===


def devices(options: argparse.Namespace) -> list[tuple]:
    rates = {}
    for n in (1, 2, 4):
        what = f"{n} device{'s' * (n > 1)}"
        rates[what] = result_of(start("speed", n, options.steps))
    for n in (1, 2):
        together = workers(n, 1, options.steps)
        what = f"{n} worker{'s' * (n > 1)}"
        rates[what] = [result_of(worker) for worker in together][0]
    one = rates["1 device"]
    return [
        row
        for what, rate in rates.items()
        for row in (
            (what, "images/s", rate),
            (what, "efficiency", rate / one),
        )
    ]


def memory(options: argparse.Namespace) -> list[tuple]:
    return [
        (f"{size:g} GB", measure, value)
        for size in options.gigabytes
        for measure, value in result_of(
            start("memory", size, 5 * options.steps)
        ).items()
    ]


def step_bytes(options: argparse.Namespace) -> list[tuple]:
    import keras_gans

    return [
        (name, measure, value)
        for name in options.models or keras_gans.list_models()
        for measure, value in result_of(start("bytes", name)).items()
    ]


def plan(options: argparse.Namespace, rows: list[dict]) -> list[tuple]:
    """Expected efficiencies, from the rows of the part `bytes`."""
    found = {}
    for row in rows:
        if row["part"] == "bytes":
            found.setdefault(row["what"], {})[row["measure"]] = row["value"]
    planned = []
    for name, facts in found.items():
        for n, times in itertools.product(REPLICAS, options.faster):
            after, beside, lever = efficiency(
                float(facts["seconds a step"]) / times,
                float(facts["MB a step"]) * 1e6,
                n,
                options.bandwidth,
                options.latency * float(facts.get("sums a step", 1)),
            )
            what = f"{name} on {n}"
            device = "" if times == 1 else f", {times:g} times as fast"
            planned += [
                (what, f"after the step{device}", after),
                (what, f"beside it{device}", beside),
                (what, f"decides{device}", lever),
            ]
    return planned


def efficiency(
    seconds: float, n_bytes: float, n: int, bandwidth: float, latency: float
) -> tuple[float, float, str]:
    """Of a step on n devices: nothing hidden, the most hidden, and the lever.

    Args:
        seconds: Of the step of one device.
        n_bytes: That it sums.
        n: Devices.
        bandwidth: Bytes a second of each.
        latency: Seconds a message, times the sums of a step.
    """
    moving = 2 * (n - 1) / n * n_bytes / bandwidth
    waiting = 2 * (n - 1) * latency
    after = seconds / (seconds + moving + waiting)
    left = max(0.0, moving + waiting - 2 / 3 * seconds)
    lever = "nothing" if not left else "latency"
    if left and moving > waiting:
        lever = "gradients"
    return after, seconds / (seconds + left), lever


# === Tables ===


def shown(value: Any) -> str:
    try:
        return f"{float(value):.4g}"
    except ValueError:
        return value


def table(rows: list[dict[str, Any]], part: str) -> list[str]:
    """Markdown: a line for each `what`, a column for each measure."""
    lines = {}
    for row in rows:
        if row["part"] == part:
            line = lines.setdefault(row["what"], {})
            line[row["measure"]] = shown(row["value"])
    if not lines:
        return []
    measures = list(next(iter(lines.values())))
    return [
        f"## {part.capitalize()}",
        "",
        "| | " + " | ".join(measures) + " |",
        "|---|" + "---:|" * len(measures),
        *(
            f"| {what} | " + " | ".join(line[m] for m in measures) + " |"
            for what, line in lines.items()
        ),
        "",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parts = {"devices": devices, "memory": memory, "bytes": step_bytes}
    parser.add_argument(
        "--parts", nargs="+", choices=[*parts, "plan"], default=[*parts, "plan"]
    )
    parser.add_argument("--steps", type=int, default=40, help="a round")
    parser.add_argument(
        "--gigabytes",
        type=float,
        nargs="+",
        default=[0.2, 2.0, 20.0],
        help="of decoded pictures, for which there must be room on the disk",
    )
    parser.add_argument("--models", nargs="+", help="of the part bytes")
    parser.add_argument(
        "--bandwidth", type=float, default=25e9, help="bytes a second"
    )
    parser.add_argument(
        "--latency", type=float, default=5e-6, help="seconds a message"
    )
    parser.add_argument(
        "--faster",
        type=float,
        nargs="+",
        default=[1.0, 300.0],
        help="how many times as fast as here the planned devices are; a large "
        "GPU has some hundred times the operations of two cores",
    )
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        measure, arguments = options.one
        print(json.dumps(MEASURES[measure](*json.loads(arguments))))
        return
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "scaling.csv"
    rows = read_rows(path)
    for part in options.parts:
        new = plan(options, rows) if part == "plan" else parts[part](options)
        rows = [row for row in rows if row["part"] != part] + [
            dict(zip(COLUMNS, (part, *row), strict=True)) for row in new
        ]
        write_rows(rows, path, COLUMNS)
    text = [
        "# Scaling",
        "",
        "Written by `python benchmarks/scaling.py`, whose first lines say what "
        f"is measured. {os.cpu_count()} cores; the plan is for links of "
        f"{options.bandwidth / 1e9:g} GB/s and {options.latency * 1e6:g} "
        f"microseconds, steps of {ROWS} images, and devices as fast as here "
        "and faster.",
        "",
    ]
    for part in (*parts, "plan"):
        text += table(rows, part)
    (options.out / "scaling.md").write_text("\n".join(text))
    print("\n".join(text))


if __name__ == "__main__":
    main()
