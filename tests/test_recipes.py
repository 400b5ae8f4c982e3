"""Recipes: read, and refused with the field's name."""

import dataclasses
import inspect

import pytest

import keras_gans
from keras_gans.pretrained import ZOO
from keras_gans.recipes import Recipe, read_recipe

GOOD = """
model = "gan"
steps = 10
[data]
name = "mnist_5k"
[budgets]
smoke = 2
"""


def write(tmp_path, text):
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    return path


def test_reads_a_recipe(tmp_path):
    recipe = read_recipe(write(tmp_path, GOOD))
    assert recipe == Recipe(
        "gan", {"name": "mnist_5k"}, 10, budgets={"smoke": 2}
    )
    assert recipe.with_budget("smoke").steps == 2
    assert recipe.with_budget(None) is recipe
    with pytest.raises(ValueError, match="one of smoke. Received: name='big'"):
        recipe.with_budget("big")


@pytest.mark.parametrize(
    "change, sentence",
    [
        (("model", "modle"), "Did you mean 'model'"),
        (('model = "gan"', ""), "Expected the field `model`"),
        (('"gan"', '"gna"'), "Did you mean 'gan'"),
        (('"gan"', "3"), "Expected `model` as the name"),
        (("10", "0"), "Received: steps=0"),
        (("10", "true"), "Received: steps=True"),
        (("10", '"ten"'), "Received: steps='ten'"),
        (("[data]", "[daten]"), "Did you mean 'data'"),
        (("[data]", "seed = -1\n[data]"), "0 to 4294967295. Received: seed=-1"),
        (
            ("[data]", 'dtype_policy = "float99"\n[data]'),
            "dtype policy: .*Received: name='float99'. Did you mean 'float",
        ),
        (('name = "mnist_5k"', ""), "Expected `data.name`"),
        (("steps = 10", "steps = "), "to be TOML"),
        (("smoke = 2", "smoke = -2"), "Received: smoke=-2"),
        (("smoke = 2", 'smoke = "x"'), "Received: smoke='x'"),
        (('"mnist_5k"', "7"), "Expected `data.name` as a string"),
        (('"mnist_5k"', '"mnist_5k"\nsplit = 3'), "`data.split` as a string"),
        (('"mnist_5k"', '"mnist_5k"\nspilt = "a"'), "Did you mean 'split'"),
        (("[data]", '[config]\nvaraint = "a"\n[data]'), "mean 'variant'"),
    ],
)
def test_bad_fields_are_named(tmp_path, change, sentence):
    path = write(tmp_path, GOOD.replace(*change, 1))
    with pytest.raises(ValueError, match=f"{path}.*{sentence}"):
        read_recipe(path)


def test_its_own_text_reads_as_itself(tmp_path):
    recipe = read_recipe(write(tmp_path, GOOD))
    config = {"image_shape": [8, 8, 1], "ema_decay": 0.5, "variant": "small"}
    for one in (recipe, dataclasses.replace(recipe, config=config, flip=True)):
        assert read_recipe(write(tmp_path, one.to_toml())) == one


def test_missing_file(tmp_path):
    with pytest.raises(ValueError, match="No such file"):
        read_recipe(tmp_path / "none.toml")


@pytest.mark.parametrize("path", sorted(ZOO.glob("*/recipe.toml")), ids=str)
def test_recipes_of_the_zoo_have_a_smoke_budget(path):
    recipe = read_recipe(path)
    assert 0 < recipe.with_budget("smoke").steps <= 50
    # An IWAE is a VAE of more than one importance sample.
    name = path.parent.name.replace("iwae_", "vae_")
    assert name.startswith(recipe.model)


@pytest.mark.parametrize("path", sorted(ZOO.glob("*/recipe.toml")), ids=str)
def test_budgets_give_arguments_that_the_class_has(path):
    recipe = read_recipe(path)
    known = inspect.signature(
        keras_gans.registry.MODELS[recipe.model]
    ).parameters
    for budget in recipe.budgets:
        found = recipe.with_budget(budget)
        assert found.steps > 0
        assert set(found.config) <= set(known), budget
        side, loaded = (
            where.get("image_shape", [0])[0]
            for where in (found.config, found.data)
        )
        assert not loaded or loaded >= side, budget  # it is cropped
