"""Files: written whole or not at all, fetched and checked, kept in a cache."""

import contextlib
import hashlib
import http.client
import os
import re
import tempfile
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras

# Read once: it can only be had by setting it, for all threads.
UMASK = os.umask(0)
os.umask(UMASK)


@contextlib.contextmanager
def written_aside(path: str | Path) -> Iterator[Any]:
    """Open a binary file that takes the place of `path` once it is whole.

    Written under another name in the same folder, flushed to the disk, then
    renamed: a reader, or a run that is killed, sees the old file or the new.
    """
    path = Path(path)
    handle, aside = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(aside, 0o666 & ~UMASK)
        os.replace(aside, path)
    except BaseException as error:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(aside)
        if isinstance(error, OSError) and error.errno and not error.filename:
            # A full disk says where.
            raise OSError(error.errno, error.strerror, str(path)) from None
        raise


def writable_folder(folder: str | Path) -> Path:
    """Make `folder` where it is missing, and prove that it can be written.

    Raises:
        ValueError: If it cannot be made or written, before any work is lost.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ValueError(
            "Expected an output folder that can be written. Received: "
            f"{str(folder)!r} ({error.strerror}). Choose another folder, or "
            "change its permissions."
        ) from None
    return folder


def writable_file(path: str | Path) -> Path:
    """Make the folder of a file to be, and prove that it can be written.

    Raises:
        ValueError: If it cannot be, or `path` is a folder.
    """
    path = Path(path)
    writable_folder(path.parent)
    if path.is_dir():
        raise ValueError(
            "Expected the path of a file to write. Received: "
            f"{str(path)!r}, which is a folder. Name a file in it."
        )
    return path


def cache_folder(*parts: str) -> Path:
    """A folder below the cache, made where it is missing.

    The cache is `~/.cache/keras_gans`, or what the environment variable
    `KERAS_GANS_CACHE` names.
    """
    root = os.environ.get("KERAS_GANS_CACHE") or "~/.cache/keras_gans"
    folder = Path(root).expanduser().joinpath(*parts)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(
            f"Expected a cache that can be written. Received: {folder} "
            f"({error.strerror}). Set KERAS_GANS_CACHE to another folder."
        ) from None
    return folder


def file_hash(path: str | Path, algorithm: str = "sha256") -> str:
    """Hash of a file's bytes, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def fetch(url: str, sha256: str) -> Path:
    """Download a file into the cache, once, and check it.

    Args:
        url: An https address; http only on this machine (127.0.0.1).
        sha256: Of the file, in hexadecimal.

    Returns:
        The path of the whole, checked file.

    Raises:
        ValueError: If the address is not https, cannot be reached, ends too
            early, or gives another file. Nothing of it is kept.
    """
    _check_address(url)
    if not isinstance(sha256, str) or not re.fullmatch(
        "[0-9a-fA-F]{64}", sha256
    ):
        raise ValueError(
            f"Expected the `sha256` of the file at {url}, 64 hexadecimal "
            f"digits. Received: sha256={sha256!r}. Pass what its publisher "
            "says."
        )
    name = Path(urllib.parse.urlsplit(url).path).name or "file"
    target = cache_folder("fetched", sha256.lower()) / name
    if target.is_file() and file_hash(target) == sha256.lower():
        return target
    try:
        opener = urllib.request.build_opener(_Redirects)
        with (
            opener.open(url, timeout=60) as answer,
            written_aside(target) as file,
        ):
            found = copied(answer, file)
            if found != sha256.lower():
                raise OSError(f"its sha256 is {found}")
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise ValueError(
            f"Expected the file of sha256 {sha256} at {url}. Received: "
            f"{error}. Check the address and the hash, and try again."
        ) from None
    return target


def copied(answer: Any, file: Any, largest: int | None = None) -> str:
    """Copy what a server answers into a file, with a progress bar.

    Args:
        answer: As `urllib` opens it.
        file: Open for writing.
        largest: Bytes that it may have at most.

    Returns:
        Its sha256, in hexadecimal.

    Raises:
        OSError: If it ends before it should, or is larger.
    """
    size = int(answer.headers.get("Content-Length") or 0)
    bar = keras.utils.Progbar(size or None, unit_name="byte")
    hasher, done = hashlib.sha256(), 0
    while block := answer.read(1 << 20):
        done += len(block)
        if largest is not None and max(done, size) > largest:
            raise OSError(f"more than {largest} bytes")
        file.write(block)
        hasher.update(block)
        bar.update(done, finalize=False)
    bar.update(done, finalize=True)
    if size and done != size:
        raise OSError(f"cut off after {done} of {size} bytes")
    return hasher.hexdigest()


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows a redirect to addresses that could have been given, only."""

    def redirect_request(self, request, fp, code, msg, headers, newurl):
        _check_address(newurl)
        return super().redirect_request(request, fp, code, msg, headers, newurl)


def _check_address(url: str) -> None:
    parts = urllib.parse.urlsplit(url)
    here = parts.hostname in ("127.0.0.1", "localhost", "::1")
    if parts.scheme != "https" and not (parts.scheme == "http" and here):
        raise ValueError(
            f"Expected an https address. Received: {url}. Use one that is "
            "encrypted."
        )
