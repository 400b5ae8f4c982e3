"""Cards: what is known of an entry of the zoo. `card.json` is the truth."""

import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from keras_gans.files import text_of, written_aside
from keras_gans.metrics.protocol import Figure, differences, in_words
from keras_gans.registry import CLASSIFIERS, MODELS, unknown


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
        metrics: Dicts of `name`, `value`, `deviation` over seeds where there
            are several, and `protocol`.
        rows: What the rows of samples.png show, where that is to be said.
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
    rows: list[str] = dataclasses.field(default_factory=list)

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"

    def to_markdown(self, pictures: Sequence[str] | None = None) -> str:
        """The entry's README.md, with links to those of its pictures.

        Args:
            pictures: The files that there are; None for all.
        """
        lines = [
            f"# {self.name}",
            "",
            self.description,
            "",
            *self.shown(pictures),
            "",
            "| | |",
            "|---|---|",
            f"| Architecture | {self.architecture()} |",
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
            lines += self.measured()
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

    def measured(self) -> list[str]:
        """A table for each protocol."""
        by_protocol: dict[str, list[dict[str, Any]]] = {}
        for metric in self.metrics:
            protocol = in_words(metric["protocol"])
            by_protocol.setdefault(protocol, []).append(metric)
        lines = []
        for protocol, metrics in by_protocol.items():
            lines += ["", f"Protocol: {protocol}.", ""]
            lines += ["| metric | value |", "|---|---|"]
            lines += [f"| {m['name']} | {_value(m)} |" for m in metrics]
        return lines[1:]

    def shown(self, pictures: Sequence[str] | None) -> list[str]:
        """The samples, and how to have more; of a classifier, its use."""
        lines = [
            "```python",
            "import keras_gans",
            "",
            f'model = keras_gans.load("{self.name}")',
        ]
        if self.model in CLASSIFIERS:
            return [*lines, "logits = model.predict(images)", "```"]
        architecture = MODELS[self.model]
        known = {"samples.png": architecture.shows} | architecture.pictures
        images = []
        for file, words in known.items():
            if pictures is not None and file not in pictures:
                continue
            images += [f"![{words}]({file})", ""]
            if file == "samples.png" and self.rows:
                images += ["Row by row:", ""]
                images += [f"{i}. {row}" for i, row in enumerate(self.rows, 1)]
                images.append("")
        return [*images, *lines, architecture.use, "```"]

    def architecture(self) -> str:
        """The architecture, with a link to its page."""
        if self.model in CLASSIFIERS:
            return f"`keras_gans.metrics.{self.model}`"
        # A file may hold two: that of StackGAN both of its stages.
        file = MODELS[self.model].__module__.rpartition(".")[2]
        return f"[`{self.model}`](../../docs/models/{file}.md)"

    def trained(self) -> str:
        """The recipe in a few words."""
        if not self.recipe:  # a classifier's is in its description
            return "see above" if self.model in CLASSIFIERS else "not said"
        words = ", ".join(
            f"{name.replace('_', ' ')} {self.recipe[name]}"
            for name in ("steps", "batch_size", "seed")
            if name in self.recipe
        )
        start = self.recipe.get("start_from")
        return f"{words}, from the weights of {start}" if start else words


def _value(metric: dict[str, Any]) -> str:
    """A figure to four digits, with its deviation over seeds."""
    deviation = metric.get("deviation", 0.0)
    spread = f" ± {deviation:.2g}" if deviation else ""
    return f"{metric['value']:.4g}{spread}"


def write_card(card: Card, folder: str | Path) -> None:
    """Write `card.json`, and the README.md that says the same."""
    pictures = [path.name for path in Path(folder).glob("*.png")]
    for name, text in (
        ("README.md", card.to_markdown(pictures)),
        ("card.json", card.to_json()),
    ):
        with written_aside(Path(folder) / name) as file:
            file.write(text.encode())


def with_figures(card: Card, figures: list[Figure]) -> Card:
    """The card with these figures, in place of older ones of their names."""
    names = {figure.name for figure in figures}
    kept = [m for m in card.metrics if m["name"] not in names]
    added = [figure.as_dict() for figure in figures]
    return dataclasses.replace(card, metrics=[*kept, *added])


def check_replaced(card: Card, figures: list[Figure]) -> None:
    """Raise a `ValueError` where they replace figures of another protocol.

    Other seeds are another draw under the same conditions.
    """
    old = {metric["name"]: metric["protocol"] for metric in card.metrics}
    for figure in figures:
        was, now = old.get(figure.name, figure.protocol), figure.protocol
        if isinstance(was, str):
            was = {"protocol": was}
        found = differences(was, now)
        found.pop("seeds", None)
        if found:
            words = "; ".join(
                f"{name}={a!r} in the card, {b!r} now"
                for name, (a, b) in found.items()
            )
            raise ValueError(
                f"Expected {figure.name!r} under the protocol of the card. "
                f"Received: {words}. Measure as before, or replace it with "
                "--force."
            )


KINDS = {str: "a string", dict: "an object", list: "a list"}


def read_card(path: str | Path) -> Card:
    """Read `card.json`.

    Raises:
        ValueError: If there is none, it is no JSON, or a field is missing,
            unknown or wrong; the field is named.
    """
    path = Path(path)
    try:
        fields = json.loads(text_of(path))
    except OSError as error:
        raise ValueError(
            f"Expected a card, {path}. Received: {error.strerror}. An entry's "
            "folder has a card.json; check the path."
        ) from None
    except (ValueError, RecursionError) as error:  # JSON's and UTF-8's, too
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
        if name == "rows" and name not in fields:
            continue  # younger than some entries
        if not isinstance(fields.get(name), kind):
            got = (
                f"{fields[name]!r:.200}" if name in fields else "no such field"
            )
            raise ValueError(
                f"{path}: Expected `{name}` as {KINDS[kind]}. Received: {got}. "
                "Mend the card, or fetch the entry again."
            )
    for name, facts in fields["files"].items():
        _check_file(path, name, facts)
    for metric in fields["metrics"]:
        check_metric(metric, str(path))
    for name, n in fields["parameters"].items():
        if not isinstance(n, int):
            raise ValueError(
                f"{path}: Expected `parameters` as numbers. Received: "
                f"{name}={n!r:.200}. Mend the card, or fetch the entry again."
            )
    classes = sorted(MODELS | CLASSIFIERS)
    if fields["model"] not in classes:
        raise ValueError(
            f"{path}: " + unknown("model", fields["model"], classes)
        )
    return Card(**fields)


def check_metric(metric: Any, where: str) -> None:
    """Raise a `ValueError` where it lacks a name, a number or a protocol."""
    expected = {
        "name": str,
        "value": (int, float),
        "protocol": (dict, str),
    }
    if not isinstance(metric, dict) or not all(
        isinstance(metric.get(key), kind) for key, kind in expected.items()
    ):
        raise ValueError(
            f"{where}: Expected each of `metrics` with name, value (a number) "
            f"and protocol. Received: {metric!r:.200}. Mend it."
        )
    deviation = metric.get("deviation", 0.0)
    numbers = {"value": metric["value"], "deviation": deviation}
    for key, number in numbers.items():
        if isinstance(number, bool) or not _is_number(number):
            raise ValueError(
                f"{where}: Expected `{key}` of {metric['name']!r:.100} as a "
                f"number. Received: {key}={number!r:.200}. Mend it."
            )
    protocol = metric["protocol"]
    if isinstance(protocol, dict):
        sha256 = protocol.get("sha256", "")
        if not isinstance(sha256, str):
            raise ValueError(
                f"{where}: Expected `sha256` in the protocol of "
                f"{metric['name']!r:.100} as a string. Received: "
                f"{sha256!r:.200}. Mend it."
            )


def _is_number(value: Any) -> bool:
    """Whether it is one that can be shown as a float."""
    if isinstance(value, int):
        return abs(value) <= sys.float_info.max
    return isinstance(value, float)


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
    fine = fine and _is_number(facts["output_change"])
    if not fine or Path(name).name != name:
        raise ValueError(
            f"{path}: Expected `files` as plain names with "
            f"{', '.join(expected)}. Received: {name}={facts!r:.200}. Mend the "
            "card, or fetch the entry again."
        )
