"""Measures of translation: closed forms, floors, and what is refused."""

import dataclasses
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_gans
from keras_gans.datasets import ImageData, unpaired
from keras_gans.metrics import (
    Extractor,
    evaluate_translation,
    extractor,
    frechet_distance_of,
    inception,
    kernel_distance,
)
from keras_gans.metrics.translation import BATCH_SIZE
from tests.conformance import TINY, images_like

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
MOBILENET = SHARED / "features" / "mobilenet_v1_1.0_224.weights.h5"
HORSES = SHARED / "horse2zebra.zip"

ALL = ("frechet_distance", "kernel_distance", "class_share", "cycle_error")


class Unchanged(keras_gans.CycleGAN):
    """Leaves images as they are."""

    def translate(self, images, direction="AtoB", *, batch_size=1):
        return images


def domains(n_a, n_b, split, seed):
    """Two domains of different contrast and colour, uint8."""
    a = images_like(TINY["cyclegan"], n_a, seed)
    b = images_like(TINY["cyclegan"], n_b, seed + 1) * 0.5 + [0.0, 0.3, 0.0]
    sides = [
        ImageData(name, keras_gans.images.to_uint8(x), split=split)
        for name, x in (("A", a), ("B", b))
    ]
    data = unpaired(*sides, name="toy")
    assert data.split == split
    return data


@pytest.fixture(scope="module")
def test():
    return domains(20, 24, "test", 0)


@pytest.fixture(scope="module")
def train():
    return domains(40, 50, "train", 10)


@pytest.fixture(scope="module")
def pooled():
    """A network whose features are pooled convolutions."""
    keras.utils.set_random_seed(0)
    image = keras.Input((32, 32, 3))
    x = keras.layers.Conv2D(6, 5, strides=4, activation="relu")(image)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, x, name="pooled")


@pytest.fixture
def colours():
    """Classifies by the channel that is strongest on average."""

    def run(images):
        means = images.mean(axis=(1, 2))
        return means, means

    return Extractor("colours", "no weights", "none", run)


def tiny(kind=keras_gans.CycleGAN):
    return kind(**TINY["cyclegan"])


def paint(generator, colour):
    """Make a generator give one colour, whatever it sees."""
    kernel, bias = generator.layers[-2].weights
    kernel.assign(np.zeros(kernel.shape))
    bias.assign(np.arctanh(colour))


def values(figures):
    named = {f.name.split("/")[0]: f.value for f in figures}
    assert len(named) == len(figures)
    return named


def floats(data):
    return data.arrays()[0]


def test_images_left_as_they_are(test, train, colours):
    found = values(
        evaluate_translation(
            tiny(Unchanged), ALL, colours, train, test, (0, 1), verbose=False
        )
    )
    for way, source in (("AtoB", "A"), ("BtoA", "B")):
        for metric in (
            "frechet_distance",
            "kernel_distance",
            "class_share class 1" if way == "AtoB" else "class_share class 0",
        ):
            name = f"{metric} {way}"
            assert found[name] == found[f"{name} of untranslated {source}"]
    assert found["cycle_error AtoBtoA"] == found["cycle_error BtoAtoB"] == 0
    # The toy's domains differ, and two halves of one hardly.
    for way, target in (("AtoB", "B"), ("BtoA", "A")):
        name = f"frechet_distance {way}"
        floor = found[f"{name} of training {target}"]
        assert floor < found[name] / 2


def test_distances_are_those_of_their_features(test, train, pooled):
    model = tiny()
    metrics = ["frechet_distance", "kernel_distance"]
    figures = evaluate_translation(
        model, metrics, pooled, train, test, seeds=(3, 5)
    )
    found = values(figures)
    features = extractor(pooled)
    sides = {"A": test.a, "B": test.b}
    real = {s: features([floats(d)])[0] for s, d in sides.items()}
    trained = {
        "A": features([floats(train.a)])[0],
        "B": features([floats(train.b)])[0],
    }
    for way, source, target in (("AtoB", "A", "B"), ("BtoA", "B", "A")):
        fake = features([model.translate(floats(sides[source]), way)])[0]
        floors = [
            trained[target][
                np.random.default_rng(seed).choice(
                    len(trained[target]), len(sides[source]), replace=False
                )
            ]
            for seed in (3, 5)
        ]

        def kernel(x, target=target):
            return kernel_distance(real[target], x, subset_size=10)[0]

        def frechet(x, target=target):
            return frechet_distance_of(x, real[target])

        for name, distance in (
            ("frechet_distance", frechet),
            ("kernel_distance", kernel),
        ):
            expected = {
                f"{name} {way}": distance(fake),
                f"{name} {way} of untranslated {source}": distance(
                    real[source]
                ),
                f"{name} {way} of training {target}": np.mean(
                    [distance(x) for x in floors]
                ),
            }
            for word, value in expected.items():
                assert found[word] == pytest.approx(value, rel=1e-3, abs=1e-7)
        (floor,) = (
            f
            for f in figures
            if f.name == f"frechet_distance {way} of training {target}/pooled"
        )
        spread = np.std([frechet(x) for x in floors], ddof=1)
        assert floor.deviation == pytest.approx(spread, rel=1e-3)
        error = kernel_distance(real[target], fake, subset_size=10)[1]
        assert found[f"kernel_distance standard error {way}"] == pytest.approx(
            error, rel=1e-3
        )
    assert floor.protocol == {
        "data": "toy",
        "split": "test",
        "images of A": 20,
        "images of B": 24,
        "image size": "32x32",
        "extractor": "pooled",
        "sha256": features.sha256,
        "resize": "none",
        "train": "train (40 + 50)",
        "seeds": [3, 5],
    }


def test_one_colour(test, colours):
    model = tiny()
    green, red = np.float32([-0.5, 0.5, 0.0]), np.float32([0.25, -0.25, -0.25])
    paint(model.generator_ab, green)
    paint(model.generator_ba, red)
    figures = evaluate_translation(
        model,
        ["cycle_error", "class_share"],
        colours,
        test=test,
        classes=[0, 1],
    )
    found = values(figures)
    assert found["class_share class 1 AtoB"] == 1.0
    assert found["class_share class 0 BtoA"] == 1.0
    by_eye = floats(test.b).mean(axis=(1, 2)).argmax(axis=1) == 1
    assert found["class_share class 1 AtoB of real B"] == by_eye.mean()
    # What comes back is one colour, too.
    a, b = floats(test.a), floats(test.b)
    expected = {
        "cycle_error AtoBtoA": np.abs(a - red).mean(),
        "cycle_error BtoAtoB": np.abs(b - green).mean(),
    }
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-5)
        (figure,) = (f for f in figures if f.name == name)
        assert "extractor" not in figure.protocol
    # Without features, the same.
    alone = evaluate_translation(model, ["cycle_error"], test=test)
    assert values(alone) == {name: found[name] for name in expected}


def test_a_few_images_at_a_time(test, train, colours):
    sizes = []

    def run(images):
        sizes.append(len(images))
        return colours.run(images)

    watched = Extractor("watched", "", "none", run)
    evaluate_translation(
        tiny(Unchanged), ALL, watched, train, test, (0, 1), verbose=False
    )
    assert max(sizes) == BATCH_SIZE
    # Each image once: test, translations, and what is drawn of training.
    assert sum(sizes) - 1 <= 2 * (20 + 24) + len(train.a) + len(train.b)


def test_no_training_images_no_floor(test, colours):
    figures = evaluate_translation(
        tiny(Unchanged), ["frechet_distance"], colours, test=test, n=6
    )
    assert [f.name for f in figures] == [
        "frechet_distance AtoB/colours",
        "frechet_distance AtoB of untranslated A/colours",
        "frechet_distance BtoA/colours",
        "frechet_distance BtoA of untranslated B/colours",
    ]
    assert figures[0].protocol["images of B"] == 6
    assert "train" not in figures[0].protocol


def test_inception_alone_is_fid(test, colours):
    named = dataclasses.replace(colours, name="inception")
    figures = evaluate_translation(
        tiny(Unchanged), ALL[:2], named, test=test, verbose=False
    )
    assert all(f.name.endswith("/inception") for f in figures)
    published = dataclasses.replace(named, sha256=inception.SHA256)
    figures = evaluate_translation(
        tiny(Unchanged), ALL[:2], published, test=test, verbose=False
    )
    assert {f.name.split()[0] for f in figures} == {"FID", "KID"}


@pytest.mark.parametrize("n, first", [(1000, 339), (1001, 340)])
def test_names_of_classes(test, n, first):
    def run(images):
        logits = np.zeros((len(images), n))
        logits[:, first] = 1.0
        return images.mean(axis=(1, 2)), logits

    model = tiny(Unchanged)
    mobilenet = Extractor("mobilenet_v1", "", "none", run)
    figures = [
        evaluate_translation(
            model, ["class_share"], mobilenet, test=test, classes=classes
        )
        for classes in (("Sorrel", "zebra"), (first, first + 1))
    ]
    assert figures[0] == figures[1]
    found = values(figures[0])
    assert found["class_share sorrel BtoA of real A"] == 1.0
    assert found["class_share zebra AtoB"] == 0.0


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"metrics": ["fid"]}, "name of a metric of translations"),
        ({"metrics": []}, "name of a metric of translations"),
        ({"test": None}, "`test` as images of two domains.*NoneType"),
        ({"train": np.zeros(3)}, "`train` as images of two.*ndarray"),
        ({"n": 3}, "`n` as an integer from 4.*n=3"),
        ({"n": 5.0}, "`n` as an integer"),
        ({"seeds": ()}, "one seed or more.*no floor"),
        ({"seeds": (0, -1)}, "from 0, of draws"),
        ({"metrics": ["class_share"]}, "`classes`.*classes=None"),
        ({"metrics": ["class_share"], "classes": "ab"}, "classes='ab'"),
        ({"metrics": ["class_share"], "classes": (1,)}, "that of A and that"),
        ({"metrics": ["class_share"], "classes": (1, 3)}, "from 0 to 2.*: 3"),
        ({"metrics": ["class_share"], "classes": (True, 1)}, "Received: True"),
        ({"metrics": ["class_share"], "classes": (0, "cow")}, "name='cow'"),
        ({"extractor_name": "mobilenet"}, "Did you mean 'mobilenet_v1'"),
        ({"extractor_name": "lenet_mnist"}, "28, 28, 1"),
    ],
)
def test_refusals(test, train, colours, arguments, words, monkeypatch):
    model = tiny()
    # Refused before any image is translated.
    monkeypatch.setattr(model, "infer", None)
    arguments = {
        "metrics": ["frechet_distance"],
        "extractor_name": colours,
        "train": train,
        "test": test,
    } | arguments
    with pytest.raises(ValueError, match=words):
        evaluate_translation(model, **arguments)


def test_refused_data(test, train, colours, pooled):
    def measure(model=None, **arguments):
        arguments = {"train": train, "test": test} | arguments
        evaluate_translation(model or tiny(), ALL[:1], colours, **arguments)

    with pytest.raises(ValueError, match="model that translates.*GAN"):
        measure(keras_gans.GAN((8, 8, 1), variant="small"))
    with pytest.raises(ValueError, match="3 of A, 3 of B"):
        measure(test=test.part(slice(3)))
    with pytest.raises(ValueError, match="10 of A and 10 of B, for 20 of A"):
        measure(train=train.part(slice(10)))
    small = unpaired(test.a.images[:, :30], test.b.images[:, :30])
    with pytest.raises(ValueError, match=r"one shape.*\(30, 32, 3\)"):
        measure(test=small)
    with pytest.raises(ValueError, match="divisible by 4"):
        measure(test=small, train=None)
    with pytest.raises(ValueError, match="classifies.*pooled"):
        evaluate_translation(
            tiny(), ["class_share"], pooled, test=test, classes=(0, 1)
        )


@pytest.mark.slow
@pytest.mark.skipif(
    not (MOBILENET.is_file() and HORSES.is_file()), reason="needs ../shared"
)
def test_mobilenet_knows_zebras(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_GANS_CACHE", str(tmp_path))
    test = keras_gans.datasets.load(
        "cyclegan/horse2zebra", "test", data_dir=HORSES
    )
    found = values(
        evaluate_translation(
            tiny(Unchanged),
            ["class_share", "frechet_distance"],
            extractor("mobilenet_v1", MOBILENET),
            test=test,
            classes=("sorrel", "zebra"),
            verbose=False,
        )
    )
    assert found["class_share zebra AtoB of real B"] >= 0.9
    assert found["class_share zebra AtoB of untranslated A"] <= 0.05
    # Other horses than sorrels have no class of their own.
    assert 0.25 <= found["class_share sorrel BtoA of real A"] <= 0.4
    assert found["class_share sorrel BtoA of untranslated B"] == 0.0
    assert found["frechet_distance AtoB of untranslated A"] > 0


def test_a_model_of_one_way_is_measured_that_way():
    model = keras_gans.CycleGAN((32, 32, 3), num_blocks=1, width=2)
    model.networks_without_weights = ["generator_ba"]
    rng = np.random.default_rng(0)
    a, b = (
        np.tanh(rng.normal(size=(n, 32, 32, 3))).astype(np.float32)
        for n in (5, 6)
    )
    network = keras.Sequential(
        [keras.Input((32, 32, 3)), keras.layers.GlobalAveragePooling2D()]
    )
    test = keras_gans.datasets.unpaired(a, b)
    figures = evaluate_translation(
        model, extractor_name=network, test=test, verbose=False
    )
    assert figures and all("AtoB" in figure.name for figure in figures)
    with pytest.raises(ValueError, match="both directions.*knows AtoB"):
        evaluate_translation(model, ["cycle_error"], test=test, verbose=False)
