"""Feature extractors: their names, their inputs, and what they see."""

from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

import keras_gans
from keras_gans.metrics import extractor
from keras_gans.metrics.extractors import _named, model_hash, resized

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
    assert mine.sha256 == model_hash(model)
    model.layers[1].bias.assign([1.0, 0.0, 0.0])
    assert extractor(model).sha256 != mine.sha256


def small_model(activation="relu", **layer):
    image = keras.Input((8, 8, 1))
    x = keras.layers.Conv2D(3, 3, activation=activation, **layer)(image)
    return keras.Model(image, x)


def test_hash_of_own_model_is_of_its_architecture_too():
    first = small_model()

    def hash_of(model):
        model.set_weights(first.get_weights())
        return model_hash(model)

    assert hash_of(small_model()) == model_hash(first)  # of other layer names
    assert hash_of(small_model("tanh")) != model_hash(first)
    assert hash_of(small_model(strides=2)) != model_hash(first)
    frozen = small_model()
    frozen.trainable = False
    assert hash_of(frozen) == model_hash(first)


def test_hash_of_a_subclass():
    class Own(keras.Model):
        def __init__(self, units):
            super().__init__()
            self.dense = keras.layers.Dense(units)
            self.dense.build((None, 4))
            self.built = True

    assert model_hash(Own(2)) != model_hash(Own(2))  # other weights
    assert len(model_hash(Own(3))) == 64


@pytest.mark.parametrize("policy_name", ["mixed_bfloat16", "mixed_float16"])
def test_full_precision_whatever_the_policy(policy, policy_name):
    images = keras_gans.datasets.mnist_5k()[0][:50]
    _named.cache_clear()
    expected = extractor("lenet_mnist")([images])
    _named.cache_clear()
    policy(policy_name)
    found = extractor("lenet_mnist")([images])
    _named.cache_clear()
    assert keras.config.dtype_policy().name == policy_name
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.dtype == np.float32
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


@pytest.mark.skipif(not MOBILENET.is_file(), reason="needs ../shared")
def test_mobilenet_in_full_precision(policy):
    images = keras_gans.datasets.mnist_5k()[0][:4]
    expected = extractor("mobilenet_v1", MOBILENET)([images])
    _named.cache_clear()
    policy("mixed_bfloat16")
    found = extractor("mobilenet_v1", MOBILENET)([images])
    _named.cache_clear()
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


def test_own_model_in_half_precision_gives_float32(policy):
    policy("mixed_bfloat16")
    features, _ = extractor(own_model())([np.zeros((2, 8, 8, 1))])
    assert features.dtype == np.float32


@pytest.mark.parametrize("name", ["inception", "lenet_mnist", "mobilenet_v1"])
def test_names_of_published_features_are_reserved(name):
    image = keras.Input((8, 8, 1))
    with pytest.raises(ValueError, match=f"Received: name='{name}'"):
        extractor(keras.Model(image, image, name=name))


def test_own_model_of_several_outputs_or_another_shape():
    image = keras.Input((8, 8, 1))
    two = keras.Model(image, [image, image + 1.0], name="two")
    with pytest.raises(ValueError, match="one tensor.*'two'.*2 outputs"):
        extractor(two)
    with pytest.raises(ValueError, match="Received: 'lenet' with inputs"):
        extractor(keras_gans.metrics.LeNet())
    with pytest.raises(ValueError, match="n, 8, 8, 1.*(2, 28, 28, 1)"):
        extractor(own_model())([np.zeros((2, 28, 28, 1))])


def test_weights_where_none_are_taken():
    for spec in ("lenet_mnist", own_model()):
        with pytest.raises(ValueError, match="inception or mobilenet_v1 only"):
            extractor(spec, "some.weights.h5")


def test_hash_of_lenet_is_that_of_its_file():
    card = keras_gans.load("lenet_mnist").card
    (file,) = card.files.values()
    assert extractor("lenet_mnist").sha256 == file["sha256"]


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
        (np.zeros((0, 28, 28, 1)), "one at least.*shape=\\(0, 28"),
        (np.zeros((2, 28, 28, 1), np.uint8), "Received: uint8"),
        ("digits.png", "Expected images.*Received: <U10"),
        ([np.zeros((28, 28, 1)), np.zeros((8, 8, 1))], "as one array"),
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


def test_mobilenet_of_a_hostile_file(tmp_path):
    path = tmp_path / "linked.weights.h5"
    with h5py.File(path, "w") as file:
        file["layers"] = h5py.ExternalLink("/etc/passwd", "x")
    with pytest.raises(ValueError, match="a link to elsewhere, 'layers'"):
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
