"""The gallery is of the cards as they are, and shows every entry."""

import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from docs import gallery

ROOT = Path(__file__).resolve().parents[1]


def test_page_is_of_the_cards():
    # After a new entry: make gallery.
    assert gallery.PAGE.read_text() == gallery.page()


def test_every_picture_is_shown():
    page = gallery.page()
    pictures = [*(ROOT / "zoo").glob("*/samples.png")]
    assert pictures
    for picture in pictures:
        shown = f"(../zoo/{picture.parent.name}/samples.png)"
        assert page.count(shown) == 1, shown


def test_figures_stand_beside_their_floors():
    cards = {card.name: gallery.figures(card) for card in gallery.entries()}
    assert "lenet_mnist" not in cards  # it draws nothing
    assert cards["dcgan_mnist"].startswith("frechet distance 6.369 (of train")
    assert cards["vae_mnist"] == "negative log likelihood 85.31"
    for name, figures in cards.items():
        assert figures, name


def test_draws_what_stands_there(tmp_path, monkeypatch):
    entry = tmp_path / "zoo" / "dcgan_mnist"
    shutil.copytree(ROOT / "zoo" / "dcgan_mnist", entry)
    picture = (entry / "samples.png").read_bytes()
    (entry / "samples.png").write_bytes(b"")
    monkeypatch.setattr(gallery, "ROOT", tmp_path)
    (card,) = gallery.entries()
    gallery.draw(card, data_dir=None)
    (entry / "expected.png").write_bytes(picture)
    with (
        Image.open(entry / "samples.png") as found,
        Image.open(entry / "expected.png") as expected,
    ):
        difference = np.asarray(found, int) - np.asarray(expected, int)
    assert np.percentile(np.abs(difference), 99) <= 3
