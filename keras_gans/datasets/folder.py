"""A folder of pictures, of any sizes and channels, as one uint8 array.

Pictures are decoded once, in parallel, resized and cropped to one size, and
kept in the cache as a memory map: the next start takes no time, and a data set
may be larger than the memory.
"""

import concurrent.futures
import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from keras_gans.datasets.data import ImageData
from keras_gans.files import cache_folder, written_aside

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
        folder.name,
        images,
        labels,
        tuple(classes) if labels is not None else (),
    )


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
    if not (array.is_file() and index.is_file()):
        images, broken = _decode_all(files, image_shape)
        if broken and not skip_broken:
            raise ValueError(
                f"Expected pictures that can be read. Received: {broken[0]}"
                f", the first of {len(broken)} that cannot. Mend or remove "
                "them, or pass `skip_broken=True`."
            )
        kept = [i for i, f in enumerate(files) if f not in set(broken)]
        if not kept:
            raise ValueError(
                "Expected at least one picture that can be read. Received: "
                f"{str(source)!r}, where none of {len(files)} can. Check the "
                "files."
            )
        with written_aside(array) as file:
            np.save(file, images[kept])
        with written_aside(index) as file:
            file.write(json.dumps(kept).encode())
    kept = json.loads(index.read_text())
    return np.load(array, mmap_mode="r"), [files[i] for i in kept]


def decode_one(path: Path, image_shape: tuple[int, int, int]) -> np.ndarray:
    """One picture as uint8 `[height, width, channels]`."""
    from PIL import Image, ImageOps

    height, width, channels = image_shape
    with Image.open(path) as file:
        picture = ImageOps.exif_transpose(file)
        picture = picture.convert("L" if channels == 1 else "RGB")
    picture = ImageOps.fit(picture, (width, height), Image.Resampling.BICUBIC)
    return np.asarray(picture, np.uint8).reshape(height, width, channels)


def _decode_all(
    files: Sequence[Path], image_shape: tuple[int, int, int]
) -> tuple[np.ndarray, list[Path]]:
    images = np.zeros((len(files), *image_shape), np.uint8)
    broken = []

    def decode_into(i):
        try:
            images[i] = decode_one(files[i], image_shape)
        except Exception:  # Pillow raises many kinds; each means "broken"
            broken.append(files[i])

    bar = keras.utils.Progbar(len(files), unit_name="picture")
    # Threads: Pillow decodes outside of Python's lock.
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for done, _ in enumerate(pool.map(decode_into, range(len(files)))):
            if done % 100 == 99 or done + 1 == len(files):
                bar.update(done + 1)
    return images, sorted(broken)


def _key(files: Sequence[Path], image_shape: tuple, skip_broken: bool) -> str:
    """Changes when a file, the shape or the way of decoding does."""
    hasher = hashlib.sha256(repr((image_shape, skip_broken, 1)).encode())
    for path in files:
        status = path.stat()
        facts = (str(path.resolve()), status.st_size, status.st_mtime_ns)
        hasher.update(repr(facts).encode())
    return hasher.hexdigest()[:32]
