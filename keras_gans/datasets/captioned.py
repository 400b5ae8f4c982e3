"""Images with captions: from a folder, and as pairs to train on."""

import csv
import dataclasses
import hashlib
import json
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from keras_gans.datasets.data import (
    WHOLE,
    ImageData,
    ShuffledBatches,
    augmented,
    check_batching,
    read_rows,
    rows_of,
)
from keras_gans.datasets.folder import SUFFIXES, decode
from keras_gans.text import TextEncoder, check_texts

FILES = ("captions.tsv", "captions.jsonl")


@dataclasses.dataclass(frozen=True)
class CaptionedData(ImageData):
    """Images, one or several captions of each, and a class where known.

    Args:
        name, images, labels, classes, split: As in `ImageData`.
        captions: Of each image, one or several.
        embeddings: Of each image float32 `[captions, d]`, or none yet.
        encoder: Name of the text encoder that made them.
    """

    captions: tuple[tuple[str, ...], ...] = ()
    embeddings: tuple[np.ndarray, ...] = ()
    encoder: str = ""

    def part(self, chosen: Any, split: str | None = None) -> "CaptionedData":
        """Some of the images, by a slice or an array of indices."""
        places = np.arange(len(self))[chosen]
        return dataclasses.replace(
            super().part(chosen, split),
            captions=tuple(self.captions[i] for i in places),
            embeddings=tuple(self.embeddings[i] for i in places)
            if self.embeddings
            else (),
        )

    def fingerprint(self) -> str:
        """A hash of up to 1,000 images, all labels and all captions."""
        both = super().fingerprint() + json.dumps(self.captions)
        return hashlib.sha256(both.encode()).hexdigest()[:16]

    def encoded(self, encoder: TextEncoder) -> "CaptionedData":
        """The same with embeddings of all captions, kept if it has them."""
        # Two functions without a name have one: they are two encoders.
        if self.embeddings and self.encoder == encoder.name != "<lambda>":
            return self
        vectors = encoder([text for texts in self.captions for text in texts])
        ends = np.cumsum([len(texts) for texts in self.captions])
        return dataclasses.replace(
            self,
            embeddings=tuple(np.split(vectors, ends[:-1])),
            encoder=encoder.name,
        )

    def first_embeddings(self, encoder: TextEncoder) -> np.ndarray:
        """Of the first caption of each image, float32 `[n, d]`."""
        vectors = self.encoded(encoder).embeddings
        return np.stack([of_image[0] for of_image in vectors])

    def examples(self, n: int = 10) -> "CaptionedData":
        """Some n of the images, of as many classes as there are."""
        if self.labels is None:
            n = min(n, len(self))
            chosen = np.linspace(0, len(self) - 1, n).round().astype(int)
        else:
            # The first image of each class, then the second, ...
            _, classes = np.unique(self.labels, return_inverse=True)
            before = np.zeros(len(self), np.int64)
            for i in range(classes.max() + 1):
                own = classes == i
                before[own] = np.arange(own.sum())
            chosen = np.lexsort((classes, before))[:n]
        return self.part(chosen)

    def pairs(
        self,
        batch_size: int = 64,
        seed: int = 0,
        flip: bool = True,
        crop: tuple[int, int] | None = None,
    ) -> "CaptionedBatches":
        """Batches (images, embeddings) as `fit` takes them.

        In a batch an image's neighbour is of another class wherever that can
        be: its text is the wrong one that the image is paired with.

        Args:
            batch_size: Pairs a batch. What is left of an epoch is not used.
            seed: Of the order of each epoch, of the caption that is taken of
                several, and of flips and crops.
            flip: Mirror half of the images, left to right.
            crop: `(height, width)` to cut of each image, anywhere in it.

        Raises:
            ValueError: If there are no embeddings yet, or the images are
                smaller than `crop`.
        """
        if not self.embeddings:
            raise ValueError(
                "Expected captions with their embeddings. Received: "
                f"{self.name!r} without. Make them with "
                "`data.encoded(model.text_encoder)`."
            )
        check_batching(self, batch_size, crop)
        if batch_size < 2:
            raise ValueError(
                "Expected batches of at least 2 pairs, of which one's text is "
                f"wrong for the other. Received: batch_size={batch_size}. The "
                "paper's is 64."
            )
        return CaptionedBatches(self, batch_size, seed, flip, crop)


class CaptionedBatches(ShuffledBatches):
    """Images and their texts' embeddings. Made by `CaptionedData.pairs`."""

    def __len__(self) -> int:
        return max(1, len(self.data) // self.batch_size)

    def sizes(self) -> tuple[int, int]:
        n = min(len(self.data), self.batch_size)
        return n, n

    def batch(
        self, epoch: int, index: int, share: tuple[int, int] = WHOLE
    ) -> tuple[np.ndarray, np.ndarray]:
        """Batch `index` of `epoch`: images in [-1, 1], embeddings."""
        data, start = self.data, index * self.batch_size
        order = self.order(epoch, len(data))
        chosen = order[start : start + self.batch_size]
        if data.labels is not None:
            chosen = chosen[apart(data.labels[chosen])]
        generator = np.random.default_rng((self.seed, epoch, index))
        embeddings = [
            vectors[generator.integers(len(vectors))]
            for vectors in (data.embeddings[i] for i in chosen)
        ]
        n, rows = len(chosen), rows_of(share, len(chosen))
        images = read_rows(data.images, chosen[rows])
        images = augmented(images, generator, self.flip, self.crop, n, rows)
        return images, np.stack(embeddings[rows])


def apart(labels: np.ndarray) -> np.ndarray:
    """An order in which no two neighbours are of one class, if there is one.

    Sorted by the size of the class and dealt to every second place: no class
    that fills at most half of them, rounded up, meets itself.

    Args:
        labels: Classes `[n]`.

    Returns:
        A permutation of 0 .. n - 1.
    """
    _, classes, counts = np.unique(
        labels, return_inverse=True, return_counts=True
    )
    by_size = np.lexsort((classes, -counts[classes]))
    order = np.empty_like(by_size)
    places = np.concatenate(
        [np.arange(0, len(labels), 2), np.arange(1, len(labels), 2)]
    )
    order[places] = by_size
    return order


def has_captions(folder: Path) -> bool:
    """Whether a folder has a file of captions."""
    return any((folder / name).is_file() for name in FILES)


def from_captions(
    folder: Path,
    image_shape: tuple[int, int, int],
    skip: bool = False,
    name: str | None = None,
    first_class: int | None = None,
) -> CaptionedData:
    """The pictures of a folder that its file of captions names.

    `captions.tsv` has a header with the columns image and caption, and
    optionally class and class_name; `captions.jsonl` an object a line with
    these fields. An image may have several lines. Images lie beside the file
    or in folders below it.

    Args:
        folder: Where the file is.
        image_shape: As in `datasets.load`.
        skip: Leave out images without a caption, captions without an image,
            and pictures that cannot be read, instead of raising.
        name: Of the data set. Defaults to the folder's.
        first_class: Where classes are numbers, the one that becomes 0.
            Defaults to the smallest.

    Raises:
        ValueError: If the file has another form; if there are images without
            a caption or captions without an image: how many, and the first; if
            some images have a class and others none; if the bare name of a
            file is that of two.
    """
    path = next(folder / name for name in FILES if (folder / name).is_file())
    rows = _rows(path)
    found = {
        f.relative_to(folder).as_posix(): f
        for f in sorted(folder.rglob("*"))
        if f.suffix.lower() in SUFFIXES and f.is_file()
    }
    by_name: dict[str, list[str]] = {}
    for place in found:
        by_name.setdefault(Path(place).name, []).append(place)
    captions: dict[str, list[str]] = {}
    labels: dict[str, str] = {}
    names: dict[str, str] = {}
    for row in rows:
        image = PurePosixPath(row["image"]).as_posix()  # without "./"
        places = [image] if image in found else by_name.get(image, [image])
        if len(places) > 1:
            raise ValueError(
                f"Expected {path} to name one file. Received: {image!r}, which "
                f"{places[0]} and {places[1]} are. Write the path."
            )
        (image,) = places
        captions.setdefault(image, []).append(row["caption"].strip())
        # A number in JSON, and 0 is one.
        label, word = (str(row.get(key)) for key in ("class", "class_name"))
        label = word if label in ("None", "") else label
        if label not in ("None", ""):
            labels[image] = label
            names.setdefault(label, "" if word == "None" else word)
    without_image = [image for image in captions if image not in found]
    without_caption = [image for image in found if image not in captions]
    for lonely, of, what, lacks in (
        (without_image, captions, "captions", "image"),
        (without_caption, found, "images", "caption"),
    ):
        if lonely and not skip:
            raise ValueError(
                f"Expected {what} with their {lacks} in {folder}. Received: "
                f"{len(lonely)} of {len(of)} without, the first is "
                f"{lonely[0]!r}. Add what is missing, or leave them out with "
                "skip_broken=True (--skip-broken)."
            )
    files = {found[image]: image for image in captions if image in found}
    if not files:
        raise ValueError(
            f"Expected images with captions in {folder}. Received: none. Name "
            f"the files in {path.name} as they are."
        )
    images, kept = decode([*files], image_shape, skip, folder)
    chosen = [files[file] for file in kept]
    lonely = [image for image in chosen if image not in labels]
    if labels and lonely:
        raise ValueError(
            f"Expected a class of every image in {path}, or of none. "
            f"Received: {len(lonely)} of {len(chosen)} without, the first is "
            f"{lonely[0]!r}. Add it, or leave the column out."
        )
    numbers, classes = None, ()
    if labels:
        given = [labels[image] for image in chosen]
        numbers, classes = _classes(given, names, first_class)
    return CaptionedData(
        name or folder.resolve().name,
        images,
        numbers,
        classes,
        captions=tuple(tuple(captions[image]) for image in chosen),
    )


def _rows(path: Path) -> list[dict[str, str]]:
    """The lines of a file of captions, each with an image and a caption."""
    try:
        # A byte-order mark, as some editors write it, is no part of a name.
        with open(path, encoding="utf-8-sig", newline="") as file:
            if path.suffix == ".tsv":
                # A quotation mark is one, and no bracket around lines.
                how = {"delimiter": "\t", "quoting": csv.QUOTE_NONE}
                rows = list(csv.DictReader(file, **how))
            else:
                rows = [json.loads(line) for line in file if line.strip()]
    except (ValueError, csv.Error, RecursionError) as error:  # UTF-8's, too
        raise ValueError(
            f"Expected {path} as UTF-8 text, a line each. Received: "
            f"{str(error):.100}. Write it again."
        ) from None
    columns = [*rows[0]] if rows and isinstance(rows[0], dict) else []
    if (
        path.suffix == ".tsv"
        and rows
        and not {"image", "caption"} <= {*columns}
    ):
        raise ValueError(
            f"Expected {path} with a first line that names the columns image "
            f"and caption, a tab between. Received: {columns!r:.100}. Add it."
        )
    for i, row in enumerate(rows, 1):
        for field in ("image", "caption"):
            value = row.get(field) if isinstance(row, dict) else None
            if not isinstance(value, str) or not value.strip():
                raise ValueError(
                    f"Expected {path} with an image and a caption in every "
                    f"line. Received: entry {i} without {field}. Mend that "
                    "line."
                )
        check_texts(row["caption"])
    if not rows:
        raise ValueError(
            f"Expected {path} with the columns image and caption. Received: "
            "no lines. Fill it."
        )
    return rows


MOST_CLASSES = 100_000  # numbers further apart are names
MOST_DIGITS = 18  # in 64 bits; longer ones are names, too


def _classes(
    given: list[str], names: dict[str, str], first: int | None
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Class numbers from 0, and the names of the classes."""
    if all(x.isdecimal() and len(x) <= MOST_DIGITS for x in given):
        numbers = np.array([int(label) for label in given], np.int64)
        first = int(numbers.min()) if first is None else first
        most = int(numbers.max())
        if first <= numbers.min() and most - first < MOST_CLASSES:
            by_number = {int(label): names[label] for label in set(given)}
            return numbers - first, tuple(
                by_number.get(i, "") for i in range(first, most + 1)
            )
    known = sorted(set(given))
    places = {label: i for i, label in enumerate(known)}
    numbers = np.array([places[label] for label in given], np.int64)
    return numbers, tuple(names[label] or label for label in known)
