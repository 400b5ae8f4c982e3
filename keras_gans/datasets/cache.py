"""Where fetched and prepared files lie, and the checks that they are whole."""

import hashlib
import os
from pathlib import Path


def cache_folder(*parts: str) -> Path:
    """A folder below the cache, made where it is missing.

    The cache is `~/.cache/keras_gans`, or what the environment variable
    `KERAS_GANS_CACHE` names.
    """
    root = os.environ.get("KERAS_GANS_CACHE") or "~/.cache/keras_gans"
    folder = Path(root).expanduser().joinpath(*parts)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def file_hash(path: str | Path, algorithm: str = "sha256") -> str:
    """Hash of a file's bytes, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()
