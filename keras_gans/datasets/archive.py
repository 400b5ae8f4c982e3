"""Data sets that come as a zip file, unpacked into the cache once."""

import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import keras

from keras_gans.files import (
    cache_folder,
    check_expansion,
    file_hash,
    locked,
    told,
    unzipping,
)


def unpacked(
    archive: Path, place: Callable[[PurePosixPath], str | None]
) -> Path:
    """The folder in the cache that holds an archive's files.

    Args:
        archive: A zip file.
        place: Path in the archive -> where the file goes in the folder, a name
            made of parts that are known; None leaves it out. Nothing in an
            archive can point outside of the folder.

    Raises:
        ValueError: If it is not a whole zip file.
        OSError: If there is no room for what is in it.
    """
    target = cache_folder("unpacked") / file_hash(archive)[:32]
    if (target / "done").is_file():
        return target
    # Aside, then renamed: the folder is whole, whoever else unpacks it.
    with (
        told(target, inside=True),
        tempfile.TemporaryDirectory(dir=target.parent) as aside,
    ):
        new = Path(aside) / target.name
        with unzipping(archive, "a whole zip file"):
            _unpack(archive, place, new)
        (new / "done").touch()
        with locked(target.parent):
            if not (target / "done").is_file():  # another process was faster
                shutil.rmtree(target, ignore_errors=True)  # an earlier version
                os.rename(new, target)
    return target


def _unpack(archive: Path, place: Callable, target: Path) -> None:
    with zipfile.ZipFile(archive) as file:
        members = file.infolist()
        check_expansion(archive, members)
        bar = keras.utils.Progbar(len(members), unit_name="file")
        target.mkdir(parents=True, exist_ok=True)
        for i, member in enumerate(members):
            inside = PurePosixPath(member.filename)
            # A Mac's zip has a second file beside each.
            hidden = "__MACOSX" in inside.parts or inside.name.startswith("._")
            name = None if hidden else place(inside)
            if name is not None and not member.is_dir():
                path = target / name
                path.parent.mkdir(exist_ok=True)
                # Reading it checks it against the archive's CRC.
                with file.open(member) as source, open(path, "wb") as copy:
                    shutil.copyfileobj(source, copy)
            if i % 100 == 99 or i + 1 == len(members):
                bar.update(i + 1)
