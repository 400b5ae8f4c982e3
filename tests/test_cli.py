"""The command line says what the Python interface does."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import keras_gans
from keras_gans.cli import build_parser, main
from tests.conformance import images_like


@pytest.fixture
def entry(tmp_path):
    gan = keras_gans.GAN((8, 8, 1), latent_dim=4, variant="small")
    keras_gans.save_pretrained(gan, tmp_path / "my_gan")
    return str(tmp_path / "my_gan")


def test_lists(capsys):
    assert main(["list"]) == 0
    listed = capsys.readouterr().out.split()
    assert listed == keras_gans.list_pretrained()
    assert main(["list", "--models", "dc*"]) == 0
    assert capsys.readouterr().out.split() == ["dcgan"]


def test_cards(entry, capsys):
    assert main(["card", entry]) == 0
    assert capsys.readouterr().out.startswith("# my_gan\n")
    assert main(["card", entry, "--json"]) == 0
    assert '"model": "gan"' in capsys.readouterr().out


def test_generates_files(entry, tmp_path, capsys):
    out = tmp_path / "out"
    command = ["generate", entry, "-n", "3", "--seed", "1", "--out", str(out)]
    assert main(command) == 0
    assert capsys.readouterr().out.strip() == str(out / "grid.png")
    assert sorted(os.listdir(out)) == [
        "00000.png", "00001.png", "00002.png", "grid.png",
    ]  # fmt: skip
    with Image.open(out / "00002.png") as file:
        shown = np.asarray(file)
    made = keras_gans.load(entry).generate(3, seed=1)
    expected = keras_gans.images.to_uint8(made[2])[..., 0]
    np.testing.assert_array_equal(shown, expected)


def test_interpolates(entry, tmp_path):
    out = tmp_path / "out"
    command = ["interpolate", entry, "-n", "2", "--steps", "5"]
    assert main([*command, "--out", str(out)]) == 0
    with Image.open(out / "interpolation.png") as file:
        assert file.size == (5 * 8 + 4 * 2, 2 * 8 + 2)


def test_trains_on_a_folder_of_pictures(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("KERAS_GANS_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "pictures"
    folder.mkdir()
    images = images_like({"image_shape": (9, 12, 3)}, n=10)
    for i, image in enumerate(keras_gans.images.to_uint8(images)):
        keras_gans.images.save_png(folder / f"{i}.png", image)
    (tmp_path / "mine.toml").write_text(
        'model = "gan"\nsteps = 4\nbatch_size = 4\nsave_every = 2\n'
        '[config]\nimage_shape = [8, 8, 3]\nvariant = "small"\n'
        '[data]\nname = "mnist_5k"\n'
    )
    command = ["train", "mine.toml", "--data", str(folder)]
    assert main(command) == 0
    assert capsys.readouterr().out.strip().endswith("runs/mine/mine")
    model = keras_gans.load(tmp_path / "runs" / "mine" / "mine")
    assert model.image_shape == (8, 8, 3)
    assert model.card.recipe["steps"] == 4
    assert main([*command, "--steps", "6"]) == 0  # goes on
    assert len(list((tmp_path / "runs" / "mine").glob("step_*"))) == 2


def test_an_entry_of_private_pictures_tells_no_path(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_GANS_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "secret" / "pictures"
    folder.mkdir(parents=True)
    for i, image in enumerate(images_like({"image_shape": (8, 8, 1)}, n=8)):
        pixels = keras_gans.images.to_uint8(image)
        keras_gans.images.save_png(folder / f"{i}.png", pixels)
    (tmp_path / "recipe.toml").write_text(
        'model = "gan"\nsteps = 2\nbatch_size = 4\n'
        '[config]\nimage_shape = [8, 8, 1]\nvariant = "small"\n'
        '[data]\nname = "mnist_5k"\n'
    )
    monkeypatch.chdir(tmp_path)
    assert main(["train", "recipe.toml", "--data", str(folder)]) == 0
    # Named after the folder of the recipe, though the path has none.
    entry = tmp_path / "runs" / tmp_path.name / tmp_path.name
    card = (entry / "card.json").read_text()
    assert "secret" not in card and '"name": "pictures"' in card
    assert '"licence": "not said"' in card
    assert "secret" not in (entry / "recipe.toml").read_text()


def test_evaluates_and_writes_the_card(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    gan = keras_gans.GAN(variant="small")
    keras_gans.save_pretrained(
        gan, tmp_path / "mine", data={"name": "mnist_5k"}
    )
    command = ["evaluate", "mine", "--n", "60", "--seeds", "0", "1"]
    metrics = ["--metrics", "frechet_distance", "class_histogram"]
    assert main([*command, *metrics, "--write-card"]) == 0
    assert "frechet_distance/lenet_mnist " in capsys.readouterr().out
    rows = json.loads((tmp_path / "mine_metrics.json").read_text())
    assert rows[0]["name"] == "frechet_distance/lenet_mnist"
    assert rows[0]["deviation"] > 0
    assert rows[0]["protocol"]["seeds"] == [0, 1]
    card = keras_gans.load(tmp_path / "mine").card
    assert card.metrics == rows
    shown = (tmp_path / "mine" / "README.md").read_text()
    assert f"| {rows[0]['value']:.4g} ± " in shown
    # Again: figures are replaced, not added.
    assert main([*command, "--write-card"]) == 0
    assert len(keras_gans.load(tmp_path / "mine").card.metrics) == len(rows)


@pytest.fixture(scope="module")
def cyclegan_entry(tmp_path_factory):
    """Made once: it takes a while."""
    folder = tmp_path_factory.mktemp("entries") / "mine"
    keras_gans.save_pretrained(
        keras_gans.CycleGAN((32, 32, 3), num_blocks=1, width=4), folder
    )
    return folder


@pytest.fixture
def translator(cyclegan_entry, tmp_path, monkeypatch):
    """An entry of a CycleGAN, and a folder of its two domains."""
    monkeypatch.setenv("KERAS_GANS_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    shutil.copytree(cyclegan_entry, "mine")
    for part, n in (("trainA", 5), ("trainB", 6), ("testA", 4), ("testB", 5)):
        folder = tmp_path / "two" / part
        folder.mkdir(parents=True)
        images = images_like({"image_shape": (36, 40, 3)}, n, seed=n)
        for i, image in enumerate(keras_gans.images.to_uint8(images)):
            keras_gans.images.save_png(folder / f"{i}.png", image)
    return ["evaluate", "mine", "--data", "two", "--metrics"]


@pytest.mark.parametrize("direction", ["AtoB", "BtoA"])
def test_translates_pictures_of_any_size(translator, tmp_path, direction):
    extra = np.zeros((37, 50), np.uint8)  # gray, sides not divisible by 4
    Path("more").mkdir()
    keras_gans.images.save_png("more/0.png", extra[..., None])
    command = ["translate", "mine", "two/testA", "more/0.png"]
    assert main([*command, "--direction", direction, "--out", "made"]) == 0
    files = sorted(Path("two", "testA").iterdir())
    names = sorted([*(f.name for f in files), "0_1.png"])
    assert sorted(os.listdir("made")) == names
    with Image.open("made/0_1.png") as file:
        assert file.size == (48, 36)
    with Image.open(files[0]) as source, Image.open("made/0.png") as made:
        expected = keras_gans.load("mine").translate(
            np.asarray(source), direction
        )
        np.testing.assert_array_equal(np.asarray(made), expected)


def small_extractor(monkeypatch):
    """Put a small network in the place of the one that would be fetched."""
    import keras

    from keras_gans.metrics import extractors

    image = keras.Input((32, 32, 3))
    pooled = keras.layers.AveragePooling2D(16)(image)
    mine = extractors.extractor(keras.Model(image, pooled, name="pooled"))
    asked = []
    monkeypatch.setattr(
        extractors, "_named", lambda *given: asked.append(given) or mine
    )
    return asked


def test_measures_translations(translator, monkeypatch, capsys):
    asked = small_extractor(monkeypatch)
    metrics = ["cycle_error", "frechet_distance", "kernel_distance"]
    assert main([*translator, *metrics, "--write-card"]) == 0
    assert asked == [("mobilenet_v1", None)]
    said = capsys.readouterr().out
    assert "frechet_distance AtoB of training B/pooled " in said
    rows = json.loads(Path("mine_metrics.json").read_text())
    named = {row["name"]: row for row in rows}
    assert len(named) == len(rows) == 2 + 6 + 8
    floor = named["frechet_distance BtoA of training A/pooled"]
    assert floor["protocol"]["train"] == "train (5 + 6)"
    assert floor["protocol"]["seeds"] == [0, 1, 2, 3, 4]
    assert floor["protocol"]["data"] == "two"
    assert keras_gans.load("mine").card.metrics == rows
    # Of the same images as the Python interface.
    data = keras_gans.datasets.load("two", "test", image_shape=(32, 32, 3))
    model = keras_gans.load("mine")
    x = data.a.arrays()[0]
    back = model.translate(model.translate(x), "BtoA")
    assert named["cycle_error AtoBtoA"]["value"] == pytest.approx(
        np.abs(back - x).mean(), rel=1e-5
    )


def test_measures_some_translations(translator, monkeypatch):
    # A folder without training images has no floor.
    for part in ("trainA", "trainB"):
        Path("two", part).rename(part)
    small_extractor(monkeypatch)
    command = [*translator, "frechet_distance", "--n", "4", "--seeds", "3"]
    assert main(command) == 0
    rows = json.loads(Path("mine_metrics.json").read_text())
    assert len(rows) == 4
    assert rows[0]["protocol"]["images of B"] == 4


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        (["precision_recall"], "name of a metric of translations"),
        (["cycle_error", "--n", "2"], "`n` as an integer from 4"),
        (["cycle_error", "--reference", "x.npz"], "test images alone"),
        (["cycle_error", "--data", "two/testA"], "with testA and testB"),
        (["class_share"], "`classes`, that of A and that of B"),
        (["frechet_distance", "--extractor", "inceptoin"], "'inception'"),
    ],
)
def test_refused_measures_of_translations(
    translator, arguments, sentence, capsys
):
    assert main([*translator, *arguments]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and sentence in said
    assert not Path("mine_metrics.json").exists()


@pytest.mark.parametrize("option", ["--steps", "--scale"])
def test_counts_are_positive(option, capsys):
    command = "train" if option == "--steps" else "generate"
    with pytest.raises(SystemExit):
        main([command, "gan_mnist", option, "-5"])
    assert "-5 is not positive" in capsys.readouterr().err


def test_commit_is_of_this_package_only():
    from keras_gans.cli import _commit

    root = Path(keras_gans.__file__).parents[1]
    assert bool(_commit()) == (root / ".git").exists()


@pytest.mark.parametrize(
    "command, sentence",
    [
        (["evaluate", "lenet_mnist", "--metrics", "fid"], "name of a metric"),
        (["card", "dcgan_mnst"], "Received: name='dcgan_mnst'"),
        (["generate", "lenet_mnist"], "model that can generate. Received"),
        (["translate", "dcgan_mnist", "."], "model that can translate"),
        (["translate", "dcgan_mnist", "/none"], "pictures, or folders"),
        (["train", "none.toml"], "Expected a recipe file"),
        (["train", "none"], "Expected the name of a recipe"),
    ],
)
def test_bad_input_is_one_line(command, sentence, capsys):
    assert main(command) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and sentence in said


def test_every_command_has_an_example():
    commands = build_parser()._subparsers._group_actions[0].choices
    assert set(commands) == {
        "list", "card", "generate", "interpolate", "translate", "train",
        "evaluate", "convert",
    }  # fmt: skip
    for name, command in commands.items():
        assert f"example: keras-gans {name}" in command.format_help()


def test_runs_as_a_program():
    done = subprocess.run(
        [sys.executable, "-m", "keras_gans.cli", "list", "--models"],
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == keras_gans.list_models()
