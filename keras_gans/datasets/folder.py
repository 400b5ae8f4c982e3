"""A folder of pictures, of any sizes and channels, as one uint8 array.

Pictures are decoded once, in parallel, resized and cropped to one size, and
kept in the cache as a memory map: the next start takes no time, and a data set
may be larger than the memory.
"""

import concurrent.futures
import hashlib
import json
import math
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_gans.datasets.data import ImageData
from keras_gans.files import (
    cache_folder,
    first_line,
    let_go,
    regular,
    text_of,
    told,
    written_aside,
)

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff"}


def from_folder(
    folder: str | Path,
    image_shape: tuple[int, int, int],
    skip_broken: bool = False,
) -> ImageData:
    """Read all pictures below a folder; subfolders, if any, are the classes.

    Args:
        folder: Searched with all its subfolders.
        image_shape: `(height, width, channels)` to make of every picture: the
            largest centred crop of that shape, resized bicubically; 1 channel
            is gray, 3 are RGB.
        skip_broken: Leave out files that cannot be read, instead of refusing
            the folder.

    Raises:
        ValueError: If there is no folder, no readable picture, or a broken one
            (which is named).
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(
            f"Expected a folder of pictures. Received: {str(folder)!r}, which "
            "is none. Check the path."
        )
    files = sorted(
        f
        for f in folder.rglob("*")
        if f.suffix.lower() in SUFFIXES and f.is_file()
    )
    images, kept = decode(files, image_shape, skip_broken, folder)
    parents = [f.relative_to(folder).parts[:-1] for f in kept]
    classes = sorted({p[0] for p in parents if p})
    labels = None
    if all(parents) and len(classes) > 1:
        labels = np.array([classes.index(p[0]) for p in parents], np.int64)
    return ImageData(
        folder.resolve().name,
        images,
        labels,
        tuple(classes) if labels is not None else (),
    )


def pictures_in(paths: Sequence[str | Path]) -> dict[Path, str]:
    """Files, and all pictures below folders, each with a PNG's name of its own.

    Raises:
        ValueError: If a path is neither, or there is no picture.
    """
    files = []
    for path in map(Path, paths):
        if path.is_dir():
            files += sorted(
                f for f in path.rglob("*") if f.suffix.lower() in SUFFIXES
            )
        elif path.is_file():
            files.append(path)
        else:
            raise ValueError(
                "Expected pictures, or folders of them. Received: "
                f"{str(path)!r}, which is neither. Check the path."
            )
    if not files:
        raise ValueError(
            f"Expected pictures ({', '.join(sorted(SUFFIXES))}). Received: "
            f"{', '.join(map(str, paths))}, without any. Check the path."
        )
    named = {}
    for file in files:
        stem, n = file.stem, 1
        while f"{stem}.png" in named.values():
            stem, n = f"{file.stem}_{n}", n + 1
        named[file] = f"{stem}.png"
    return named


def read_picture(path: Path, channels: int) -> np.ndarray:
    """A picture at its own size, uint8 `[height, width, channels]`.

    Raises:
        ValueError: If it cannot be read.
    """
    from PIL import ImageOps

    try:
        with opened(path) as file:
            picture = converted(ImageOps.exif_transpose(file), channels)
    except Exception as error:  # Pillow raises many kinds
        raise ValueError(
            "Expected a picture that can be read. Received: "
            f"{path} ({first_line(error)}). Mend it, or leave it out."
        ) from None
    width, height = picture.size
    return np.asarray(picture, np.uint8).reshape(height, width, channels)


def decode(
    files: Sequence[Path],
    image_shape: tuple[int, int, int],
    skip_broken: bool,
    source: Path,
) -> tuple[np.ndarray, list[Path]]:
    """Decode files in parallel into a cached memory map.

    Returns:
        `(images, files)`: uint8 `[n, *image_shape]`, read-only, and the files
        that are in it.
    """
    height, width, channels = image_shape
    if channels not in (1, 3):
        raise ValueError(
            "Expected 1 channel (gray) or 3 (RGB). Received: "
            f"image_shape={tuple(image_shape)}. Choose one of them."
        )
    if not files:
        raise ValueError(
            f"Expected pictures ({', '.join(sorted(SUFFIXES))}). Received: "
            f"{str(source)!r}, which has none. Check the path."
        )
    key = _key(files, image_shape, skip_broken)
    array = cache_folder("decoded") / f"{key}.npy"
    index = array.with_suffix(".json")
    found = _decoded(array, index, len(files), image_shape)
    if found is None:
        kept = _decode_all(files, image_shape, skip_broken, source, array)
        with written_aside(index) as file:
            file.write(json.dumps(kept).encode())
        found = np.load(array, mmap_mode="r"), kept
    images, kept = found
    return images, [files[i] for i in kept]


def _decoded(
    array: Path, index: Path, n: int, image_shape: tuple[int, int, int]
) -> tuple[np.ndarray, list[int]] | None:
    """What the cache has of n files, unless it is missing or damaged."""
    try:
        kept = json.loads(text_of(index))
        images = np.load(array, mmap_mode="r")
        whole = (
            images.dtype == np.uint8
            and images.shape == (len(kept), *image_shape)
            and all(type(i) is int and 0 <= i < n for i in kept)
            and kept == sorted({*kept})
        )
    except Exception:  # NumPy raises many kinds; each means "damaged"
        return None
    return (images, kept) if whole else None


def decode_one(path: Path, image_shape: tuple[int, int, int]) -> np.ndarray:
    """One picture as uint8 `[height, width, channels]`."""
    from PIL import ImageOps

    with opened(path) as file:
        return fitted(ImageOps.exif_transpose(file), image_shape)


# Of Pillow's readers those of `SUFFIXES`. Others run programs, for PostScript.
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP")
# However small the file, 50 MB as RGB, and more for each of its bytes. Of
# photographs a byte has about ten; a large scan of an empty page is refused.
MOST_PIXELS, PIXELS_A_BYTE = 1 << 24, 32


def opened(path: Path) -> Any:
    """A Pillow image of a file, not decoded yet.

    Raises:
        OSError: If it is no picture, or claims far more pixels than its bytes
            account for.
    """
    from PIL import Image

    picture = Image.open(regular(path), formats=FORMATS)
    size, pixels = path.stat().st_size, math.prod(picture.size)
    if pixels > MOST_PIXELS + PIXELS_A_BYTE * size:
        picture.close()
        raise OSError(f"{pixels} pixels in {size} bytes")
    return picture


def fitted(picture: Any, image_shape: tuple[int, int, int]) -> np.ndarray:
    """A Pillow image as uint8 `[height, width, channels]`, cropped, resized."""
    from PIL import Image, ImageOps

    height, width, channels = image_shape
    picture = converted(picture, channels)
    picture = ImageOps.fit(picture, (width, height), Image.Resampling.BICUBIC)
    return np.asarray(picture, np.uint8).reshape(height, width, channels)


def converted(picture: Any, channels: int) -> Any:
    """A Pillow image of any kind as one of 8 bits, gray (1) or RGB (3)."""
    from PIL import Image

    if picture.mode.startswith("I") or picture.mode == "F":
        picture = _to_8_bits(picture)
    if picture.has_transparency_data:  # on white, as a page shows it
        picture = picture.convert("RGBA")
        ground = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(ground, picture)
    return picture.convert("L" if channels == 1 else "RGB")


def _to_8_bits(picture: Any) -> Any:
    """A picture of 16-bit or floating gray as one of 8 bits.

    Pillow's own conversion clips: all that is above 255 would be white.
    """
    from PIL import Image

    values = np.asarray(picture, np.float64)
    if picture.mode == "F":  # no unit: from the darkest to the brightest
        low, high = values.min(), values.max()
        values = (values - low) / ((high - low) or 1.0) * 255.0
    elif values.max() > 255 or picture.mode.startswith("I;16"):
        values = values / 257.0  # 65,535 is white
    return Image.fromarray(np.rint(values).clip(0, 255).astype(np.uint8))


def _decode_all(
    files: Sequence[Path],
    image_shape: tuple[int, int, int],
    skip_broken: bool,
    source: Path,
    target: Path,
) -> list[int]:
    """Decode into the npy file `target`; indices of the files that are in it.

    On the disk all the time: no more than a few pictures are in memory.
    """
    broken = []
    with (
        told(target, inside=True),
        tempfile.TemporaryDirectory(dir=target.parent) as aside,
    ):
        path = Path(aside) / "images.npy"
        images = _new_map(path, (len(files), *image_shape))

        def decode_into(i):
            try:
                images[i] = decode_one(files[i], image_shape)
            except Exception:  # Pillow raises many kinds; each means "broken"
                broken.append(i)

        bar = keras.utils.Progbar(len(files), unit_name="picture")
        # Threads: Pillow decodes outside of Python's lock.
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            for start in range(0, len(files), 100):
                stop = min(start + 100, len(files))
                list(pool.map(decode_into, range(start, stop)))
                bar.update(stop)
                let_go(images)
        broken.sort()
        if broken and not skip_broken:
            raise ValueError(
                "Expected pictures that can be read. Received: "
                f"{files[broken[0]]}, the first of {len(broken)} that cannot. "
                "Mend or remove them, or pass `skip_broken=True` "
                "(--skip-broken)."
            )
        kept = sorted({*range(len(files))} - {*broken})
        if not kept:
            raise ValueError(
                "Expected at least one picture that can be read. Received: "
                f"{str(source)!r}, where none of {len(files)} can. Check the "
                "files."
            )
        if broken:
            whole, path = images, Path(aside) / "kept.npy"
            images = _new_map(path, (len(kept), *image_shape))
            for i, j in enumerate(kept):
                images[i] = whole[j]
                let_go(images)
                let_go(whole)
        images.flush()
        os.replace(path, target)
    return kept


def _new_map(path: Path, shape: tuple[int, ...]) -> np.memmap:
    """A memory map to be written, whose room on the disk is kept for it.

    Without that a full disk ends the process: the map's writes have no errors.
    """
    images = np.lib.format.open_memmap(path, "w+", np.uint8, shape)
    with open(path, "r+b") as file:
        os.posix_fallocate(file.fileno(), 0, images.offset + images.nbytes)
    return images


def _key(files: Sequence[Path], image_shape: tuple, skip_broken: bool) -> str:
    """Changes when a file, the shape or the way of decoding does."""
    hasher = hashlib.sha256(repr((image_shape, skip_broken, 2)).encode())
    for path in files:
        status = path.stat()
        facts = (str(path.resolve()), status.st_size, status.st_mtime_ns)
        hasher.update(repr(facts).encode())
    return hasher.hexdigest()[:32]
