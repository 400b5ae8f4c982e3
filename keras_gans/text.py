"""Text encoders: sentences to vectors, behind one small interface.

`encode(texts) -> float32 [n, d]` is all that a model asks of one. "wordllama"
is in the extra `text`, with its weights; any function of yours will do:

```python
model = keras_gans.StackGANStage1(text_dim=768, text_encoder=my_function)
```
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

MOST_WORDS = 1000  # of a text; captions have some 15


@dataclasses.dataclass(frozen=True)
class TextEncoder:
    """A text encoder, and what cards call it.

    Args:
        name: Of the encoder.
        encode: From a list of n texts to `[n, d]`; None where only its name is
            known, of a model that was trained with a function.
    """

    name: str
    encode: Callable[[list[str]], Any] | None

    def __call__(self, texts: str | Sequence[str]) -> np.ndarray:
        """Encode texts.

        Args:
            texts: One, or several.

        Returns:
            float32 `[n, d]`.

        Raises:
            ValueError: If a text is empty, no string or too long, or the
                encoder gives something else than n finite vectors.
            ImportError: If "wordllama" is not installed.
        """
        texts = check_texts(texts)
        if self.encode is None:
            raise ValueError(
                "Expected the text encoder that this model was trained with, "
                f"{self.name!r}. Received: its name alone. Set "
                "`model.text_encoder` to the function, or pass `embeddings`; "
                "known by name is 'wordllama'."
            )
        vectors = np.asarray(self.encode(texts), np.float32)
        if vectors.ndim != 2 or len(vectors) != len(texts):
            raise ValueError(
                f"Expected vectors [{len(texts)}, d] of the text encoder "
                f"{self.name!r}. Received: shape={vectors.shape}. Let it take "
                "a list of texts and give a vector each."
            )
        if not np.isfinite(vectors).all():
            raise ValueError(
                f"Expected finite vectors of the text encoder {self.name!r}. "
                "Received: NaN or infinity. Mend the function."
            )
        return vectors


def text_encoder(given: Any) -> TextEncoder:
    """A text encoder by name, or a function as one.

    Args:
        given: "wordllama" (256 numbers a text), a function from a list of texts
            to `[n, d]`, or the name of one that is not at hand.

    Raises:
        ValueError: If it is neither a name nor a function.

    Example:

    ```python
    encode = keras_gans.text.text_encoder("wordllama")
    encode(["a purple flower with a yellow centre"]).shape  # (1, 256)
    ```
    """
    if isinstance(given, TextEncoder):
        return given
    if isinstance(given, str) and given:
        known = {"wordllama": wordllama}
        return TextEncoder(given, known.get(given))
    if callable(given):
        name = getattr(given, "__name__", type(given).__name__)
        return TextEncoder(name, given)
    raise ValueError(
        "Expected `text_encoder` as 'wordllama', or a function from texts to "
        f"vectors. Received: {given!r}. Leave it out for 'wordllama'."
    )


def wordllama(texts: list[str]) -> np.ndarray:
    """WordLlama's mean of token vectors, float32 `[n, 256]`.

    Lee Miller, 2024, https://github.com/dleemiller/WordLlama (MIT).
    """
    return _wordllama().embed(texts)


@functools.cache
def _wordllama() -> Any:
    try:
        import wordllama as package
    except ImportError:
        raise ImportError(
            "Expected wordllama to encode texts. Received: no such package. "
            "Install it with `pip install keras_gans[text]`, or pass "
            "`embeddings` of your own encoder."
        ) from None
    # Its weights are in the package; it would look for the tokenizer elsewhere.
    return package.WordLlama.load(
        cache_dir=Path(package.__file__).parent, disable_download=True
    )


def check_texts(texts: Any) -> list[str]:
    """The texts as a list, or a `ValueError` that says which one is wrong."""
    listed = [texts] if isinstance(texts, str) else texts
    if isinstance(listed, (dict, bytes)) or not np.iterable(listed):
        raise ValueError(
            "Expected a text, or several. Received: "
            f"{type(texts).__name__}. Pass texts=['a red flower'], say."
        )
    listed = list(listed)
    if not listed:
        raise ValueError(
            "Expected at least one text. Received: none. Pass "
            "texts=['a red flower'], say."
        )
    for i, text in enumerate(listed):
        if not isinstance(text, str):
            raise ValueError(
                f"Expected texts as strings. Received: {text!r:.60}, a "
                f"{type(text).__name__}, at index {i}. Decode or leave it out."
            )
        if not text.strip():
            raise ValueError(
                f"Expected texts with words in them. Received: {text!r:.20} at "
                f"index {i}. Leave it out, or describe the image."
            )
        words = len(text.split())
        if words > MOST_WORDS or len(text) > 10 * MOST_WORDS:
            raise ValueError(
                f"Expected texts of at most {MOST_WORDS} words. Received: "
                f"{words} words, {len(text)} characters, at index {i}. A "
                "sentence is what the models were trained on."
            )
    return [str(text) for text in listed]


def check_embeddings(
    embeddings: Any, text_dim: int, encoder: TextEncoder
) -> np.ndarray:
    """They as float32 `[n, text_dim]`, or a `ValueError` with both widths."""
    vectors = np.asarray(embeddings)
    if vectors.dtype.kind not in "fiu" or vectors.ndim != 2 or not len(vectors):
        raise ValueError(
            f"Expected `embeddings` as numbers [n, {text_dim}]. Received: "
            f"{vectors.dtype} of shape={vectors.shape}. Encode the texts with "
            "`model.encode(texts)`."
        )
    if vectors.shape[1] != text_dim:
        raise ValueError(
            f"Expected embeddings {text_dim} wide, as of the text encoder "
            f"{encoder.name!r} that the model is for. Received: "
            f"{vectors.shape[1]} wide. Encode the texts with it, or build a "
            f"model with text_dim={vectors.shape[1]}."
        )
    with np.errstate(over="ignore"):  # found below
        vectors = vectors.astype(np.float32)
    if not np.isfinite(vectors).all():
        raise ValueError(
            "Expected finite `embeddings`. Received: NaN or infinity. Leave "
            "them out, or mend the step that made them."
        )
    return vectors
