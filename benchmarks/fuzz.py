"""Damaged and hostile files of every kind that the library reads.

`python benchmarks/fuzz.py` damages 2,000 files, each as its number says, and
lets the library read them in a process of its own. A file is refused in one
sentence, or loads; all else is a failure:

- raw: an error of another kind, or one that does not say what was expected;
- altered: it loads with other values than the checksums beside it vouch for;
- code: something in it was run;
- outside: a file was written outside of the library's cache;
- memory, disk: more was taken than the file's size accounts for;
- hang: no answer in three minutes; crash: the process died.

It writes `results/fuzz.csv`, a row a kind and damage, and the table
`results/fuzz.md`, and returns 1 if anything failed. A failure comes back with
`--only KIND:NUMBER`.
"""

import argparse
import collections
import contextlib
import csv
import dataclasses
import faulthandler
import functools
import hashlib
import http.server
import json
import os
import random
import resource
import select
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks import damage as d  # noqa: E402

RESULTS = Path(__file__).parent / "results"
SECONDS = 180  # that a case may take, on a busy machine
ROOM = 1 << 31  # bytes of addresses that a worker has beside what it began with
# Bytes that reading may take: some, and some more for each byte of the file.
MEMORY, MEMORY_A_BYTE = 200 << 20, 32
DISK, DISK_A_BYTE = 1 << 20, 200

Reader = Callable[[Path], Any]


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of file.

    Args:
        make: Writes a whole one into a folder.
        file: What is damaged of it; "" for the folder.
        damages: What may be done to it.
        read: What the library makes of the folder: bytes that tell two
            contents apart.
        checked: Whether a checksum elsewhere tells if it was damaged.
        mend: Makes the checksums fit again, as a villain would.
    """

    make: Callable[[Path], None]
    file: str
    damages: tuple[d.Damage, ...]
    read: Reader
    checked: bool = False
    mend: Callable[[Path], None] | None = None


# === Whole files of every kind ===


THIN = {"generator_width": 4, "discriminator_width": 4}
SMALL = {
    "gan": {"image_shape": (8, 8, 1), "latent_dim": 4, "variant": "small"},
    "lapgan": {  # many networks
        "image_shape": (14, 14, 1),
        "levels": 2,
        "noise_dim": 10,
        "base_widths": (16, 16),
        **THIN,
    },
    "stackgan": {  # a model in a model
        "image_shape": (32, 32, 3),
        "condition_dim": 4,
        "num_blocks": 1,
        "stage1": {
            "image_shape": (16, 16, 3),
            "text_dim": 8,
            "condition_dim": 4,
            "noise_dim": 5,
            **THIN,
        },
        **THIN,
    },
}


def make_entry(folder: Path, model: str = "gan") -> None:
    import keras

    import keras_gans
    from keras_gans.recipes import Recipe

    keras.utils.set_random_seed(0)
    small = keras_gans.create(model, **SMALL[model])
    recipe = Recipe(model, {"name": "mnist_5k"}, 10)
    keras_gans.save_pretrained(small, folder / "my_gan", recipe=recipe)


def make_entry_zip(folder: Path) -> None:
    make_entry(folder)
    shutil.make_archive(str(folder / "my_gan"), "zip", folder, "my_gan")
    shutil.rmtree(folder / "my_gan")
    fit_the_zip(folder)


RECIPE = """model = "gan"
steps = 4
batch_size = 8
seed = 0
save_every = 4

[config]
image_shape = [8, 8, 1]
latent_dim = 4
variant = "small"

[data]
name = "toy"
split = "train"

[budgets]
smoke = 2

[budgets.large]
steps = 100
config = { latent_dim = 8 }
"""


def make_recipe(folder: Path) -> None:
    (folder / "recipe.toml").write_text(RECIPE)


def the_recipe() -> Any:
    import tomllib

    from keras_gans.recipes import recipe_from

    return recipe_from(tomllib.loads(RECIPE), "recipe")


def digits(n: int = 24) -> Any:
    import numpy as np

    from keras_gans.datasets import ImageData

    generator = np.random.default_rng(0)
    return ImageData("toy", generator.integers(0, 256, (n, 8, 8, 1), np.uint8))


def make_run(folder: Path) -> None:
    from keras_gans import training

    training.train(the_recipe(), folder / "run", digits(), verbose=0)


def make_state(folder: Path, zipped: bool) -> None:
    import torch

    state = {
        name: torch.arange(n * m, dtype=torch.float32).reshape(n, m) / 99
        for name, n, m in (
            ("fc1.weight", 5, 16),
            ("fc21.weight", 3, 5),
            ("fc22.weight", 3, 5),
            ("fc3.weight", 5, 3),
            ("fc4.weight", 16, 5),
        )
    }
    state |= {
        name.replace("weight", "bias"): tensor[:, 0].clone()
        for name, tensor in state.items()
    }
    torch.save(state, folder / "vae.pth", _use_new_zipfile_serialization=zipped)


def make_statistics(folder: Path) -> None:
    import numpy as np

    from keras_gans.metrics import Reference

    features = np.random.default_rng(0).normal(size=(40, 6)).astype("f4")
    Reference.of(features, {"data": "toy"}).save(folder / "real.npz")


def make_idx(folder: Path) -> None:
    import gzip

    data = bytes([0, 0, 8, 3, *(0, 0, 0, 5), *(0, 0, 0, 4), *(0, 0, 0, 4)])
    data += bytes(range(80))
    (folder / "images.gz").write_bytes(gzip.compress(data))
    (folder / "md5").write_text(hashlib.md5(data).hexdigest())


def make_pictures(folder: Path, names: tuple[str, ...] = ()) -> None:
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    formats = ("0.png", "1.jpg", "2.gif", "3.webp", "4.tif", "5.bmp")
    for name in names or formats:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = digits(3).images.reshape(3, 8, 8).transpose(1, 2, 0)
        Image.fromarray(pixels).resize((12, 9)).save(path)


def make_captions(folder: Path, file: str) -> None:
    names = ("0.png", "1.png", "b/2.png")
    make_pictures(folder, names)
    rows = [
        {"image": n, "caption": f"picture {i}", "class": i % 2}
        for i, n in enumerate(names)
    ]
    lines = [json.dumps(row) for row in rows]
    if file.endswith("tsv"):
        lines = ["\t".join(map(str, row.values())) for row in rows]
        lines.insert(0, "image\tcaption\tclass")
    (folder / file).write_text("\n".join(lines) + "\n")


def make_flowers(folder: Path) -> None:
    names = tuple(f"jpg/image_{i}.jpg" for i in range(4))
    make_pictures(folder / "flowers102", names)
    lines = [f"{name}\ta flower\t{i + 1}" for i, name in enumerate(names)]
    text = "image\tcaption\tclass\n" + "\n".join(lines)
    (folder / "flowers102" / "captions.tsv").write_text(text)
    shutil.make_archive(str(folder / "data"), "zip", folder, "flowers102")
    shutil.rmtree(folder / "flowers102")


def make_horses(folder: Path) -> None:
    for part in ("trainA", "trainB"):
        make_pictures(folder / "horse2zebra" / part, ("0.jpg", "1.jpg"))
    shutil.make_archive(str(folder / "data"), "zip", folder, "horse2zebra")
    shutil.rmtree(folder / "horse2zebra")


def make_decoded(folder: Path) -> None:
    """Pictures, and the cache of them."""
    make_pictures(folder / "pictures", ("0.png", "1.png"))


# === What the library makes of them ===


def read_entry(folder: Path) -> Any:
    import keras_gans

    model = keras_gans.load(folder / "my_gan")
    return [model.card, *model.generator.get_weights()]


def read_weights(folder: Path) -> Any:
    """Those alone, for which the card has hashes."""
    _, *weights = read_entry(folder)
    return weights


def fit_the_zip(folder: Path) -> None:
    """The hash that its publisher would say."""
    data = (folder / "my_gan.zip").read_bytes()
    (folder / "sha256").write_text(hashlib.sha256(data).hexdigest())


def read_entry_zip(folder: Path) -> Any:
    import keras_gans

    sha256 = (folder / "sha256").read_text()
    with served(folder) as address:
        model = keras_gans.load(f"{address}/my_gan.zip", sha256=sha256)
    return model.generator.get_weights()


@contextlib.contextmanager
def served(folder: Path) -> Any:
    """An address on this machine that serves a folder."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any):
            super().__init__(*arguments, directory=folder)

        def log_message(self, *arguments: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def fit_the_card(folder: Path) -> None:
    """The hashes of the card as the damaged files have them."""
    path = folder / "my_gan" / "card.json"
    card = json.loads(path.read_text())
    for name, facts in card["files"].items():
        data = (folder / "my_gan" / name).read_bytes()
        facts |= {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
    path.write_text(json.dumps(card))


def read_recipe(folder: Path) -> Any:
    from keras_gans import recipes

    recipe = recipes.read_recipe(folder / "recipe.toml")
    for budget in recipe.budgets:
        recipe.with_budget(budget)
    return recipe.to_toml()


def read_run(folder: Path) -> Any:
    from keras_gans import training

    model = training.train(the_recipe(), folder / "run", digits(), verbose=0)
    return model.get_weights()


def read_log(folder: Path) -> Any:
    from keras_gans import training

    training._log(folder / "run", 8, {"d_loss": [1.0], "g_loss": [2.0]})
    return (folder / "run" / "log.csv").read_bytes()


def read_vae(folder: Path) -> Any:
    from keras_gans.convert import vae_from_official

    return vae_from_official(folder / "vae.pth", (4, 4, 1)).get_weights()


def read_pth(folder: Path) -> Any:
    from keras_gans.convert import read_pth

    content = read_pth(folder / "vae.pth")
    return [*content, *content.values()]


def read_statistics(folder: Path) -> Any:
    from keras_gans.metrics import Reference

    found = Reference.load(folder / "real.npz")
    return [found.protocol, found.mean, found.covariance, found.features]


def read_idx(folder: Path) -> Any:
    from keras_gans.datasets import mnist

    md5 = (folder / "md5").read_text()
    return mnist.read_idx(folder / "images.gz", (5, 4, 4), md5)


def read_data(folder: Path, name: str = "", **arguments: Any) -> Any:
    from keras_gans import datasets

    shape = (8, 8, 3)
    data = datasets.load(name or folder, image_shape=shape, **arguments)
    sides = (data.a, data.b) if hasattr(data, "a") else (data,)
    return [f(side) for side in sides for f in (lambda s: s.images, repr)]


def read_pictures(folder: Path) -> Any:
    return read_data(folder, skip_broken=True)


def read_zipped(folder: Path, name: str) -> Any:
    return read_data(folder, name, data_dir=folder / "data.zip")


def read_picture(folder: Path) -> Any:
    from keras_gans.datasets.folder import read_picture

    return read_picture(folder / "0.png", 3)


def read_decoded(folder: Path) -> Any:
    return read_data(folder / "pictures")


def damaged_cache(path: Path, rng: random.Random) -> None:
    """Decodes them, and damages what is kept of it."""
    read_decoded(path)
    cache = Path(os.environ["KERAS_GANS_CACHE"]) / "decoded"
    file = rng.choice(sorted(f for f in cache.iterdir() if f.is_file()))
    makers = [d.truncated, d.empty, d.noise, d.missing]
    if file.suffix == ".json":
        makers += [d.hostile_value, d.hostile_value, d.deep_json, d.long_number]
    rng.choice(makers)(file, rng)


def kinds() -> dict[str, Kind]:
    """Every kind of file, by name."""
    entry = functools.partial(Kind, make_entry)
    found = {
        "entry": entry("my_gan", d.FOLDER, read_weights, checked=True),
        "card.json": entry("my_gan/card.json", d.ANY + d.JSON * 2, read_entry),
        "config.json": entry(
            "my_gan/config.json", d.ANY + d.JSON * 2, read_entry
        ),
        ".weights.h5": entry(
            "my_gan/generator.weights.h5",
            (*d.ANY, *d.HDF5),
            read_entry,
            checked=True,
        ),
        ".weights.h5, hash fits": entry(
            "my_gan/generator.weights.h5",
            (d.flipped_bits, d.flipped_head, d.truncated, *d.HDF5 * 2),
            read_entry,
            mend=fit_the_card,
        ),
        "entry.zip": Kind(
            make_entry_zip,
            "my_gan.zip",
            (d.flipped_bits, d.truncated, *d.ZIP),
            read_entry_zip,
            checked=True,
        ),
        "entry.zip, hash fits": Kind(
            make_entry_zip,
            "my_gan.zip",
            (d.flipped_bits, d.truncated, *d.ZIP * 2),
            read_entry_zip,
            mend=fit_the_zip,
        ),
        "recipe.toml": Kind(
            make_recipe, "recipe.toml", (*d.ANY, *d.TEXT * 3), read_recipe
        ),
        ".keras": Kind(
            make_run,
            "run/step_00000004.keras",
            (*d.ANY, *d.KERAS * 2),
            read_run,
        ),
        "run.json": Kind(
            make_run, "run/run.json", d.ANY + d.JSON * 2, read_run
        ),
        "log.csv": Kind(make_run, "run/log.csv", d.ANY + d.TEXT, read_log),
        ".npz": Kind(
            make_statistics, "real.npz", d.ANY + d.NPZ, read_statistics
        ),
        "idx": Kind(make_idx, "images.gz", d.ANY + d.IDX, read_idx, True),
        "pictures": Kind(make_pictures, "", d.FOLDER + d.FOLDER, read_pictures),
        "picture": Kind(make_pictures, "0.png", d.ANY + d.PICTURE, read_data),
        "picture, own size": Kind(
            make_pictures, "0.png", d.ANY + d.PICTURE, read_picture
        ),
        "decoded pictures": Kind(
            make_decoded, "", (damaged_cache,), read_decoded, checked=True
        ),
        "flowers102.zip": Kind(
            make_flowers,
            "data.zip",
            (d.flipped_bits, d.truncated, *d.ZIP),
            functools.partial(read_zipped, name="flowers102"),
        ),
        "horse2zebra.zip": Kind(
            make_horses,
            "data.zip",
            (d.flipped_bits, d.truncated, *d.ZIP),
            functools.partial(read_zipped, name="cyclegan/horse2zebra"),
        ),
    }
    for file in ("captions.tsv", "captions.jsonl"):
        found[file] = Kind(
            functools.partial(make_captions, file=file),
            file,
            d.ANY + d.TEXT * 2 + d.CAPTIONS * 2,
            read_data,
        )
    for model in ("lapgan", "stackgan"):
        of_model = functools.partial(make_entry, model=model)
        found[f"config.json of {model}"] = Kind(
            of_model, "my_gan/config.json", d.JSON, read_entry
        )
        found[f".weights.h5 of {model}, hash fits"] = Kind(
            of_model,
            "my_gan/generator.weights.h5",
            d.HDF5,
            read_entry,
            mend=fit_the_card,
        )
    found[".pth"] = Kind(
        functools.partial(make_state, zipped=True),
        "vae.pth",
        d.ANY + d.PTH,
        read_vae,
    )
    found[".pth, before 1.6"] = Kind(
        functools.partial(make_state, zipped=False),
        "vae.pth",
        d.ANY + d.PICKLE * 2,
        read_pth,
    )
    return found


KINDS = kinds()


# === One case ===


def fingerprint(value: Any) -> str:
    import numpy as np

    hasher = hashlib.sha256()
    for part in value if isinstance(value, list) else [value]:
        array = isinstance(part, np.ndarray)
        hasher.update(part.tobytes() if array else repr(part).encode())
    return hasher.hexdigest()


def files_below(folder: Path) -> dict[str, int]:
    """Sizes of files; links are not followed."""
    found = {}
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place, name)
            found[str(path.relative_to(folder))] = path.lstat().st_size
    return found


def memory(field: str) -> int:
    """Bytes that this process holds ("VmRSS"), held at most ("VmHWM"), ..."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return 1024 * int(line.split()[1])
    raise ValueError(field)


def outcome_of(kind: Kind, home: Path, whole: Path, seed: str) -> dict:
    """Damage a copy of the whole one, and read it.

    Args:
        kind: Of the file.
        home: An empty folder, the current one: `home/in` has the file,
            `home/cache` is the library's.
        whole: Folder of the whole one.
        seed: Of the damage.
    """
    rng = random.Random(seed)
    folder = home / "in"
    shutil.copytree(whole, folder)
    (home / "outside").mkdir()
    maker = rng.choice(kind.damages)
    maker(folder / kind.file, rng)
    if kind.mend:
        with contextlib.suppress(OSError):
            kind.mend(folder)
    before = files_below(home)
    size = sum(v for k, v in before.items() if k.startswith("in/"))
    Path("/proc/self/clear_refs").write_text("5")  # VmHWM counts anew
    held = memory("VmRSS")
    said, loaded = "", None
    try:
        loaded = fingerprint(kind.read(folder))
        outcome = "loaded"
    except (ValueError, OSError, ImportError) as error:
        said = str(error)
        fine = "Expected" in said and "Received: " in said
        short = len(said) < 2000 and said.count("\n") == 0
        outcome = "refused" if fine and short else "raw"
        said = f"{type(error).__name__}: {said}"
    except BaseException as error:
        outcome, said = "raw", f"{type(error).__name__}: {error}"
    taken = memory("VmHWM") - held
    after = files_below(home)
    new = [k for k in after if k not in before]
    grown = sum(after.values()) - sum(before.values())
    if any(Path(k).name == d.CANARY for k in new):
        outcome = "code"
    elif odd := [k for k in new if not k.startswith(("cache/", "in/run/"))]:
        outcome, said = "outside", f"{odd}"
    elif taken > MEMORY + MEMORY_A_BYTE * size:
        outcome, said = "memory", f"{taken >> 20} MiB of {size} bytes; {said}"
    elif grown > DISK + DISK_A_BYTE * size:
        outcome, said = "disk", f"{grown >> 20} MiB of {size} bytes; {said}"
    return {
        "damage": maker.__name__,
        "outcome": outcome,
        "said": said[:500],
        "loaded": loaded,
    }


def work(folder: Path) -> None:
    """A worker: a line (kind, number, seed) in, a line of JSON out."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # progress bars
    import keras

    import keras_gans

    keras.config.disable_interactive_logging()
    keras_gans.load("dcgan_mnist").generate(1, seed=0)  # all is warm
    faulthandler.enable()
    limit = memory("VmSize") + ROOM
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    expected: dict[str, str] = {}
    for line in sys.stdin:
        name, number, seed = json.loads(line)
        kind = KINDS[name]
        home = Path(tempfile.mkdtemp(dir=folder))
        os.environ["KERAS_GANS_CACHE"] = str(home / "cache")
        os.chdir(home)
        whole = folder / "whole" / name.replace(" ", "_")
        if name not in expected:
            if not whole.is_dir():
                whole.mkdir(parents=True)
                with contextlib.suppress(ImportError):
                    kind.make(whole)
            if not any(whole.iterdir()):  # no PyTorch to make it
                skipped = {"damage": "", "outcome": "skipped", "said": ""}
                print(json.dumps(skipped), file=answers, flush=True)
                continue
            shutil.copytree(whole, home / "in")
            expected[name] = fingerprint(kind.read(home / "in"))
            shutil.rmtree(home)
            home.mkdir()
        faulthandler.dump_traceback_later(SECONDS, exit=True)
        answer = outcome_of(kind, home, whole, f"{seed}/{name}/{number}")
        faulthandler.cancel_dump_traceback_later()
        if answer["outcome"] == "loaded":
            same = answer["loaded"] == expected[name]
            altered = "altered" if kind.checked else "loaded others"
            answer["outcome"] = "loaded the same" if same else altered
        os.chdir(folder)
        shutil.rmtree(home)
        print(json.dumps(answer), file=answers, flush=True)


# === All cases ===

FINE = ("refused", "loaded the same", "loaded others")
FAILURES = (
    *("raw", "altered", "code", "outside", "memory", "disk", "hang", "crash"),
)


class Worker:
    """A process that reads damaged files; a new one when it dies."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.process: subprocess.Popen | None = None

    def ask(self, *question: Any) -> dict:
        if self.process is None:
            with open(self.folder / "stderr.txt", "w") as errors:
                self.process = subprocess.Popen(
                    [sys.executable, __file__, "--worker", str(self.folder)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    text=True,
                    env=os.environ | {"PYTHONPATH": str(ROOT)},
                )
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        # The first one waits for the imports.
        ready, *_ = select.select([self.process.stdout], [], [], SECONDS + 60)
        line = self.process.stdout.readline() if ready else ""
        if line:
            return json.loads(line)
        self.close()
        said = (self.folder / "stderr.txt").read_text()
        hang = not ready or "Timeout (" in said
        return {
            "damage": "?",
            "outcome": "hang" if hang else "crash",
            "said": " / ".join(said[-3000:].splitlines()[-20:]),
        }

    def close(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process.stdin.close()
            self.process.stdout.close()
            self.process = None


def run(
    cases: list[tuple[str, int]], seed: int = 0, verbose: bool = True
) -> list[dict]:
    """Read a damaged file for each (kind, number); the outcomes."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        worker = Worker(Path(folder))
        try:
            for i, (name, number) in enumerate(cases):
                answer = worker.ask(name, number, seed)
                rows.append({"kind": name, "number": number, **answer})
                if verbose and answer["outcome"] in FAILURES:
                    print(
                        f"{name}:{number} {answer['damage']} "
                        f"{answer['outcome']}: {answer['said']}",
                        flush=True,
                    )
                if verbose and i % 100 == 99:
                    print(f"{i + 1} of {len(cases)}", flush=True)
                if i % 200 == 199:
                    worker.close()  # TensorFlow forgets nothing it compiled
        finally:
            worker.close()
    return rows


def write(rows: list[dict], out: Path) -> None:
    """The rows counted, as `fuzz.csv` and `fuzz.md`."""
    counts = collections.Counter(
        (r["kind"], r["damage"], r["outcome"]) for r in rows
    )
    out.mkdir(parents=True, exist_ok=True)
    with open(out / "fuzz.csv", "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("kind", "damage", "outcome", "cases"))
        for key, n in sorted(counts.items()):
            writer.writerow((*key, n))
    columns = ("cases", *FINE, "failed")
    lines = [f"| kind | {' | '.join(columns)} |", "|---" * 6 + "|"]
    for kind in [*dict.fromkeys(r["kind"] for r in rows), "all"]:
        found = [r["outcome"] for r in rows if kind in (r["kind"], "all")]
        numbers = [len(found), *map(found.count, FINE)]
        numbers.append(numbers[0] - sum(numbers[1:]))
        lines.append(f"| {kind} | {' | '.join(map(str, numbers))} |")
    (out / "fuzz.md").write_text("\n".join(lines) + "\n")


def all_cases(n: int) -> list[tuple[str, int]]:
    """n cases, of each kind as many, one kind after the other."""
    names = list(KINDS)
    cases = [(names[i % len(names)], i // len(names)) for i in range(n)]
    return sorted(cases, key=lambda case: names.index(case[0]))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="+", help="of these alone")
    parser.add_argument("--only", help="KIND:NUMBER, one case again")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(options.worker)
        return 0
    if options.only:
        name, _, number = options.only.rpartition(":")
        rows = run([(name, int(number))], options.seed)
        print(rows[0])
        return int(rows[0]["outcome"] in FAILURES)
    cases = all_cases(options.cases)
    if options.kinds:
        cases = [c for c in cases if c[0] in options.kinds]
    rows = run(cases, options.seed)
    write(rows, options.out)
    print((options.out / "fuzz.md").read_text())
    return int(any(r["outcome"] in FAILURES for r in rows))


if __name__ == "__main__":
    sys.exit(main())
