"""Pictures of a run, and that taking them changes nothing."""

import os

import numpy as np
import pytest
from PIL import Image

import keras_gans
from keras_gans.callbacks import SampleGrid, TrainingGIF
from tests.conformance import images_like


def run(callbacks, epochs=3):
    import keras

    keras.utils.set_random_seed(0)
    gan = keras_gans.GAN((8, 8, 1), latent_dim=4, variant="small")
    images = images_like({"image_shape": (8, 8, 1)}, n=16)
    gan.fit(images, batch_size=4, epochs=epochs, verbose=0, callbacks=callbacks)
    return gan


def test_grid_of_every_epoch(tmp_path):
    gan = run([SampleGrid(tmp_path / "a" / "b", n=9, scale=3)])
    names = sorted(os.listdir(tmp_path / "a" / "b"))
    assert names == ["epoch_0001.png", "epoch_0002.png", "epoch_0003.png"]
    with Image.open(tmp_path / "a" / "b" / names[-1]) as file:
        pixels = np.asarray(file)
    expected = keras_gans.images.grid(gan.generate(9, seed=0))[..., 0]
    np.testing.assert_array_equal(pixels[::3, ::3], expected)


def test_grid_every_second_epoch(tmp_path):
    run([SampleGrid(tmp_path, every=2)])
    assert os.listdir(tmp_path) == ["epoch_0002.png"]


def test_gif_of_a_run(tmp_path):
    run([TrainingGIF(tmp_path / "run.gif", n=4, every=5)])
    with Image.open(tmp_path / "run.gif") as file:
        # The start, steps 5 and 10 of 12, the end.
        assert file.n_frames == 4
        assert file.size == (18, 18)


def test_gif_of_a_long_run_stays_small(tmp_path):
    callback = TrainingGIF(tmp_path / "run.gif", n=1, every=1, max_frames=8)
    run([callback], epochs=20)  # 80 steps
    assert len(callback.frames) <= 9
    assert callback.interval == 16


def test_pictures_do_not_disturb_training(tmp_path):
    plain = run([])
    watched = run(
        [
            SampleGrid(tmp_path),
            TrainingGIF(tmp_path / "run.gif", every=1),
        ]
    )
    for a, b in zip(plain.get_weights(), watched.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("make", [SampleGrid, lambda p: TrainingGIF(p / "x")])
def test_folder_that_cannot_be_written(tmp_path, make):
    (tmp_path / "file").write_text("here")
    with pytest.raises(ValueError, match="output folder that can be written"):
        make(tmp_path / "file")
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("name", ["n", "every", "scale"])
@pytest.mark.parametrize("kind", [SampleGrid, TrainingGIF])
def test_numbers_that_make_no_picture(tmp_path, kind, name):
    with pytest.raises(ValueError, match=f"Received: {name}=0"):
        kind(tmp_path / "a", **{name: 0})


def test_film_of_one_frame():
    with pytest.raises(ValueError, match="Received: max_frames=1"):
        TrainingGIF("x.gif", max_frames=1)
