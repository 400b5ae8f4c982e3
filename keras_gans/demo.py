"""Sample a trained DCGAN, then train one on the embedded digits.

`python -m keras_gans.demo` writes into `demo/` pictures of `dcgan_mnist`
within seconds, and after about two minutes on two cores a sample grid, an
interpolation strip and a GIF of digits forming of a DCGAN trained here.
"""

import argparse
from pathlib import Path

import keras

import keras_gans
from keras_gans.callbacks import TrainingGIF
from keras_gans.files import writable_folder
from keras_gans.images import grid, save_png


def sample(out: str | Path = "demo") -> list[Path]:
    """Write a sample grid and an interpolation strip of `dcgan_mnist`."""
    out = writable_folder(out)
    return draw(keras_gans.load("dcgan_mnist"), out, "pretrained_")


def train(out: str | Path = "demo", epochs: int = 20) -> list[Path]:
    """Train a DCGAN, then write its grid, its strip and the film of it.

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
    return [*draw(gan, out, ""), film.path]


def draw(gan: keras.Model, out: Path, prefix: str) -> list[Path]:
    """Write 64 samples and four walks between samples, all of seed 0."""
    samples = grid(gan.generate(64, seed=0))
    walks = gan.interpolate(4, steps=10, seed=0)
    strip = grid(walks.reshape(-1, *gan.image_shape), columns=10)
    return [
        save_png(out / f"{prefix}samples.png", samples, scale=2),
        save_png(out / f"{prefix}interpolation.png", strip, scale=2),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="demo", help="folder for the pictures")
    parser.add_argument("--epochs", type=int, default=20)
    arguments = parser.parse_args()
    for path in sample(arguments.out):
        print(path)
    for path in train(arguments.out, arguments.epochs):
        print(path)


if __name__ == "__main__":
    main()
