"""A model is in the zoo when it has a tiny config, a test and a docs page."""

from pathlib import Path

import pytest

import keras_gans
from tests.conformance import TINY

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("name", keras_gans.list_models())
def test_model_is_covered(name):
    assert name in TINY, f"add a line for {name} to tests/conformance.py"
    for path in (
        ROOT / "docs" / "models" / f"{name}.md",
        ROOT / "tests" / "models" / f"test_{name}.py",
        ROOT / "keras_gans" / "models" / f"{name}.py",
    ):
        assert path.is_file(), f"{name} lacks {path.relative_to(ROOT)}"


def test_no_config_without_a_model():
    assert set(TINY) == set(keras_gans.list_models())
