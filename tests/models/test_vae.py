"""The VAE, its bounds, and the two programs that it follows."""

import keras
import numpy as np
import pytest
from keras import ops
from scipy.stats import multivariate_normal

import keras_gans
from keras_gans.backend import vjp
from keras_gans.models.vae import kl_from_prior
from keras_gans.models.vae_networks import FLOOR
from tests.conformance import images_like


def count(network):
    return sum(int(np.prod(v.shape)) for v in network.trainable_variables)


@pytest.mark.parametrize(
    "options, counts",
    [
        ({"network": "mlp"}, (330_040, 322_784)),  # 652,824
        ({"network": "iwae"}, (217_300, 207_984)),  # 425,284
        ({"network": "convolutional"}, (69_076, 65_089)),
    ],
)
def test_parameter_counts_on_every_backend(options, counts):
    vae = keras_gans.VAE(**options)
    assert (count(vae.encoder), count(vae.generator)) == counts
    assert vae.decoder.weights == vae.generator.weights


def test_initial_weights_are_the_programs():
    vae = keras_gans.VAE(network="mlp")
    for weights, fan_in in (
        (vae.encoder.weights[:2], 784),
        (vae.generator.weights[-2:], 400),
    ):
        for weight in weights:
            largest = np.abs(ops.convert_to_numpy(weight)).max()
            assert 0.9 * fan_in**-0.5 < largest <= fan_in**-0.5
    vae = keras_gans.VAE(network="iwae")
    kernel, bias = (ops.convert_to_numpy(w) for w in vae.encoder.weights[:2])
    bound = (6 / (784 + 200)) ** 0.5
    assert 0.99 * bound < np.abs(kernel).max() <= bound and not bias.any()
    images = images_like({"image_shape": (28, 28, 1)}, 8)
    vae.adapt(images)
    p = np.clip((images.mean(0) + 1) / 2, 0.001, 0.999).reshape(-1)
    bias = ops.convert_to_numpy(vae.decoder.get_layer("pixels").bias)
    np.testing.assert_allclose(1 / (1 + np.exp(-bias)), p, atol=1e-6)


def test_default_optimizers_are_the_programs():
    adam = keras_gans.VAE().default_optimizers()["vae_optimizer"]
    assert (float(adam.learning_rate), adam.beta_1) == (
        pytest.approx(1e-3),
        0.9,
    )
    # PyTorch's 1e-8 stands outside of the correction, and its loss is a sum.
    assert adam.epsilon == pytest.approx(1e-8 * 0.001**0.5 / 128)
    vae = keras_gans.VAE(network="iwae")
    adam = vae.default_optimizers()["vae_optimizer"]
    assert (adam.beta_1, adam.epsilon) == (0.99, pytest.approx(1e-4 / 20))
    rate = adam._learning_rate  # of the step to come
    for step, expected in (
        (0, 1e-3),
        (2979, 1e-3),
        (2980, 7e-4),  # an epoch is over
        (4 * 2980 - 1, 7e-4),
        (4 * 2980, 5e-4),
        (1093 * 2980, 1e-4),
        (10**7, 1e-4),
    ):
        assert float(rate(step)) == pytest.approx(expected, rel=0.06), step
    vae = keras_gans.VAE(network="iwae", learning_rate=1e-3, decay_steps=100)
    adam = vae.default_optimizers()["vae_optimizer"]
    assert float(adam._learning_rate(50)) == pytest.approx(5e-4)
    assert float(adam._learning_rate(100)) == pytest.approx(0, abs=1e-9)
    assert adam.beta_1 == 0.9


def test_adapt_checks_its_images():
    vae = keras_gans.VAE((8, 8, 1), network="iwae", widths=(4,))
    for wrong in (IMAGES * np.nan, IMAGES * 200, IMAGES[:, :4], IMAGES[:0]):
        with pytest.raises(ValueError, match="Expected .* Received: "):
            vae.adapt(wrong)
        assert not vae.is_adapted()
    vae = keras_gans.VAE(
        (8, 8, 1), network="iwae", widths=(4,), likelihood="gaussian"
    )
    vae.adapt(IMAGES)
    bias = ops.convert_to_numpy(vae.decoder.get_layer("pixels").bias)
    p = np.clip((IMAGES.mean(0) + 1) / 2, 0.001, 0.999)
    expected = np.concatenate([p, 0 * p], axis=-1).reshape(-1)
    np.testing.assert_allclose(bias, expected, rtol=1e-6)


def test_evaluate_draws_for_each_batch_and_the_same_each_time():
    vae = keras_gans.VAE((8, 8, 1), binarise=True, widths=(8,))
    image = images_like({"image_shape": (8, 8, 1)}, 1)
    losses = []

    class Keep(keras.callbacks.Callback):
        def on_test_batch_end(self, batch, logs=None):
            losses.append(logs["loss"])

    x = np.repeat(image, 8, axis=0)
    for _ in range(2):
        vae.evaluate(x, batch_size=4, verbose=0, callbacks=[Keep()])
    first, both, again, again_both = losses
    assert (first, both) == (again, again_both)
    assert abs(first - both) > 1e-4  # the second batch's mean is another


# === Against the programs ===


def torch_pair(network, k):
    """A model in float64, a rendering with its weights, images and noise."""
    torch = pytest.importorskip("torch", reason="needs the extra `torch`")
    from tests.references import torch_vae

    shape = (4, 5, 1)
    if network == "mlp":
        vae = keras_gans.VAE(shape, "mlp", 6, (16,), k=k)
        theirs = torch_vae.VAE(20, 16, 6).double()
        layers = [theirs.fc1, theirs.fc21, theirs.fc22, theirs.fc3, theirs.fc4]
    else:
        vae = keras_gans.VAE(shape, "iwae", 6, (16, 12), k=k)
        theirs = torch_vae.IWAE(20, (16, 12), 6).double()
        layers = [*theirs.q_hidden, theirs.q_mean, theirs.q_log_sigma]
        layers += [*theirs.p_hidden, theirs.p_mean]
    weights = vae.encoder.trainable_variables
    weights = weights + vae.generator.trainable_variables
    rng = np.random.default_rng(0)
    for i, layer in enumerate(layers):
        for j, parameter in enumerate((layer.weight, layer.bias)):
            value = rng.normal(0, 0.3, weights[2 * i + j].shape)
            weights[2 * i + j].assign(value)
            parameter.data = torch.from_numpy(value.T.copy())
    images = rng.uniform(-1, 1, (7, *shape))
    epsilon = rng.normal(size=(7, k, 6))
    parameters = [p for layer in layers for p in (layer.weight, layer.bias)]
    return vae, weights, theirs, parameters, images, epsilon


def torch_loss(theirs, images, epsilon):
    """The mean of an image's loss, of the program that it renders."""
    import torch

    from tests.references import torch_vae

    x = torch.from_numpy((images.reshape(len(images), -1) + 1) / 2)
    epsilon = torch.from_numpy(epsilon)
    if isinstance(theirs, torch_vae.VAE):
        said = theirs(x, epsilon[:, 0])
        return torch_vae.loss_function(said[0], x, *said[1:]) / len(x)
    return -theirs.bound(x, epsilon).mean()


@pytest.mark.parametrize("network, k", [("mlp", 1), ("iwae", 2), ("iwae", 7)])
def test_loss_and_gradients_are_the_programs(network, k, float64):
    vae, weights, theirs, parameters, images, epsilon = torch_pair(network, k)
    (loss, _), pullback = vjp(
        lambda: (
            vae.negative_bound(
                ops.convert_to_tensor(images),
                None,
                ops.convert_to_tensor(epsilon),
            )[0],
            ops.zeros(()),
        ),
        weights,
    )
    expected = torch_loss(theirs, images, epsilon)
    assert float(loss) == pytest.approx(expected.item(), rel=1e-10)
    expected.backward()
    ones = [ops.ones_like(loss), ops.zeros_like(loss)]
    for ours, parameter in zip(pullback(ones), parameters, strict=True):
        other = parameter.grad.numpy().T
        difference = np.abs(ops.convert_to_numpy(ours) - other).max()
        assert difference <= 1e-6 * np.abs(other).max()


@pytest.mark.parametrize("network, k", [("mlp", 1), ("iwae", 5)])
def test_step_is_the_programs(network, k, float64, monkeypatch):
    import torch

    vae, weights, theirs, parameters, images, epsilon = torch_pair(network, k)
    vae.compile(optimizer=keras.optimizers.SGD(0.1), run_eagerly=True)
    noise = ops.convert_to_tensor(epsilon)
    monkeypatch.setattr(vae, "sample_noise", lambda n, seed: noise)
    keras.config.set_floatx("float64")
    vae.train_step(ops.convert_to_tensor(images))
    optimizer = torch.optim.SGD(parameters, 0.1)
    torch_loss(theirs, images, epsilon).backward()
    optimizer.step()
    for ours, parameter in zip(weights, parameters, strict=True):
        other = parameter.detach().numpy().T
        np.testing.assert_allclose(ops.convert_to_numpy(ours), other, atol=1e-6)


# === Against what is known exactly ===


def linear_gaussian(k=1):
    """x = W z + b + noise, and an encoder that knows its posterior.

    The columns of W are orthogonal: the posterior's covariance is diagonal.
    """
    rng = np.random.default_rng(0)
    w = 0.3 * np.linalg.qr(rng.normal(size=(6, 2)))[0].T * [[1.0], [2.0]]
    b, sigma = rng.uniform(0.3, 0.7, 6), 0.2
    vae = keras_gans.VAE((2, 3, 1), "mlp", 2, (), likelihood="gaussian", k=k)
    # s = FLOOR + softplus(raw - FLOOR) = 2 log sigma
    raw = FLOOR + np.log(np.expm1(2 * np.log(sigma) - FLOOR))
    kernel = np.stack([w.reshape(2, 6), np.zeros((2, 6))], -1).reshape(2, 12)
    bias = np.stack([b, np.full(6, raw)], -1).reshape(12)
    vae.decoder.set_weights([kernel, bias])
    variance = 1 / (1 + (w**2).sum(1) / sigma**2)
    to_mean = (w / sigma**2 * variance[:, None]).T
    vae.encoder.set_weights(
        [to_mean, -b @ to_mean, np.zeros((6, 2)), np.log(variance)]
    )
    z = rng.normal(size=(40, 2))
    x = z @ w + b + sigma * rng.normal(size=(40, 6))
    x = np.clip(x, 0, 1)
    exact = multivariate_normal(b, w.T @ w + sigma**2 * np.eye(6)).logpdf(x)
    return vae, np.float32(2 * x - 1).reshape(-1, 2, 3, 1), exact


def test_bound_is_exact_where_the_posterior_is_on_every_backend():
    vae, images, exact = linear_gaussian()
    for k in (1, 10):
        np.testing.assert_allclose(vae.score(images, k=k), exact, atol=1e-3)
    # A mean over images, with the noise of `evaluate`.
    loss = vae.evaluate(images, verbose=0, return_dict=True)["loss"]
    assert loss == pytest.approx(-exact.mean(), abs=0.3)


def test_bound_approaches_the_likelihood_from_below_as_k_grows():
    vae, images, exact = linear_gaussian()
    *rest, log_variance = vae.encoder.get_weights()
    vae.encoder.set_weights([*rest, log_variance + 1.5])  # too wide
    gaps = [
        np.mean([exact - vae.score(images, k, seed) for seed in range(20)])
        for k in (1, 5, 50, 1000)
    ]
    assert all(a > 1.5 * b for a, b in zip(gaps, gaps[1:], strict=False))
    assert gaps[0] > 0.5 and abs(gaps[-1]) < 0.01


def test_kl_is_that_of_its_formula():
    mean, log_variance = np.float32([[0.5, -1.0]]), np.float32([[0.3, -2.0]])
    z = np.linspace(-12, 12, 200_001)
    expected = 0.0
    for mu, s in zip(mean[0], log_variance[0], strict=True):
        q = np.exp(-0.5 * (z - mu) ** 2 / np.exp(s))
        q /= np.sqrt(2 * np.pi * np.exp(s))
        log_ratio = -0.5 * (z - mu) ** 2 / np.exp(s) - 0.5 * s + 0.5 * z**2
        expected += np.trapezoid(q * log_ratio, z)
    kl = ops.convert_to_numpy(kl_from_prior(mean, log_variance))
    np.testing.assert_allclose(kl, [expected], rtol=1e-5)


# === What it does ===


@pytest.fixture(scope="module")
def digits():
    images, labels = keras_gans.datasets.mnist_5k()
    order = np.random.default_rng(0).permutation(len(images))
    return images[order], labels[order]


@pytest.fixture(scope="module")
def trained(digits):
    keras.utils.set_random_seed(0)
    images, labels = digits
    vae = keras_gans.VAE(
        num_classes=10, binarise=True, latent_dim=4, learning_rate=3e-3
    )
    history = vae.fit(
        images[:4000],
        labels[:4000],
        batch_size=100,
        epochs=12,
        validation_data=(images[4000:], labels[4000:]),
        verbose=0,
    )
    return vae, history.history


def test_learns_digits(trained, digits):
    vae, history = trained
    images, labels = (x[4000:4500] for x in digits)
    assert history["loss"][-1] < 150 < history["loss"][0]
    assert history["val_loss"][-1] < 155
    held_out = [x[4000:] for x in digits]
    again = vae.evaluate(*held_out, batch_size=100, verbose=0, return_dict=True)
    assert again["loss"] == pytest.approx(history["val_loss"][-1], rel=1e-5)
    one, ten = (vae.score(images, k, labels=labels).mean() for k in (1, 10))
    assert -150 < one < ten < -100
    error = np.abs(vae.reconstruct(images, labels) - images).mean()
    assert error < 0.6 * np.abs(images.mean(0) - images).mean()


def test_classes_reach_both_networks(trained, digits):
    vae, _ = trained
    images, labels = (x[4000:4064] for x in digits)
    mean, log_variance = vae.encode(images, labels)
    other, _ = vae.encode(images, (labels + 1) % 10)
    assert mean.shape == log_variance.shape == (64, 4)
    assert np.abs(mean - other).max() > 0.1
    as_asked = vae.decode(mean, labels)
    np.testing.assert_array_equal(as_asked, vae.reconstruct(images, labels))
    assert np.abs(vae.decode(mean, (labels + 1) % 10) - as_asked).max() > 0.5
    extract = keras_gans.metrics.extractor("lenet_mnist")
    asked = np.arange(200) % 10
    made = vae.generate(200, seed=0, labels=asked)
    _, logits = extract([made], 200)
    assert (logits.argmax(-1) == asked).mean() > 0.4


def test_pixels_are_drawn_anew_each_time():
    vae = keras_gans.VAE((8, 8, 1), binarise=True)
    images = np.full((500, 8, 8, 1), 0.4, np.float32)  # a grey of 0.7
    first = ops.convert_to_numpy(vae.observed(images, vae.seed_generator))
    second = ops.convert_to_numpy(vae.observed(images, vae.seed_generator))
    assert set(np.unique(first)) == {-1.0, 1.0}
    assert (first != second).mean() == pytest.approx(2 * 0.7 * 0.3, abs=0.02)
    assert (first > 0).mean() == pytest.approx(0.7, abs=0.01)
    plain = keras_gans.VAE((8, 8, 1))
    assert plain.observed(images, plain.seed_generator) is images


def test_score_does_not_depend_on_its_batches():
    vae = keras_gans.VAE((8, 8, 1), "iwae", 4, (8,))
    images = images_like({"image_shape": (8, 8, 1)}, 11)
    several = [
        np.mean([vae.score(images, 200, seed, batch_size=b) for seed in (0, 1)])
        for b in (2, 11)
    ]
    assert several[0] == pytest.approx(several[1], abs=0.02)
    np.testing.assert_array_equal(vae.score(images, 7), vae.score(images, 7))
    # In several parts, the last of them ragged.
    assert np.isfinite(vae.score(images, 1234, batch_size=11)).all()


def test_beta_weighs_the_kl_term():
    images = images_like({"image_shape": (8, 8, 1)}, 5)
    losses = []
    for beta in (1.0, 4.0):
        keras.utils.set_random_seed(0)
        vae = keras_gans.VAE((8, 8, 1), beta=beta)
        losses.append(vae.evaluate(images, verbose=0, return_dict=True))
    first, second = losses
    assert first["kl"] == pytest.approx(second["kl"], rel=1e-5)
    expected = first["loss"] + 3.0 * first["kl"]
    assert second["loss"] == pytest.approx(expected, rel=1e-5)


def test_classes_are_drawn_as_often_as_in_training(tmp_path):
    vae = keras_gans.VAE((4, 4, 1), num_classes=3, widths=(8,))
    uniform = vae.draw_labels(3000, seed=0)
    np.testing.assert_allclose(np.bincount(uniform) / 3000, 1 / 3, atol=0.04)
    images = images_like({"image_shape": (4, 4, 1)}, 20)
    one_hot = np.eye(3)[[0] * 15 + [2] * 5]
    vae.fit(images, one_hot, epochs=2, batch_size=8, verbose=0)
    counts = ops.convert_to_numpy(vae.class_counts)
    np.testing.assert_array_equal(counts, [30, 0, 10])
    drawn = vae.draw_labels(2000, seed=0)
    np.testing.assert_allclose(
        np.bincount(drawn, minlength=3) / 2000, [0.75, 0, 0.25], atol=0.03
    )
    np.testing.assert_array_equal(vae.draw_labels(8, seed=0), drawn[:8])
    keras_gans.save_pretrained(vae, tmp_path / "mine")
    twin = keras_gans.load(tmp_path / "mine")
    np.testing.assert_array_equal(twin.draw_labels(2000, seed=0), drawn)
    config = vae.get_config() | {"class_counts": [1, -1, 0]}
    with pytest.raises(ValueError, match="class_counts. as 3 numbers from 0"):
        keras_gans.VAE.from_config(config)


# === What is refused ===

IMAGES = np.zeros((4, 8, 8, 1), np.float32) - 1.0


@pytest.mark.parametrize(
    "use, words",
    [
        (lambda v: v.score(IMAGES, k=0), "`k` as an integer from 1"),
        (lambda v: v.score(IMAGES, seed=-1), "`seed` as an integer from 0"),
        (lambda v: v.score(255 * IMAGES), r"in \[-1, 1\]. Received"),
        (lambda v: v.score(IMAGES[0]), "Expected images"),
        (lambda v: v.encode(IMAGES[:0]), "at least one image"),
        (lambda v: v.encode(IMAGES, [0, 1, 0, 1]), "takes no labels"),
        (lambda v: v.decode(np.zeros((2, 9))), r"shape \[n, 20\]"),
        (lambda v: v.decode(np.full((2, 20), np.nan)), "finite"),
        (lambda v: v.evaluate(IMAGES + 9.0), r"in \[-1, 1\]"),
        (
            lambda v: v.fit(IMAGES, validation_data=(IMAGES[:, :4],)),
            "Expected images",
        ),
        (lambda v: v.fit(IMAGES, [0, 1, 0, 1]), "takes no labels"),
    ],
)
def test_bad_use_is_one_sentence(use, words):
    with pytest.raises(ValueError, match=words) as error:
        use(keras_gans.VAE((8, 8, 1)))
    assert "Received: " in str(error.value)


@pytest.mark.parametrize(
    "labels, words",
    [
        (None, r"\(images, labels.*conditional"),
        ([0, 1, 2, 3], "labels from 0 to 3"),
        ([0, 1, 2], r"each of 4 images.*shape=\(3,\)"),
        ([1.0, 0.5, 1.0, 2.0], "Received: 0.5"),
        (np.full((4, 3), 1 / 3), "rows that are not one-hot"),
        (np.zeros((4, 5), int), "rows of 5.*One-hot rows are of 3"),
    ],
)
def test_labels_that_are_refused(labels, words):
    vae = keras_gans.VAE((8, 8, 1), num_classes=3)
    with pytest.raises(ValueError, match=words):
        vae.fit(IMAGES, labels)
    for use in (vae.encode, vae.reconstruct, vae.score):
        with pytest.raises(ValueError, match=words):
            use(IMAGES, labels=labels)
    words = words.replace("images,", "latents,")
    with pytest.raises(ValueError, match=words):
        vae.decode(np.zeros((4, 20)), labels)


@pytest.mark.parametrize(
    "options, words",
    [
        ({"network": "transformer"}, "network: one of mlp, iwae"),
        ({"likelihood": "poisson"}, "likelihood: one of bernoulli"),
        ({"k": 0}, "`k` as an integer from 1"),
        ({"k": 5, "beta": 2.0}, "beta=1 with k > 1"),
        ({"beta": -1.0}, "`beta` as a finite number"),
        ({"binarise": True, "likelihood": "gaussian"}, "`binarise` with"),
        ({"decay_steps": 10}, "`learning_rate` beside"),
        ({"widths": (0,)}, r"`widths\[0\]`"),
        ({"widths": 5}, "`widths` as a tuple.*Received: widths=5"),
        ({"network": "convolutional", "widths": ()}, "1 or more"),
        (
            {"network": "convolutional", "image_shape": (6, 8, 1)},
            "divisible by 4",
        ),
        ({"latent_dim": 0}, "`latent_dim` as a positive"),
    ],
)
def test_arguments_that_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        keras_gans.VAE(**{"image_shape": (8, 8, 1)} | options)
