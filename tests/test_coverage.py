"""A model is covered: a tiny config, a test, a docs page, an entry."""

from pathlib import Path

import pytest

import keras_gans
from keras_gans.cards import read_card
from keras_gans.pretrained import ZOO
from keras_gans.registry import MODELS
from tests.conformance import TINY

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("name", keras_gans.list_models())
def test_model_is_covered(name):
    assert name in TINY, f"add a line for {name} to tests/conformance.py"
    # Its file is of its name; that of StackGAN holds both stages.
    file = MODELS[name].__module__.rpartition(".")[2]
    assert name.startswith(file)
    for path in (
        ROOT / "docs" / "models" / f"{file}.md",
        ROOT / "tests" / "models" / f"test_{file}.py",
        ROOT / "keras_gans" / "models" / f"{file}.py",
    ):
        assert path.is_file(), f"{name} lacks {path.relative_to(ROOT)}"


@pytest.mark.parametrize("name", keras_gans.list_models())
def test_model_has_an_entry_in_the_zoo(name):
    entries = keras_gans.list_pretrained(f"{name}_*")
    models = {read_card(ZOO / entry / "card.json").model for entry in entries}
    assert name in models, f"train one: keras-gans train {name}_<data>"


def test_no_config_without_a_model():
    assert set(TINY) == set(keras_gans.list_models())
