"""Latent arithmetic, maps and outliers, each with its picture."""

import numpy as np
import pytest
from PIL import Image
from scipy.stats import norm

import keras_gans
from keras_gans import cli, explore
from tests.conformance import images_like


@pytest.fixture(scope="module")
def vae():
    return keras_gans.VAE((8, 8, 1), latent_dim=2, widths=(16,))


def test_arithmetic_is_that_of_means(vae, tmp_path):
    z = vae.draw_latents(6, seed=0)
    path = tmp_path / "sum.png"
    result = explore.arithmetic(vae, z[:3], z[3:4], z[4:], path)
    expected = z[:3].mean(0) - z[3] + z[4:].mean(0)
    np.testing.assert_allclose(result, expected, atol=1e-6)
    with Image.open(path) as file:
        # Rows of A, B, C and the result; three images, a gap, their mean.
        assert file.size == (5 * 8 + 4 * 2, 4 * 8 + 3 * 2)
        last = np.asarray(file)[-8:, -8:]
    made = vae.generate(latents=result[None])[0, ..., 0]
    assert np.abs(last / 127.5 - 1 - made).max() < 0.01


def test_arithmetic_of_images_is_of_their_codes(vae, tmp_path):
    a, b, c = images_like({"image_shape": (8, 8, 1)}, 6).reshape(3, 2, 8, 8, 1)
    result = explore.arithmetic(vae, a, b, c, tmp_path / "sum.png")
    codes = [vae.encode(x)[0].mean(0) for x in (a, b, c)]
    np.testing.assert_allclose(result, codes[0] - codes[1] + codes[2])


def test_arithmetic_of_every_prior_and_class(tmp_path):
    gan = keras_gans.GAN((8, 8, 1), variant="small")
    z = gan.draw_latents(3, seed=0)
    explore.arithmetic(gan, *z[:, None], tmp_path / "gan.png")
    gan = keras_gans.VAE((8, 8, 1), num_classes=3)
    images = images_like({"image_shape": (8, 8, 1)}, 3)[:, None]
    z = explore.arithmetic(gan, *images, tmp_path / "one.png", labels=1)
    a, b, c = (gan.encode(x, [1])[0][0] for x in images)
    np.testing.assert_allclose(z, a - b + c, atol=1e-6)
    with Image.open(tmp_path / "one.png") as file:
        last = np.asarray(file)[-8:, -8:]
    made = gan.generate(latents=z[None], labels=1)[0, ..., 0]
    assert np.abs(last / 127.5 - 1 - made).max() < 0.01
    other = gan.generate(latents=z[None], labels=2)[0, ..., 0]
    assert np.abs(made - other).max() > 0.01


def test_what_arithmetic_refuses(tmp_path):
    vae = keras_gans.VAE((8, 8, 1), num_classes=3)
    z = vae.draw_latents(1, seed=0)
    images = images_like({"image_shape": (8, 8, 1)}, 1)
    for model, x, options, words in (
        (vae, [[0.0]], {"labels": 1}, "Expected finite `latents`"),
        (vae, [[0.0], [1.0, 2.0]], {"labels": 1}, "Expected one array"),
        (vae, z, {}, "Expected `labels`.*Received: none. Pass"),
        (vae, z, {"labels": 3}, "labels from 3 to 3"),
        (vae, z, {"labels": 1, "scale": 0}, "`scale` as an integer"),
        (keras_gans.Autoencoder((8, 8, 1)), images, {}, "latents alone"),
        (keras_gans.create("stackgan_stage1"), z, {}, "latents alone"),
    ):
        with pytest.raises(ValueError, match=words):
            explore.arithmetic(model, x, x, x, tmp_path / "no.png", **options)
    assert not list(tmp_path.iterdir())


def test_manifold_is_of_quantiles(vae, tmp_path):
    z = explore.manifold(vae, tmp_path / "map.png", n=4)
    ticks = norm.ppf([0.125, 0.375, 0.625, 0.875])
    np.testing.assert_allclose(z[0, :, 0], ticks, rtol=1e-5)
    np.testing.assert_allclose(z[:, 0, 1], ticks[::-1], rtol=1e-5)
    with Image.open(tmp_path / "map.png") as file:
        assert file.size == (32, 32)
        first = np.asarray(file)[:8, :8]
    made = vae.generate(latents=z[0, :1])[0, ..., 0]
    assert np.abs(first / 127.5 - 1 - made).max() < 0.01
    for model, words in (
        (keras_gans.VAE((8, 8, 1)), "2 latents.*latent_dim=20"),
        (keras_gans.GAN((8, 8, 1), 2), "prior='unit_uniform'"),
        (keras_gans.VAE((8, 8, 1), latent_dim=2, num_classes=3), "`labels`"),
    ):
        with pytest.raises(ValueError, match=words):
            explore.manifold(model, tmp_path / "no.png")


def test_manifold_of_a_class(tmp_path):
    vae = keras_gans.VAE((8, 8, 1), latent_dim=2, num_classes=3)
    z = explore.manifold(vae, tmp_path / "map.png", n=2, labels=2)
    with Image.open(tmp_path / "map.png") as file:
        tiles = np.asarray(file).reshape(2, 8, 2, 8).transpose(0, 2, 1, 3)
    made = vae.generate(latents=z.reshape(-1, 2), labels=2)[..., 0]
    shown = tiles.reshape(4, 8, 8) / 127.5 - 1
    assert np.abs(shown - made).max() < 0.01


def test_auroc_is_the_share_of_pairs():
    rng = np.random.default_rng(0)
    known, others = rng.normal(1, 1, 200), rng.normal(0, 1, 100).round(1)
    known = known.round(1)  # ties
    wins = (known[:, None] > others).mean() + (
        known[:, None] == others
    ).mean() / 2
    assert explore.auroc(known, others) == pytest.approx(wins)
    assert explore.auroc(known + 10, others) == 1.0


@pytest.fixture(scope="module")
def entry(tmp_path_factory):
    """A VAE that knows four digits, saved."""
    images, _ = keras_gans.datasets.mnist_5k()
    vae = keras_gans.VAE(widths=(64,), latent_dim=2, binarise=True)
    vae.fit(images[:2000], batch_size=50, epochs=8, verbose=0)
    folder = tmp_path_factory.mktemp("zoo") / "vae_digits"
    keras_gans.save_pretrained(vae, folder)
    return folder


def test_outliers_are_told_from_digits(entry, tmp_path):
    images, _ = keras_gans.datasets.mnist_5k()
    vae = keras_gans.load(entry)
    digits = images[:2000:20]
    found = explore.outliers(
        vae, digits, digits[:, ::-1] * -1, tmp_path / "inverted.png", k=5
    )
    assert found.auroc > 0.95 and found.known.mean() > found.others.mean()
    same = explore.outliers(vae, digits, digits, tmp_path / "same.png")
    assert same.auroc == pytest.approx(0.5)
    with Image.open(tmp_path / "same.png") as file:
        assert file.size == (960, 720)
    gan = keras_gans.GAN((8, 8, 1), variant="small")
    with pytest.raises(ValueError, match="bound of log p.*Received: GAN"):
        explore.outliers(gan, digits, digits, tmp_path / "no.png")
    # Refused before the first kind is scored, however long that takes.
    with pytest.raises(ValueError, match="Expected images"):
        explore.outliers(
            vae, digits, digits[:, :8], tmp_path / "no.png", k=10**9
        )


def test_outliers_of_few_images_and_of_classes(vae, tmp_path):
    x = images_like({"image_shape": (8, 8, 1)}, 3)
    explore.outliers(vae, x[:1], x[1:2], tmp_path / "two.png")
    model = keras_gans.VAE((8, 8, 1), num_classes=3)
    with pytest.raises(ValueError, match=r"score\(images, labels=labels\)"):
        explore.outliers(model, x, x, tmp_path / "no.png")
    found = explore.outliers(
        model, x, x, tmp_path / "y.png", known_labels=[0, 1, 2],
        other_labels=[0, 1, 2],
    )  # fmt: skip
    assert found.auroc == 0.5


def test_commands(entry, tmp_path, capsys):
    def run(*command):
        return cli.main([*command, "--out", str(tmp_path / "out.png")])

    groups = ["--a", "1", "2", "--b", "3", "--c", "0"]
    assert run("arithmetic", str(entry), *groups) == 0
    assert (tmp_path / "out.png").is_file()
    assert run("manifold", str(entry), "-n", "3") == 0
    known = ["--known", "mnist_5k", "--others", "mnist_5k", "-n", "20"]
    assert run("outliers", str(entry), *known) == 0
    assert "AUROC 0.5" in capsys.readouterr().out
    for wrong in ("-1", "100000"):
        groups[1] = wrong
        assert run("arithmetic", str(entry), *groups) != 0
        assert f"Received: {wrong}" in capsys.readouterr().err
    assert run("manifold", "dcgan_mnist") != 0
    assert "2 latents" in capsys.readouterr().err
    assert run("outliers", "dcgan_mnist", *known) != 0
    assert "can score" in capsys.readouterr().err
