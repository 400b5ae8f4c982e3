"""Files: written whole or not at all, fetched and checked, kept in a cache."""

import contextlib
import ctypes
import errno
import fcntl
import hashlib
import http.client
import mmap
import os
import re
import shutil
import stat
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np

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
    with told(path):
        handle, aside = tempfile.mkstemp(
            prefix=f".{path.name}.", dir=path.parent
        )
    try:
        with told(path, inside=True), os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        with told(path):
            os.chmod(aside, 0o666 & ~UMASK)
            os.replace(aside, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(aside)
        raise


# A disk that is full, over quota, read-only, broken or another's, or a file
# that is too large for it.
DISK = (
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EFBIG),
    *(errno.EACCES, errno.EPERM),
)


class Unwritten(OSError):
    """What could not be written, why, and what to do."""


@contextlib.contextmanager
def told(path: str | Path, inside: bool = False) -> Iterator[None]:
    """Turn the errors of a disk into a sentence.

    Args:
        path: What is being written.
        inside: Those of `DISK` alone: others may be of what is read meanwhile.

    Raises:
        Unwritten: In their place; the others go on as they are.
    """
    try:
        yield
    except OSError as error:
        # HDF5 has its words alone, and no number.
        disk = error.errno in DISK or "No space left" in str(error)
        if isinstance(error, Unwritten) or not (disk or not inside):
            raise
        raise Unwritten(
            f"Expected to write {path}. Received: "
            f"{error.strerror or first_line(error)[:200]}. Make room, or "
            "choose another folder."
        ) from error


def first_line(error: BaseException) -> str:
    """What an error says first, or its class where it says nothing."""
    return (str(error).splitlines() or [type(error).__name__])[0]


@contextlib.contextmanager
def locked(folder: Path, wait: bool = True) -> Iterator[None]:
    """Hold a folder against other processes and threads.

    Args:
        folder: That all of them hold.
        wait: For who holds it; else a `BlockingIOError` is raised.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    finally:
        os.close(handle)


def flush_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def exchange(a: Path, b: Path) -> bool:
    """Give two paths each other's names, at once; whether the system can."""
    try:
        rename = ctypes.CDLL(None).renameat2
    except AttributeError:  # not on Linux
        return False
    here, both = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    return not rename(here, os.fsencode(a), here, os.fsencode(b), both)


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
    if parts and parts[0] in SWEPT:
        _sweep(Path(root).expanduser() / parts[0])
    return folder


# Folders of the cache that are ours alone.
SWEPT = ("decoded", "entries", "extractors", "fetched", "unpacked")
ASIDE = ("tmp????????", ".*.????????")  # names of what is not whole yet
LONGEST = 24 * 3600  # seconds without a change; then its process is dead


def _sweep(folder: Path) -> None:
    """Remove what killed processes left aside; what fails waits for others."""
    with contextlib.suppress(OSError), locked(folder, wait=False):
        for pattern in (*ASIDE, *(f"*/{name}" for name in ASIDE)):
            for path in folder.glob(pattern):
                parts = (path, *path.rglob("*"))
                changed = max(part.lstat().st_mtime for part in parts)
                if time.time() - changed < LONGEST:
                    continue
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink()


def file_hash(path: str | Path, algorithm: str = "sha256") -> str:
    """Hash of a file's bytes, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def regular(path: str | Path) -> Path:
    """The path of a file that is one, or links to one.

    Raises:
        OSError: If it is missing, or a folder, a pipe or a device: the last two
            may have no end.
    """
    path = Path(path)
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "No regular file", str(path))
    return path


LARGEST_TEXT = 1 << 24  # bytes; cards and recipes have a few thousand


def text_of(path: str | Path) -> str:
    """The text of a card, a recipe or another small file, in UTF-8.

    Raises:
        OSError: If it is no regular file, or of more than 16 MiB.
        UnicodeDecodeError: If it is no text.
    """
    path = regular(path)
    if path.stat().st_size > LARGEST_TEXT:
        raise OSError(errno.EFBIG, f"More than {LARGEST_TEXT} bytes", str(path))
    return path.read_text(encoding="utf-8")


MOST_EXPANSION = 100  # pictures and weights are packed already


def check_expansion(
    archive: str | Path, members: list[zipfile.ZipInfo]
) -> None:
    """Raise a `ValueError` where a zip file claims far more than it holds."""
    size = Path(archive).stat().st_size
    unpacked = sum(member.file_size for member in members)
    if unpacked > MOST_EXPANSION * size:
        raise ValueError(f"{size} bytes that unpack to {unpacked}")


@contextlib.contextmanager
def unzipping(archive: str | Path, what: str) -> Iterator[None]:
    """Say in a sentence that a zip file is none, or damaged.

    Args:
        archive: The file.
        what: It should be.

    Raises:
        ValueError: In place of what reading it raised; errors of the disk that
            is written to go on as they are.
    """
    try:
        yield
    except (
        OSError,
        ValueError,
        RuntimeError,  # encrypted, or packed in another way
        EOFError,
        zlib.error,
        zipfile.BadZipFile,
    ) as error:
        if getattr(error, "errno", None) in DISK:
            raise
        raise ValueError(
            f"Expected {archive} as {what}. Received: {error}. Fetch it again, "
            "or another."
        ) from None


def let_go(array: Any) -> None:
    """Give the pages of a memory map back; of other arrays nothing happens.

    They would count as the process's own until the machine runs short. What was
    read stays in the system's cache, and what was written goes to the file. Not
    so in maps of mode "c", whose changes are in the memory alone: they stay.

    Args:
        array: A `numpy.memmap`, or a view of one.
    """
    shared = False
    while array is not None and not isinstance(array, mmap.mmap):
        if isinstance(array, np.memmap):
            shared = array.mode != "c"
        array = getattr(array, "base", None)
    if shared and hasattr(array, "madvise"):
        array.madvise(mmap.MADV_DONTNEED)


TIMEOUT = 60  # seconds that a server may be silent
SLOWEST = 1 << 10  # bytes a second, on average once these seconds are over


def fetch(url: str, sha256: str, largest: int | None = None) -> Path:
    """Download a file into the cache, once, and check it.

    Args:
        url: An https address; http only on this machine (127.0.0.1).
        sha256: Of the file, in hexadecimal.
        largest: Bytes that it may have at most.

    Returns:
        The path of the whole, checked file.

    Raises:
        ValueError: If the address is not https, cannot be reached, ends too
            early, is too slow, or gives another file, or a larger one. Nothing
            of it is kept.
        OSError: If there is no room for it.
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
            opener.open(url, timeout=TIMEOUT) as answer,
            written_aside(target) as file,
        ):
            found = copied(answer, file, largest)
            if found != sha256.lower():
                raise OSError(f"its sha256 is {found}")
    except Unwritten:
        raise
    except (OSError, ValueError, http.client.HTTPException) as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()
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
        OSError: If it ends before it should, is larger, or takes for ever.
    """
    begun = time.monotonic()
    size = int(answer.headers.get("Content-Length") or 0)
    bar = keras.utils.Progbar(size or None, unit_name="byte")
    hasher, done = hashlib.sha256(), 0
    while block := answer.read1(1 << 20):  # what there is, were it a byte
        done += len(block)
        seconds = time.monotonic() - begun
        if largest is not None and max(done, size) > largest:
            raise OSError(f"more than {largest} bytes")
        if seconds > TIMEOUT and done < SLOWEST * seconds:
            raise OSError(f"only {done} bytes in {seconds:.0f} seconds")
        file.write(block)
        hasher.update(block)
        bar.update(done, finalize=False)
    bar.update(done, finalize=True)
    if size and done != size:
        raise OSError(f"cut off after {done} of {size} bytes")
    return hasher.hexdigest()


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows a redirect to addresses that could have been given, only.

    None leads from elsewhere to this machine, whose servers trust it.
    """

    def redirect_request(self, request, fp, code, msg, headers, newurl):
        _check_address(newurl, here=_is_here(request.full_url))
        return super().redirect_request(request, fp, code, msg, headers, newurl)


HERE = ("127.0.0.1", "localhost", "::1")


def _is_here(url: str) -> bool:
    return urllib.parse.urlsplit(url).hostname in HERE


def _check_address(url: str, here: bool = True) -> None:
    """Raise a `ValueError` unless it is one of https.

    Args:
        url: The address.
        here: Whether http on this machine does, too.
    """
    try:
        scheme = urllib.parse.urlsplit(url).scheme
        fine = scheme == "https" or (
            scheme == "http" and here and _is_here(url)
        )
    except ValueError:  # "https://["
        fine = False
    if not fine:
        raise ValueError(
            f"Expected an https address. Received: {url}. Use one that is "
            "encrypted."
        )
