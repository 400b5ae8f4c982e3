"""`keras-gans convert`, as it is typed."""

import importlib
import os
import sys
from pathlib import Path

import numpy as np
import pytest

import keras_gans
from keras_gans import convert
from keras_gans.cli import build_parser, main
from keras_gans.convert import official
from keras_gans.files import file_hash
from tests.convert.test_cyclegan import discriminator, generator, saved
from tests.convert.test_official import cache, server, whole  # noqa: F401

torch = pytest.importorskip("torch")
importlib.import_module("tests.references.torch_cyclegan")

NAMES = ("latest_net_G_A", "latest_net_G_B", "latest_net_D_A", "latest_net_D_B")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, with a training of the authors' code in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "checkpoints").mkdir()
    for seed, name in enumerate(NAMES):
        network = (
            generator(width=2, num_blocks=1, seed=seed)
            if "_G_" in name
            else discriminator(width=2, seed=seed)
        )
        path = tmp_path / "checkpoints" / f"{name}.pth"
        saved(network.state_dict(), path, zipped=False)
    return tmp_path


G_A, G_B = (f"checkpoints/{name}.pth" for name in NAMES[:2])


def run(*words):
    return main(["convert", *words, "--size", "32"])


def refused(capsys, *words):
    assert run(*words) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and said.startswith("keras-gans: ")
    assert "Received: " in said
    return said


def test_both_directions(folder, capsys):
    assert run(G_A, "--reverse", G_B, "--out", "mine") == 0
    told = capsys.readouterr().out
    assert told.endswith("\nmine\n")
    for name in (G_A, G_B):
        base = os.path.basename(name)
        assert f"{base}: sha256 {file_hash(name)}" in told
    model = keras_gans.load("mine")
    assert (model.num_blocks, model.width) == (1, 2)
    assert model.image_shape == (32, 32, 3)
    assert model.card.licence == "not said"
    assert model.card.data == {
        os.path.basename(name): f"sha256 {file_hash(name)}"
        for name in (G_A, G_B)
    }
    assert str(folder) not in (folder / "mine" / "card.json").read_text()
    exact = convert.from_official(G_A, G_B)
    images = np.random.default_rng(0).uniform(-1, 1, (1, 32, 40, 3))
    for way in ("AtoB", "BtoA"):
        difference = model.translate(images, way) - exact.translate(images, way)
        assert np.abs(difference).max() < 0.05


def test_one_direction(folder, capsys):
    assert run(G_A, "--out", "mine", "--licence", "CC0") == 0
    assert sorted(os.listdir("mine")) == [
        "README.md",
        "card.json",
        "config.json",
        "generator_ab.weights.h5",
    ]
    assert keras_gans.load("./mine").card.licence == "CC0"
    assert "direction='BtoA'" in refused_translation(capsys)


def refused_translation(capsys):
    pixels = np.zeros((32, 32, 3), "uint8")
    keras_gans.images.save_png("picture.png", pixels)
    command = ["translate", "mine", "picture.png"]
    assert main([*command, "--out", "there"]) == 0
    capsys.readouterr()
    assert main([*command, "--direction", "BtoA"]) == 2
    return capsys.readouterr().err


def test_there_and_back(folder, capsys):
    """A whole training to an entry, and the entry to such a folder."""
    assert run("checkpoints", "--out", "mine") == 0
    assert run("mine", "--to-pytorch", "back") == 0
    written = capsys.readouterr().out.split()[-4:]
    assert sorted(written) == sorted(f"back/{name}.pth" for name in NAMES)
    for name in NAMES:
        before, after = (
            torch.load(f"{f}/{name}.pth", weights_only=True)
            for f in ("checkpoints", "back")
        )
        assert [*before] == [*after]
        for key in before:  # an entry may store them in float16
            torch.testing.assert_close(
                after[key], before[key], rtol=1e-3, atol=1e-4
            )


def test_published_ones(folder, server, capsys):  # noqa: F811
    monet, photo = (Path(path).read_bytes() for path in (G_A, G_B))
    server.answers["/monet2photo.pth"] = whole(monet)
    server.answers["/style_monet.pth"] = whole(photo)
    assert run("--official", "monet2photo") == 0
    told = capsys.readouterr().out
    assert f"{len(monet)}/{len(monet)}" in told
    assert f"monet2photo.pth: sha256 {file_hash(G_A)}\n" in told
    assert f"style_monet.pth: sha256 {file_hash(G_B)}\n" in told
    assert "publish no hash to compare with" in told
    model = keras_gans.load("./monet2photo")
    exact = convert.from_official(G_A, G_B)
    images = np.random.default_rng(0).uniform(-1, 1, (1, 32, 32, 3))
    difference = model.translate(images, "BtoA") - exact.translate(
        images, "BtoA"
    )
    assert np.abs(difference).max() < 0.05
    assert model.card.data["name"] == "cyclegan/monet2photo"
    # Again, pinned, and from the other side: that is no data set's A and B.
    hashes = [file_hash(G_B), file_hash(G_A)]
    words = ["--official", "style_monet", "--out", "other", "--sha256", *hashes]
    assert run(*words) == 0
    assert "publish no hash" not in capsys.readouterr().out
    assert "name" not in keras_gans.load("./other").card.data
    assert len(server.asked) == 2


def test_a_published_one_without_a_way_back(folder, server, capsys):  # noqa: F811
    server.answers["/style_vangogh.pth"] = whole(Path(G_A).read_bytes())
    assert run("--official", "style_vangogh", "--out", "vangogh") == 0
    model = keras_gans.load("./vangogh")
    assert [*model.card.files] == ["generator_ab.weights.h5"]
    assert server.asked == ["/style_vangogh.pth"]


class Runs:
    def __reduce__(self):
        return os.system, ("touch ran",)


def test_bad_input_is_one_line_and_leaves_nothing(
    folder,
    server,  # noqa: F811
    capsys,
):
    saved({"model.1.weight": Runs()}, "evil.pth")
    missing = generator(width=2, num_blocks=1).state_dict()
    del missing["model.4.bias"]
    saved(missing, "missing.pth")
    saved(generator(width=3, num_blocks=1).state_dict(), "wide.pth")
    before = set(os.listdir())
    zeros = "0" * 64
    for sentence, *words in (
        ("Expected one of a checkpoint and --official",),
        ("Expected one of", G_A, "--official", "horse2zebra"),
        ("No such file", "none.pth"),
        ("No such file", G_A, "--reverse", "none.pth"),
        ("posix.system, which was not run", "evil.pth"),
        ("no model.4.bias. ", "missing.pth"),
        ("Expected networks of one size", G_A, "--reverse", "wide.pth"),
        ("name='horse2zebr'", "--official", "horse2zebr"),
        ("HTTP Error 404", "--official", "horse2zebra"),
        ("Leave it out", "--official", "horse2zebra", "--reverse", G_B),
        ("Expected a folder with latest_net_G_A.pth", "."),
        ("no --reverse", "checkpoints", "--reverse", G_B),
        ("for each of 1 files", G_A, "--sha256", zeros, zeros),
        (f"of sha256 {zeros}", G_A, "--sha256", zeros),
        ("an entry, and a folder for", "--official", "x", "--to-pytorch", "y"),
        ("an entry, and a folder for", "mine", "--to-pytorch", "y.pth"),
        ("name='mine'", "mine", "--to-pytorch", "y"),
        ("a CycleGAN, a StackGAN or a VAE. Received: a DCGAN", "dcgan_mnist",
         "--to-pytorch", "y"),
    ):  # fmt: skip
        assert sentence in refused(capsys, *words), words
        assert set(os.listdir()) - {"cache"} == before, words
    assert main(["convert", G_A, "--size", "30"]) == 2
    assert "divisible by 4" in capsys.readouterr().err
    assert run(G_A, "--out", "checkpoints") == 2  # not over what is there
    assert "which holds something else" in capsys.readouterr().err
    assert set(os.listdir()) - {"cache"} == before


def test_without_pytorch(folder, capsys, monkeypatch):
    assert run(G_A, "--out", "mine") == 0
    monkeypatch.setitem(sys.modules, "torch", None)
    assert run(G_A, "--out", "again") == 0  # reading needs none
    capsys.readouterr()
    assert "Install keras_gans[torch]" in refused(
        capsys, "mine", "--to-pytorch", "back"
    )
    assert not os.path.exists("back")


def test_it_has_an_example_and_the_real_address():
    commands = build_parser()._subparsers._group_actions[0].choices
    assert "example: keras-gans convert" in commands["convert"].format_help()
    assert official.ADDRESS.endswith(".edu/cyclegan/pretrained_models")
