"""Measuring whole models: figures, protocols, and what is refused."""

import keras
import numpy as np
import pytest

import keras_gans
from keras_gans.metrics import (
    METRICS,
    Reference,
    evaluate,
    extractor,
    frechet_distance_of,
)
from keras_gans.metrics.evaluation import pooled_features


class Photocopier(keras_gans.GAN):
    """A generative model that deals out images that it was given."""

    def __init__(self, images):
        super().__init__((28, 28, 1), latent_dim=2, variant="small")
        self.images = images

    def generate(self, n=64, seed=None, labels=None, *, latents=None, **_):
        # A hash of the latents picks the image.
        picks = np.abs(latents[:, 0] * 1e6).astype(int) % len(self.images)
        return self.images[picks]


@pytest.fixture(scope="module")
def digits():
    return keras_gans.datasets.load("mnist_5k")


@pytest.fixture(scope="module")
def parts(digits):
    order = np.random.default_rng(0).permutation(5000)
    return {
        "train": digits.part(order[:2000], "train"),
        "validation": digits.part(order[2000:2500], "validation"),
        "test": digits.part(order[2500:4500], "test"),
        "other": digits.part(order[4500:], "other"),
    }


def value(figures, name):
    return next(f.value for f in figures if f.name.split("/")[0] == name)


def test_unseen_digits_measure_as_real(parts):
    model = Photocopier(parts["other"].arrays()[0])
    figures = evaluate(
        model,
        [
            m
            for m in METRICS
            if m not in ("linear_probe", "conditional_accuracy")
        ],
        train=parts["train"],
        test=parts["test"],
        validation=parts["validation"],
        n=400,
        verbose=False,
    )
    floor = value(figures, "frechet_distance of training images")
    assert value(figures, "frechet_distance") < 3 * floor
    assert value(figures, "precision") > 0.9
    assert value(figures, "memorised share") < 0.05
    assert 0.8 < value(figures, "diversity") < 1.2
    assert value(figures, "class_score") > 8.5  # of 10 classes
    assert value(figures, "share of the least frequent class") > 0.05
    assert value(figures, "share of the most frequent class") < 0.15
    assert sum(
        f.value for f in figures if f.name.startswith("share of class")
    ) == pytest.approx(1.0)


def test_copies_of_training_images_are_found(parts):
    model = Photocopier(parts["train"].arrays()[0])
    figures = evaluate(
        model,
        ["memorisation"],
        train=parts["train"],
        test=parts["test"],
        n=100,
        verbose=False,
    )
    assert value(figures, "memorised share") > 0.95


def test_a_distance_is_that_of_its_features(parts):
    gan = keras_gans.GAN(variant="small")
    (figure,) = evaluate(gan, test=parts["test"], n=300, seeds=(3,))
    lenet = extractor("lenet_mnist")
    expected = frechet_distance_of(
        lenet([gan.generate(300, seed=3)])[0],
        lenet([parts["test"].arrays()[0]])[0],
    )
    assert figure.name == "frechet_distance/lenet_mnist"
    assert figure.value == pytest.approx(expected, rel=1e-4)
    assert figure.protocol == {
        "data": "mnist_5k",
        "split": "test",
        "real": 2000,
        "extractor": "lenet_mnist",
        "sha256": lenet.sha256,
        "resize": "none",
        "generated": 300,
        "seeds": [3],
        "generator": "as trained",
    }


def test_mean_and_deviation_over_seeds(parts):
    gan = keras_gans.GAN(variant="small")
    arguments = {"test": parts["test"], "n": 100, "verbose": False}
    each = [
        evaluate(gan, seeds=(seed,), **arguments)[0].value for seed in (0, 1, 2)
    ]
    (figure,) = evaluate(gan, seeds=(0, 1, 2), **arguments)
    assert figure.value == pytest.approx(np.mean(each))
    assert figure.deviation == pytest.approx(np.std(each))


def test_reference_in_place_of_the_data(parts, tmp_path):
    gan = keras_gans.GAN(variant="small")
    (expected,) = evaluate(gan, test=parts["test"], n=100, verbose=False)
    lenet = extractor("lenet_mnist")
    protocol = {
        k: expected.protocol[k]
        for k in ("data", "split", "real", "extractor", "sha256", "resize")
    }
    features = lenet([parts["test"].arrays()[0]])[0]
    Reference.of(features, protocol).save(tmp_path / "a.npz")
    reference = Reference.load(tmp_path / "a.npz")
    (figure,) = evaluate(gan, reference=reference, n=100, verbose=False)
    assert figure.value == pytest.approx(expected.value, rel=1e-6)
    assert figure.protocol == expected.protocol

    other = Reference.of(features, protocol | {"sha256": "another"})
    with pytest.raises(ValueError, match="one protocol.*sha256"):
        evaluate(gan, reference=other, n=100, verbose=False)
    small = Reference(protocol, reference.mean, reference.covariance)
    with pytest.raises(ValueError, match="with features"):
        evaluate(gan, ["diversity"], reference=small, n=100, verbose=False)


def test_linear_probe_of_a_discriminator(parts):
    gan = keras_gans.DCGAN((28, 28, 1), width=4)
    images = parts["test"].arrays()[0][:6]
    # 14x14x4 and 7x7x8, both pooled to 4x4, and 4x4x16.
    features = pooled_features(gan.discriminator, images)
    assert features.shape == (6, 16 * (4 + 8 + 16))
    figures = evaluate(
        gan,
        ["linear_probe"],
        train=parts["train"],
        test=parts["test"],
        verbose=False,
    )
    # Random convolutions already tell digits apart.
    assert 0.8 < value(figures, "linear_probe") <= 1.0
    assert "extractor" not in figures[0].protocol


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"metrics": ["fid"]}, "Expected the name of a metric"),
        ({"n": 1}, "at least 2 samples"),
        ({"seeds": ()}, "one seed"),
        ({"metrics": ["memorisation"]}, "`train` data"),
        ({"metrics": ["conditional_accuracy"]}, "takes no labels"),
    ],
)
def test_refusals(parts, arguments, words):
    gan = keras_gans.GAN(variant="small")
    arguments = {"test": parts["test"], "n": 20, "verbose": False} | arguments
    with pytest.raises(ValueError, match=words):
        evaluate(gan, **arguments)


def test_extractor_without_classes(parts):
    image = keras.Input((28, 28, 1))
    model = keras.Model(image, keras.layers.Flatten()(image), name="pixels")
    gan = keras_gans.GAN(variant="small")
    arguments = {"test": parts["test"], "n": 20, "verbose": False}
    (figure,) = evaluate(gan, ["diversity"], model, **arguments)
    assert figure.name == "diversity/pixels"
    with pytest.raises(ValueError, match="classifies.*pixels"):
        evaluate(gan, ["class_histogram"], model, **arguments)
