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
    path = Path(entry) / "card.json"
    hostile = json.loads(path.read_text()) | {"description": "a\x1b[2J\ud800"}
    path.write_text(json.dumps(hostile))
    assert main(["card", entry]) == 0
    assert "\na[2J\n" in capsys.readouterr().out


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


def test_generates_of_classes(entry, tmp_path, capsys):
    gan = keras_gans.LAPGAN(
        (10, 10, 1),
        levels=2,
        num_classes=3,
        generator_width=2,
        discriminator_width=2,
        base_widths=(4, np.int64(4)),
    )
    folder = tmp_path / "my_lapgan"
    card = keras_gans.save_pretrained(gan, folder)
    with Image.open(folder / "stages.png") as file:
        assert file.width < file.height  # two columns, eight rows
    for file in ("samples.png", "stages.png"):
        assert f"]({file})" in card.to_markdown()

    def digits(*labels):
        out = tmp_path / "out"
        command = ["generate", str(folder), "-n", "3", "--seed", "1"]
        command += ["--out", str(out), *labels]
        assert main(command) == 0
        return [np.asarray(Image.open(out / f"{i:05d}.png")) for i in range(3)]

    in_turn, twos = digits("--labels", "0", "1", "2"), digits("--labels", "2")
    np.testing.assert_array_equal(in_turn[2], twos[2])
    assert np.abs(np.subtract(in_turn[1], twos[1], dtype=float)).max() > 0
    # Without, the classes that a seed draws.
    drawn = map(str, gan.draw_labels(3, seed=1))
    np.testing.assert_array_equal(digits("--labels", *drawn), digits())
    walk = ["interpolate", str(folder), "-n", "2", "--steps", "3"]
    walk += ["--out", str(tmp_path / "walk"), "--labels", "1"]
    assert main(walk) == 0
    capsys.readouterr()
    for name, labels, words in (
        (str(folder), ["3"], "from 0 to 2. Received: labels from 3 to 3"),
        (str(folder), ["0", "1"], "Received: shape=(2,)"),
        (entry, ["1"], "without classes. Received: [1]"),
    ):
        command = ["generate", name, "-n", "3", "--labels", *labels]
        assert main(command) != 0
        assert words in capsys.readouterr().err


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

    start = str(tmp_path / "runs" / "mine" / "mine")
    command += ["--out", "next", "--steps", "1", "--start-from", start]
    assert main(command) == 0
    shutil.rmtree(start)
    assert main(command) == 0  # nothing is left to do
    card = keras_gans.load(tmp_path / "next" / "mine").card
    assert card.recipe["start_from"] == "./mine"  # and no path
    assert card.data["of the weights it began with"] == "pictures, not known"
    assert card.licence == "not said"
    assert "from the weights of ./mine" in card.to_markdown()


STAGE1 = """
model = "stackgan_stage1"
steps = 2
batch_size = 4
[config]
image_shape = [16, 16, 3]
generator_width = 2
discriminator_width = 2
[data]
name = "flowers102"
image_shape = [19, 19, 3]
"""

STAGE2 = """
model = "stackgan"
steps = 2
batch_size = 4
[config]
stage1 = "{stage1}"
image_shape = [32, 32, 3]
generator_width = 2
discriminator_width = 2
[data]
name = "flowers102"
image_shape = [38, 38, 3]
"""


def test_trains_both_stages_on_captions_and_draws_texts(
    tmp_path, monkeypatch, capsys
):
    pytest.importorskip("wordllama", reason="needs the extra `text`")
    monkeypatch.setenv("KERAS_GANS_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "pictures"
    folder.mkdir()
    images = images_like({"image_shape": (40, 40, 3)}, n=12)
    lines = ["image\tcaption"]
    for i, image in enumerate(keras_gans.images.to_uint8(images)):
        keras_gans.images.save_png(folder / f"{i}.png", image)
        lines.append(f"{i}.png\tthis is number {i}")
    (folder / "captions.tsv").write_text("\n".join(lines))

    (tmp_path / "first.toml").write_text(STAGE1)
    assert main(["train", "first.toml", "--data", str(folder)]) == 0
    first = tmp_path / "runs" / "first" / "first"
    model = keras_gans.load(first)
    assert model.card.data["text encoder"] == "wordllama, 256 numbers a text"
    assert model.card.rows[0] == "this is number 0"
    assert model.card.rows[-1] == "from 9 to 10"
    assert "1. this is number 0" in (first / "README.md").read_text()

    (tmp_path / "second.toml").write_text(STAGE2.format(stage1=first))
    assert main(["train", "second.toml", "--data", str(folder)]) == 0
    second = tmp_path / "runs" / "second" / "second"
    both = keras_gans.load(second)
    assert both.card.recipe["config"]["stage1"] == "first"  # and no path
    texts = ["a red flower", "a yellow flower"]
    _, sketches = both.generate(2, 0, texts=texts, sketches=True)
    z = both.draw_latents(4, 0)[:, : model.latent_dim]
    expected = model.generate(2, texts=texts, latents=z)
    np.testing.assert_allclose(sketches, expected, atol=0.02)  # in float16

    # Names the entry's own copy of Stage-I, wherever the first one goes.
    shutil.rmtree(first)
    line = ["generate", str(second), "-n", "3", "--out", "made", "--texts"]
    assert main([*line, *texts]) == 0
    assert len(list((tmp_path / "made").glob("0*.png"))) == 6
    with Image.open(tmp_path / "made" / "grid.png") as picture:
        assert picture.size == (3 * 34 - 2, 2 * 34 - 2)  # a row a text
    line = ["interpolate", str(second), "-n", "1", "--out", "made", "--texts"]
    assert main([*line, *texts]) == 0
    capsys.readouterr()
    for command, words in (
        (["generate", str(second)], "Expected --texts for"),
        (["generate", str(second), "--texts", ""], "with words in them"),
        (["interpolate", str(second), "--texts", "red"], "two texts"),
        (["generate", "dcgan_mnist", "--texts", "red"], "Expected no --texts"),
    ):
        assert main([*command, "--out", "other"]) == 2
        assert words in capsys.readouterr().err
        assert not (tmp_path / "other").exists()
    # Pictures that have no captions.
    (folder / "captions.tsv").unlink()
    command = ["train", "first.toml", "--data", str(folder), "--out", "new"]
    assert main(command) == 2
    assert "images with captions" in capsys.readouterr().err


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


@pytest.fixture
def digits(tmp_path, monkeypatch):
    """An entry that says to have been trained on 4,000 digits of 5,000."""
    monkeypatch.chdir(tmp_path)
    keras_gans.save_pretrained(
        keras_gans.GAN(variant="small"),
        "mine",
        data={"name": "mnist_5k", "split": "train[:4000]"},
    )
    return ["evaluate", "mine", "--n", "60"]


TEST = ["--test-split", "train[4000:]"]


def test_evaluates_and_writes_the_card(digits, tmp_path, capsys):
    command = [*digits, *TEST, "--seeds", "0", "1", "--write-card"]
    metrics = ["--metrics", "frechet_distance", "class_histogram"]
    assert main([*command, *metrics]) == 0
    said = capsys.readouterr().out
    assert "\nmetric  " in said and "no floor" not in said
    assert "frechet_distance/lenet_mnist " in said
    written = json.loads((tmp_path / "mine_metrics.json").read_text())
    rows = written["metrics"]
    assert rows[0]["name"] == "frechet_distance/lenet_mnist"
    assert rows[0]["deviation"] > 0
    assert rows[0]["protocol"]["seeds"] == [0, 1]
    assert rows[1]["protocol"]["train"] == "mnist_5k train[:4000] (4000)"
    card = keras_gans.load(tmp_path / "mine").card
    assert card.metrics == rows
    assert written["model"] == card.name
    assert written["weights"] == {
        name: facts["sha256"] for name, facts in card.files.items()
    }
    shown = (tmp_path / "mine" / "README.md").read_text()
    assert f"| {rows[0]['value']:.4g} ± " in shown
    # Again: figures are replaced, not added.
    assert main(command) == 0
    assert len(keras_gans.load(tmp_path / "mine").card.metrics) == len(rows)
    # Of another protocol only by force.
    capsys.readouterr()
    before = (tmp_path / "mine" / "card.json").read_text()
    other = [*command, "--n", "61"]
    assert main(other) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "generated=60 in the card, 61 now" in said
    assert (tmp_path / "mine" / "card.json").read_text() == before
    assert main([*other, "--force"]) == 0
    named = {m["name"]: m for m in keras_gans.load("mine").card.metrics}
    assert named[rows[0]["name"]]["protocol"]["generated"] == 61
    assert named[rows[-1]["name"]]["protocol"]["generated"] == 60


def test_reference_in_place_of_the_data(digits, monkeypatch, capsys):
    assert main([*digits, *TEST, "--save-reference", "new/a.npz"]) == 0
    with_data = json.loads(Path("mine_metrics.json").read_text())["metrics"]
    capsys.readouterr()
    # From now on the data is not at hand.
    monkeypatch.setattr(keras_gans.datasets, "load", None)
    assert main([*digits, "--reference", "new/a.npz"]) == 0
    assert "no floor" in capsys.readouterr().out
    (row,) = json.loads(Path("mine_metrics.json").read_text())["metrics"]
    assert row == with_data[0]
    # Nor does a histogram ask for it, nor for its name.
    assert main([*digits, "--metrics", "class_histogram"]) == 0


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        ([], "Expected `--test-split`, images that the model was not"),
        (["--test-split", "train[3999:]"], "not trained on. Received"),
        (["--test-split", "train[:10]"], "beside 'train[:4000]'"),
        (["--seeds", "1", "1"], "each once"),
        (["--n", "1"], "at least 2 samples"),
        (["--metrics", "parzen", *TEST], "`--validation-split` for parzen"),
        ([*TEST, "--out", "."], "which is a folder"),
        ([*TEST, "--out", "mine/card.json/x"], "output folder that can be"),
        ([*TEST, "--save-reference", "mine"], "which is a folder"),
        ([*TEST, "--reference", "no.npz"], "No such file or directory"),
        (["--reference", "a", "--save-reference", "b"], "to read or to write"),
        ([*TEST, "--classes", "a", "b"], "of a model that translates"),
    ],
)
def test_refused_before_the_model_is_loaded(
    digits, monkeypatch, arguments, sentence, capsys
):
    monkeypatch.setattr(keras_gans, "load", None)
    assert main([*digits, *arguments]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and sentence in said


def test_splits_counted_from_the_end(digits, capsys):
    apart = ["--metrics", "diversity", "--test-split", "train[-1000:]"]
    assert main([*digits, *apart]) == 0
    assert main([*digits, *apart[:-1], "train[-1001:]"]) == 2
    assert "'train[-1001:]' beside 'train[:4000]'" in capsys.readouterr().err
    assert main([*digits, *apart, "--train-split", "train[:4001]"]) == 2


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


@pytest.mark.parametrize("kind", ["truncated", "too small"])
def test_a_late_bad_picture_costs_nothing(translator, kind, capsys):
    last = Path("two", "testA", "z.png")
    if kind == "truncated":
        last.write_bytes(Path("two", "testA", "0.png").read_bytes()[:200])
    else:
        keras_gans.images.save_png(last, np.zeros((7, 40, 3), np.uint8))
    assert main(["translate", "mine", "two/testA", "--out", "made"]) == 2
    said = capsys.readouterr()
    assert not said.out and said.err.count("\n") == 1
    assert str(last) in said.err and "Expected" in said.err
    assert not Path("made").exists()


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
    rows = json.loads(Path("mine_metrics.json").read_text())["metrics"]
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
    rows = json.loads(Path("mine_metrics.json").read_text())["metrics"]
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
        "list", "card", "generate", "interpolate", "arithmetic", "manifold",
        "outliers", "translate", "train", "evaluate", "convert",
    }  # fmt: skip
    for name, command in commands.items():
        assert f"example: keras-gans {name}" in command.format_help()


def test_the_guide_names_every_option_of_evaluate():
    commands = build_parser()._subparsers._group_actions[0].choices
    root = Path(keras_gans.__file__).parents[1]
    guide = (root / "docs" / "guides" / "evaluation.md").read_text()
    for action in commands["evaluate"]._actions:
        for option in action.option_strings:
            if option not in ("-h", "--help"):
                assert f"`{option}`" in guide, option


def test_runs_as_a_program():
    done = subprocess.run(
        [sys.executable, "-m", "keras_gans.cli", "list", "--models"],
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == keras_gans.list_models()
