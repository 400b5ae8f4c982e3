"""Train a DCGAN on the embedded digits, and draw what it learned.

`python -m keras_gans.demo --out demo` takes about two minutes on two cores and
writes a sample grid, an interpolation strip and a GIF of digits forming.
"""

import argparse
from pathlib import Path

import keras

import keras_gans
from keras_gans.callbacks import TrainingGIF
from keras_gans.files import writable_folder
from keras_gans.images import grid, save_png


def demo(out: str | Path = "demo", epochs: int = 20) -> list[Path]:
    """Train, then write three pictures into `out`.

    Args:
        out: The folder; made where it is missing.
        epochs: Passes over the 5,000 digits.

    Returns:
        The paths of the pictures.
    """
    out = writable_folder(out)
    keras.utils.set_random_seed(0)
    digits, _ = keras_gans.datasets.mnist_5k()

    gan = keras_gans.DCGAN(image_shape=(28, 28, 1), width=32, ema_decay=0.99)
    gan.compile()
    film = TrainingGIF(out / "training.gif", every=70, scale=2)
    gan.fit(digits, batch_size=16, epochs=epochs, callbacks=[film])

    samples = grid(gan.generate(64, seed=0))
    walks = gan.interpolate(4, steps=10, seed=0)
    strip = grid(walks.reshape(-1, *gan.image_shape), columns=10)
    return [
        save_png(out / "samples.png", samples, scale=2),
        save_png(out / "interpolation.png", strip, scale=2),
        film.path,
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="demo", help="folder for the pictures")
    parser.add_argument("--epochs", type=int, default=20)
    arguments = parser.parse_args()
    for path in demo(arguments.out, arguments.epochs):
        print(path)


if __name__ == "__main__":
    main()
