"""Does a model of digits make every digit, and each about as often?

    python benchmarks/class_balance.py dcgan_mnist --data-dir mnist

trains a small convolutional classifier on MNIST's training images, measures it
on the test images, and counts the classes that it sees in 10,000 samples of
seed 0. Prints the counts, writes `results/class_balance_<name>.csv`, and with
`--card` the two figures into the entry's card.
"""

import argparse
import csv
import dataclasses
from pathlib import Path

import keras_gans  # first: it sets TensorFlow's options

import keras  # isort: skip
import numpy as np
from keras import layers

from keras_gans.cards import read_card, write_card
from keras_gans.pretrained import find_entry

RESULTS = Path(__file__).parent / "results"
SAMPLES = 10_000


def train_classifier(data: keras_gans.datasets.ImageData) -> keras.Model:
    """Two convolutions and two epochs: enough to know a digit."""
    keras.utils.set_random_seed(0)
    classifier = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, 5, strides=2, activation="relu"),
            layers.Conv2D(64, 3, strides=2, activation="relu"),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(128, activation="relu"),
            layers.Dense(10),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    classifier.compile("adam", loss, metrics=["accuracy"])
    classifier.fit(*data.arrays(), batch_size=128, epochs=3, verbose=2)
    return classifier


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "names", nargs="+", help="zoo names or entries' folders"
    )
    parser.add_argument("--data-dir", help="folder of the four idx files")
    parser.add_argument("--card", action="store_true", help="write the card")
    options = parser.parse_args()

    def mnist(split):
        return keras_gans.datasets.load(
            "mnist", split, data_dir=options.data_dir
        )

    classifier = train_classifier(mnist("train"))
    images, labels = mnist("test").arrays()
    seen = classifier.predict(images, batch_size=500, verbose=0).argmax(-1)
    accuracy = float((seen == labels).mean())
    print(f"classifier: {accuracy:.4f} of the test images")

    for name in options.names:
        samples = keras_gans.load(name).generate(SAMPLES, seed=0)
        logits = classifier.predict(samples, batch_size=500, verbose=0)
        counts = np.bincount(logits.argmax(-1), minlength=10)
        ratio = counts.max() / max(counts.min(), 1)
        print(f"{name}: {counts.tolist()}, most over least {ratio:.2f}")
        folder = find_entry(name)
        path = RESULTS / f"class_balance_{folder.name}.csv"
        with open(path, "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("digit", "count"))
            writer.writerows(enumerate(counts.tolist()))
        if options.card:
            protocol = (
                f"{SAMPLES:,} samples of seed 0, classes as seen by a "
                f"convolutional classifier with {accuracy:.2%} of MNIST's test "
                "images right (benchmarks/class_balance.py)"
            )
            figures = {
                "least frequent class": f"{counts.min() / SAMPLES:.3f}",
                "most frequent class": f"{counts.max() / SAMPLES:.3f}",
            }
            card = read_card(folder / "card.json")
            kept = [m for m in card.metrics if m["name"] not in figures]
            added = [
                {"name": n, "value": float(v), "protocol": protocol}
                for n, v in figures.items()
            ]
            write_card(
                dataclasses.replace(card, metrics=[*kept, *added]), folder
            )


if __name__ == "__main__":
    main()
