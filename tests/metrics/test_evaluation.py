"""Measuring whole models: figures, protocols, and what is refused."""

import dataclasses

import keras
import numpy as np
import pytest

import keras_gans
from keras_gans.datasets import CaptionedData, ImageData
from keras_gans.metrics import (
    METRICS,
    Reference,
    evaluate,
    evaluation,
    extractor,
    frechet_distance_of,
    inception,
    measures,
)
from keras_gans.metrics.pooled_features import pooled_features


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


# What a GAN of digits can be measured by.
OTHERS = {"text", "score", "reconstruct"}
WITHOUT_TEXT = [m for m in METRICS if not OTHERS & {*METRICS[m].needs}]


def value(figures, name):
    return next(f.value for f in figures if f.name.split("/")[0] == name)


def test_unseen_digits_measure_as_real(parts):
    model = Photocopier(parts["other"].arrays()[0])
    figures = evaluate(
        model,
        [
            m
            for m in WITHOUT_TEXT
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
    assert value(figures, "precision") > 0.8
    assert value(figures, "memorised share") < 0.05
    assert 0.8 < value(figures, "diversity") < 1.2
    assert value(figures, "class_score") > 8.0  # of 10 classes
    assert value(figures, "share of the least frequent class") > 0.04
    assert value(figures, "share of the most frequent class") < 0.17
    assert sum(
        f.value for f in figures if f.name.startswith("share of class")
    ) == pytest.approx(1.0)


def test_a_vae_is_measured_by_its_bound(parts, monkeypatch):
    monkeypatch.setattr(measures, "IMPORTANCE_SAMPLES", 5)
    vae = keras_gans.VAE(widths=(16,), binarise=True)
    test = parts["other"]
    figures = evaluate(
        vae,
        ["negative_log_likelihood", "reconstruction_error"],
        test=test,
        verbose=False,
    )
    images, _ = test.arrays()
    scores = vae.score(images, k=5)
    nll, error, squares = (f.value for f in figures)
    assert nll == pytest.approx(-scores.mean(), rel=1e-6)
    assert error == pytest.approx(scores.std(ddof=1) / len(scores) ** 0.5)
    halves = (vae.reconstruct(images) - images) / 2
    assert squares == pytest.approx(np.square(halves).mean(), rel=1e-5)
    protocol = figures[0].as_dict()["protocol"]
    assert protocol["importance samples"] == 5
    assert protocol["pixels"] == "drawn" and protocol["seed"] == 0
    gan = keras_gans.GAN(variant="small")
    for name, words in (
        ("negative_log_likelihood", "with a likelihood"),
        ("reconstruction_error", "encodes and decodes"),
    ):
        with pytest.raises(ValueError, match=f"{words}.*Received: GAN"):
            evaluate(gan, [name], test=test, verbose=False)
    autoencoder = keras_gans.Autoencoder(widths=(8,))
    (figure,) = evaluate(
        autoencoder, ["reconstruction_error"], test=test, verbose=False
    )
    assert 0 < figure.value < 1
    with pytest.raises(ValueError, match="draws its own samples"):
        evaluate(autoencoder, ["diversity"], test=test, verbose=False)


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
    assert figure.deviation == pytest.approx(np.std(each, ddof=1))


def test_reference_in_place_of_the_data(parts, tmp_path):
    gan = keras_gans.GAN(variant="small")
    arguments = {"n": 100, "verbose": False}
    (expected,) = evaluate(gan, test=parts["test"], **arguments)
    lenet = extractor("lenet_mnist")
    Reference.from_data(parts["test"], lenet).save(tmp_path / "a.npz")
    reference = Reference.load(tmp_path / "a.npz")
    (figure,) = evaluate(gan, reference=reference, **arguments)
    assert figure.value == pytest.approx(expected.value, rel=1e-6)
    assert figure.protocol == expected.protocol

    small = dataclasses.replace(reference, features=None)
    with pytest.raises(ValueError, match="with features for diversity"):
        evaluate(gan, ["diversity"], reference=small, **arguments)
    narrow = Reference.of(reference.features[:, :9], reference.protocol)
    with pytest.raises(ValueError, match="500 features. Received: 9"):
        evaluate(gan, reference=narrow, **arguments)


@pytest.mark.parametrize("metric", WITHOUT_TEXT)
def test_a_reference_of_another_extractor_is_refused(parts, metric):
    protocol = {"extractor": "mine", "sha256": "ab", "resize": "none"}
    other = Reference(protocol, np.zeros(2), np.eye(2), np.zeros((20, 2)))
    model = keras_gans.DCGAN((28, 28, 1), width=4)
    model.num_classes = 10  # so that every metric has what it needs
    sentence = "'lenet_mnist' and sha256 .*Received: .*'mine' and sha256 'ab'"
    with pytest.raises(ValueError, match=sentence):
        evaluate(
            model,
            [metric],
            **{k: parts[k] for k in ("train", "validation", "test")},
            reference=other,
            n=20,
        )


def test_published_names_are_of_the_published_network(parts, monkeypatch):
    gan = keras_gans.GAN(variant="small")
    metrics = ["frechet_distance", "kernel_distance", "inception_score"]
    arguments = {
        "train": parts["train"],
        "test": parts["test"],
        "n": 20,
        "verbose": False,
    }
    lenet = extractor("lenet_mnist")
    named = dataclasses.replace(lenet, name="inception")
    for figure in evaluate(gan, metrics, named, **arguments):
        assert figure.name.endswith("/inception")
        assert figure.name[:3] not in ("FID", "KID", "inc")
    true = dataclasses.replace(named, sha256=inception.SHA256)
    assert [f.name for f in evaluate(gan, metrics, true, **arguments)] == [
        "FID",
        "FID of training images",
        "KID",
        "KID standard error",
        "inception_score",
        "inception_score deviation over splits",
    ]


def test_the_floor_is_of_as_many_training_images(parts):
    lenet = extractor("lenet_mnist")
    gan = keras_gans.GAN(variant="small")
    own = {"train": parts["other"], "test": parts["test"], "verbose": False}
    train = lenet([parts["other"].arrays()[0]])[0]
    test = lenet([parts["test"].arrays()[0]])[0]

    _, floor = evaluate(gan, n=100, seeds=(7, 8), **own)
    draws = [
        frechet_distance_of(
            train[np.random.default_rng(i).choice(500, 100, False)], test
        )
        for i in range(5)
    ]
    assert floor.name == "frechet_distance of training images/lenet_mnist"
    assert floor.value == pytest.approx(np.mean(draws), rel=1e-6)
    assert floor.deviation == pytest.approx(np.std(draws, ddof=1), rel=1e-4)
    assert floor.protocol["train"] == "mnist_5k other (500)"
    assert floor.protocol["drawn"] == 100 and floor.protocol["draws"] == 5
    assert "generated" not in floor.protocol and "seeds" not in floor.protocol

    for n, many in ((500, ""), (600, "only 500 ")):
        _, floor = evaluate(gan, n=n, **own)
        name = f"frechet_distance of {many}training images/lenet_mnist"
        assert floor.name == name
        expected = frechet_distance_of(train, test)
        assert floor.value == pytest.approx(expected, rel=1e-6)
        assert floor.protocol["drawn"] == 500 and floor.protocol["draws"] == 1


def test_protocols_state_what_was_used(parts, monkeypatch):
    monkeypatch.setattr(measures, "MOST", 30)
    short = {
        name: dataclasses.replace(
            metric,
            most=metric.most and 30,
            most_fake=metric.most_fake and 30,
        )
        for name, metric in METRICS.items()
    }
    monkeypatch.setattr(measures, "METRICS", short)
    monkeypatch.setattr(evaluation, "METRICS", short)
    model = keras_gans.DCGAN((28, 28, 1), width=4)
    some = {
        name: parts[name].part(slice(60))
        for name in ("train", "test", "validation")
    }
    names = [m for m in WITHOUT_TEXT if m != "conditional_accuracy"]
    figures = evaluate(model, names, **some, n=40, verbose=False)
    found = {f.name.split("/")[0]: f.protocol for f in figures}
    real = {"data": "mnist_5k", "split": "test", "real": 60}
    lenet = extractor("lenet_mnist")
    seen = {"extractor": lenet.name, "sha256": lenet.sha256, "resize": "none"}
    drawn = {"generated": 40, "seeds": [0], "generator": "as trained"}
    few = drawn | {"generated": 30}
    train = {"train": "mnist_5k train (60)"}
    expected = {
        "share of class 0": seen | drawn,
        "density": real | {"real": 30} | seen | few | {"k": 5},
        "diversity": real | seen | drawn,
        "frechet_distance": real | seen | drawn,
        "class_score": seen | drawn | {"splits": 10},
        "kernel_distance": real | seen | drawn | {"subset size": 20},
        "linear_probe": real | train | {"C": 1e-3},
        "memorised share": real | seen | train | few,
        "parzen_log_likelihood": real
        | {"validation": "mnist_5k validation (60)"}
        | few,
        "recall": real | {"real": 30} | seen | few | {"k": 3},
    }
    for name, protocol in expected.items():
        assert found[name] == protocol, name


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


def without_labels(data):
    return dataclasses.replace(data, labels=None)


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"metrics": ["fid"]}, "Expected the name of a metric"),
        ({"metrics": []}, r"several. Received: metrics=\[\]"),
        ({"metrics": 3}, "several. Received: metrics=3"),
        ({"metrics": [None]}, "Received: name='None'"),
        ({"n": 1}, "at least 2 samples"),
        ({"n": True}, "at least 2 samples"),
        ({"n": 5.0}, "at least 2 samples"),
        (
            {"metrics": "inception_score", "n": 9},
            "at least 10 samples for inception_score",
        ),
        ({"seeds": ()}, "one seed"),
        ({"seeds": 3}, "in a list.*seeds=3"),
        ({"seeds": "01"}, "one seed"),
        ({"seeds": (-1,)}, "from 0 to 4294967295"),
        ({"seeds": (2**32,)}, "from 0 to 4294967295"),
        ({"seeds": (0.0,)}, "integers"),
        ({"seeds": (1, 1)}, "each once"),
        ({"test": None}, "`test` data for frechet_distance"),
        ({"metrics": ["memorisation"]}, "`train` data for memorisation"),
        ({"metrics": ["parzen"]}, "`validation` data for parzen"),
        ({"metrics": ["conditional_accuracy"]}, "takes no labels"),
        (
            {"metrics": ["linear_probe"], "train": without_labels},
            "`train` data with labels for linear_probe",
        ),
        (
            {"metrics": ["density_coverage"], "test": lambda d: d.part([1, 2])},
            "at least 6 test images for density_coverage. Received: 2",
        ),
    ],
)
def test_refusals_before_any_sample(parts, arguments, words, monkeypatch):
    gan = keras_gans.GAN(variant="small")
    monkeypatch.setattr(gan, "generate", None)  # nothing is drawn
    arguments = {
        name: given(parts[name]) if callable(given) else given
        for name, given in arguments.items()
    }
    arguments = {"test": parts["test"], "n": 20, "verbose": False} | arguments
    with pytest.raises(ValueError, match=words):
        evaluate(gan, **arguments)


def test_a_model_without_samples_is_refused():
    with pytest.raises(ValueError, match="draws its own samples"):
        evaluate(keras.Sequential(), test=None)


def test_pixel_metrics_need_the_models_shape(parts):
    gan = keras_gans.DCGAN((32, 32, 1), width=4)
    own = {"train": parts["train"], "test": parts["test"]}
    with pytest.raises(ValueError, match=r"\(32, 32, 1\), for linear_probe"):
        evaluate(gan, "linear_probe", **own)


def test_one_metric_as_a_string_and_twice(parts):
    gan = keras_gans.GAN(variant="small")
    arguments = {"test": parts["test"], "n": 20, "verbose": False}
    assert len(evaluate(gan, "frechet_distance", **arguments)) == 1
    assert len(evaluate(gan, ["diversity"] * 2, **arguments)) == 1


def test_pooled_features_are_made_by_the_batch(parts):
    gan = keras_gans.DCGAN((28, 28, 1), width=4)
    data = parts["other"].part(slice(7))
    assert data.images.dtype == np.uint8
    np.testing.assert_allclose(
        pooled_features(gan.discriminator, data, batch_size=3),
        pooled_features(gan.discriminator, data.arrays()[0]),
        atol=1e-5,
    )


class Obedient(Photocopier):
    """Gives an image of the class that is asked for, but of 9s always 4s."""

    def __init__(self, images):
        super().__init__(images)
        self.num_classes = 10

    def generate(self, n=64, seed=None, labels=None, *, latents=None, **_):
        return self.images[np.where(labels == 9, 4, labels)]


def test_conditional_accuracy(parts):
    data = parts["train"]
    firsts = [np.flatnonzero(data.labels == i)[0] for i in range(10)]
    model = Obedient(data.part(firsts).arrays()[0])
    (figure,) = evaluate(model, "conditional_accuracy", n=200, verbose=False)
    assert figure.value == pytest.approx(0.9)
    assert "data" not in figure.protocol


def test_what_sees_no_samples_is_measured_once(parts, monkeypatch):
    calls = []
    metric = dataclasses.replace(
        METRICS["linear_probe"],
        measure=lambda s: calls.append(s.seed) or {"linear_probe": 0.5},
    )
    monkeypatch.setitem(METRICS, "linear_probe", metric)
    model = keras_gans.DCGAN((28, 28, 1), width=4)
    own = {"train": parts["train"], "test": parts["test"]}
    (figure,) = evaluate(model, "linear_probe", seeds=(2, 3), **own)
    assert calls == [2] and figure.deviation == 0.0
    assert "seeds" not in figure.protocol


def test_extractor_without_classes(parts):
    image = keras.Input((28, 28, 1))
    model = keras.Model(image, keras.layers.Flatten()(image), name="pixels")
    gan = keras_gans.GAN(variant="small")
    arguments = {"test": parts["test"], "n": 20, "verbose": False}
    (figure,) = evaluate(gan, ["diversity"], model, **arguments)
    assert figure.name == "diversity/pixels"
    with pytest.raises(ValueError, match="classifies.*pixels"):
        evaluate(gan, ["class_histogram"], model, **arguments)


# === Models of texts ===


def captioned(n, split, seed):
    """Squares of five colours, and captions that name them."""
    rng = np.random.default_rng(seed)
    colours = np.arange(n) % 5
    seen = [[1, -1, -1], [1, 1, -1], [0, -1, 0], [1, 1, 1], [1, 0, 0.4]]
    images = np.array(seen)[colours][:, None, None] * np.ones((1, 16, 16, 1))
    images = np.clip(images + rng.normal(0, 0.1, images.shape), -1, 1)
    names = ("red", "yellow", "purple", "white", "pink")
    return CaptionedData(
        "squares",
        images.astype(np.float32),
        colours,
        split=split,
        captions=tuple((f"this has {names[i]} petals",) for i in colours),
    )


def colour_words(texts):
    names = ("red", "yellow", "purple", "white", "pink", "large", "this")
    return [[float(name in text) for name in names] + [1.0] for text in texts]


class Painter(keras_gans.StackGANStage1):
    """Paints what an embedding says, as a trained model would."""

    def infer(self, network, *inputs, batch_size):
        _, embeddings = inputs
        data = captioned(5, "train", 0)
        chosen = embeddings[:, :5].argmax(axis=1)
        return data.images[chosen]


def test_models_of_texts_are_measured_by_their_captions():
    sizes = {"text_dim": 8, "generator_width": 2, "discriminator_width": 2}
    train, test = captioned(200, "train", 0), captioned(120, "test", 1)
    mean = keras.Sequential([keras.Input((16, 16, 3)), keras.layers.Flatten()])
    kinds = {}
    for kind in (Painter, keras_gans.StackGANStage1):
        model = kind((16, 16, 3), text_encoder=colour_words, **sizes)
        figures = evaluate(
            model,
            ["colour_obedience", "caption_retrieval", "frechet_distance"],
            mean,
            train=train,
            test=test,
            n=120,
            verbose=False,
        )
        kinds[kind] = {f.name.split("/")[0]: f.value for f in figures}
        protocols = {f.name.split("/")[0]: f.protocol for f in figures}
    painted, untrained = kinds.values()
    assert painted["colour_obedience"] == 1.0
    assert painted["colour_obedience of training images"] == 1.0
    assert untrained["colour_obedience"] == pytest.approx(0.2, abs=0.1)
    # Each caption is there 20 times among 100: of equals one is one's own.
    assert painted["caption_retrieval"] == pytest.approx(0.05, abs=0.01)
    real = painted["caption_retrieval of test images"]
    assert real == pytest.approx(0.05, abs=0.01)
    assert painted["caption_retrieval top 10"] == pytest.approx(0.5, abs=0.1)
    assert untrained["caption_retrieval"] < 0.03
    assert painted["frechet_distance"] < untrained["frechet_distance"]
    asked = {"captions": "squares test (120)", "text encoder": "colour_words"}
    assert asked.items() <= protocols["frechet_distance"].items()


def test_models_of_texts_need_captions():
    sizes = {"text_dim": 8, "generator_width": 2, "discriminator_width": 2}
    model = keras_gans.StackGANStage1(
        (16, 16, 3), text_encoder=colour_words, **sizes
    )
    test = captioned(120, "test", 0)
    plain = ImageData("plain", test.images)
    with pytest.raises(ValueError, match="`test` images with captions for div"):
        evaluate(model, "diversity", test=plain, n=20, verbose=False)
    with pytest.raises(ValueError, match="`train` images with captions"):
        evaluate(
            model, "colour_obedience", train=plain, test=test, verbose=False
        )
    gan = keras_gans.DCGAN((28, 28, 1), width=2)
    with pytest.raises(ValueError, match="a model of texts for colour_obed"):
        evaluate(gan, "colour_obedience", train=test, verbose=False)
