"""How fast the models train and sample on this machine, beside PyTorch.

    python benchmarks/throughput.py

For each model and each Keras backend that is installed:

- training images/s: one warm epoch of `model.fit` on an array, by the clock
  between `on_epoch_begin` and `on_epoch_end`: shuffling, batching and every
  callback hook are in it, the checks before the first epoch are not.
- sampling images/s: one warm call of `model.generate`, or of `model.translate`,
  one image at a time.
- first step: seconds in a fresh process, imports done, to build the model,
  compile it and finish the first `fit` of one batch.
- peak memory of the process, the framework and the training array included.

The peer is the original implementation as rendered in `tests/references`: eager
PyTorch, the same batches from an array in memory, shuffled alike. All but dense
networks run in both memory layouts, and the one with the higher median is the
peer.
TensorFlow also runs DCGAN and CycleGAN under
`mixed_bfloat16` (CycleGAN where the CPU has instructions for it), and DCGAN
once with oneDNN switched off. An image that CycleGAN trains on is a pair, one
of each domain; LAPGAN is all three published levels, fully connected base
included; StackGAN is its first stage at the published widths, of texts of
1,024 numbers.

Every contender has a process of its own and the same number of threads, all the
cores. The contenders of a model live side by side and take turns, one round
each (A B C A B C ...), never two at once; a ratio compares the two rounds of
one turn. Reported are medians, minima and maxima over the rounds. A round that
other processes disturbed is repeated; what they took of the cores in the worst
round that counts is the column `others`.

An image that a Wasserstein GAN trains on is one of five critic steps (six
batches for the Cramer GAN); in the convolutional CGAN it is one player's.

GFLOP/s of DCGAN and the Wasserstein GANs of digits count the operations that
the algorithm needs, as a share of the fastest 2048x2048 float32 matrix product
seen in the same run.

Writes `throughput.csv` and, from the same rows, `throughput.md`. With
`--models` the rows of the others stay, under their own dates.
"""

import argparse
import csv
import datetime
import importlib.metadata
import importlib.util
import itertools
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rows import read_rows

# No NumPy here: the parent stays small, because on Linux a child's peak memory
# starts at what its parent holds.

ROOT = Path(__file__).resolve().parent.parent
BACKENDS = ("tensorflow", "jax", "torch")
LAYOUTS = {
    "pytorch contiguous": "contiguous_format",
    "pytorch channels_last": "channels_last",
}
PEERS = tuple(LAYOUTS)
THREADS = len(os.sched_getaffinity(0))
QUIET = 0.03  # of all cores: what other processes may take during a round
TRIES = 3
ROUND_S = 6.0  # a slow contender takes fewer steps and makes fewer images,
BUDGET_S = 30.0  # and leaves once its rounds took this long: see `rounds`
COLUMNS = (
    "model image_shape batch_size backend policy onednn "
    "train_images_per_s train_min train_max sample_images_per_s "
    "first_step_s peak_mib ratio_to_torch ratio_min ratio_max "
    "gflops share_of_peak matmul_gflops rounds others "
    "cpu threads python versions date"
).split()


TEXT_DIM = 1024  # of the char-CNN-RNN that StackGAN's authors use


@dataclass(frozen=True)
class Case:
    """A model, and how much of it makes a round of a second or a few."""

    model: str
    variant: str
    image_shape: tuple[int, int, int]
    batch_size: int
    steps: int
    samples: int
    sample_batch: int = 64

    @property
    def title(self) -> str:
        return f"{self.model} {self.variant}".strip()

    @property
    def options(self) -> dict[str, Any]:
        """Of the model, beside its image shape."""
        if self.model == "stackgan_stage1":
            return {"text_dim": TEXT_DIM}
        if self.model == "cyclegan":
            return {"num_blocks": 9 if self.image_shape[0] >= 256 else 6}
        if self.model == "vae":  # "iwae" with 5 samples of each image
            return {
                "network": self.variant,
                "k": 5 if self.variant == "iwae" else 1,
            }
        if self.model in ("wgan_gp", "cgan", "acgan"):
            return {"network": self.variant}
        return {"variant": self.variant} if self.variant else {}

    @property
    def is_dense(self) -> bool:
        """Whether its networks take rows of pixels, which have no layout."""
        return self.model in ("gan", "vae") or self.title == "cgan paper"

    @property
    def step_images(self) -> int:
        """Real images of a training step: of each player's step its own."""
        batches = {"wgan": 5, "wgan_gp": 5, "cramer_gan": 6}
        if self.title == "cgan convolutional":
            return 2 * self.batch_size
        return self.batch_size * batches.get(self.model, 1)


CASES = {
    "gan_small": Case("gan", "small", (28, 28, 1), 64, 100, 6400),
    "gan_paper": Case("gan", "paper", (28, 28, 1), 100, 20, 3200),
    "cgan_28": Case("cgan", "paper", (28, 28, 1), 100, 20, 3200),
    "cgan_conv_28": Case("cgan", "convolutional", (28, 28, 1), 128, 4, 1024),
    "acgan_28": Case("acgan", "mnist", (28, 28, 1), 20, 1, 128),
    "acgan_32": Case("acgan", "cifar", (32, 32, 3), 100, 2, 512),
    "vae_28": Case("vae", "mlp", (28, 28, 1), 128, 100, 6400),
    "iwae_28": Case("vae", "iwae", (28, 28, 1), 100, 50, 6400),
    "dcgan_28": Case("dcgan", "", (28, 28, 1), 64, 30, 1024),
    "dcgan_64": Case("dcgan", "", (64, 64, 3), 64, 4, 256),
    "wgan_28": Case("wgan", "", (28, 28, 1), 64, 10, 1024),
    "wgan_gp_28": Case("wgan_gp", "mnist", (28, 28, 1), 50, 4, 1024),
    "wgan_gp_32": Case("wgan_gp", "resnet", (32, 32, 3), 64, 1, 256),
    "cramer_gan_28": Case("cramer_gan", "", (28, 28, 1), 64, 4, 1024),
    "lapgan_32": Case("lapgan", "", (32, 32, 3), 128, 2, 256),
    "cyclegan_128": Case("cyclegan", "", (128, 128, 3), 1, 8, 32, 1),
    "cyclegan_256": Case("cyclegan", "", (256, 256, 3), 1, 4, 16, 1),
    "stackgan_64": Case("stackgan_stage1", "", (64, 64, 3), 16, 2, 64, 16),
}


@dataclass(frozen=True)
class Contender:
    """One way to train a case.

    `backend` is one of Keras's, or "pytorch" and a layout for a peer. `onednn`
    is TF_ENABLE_ONEDNN_OPTS, which only TensorFlow reads.
    """

    backend: str
    policy: str = "float32"
    onednn: str = ""

    @property
    def is_peer(self) -> bool:
        return self.backend in PEERS

    @property
    def title(self) -> str:
        title = self.backend
        if self.policy != "float32":
            title += f", {self.policy}"
        if self.onednn == "0":
            title += ", oneDNN off"
        return title


def contenders(case: Case, backends: list[str]) -> list[Contender]:
    found = [
        Contender(backend, onednn="1" if backend == "tensorflow" else "")
        for backend in backends
    ]
    if importlib.util.find_spec("torch"):
        peers = PEERS[:1] if case.is_dense else PEERS
        found += [Contender(peer) for peer in peers]
    half = case.model == "dcgan" or case.model == "cyclegan" and has_bfloat16()
    if "tensorflow" in backends and half:
        found.append(Contender("tensorflow", "mixed_bfloat16", onednn="1"))
    if "tensorflow" in backends and case.model == "dcgan":
        found.append(Contender("tensorflow", onednn="0"))
    return found


def has_bfloat16() -> bool:
    """Whether the CPU multiplies in bfloat16.

    Where it does not, a step of CycleGAN takes minutes.
    """
    flags = Path("/proc/cpuinfo").read_text()
    return "avx512_bf16" in flags or "amx_bf16" in flags


def step_gflop(title: str, image_shape: tuple[int, int, int]) -> float | None:
    """1e9 operations of a training step for one image, where counted."""
    counts = {
        "dcgan": lambda: dcgan_step_gflop(image_shape),
        "wgan": lambda: wgan_step_gflop(image_shape),
        "wgan_gp mnist": wgan_gp_step_gflop,
        "cramer_gan": cramer_step_gflop,
    }
    return counts[title]() if title in counts else None


def taps(size: int, kernel: int) -> int:
    """Products of a strided convolution from `size` pixels to half as many.

    Along one side, "same", of stride 2; those with padding are none. Of a
    transposed one to `size` pixels likewise.
    """
    half = (size + 1) // 2
    before = max(0, (half - 1) * 2 + kernel - size) // 2
    starts = (2 * i - before for i in range(half))
    return sum(min(s + kernel, size) - max(s, 0) for s in starts)


def dcgan_step_gflop(image_shape: tuple[int, int, int]) -> float:
    """What a DCGAN training step must compute for one image, in 1e9 operations.

    A layer's forward pass, its weight gradient and its input gradient take the
    same number of multiply-adds, each two operations; those with the zeros
    around an image are not needed. BatchNorm, activations,
    losses and Adam are left out: under a hundredth of it. A step needs
    - D forward 3 times: real, generated, generated again once D has moved;
    - D's weight gradients twice: G's loss moves no weight of D (autograd in the
      original computes them, and throws them away);
    - D's input gradients 3 times, but those of its first layer once: only G's
      loss goes on into the image;
    - G forward, weight gradients and input gradients once each, the last not
      in its first layer: nothing wants the gradient of z.
    """
    d, d_first, g, g_first = dcgan_layers(image_shape)
    multiply_adds = (3 + 2 + 3) * d - 2 * d_first + 3 * g - g_first
    return 2e-9 * multiply_adds


def dcgan_layers(image_shape: tuple[int, int, int]) -> tuple[int, ...]:
    """Multiply-adds of a forward pass: D, its first layer, G, its first."""
    size, _, channels = image_shape
    latent_dim, width = 100, 64
    sizes = [size]
    while sizes[0] > 4:
        sizes.insert(0, (sizes[0] + 1) // 2)  # [4, 8, 16, 32, 64]
    # Filters from the base to the image: 512, 256, 128, 64, 3 at 64x64x3.
    doublings = len(sizes) - 1
    filters = [width * 2**i for i in reversed(range(doublings))] + [channels]
    stages = [
        taps(sizes[i + 1], 4) ** 2 * filters[i] * filters[i + 1]
        for i in range(doublings)
    ]
    g_first, d_first = latent_dim * 4**2 * filters[0], stages[-1]
    g = g_first + sum(stages)
    d = sum(stages) + 4**2 * filters[0]
    return d, d_first, g, g_first


def wgan_step_gflop(image_shape: tuple[int, int, int]) -> float:
    """What a step of WGAN with DCGAN's networks computes for one real image.

    Counted as for DCGAN. Each real image and a generated one go through D,
    forward, to the weights, and back through all layers but the first; G goes
    forward once; and there is a fifth of G's step: D forward and back to the
    pixels, G forward, to the weights, and back but in its first layer.
    """
    d, d_first, g, g_first = dcgan_layers(image_shape)
    critic = 2 * (3 * d - d_first) + g
    return 2e-9 * (critic + (2 * d + 3 * g - g_first) / 5)


def cramer_step_gflop() -> float:
    """What a step of Cramer's MNIST networks computes for one real image.

    Counted as for WGAN-GP. In five of six batches each real image goes with two
    generated ones through h, forward, to the weights and back but in the first
    layer; a mixed one as there, and once more to the weights, since f is no
    linear function of h. In the sixth two generated images of each real one,
    and it, go forward, and the two back to the pixels and through G.
    """
    h_layers = [13**2 * 16 * 64, 5**2 * 16 * 64 * 128]
    h_layers += [5**2 * 128 * 1024, 1024 * 256]
    g_layers = [100 * 1024, 1024 * 7 * 7 * 128]
    g_layers += [taps(14, 4) ** 2 * 128 * 64, taps(28, 4) ** 2 * 64]
    h, g = sum(h_layers), sum(g_layers)
    critic = 3 * (3 * h - h_layers[0]) + 4 * h + (2 * h - h_layers[0]) + 2 * g
    generator = 3 * h + 2 * h + 2 * (3 * g - g_layers[0])
    return 2e-9 * (5 * critic + generator) / 6


def wgan_gp_step_gflop() -> float:
    """What a step of `gan_mnist.py`'s WGAN-GP computes for one real image.

    Counted as for DCGAN, in multiply-adds of a forward pass of D and of G. For
    each real image there are
    - a real and a generated image through D, forward and to the weights, and
      back through all of its layers but the first;
    - a mixed one forward and back to its pixels, whose slope is differentiated
      by the weights and, layer by layer, by what came back: D's activations
      are piecewise linear, so nothing goes through the forward pass again;
    - G forward once; and a fifth of its step: D forward and back to the pixels,
      G forward, to the weights, and back but in its first layer.
    """
    filters = [1, 64, 128, 256]
    d_layers = [
        taps(side, 5) ** 2 * i * o
        for side, i, o in zip((28, 14, 7), filters, filters[1:], strict=False)
    ] + [4 * 4 * 256]
    g_layers = [128 * 4 * 4 * 256] + [
        taps(side, 5) ** 2 * i * o
        for side, i, o in ((8, 256, 128), (14, 128, 64), (28, 64, 1))
    ]
    d, g = sum(d_layers), sum(g_layers)
    critic = 2 * (3 * d - d_layers[0]) + 4 * d + g
    generator = 2 * d + 3 * g - g_layers[0]
    return 2e-9 * (critic + generator / 5)


# === In a worker's process ===


@dataclass
class Runner:
    """What a contender can do; both functions return seconds."""

    train: Callable[[int], float]  # steps
    sample: Callable[[int], float]  # images
    first_step_s: float
    versions: str


def keras_runner(case: Case, contender: Contender, steps: int) -> Runner:
    import keras_gans  # before keras: it sets TF_ENABLE_ONEDNN_OPTS

    # isort: split
    import keras

    keras.config.set_dtype_policy(contender.policy)
    images = random_images(case, steps)
    batch_size = case.batch_size

    start = time.perf_counter()
    model = keras_gans.create(
        case.model, image_shape=case.image_shape, **case.options
    )
    model.compile()

    texts = random_texts(steps * case.step_images)

    def fit(images: Any, **options: Any) -> None:
        second = (images,) if model.two_domains else ()
        if model.takes_text:
            second = (texts[: len(images)],)
        if model.takes_labels:
            second = ([i % model.num_classes for i in range(len(images))],)
        model.fit(images, *second, batch_size=batch_size, verbose=0, **options)

    fit(images[: case.step_images])
    first_step_s = time.perf_counter() - start

    def train(steps: int) -> float:
        return epoch_seconds(fit, images[: steps * case.step_images])

    def sample(n: int) -> float:
        given = images[[0] * n] if model.two_domains else n
        make = model.translate if model.two_domains else model.generate
        asked = {"embeddings": texts[:1]} if model.takes_text else {}
        start = time.perf_counter()
        made = make(given, batch_size=case.sample_batch, **asked)
        seconds = time.perf_counter() - start
        check(made, n)
        return seconds

    return Runner(
        train, sample, first_step_s, versions(contender.backend, "keras")
    )


def epoch_seconds(fit: Callable, *data: Any, **options: Any) -> float:
    """An epoch of a `fit`, without what that does before and after."""
    import keras

    class Stopwatch(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self.start = time.perf_counter()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.seconds = time.perf_counter() - self.start

    watch = Stopwatch()
    fit(*data, callbacks=[watch], **options)
    return watch.seconds


def peer_runner(case: Case, contender: Contender, steps: int) -> Runner:
    import numpy as np
    import torch
    from peers import PEERS

    images = torch.from_numpy(random_images(case, steps))
    if case.is_dense:
        layout = torch.contiguous_format
        images = (images.flatten(1) + 1.0) / 2.0  # [0, 1], as there
    else:
        layout = getattr(torch, LAYOUTS[contender.backend])
        images = images.permute(0, 3, 1, 2).contiguous(memory_format=layout)

    start = time.perf_counter()
    generator, noise, step = PEERS[case.model](case, layout)
    step(images[: case.step_images])
    first_step_s = time.perf_counter() - start

    def train(steps: int) -> float:
        start = time.perf_counter()
        order = torch.randperm(steps * case.step_images)
        for rows in order.split(case.step_images):
            step(images[rows])
        return time.perf_counter() - start

    @torch.no_grad()
    def sample(n: int) -> float:
        generator.eval()
        start = time.perf_counter()
        inputs = noise(n).split(case.sample_batch)
        made = np.concatenate([generator(z).numpy() for z in inputs])
        seconds = time.perf_counter() - start
        generator.train()
        check(made, n)
        return seconds

    return Runner(train, sample, first_step_s, versions("torch"))


def check(images: Any, n: int) -> None:
    """A generator that broke may be fast; it does not count."""
    import numpy as np

    if len(images) != n or not np.isfinite(images).all():
        raise RuntimeError(
            f"Expected {n} images of finite numbers. Received: "
            f"shape={images.shape}."
        )


def random_images(case: Case, steps: int) -> Any:
    """Noise: how long a step takes does not depend on the pixels."""
    import numpy as np

    shape = (steps * case.step_images, *case.image_shape)
    rng = np.random.default_rng(0)
    return 2.0 * rng.random(shape, dtype=np.float32) - 1.0


def random_texts(n: int) -> Any:
    """Embeddings of n texts, as long as WordLlama's and wider."""
    import numpy as np

    return np.random.default_rng(1).normal(size=(n, TEXT_DIM)).astype("float32")


def versions(*distributions: str) -> str:
    return ", ".join(
        f"{name} {importlib.metadata.version(name)}" for name in distributions
    )


def matmul_gflops(n: int = 2048, repeats: int = 3) -> float:
    """The fastest of some float32 products, in whichever library is faster."""
    import numpy as np

    a = np.random.default_rng(0).random((n, n), dtype=np.float32)
    products = [lambda: a @ a]
    if importlib.util.find_spec("torch"):
        import torch

        b = torch.from_numpy(a)
        products.append(lambda: b @ b)
    fastest = float("inf")
    for product in products:
        product()
        for _ in range(repeats):
            start = time.perf_counter()
            product()
            fastest = min(fastest, time.perf_counter() - start)
    return 2e-9 * n**3 / fastest


def work(task: dict[str, Any]) -> None:
    """A worker: get ready, say so, then one round for every line of stdin."""
    # Whatever a library prints goes to stderr; the pipe is for answers.
    pipe = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    sys.path.insert(0, str(ROOT))
    if task["name"] == "matmul":
        ready, play = {}, lambda: {"gflops": matmul_gflops()}
    else:
        ready, play = prepare(
            CASES[task["name"]], Contender(**task["contender"]), task["steps"]
        )
    print(json.dumps(ready), file=pipe)
    for _ in sys.stdin:
        before = time.process_time()
        answer = play()
        answer["cpu_s"] = time.process_time() - before
        print(json.dumps(answer), file=pipe)


def prepare(case: Case, contender: Contender, steps: int) -> tuple:
    """Start a contender and warm it up: `(ready, play)`."""
    start = peer_runner if contender.is_peer else keras_runner
    runner = start(case, contender, steps)
    batch = case.sample_batch
    runner.train(1)
    runner.sample(batch)
    step_s, batch_s = runner.train(1), runner.sample(batch)
    steps = max(1, min(steps, int(ROUND_S / step_s)))
    batches = case.samples // batch
    samples = batch * max(1, min(batches, int(ROUND_S / batch_s)))

    def play() -> dict[str, Any]:
        usage = resource.getrusage
        return {
            "train": steps * case.step_images / runner.train(steps),
            "sample": samples / runner.sample(samples),
            "peak_mib": usage(resource.RUSAGE_SELF).ru_maxrss / 1024,  # KiB
        }

    ready = {"first_step_s": runner.first_step_s, "versions": runner.versions}
    return ready, play


# === In the parent's process ===


class Worker:
    """A process that measures one contender, a round at a time."""

    def __init__(self, name: str, contender: Contender | None, steps: int):
        self.contender = contender
        self.rounds = []
        threads = str(THREADS)
        environment = os.environ | {
            "OMP_NUM_THREADS": threads,
            "OPENBLAS_NUM_THREADS": threads,
            "TF_NUM_INTRAOP_THREADS": threads,
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "CUDA_VISIBLE_DEVICES": "",
            "JAX_PLATFORMS": "cpu",
        }
        task = {"name": name, "steps": steps}
        if contender is not None:
            task["contender"] = asdict(contender)
            if not contender.is_peer:
                environment["KERAS_BACKEND"] = contender.backend
            # "1" is what keras_gans sets where nothing is set.
            environment.pop("TF_ENABLE_ONEDNN_OPTS", None)
            if contender.onednn == "0":
                environment["TF_ENABLE_ONEDNN_OPTS"] = "0"
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--worker", json.dumps(task)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            env=environment,
        )
        self.ready = self.answer()

    def answer(self) -> dict[str, Any]:
        line = self.process.stdout.readline()
        if not line:
            self.errors.seek(0)
            raise SystemExit(
                f"A worker ended before it answered: {self.contender}.\n"
                + self.errors.read()[-4000:]
            )
        return json.loads(line)

    def round(self) -> dict[str, Any]:
        """One round: the first quiet one, or the quietest of some."""
        tries = []
        while not tries or (tries[-1]["others"] > QUIET and len(tries) < TRIES):
            if tries:
                wait_for_quiet()
            else:
                time.sleep(0.1)  # the threads of the one before fall asleep
            start, busy = time.perf_counter(), busy_s()
            self.process.stdin.write("round\n")
            self.process.stdin.flush()
            tries.append(self.answer())
            others = busy_s() - busy - tries[-1]["cpu_s"]
            seconds = time.perf_counter() - start
            tries[-1]["others"] = max(0.0, others / (THREADS * seconds))
            tries[-1]["seconds"] = seconds
        self.rounds.append(min(tries, key=lambda answer: answer["others"]))
        return self.rounds[-1]

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()

    def column(self, key: str) -> list[float]:
        return [r[key] for r in self.rounds]


def busy_s() -> float:
    """CPU seconds that all processes have used, on all cores."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    ticks = [int(field) for field in fields]  # user nice system idle iowait ...
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")


def wait_for_quiet(patience_s: float = 20.0) -> None:
    """Wait until other processes leave the cores alone, or patience ends."""
    end = time.perf_counter() + patience_s
    while time.perf_counter() < end:
        start, busy = time.perf_counter(), busy_s()
        time.sleep(0.5)
        cores_s = (time.perf_counter() - start) * THREADS
        if (busy_s() - busy) / cores_s <= QUIET:
            return


def measure(
    name: str, backends: list[str], rounds: int, steps: int | None
) -> list[dict[str, Any]]:
    """Measure one case; return its rows, without the shares of the peak."""
    case = CASES[name]
    workers = []
    for contender in contenders(case, backends):
        wait_for_quiet()
        workers.append(Worker(name, contender, steps or case.steps))
        first = workers[-1].ready["first_step_s"]
        print(f"  {contender.title}: first step {first:.1f} s", flush=True)
    matmul = Worker("matmul", None, 0)
    for i in range(rounds):
        playing = [w for w in workers if sum(w.column("seconds")) < BUDGET_S]
        if not playing:
            break
        matmul.round()
        for worker in playing:
            worker.round()
        print(f"  round {i + 1}, images/s:", end="")
        for worker in playing:
            print(f" {worker.rounds[-1]['train']:.1f}", end="")
        others = max(worker.rounds[-1]["others"] for worker in playing)
        print(f"; others took up to {others:.1%}", flush=True)
    for worker in (matmul, *workers):
        worker.close()

    peer = max(
        (w for w in workers if w.contender.is_peer),
        key=lambda w: statistics.median(w.column("train")),
        default=None,
    )
    return [
        row_of(case, worker, peer, max(matmul.column("gflops")))
        for worker in workers
    ]


def row_of(
    case: Case, worker: Worker, peer: Worker | None, matmul: float
) -> dict[str, Any]:
    train, contender = worker.column("train"), worker.contender
    row = {
        "model": case.title,
        "image_shape": "x".join(map(str, case.image_shape)),
        "batch_size": case.batch_size,
        "backend": contender.backend,
        "policy": contender.policy,
        "onednn": contender.onednn,
        "train_images_per_s": statistics.median(train),
        "train_min": min(train),
        "train_max": max(train),
        "sample_images_per_s": statistics.median(worker.column("sample")),
        "first_step_s": worker.ready["first_step_s"],
        "peak_mib": max(worker.column("peak_mib")),
    }
    if peer is not None:
        # Turn by turn; the shorter of the two has the first turns.
        pairs = zip(train, peer.column("train"), strict=False)
        ratios = [ours / theirs for ours, theirs in pairs]
        row["ratio_to_torch"] = statistics.median(ratios)
        row["ratio_min"], row["ratio_max"] = min(ratios), max(ratios)
    return row | {
        "matmul_gflops": matmul,
        "rounds": len(train),
        "others": max(worker.column("others")),
        "versions": worker.ready["versions"],
    }


# === The report ===


def machine() -> dict[str, Any]:
    cpu = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    return {
        "cpu": cpu,
        "threads": THREADS,
        "python": platform.python_version(),
        "date": datetime.date.today().isoformat(),
    }


def rounded(value: Any) -> Any:
    """Four significant digits; the noise is in the third."""
    return float(f"{value:.4g}") if isinstance(value, float) else value


def write_csv(rows: list[dict[str, Any]], path: Path) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({k: rounded(v) for k, v in row.items()})


def with_others(rows: list[dict[str, Any]], path: Path) -> list[dict[str, Any]]:
    """The rows, and those of cases that an earlier run measured here."""

    def case_of(row: dict[str, Any]) -> tuple[str, str]:
        return row["model"], row["image_shape"]

    here = {key: rows[0][key] for key in ("cpu", "threads")}
    fresh = {case_of(row) for row in rows}
    kept = [
        row
        for row in typed_rows(path)
        if case_of(row) not in fresh
        and all(row[key] == value for key, value in here.items())
    ]
    shapes = {c: "x".join(map(str, c.image_shape)) for c in CASES.values()}
    order = [(case.title, shape) for case, shape in shapes.items()]
    both = [row for row in rows + kept if case_of(row) in order]
    return sorted(both, key=lambda row: order.index(case_of(row)))


def typed_rows(path: Path) -> list[dict[str, Any]]:
    return [
        {k: v if k == "onednn" else number(v) for k, v in row.items()}
        for row in read_rows(path)
    ]


def number(text: str) -> Any:
    """A cell of the CSV file: a number where it is one."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


def markdown(rows: list[dict[str, Any]]) -> str:
    """A table a model."""
    first = rows[0]
    rounds = max(row["rounds"] for row in rows)
    others = max(row["others"] for row in rows)
    lines = [
        "# Throughput",
        "",
        f"{first['cpu']}, {first['threads']} threads. "
        f"Medians of {rounds} rounds (the slowest took fewer), in brackets "
        f"minimum and maximum; other processes took at most {others:.0%} of "
        "the cores. Written by `python benchmarks/throughput.py`, whose first "
        "lines say what is measured; `throughput.csv` beside it has all the "
        "columns.",
    ]

    def case_of(row: dict[str, Any]) -> tuple:
        return row["model"], row["image_shape"], row["batch_size"]

    for case, mine in itertools.groupby(rows, case_of):
        model, shape, batch_size = case
        lines += [
            "",
            f"## {model}, {shape}, batches of {batch_size}",
            "",
            f"Measured on {(mine := list(mine))[0]['date']}; the peak was "
            f"{mine[0]['matmul_gflops']:.0f} GFLOP/s.",
            "",
            "| | training, images/s | x PyTorch | GFLOP/s | of peak "
            "| sampling, images/s | first step, s | memory, MiB |",
            "|---|---:|---:|---:|---:|---:|---:|---:|",
            *(table_line(row) for row in mine),
        ]
    lines += ["", *remarks(rows), ""]
    return "\n".join(lines)


def table_line(row: dict[str, Any]) -> str:
    contender = Contender(row["backend"], row["policy"], row["onednn"])
    ratio = gflops = share = ""
    if row.get("ratio_to_torch"):
        ratio = spread(
            row["ratio_to_torch"], row["ratio_min"], row["ratio_max"], 2
        )
    if row.get("gflops"):
        gflops = f"{row['gflops']:.0f}"
        share = f"{row['share_of_peak']:.0%}"
    digits = digits_of(row["train_images_per_s"])
    sampling = row["sample_images_per_s"]
    cells = [
        contender.title,
        spread(
            row["train_images_per_s"],
            row["train_min"],
            row["train_max"],
            digits,
        ),
        ratio,
        gflops,
        share,
        f"{sampling:.{digits_of(sampling) if sampling < 10 else 0}f}",
        f"{row['first_step_s']:.1f}",
        f"{row['peak_mib']:.0f}",
    ]
    return "| " + " | ".join(cells) + " |"


def digits_of(images_per_s: float) -> int:
    """Decimals to show of a rate; the noise is in the third digit."""
    return 0 if images_per_s >= 100 else 1 if images_per_s >= 1 else 3


def spread(median: float, low: float, high: float, digits: int) -> str:
    return f"{median:.{digits}f} ({low:.{digits}f}-{high:.{digits}f})"


def remarks(rows: list[dict[str, Any]]) -> list[str]:
    """What the package claims of these numbers, each on a line."""
    lines = [
        "Peak: the fastest 2048x2048 float32 matrix product of the run. Images "
        "a second of runs with different peaks do not compare; ratios do. They "
        "are to PyTorch in float32, those of bfloat16, too."
    ]

    keys = ("model", "image_shape", "backend", "policy", "onednn")
    speeds = {
        tuple(row[key] for key in keys): row["train_images_per_s"]
        for row in rows
    }
    for shape in ("28x28x1", "64x64x3"):
        tensorflow = ("dcgan", shape, "tensorflow", "float32")
        off = speeds.get((*tensorflow, "0"))
        if off:
            lines += [
                "",
                f"oneDNN: DCGAN at {shape} trains "
                f"{speeds[*tensorflow, '1'] / off:.2f} times faster on "
                "TensorFlow with it than without.",
            ]
    for shape in ("128x128x3", "256x256x3"):
        mine = [r for r in rows if r["image_shape"] == shape]
        peers = [r for r in mine if r["backend"] in PEERS]
        for row in mine:
            backend, policy = row["backend"], row["policy"]
            if not peers or (backend, policy) != ("tensorflow", "float32"):
                continue
            peer = max(peers, key=lambda r: r["train_images_per_s"])
            time, memory = (
                peer["sample_images_per_s"] / row["sample_images_per_s"],
                row["peak_mib"] / peer["peak_mib"],
            )
            lines += [
                "",
                f"CycleGAN at {shape} on TensorFlow: an image is translated in "
                f"{time:.2f} times PyTorch's time, and the process takes "
                f"{memory:.2f} times its memory.",
            ]
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--models", nargs="+", choices=CASES, default=list(CASES)
    )
    parser.add_argument(
        "--backends", nargs="+", choices=BACKENDS, default=list(BACKENDS)
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, help="training steps a round")
    parser.add_argument(
        "--out", type=Path, default=ROOT / "benchmarks" / "results"
    )
    parser.add_argument("--worker", type=json.loads, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        work(args.worker)
        return

    backends = []
    for backend in args.backends:
        if importlib.util.find_spec(backend):
            backends.append(backend)
        else:
            print(f"{backend} is not installed: left out")
    if not importlib.util.find_spec("torch"):
        print("torch is not installed: the PyTorch originals are left out")

    if not has_bfloat16():
        print("the CPU has no bfloat16: CycleGAN in mixed_bfloat16 is left out")

    here = machine()
    load = os.getloadavg()[0]
    print(f"{here['cpu']}, {here['threads']} threads, load {load:.1f}")
    rows = []
    for name in args.models:
        print(CASES[name].title, CASES[name].image_shape, flush=True)
        rows += measure(name, backends, args.rounds, args.steps)
    peak = max(row["matmul_gflops"] for row in rows)
    for row in rows:
        row["matmul_gflops"] = peak
        row |= here

    args.out.mkdir(parents=True, exist_ok=True)
    rows = with_others(rows, args.out / "throughput.csv")
    for row in rows:
        shape = tuple(map(int, row["image_shape"].split("x")))
        gflop = step_gflop(row["model"], shape)
        if gflop:
            row["gflops"] = row["train_images_per_s"] * gflop
            row["share_of_peak"] = row["gflops"] / row["matmul_gflops"]
    write_csv(rows, args.out / "throughput.csv")
    table = markdown(typed_rows(args.out / "throughput.csv"))
    (args.out / "throughput.md").write_text(table)
    print(table)


if __name__ == "__main__":
    main()
