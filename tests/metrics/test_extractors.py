"""Feature extractors: their names, their inputs, and what they see."""

from pathlib import Path

import keras
import numpy as np
import pytest

import keras_gans
from keras_gans.metrics import extractor
from keras_gans.metrics.extractors import resized, weights_hash

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
MOBILENET = SHARED / "features" / "mobilenet_v1_1.0_224.weights.h5"


def own_model():
    keras.utils.set_random_seed(0)
    image = keras.Input((8, 8, 1))
    x = keras.layers.Conv2D(3, 3, strides=2)(image)
    return keras.Model(image, x, name="mine")


def test_own_model_is_flattened_and_named():
    model = own_model()
    images = np.random.default_rng(0).uniform(-1, 1, (5, 8, 8, 1))
    mine = extractor(model)
    features, logits = mine([images[:3], images[3:]])
    expected = keras.ops.convert_to_numpy(model(images.astype(np.float32)))
    np.testing.assert_allclose(features, expected.reshape(5, -1), atol=1e-5)
    assert logits is None and mine.name == "mine"
    assert mine.sha256 == weights_hash(model)
    model.layers[1].bias.assign([1.0, 0.0, 0.0])
    assert extractor(model).sha256 != mine.sha256


def test_digits_are_recognised():
    images, labels = keras_gans.datasets.mnist_5k()
    features, logits = extractor("lenet_mnist")([images[::10]])
    assert features.shape == (500, 500) and logits.shape == (500, 10)
    assert (logits.argmax(-1) == labels[::10]).mean() > 0.98


def test_lenet_refuses_other_pictures():
    with pytest.raises(ValueError, match="28, 28, 1.*Received: shape"):
        extractor("lenet_mnist")([np.zeros((2, 32, 32, 3))])


@pytest.mark.parametrize(
    "images, word",
    [
        (np.full((2, 28, 28, 1), 3.0), "in \\[-1, 1\\]"),
        (np.full((2, 28, 28, 1), np.nan), "finite"),
        (np.zeros((28, 28, 1)), "Expected images"),
    ],
)
def test_wrong_images(images, word):
    with pytest.raises(ValueError, match=word):
        extractor("lenet_mnist")([images])


def test_no_images():
    with pytest.raises(ValueError, match="none"):
        extractor(own_model())([])


def test_unknown_name():
    with pytest.raises(ValueError, match="Did you mean 'inception'"):
        extractor("inceptoin")


def test_resize_is_pillows():
    from PIL import Image

    generator = np.random.default_rng(0)
    for shape in ((40, 30), (9, 17), (224, 224)):
        image = generator.uniform(-1, 1, shape).astype(np.float32)
        expected = Image.fromarray(image).resize(
            (24, 24), Image.Resampling.BILINEAR
        )
        ours = resized(image[None, :, :, None], 24)[0, :, :, 0]
        np.testing.assert_allclose(ours, np.asarray(expected), atol=1e-5)


def test_mobilenet_of_another_file(tmp_path):
    path = tmp_path / "wrong.weights.h5"
    own_model().save_weights(path)
    with pytest.raises(ValueError, match="Expected the weights of MobileNet"):
        extractor("mobilenet_v1", path)


@pytest.mark.skipif(not MOBILENET.is_file(), reason="needs ../shared")
def test_mobilenet_knows_flowers_from_digits():
    mobilenet = extractor("mobilenet_v1", MOBILENET)
    digits, _ = keras_gans.datasets.mnist_5k()
    flowers = keras_gans.datasets.load(
        "flowers102", "train[:4]", data_dir=SHARED / "flowers102.zip"
    ).arrays()[0]
    features, logits = mobilenet([flowers, digits[:4]])
    assert features.shape == (8, 1024) and logits.shape == (8, 1001)
    distance = np.linalg.norm(features[:, None] - features, axis=-1)
    assert distance[:4, :4].max() < distance[:4, 4:].min()
