"""Recipes: what a training is, as a short TOML file.

```toml
model = "dcgan"            # a registered architecture
steps = 20000              # generator updates
batch_size = 64
seed = 0                   # weights, noise, and the order of the data

[config]                   # arguments of the model's class
image_shape = [28, 28, 1]

[data]                     # arguments of keras_gans.datasets.load
name = "mnist"
split = "train"

[budgets]                  # other numbers of steps, by name
smoke = 20

[budgets.gpu]              # or other values of any fields
steps = 100000
config = { width = 64 }    # the other arguments stay
```
"""

import dataclasses
import inspect
import json
import tomllib
from pathlib import Path
from typing import Any

from keras_gans import datasets
from keras_gans.files import text_of
from keras_gans.registry import MODELS, unknown


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A training, declared.

    Args:
        model: Name of a registered architecture.
        data: Arguments of `keras_gans.datasets.load`; `name` at least.
        steps: Number of training steps.
        config: Arguments of the model's class.
        batch_size: Images a step.
        seed: Of the initial weights, the noise, and the order of the data.
        flip: Mirror half of the images, left to right. Images that are larger
            than the model's are cropped at random.
        dtype_policy: As in Keras: "mixed_bfloat16", say.
        start_from: An entry whose weights are the first: a name, a folder, or
            hf://owner/repo. Its class and networks must be the recipe's, and
            optimizers start anew. Empty: weights of the seed.
        save_every: Steps between saves.
        sample_every: Steps between pictures of samples.
        budgets: Other numbers of steps by name, or tables of other fields.
    """

    model: str
    data: dict[str, Any]
    steps: int
    config: dict[str, Any] = dataclasses.field(default_factory=dict)
    batch_size: int = 64
    seed: int = 0
    flip: bool = False
    dtype_policy: str = "float32"
    start_from: str = ""
    save_every: int = 1000
    sample_every: int = 1000
    budgets: dict[str, Any] = dataclasses.field(default_factory=dict)

    def with_budget(self, budget: str | None) -> "Recipe":
        """The recipe under a named budget; None changes nothing.

        Of the tables `config` and `data`, what the budget does not name stays.

        Raises:
            ValueError: If the recipe has no budget of that name.
        """
        if budget is None:
            return self
        if budget not in self.budgets:
            raise ValueError(unknown("budget", budget, sorted(self.budgets)))
        changes = _changes(self.as_dict(), self.budgets[budget])
        return dataclasses.replace(self, **changes)

    def as_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    def to_toml(self) -> str:
        """The text of a recipe file that reads as this recipe."""
        fields = json.loads(json.dumps(self.as_dict()))
        tables = {k: v for k, v in fields.items() if isinstance(v, dict)}
        lines = [
            f"{name} = {_toml(value)}"
            for name, value in fields.items()
            if name not in tables
        ]
        for name, table in tables.items():
            lines += ["", f"[{name}]"] if table else []
            lines += [
                f"{key} = {_toml(value)}"
                for key, value in table.items()
                if value is not None  # TOML has none; it is the default
            ]
        return "\n".join(lines) + "\n"


def _changes(fields: dict[str, Any], budget: int | dict) -> dict[str, Any]:
    """What a budget makes of some fields: tables are merged, others replaced.

    A number is of steps.
    """
    budget = {"steps": budget} if isinstance(budget, int) else budget
    tables = {
        name: fields.get(name, {}) | value
        for name, value in budget.items()
        if isinstance(value, dict) and isinstance(fields.get(name, {}), dict)
    }
    return budget | tables


def _toml(value: Any) -> str:
    """A value as TOML has it within a line."""
    if isinstance(value, dict):
        pairs = [f"{key} = {_toml(part)}" for key, part in value.items()]
        return f"{{ {', '.join(pairs)} }}"
    # Of numbers, strings, booleans and lists of them JSON's forms are TOML's.
    return json.dumps(value)


# What each field must be, in words for the error.
TYPES = {
    "model": (str, "the name of an architecture"),
    "data": (dict, "a table with the data set's name"),
    "steps": (int, "a positive integer"),
    "config": (dict, "a table of the model's arguments"),
    "batch_size": (int, "a positive integer"),
    "seed": (int, "an integer from 0 to 4294967295"),  # as Keras takes them
    "flip": (bool, "true or false"),
    "dtype_policy": (str, "the name of a dtype policy"),
    "start_from": (
        str,
        "the name, the folder or the hf://owner/repo of an entry",
    ),
    "save_every": (int, "a positive integer"),
    "sample_every": (int, "a positive integer"),
    "budgets": (dict, "a table of numbers of steps, or of tables"),
}


POLICIES = (
    *("float32", "float64", "float16", "bfloat16"),
    *("mixed_float16", "mixed_bfloat16"),
)


def read_recipe(path: str | Path) -> Recipe:
    """Read a recipe file.

    Args:
        path: A TOML file, as this module's docstring shows.

    Raises:
        ValueError: If there is no such file, it is no TOML, or a field is
            missing, unknown or wrong; the field is named.
    """
    path = Path(path)
    try:
        fields = tomllib.loads(text_of(path))
    except OSError as error:
        raise ValueError(
            f"Expected a recipe file. Received: {str(path)!r} "
            f"({error.strerror}). Check the path."
        ) from None
    except (ValueError, RecursionError) as error:  # TOML's and UTF-8's, too
        raise ValueError(
            f"Expected {path} to be TOML. Received: {error}. Mend that line."
        ) from None
    return recipe_from(fields, str(path))


def recipe_from(fields: dict[str, Any], where: str) -> Recipe:
    """Build a recipe from its fields, each of them checked.

    Args:
        fields: As read from TOML or JSON.
        where: Named in errors.

    Raises:
        ValueError: As `read_recipe`.
    """
    for name in fields:
        if name not in TYPES:
            raise ValueError(
                f"{where}: " + unknown("recipe field", name, [*TYPES])
            )
    for name in ("model", "data", "steps"):
        if name not in fields:
            raise ValueError(
                f"{where}: Expected the field `{name}`, {TYPES[name][1]}. "
                f"Received: only {', '.join(fields) or 'nothing'}. Add it."
            )
    for name, value in fields.items():
        kind, words = TYPES[name]
        fits = isinstance(value, kind) and (
            kind is not int or not isinstance(value, bool)
        )
        if fits and words == "a positive integer":
            fits = value > 0
        if fits and name == "seed":
            fits = 0 <= value < 1 << 32
        if not fits:
            raise ValueError(
                f"{where}: Expected `{name}` as {words}. "
                f"Received: {name}={value!r}. Change it."
            )
    policy = fields.get("dtype_policy", "float32")
    if policy not in POLICIES:
        raise ValueError(
            f"{where}: " + unknown("dtype policy", policy, [*POLICIES])
        )
    if fields["model"] not in MODELS:
        raise ValueError(
            f"{where}: " + unknown("model", fields["model"], sorted(MODELS))
        )
    for table, function in (
        ("config", MODELS[fields["model"]]),
        ("data", datasets.load),
    ):
        names = [n for n in inspect.signature(function).parameters]
        for name in fields.get(table, {}):
            if name not in names:
                raise ValueError(
                    f"{where}: " + unknown(f"field of `{table}`", name, names)
                )
    for name in ("name", "split"):
        value = fields["data"].get(name, "train" if name == "split" else None)
        if not isinstance(value, str):
            raise ValueError(
                f"{where}: Expected `data.{name}` as a string. Received: "
                f"data={fields['data']!r}. Add it."
            )
    for name, value in fields.get("budgets", {}).items():
        number = isinstance(value, int) and not isinstance(value, bool)
        if isinstance(value, dict) and "budgets" not in value:
            whole = {k: v for k, v in fields.items() if k != "budgets"}
            recipe_from(
                whole | _changes(whole, value), f"{where}, budget {name}"
            )
        elif not number or value < 1:
            raise ValueError(
                f"{where}: Expected `budgets.{name}` as a positive integer, "
                f"or a table of fields. Received: {name}={value!r}. Change it."
            )
    return Recipe(**fields)
