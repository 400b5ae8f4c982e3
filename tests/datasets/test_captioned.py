"""Images with captions: read from folders, and dealt out in pairs."""

import json

import numpy as np
import pytest
from PIL import Image

from keras_gans import datasets
from keras_gans.datasets.captioned import CaptionedData, apart
from keras_gans.text import text_encoder
from tests.conftest import SHARED


def write_images(folder, names, size=10):
    for i, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.full((size, size, 3), 20 * i, np.uint8)
        Image.fromarray(pixels).save(path)


def write_tsv(folder, rows, header="image\tcaption"):
    lines = [header, *("\t".join(row) for row in rows)]
    (folder / "captions.tsv").write_text("\n".join(lines) + "\n")


def lengths(texts):
    return [[len(text), 1.0] for text in texts]


def data_of(labels, captions=1):
    labels = np.asarray(labels)
    return CaptionedData(
        "made",
        np.arange(len(labels) * 12, dtype=np.uint8).reshape(-1, 2, 2, 3),
        labels,
        captions=tuple(
            tuple("x" * (10 * i + j + 1) for j in range(captions))
            for i in range(len(labels))
        ),
    ).encoded(text_encoder(lengths))


def test_a_folder_with_tsv(tmp_path):
    names = ["a.png", "deep/b.jpg", "c.png"]
    write_images(tmp_path, names)
    write_tsv(
        tmp_path,
        [
            ("a.png", "one"),
            ("b.jpg", "two"),
            ("a.png", "first"),
            ("c.png", "3"),
        ],
    )
    data = datasets.load(tmp_path, image_shape=(4, 4, 3))
    assert isinstance(data, CaptionedData)
    assert data.captions == (("one", "first"), ("two",), ("3",))
    assert data.labels is None and data.image_shape == (4, 4, 3)
    np.testing.assert_allclose(data.images[:, 0, 0, 0], [0, 20, 40], atol=3)


def test_a_folder_with_json_lines_and_classes(tmp_path):
    write_images(tmp_path, ["a.png", "b.png"])
    rows = [
        {"image": "b.png", "caption": "two", "class": "tulip"},
        {"image": "a.png", "caption": "one", "class": "rose"},
    ]
    text = "\n".join(json.dumps(row) for row in rows)
    (tmp_path / "captions.jsonl").write_text(text)
    data = datasets.load(tmp_path, image_shape=(4, 4, 3))
    assert data.captions == (("two",), ("one",))
    assert data.classes == ("rose", "tulip")
    np.testing.assert_array_equal(data.labels, [1, 0])


def test_what_is_missing_is_counted_and_named(tmp_path):
    write_images(tmp_path, ["a.png", "b.png", "c.png"])
    write_tsv(tmp_path, [("a.png", "one"), ("x.png", "x"), ("y.png", "y")])
    with pytest.raises(ValueError, match="2 of 3 without, the first.*'x.png'"):
        datasets.load(tmp_path, image_shape=(4, 4, 3))
    data = datasets.load(tmp_path, image_shape=(4, 4, 3), skip_broken=True)
    assert data.captions == (("one",),)
    write_tsv(tmp_path, [("a.png", "one")])
    with pytest.raises(
        ValueError, match="images with their caption.*2 of 3.*b"
    ):
        datasets.load(tmp_path, image_shape=(4, 4, 3))


@pytest.mark.parametrize(
    "text, words",
    [
        ("", "no lines"),
        ("image\tcaption\n", "no lines"),
        ("file\tcaption\na.png\tone\n", "names the columns image and caption"),
        ("image\tcaption\na.png\tone\na.png\t \n", "entry 2 without caption"),
        ("image\tcaption\na.png\n", "entry 1 without caption"),
    ],
)
def test_a_file_of_another_form(tmp_path, text, words):
    write_images(tmp_path, ["a.png"])
    (tmp_path / "captions.tsv").write_text(text)
    with pytest.raises(ValueError, match=words):
        datasets.load(tmp_path, image_shape=(4, 4, 3))


def test_files_that_are_no_text(tmp_path):
    write_images(tmp_path, ["a.png"])
    (tmp_path / "captions.jsonl").write_text('{"image": "a.png", "cap')
    with pytest.raises(ValueError, match="UTF-8 text, a line each"):
        datasets.load(tmp_path, image_shape=(4, 4, 3))
    (tmp_path / "captions.jsonl").write_text('{"a":' * 100_000)
    with pytest.raises(ValueError, match="UTF-8 text, a line each"):
        datasets.load(tmp_path, image_shape=(4, 4, 3))
    (tmp_path / "captions.jsonl").unlink()
    (tmp_path / "captions.tsv").write_bytes(
        b"image\tcaption\na.png\t\xff\xfe\n"
    )
    with pytest.raises(ValueError, match="UTF-8 text, a line each"):
        datasets.load(tmp_path, image_shape=(4, 4, 3))


def test_neighbours_are_of_other_classes():
    rng = np.random.default_rng(0)
    for n in (1, 2, 5, 64, 65):
        labels = rng.integers(max(2, n // 2), size=n)
        most = np.bincount(labels).max()
        order = apart(labels)
        assert sorted(order) == [*range(n)]
        dealt = labels[order]
        same = (dealt[1:] == dealt[:-1]).sum()
        if most <= (n + 1) // 2:
            assert same == 0, (n, labels)
    assert sorted(apart(np.array([3, 3, 3, 1]))) == [0, 1, 2, 3]  # cannot be


def test_pairs_are_a_function_of_seed_and_step():
    data = data_of(np.arange(20) % 4, captions=3)
    one, two = data.pairs(6, seed=1), data.pairs(6, seed=1)
    assert len(one) == 3  # the last two of an epoch are not used
    late = two.batch(5, 2)
    for _ in range(5):
        one.on_epoch_end()
    for a, b in zip(one[2], late, strict=True):
        np.testing.assert_array_equal(a, b)
    assert any(np.any(a != b) for a, b in zip(one[1], late, strict=True))
    seen = {tuple(e) for i in range(3) for e in one[i][1]}
    assert len(seen) == 18


def test_a_pair_belongs_together():
    data = data_of(np.arange(20) % 4, captions=2)
    images, embeddings = data.pairs(8, flip=False)[0]
    first = np.round((images[:, 0, 0, 0] + 1) * 127.5).astype(int)
    for pixel, (length, _) in zip(first, embeddings, strict=True):
        assert int(length - 1) // 10 == pixel // 12
    captions = {int(e[0] - 1) % 10 for e in embeddings}
    assert captions == {0, 1}  # one of the two at random


def test_parts_and_encodings():
    data = data_of([0, 1, 0, 2])
    part = data.part(np.array([3, 0]), "some")
    assert part.captions == (data.captions[3], data.captions[0])
    np.testing.assert_array_equal(part.embeddings[0], data.embeddings[3])
    assert part.split == "some"
    assert data.encoded(text_encoder(lengths)) is data
    other = data.encoded(text_encoder(lambda texts: [[0.0]] * len(texts)))
    assert other.embeddings[0].shape == (1, 1)
    assert data.fingerprint() != other.part(slice(0, 3)).fingerprint()
    # A caption that changes is other data.
    from dataclasses import replace

    changed = replace(data, captions=(("other",), *data.captions[1:]))
    assert changed.fingerprint() != data.fingerprint()


def test_examples_are_of_many_classes():
    data = data_of([0, 0, 0, 1, 1, 2])
    expected = tuple(data.captions[i] for i in (0, 3, 5, 1))
    assert data.examples(4).captions == expected
    import dataclasses

    plain = dataclasses.replace(data, labels=None)
    assert len(set(plain.examples(3).captions)) == 3


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"batch_size": 1}, "at least 2 pairs"),
        ({"batch_size": 0}, "positive integer"),
        ({"crop": (3, 2)}, "at least 3x2 pixels"),
    ],
)
def test_pairs_that_cannot_be(arguments, words):
    with pytest.raises(ValueError, match=words):
        data_of([0, 1, 2]).pairs(**arguments)


def test_captions_have_to_be_encoded_first():
    import dataclasses

    data = dataclasses.replace(data_of([0, 1]), embeddings=())
    with pytest.raises(ValueError, match="data.encoded"):
        data.pairs(2)


def test_flowers_are_split_by_class():
    archive = SHARED / "data" / "flowers102.zip"
    if not archive.is_file():
        pytest.skip("needs flowers102.zip")
    train, test = (
        datasets.load("flowers102", s, data_dir=archive, image_shape=(8, 8, 3))
        for s in ("train", "test")
    )
    assert len(train) + len(test) == 8189
    classes = [set(data.labels.tolist()) for data in (train, test)]
    assert [*map(len, classes)] == [82, 20] and not classes[0] & classes[1]
    assert train.classes[76] == "passion flower"
    assert all(len(texts) == 1 and texts[0] for texts in train.captions)


def test_classes_of_some_images_are_refused(tmp_path):
    write_images(tmp_path, ["a.png", "b.png"])
    rows = [("a.png", "one", "rose"), ("b.png", "two", "")]
    write_tsv(tmp_path, rows, "image\tcaption\tclass")
    with pytest.raises(ValueError, match="every image.*1 of 2.*'b.png'"):
        datasets.load(tmp_path, image_shape=(4, 4, 3))
    # One line of an image says it for all.
    write_tsv(
        tmp_path, [*rows, ("b.png", "too", "tulip")], "image\tcaption\tclass"
    )
    data = datasets.load(tmp_path, image_shape=(4, 4, 3))
    assert data.classes == ("rose", "tulip")
    np.testing.assert_array_equal(data.labels, [0, 1])


def test_class_numbers_from_zero_in_json(tmp_path):
    write_images(tmp_path, ["a.png", "b.png"])
    rows = [
        {"image": "./a.png", "caption": "one", "class": 0},
        {"image": "b.png", "caption": "two", "class": 2, "class_name": "c"},
    ]
    text = "\ufeff" + "\n".join(json.dumps(row) for row in rows)
    (tmp_path / "captions.jsonl").write_text(text, encoding="utf-8")
    data = datasets.load(tmp_path, image_shape=(4, 4, 3))
    np.testing.assert_array_equal(data.labels, [0, 2])
    assert data.classes == ("", "", "c")


def test_long_class_numbers_are_names(tmp_path):
    write_images(tmp_path, ["a.png", "b.png"])
    for long in ("9" * 20, "9" * 5000):
        rows = [("a.png", "one", "1"), ("b.png", "two", long)]
        write_tsv(tmp_path, rows, "image\tcaption\tclass")
        data = datasets.load(tmp_path, image_shape=(4, 4, 3))
        assert data.classes == ("1", long) and data.labels.tolist() == [0, 1]


def test_a_link_to_nothing_is_no_image(tmp_path):
    write_images(tmp_path, ["a.png"])
    (tmp_path / "b.png").symlink_to(tmp_path / "none.png")
    write_tsv(tmp_path, [("a.png", "one"), ("b.png", "two")])
    with pytest.raises(ValueError, match="1 of 2 without, the first is 'b.png"):
        datasets.load(tmp_path, image_shape=(4, 4, 3))


def test_a_quotation_mark_is_one(tmp_path):
    write_images(tmp_path, ["a.png", "b.png"])
    write_tsv(tmp_path, [("a.png", '"red", it says'), ("b.png", "two")])
    data = datasets.load(tmp_path, image_shape=(4, 4, 3))
    assert data.captions == (('"red", it says',), ("two",))


def test_a_name_of_two_files(tmp_path):
    write_images(tmp_path, ["red/1.png", "blue/1.png"])
    write_tsv(tmp_path, [("1.png", "a red flower")])
    with pytest.raises(ValueError, match="'1.png', which .* are"):
        datasets.load(tmp_path, image_shape=(4, 4, 3), skip_broken=True)
