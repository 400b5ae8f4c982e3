"""Names to models."""

import pytest

import keras_gans
from keras_gans.registry import MODELS, register


def test_lists_with_wildcards():
    assert keras_gans.list_models("dc*") == ["dcgan"]
    assert keras_gans.list_models("*gan") == sorted(
        name for name in MODELS if name.endswith("gan")
    )
    assert keras_gans.list_models("nothing*") == []


def test_creates_by_name():
    gan = keras_gans.create("gan", image_shape=(4, 4, 1), variant="small")
    assert type(gan) is keras_gans.GAN
    assert gan.image_shape == (4, 4, 1)


@pytest.mark.parametrize(
    "name, hint",
    [
        ("dcgna", "Did you mean 'dcgan'?"),
        ("DCGAN", "Did you mean 'dcgan'?"),
        ("zzzz", "one of "),
    ],
)
def test_unknown_names_get_the_closest(name, hint):
    with pytest.raises(ValueError) as error:
        keras_gans.create(name)
    assert f"Received: name={name!r}." in str(error.value)
    assert hint in str(error.value)


def test_a_name_is_registered_once():
    with pytest.raises(ValueError, match="Received: name='dcgan' for Other"):

        @register("dcgan")
        class Other:
            pass

    assert MODELS["dcgan"] is keras_gans.DCGAN
