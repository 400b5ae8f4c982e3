"""Bad input costs one clear sentence and nothing else."""

import keras
import numpy as np
import pytest

import keras_gans

GOOD = np.tanh(np.random.default_rng(0).normal(size=(12, 8, 8, 1))).astype(
    "float32"
)


def spoiled(value, index=9):
    images = GOOD.copy()
    images[index, 3, 3] = value
    return images


NOT_FINITE = "NaN or infinity in 1 of 12, the first at index 9"

BAD_ARRAYS = {
    "0..255": (
        (GOOD + 1) * 127.5,
        r"in \[-1, 1\].*float32 values from .* to 25.*from_uint8",
    ),
    "uint8": (
        np.uint8((GOOD + 1) * 127.5),
        r"in \[-1, 1\].*uint8 values from .* to 25.*from_uint8",
    ),
    "nan": (spoiled(np.nan), NOT_FINITE),
    "inf": (spoiled(np.inf), NOT_FINITE),
    "empty": (GOOD[:0], "at least one image.*Received: an empty data set"),
    "no channel": (
        GOOD[..., 0],
        r"Received: shape=\(12, 8, 8\).*\[..., None\]",
    ),
    "other size": (
        GOOD[:, :6],
        r"shape=\(12, 6, 8, 1\).*image_shape=\(6, 8, 1\)",
    ),
}


@pytest.fixture
def gan():
    gan = keras_gans.GAN((8, 8, 1), latent_dim=4, variant="small")
    gan.compile()
    return gan


def assert_refused(gan, sentence, *data, **options):
    before = [np.array(v) for v in gan.get_weights()]
    with pytest.raises(ValueError, match=sentence) as error:
        gan.fit(*data, verbose=0, **options)
    assert "Expected" in str(error.value)
    assert "Received: " in str(error.value)
    for a, b in zip(before, gan.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("kind", BAD_ARRAYS)
def test_bad_arrays(gan, kind):
    images, sentence = BAD_ARRAYS[kind]
    assert_refused(gan, sentence, images)


@pytest.mark.parametrize("kind", BAD_ARRAYS)
def test_bad_arrays_leave_the_marginals_alone(kind):
    gan = keras_gans.GAN((8, 8, 1), latent_dim=4, variant="paper")
    assert_refused(gan, BAD_ARRAYS[kind][1], BAD_ARRAYS[kind][0])


def test_labels_for_a_model_that_takes_none(gan):
    sentence = "GAN is unconditional and takes no labels"
    assert_refused(gan, sentence, GOOD, np.zeros(12))
    assert_refused(gan, sentence, Batches(GOOD, np.zeros(12)))


@pytest.fixture
def conditional():
    """A model of three classes."""
    gan = keras_gans.LAPGAN(
        (10, 10, 1),
        levels=2,
        num_classes=3,
        generator_width=2,
        discriminator_width=2,
        base_widths=(4, 4),
    )
    gan.compile()
    return gan


def test_labels_of_every_kind_of_data(conditional):
    """Found before anything moves, wherever they come from."""
    images = np.zeros((12, 10, 10, 1), np.float32)
    good, bad = np.arange(12) % 3, np.arange(12) % 4
    missing = "Expected .images, labels.: LAPGAN is conditional.*no labels"
    assert_refused(conditional, missing, images)
    assert_refused(conditional, missing, Batches(images))
    beyond = "an integer from 0 to 2. Received: labels from 0 to 3"
    assert_refused(conditional, beyond, images, bad)
    assert_refused(conditional, beyond, Batches(images, bad))
    halves = good.astype(np.float32) / 2
    assert_refused(conditional, "Received: 0.5", images, halves)
    if keras.backend.backend() != "tensorflow":
        return
    import tensorflow as tf

    def dataset(labels):
        whole = tf.data.Dataset.from_tensor_slices((images, labels))
        return whole.batch(4)

    assert_refused(conditional, beyond, dataset(bad))
    late = np.where(np.arange(12) == 11, 3, good)
    words = "labels from 0 to 2. Received: others in a later batch"
    with pytest.raises(ValueError, match=words):
        conditional.fit(dataset(late), verbose=0)
    conditional.fit(dataset(good), verbose=0)


def test_nothing_at_all(gan):
    assert_refused(gan, "Received: x=None")
    assert_refused(gan, "np.stack", list(GOOD))


class Batches(keras.utils.PyDataset):
    def __init__(self, images, labels=None):
        super().__init__()
        self.images, self.labels = images, labels

    def __len__(self):
        return len(self.images) // 4

    def __getitem__(self, i):
        part = slice(4 * i, 4 * i + 4)
        if self.labels is None:
            return self.images[part]
        return self.images[part], self.labels[part]


@pytest.mark.parametrize("kind", BAD_ARRAYS)
def test_bad_py_datasets(gan, kind):
    images, sentence = BAD_ARRAYS[kind]
    if kind in ("nan", "inf"):  # in the third batch: found when it is read
        sentence = "NaN or infinity in 1 of 4, the first at index 1"
        with pytest.raises(ValueError, match=sentence):
            gan.fit(Batches(images), verbose=0)
        return
    sentence = sentence.replace("12", "4")
    assert_refused(gan, sentence, Batches(images))


@pytest.mark.parametrize("kind", BAD_ARRAYS)
def test_bad_tf_datasets(gan, kind):
    if keras.backend.backend() != "tensorflow":
        pytest.skip("tf.data is tested where TensorFlow trains")
    import tensorflow as tf

    images, sentence = BAD_ARRAYS[kind]
    if kind in ("nan", "inf"):
        images = spoiled(images[9, 3, 3, 0], index=1)
        sentence = "NaN or infinity in 1 of 4, the first at index 1"
    elif kind == "no channel":
        sentence = r"Received: a data set of shape=\(None, 8, 8\)"
    elif kind == "other size":
        sentence = r"Received: a data set of shape=\(None, 6, 8, 1\)"
    dataset = tf.data.Dataset.from_tensor_slices(images).batch(4)
    assert_refused(gan, sentence, dataset)


def test_tf_dataset_that_goes_bad_later(gan):
    if keras.backend.backend() != "tensorflow":
        pytest.skip("tf.data is tested where TensorFlow trains")
    import tensorflow as tf

    dataset = tf.data.Dataset.from_tensor_slices(spoiled(np.nan)).batch(4)
    with pytest.raises(ValueError, match="in a later batch of the data set"):
        gan.fit(dataset, verbose=0)


def test_images_in_half_the_range_get_a_warning(gan):
    with pytest.warns(UserWarning, match=r"2 \* images - 1"):
        gan.fit((GOOD + 1) / 2, verbose=0)


def test_tf_dataset_of_unknown_length_takes_no_extra_step(gan):
    if keras.backend.backend() != "tensorflow":
        pytest.skip("tf.data is tested where TensorFlow trains")
    import tensorflow as tf

    dataset = tf.data.Dataset.from_tensor_slices(GOOD)
    dataset = dataset.filter(lambda image: True).batch(4)
    assert dataset.cardinality() == tf.data.UNKNOWN_CARDINALITY
    gan.fit(dataset, epochs=3, verbose=0)
    assert int(gan.optimizer.iterations) == 9


def test_generator_function_is_checked_batch_by_batch(gan):
    def batches():
        yield (GOOD[:4],)
        yield (GOOD[4:8],)
        yield (spoiled(np.nan)[8:],)

    with pytest.raises(ValueError, match="NaN or infinity in 1 of 4"):
        gan.fit(batches(), verbose=0)


@pytest.mark.parametrize(
    "call, sentence",
    [
        (lambda g: g.generate(0), "Received: n=0"),
        (lambda g: g.generate(latents=np.zeros((3, 5))), r"shape=\(3, 5\)"),
        (lambda g: g.generate(2.5), "Received: n=2.5"),
        (lambda g: g.generate(2, seed=-1), "Received: seed=-1"),
        (lambda g: g.generate(2, batch_size=0), "Received: batch_size=0"),
        (lambda g: g.generate(2, labels=[1, 2]), "Received: labels"),
        (
            lambda g: g.generate(latents=np.full((1, 4), np.nan)),
            "NaN or infinity in 4 of them",
        ),
        (lambda g: g.interpolate(0), "Received: n=0"),
        (lambda g: g.interpolate(steps=1), "Received: steps=1"),
        (lambda g: g.interpolate(method="cubic"), "method='cubic'"),
        (lambda g: g.interpolate(latents=np.zeros((2, 4))), r"shape=\(2, 4\)"),
    ],
)
def test_bad_sampling(gan, call, sentence):
    with pytest.raises(ValueError, match=f"Expected .*{sentence}"):
        call(gan)


@pytest.mark.parametrize(
    "options, sentence",
    [
        ({"sample_weight": np.ones(12)}, "Received: sample_weight"),
        ({"class_weight": {0: 1.0}}, "Received: class_weight"),
        ({"batch_size": -1}, "Received: batch_size=-1"),
        ({"epochs": 0}, "Received: epochs=0"),
    ],
)
def test_bad_options_of_fit(gan, options, sentence):
    assert_refused(gan, sentence, GOOD, **options)
    assert np.isfinite(gan.generate(2, seed=0)).all()


@pytest.mark.parametrize(
    "images, sentence",
    [
        ({"a": GOOD}, "Received: x of type dict"),
        ("images/", "Received: x of type str"),
        (np.array(["a", "b"]), "Received: an array of <U1"),
        (GOOD.reshape(12, 64), "Reshape them"),
    ],
)
def test_things_that_are_no_images(gan, images, sentence):
    assert_refused(gan, sentence, images)


def test_held_out_data_means_nothing_to_a_game(gan):
    with pytest.raises(ValueError, match="Expected .* Received: GAN, a game"):
        gan.evaluate(GOOD)
    assert_refused(gan, "a game of two", GOOD, validation_data=(GOOD,))
    assert_refused(gan, "a game of two", GOOD, validation_split=0.5)


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        ({"image_shape": (28, 28)}, r"image_shape=\(28, 28\)"),
        ({"image_shape": (28, 28, 0)}, r"image_shape=\(28, 28, 0\)"),
        ({"latent_dim": 0}, "latent_dim=0"),
        ({"ema_decay": 1.0}, "ema_decay=1.0"),
        ({"variant": "big"}, "variant='big'"),
        ({"generator_loss": "hinge"}, "generator_loss='hinge'"),
    ],
)
def test_bad_constructors(arguments, sentence):
    with pytest.raises(ValueError, match=f"Expected .*Received: {sentence}"):
        keras_gans.GAN(**{"variant": "small"} | arguments)
