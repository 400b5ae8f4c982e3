"""Names to models: one dict, filled by one decorator beside each class."""

import difflib
import fnmatch
from collections.abc import Callable
from typing import Any

import keras

MODELS: dict[str, type[keras.Model]] = {}
# Networks that measure; the zoo holds their weights, too.
CLASSIFIERS: dict[str, type[keras.Model]] = {}

# Saved in a `.keras` file under this package's name, so that it loads anywhere.
serializable = keras.saving.register_keras_serializable("keras_gans")


def register(name: str) -> Callable[[type], type]:
    """Register a model class under `name`, the name of its file.

    Args:
        name: Architecture name, lower case with underscores: `"wgan_gp"` for
            the class `WGANGP` in `models/wgan_gp.py`.

    Returns:
        The decorator, which also makes the class loadable from `.keras` files.

    Raises:
        ValueError: If the name is taken.
    """

    def decorate(model_class: type) -> type:
        if name in MODELS:
            raise ValueError(
                "Expected a name that no model has yet. Received: "
                f"name={name!r} for {model_class.__name__}, which names "
                f"{MODELS[name].__name__} already. Choose another name."
            )
        MODELS[name] = serializable(model_class)
        return MODELS[name]

    return decorate


def list_models(pattern: str = "*") -> list[str]:
    """The registered architectures, sorted.

    Args:
        pattern: Shell-style wildcards, as in `"*gan"`.

    Example:

    ```python
    keras_gans.list_models()  # ['dcgan', 'gan']
    keras_gans.list_models("dc*")  # ['dcgan']
    ```
    """
    return sorted(fnmatch.filter(MODELS, pattern))


def create(name: str, **kwargs: Any) -> keras.Model:
    """Build an untrained model by its registered name.

    Args:
        name: One of `list_models()`.
        **kwargs: Arguments of the model's class.

    Raises:
        ValueError: If no model has that name; the closest one is offered.

    Example:

    ```python
    gan = keras_gans.create("dcgan", image_shape=(28, 28, 1))
    ```
    """
    if name not in MODELS:
        raise ValueError(unknown("model", name, list_models()))
    return MODELS[name](**kwargs)


def unknown(kind: str, name: str, choices: list[str]) -> str:
    """The sentence for a name that is none of `choices`, closest one first."""
    normal = str(name).lower().replace("-", "_")
    by_lower = {choice.lower(): choice for choice in choices}
    close = difflib.get_close_matches(normal, by_lower, n=1, cutoff=0.5)
    hint = f" Did you mean {by_lower[close[0]]!r}?" if close else ""
    article = "an" if kind[0] in "aeiou" else "a"
    known = f"one of {', '.join(choices)}" if choices else "there is none yet"
    return (
        f"Expected the name of {article} {kind}: {known}. "
        f"Received: name={name!r:.200}.{hint}"
    )
