"""Autoencoders: plain, denoising and sparse."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_gans
from keras_gans.models.autoencoder import kl_of_units


def test_parameter_counts_on_every_backend():
    model = keras_gans.Autoencoder(widths=(1000, 500, 250))
    counts = [n.count_params() for n in (model.encoder, model.decoder)]
    sizes = (784, 1000, 500, 250, 30)
    pairs = list(zip(sizes, sizes[1:], strict=False))
    assert counts[0] == sum(a * b + b for a, b in pairs)
    assert counts[1] == sum(a * b + a for a, b in pairs)


def test_linear_one_spans_the_principal_subspace():
    """Baldi and Hornik 1989: its best code is that of PCA."""
    rng = np.random.default_rng(0)
    basis = np.linalg.qr(rng.normal(size=(24, 24)))[0]
    spread = np.r_[0.4, 0.35, 0.3, np.full(21, 0.03)]
    x = rng.normal(size=(2000, 24)) * spread @ basis.T
    images = np.float32(np.clip(x, -1, 1)).reshape(-1, 4, 6, 1)
    model = keras_gans.Autoencoder(
        (4, 6, 1), 3, (), activation=None, loss="squared_error"
    )
    model.compile(optimizer=keras.optimizers.Adam(0.02))
    model.fit(images, batch_size=200, epochs=120, verbose=0)
    decoder = ops.convert_to_numpy(model.decoder.trainable_variables[0])
    found = np.linalg.qr(decoder.T)[0]
    principal = np.linalg.svd(x - x.mean(0), full_matrices=False)[2][:3].T
    cosines = np.linalg.svd(principal.T @ found, compute_uv=False)
    assert cosines.min() > 0.995
    # And its error is what is left outside of the subspace.
    left = x - x.mean(0)
    left = left - left @ principal @ principal.T
    expected = 0.5 * (left**2).sum(1).mean() / 4  # of pixels in [0, 1]
    error = model.evaluate(images, verbose=0, return_dict=True)["loss"]
    assert error == pytest.approx(expected, rel=0.35)


@pytest.fixture(scope="module")
def digits():
    images, _ = keras_gans.datasets.mnist_5k()
    return images[np.random.default_rng(0).permutation(len(images))]


def error_on_noisy(model, images):
    """Mean squared error of what is made of images with masked pixels."""
    rng = np.random.default_rng(1)
    noisy = np.where(rng.random(images.shape) < 0.4, -1, images)
    made = model.reconstruct(noisy.astype(np.float32))
    return float(np.square(made - images).mean())


def test_denoising_one_restores_what_it_never_saw(digits):
    errors = []
    for corruption in (None, "masking"):
        keras.utils.set_random_seed(0)
        model = keras_gans.Autoencoder(
            code_dim=200, widths=(), corruption=corruption, noise=0.4
        )
        model.fit(digits[:4000], batch_size=50, epochs=15, verbose=0)
        errors.append(error_on_noisy(model, digits[4000:]))
    assert errors[1] < 0.8 * errors[0]


@pytest.mark.parametrize("sparsity, weight", [("l1", 2.0), ("kl", 20.0)])
def test_sparse_one_has_few_units_on(sparsity, weight, digits):
    found = []
    for own in (0.0, weight):
        keras.utils.set_random_seed(0)
        model = keras_gans.Autoencoder(
            code_dim=64,
            widths=(),
            sparsity=sparsity,
            sparsity_weight=own,
            target=0.05,
        )
        history = model.fit(
            digits[:2000], batch_size=100, epochs=8, verbose=0
        ).history
        assert set(history) == {"loss", "reconstruction", "sparsity"}
        total = history["reconstruction"][-1] + own * history["sparsity"][-1]
        assert history["loss"][-1] == pytest.approx(total, rel=1e-4)
        found.append(np.abs(model.encode(digits[2000:2500])).mean())
    assert found[1] < 0.5 * found[0]


def test_kl_of_units_is_its_formula():
    code = np.float32([[0.1, 0.5], [0.3, 0.9]])  # means 0.2 and 0.7
    expected = sum(
        0.2 * np.log(0.2 / q) + 0.8 * np.log(0.8 / (1 - q)) for q in (0.2, 0.7)
    )
    assert float(kl_of_units(0.2, code)) == pytest.approx(expected, rel=1e-5)
    on = ops.convert_to_numpy(kl_of_units(0.05, np.float32([[1.0], [1.0]])))
    assert np.isfinite(on)


def test_corruption_is_what_it_says():
    images = np.full((400, 5, 5, 1), 0.5, np.float32)
    masking = keras_gans.Autoencoder(
        (5, 5, 1), 2, (4,), corruption="masking", noise=0.3
    )
    seen = ops.convert_to_numpy(masking.corrupted(images))
    assert set(np.unique(seen)) == {-1.0, 0.5}
    assert (seen == -1).mean() == pytest.approx(0.3, abs=0.02)
    gaussian = keras_gans.Autoencoder(
        (5, 5, 1), 2, (4,), corruption="gaussian", noise=0.1
    )
    seen = ops.convert_to_numpy(gaussian.corrupted(images))
    assert (seen - images).std() == pytest.approx(0.2, abs=0.01)
    # `evaluate` shows the encoder what is there.
    losses = [gaussian.evaluate(-images, verbose=0) for _ in range(2)]
    assert losses[0] == losses[1]


@pytest.mark.parametrize(
    "options, words",
    [
        ({"corruption": "salt"}, "corruption: one of masking, gaussian"),
        ({"sparsity": "l2"}, "sparsity: one of l1, kl"),
        ({"loss": None}, "loss: one of cross_entropy"),
        ({"corruption": "masking", "noise": 1.5}, "share of pixels"),
        ({"noise": -0.1}, "`noise` as a finite number"),
        ({"target": 1.0}, "`target` between 0 and 1"),
        ({"code_dim": 0}, "`code_dim` as an integer from 1"),
        ({"widths": (8, 0)}, r"`widths\[1\]`"),
        ({"image_shape": (28, 28)}, "three positive integers"),
    ],
)
def test_arguments_that_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        keras_gans.Autoencoder(**options)


def test_bad_use_is_one_sentence():
    model = keras_gans.Autoencoder((5, 5, 1), 2, (4,))
    for codes in (np.zeros((2, 3)), np.zeros((0, 2)), np.full((1, 2), np.nan)):
        with pytest.raises(ValueError, match="codes of shape .n, 2.. Received"):
            model.decode(codes)
    with pytest.raises(ValueError, match=r"in \[-1, 1\]. Received"):
        model.encode(np.full((2, 5, 5, 1), 3.0))
    with pytest.raises(ValueError, match="unconditional and takes no labels"):
        model.fit(np.zeros((2, 5, 5, 1)), [0, 1])
