"""Published generators come whole, over a real server, or not at all."""

import contextlib
import http.server
import threading

import numpy as np
import pytest

from keras_gans.convert import OFFICIAL, fetch_official, official, read_pth
from keras_gans.files import file_hash

torch = pytest.importorskip("torch")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_GANS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "fetched" / "cyclegan"


@pytest.fixture
def published(tmp_path):
    """The bytes of a file like the published ones."""
    torch.manual_seed(0)
    path = tmp_path / "published.pth"
    content = {"model.1.weight": torch.randn(4, 3, 7, 7)}
    torch.save(content, path, _use_new_zipfile_serialization=False)
    return path.read_bytes()


@pytest.fixture
def server(monkeypatch):
    """Answers by path, (status, headers, body); and what was asked for."""
    answers, asked = {}, []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            status, headers, body = answers.get(
                self.path, (404, {}, b"<html>Not found</html>")
            )
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    with contextlib.ExitStack() as stack:
        serving = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        stack.callback(serving.server_close)
        stack.callback(serving.shutdown)
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{serving.server_port}"
        monkeypatch.setattr(official, "ADDRESS", address)
        serving.answers, serving.asked = answers, asked
        yield serving


def whole(body):
    return 200, {"Content-Length": str(len(body))}, body


def test_fetched_once_with_a_bar(server, published, cache, capsys):
    server.answers["/horse2zebra.pth"] = whole(published)
    path = fetch_official("horse2zebra")
    assert path == cache / "horse2zebra.pth"
    assert path.read_bytes() == published
    size = len(published)
    assert f"{size}/{size}" in capsys.readouterr().out
    shape = read_pth(path)["model.1.weight"].shape
    assert shape == (4, 3, 7, 7)
    assert fetch_official("horse2zebra", file_hash(path).upper()) == path
    assert server.asked == ["/horse2zebra.pth"]


def test_the_hash_is_checked_where_it_is_known(server, published, cache):
    server.answers["/sat2map.pth"] = whole(published)
    with pytest.raises(ValueError, match=f"of sha256 {'0' * 64}. Received: "):
        fetch_official("sat2map", "0" * 64)
    assert not any(cache.iterdir())
    path = fetch_official("sat2map")
    with pytest.raises(ValueError, match="Delete it, and fetch it again"):
        fetch_official("sat2map", "0" * 64)
    assert path.is_file()


def refusal_of(name, cache):
    with pytest.raises(ValueError) as refusal:
        fetch_official(name)
    assert not any(cache.iterdir())  # nothing half-written
    said = str(refusal.value)
    assert said.count("\n") == 0
    address = f"{official.ADDRESS}/{name}.pth"
    assert f"Expected the checkpoint {name} at {address}. Received: " in said
    assert f"bring the file from elsewhere to {cache}/{name}.pth" in said
    return said


def test_cut_off_downloads(server, published, cache):
    cut = published[: len(published) // 2]
    server.answers["/map2sat.pth"] = whole(published)[:2] + (cut,)
    assert f"cut off after {len(cut)} of {len(published)} bytes" in refusal_of(
        "map2sat", cache
    )
    # Without a length, the file itself tells.
    server.answers["/map2sat.pth"] = 200, {}, cut
    assert "Received: a file that is cut off" in refusal_of("map2sat", cache)


def test_what_is_no_checkpoint(server, cache):
    assert "HTTP Error 404" in refusal_of("style_ukiyoe", cache)
    server.answers["/style_ukiyoe.pth"] = whole(b"<html>Sign in</html>")
    said = refusal_of("style_ukiyoe", cache)
    assert "a file that begins with b'<htm'" in said
    server.answers["/style_ukiyoe.pth"] = whole(b"\x80\x02cos\nsystem\n.")
    assert "code: it names os.system" in refusal_of("style_ukiyoe", cache)


def test_a_download_without_an_end(server, published, cache, monkeypatch):
    monkeypatch.setattr(official, "LARGEST", 1000)
    server.answers["/zebra2horse.pth"] = whole(published)
    assert "more than 1000 bytes" in refusal_of("zebra2horse", cache)
    server.answers["/zebra2horse.pth"] = 200, {}, published
    assert "more than 1000 bytes" in refusal_of("zebra2horse", cache)
    lying = {"Content-Length": "a lot"}
    server.answers["/zebra2horse.pth"] = 200, lying, published
    refusal_of("zebra2horse", cache)


def test_redirects_stay_there_or_are_encrypted(server, published, cache):
    server.answers["/moved.pth"] = whole(published)
    here = f"{official.ADDRESS}/moved.pth"
    for target, words in (
        ("http://example.com/x.pth", "a redirect to http://example.com"),
        ("file:///etc/passwd", "redirect"),
        ("http://127.0.0.1:9/x.pth", "refused"),  # the same machine
    ):
        server.answers["/apple2orange.pth"] = 302, {"Location": target}, b""
        assert words in refusal_of("apple2orange", cache)
    server.answers["/apple2orange.pth"] = 302, {"Location": here}, b""
    assert fetch_official("apple2orange").read_bytes() == published


def test_offline(cache, monkeypatch):
    monkeypatch.setattr(official, "ADDRESS", "http://127.0.0.1:9")
    assert "refused" in refusal_of("iphone2dslr_flower", cache)


def test_names():
    assert len(OFFICIAL) == 18
    for name, back in OFFICIAL.items():
        assert back is None or OFFICIAL[back] == name != back
    with pytest.raises(ValueError, match="'horse2zebra'"):
        fetch_official("horse2zebr")
    assert np.all([name == name.lower() for name in OFFICIAL])
