"""LeNet on MNIST: the features and classes by which digits are measured.

Yann LeCun, Léon Bottou, Yoshua Bengio, Patrick Haffner, 1998, "Gradient-based
learning applied to document recognition", in the wider form that became usual:
20 and 50 filters of 5x5, each max-pooled, 500 hidden units, 431,080 parameters.

`python -m keras_gans.metrics.lenet --data-dir <the idx files>` trains the
zoo's `lenet_mnist` again: 15 epochs, digits shifted by up to 2 pixels.
"""

import argparse
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

from keras_gans.registry import CLASSIFIERS, serializable


def build_classifier(image_shape: tuple[int, int, int]) -> keras.Model:
    """Image [batch, 28, 28, 1] -> logits [batch, 10]; 500 features before."""
    image = x = keras.Input(image_shape, name="images")
    for filters in (20, 50):
        x = layers.Conv2D(filters, 5, activation="relu")(x)
        x = layers.MaxPooling2D()(x)
    x = layers.Dropout(0.5, seed=0)(layers.Flatten()(x))
    x = layers.Dense(500, activation="relu", name="features")(x)
    x = layers.Dropout(0.5, seed=1)(x)
    logits = layers.Dense(10, name="logits")(x)
    return keras.Model(image, logits, name="classifier")


@serializable
class LeNet(keras.Model):
    """A classifier of digits, whose last hidden layer serves as features.

    Args:
        image_shape: `(height, width, channels)`. The digits': (28, 28, 1).

    `fit` takes float32 images in [-1, 1] and their classes; calling it gives
    logits `[batch, 10]`.

    Example:

    ```python
    images, labels = keras_gans.datasets.mnist_5k()
    lenet = keras_gans.load("lenet_mnist")
    digits = lenet.predict(images).argmax(-1)
    ```
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (28, 28, 1),
        name: str = "lenet",
    ):
        super().__init__(name=name)
        self.image_shape = tuple(image_shape)
        self.classifier = build_classifier(self.image_shape)
        self.card = None
        self.built = True

    @property
    def needed_networks(self) -> list[keras.Model]:
        """The networks without whose weights it is of no use."""
        return [self.classifier]

    def call(self, images: Any, training: bool = False) -> Any:
        return self.classifier(images, training=training)

    def probe(self, network: keras.Model) -> np.ndarray:
        """Inputs on which two states of a network are compared."""
        from keras_gans.datasets import mnist_5k

        return mnist_5k()[0][::50]

    def stored(self, network: keras.Model) -> keras.Model:
        """The network whose weights an entry keeps."""
        return network

    def get_config(self) -> dict:
        return {"name": self.name, "image_shape": self.image_shape}


CLASSIFIERS["lenet"] = LeNet


class Shifted(keras.utils.PyDataset):
    """Digits moved by up to 2 pixels; a function of (seed, epoch)."""

    def __init__(self, images: np.ndarray, labels: np.ndarray, size: int):
        super().__init__()
        self.images = np.pad(
            images, ((0, 0), (2, 2), (2, 2), (0, 0)), constant_values=-1.0
        )
        self.labels = labels
        self.size = size
        self.epoch = -1
        self.on_epoch_end()

    def __len__(self) -> int:
        return len(self.labels) // self.size

    def on_epoch_end(self) -> None:
        self.epoch += 1
        self.order = np.random.default_rng(self.epoch).permutation(
            len(self.labels)
        )

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        chosen = self.order[index * self.size : (index + 1) * self.size]
        generator = np.random.default_rng((self.epoch, index))
        y, x = generator.integers(0, 5, (2, len(chosen), 1, 1))
        side = np.arange(28)
        rows, columns = y + side[:, None], x + side
        images = self.images[chosen[:, None, None], rows, columns]
        return images, self.labels[chosen]


def train(
    data_dir: str | Path, out: str | Path, epochs: int = 15, size: int = 128
) -> float:
    """Train on the 60,000 digits, write the entry, return its test accuracy."""
    from keras_gans import datasets
    from keras_gans.pretrained import save_pretrained

    keras.utils.set_random_seed(0)
    images, labels = datasets.load("mnist", data_dir=data_dir).arrays()
    test = datasets.load("mnist", "test", data_dir=data_dir).arrays()
    data = Shifted(images, labels, size)
    lenet = LeNet()
    rate = keras.optimizers.schedules.CosineDecay(1e-3, epochs * len(data))
    lenet.compile(
        keras.optimizers.Adam(rate),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    lenet.fit(data, epochs=epochs, verbose=2)
    accuracy = lenet.evaluate(*test, batch_size=500, return_dict=True)[
        "accuracy"
    ]
    save_pretrained(
        lenet,
        out,
        description=(
            "LeNet, to measure models of digits by. Trained for "
            f"{epochs} epochs in batches of {size}, digits shifted by up to 2 "
            "pixels (`python -m keras_gans.metrics.lenet`)."
        ),
        data={
            "name": "mnist",
            "split": "train",
            "terms": datasets.TERMS["mnist"],
        },
        metrics=[
            {
                "name": "accuracy",
                "value": round(accuracy, 4),
                "protocol": {"data": "mnist", "split": "test", "real": 10_000},
            }
        ],
    )
    return accuracy


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Train lenet_mnist.")
    parser.add_argument("--data-dir", help="folder of the four idx files")
    parser.add_argument("--out", default="zoo/lenet_mnist")
    options = parser.parse_args()
    print(train(options.data_dir, options.out))
