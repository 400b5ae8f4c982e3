"""Runs that are stopped and killed end as if they had not been."""

import dataclasses
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_gans
from keras_gans import pretrained, registry, training
from keras_gans.datasets import CaptionedData, ImageData, unpaired
from keras_gans.recipes import Recipe
from tests.conformance import CASES, TINY, embeddings_like, images_like

ROOT = Path(__file__).resolve().parents[1]


def tiny(case, **changes):
    name, config = CASES[case]
    facts = {
        "model": name,
        "config": json.loads(json.dumps(config)),
        "data": {"name": "toy"},
        "steps": 12,
        "batch_size": 8,
        "save_every": 3,
        "sample_every": 5,
    }
    return Recipe(**facts | changes)


def toy(recipe):
    from keras_gans.images import to_uint8

    classes = recipe.config.get("num_classes")
    labels = np.arange(20) % classes if classes else None
    data = ImageData("toy", to_uint8(images_like(recipe.config, n=20)), labels)
    if registry.MODELS[recipe.model].two_domains:
        return unpaired(data, data.part(slice(13)), "toy")
    if registry.MODELS[recipe.model].takes_text:
        vectors = embeddings_like(
            registry.create(recipe.model, **recipe.config)
        )
        return CaptionedData(
            "toy",
            data.images,
            np.arange(20) % 4,
            captions=tuple((f"number {i}",) for i in range(20)),
            embeddings=tuple(vectors[i : i + 1] for i in range(20)),
            encoder="letters",
        )
    return data


def run(recipe, out):
    return training.train(recipe, out, toy(recipe), verbose=0)


def weights(model):
    variables = [
        *model.variables,
        *(v for name in model.players for v in getattr(model, name).variables),
    ]
    return [keras.ops.convert_to_numpy(v) for v in variables]


def assert_equal(first, second):
    for a, b in zip(weights(first), weights(second), strict=True):
        np.testing.assert_array_equal(a, b)


def final(out):
    return keras.saving.load_model(training.saves(out)[-1])


def test_labels_that_do_not_fit_leave_nothing(tmp_path):
    recipe = tiny("lapgan-classes")
    data = toy(recipe)
    for labels, words in (
        (None, "images with labels for lapgan.*'toy', which has none"),
        (np.arange(20) % 7, "from 0 to 2.*labels up to 6. Set num_classes=7"),
    ):
        wrong = ImageData("toy", data.images, labels)
        with pytest.raises(ValueError, match=words):
            training.train(recipe, tmp_path / "run", wrong, verbose=0)
        assert not list((tmp_path / "run").iterdir())
    training.train(recipe, tmp_path / "run", data, verbose=0)


def test_a_run_starts_from_an_entry(tmp_path):
    recipe = tiny("dcgan", seed=5)
    entry = training.train(recipe, tmp_path / "a", toy(recipe), verbose=0)
    keras_gans.save_pretrained(entry, tmp_path / "entry", recipe=recipe)
    start = str(tmp_path / "entry")
    recipe = tiny("dcgan", seed=6, start_from=start)
    model = training._create(recipe)
    before = model.generator.get_weights()
    pretrained.take_weights(model, start)
    loaded = keras_gans.load(start)
    for name, other in (
        ("discriminator", "discriminator"),
        ("generator", "generator"),
        ("ema_generator", "generator"),
    ):
        for mine, theirs in zip(
            getattr(model, name).get_weights(),
            getattr(loaded, other).get_weights(),
            strict=True,
        ):
            np.testing.assert_array_equal(mine, theirs)
    same = map(np.array_equal, before, model.generator.get_weights())
    assert not all(same)

    # A run in pieces, the entry gone meanwhile, is the whole run.
    whole = training.train(recipe, tmp_path / "b", toy(recipe), verbose=0)
    first = dataclasses.replace(recipe, steps=6)
    training.train(first, tmp_path / "c", toy(recipe), verbose=0)
    shutil.rmtree(start)
    again = training.train(recipe, tmp_path / "c", toy(recipe), verbose=0)
    assert_equal(again, whole)
    assert training.start_of(tmp_path / "c") == {
        "start_from": "./entry",
        "data": "not said, terms not known",
        "licence": "Apache-2.0",
    }
    plain = dataclasses.replace(recipe, start_from="")
    again = training.train(plain, tmp_path / "c", toy(recipe), verbose=0)
    assert_equal(again, whole)  # where a run began need not be said again
    with pytest.raises(ValueError, match="began with './entry'.*another"):
        wrong = dataclasses.replace(recipe, start_from="another")
        training.train(wrong, tmp_path / "c", toy(recipe), verbose=0)
    other = training.train(plain, tmp_path / "d", toy(recipe), verbose=0)
    assert not np.array_equal(
        other.generator.get_weights()[0], whole.generator.get_weights()[0]
    )


def test_a_run_starts_without_the_discriminator_of_a_wheel(tmp_path):
    recipe = tiny("dcgan", start_from=str(tmp_path / "entry"))
    keras_gans.save_pretrained(training._create(recipe), tmp_path / "entry")
    (tmp_path / "entry" / "discriminator.weights.h5").unlink()
    with pytest.warns(UserWarning, match="discriminator.*start anew"):
        training.train(recipe, tmp_path / "run", toy(recipe), verbose=0)


def test_steps_at_a_rate_of_zero_are_refused(tmp_path):
    recipe = tiny("wgan_gp")
    config = recipe.config | {"decay_steps": 11}
    recipe = dataclasses.replace(recipe, config=config)
    with pytest.raises(ValueError, match="at most 11 steps.*steps=12"):
        training.train(recipe, tmp_path / "run", toy(recipe), verbose=0)
    assert not [*(tmp_path / "run").glob("*")]


def test_a_run_from_an_entry_of_other_networks_leaves_nothing(tmp_path):
    recipe = tiny("dcgan")
    gan = training._create(recipe)
    keras_gans.save_pretrained(gan, tmp_path / "narrow")
    wide = dataclasses.replace(
        recipe,
        config=recipe.config | {"width": recipe.config["width"] * 2},
        start_from=str(tmp_path / "narrow"),
    )
    for bad, words in (
        (wide, r"narrow', whose generator has .*kernel of shape=\("),
        (dataclasses.replace(recipe, start_from="no_such"), "no_such"),
        (dataclasses.replace(recipe, start_from="gan_mnist"), "a GAN. Choose"),
        (dataclasses.replace(recipe, start_from="https://a.b/c"), "no hash"),
    ):
        with pytest.raises(ValueError, match=words):
            training.train(bad, tmp_path / "run", toy(recipe), verbose=0)
        assert not [*(tmp_path / "run").glob("*")]

    # A run without a save yet may begin elsewhere.
    good = dataclasses.replace(recipe, steps=1, save_every=1)
    training.train(good, tmp_path / "run", toy(recipe), verbose=0)
    training.saves(tmp_path / "run")[0].unlink()
    again = dataclasses.replace(good, start_from=str(tmp_path / "narrow"))
    training.train(again, tmp_path / "run", toy(recipe), verbose=0)
    assert training.start_of(tmp_path / "run")["start_from"] == "./narrow"


def test_a_run_leaves_saves_samples_and_a_log(tmp_path):
    run(tiny("gan"), tmp_path)
    names = sorted(p.name for p in tmp_path.iterdir())
    assert names == [
        "log.csv",
        "run.json",
        "samples",
        "step_00000009.keras",
        "step_00000012.keras",
    ]
    assert sorted(p.name for p in (tmp_path / "samples").iterdir()) == [
        "step_00000005.png",
        "step_00000010.png",
        "step_00000012.png",
    ]
    lines = (tmp_path / "log.csv").read_text().splitlines()
    assert lines[0] == "step,d_loss,g_loss"
    assert [line.split(",")[0] for line in lines[1:]] == ["3", "6", "9", "12"]


@pytest.mark.parametrize("case", CASES)
def test_a_run_in_pieces_is_the_whole_run(tmp_path, case):
    whole = run(tiny(case), tmp_path / "whole")
    for steps in (5, 12):  # in mid-epoch, and with a save on the way
        pieces = run(tiny(case, steps=steps, save_every=4), tmp_path / "pieces")
    assert_equal(whole, pieces)
    assert_equal(whole, final(tmp_path / "pieces"))
    again = run(tiny(case), tmp_path / "pieces")  # nothing left to do
    assert_equal(whole, again)


def test_samples_and_saves_do_not_disturb(tmp_path):
    first = run(tiny("gan"), tmp_path / "a")
    second = run(tiny("gan", save_every=100, sample_every=100), tmp_path / "b")
    assert_equal(first, second)


@pytest.mark.parametrize(
    "change",
    [{"seed": 1}, {"batch_size": 4}, {"config": CASES["gan-paper"][1]}],
)
def test_a_run_of_another_recipe_is_refused(tmp_path, change):
    run(tiny("gan", steps=3), tmp_path)
    before = {p: p.read_bytes() for p in tmp_path.glob("*.*")}
    name = next(iter(change))
    with pytest.raises(ValueError, match=f"same recipe.*Received: {name}="):
        run(tiny("gan", **change), tmp_path)
    assert before == {p: p.read_bytes() for p in tmp_path.glob("*.*")}


def test_a_run_of_before_a_field_of_recipes_goes_on(tmp_path):
    whole = run(tiny("gan"), tmp_path / "whole")
    run(tiny("gan", steps=6), tmp_path / "old")
    facts = json.loads((tmp_path / "old" / "run.json").read_text())
    del facts["recipe"]["dtype_policy"]
    (tmp_path / "old" / "run.json").write_text(json.dumps(facts))
    assert_equal(whole, run(tiny("gan"), tmp_path / "old"))
    with pytest.raises(ValueError, match="which has dtype_policy='float32'"):
        run(tiny("gan", dtype_policy="mixed_bfloat16"), tmp_path / "old")


@pytest.mark.parametrize("name", ["gan", "cyclegan"])
def test_data_of_the_wrong_number_of_domains(tmp_path, name):
    data = toy(tiny({"gan": "cyclegan", "cyclegan": "gan"}[name]))
    with pytest.raises(ValueError, match="Expected (one|two) domains? of"):
        training.train(tiny(name), tmp_path, data, verbose=0)


def test_a_save_that_cannot_be_read_is_named(tmp_path):
    run(tiny("gan", steps=3), tmp_path)
    (tmp_path / "step_00000003.keras").write_bytes(b"damaged")
    with pytest.raises(ValueError, match="Received: .*step_00000003.keras"):
        run(tiny("gan"), tmp_path)


@pytest.mark.parametrize("kind", ["code", "packed", "more"])
def test_a_hostile_save_is_refused_unread(tmp_path, kind, monkeypatch):
    run(tiny("gan", steps=3), tmp_path)
    save = tmp_path / "step_00000003.keras"
    with zipfile.ZipFile(save) as file:
        members = {name: file.read(name) for name in file.namelist()}
    packing = zipfile.ZIP_DEFLATED if kind == "packed" else zipfile.ZIP_STORED
    if kind == "code":
        config = json.loads(members["config.json"])
        config["config"]["latent_dim"] = {"class_name": "Lambda"}
        members["config.json"] = json.dumps(config)
    elif kind == "more":
        members["assets/x"] = b"x"
    with zipfile.ZipFile(save, "w", packing) as file:
        for name, content in members.items():
            file.writestr(name, content)
    monkeypatch.setattr(keras.saving, "load_model", None)
    words = {"code": "of another model", "packed": "packed", "more": "in it"}
    with pytest.raises(ValueError, match=words[kind]):
        run(tiny("gan"), tmp_path)


def test_a_save_of_another_model_is_refused(tmp_path):
    """By its networks, its configuration, its class; or without run.json."""
    run(tiny("gan", steps=3), tmp_path / "run")
    save = tmp_path / "run" / "step_00000003.keras"
    other = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    other.save(save)
    with pytest.raises(ValueError, match="a save of the recipe's GAN"):
        run(tiny("gan"), tmp_path / "run")
    run(tiny("gan-paper", steps=3), tmp_path / "paper")
    (tmp_path / "paper" / "step_00000003.keras").replace(save)
    with pytest.raises(ValueError, match="of another model"):
        run(tiny("gan"), tmp_path / "run")
    (tmp_path / "run" / "run.json").unlink()
    with pytest.raises(ValueError, match="run.json, which says"):
        run(tiny("gan"), tmp_path / "run")


def test_a_run_of_changed_networks_says_so(tmp_path):
    run(tiny("gan", steps=3), tmp_path)
    path = tmp_path / "run.json"
    facts = json.loads(path.read_text())
    facts["recipe"]["networks"] = "before"
    path.write_text(json.dumps(facts))
    with pytest.raises(ValueError, match="a version of keras_gans"):
        run(tiny("gan"), tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"recipe": 3}'])
def test_a_damaged_run_json_is_named(tmp_path, text):
    run(tiny("gan", steps=3), tmp_path)
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(ValueError, match="Expected .*run.json"):
        run(tiny("gan"), tmp_path)


def test_other_pictures_under_the_same_name_are_refused(tmp_path):
    recipe = tiny("gan", steps=3)
    run(recipe, tmp_path)
    images = 255 - toy(recipe).images
    with pytest.raises(ValueError, match="same recipe.*data="):
        training.train(recipe, tmp_path, ImageData("toy", images), verbose=0)


def test_fewer_steps_than_taken_are_refused(tmp_path):
    run(tiny("gan", steps=4), tmp_path)
    with pytest.raises(ValueError, match="at least the 4 steps"):
        run(tiny("gan", steps=2), tmp_path)


def test_a_wrong_config_leaves_nothing_behind(tmp_path):
    recipe = tiny("gan", config={"image_shape": [8, 8, 1], "varaint": "small"})
    with pytest.raises(ValueError, match="Expected `config`.*varaint"):
        run(recipe, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_run_belongs_to_one_process(tmp_path):
    with training._alone_in(tmp_path):
        with pytest.raises(ValueError, match="another process holds"):
            run(tiny("gan", steps=3), tmp_path)
    run(tiny("gan", steps=3), tmp_path)


def test_a_log_that_was_edited_does_no_harm(tmp_path):
    run(tiny("gan", steps=3), tmp_path)
    for content in (b"notes\nmine\n", b"\xff" * 9, b"step\n" + b"1" * 200_000):
        (tmp_path / "log.csv").write_bytes(content)
        training._log(tmp_path, 6, {"d_loss": [1.0]})
        assert read_log(tmp_path) == ["6,1.0"]


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ValueError, match="output folder"):
        run(tiny("gan"), tmp_path / "file" / "run")


def test_what_a_killed_save_left_is_swept(tmp_path):
    aside = tmp_path / ".save_abc"
    aside.mkdir()
    (aside / "step_00000003.keras").write_bytes(b"half")
    run(tiny("gan", steps=3), tmp_path)
    assert not aside.exists()


@pytest.mark.slow
def test_a_full_disk_leaves_the_last_saves_whole(tmp_path, disk):
    """A real file system with room for two saves and a half."""
    whole = run(tiny("gan"), tmp_path / "whole")
    size = int(2.5 * training.saves(tmp_path / "whole")[-1].stat().st_size)
    out = disk(size)
    every_step = tiny("gan", save_every=1, sample_every=100)
    with pytest.raises(OSError, match="room for a save"):
        run(every_step, out)
    names = [p.name for p in training.saves(out)]
    assert names == ["step_00000001.keras", "step_00000002.keras"]
    assert not list(out.glob(".save_*"))
    disk("99m")
    assert_equal(whole, run(every_step, out))


PROGRAM = """
import sys, os, signal
from tests.test_training import run, tiny, training
from pathlib import Path
case, out, steps, die_at_save = sys.argv[1:]
if int(die_at_save):
    count, replace = 0, os.replace
    def dying_replace(source, target):
        global count
        if str(target).endswith(".keras"):
            count += 1
            if count == int(die_at_save):
                os.kill(os.getpid(), signal.SIGKILL)
        return replace(source, target)
    os.replace = dying_replace
try:
    run(tiny(case, steps=int(steps), save_every=2), Path(out))
except KeyboardInterrupt:
    sys.exit(130)
"""


def start(case, out, steps=30, die_at_save=0):
    """Train in a process of its own, which writes its errors beside `out`."""
    with open(out.parent / "stderr.txt", "w") as errors:
        return subprocess.Popen(
            [sys.executable, "-c", PROGRAM, case, out, f"{steps}",
             f"{die_at_save}"],
            cwd=ROOT,
            env=os.environ | {"KERAS_BACKEND": keras.backend.backend()},
            stderr=errors,
        )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("case", TINY)
def test_killed_at_any_moment(tmp_path, case):
    """SIGKILL: within a save, and whenever it hits."""
    undisturbed = start(case, tmp_path / "whole")
    assert undisturbed.wait() == 0, (tmp_path / "stderr.txt").read_text()
    out = tmp_path / "killed"

    within_save = start(case, out, die_at_save=2)
    assert within_save.wait() == -signal.SIGKILL
    assert [p.name for p in training.saves(out)] == ["step_00000002.keras"]
    assert list(out.glob(".save_*"))  # what the kill left aside

    chance = random.Random(case)
    process = start(case, out)
    wanted = len(read_log(out)) + chance.randint(1, 3)
    while process.poll() is None and len(read_log(out)) < wanted:
        time.sleep(0.01)
    time.sleep(chance.random() * 0.1)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    last = start(case, out)
    assert last.wait() == 0, (tmp_path / "stderr.txt").read_text()
    assert_equal(final(tmp_path / "whole"), final(out))


def read_log(out):
    log = out / "log.csv"
    return log.read_text().splitlines()[1:] if log.is_file() else []


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_asked_to_stop_it_saves_and_leaves(tmp_path, number):
    whole = run(tiny("gan", steps=600, save_every=300), tmp_path / "whole")
    out = tmp_path / "stopped"
    process = start("gan", out, steps=600)
    while process.poll() is None and len(read_log(out)) < 3:
        time.sleep(0.01)
    process.send_signal(number)
    assert process.wait() == 130, (tmp_path / "stderr.txt").read_text()
    step = int(training.saves(out)[-1].stem[5:])
    assert 6 <= step < 600
    rest = run(tiny("gan", steps=600, save_every=300), out)
    assert_equal(whole, rest)
