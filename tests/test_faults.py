"""A full disk, a read-only folder, a poor network: nothing is half-written."""

import contextlib
import errno
import hashlib
import http.server
import os
import subprocess
import sys
import threading
import time
import zipfile

import keras
import numpy as np
import pytest

import keras_gans
from keras_gans import datasets, files
from keras_gans.callbacks import Evaluate, SampleGrid, TrainingGIF
from keras_gans.images import grid, save_png
from keras_gans.metrics import Reference
from tests.conformance import images_like


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("KERAS_GANS_CACHE", str(folder))
    return folder


def tiny_gan():
    return keras_gans.GAN((8, 8, 1), latent_dim=4, variant="small")


IMAGES = images_like({"image_shape": (8, 8, 1)})


@pytest.fixture
def archive(tmp_path):
    """The zip of an entry, below `served`."""
    keras_gans.save_pretrained(tiny_gan(), tmp_path / "my_gan")
    (tmp_path / "served").mkdir()
    path = tmp_path / "served" / "my_gan.zip"
    with zipfile.ZipFile(path, "w") as file:
        for member in (tmp_path / "my_gan").iterdir():
            file.write(member, f"my_gan/{member.name}")
    return path


class Slow(http.server.SimpleHTTPRequestHandler):
    """Sends half of a file, waits, and sends the rest."""

    pause = 0.0

    def log_message(self, *arguments):
        pass

    def copyfile(self, source, output):
        content = source.read()
        half = len(content) // 2
        with contextlib.suppress(OSError):  # who asked may have gone
            output.write(content[:half])
            output.flush()
            time.sleep(self.pause)
            output.write(content[half:])


@pytest.fixture
def server(archive):
    """The address of the archive, and the server's class."""

    class Here(Slow):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=archive.parent)

    serving = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Here)
    threading.Thread(target=serving.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{serving.server_port}/my_gan.zip", Here
    serving.shutdown()
    serving.server_close()


def sha256_of(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def files_below(folder):
    return sorted(p for p in folder.rglob("*") if p.is_file())


def check_sentence(error, *words):
    said = str(error.value)
    assert said.startswith("Expected ") and "Received: " in said, said
    assert "\n" not in said and all(word in said for word in words), said


# === Network ===


def test_slow_bytes_arrive(server, archive):
    server[1].pause = 1.0
    path = files.fetch(server[0], sha256_of(archive))
    assert path.read_bytes() == archive.read_bytes()


def test_a_server_that_falls_silent(server, archive, cache, monkeypatch):
    monkeypatch.setattr(files, "TIMEOUT", 0.2)
    server[1].pause = 2.0
    with pytest.raises(ValueError) as error:
        files.fetch(server[0], sha256_of(archive))
    check_sentence(error, "timed out", "try again")
    assert not files_below(cache)
    server[1].pause = 0.0
    files.fetch(server[0], sha256_of(archive))  # starts clean


def test_nobody_answers(archive):
    with pytest.raises(ValueError) as error:
        files.fetch("http://127.0.0.1:9/my_gan.zip", "0" * 64)
    check_sentence(error, "refused", "Check the address")


FETCH = """
import sys
import keras_gans
model = keras_gans.load(sys.argv[1], sha256=sys.argv[2])
print(model.generate(4, seed=0).tobytes().hex())
"""


@pytest.mark.slow
def test_two_processes_fetch_the_same_entry(server, archive, tmp_path):
    server[1].pause = 1.0
    command = [sys.executable, "-c", FETCH, server[0], sha256_of(archive)]
    environment = os.environ | {"KERAS_BACKEND": keras.backend.backend()}
    both = [
        subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)
        for _ in range(2)
    ]
    said = [process.communicate()[0].splitlines()[-1] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    expected = keras_gans.load(tmp_path / "my_gan").generate(4, seed=0)
    assert said == [expected.tobytes().hex().encode()] * 2


def test_eight_threads_fetch_the_same_entry(server, archive, cache):
    server[1].pause = 0.2
    made = in_threads(
        8,
        lambda: keras_gans.load(
            server[0], sha256=sha256_of(archive)
        ).get_weights(),
    )
    for weights in made[1:]:
        for a, b in zip(made[0], weights, strict=True):
            np.testing.assert_array_equal(a, b)
    assert not [p for p in cache.rglob("*") if p.name.startswith((".", "tmp"))]


def in_threads(n, function):
    """What a function gives in n threads at once."""
    made, errors = [None] * n, []
    barrier = threading.Barrier(n)

    def call(i):
        barrier.wait()
        try:
            made[i] = function()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=call, args=(i,)) for i in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return made


# === Disk ===


def test_no_room_for_a_download(server, archive, disk, monkeypatch):
    monkeypatch.setenv("KERAS_GANS_CACHE", str(disk(1 << 16)))
    with pytest.raises(OSError) as error:
        keras_gans.load(server[0], sha256=sha256_of(archive))
    check_sentence(error, "my_gan.zip", "No space left", "Make room")
    assert not files_below(disk(1 << 16))
    disk("99m")
    keras_gans.load(server[0], sha256=sha256_of(archive))


def test_no_room_to_unpack(server, archive, disk, monkeypatch):
    room = int(1.5 * archive.stat().st_size)
    folder = disk(room)
    monkeypatch.setenv("KERAS_GANS_CACHE", str(folder))
    with pytest.raises(OSError) as error:
        keras_gans.load(server[0], sha256=sha256_of(archive))
    check_sentence(error, "entries", "No space left", "Make room")
    assert [p.name for p in files_below(folder)] == ["my_gan.zip"]
    disk("99m")
    keras_gans.load(server[0], sha256=sha256_of(archive))


def test_no_room_for_an_entry(disk):
    folder = disk(1 << 16) / "mine"
    with pytest.raises(OSError) as error:
        keras_gans.save_pretrained(tiny_gan(), folder)
    check_sentence(error, "mine", "No space left")
    assert not [*folder.parent.iterdir()]


def test_no_room_for_a_new_entry_keeps_the_old(disk):
    folder = disk("8m") / "mine"
    keras_gans.save_pretrained(tiny_gan(), folder)
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    disk(sum(map(len, before.values())) + (1 << 16))
    with pytest.raises(OSError, match="No space left"):
        keras_gans.save_pretrained(tiny_gan(), folder)
    assert before == {p.name: p.read_bytes() for p in folder.iterdir()}
    assert [p.name for p in folder.parent.iterdir()] == ["mine"]


def test_no_room_for_decoded_pictures(disk, tmp_path, monkeypatch):
    """A memory map on a full disk ends a process, if nobody takes care."""
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for i in range(4):
        save_png(pictures / f"{i}.png", np.full((64, 64, 3), i, np.uint8))
    monkeypatch.setenv("KERAS_GANS_CACHE", str(disk(1 << 14)))
    with pytest.raises(OSError) as error:
        datasets.load(pictures, image_shape=(64, 64, 3))
    check_sentence(error, "decoded", "No space left")
    assert not files_below(disk(1 << 14))
    disk("99m")
    assert len(datasets.load(pictures, image_shape=(64, 64, 3))) == 4


def test_no_room_for_the_pictures_of_a_training(disk):
    folder = disk(1 << 12)
    gan = tiny_gan()
    for callback in (
        SampleGrid(folder / "grids"),
        TrainingGIF(folder / "film.gif", every=1),
    ):
        (folder / "ballast").write_bytes(bytes(1 << 12))
        with pytest.raises(OSError) as error:
            gan.fit(IMAGES, callbacks=[callback], verbose=0)
        check_sentence(error, "No space left")
        (folder / "ballast").unlink()
    assert not files_below(folder)


def test_the_best_so_far_survives_a_full_disk(disk, tmp_path):
    gan = tiny_gan()
    image = keras.Input((8, 8, 1))
    pixels = keras.Model(image, keras.layers.Flatten()(image))
    real = datasets.ImageData("real", IMAGES)
    watch = Evaluate(n=8, folder=disk("99m"), extractor_name=pixels, test=real)
    gan.fit(IMAGES, callbacks=[watch], verbose=0)
    best = disk("99m") / "best.keras"
    before = best.read_bytes()
    disk(2 * len(before) + (1 << 16))  # best.keras and last.keras fit
    with pytest.raises(OSError) as error:
        gan.fit(IMAGES, callbacks=[watch], verbose=0)
    check_sentence(error, "best.keras", "No space left")
    assert best.read_bytes() == before
    keras.saving.load_model(best)


def write_reference(folder):
    features = np.random.default_rng(0).normal(size=(20, 4)).astype("f4")
    Reference.of(features, {}).save(folder / "real.npz")


@pytest.mark.parametrize(
    "write",
    [
        lambda folder: keras_gans.save_pretrained(tiny_gan(), folder / "mine"),
        lambda folder: save_png(folder / "a.png", grid(IMAGES)),
        lambda folder: SampleGrid(folder),
        lambda folder: TrainingGIF(folder / "film.gif"),
        write_reference,
        lambda folder: files.cache_folder("fetched"),
    ],
    ids=["entry", "png", "grids", "film", "statistics", "cache"],
)
def test_a_disk_that_cannot_be_written(write, disk, monkeypatch):
    folder = disk("99m")
    disk("ro")
    monkeypatch.setenv("KERAS_GANS_CACHE", str(folder / "cache"))
    with pytest.raises((ValueError, OSError)) as error:
        write(folder)
    check_sentence(error, "ead-only file system", str(folder))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_faults_of_a_disk_leave_the_old_file(number, tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with pytest.raises(OSError) as error, files.written_aside(path):
        raise OSError(number, os.strerror(number))
    check_sentence(error, str(path), os.strerror(number))
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["a"]


def test_what_is_no_fault_of_the_disk_is_not_told_as_one(tmp_path):
    reset = ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")
    with (
        pytest.raises(ConnectionResetError),
        files.written_aside(tmp_path / "a"),
    ):
        raise reset


# === At once ===


def test_eight_threads_make_the_pictures_of_one(archive, tmp_path):
    folder = tmp_path / "my_gan"
    alone = keras_gans.load(folder).generate(16, seed=0)
    made = in_threads(8, lambda: keras_gans.load(folder).generate(16, seed=0))
    for images in made:
        np.testing.assert_array_equal(images, alone)


def test_eight_threads_share_a_model(archive, tmp_path):
    model = keras_gans.load(tmp_path / "my_gan")
    alone = model.generate(16, seed=0)
    for images in in_threads(8, lambda: model.generate(16, seed=0)):
        np.testing.assert_array_equal(images, alone)


LOAD = """
import sys
import keras_gans
images = keras_gans.load(sys.argv[1]).generate(16, seed=0)
sys.stdout.buffer.write(images.tobytes())
"""


@pytest.mark.slow
def test_four_processes_make_the_pictures_of_one(archive, tmp_path):
    folder = tmp_path / "my_gan"
    alone = keras_gans.load(folder).generate(16, seed=0)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", LOAD, folder],
            stdout=subprocess.PIPE,
            env=os.environ | {"KERAS_BACKEND": keras.backend.backend()},
        )
        for _ in range(4)
    ]
    for process in processes:
        assert process.communicate()[0].endswith(alone.tobytes())
        assert process.returncode == 0
