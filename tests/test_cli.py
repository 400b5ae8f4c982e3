"""The command line says what the Python interface does."""

import os
import subprocess
import sys

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


@pytest.mark.parametrize(
    "command, sentence",
    [
        (["card", "dcgan_mnst"], "Received: name='dcgan_mnst'"),
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
        "list", "card", "generate", "interpolate", "train",
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
