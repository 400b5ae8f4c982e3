"""Text encoders: one interface, and what they refuse."""

import sys

import numpy as np
import pytest

from keras_gans.text import check_embeddings, check_texts, text_encoder


def test_a_function_is_an_encoder():
    def lengths(texts):
        return [[len(text), text.count(" ")] for text in texts]

    encode = text_encoder(lengths)
    assert encode.name == "lengths"
    vectors = encode(["red", "a red flower"])
    assert vectors.dtype == np.float32
    np.testing.assert_array_equal(vectors, [[3, 0], [12, 2]])
    np.testing.assert_array_equal(encode("red"), [[3, 0]])
    assert text_encoder(encode) is encode


@pytest.mark.parametrize(
    "function, words",
    [
        (lambda texts: np.zeros(3), r"vectors \[2, d\].*shape=\(3,\)"),
        (lambda texts: np.zeros((1, 3)), r"shape=\(1, 3\)"),
        (lambda texts: np.full((2, 3), np.inf), "NaN or infinity"),
    ],
)
def test_what_a_function_must_give(function, words):
    with pytest.raises(ValueError, match=words):
        text_encoder(function)(["a", "b"])


@pytest.mark.parametrize("given", [None, "", 3, ["wordllama"]])
def test_what_is_no_encoder(given):
    with pytest.raises(ValueError, match="'wordllama', or a function"):
        text_encoder(given)


def test_a_name_alone_encodes_nothing():
    with pytest.raises(ValueError, match="trained with, 'char-CNN-RNN'"):
        text_encoder("char-CNN-RNN")(["red"])


@pytest.mark.parametrize(
    "texts, words",
    [
        ([], "at least one text. Received: none"),
        (None, "Received: NoneType"),
        ({"a": 1}, "Received: dict"),
        (b"red", "Received: bytes"),
        (["red", 3], "3, a int, at index 1"),
        (["red", "\n "], "words in them.*index 1"),
        ("word " * 1001, "1001 words"),
        ("x" * 10_001, "1 words, 10001 characters"),
    ],
)
def test_texts_that_are_refused(texts, words):
    with pytest.raises(ValueError, match=words):
        check_texts(texts)


def test_embeddings_of_another_width():
    encoder = text_encoder("wordllama")
    fine = check_embeddings([[1, 2], [3, 4]], 2, encoder)
    assert fine.dtype == np.float32
    with pytest.raises(ValueError, match="256 wide.*'wordllama'.*Received: 2"):
        check_embeddings(fine, 256, encoder)


def test_without_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "wordllama", None)
    monkeypatch.setattr("keras_gans.text._wordllama", _uncached())
    with pytest.raises(ImportError, match=r"pip install keras_gans\[text\]"):
        text_encoder("wordllama")(["a red flower"])


def _uncached():
    from keras_gans import text

    return text._wordllama.__wrapped__


def test_wordllama_knows_what_is_alike():
    pytest.importorskip("wordllama", reason="needs the extra `text`")
    encode = text_encoder("wordllama")
    a, b, c = encode(
        [
            "this flower has red petals",
            "a flower with petals that are red",
            "the bridge was built of steel in 1932",
        ]
    )
    assert a.shape == (256,) and a.dtype == np.float32

    def cosine(x, y):
        return x @ y / np.linalg.norm(x) / np.linalg.norm(y)

    assert cosine(a, b) > 0.7 > 0.4 > cosine(a, c)
    np.testing.assert_array_equal(
        encode("a red flower"), encode("a red flower")
    )
