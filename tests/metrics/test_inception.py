"""The converted Inception is the network of pytorch-fid, layer by layer."""

import contextlib
import functools
import http.server
import importlib
import importlib.util
import json
import sys
import threading
import types
from unittest import mock

import keras
import numpy as np
import pytest

from keras_gans.files import cache_folder, file_hash
from keras_gans.images import from_uint8, to_uint8
from keras_gans.metrics import inception, inception_network
from tests.models.porting import relative_to_largest, to_keras

torch = pytest.importorskip("torch")
rendering = importlib.import_module("tests.references.torch_inception")

NAME = inception.URL.rpartition("/")[2]


def pixels_like(n, height, width, channels=3, seed=0):
    """Patches of color with noise, uint8 [n, height, width, channels]."""
    rng = np.random.default_rng(seed)
    patches = rng.uniform(0, 255, (n, 5, 5, channels))
    rows, columns = (np.arange(side) * 5 // side for side in (height, width))
    noise = rng.normal(0, 20, (n, height, width, channels))
    return np.clip(patches[:, rows][:, :, columns] + noise, 0, 255).astype("B")


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    # PyTorch's threads would wait for TensorFlow's, and spin meanwhile.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def network():
    return rendering.randomise(rendering.Inception())


@pytest.fixture(scope="module")
def state_dict(network):
    return {key: value.numpy() for key, value in network.state_dict().items()}


@pytest.fixture(scope="module")
def model(state_dict):
    return inception.convert_inception(state_dict)


@pytest.fixture(scope="module")
def published(network, tmp_path_factory):
    """A file like the published one, with other numbers."""
    path = tmp_path_factory.mktemp("published") / NAME
    torch.save(network.state_dict(), path)
    return path


@pytest.fixture
def built_once(model, monkeypatch):
    """Where the numbers do not matter: the same network, not built again."""
    monkeypatch.setattr(inception, "build_inception", lambda: model)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_GANS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def pinned(cache, published, monkeypatch):
    """`published` in the place of the original."""
    monkeypatch.setattr(inception, "SHA256", file_hash(published))
    monkeypatch.setattr(inception, "URL", f"http://127.0.0.1:9/{NAME}")
    return published


def test_every_layer_in_float64(float64, network, state_dict):
    """All 94 convolutions, all blocks, and the outputs."""
    if keras.backend.backend() != "tensorflow":
        pytest.skip("parity in float64 is shown on TensorFlow")
    theirs = {}

    def keep(name, module, arguments, output):
        theirs[name.replace(".", "_")] = output

    exact = rendering.Inception().double().eval()
    exact.load_state_dict(network.state_dict())
    for name, module in exact.named_modules():
        if isinstance(module, rendering.BasicConv2d):
            module.register_forward_hook(functools.partial(keep, name))
    pixels = pixels_like(1, 299, 299)
    with torch.no_grad():
        planes = torch.tensor(pixels.transpose(0, 3, 1, 2)).double()
        theirs |= exact(planes)

    model = inception.convert_inception(state_dict)
    names = [name for name in theirs if "logits" not in name]
    probe = keras.Model(
        model.input,
        {name: model.get_layer(name).output for name in names} | model.output,
    )
    ours = probe(pixels.astype("float64") / 127.5 - 1.0)
    assert len(theirs) == 94 + 2 + 11 + 3
    for name, value in theirs.items():
        assert value.std() > 0.01, name
        difference = relative_to_largest(ours[name], to_keras(value))
        assert difference < 1e-12, (name, difference)


def test_float32_is_within_rounding(network, model):
    pixels = pixels_like(2, 299, 299)
    with torch.no_grad():
        theirs = network(torch.tensor(pixels.transpose(0, 3, 1, 2)).float())
    ours = model(from_uint8(pixels))
    assert {name: tuple(value.shape) for name, value in ours.items()} == {
        "features": (2, 2048),
        "logits_unbiased": (2, 1008),
        "logits": (2, 1008),
    }
    for name, value in ours.items():
        assert relative_to_largest(value, to_keras(theirs[name])) < 1e-5, name


def test_same_as_torch_fidelity(published, model):
    """Its own network, with its own resize, on small pictures."""
    spec = importlib.util.find_spec("torch_fidelity")
    if spec is None:
        pytest.skip("needs torch-fidelity")
    # Without the package's __init__, which wants torchvision.
    package = types.ModuleType("torch_fidelity")
    package.__path__ = spec.submodule_search_locations
    with mock.patch.dict(sys.modules, {"torch_fidelity": package}):
        module = importlib.import_module(
            "torch_fidelity.feature_extractor_inceptionv3"
        )
        names = ["2048", "logits_unbiased", "logits"]
        theirs = module.FeatureExtractorInceptionV3(
            "inception", names, str(published)
        )
        pixels = pixels_like(2, 32, 40)
        planes = torch.tensor(pixels.transpose(0, 3, 1, 2))
        expected = dict(zip(names, theirs(planes), strict=True))
    ours = model(from_uint8(pixels))
    for name, value in expected.items():
        mine = ours["features" if name == "2048" else name]
        assert relative_to_largest(mine, to_keras(value)) < 1e-5, name


@pytest.mark.parametrize(
    "height,width", [(28, 28), (32, 47), (299, 299), (64, 598), (333, 1)]
)
def test_resize_is_that_of_tensorflow_1(height, width):
    import tensorflow as tf

    pixels = pixels_like(2, height, width).astype("float32")
    theirs = tf.compat.v1.image.resize_bilinear(pixels, (299, 299)).numpy()
    ours = inception_network.resize_bilinear(
        keras.ops.convert_to_tensor(pixels), 299
    )
    ours = keras.ops.convert_to_numpy(ours)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=5e-5)  # of 255


def test_pixels_are_those_of_a_file():
    """Whatever floats come, the network sees the 256 values of a PNG."""
    rng = np.random.default_rng(0)
    images = rng.uniform(-1.1, 1.1, (2, 299, 299, 3)).astype("float32")
    seen = inception_network.InceptionInput()(images)
    expected = (to_uint8(images).astype("float32") - 128) / 128
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(seen), expected)


def test_sizes_and_gray_through_one_model():
    """Shapes may change from call to call, in `predict` too."""
    layer = inception_network.InceptionInput()
    image = keras.Input((None, None, None))
    pixels = keras.Model(image, layer(image))
    assert pixels.output.shape == (None, 299, 299, 3)
    for shape in ((2, 28, 28, 1), (1, 32, 32, 3), (3, 64, 48, 3)):
        images = from_uint8(pixels_like(*shape))
        seen = pixels.predict(images, verbose=0)
        rgb = np.broadcast_to(images, (*shape[:3], 3))
        again = keras.ops.convert_to_numpy(layer(rgb))
        np.testing.assert_allclose(seen, again, atol=1e-6)


def test_full_precision_whatever_the_policy(policy):
    policy("mixed_bfloat16")
    model = inception_network.build_inception()
    assert keras.config.dtype_policy().name == "mixed_bfloat16"
    assert {layer.compute_dtype for layer in model.layers} == {"float32"}
    assert model.trainable_weights == []


def test_state_dict_of_another_network(state_dict, built_once):
    missing = {k: v for k, v in state_dict.items() if k != "fc.bias"}
    with pytest.raises(ValueError, match=r"fc.bias of \(1008,\).*shape=\(0,\)"):
        inception.convert_inception(missing)
    torchvision = state_dict | {"fc.weight": np.zeros((1000, 2048))}
    with pytest.raises(ValueError, match=r"fc.weight .*shape=\(1000, 2048\)"):
        inception.convert_inception(torchvision)
    more = state_dict | {"AuxLogits.fc.bias": np.zeros(1000)}
    with pytest.raises(ValueError, match="Received: AuxLogits.fc.bias and 0"):
        inception.convert_inception(more)


def test_fetched_once_and_converted_once(pinned, cache, model, monkeypatch):
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            super().do_GET()

        def log_message(self, *arguments):
            pass

    handler = functools.partial(Handler, directory=pinned.parent)
    with contextlib.ExitStack() as stack:
        serving = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        stack.callback(serving.server_close)
        stack.callback(serving.shutdown)
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{serving.server_port}/{NAME}"
        monkeypatch.setattr(inception, "URL", url)
        first = inception.load_inception()
    assert asked == [f"/{NAME}"]

    # Now without the server, the PyTorch file, and PyTorch.
    (cache / "fetched" / inception.SHA256 / NAME).unlink()
    monkeypatch.setattr(inception, "_read", None)
    second = inception.load_inception()
    for loaded in (first, second):
        for a, b in zip(loaded.weights, model.weights, strict=True):
            np.testing.assert_array_equal(
                *map(keras.ops.convert_to_numpy, (a, b))
            )


def test_a_damaged_conversion_is_made_again(pinned, cache, built_once):
    folder = cache_folder("extractors")
    converted = folder / f"inception-{inception.SHA256[:8]}.weights.h5"
    record = {"sha256": "0" * 64, "source_sha256": inception.SHA256}
    converted.write_bytes(b"cut off")
    converted.with_suffix(".json").write_text(json.dumps(record))
    with pytest.raises(ValueError, match="a way to fetch them"):
        inception.load_inception()
    # The copy that the message asks for.
    (cache / "fetched" / inception.SHA256).mkdir(exist_ok=True)
    (cache / "fetched" / inception.SHA256 / NAME).symlink_to(pinned)
    inception.load_inception()
    assert inception._is_whole(converted, converted.with_suffix(".json"))


def test_offline_says_which_file_to_put_where(pinned, cache):
    with pytest.raises(ValueError) as refusal:
        inception.load_inception()
    said = str(refusal.value)
    assert f"Expected the Inception weights in {cache}/fetched/" in said
    assert "Received: <urlopen error" in said and "refused" in said
    assert f"Download {inception.URL} on another machine and put" in said


def test_another_file_is_refused(pinned, cache, tmp_path):
    cut = tmp_path / NAME
    cut.write_bytes(pinned.read_bytes()[:-1000])
    with pytest.raises(ValueError) as refusal:
        inception.load_inception(cut)
    said = str(refusal.value)
    assert (
        f"Expected the Inception weights of sha256 {inception.SHA256}" in said
    )
    assert f"Received: {cut} of sha256 {file_hash(cut)}" in said
    with pytest.raises(ValueError, match="Received: path=.*no such file"):
        inception.load_inception(tmp_path / "missing.pth")
    # The same in the cache: it is not overwritten, it is refused.
    kept = cache_folder("fetched", inception.SHA256) / NAME
    cut.rename(kept)
    with pytest.raises(ValueError, match="Delete it, and download"):
        inception.load_inception()


def test_the_published_hash_begins_as_the_file_name_says():
    assert len(inception.SHA256) == 64
    assert f"-{inception.SHA256[:8]}.pth" in inception.URL


def test_without_torch(pinned, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    for path in (None, pinned):  # None: said before anything is fetched
        with pytest.raises(ImportError, match=r"Install keras_gans\[torch\]"):
            inception.load_inception(path)
