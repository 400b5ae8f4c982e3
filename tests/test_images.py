"""The border to files: scaling, grids, PNG and GIF."""

import os

import numpy as np
import pytest
from PIL import Image

from keras_gans.images import (
    from_uint8,
    grid,
    save_gif,
    save_png,
    to_uint8,
)


def test_scaling_is_exact_both_ways():
    pixels = np.arange(256, dtype=np.uint8)
    images = from_uint8(pixels)
    assert images.dtype == np.float32
    assert images[0] == -1.0 and images[-1] == 1.0
    np.testing.assert_array_equal(to_uint8(images), pixels)


def test_to_uint8_rounds_and_clips():
    np.testing.assert_array_equal(
        to_uint8([-3.0, -1.0, 0.001, 1.0, 3.0]), [0, 0, 128, 255, 255]
    )


def test_from_uint8_refuses_floats():
    with pytest.raises(ValueError, match="Received: dtype=float64"):
        from_uint8(np.zeros(3))


def test_grid_puts_images_row_by_row():
    images = np.linspace(-1, 1, 6).reshape(6, 1, 1, 1) * np.ones((1, 2, 3, 1))
    sheet = grid(images, columns=4, gap=1)
    assert sheet.shape == (2 * 2 + 1, 4 * 3 + 3, 1)
    assert sheet[0, 0, 0] == 0  # the first
    assert sheet[0, 4, 0] == 51  # the second, right of it
    assert sheet[3, 0, 0] == 204  # the fifth, below
    assert sheet[2, 0, 0] == 255 and sheet[3, 10, 0] == 255  # gap, no image
    assert grid(images).shape[1] == 3 * 3 + 2 * 2  # three columns of six


@pytest.mark.parametrize("shape", [(0, 2, 2, 1), (2, 2, 1)])
def test_grid_of_nothing(shape):
    with pytest.raises(ValueError, match="Received: shape="):
        grid(np.zeros(shape))


@pytest.mark.parametrize("channels, mode", [(1, "L"), (3, "RGB")])
def test_png_round_trip(tmp_path, channels, mode):
    picture = np.random.default_rng(0).integers(
        0, 256, (4, 5, channels), dtype=np.uint8
    )
    path = save_png(tmp_path / "a.png", picture, scale=2)
    with Image.open(path) as file:
        assert file.mode == mode and file.size == (10, 8)
        pixels = np.asarray(file).reshape(8, 10, channels)
    np.testing.assert_array_equal(pixels[::2, ::2], picture)
    assert os.listdir(tmp_path) == ["a.png"]


@pytest.mark.parametrize("channels", [1, 3])
def test_gif_has_every_frame(tmp_path, channels):
    frames = [np.full((4, 4, channels), v, np.uint8) for v in (0, 99, 200)]
    path = save_gif(tmp_path / "a.gif", frames, seconds=0.05)
    with Image.open(path) as file:
        assert file.n_frames == 3
        assert file.info["loop"] == 0
        for i, frame in enumerate(frames):
            file.seek(i)
            shown = np.asarray(file.convert("RGB"))
            assert np.abs(shown.astype(int) - frame[0, 0, 0]).max() <= 2


def test_gif_of_nothing(tmp_path):
    with pytest.raises(ValueError, match="Received: none"):
        save_gif(tmp_path / "a.gif", [])
