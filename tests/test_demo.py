"""The demo draws digits."""

import numpy as np
import pytest
from PIL import Image

from keras_gans.demo import sample, train


@pytest.mark.slow
def test_demo_draws_three_pictures(tmp_path):
    paths = train(tmp_path / "new" / "demo", epochs=2)
    names = [path.name for path in paths]
    assert names == ["samples.png", "interpolation.png", "training.gif"]
    with Image.open(paths[0]) as file:
        assert file.size == (476, 476)
        assert np.asarray(file).std() > 40  # strokes on a ground
    with Image.open(paths[2]) as file:
        assert file.n_frames > 5


def test_demo_samples_the_zoo(tmp_path):
    paths = sample(tmp_path)
    names = [path.name for path in paths]
    assert names == ["pretrained_samples.png", "pretrained_interpolation.png"]


def test_demo_refuses_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("here")
    with pytest.raises(ValueError, match="output folder"):
        train(tmp_path / "file")
