"""Files are whole or not there."""

import contextlib
import os
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from keras_gans import files
from keras_gans.files import let_go, writable_folder, written_aside


def test_interrupted_writing_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), written_aside(path) as file:
        file.write(b"new, but only ha")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.bin"]


def test_what_was_left_aside_in_the_cache_goes(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_GANS_CACHE", str(tmp_path))
    folder = files.cache_folder("fetched", "0" * 64)
    left = [folder / ".a.zip.abcdefgh", folder.parent / "tmp_bcdefgh"]
    kept = [folder / "a.zip", folder / ".b.zip.abcdefgh", folder / "tmp"]
    for path in (*left, *kept):
        path.mkdir() if path.name.startswith("tmp") else path.touch()
    (left[1] / "images.npy").touch()
    for path in (*left, left[1] / "images.npy", kept[0], kept[2]):
        os.utime(path, (0, 0))
    files.cache_folder("fetched")
    assert not any(map(Path.exists, left)) and all(map(Path.exists, kept))


def test_none_is_redirected_to_this_machine_from_elsewhere():
    given = {"fp": None, "code": 302, "msg": "", "headers": {}}
    redirects = files._Redirects()
    here = "http://localhost:9/a.zip"
    for first, allowed in (("https://x.org", False), ("http://[::1]", True)):
        request = urllib.request.Request(first)
        expected = (
            contextlib.nullcontext()
            if allowed
            else pytest.raises(ValueError, match="an https address")
        )
        with expected:
            assert redirects.redirect_request(request, newurl=here, **given)


def test_an_error_without_words_is_its_class():
    assert files.first_line(MemoryError()) == "MemoryError"
    assert files.first_line(ValueError("a\nb")) == "a"


def test_folders_are_exchanged_at_once(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    if not files.exchange(tmp_path / "a", tmp_path / "b"):
        pytest.skip("this system cannot")
    assert (tmp_path / "a" / "b").exists() and (tmp_path / "b" / "a").exists()
    assert not files.exchange(tmp_path / "a", tmp_path / "none")


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


def file_pages():
    """Bytes of files that count as this process's memory."""
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith("RssFile:"))
    return 1024 * int(line.split()[1])


@pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="Linux counts pages there"
)
def test_pages_of_a_map_are_let_go(tmp_path):
    path, megabytes = tmp_path / "images.npy", 64
    shape = (megabytes, 1 << 20)
    images = np.lib.format.open_memmap(path, "w+", np.uint8, shape)
    images[:] = np.arange(megabytes, dtype=np.uint8)[:, None]
    before = file_pages()
    let_go(images)
    assert before - file_pages() > 0.9 * images.nbytes
    read = np.load(path, mmap_mode="r")
    part = read[::2]
    assert (part[:, ::999] == 2 * np.arange(megabytes // 2)[:, None]).all()
    before = file_pages()
    let_go(part)
    assert before > file_pages()
    assert read[5, 7] == 5
    let_go(np.zeros(3))
