"""Files are whole or not there."""

import os

import pytest

from keras_gans.files import writable_folder, written_aside


def test_interrupted_writing_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), written_aside(path) as file:
        file.write(b"new, but only ha")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.bin"]


def test_written_file_is_readable_by_others(tmp_path):
    before = os.umask(0o022)
    try:
        with written_aside(tmp_path / "a") as file:
            file.write(b"x")
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o644


def test_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("a file, no folder")
    with pytest.raises(ValueError, match="output folder .* Received: .*file"):
        writable_folder(tmp_path / "file" / "samples")
    assert (tmp_path / "file").read_text() == "a file, no folder"
