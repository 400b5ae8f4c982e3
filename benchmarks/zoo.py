"""What loading, saving and feeding cost.

`python benchmarks/zoo.py` prints, and writes to `results/zoo.csv`:

- `load_and_64`: seconds of `load("dcgan_mnist")` and 64 images after import,
  in fresh interpreters;
- `save`: seconds of one save of a DCGAN run, and its share of training at one
  save a minute;
- `feed`: images/s of the data pipeline alone, and how many times what the same
  DCGAN trains;
- `encode`: seconds that WordLlama takes for 1,000 different captions, loading
  it included the first time; the extra `text` is needed.
"""

import argparse
import csv
import importlib.util
import itertools
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RESULTS = Path(__file__).parent / "results" / "zoo.csv"

LOAD = """
import time
import keras_gans
start = time.perf_counter()
keras_gans.load("dcgan_mnist").generate(64, seed=0)
print(time.perf_counter() - start)
"""


def load_and_sample() -> float:
    """Seconds of a load and 64 images, in a fresh interpreter."""
    done = subprocess.run(
        [sys.executable, "-c", LOAD], capture_output=True, text=True, check=True
    )
    return float(done.stdout.split()[-1])


def encode_captions(rounds: int) -> list[float]:
    """Seconds of 1,000 captions, each round."""
    from keras_gans.text import text_encoder

    numbers = "two three four five six seven eight nine ten many".split()
    shapes = (
        "large small round pointed long thin wide curled soft striped".split()
    )
    colours = (
        "red yellow purple white pink blue orange violet green black".split()
    )
    captions = [
        f"this flower has {number} {shape} {colour} petals"
        for number, shape, colour in itertools.product(numbers, shapes, colours)
    ]
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        text_encoder("wordllama")(captions)
        seconds.append(time.perf_counter() - start)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds

    load = [load_and_sample() for _ in range(rounds)]

    import keras_gans
    from keras_gans import training

    data = keras_gans.datasets.load("mnist_5k")
    batches = data.batches(64)
    gan = keras_gans.DCGAN((28, 28, 1), ema_decay=0.999)
    gan.fit(batches.steps(0, 5), verbose=0)
    train, feed, save = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for i in range(rounds):
            start = time.perf_counter()
            gan.fit(batches.steps(0, 40), verbose=0)
            train.append(40 * 64 / (time.perf_counter() - start))

            start = time.perf_counter()
            for k in range(2 * 78):  # whole batches of two epochs
                batches.batch(*divmod(k, 78))
            feed.append(2 * 78 * 64 / (time.perf_counter() - start))

            start = time.perf_counter()
            training.save(gan, Path(folder), i)
            save.append(time.perf_counter() - start)

    ratios = [f / t for f, t in zip(feed, train, strict=True)]
    rows = [
        ("load_and_64_s", statistics.median(load)),
        ("save_s", statistics.median(save)),
        ("save_share_at_one_a_minute", statistics.median(save) / 60),
        ("train_images_per_s", statistics.median(train)),
        ("feed_images_per_s", statistics.median(feed)),
        ("feed_over_train", statistics.median(ratios)),
    ]
    if importlib.util.find_spec("wordllama"):
        encode = encode_captions(rounds)
        rows.append(("encode_1000_captions_s", statistics.median(encode)))
        rows.append(("encode_1000_captions_first_s", encode[0]))
    RESULTS.parent.mkdir(exist_ok=True)
    with open(RESULTS, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("figure", "median", "rounds"))
        for name, value in rows:
            writer.writerow((name, f"{value:.4g}", rounds))
            print(f"{name:28} {value:.4g}")


if __name__ == "__main__":
    main()
