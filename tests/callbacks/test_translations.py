"""Pictures of translations, and that taking them changes nothing."""

import os

import keras
import numpy as np
import pytest
from PIL import Image

import keras_gans
from keras_gans.callbacks import (
    Evaluate,
    HealthMonitor,
    SampleGrid,
    TrainingGIF,
    TranslationGrid,
)
from keras_gans.datasets import ImageData
from tests.conformance import TINY, images_like


def images(n, size=(32, 32), channels=3):
    return images_like({"image_shape": (*size, channels)}, n)


def run(callbacks, epochs=2):
    keras.utils.set_random_seed(0)
    model = keras_gans.CycleGAN(**TINY["cyclegan"])
    model.compile(run_eagerly=True)  # a step an epoch: not worth a trace
    a = images(1)
    model.fit(a, -a, epochs=epochs, verbose=0, callbacks=callbacks)
    return model


def shown(path):
    with Image.open(path) as file:
        return np.asarray(file)


def test_a_picture_of_every_epoch(tmp_path):
    # Larger than what it trains on, and of two kinds.
    a = images(5, (40, 48))
    b = ImageData("b", keras_gans.images.to_uint8(-images(4, (40, 48))))
    folder = tmp_path / "a" / "b"
    model = run([TranslationGrid(folder, a, b, n=2, scale=3)])
    names = sorted(os.listdir(folder))
    assert names == ["epoch_0001.png", "epoch_0002.png"]
    pixels = shown(folder / names[-1])[::3, ::3]
    # Two images a row, first of A, then of B.
    assert pixels.shape == (2 * 40 + 2, 6 * 48 + 5 * 2, 3)
    rows = []
    for x, there, back in (
        (a[:2], "AtoB", "BtoA"),
        (b.arrays()[0][:2], "BtoA", "AtoB"),
    ):
        made = model.translate(x, there)
        again = model.translate(made, back)
        rows += [x[0], made[0], again[0], x[1], made[1], again[1]]
    expected = keras_gans.images.grid(np.stack(rows), columns=6)
    assert np.abs(pixels.astype(int) - expected).max() <= 1
    before = shown(folder / names[0])[::3, ::3]
    np.testing.assert_array_equal(before[:, :48], pixels[:, :48])
    assert (before != pixels).any()


def test_no_row_has_both_domains(tmp_path):
    run([TranslationGrid(tmp_path, images(1), images(5), n=3)], epochs=1)
    # One of A, three of B, an image a row.
    assert shown(tmp_path / "epoch_0001.png").shape == (
        4 * 32 + 3 * 2, 3 * 32 + 2 * 2, 3,
    )  # fmt: skip


def test_every_second_epoch(tmp_path):
    run([TranslationGrid(tmp_path, images(1), images(1), every=2)], epochs=3)
    assert os.listdir(tmp_path) == ["epoch_0002.png"]


def test_pictures_do_not_disturb_training(tmp_path):
    plain = run([])
    watched = run([TranslationGrid(tmp_path, images(2), images(2))])
    for x, y in zip(plain.get_weights(), watched.get_weights(), strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("name", ["n", "every", "scale"])
def test_numbers_that_make_no_picture(tmp_path, name):
    with pytest.raises(ValueError, match=f"Received: {name}=0"):
        TranslationGrid(tmp_path / "x", images(1), images(1), **{name: 0})
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize(
    "a, b, words",
    [
        (images(0), images(1), "none of A"),
        (images(1), images(1)[0], "Expected images"),
        (images(1), images(1, (32, 36)), "one shape in both"),
    ],
)
def test_images_that_make_no_picture(tmp_path, a, b, words):
    with pytest.raises(ValueError, match=words):
        TranslationGrid(tmp_path / "x", a, b)
    assert not os.listdir(tmp_path)


def test_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("here")
    with pytest.raises(ValueError, match="output folder that can be written"):
        TranslationGrid(tmp_path / "file", images(1), images(1))


@pytest.mark.parametrize(
    "x, words",
    [
        (images(1, (30, 32)), "divisible by 4"),
        (images(1, channels=1), r"\[h, w, 3\]"),
        (images(1) * 2, r"in \[-1, 1\]"),
    ],
)
def test_images_that_the_model_does_not_take(tmp_path, x, words):
    with pytest.raises(ValueError, match=words):
        run([TranslationGrid(tmp_path, x, x)])
    assert not os.listdir(tmp_path)


def test_model_that_draws_samples(tmp_path):
    gan = keras_gans.GAN((8, 8, 1), latent_dim=4, variant="small")
    callback = TranslationGrid(tmp_path, images(1), images(1))
    with pytest.raises(ValueError, match="translates.*GAN.*SampleGrid"):
        gan.fit(images(4, (8, 8), 1), verbose=0, callbacks=[callback])


@pytest.mark.parametrize(
    "make",
    [
        SampleGrid,
        lambda folder: TrainingGIF(folder / "run.gif"),
        lambda folder: HealthMonitor(images(50)),
        lambda folder: Evaluate(),
    ],
)
def test_callbacks_of_samples_say_so_before_training(tmp_path, make):
    steps = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda *_: pytest.fail("trained")
    )
    with pytest.raises(ValueError) as caught:
        run([make(tmp_path), steps])
    said = str(caught.value)
    assert said.startswith("Expected a model that draws its own samples")
    assert "Received: CycleGAN." in said and "\n" not in said
    assert not os.listdir(tmp_path)
