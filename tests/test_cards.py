"""What a card takes, and what it does not replace."""

import json
import shutil
from pathlib import Path

import pytest

import keras_gans
from keras_gans.cards import check_replaced, read_card, with_figures
from keras_gans.metrics import Figure
from keras_gans.pretrained import find_entry

PROTOCOL = {"data": "mnist", "real": 10, "sha256": "ab" * 32, "seeds": [0]}


@pytest.fixture
def card(tmp_path):
    """A copy of a card, and where it lies."""
    path = tmp_path / "card.json"
    shutil.copy(find_entry("gan_mnist") / "card.json", path)
    return path


def with_metric(path: Path, **fields):
    content = json.loads(path.read_text())
    metric = {"name": "a", "value": 1.0, "protocol": PROTOCOL}
    content["metrics"] = [metric | fields]
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    "fields, words",
    [
        ({"name": 3}, "name, value"),
        ({"value": "1"}, "name, value"),
        ({"value": True}, "`value` of 'a' as a number. Received: value=True"),
        ({"value": 10**400}, "`value` of 'a' as a number"),
        ({"deviation": -(10**400)}, "`deviation` of 'a' as a number"),
        ({"deviation": "0.1"}, "`deviation` of 'a' as a number"),
        ({"deviation": None}, "`deviation` of 'a' as a number"),
        ({"protocol": []}, "name, value"),
        (
            {"protocol": {"sha256": 5}},
            "`sha256` in the protocol of 'a' as a string. Received: 5",
        ),
    ],
)
def test_wrong_fields_of_a_metric(card, fields, words):
    with_metric(card, **fields)
    with pytest.raises(ValueError, match=f"{card}: .*{words}"):
        read_card(card)


@pytest.mark.parametrize("protocol", ["by hand", {"x": [1, {}], "y": None}])
def test_any_protocol_can_be_shown(card, protocol):
    with_metric(card, protocol=protocol)
    assert "Protocol: " in read_card(card).to_markdown()


def test_figures_of_another_protocol_are_not_replaced(card):
    with_metric(card)
    known = read_card(card)
    check_replaced(known, [Figure("a", 2.0, 0.0, PROTOCOL | {"seeds": [1]})])
    check_replaced(known, [Figure("b", 2.0, 0.0, {})])
    other = Figure("a", 2.0, 0.0, PROTOCOL | {"real": 9})
    with pytest.raises(ValueError, match="'a'.*real=10 in the card, 9 now"):
        check_replaced(known, [other])
    assert with_figures(known, [other]).metrics == [other.as_dict()]
    with_metric(card, protocol="by hand")
    with pytest.raises(ValueError, match="protocol='by hand' in the card"):
        check_replaced(read_card(card), [other])


def test_the_cards_of_the_zoo_are_sound():
    for name in keras_gans.list_pretrained():
        read_card(find_entry(name) / "card.json")
