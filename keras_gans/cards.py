"""Cards: what is known of an entry of the zoo. `card.json` is the truth."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from keras_gans.files import written_aside
from keras_gans.registry import MODELS, unknown


@dataclasses.dataclass(frozen=True)
class Card:
    """What is known of a set of weights.

    Args:
        name: `<architecture>_<data>`, the folder's name.
        model: Name of the registered architecture.
        description: One sentence.
        data: Name of the data set, and its terms.
        recipe: The recipe that made it, with the steps that were taken.
        parameters: Trainable parameters of each network.
        licence: Of the weights.
        version: Of keras_gans, that made it.
        commit: Of the code that made it; empty where unknown.
        files: Of each file its `sha256`, `size` in bytes, stored `dtype`, and
            `output_change`, the largest change of an output by that storage.
        metrics: Dicts of `name`, `value` and `protocol`.
    """

    name: str
    model: str
    description: str
    data: dict[str, Any]
    recipe: dict[str, Any]
    parameters: dict[str, int]
    licence: str
    version: str
    commit: str
    files: dict[str, dict[str, Any]]
    metrics: list[dict[str, Any]]

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"

    def to_markdown(self) -> str:
        """The entry's README.md."""
        lines = [
            f"# {self.name}",
            "",
            self.description,
            "",
            "![64 samples of seed 0, the first that it makes](samples.png)",
            "",
            "```python",
            "import keras_gans",
            "",
            f'model = keras_gans.load("{self.name}")',
            "images = model.generate(64, seed=0)",
            "```",
            "",
            "| | |",
            "|---|---|",
            f"| Architecture | [`{self.model}`]"
            f"(../../docs/models/{self.model}.md) |",
            *(f"| Data: {key} | {text} |" for key, text in self.data.items()),
            f"| Trained | {self.trained()} |",
            *(
                f"| Trainable parameters, {network} | {n:,} |"
                for network, n in self.parameters.items()
            ),
            f"| Licence of the weights | {self.licence} |",
            f"| Made with | keras_gans {self.version}"
            f"{', commit ' + self.commit if self.commit else ''} |",
            "",
            "## Measured",
            "",
        ]
        if self.metrics:
            lines += ["| metric | value | protocol |", "|---|---|---|"]
            lines += [
                f"| {m['name']} | {m['value']} | {m['protocol']} |"
                for m in self.metrics
            ]
        else:
            lines.append("Nothing yet.")
        lines += [
            "",
            "## Files",
            "",
            "| file | bytes | stored as | moves outputs by at most | sha256 |",
            "|---|---|---|---|---|",
            *(
                f"| {name} | {facts['size']:,} | {facts['dtype']} "
                f"| {facts['output_change']:.1e} | `{facts['sha256']}` |"
                for name, facts in self.files.items()
            ),
            "",
            "Written by `keras_gans`; `card.json` is the truth.",
        ]
        return "\n".join(lines) + "\n"

    def trained(self) -> str:
        """The recipe in a few words."""
        if not self.recipe:
            return "not said"
        return ", ".join(
            f"{name.replace('_', ' ')} {self.recipe[name]}"
            for name in ("steps", "batch_size", "seed")
            if name in self.recipe
        )


def write_card(card: Card, folder: str | Path) -> None:
    """Write `card.json`, and the README.md that says the same."""
    for name, text in (
        ("README.md", card.to_markdown()),
        ("card.json", card.to_json()),
    ):
        with written_aside(Path(folder) / name) as file:
            file.write(text.encode())


KINDS = {str: "a string", dict: "an object", list: "a list"}


def read_card(path: str | Path) -> Card:
    """Read `card.json`.

    Raises:
        ValueError: If there is none, it is no JSON, or a field is missing,
            unknown or wrong; the field is named.
    """
    path = Path(path)
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(
            f"Expected a card, {path}. Received: {error.strerror}. An entry's "
            "folder has a card.json; check the path."
        ) from None
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(
            f"Expected {path} to be JSON. Received: {error}. Fetch it again."
        ) from None
    if not isinstance(fields, dict):
        raise ValueError(
            f"Expected {path} to hold an object. Received: "
            f"{type(fields).__name__}. Fetch it again."
        )
    kinds = {f.name: f.type for f in dataclasses.fields(Card)}
    for name in fields:
        if name not in kinds:
            raise ValueError(f"{path}: " + unknown("field", name, [*kinds]))
    for name, kind in kinds.items():
        kind = getattr(kind, "__origin__", kind)
        if not isinstance(fields.get(name), kind):
            got = repr(fields[name]) if name in fields else "no such field"
            raise ValueError(
                f"{path}: Expected `{name}` as {KINDS[kind]}. Received: {got}. "
                "Mend the card, or fetch the entry again."
            )
    for name, facts in fields["files"].items():
        _check_file(path, name, facts)
    for metric in fields["metrics"]:
        missing = {"name", "value", "protocol"} - set(metric)
        if missing:
            raise ValueError(
                f"{path}: Expected each of `metrics` with name, value and "
                f"protocol. Received: {metric!r}. Add {sorted(missing)[0]}."
            )
    if fields["model"] not in MODELS:
        raise ValueError(
            f"{path}: " + unknown("model", fields["model"], sorted(MODELS))
        )
    return Card(**fields)


def _check_file(path: Path, name: str, facts: Any) -> None:
    expected = {
        "sha256": str,
        "size": int,
        "dtype": str,
        "output_change": (int, float),
    }
    fine = isinstance(facts, dict) and all(
        isinstance(facts.get(key), kind) for key, kind in expected.items()
    )
    if not fine or Path(name).name != name:
        raise ValueError(
            f"{path}: Expected `files` as plain names with "
            f"{', '.join(expected)}. Received: {name}={facts!r}. Mend the "
            "card, or fetch the entry again."
        )
