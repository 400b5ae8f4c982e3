"""GAN against its paper, its originals, and the mathematics."""

import keras
import numpy as np
import pytest

import keras_gans
from keras_gans.layers import Dropout
from tests.conformance import images_like


def count(network):
    return sum(int(np.prod(v.shape)) for v in network.trainable_variables)


def test_parameter_counts():
    gan = keras_gans.GAN()
    assert count(gan.generator) == 2_503_984
    assert count(gan.discriminator) == 1_231_441
    small = keras_gans.GAN(variant="small")
    assert count(small.generator) == 100 * 128 + 128 + 128 * 784 + 784
    assert count(small.discriminator) == 784 * 128 + 128 + 128 + 1


def test_initial_weights_of_the_paper():
    gan = keras_gans.GAN()
    for network, bound in ((gan.generator, 0.05), (gan.discriminator, 0.005)):
        for weight in network.trainable_variables:
            value = keras.ops.convert_to_numpy(weight)
            if weight.path.endswith("kernel"):
                assert 0.98 * bound < np.abs(value).max() <= bound
                assert abs(value.std() - bound / 3**0.5) < 0.1 * bound
            else:
                assert np.all(value == 0)


def test_initial_weights_of_the_tutorials():
    gan = keras_gans.GAN(variant="small")
    for network in (gan.generator, gan.discriminator):
        kernels = [w for w in network.weights if w.path.endswith("kernel")]
        for kernel in kernels:
            value = keras.ops.convert_to_numpy(kernel)
            expected = (2.0 / value.shape[0]) ** 0.5
            assert abs(value.std() / expected - 1) < 0.2


def test_dropout_of_the_paper():
    discriminator = keras_gans.GAN().discriminator
    rates = [la.rate for la in discriminator.layers if isinstance(la, Dropout)]
    assert rates == [0.2, 0.5, 0.5]


def test_bare_compile_gives_the_papers_schedules():
    gan = keras_gans.GAN()
    gan.compile()
    for sgd in (gan.generator_optimizer, gan.discriminator_optimizer):
        momentum = keras.ops.convert_to_numpy(sgd.current_momentum())
        np.testing.assert_allclose(momentum, 0.5, rtol=1e-6)
        config = sgd.get_config()
        schedule = config["learning_rate"]["config"]
        assert schedule == {
            "initial": 0.1, "factor": 1.000004, "minimum": 1e-6,
        }  # fmt: skip
        assert (config["final_momentum"], config["saturate"]) == (0.7, 250)
        assert config["steps_per_epoch"] == 500


def test_prior_of_each_variant():
    # Uniform of variance one, and uniform on [-1, 1].
    for variant, bound in (("paper", 3**0.5), ("small", 1.0)):
        z = keras_gans.GAN(variant=variant).draw_latents(100, seed=0)
        assert 0.999 * bound < np.abs(z).max() <= bound


def test_output_bias_makes_the_mean_image():
    gan = keras_gans.GAN((8, 8, 1), ema_decay=0.5)
    images = images_like({"image_shape": (8, 8, 1)})
    gan.adapt(images)
    blank = gan.generator.get_layer("pixels")
    blank.kernel.assign(np.zeros(blank.kernel.shape))
    expected = images.mean(axis=0)
    made = keras.ops.convert_to_numpy(gan.generator(np.zeros((1, 100))))
    np.testing.assert_allclose(made[0], expected, atol=1e-5)


def test_output_bias_of_constant_pixels_is_finite():
    gan = keras_gans.GAN((8, 8, 1))
    gan.adapt(np.full((3, 8, 8, 1), -1.0, "float32"))
    bias = keras.ops.convert_to_numpy(gan.generator.get_layer("pixels").bias)
    np.testing.assert_allclose(bias, np.log(1e-7), rtol=1e-4)


def test_trained_weights_are_not_adapted_again(tmp_path):
    images = images_like({"image_shape": (8, 8, 1)})
    gan = keras_gans.GAN((8, 8, 1))
    gan.fit(images, verbose=0)
    gan.save_weights(tmp_path / "gan.weights.h5")
    twin = keras_gans.GAN((8, 8, 1))
    twin.load_weights(tmp_path / "gan.weights.h5")
    bias = keras.ops.convert_to_numpy(gan.generator.get_layer("pixels").bias)
    for model in (gan, twin):
        model.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0))
        model.fit(-images, verbose=0)
        after = model.generator.get_layer("pixels").bias
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(after), bias)


def test_data_sets_are_told_to_adapt():
    from tests.test_conformance import Batches

    gan = keras_gans.GAN((8, 8, 1))
    images = images_like({"image_shape": (8, 8, 1)})
    with pytest.warns(UserWarning, match="Call `adapt"):
        gan.fit(Batches(images, batch_size=8), verbose=0)


def test_dropout_is_on_in_the_generators_pass():
    """The same weights, noise and images; another g_loss without dropout."""
    losses = []
    for rate in (0.5, 0.0):
        keras.utils.set_random_seed(0)
        gan = keras_gans.GAN((8, 8, 1), latent_dim=4)
        for layer in gan.discriminator.layers:
            if isinstance(layer, Dropout):
                layer.rate = rate
            elif layer.weights:  # far from zero, so that masks matter
                layer.set_weights([w * 100 for w in layer.get_weights()])
        images = images_like({"image_shape": (8, 8, 1)}, n=8)
        history = gan.fit(images, batch_size=8, verbose=0).history
        losses.append(history["g_loss"][0])
    assert abs(losses[0] - losses[1]) > 1e-3


def test_fit_adapts_once():
    gan = keras_gans.GAN((8, 8, 1), generator_loss="minimax")
    images = images_like({"image_shape": (8, 8, 1)})
    gan.compile("sgd", "sgd")
    for optimizer in (gan.generator_optimizer, gan.discriminator_optimizer):
        optimizer.learning_rate = 0.0
    bias = gan.generator.get_layer("pixels").bias
    gan.fit(images, verbose=0)
    p = (images.mean(0).ravel() + 1) / 2
    first = keras.ops.convert_to_numpy(bias).copy()
    np.testing.assert_allclose(first, np.log(p / (1 - p)), atol=1e-4)
    gan.fit(-images, verbose=0)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(bias), first)


@pytest.mark.parametrize("variant", ["paper", "small"])
def test_minimax_and_non_saturating_pull_the_same_way(variant):
    """Both losses fall along one direction; their gradients are aligned."""
    gradients = []
    for loss in ("minimax", "non_saturating"):
        keras.utils.set_random_seed(1)
        gan = keras_gans.GAN((8, 8, 1), variant=variant, generator_loss=loss)
        for layer in gan.discriminator.layers:
            if isinstance(layer, Dropout):
                layer.rate = 0.0
        before = [np.array(w) for w in gan.generator.get_weights()]
        gan.compile(keras.optimizers.SGD(1e-3), keras.optimizers.SGD(1e-9))
        gan.adapt = lambda images: None
        gan.fit(images_like({"image_shape": (8, 8, 1)}), verbose=0)
        after = gan.generator.get_weights()
        gradients.append(
            np.concatenate(
                [(a - b).ravel() for a, b in zip(after, before, strict=True)]
            ).astype("float64")
        )
    a, b = gradients
    cosine = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
    assert cosine > 0.9


def test_discriminator_learns_while_the_generator_waits():
    gan = keras_gans.GAN((8, 8, 1), variant="small")
    gan.compile(generator_optimizer=keras.optimizers.SGD(0.0))
    images = images_like({"image_shape": (8, 8, 1)}, n=64)
    loss = gan.fit(images, epochs=80, verbose=0).history["d_loss"]
    assert loss[0] > 1.0 and loss[-1] < 0.25


def tensorflow_and_torch():
    if keras.backend.backend() != "tensorflow":
        pytest.skip("parity in float64 is shown on TensorFlow")
    return pytest.importorskip("torch", reason="needs the extra `torch`")


def pixels(images):
    """NHWC in [-1, 1] -> [n, h * w] in [0, 1], as the references have them."""
    import torch

    return torch.from_numpy((images.reshape(len(images), -1) + 1) / 2)


@pytest.mark.parametrize("adam", ["G", "D"])
def test_small_step_is_the_tutorials(float64, monkeypatch, adam):
    """One player at a time has Adam; see `test_dcgan.py` for the reason."""
    torch = tensorflow_and_torch()
    from tests.models import porting
    from tests.references import torch_gan as reference

    torch.manual_seed(0)
    G = reference.small_generator().double()
    D = reference.small_discriminator().double()
    # The epsilon of TensorFlow 1's Adam, in PyTorch's form, at the first step.
    solvers = [
        torch.optim.Adam(net.parameters(), 1e-3, eps=1e-8 / 0.001**0.5)
        if player == adam
        else torch.optim.SGD(net.parameters(), 0.05)
        for player, net in (("G", G), ("D", D))
    ]
    gan = keras_gans.GAN(variant="small")
    gan.generator.set_weights(porting.keras_weights(G))
    gan.discriminator.set_weights(porting.keras_weights(D))
    gan.compile(
        None if adam == "G" else keras.optimizers.SGD(0.05),
        None if adam == "D" else keras.optimizers.SGD(0.05),
        run_eagerly=True,
    )
    images = np.random.default_rng(0).uniform(-1, 1, (9, 28, 28, 1))
    z_d, z_g = torch.rand(2, 9, 100).double() * 2 - 1

    with torch.no_grad():
        theirs = G(z_d).numpy().reshape(-1, 28, 28, 1) * 2 - 1
        logits = torch.logit(D(G(z_d)))
    ours = gan.generator(porting.to_keras(z_d))
    assert porting.relative_to_largest(ours, theirs) < 1e-6
    ours = gan.discriminator(ours)
    assert porting.relative_to_largest(ours, logits) < 1e-6

    noise = iter([porting.to_keras(z_d), porting.to_keras(z_g)])
    monkeypatch.setattr(gan, "sample_latents", lambda n: next(noise))
    logs = gan.train_step((keras.ops.convert_to_tensor(images),))
    d_loss, g_loss = reference.small_train_step(
        G, D, *solvers, pixels(images), z_d, z_g
    )
    np.testing.assert_allclose(logs["d_loss"], d_loss, rtol=1e-6)
    rtol = 1e-4 if adam == "D" else 1e-6  # seen through D's step
    np.testing.assert_allclose(logs["g_loss"], g_loss, rtol=rtol)
    if adam == "G":
        porting.assert_same_weights(gan.generator, G, atol=1e-6)
    porting.assert_same_weights(gan.discriminator, D, atol=1e-6)


def test_paper_steps_are_the_authors(float64, monkeypatch):
    """Three simultaneous steps of momentum SGD; dropout is left out."""
    torch = tensorflow_and_torch()
    from tests.models import porting
    from tests.references import torch_gan as reference

    torch.manual_seed(0)
    G = reference.paper_generator().double()
    D = reference.paper_discriminator().double()
    for module in D.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    solvers = [reference.paper_optimizer(net) for net in (G, D)]
    gan = keras_gans.GAN()
    for layer in gan.discriminator.layers:
        if isinstance(layer, Dropout):
            layer.rate = 0.0
    gan.generator.set_weights(porting.keras_weights(G))
    gan.discriminator.set_weights(porting.keras_weights(D))
    gan.compile(run_eagerly=True)
    images = np.random.default_rng(0).uniform(-1, 1, (9, 28, 28, 1))
    for step in range(3):
        noise = (torch.rand(9, 100).double() * 2 - 1) * 3**0.5
        z = porting.to_keras(noise)
        monkeypatch.setattr(gan, "sample_latents", lambda n, z=z: z)
        gan.reset_metrics()
        logs = gan.train_step((keras.ops.convert_to_tensor(images),))
        for solver in solvers:
            solver.param_groups[0]["lr"] = 0.1 / 1.000004**step
        d_obj, g_obj = reference.paper_train_step(
            G, D, *solvers, pixels(images), noise
        )
        # `fit` shows both terms of V; the authors' objective is half of it.
        np.testing.assert_allclose(logs["d_loss"], 2 * d_obj, rtol=1e-6)
        np.testing.assert_allclose(logs["g_loss"], g_obj, rtol=1e-6)
        porting.assert_same_weights(gan.generator, G, atol=1e-6)
        porting.assert_same_weights(gan.discriminator, D, atol=1e-6)
