"""Checkpoints of the authors give their pictures, and go back unchanged."""

import importlib
import os
from collections import OrderedDict

import keras
import numpy as np
import pytest

import keras_gans
from keras_gans import convert
from keras_gans.convert.cyclegan import FILES, generator_shapes
from tests.models.porting import relative_to_largest, to_keras

torch = pytest.importorskip("torch")
rendering = importlib.import_module("tests.references.torch_cyclegan")


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    # PyTorch's threads would wait for TensorFlow's, and spin meanwhile.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def generator(channels=3, width=4, num_blocks=2, use_dropout=False, seed=0):
    torch.manual_seed(seed)
    network = rendering.ResnetGenerator(
        channels, width, num_blocks, use_dropout
    ).eval()
    return randomised(network)


def discriminator(channels=3, width=4, seed=0):
    torch.manual_seed(seed)
    return randomised(rendering.PatchDiscriminator(channels, width))


def randomised(network):
    """Biases, too, and large enough that all layers tell."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(0.0, 0.2)
    return network


def with_statistics(state):
    """As before PyTorch 0.4: instance norms that keep what they never use."""
    more = OrderedDict()
    for key, value in state.items():
        more[key] = value
        norm, kind = key.rpartition(".")[::2]
        layer, i = norm.rpartition(".")[::2]
        if kind == "bias":
            more[f"{layer}.{int(i) + 1}.running_mean"] = torch.ones(len(value))
            more[f"{layer}.{int(i) + 1}.running_var"] = torch.zeros(len(value))
            more[f"{layer}.{int(i) + 1}.num_batches_tracked"] = torch.tensor(7)
    return more


FORMS = {
    "as_it_is": lambda state: state,
    "data_parallel": lambda s: {f"module.{k}": v for k, v in s.items()},
    "before_0.4": with_statistics,
    "before_0.4_data_parallel": lambda s: {
        f"module.{k}": v for k, v in with_statistics(s).items()
    },
    "in_a_checkpoint": lambda s: {
        "epoch": 3,
        "optimizer": {"state": {0: {"exp_avg": torch.ones(2)}}},
        "state_dict": s,
    },
    "parameters": lambda s: {k: torch.nn.Parameter(v) for k, v in s.items()},
}


def saved(state, path, zipped=True):
    torch.save(state, path, _use_new_zipfile_serialization=zipped)
    return path


def images_like(height=36, width=28, channels=3):
    shape = (2, channels, height, width)
    noise = np.random.default_rng(0).uniform(-1, 1, shape)
    return torch.tensor(noise, dtype=torch.get_default_dtype())


def numpy(tensor):
    """NCHW torch images -> NHWC array."""
    return tensor.detach().numpy().transpose(0, 2, 3, 1)


def assert_same_output(network, theirs, tolerance=1e-5, **size):
    images = images_like(**size).to(next(theirs.parameters()).dtype)
    with torch.no_grad():
        expected = numpy(theirs(images))
    assert expected.std() > 0.1
    difference = relative_to_largest(network(to_keras(images)), expected)
    assert difference < tolerance, difference


def assert_same_state(ours, theirs):
    assert [*ours] == [*theirs]
    for key, value in theirs.items():
        assert ours[key].flags.c_contiguous and ours[key].flags.owndata
        assert ours[key].dtype == value.numpy().dtype
        np.testing.assert_array_equal(ours[key], value.numpy(), err_msg=key)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "stream"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dropout", [False, True], ids=["", "dropout"])
def test_every_kind_of_file(form, dropout, zipped, tmp_path):
    theirs = generator(use_dropout=dropout)
    state = FORMS[form](theirs.state_dict())
    path = saved(state, tmp_path / "latest_net_G.pth", zipped)
    network = convert.generator_from_official(convert.read_pth(path))
    assert_same_output(network, theirs)
    without = generator()  # the same weights, by the keys of no dropout
    keys, values = without.state_dict(), theirs.state_dict().values()
    without.load_state_dict(dict(zip(keys, values, strict=True)))
    back = convert.generator_to_official(network)
    assert_same_state(back, without.state_dict())


@pytest.mark.parametrize(
    "size",
    [
        {"num_blocks": 9, "width": 2},
        {"num_blocks": 6, "width": 3},
        {"num_blocks": 1, "width": 5, "channels": 1},
    ],
)
def test_sizes_are_read_off_the_tensors(size):
    theirs = generator(**size)
    state = {k: v.numpy() for k, v in theirs.state_dict().items()}
    network = convert.generator_from_official(state, name="any")
    assert network.name == "any"
    assert_same_output(network, theirs, channels=size.get("channels", 3))
    assert_same_state(
        convert.generator_to_official(network), theirs.state_dict()
    )


def test_keys_are_those_of_the_published_files():
    """9 and 6 blocks at width 64: names, shapes and number of parameters."""
    nine, six = (generator_shapes(3, 64, n) for n in (9, 6))
    assert [*nine][-6::2] == [f"model.{i}.weight" for i in (19, 22, 26)]
    assert [*six][-6::2] == [f"model.{i}.weight" for i in (16, 19, 23)]
    assert nine["model.19.weight"] == (256, 128, 3, 3)  # in, out
    assert nine["model.19.bias"] == (128,)
    for shapes, count in ((nine, 11_378_179), (six, 7_837_699)):
        assert sum(np.prod(shape) for shape in shapes.values()) == count


def test_in_float64(float64):
    if keras.backend.backend() != "tensorflow":
        pytest.skip("parity in float64 is shown on TensorFlow")
    for theirs, convert_it, tolerance in (
        (generator(num_blocks=3), convert.generator_from_official, 1e-9),
        # TensorFlow keeps the slope of a LeakyReLU, 0.2, in float32.
        (discriminator(), convert.discriminator_from_official, 1e-7),
    ):
        theirs = theirs.double()
        state = {k: v.numpy() for k, v in theirs.state_dict().items()}
        assert_same_output(convert_it(state), theirs, tolerance)


@pytest.mark.parametrize("form", FORMS)
def test_discriminators(form, tmp_path):
    theirs = discriminator(width=3)
    path = saved(FORMS[form](theirs.state_dict()), tmp_path / "D.pth")
    network = convert.discriminator_from_official(convert.read_pth(path))
    assert_same_output(network, theirs)
    assert_same_state(
        convert.discriminator_to_official(network), theirs.state_dict()
    )


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_other_precisions(dtype):
    theirs = generator().to(getattr(torch, dtype)).float()
    path_like = {
        key: value.to(getattr(torch, dtype))
        for key, value in theirs.state_dict().items()
    }
    if dtype == "bfloat16":  # NumPy has none of its own
        import ml_dtypes

        state = {
            key: value.float().numpy().astype(ml_dtypes.bfloat16)
            for key, value in path_like.items()
        }
    else:
        state = {key: value.numpy() for key, value in path_like.items()}
    assert_same_output(convert.generator_from_official(state), theirs)


# === Whole models ===


@pytest.fixture
def training(tmp_path):
    """A folder as the authors' `train.py` leaves it, and its networks."""
    networks = {
        "latest_net_G_A.pth": generator(seed=1),
        "latest_net_G_B.pth": generator(seed=2),
        "latest_net_D_A.pth": discriminator(seed=3),
        "latest_net_D_B.pth": discriminator(seed=4),
    }
    for name, network in networks.items():
        saved(network.state_dict(), tmp_path / name)
    return tmp_path, networks


def test_a_whole_training(training):
    folder, networks = training
    paths = {
        {"generator_ab": "path_ab", "generator_ba": "path_ba"}.get(n, n): folder
        / file
        for n, file in FILES.items()
    }
    model = convert.from_official(**paths, image_size=(32, 40))
    assert isinstance(model, keras_gans.CycleGAN)
    assert model.image_shape == (32, 40, 3)
    assert (model.num_blocks, model.width) == (2, 4)
    assert model.networks_without_weights == []
    # D_A of the authors judges B.
    for ours, file in (
        (model.generator_ab, "latest_net_G_A.pth"),
        (model.generator_ba, "latest_net_G_B.pth"),
        (model.discriminator_b, "latest_net_D_A.pth"),
        (model.discriminator_a, "latest_net_D_B.pth"),
    ):
        assert_same_output(ours, networks[file])
    back = convert.to_official(model)
    assert set(back) == set(networks)
    for file, state in back.items():
        assert_same_state(state, networks[file].state_dict())
        tensors = {k: torch.from_numpy(v) for k, v in state.items()}
        networks[file].load_state_dict(tensors)  # strictly


def test_both_directions_as_an_entry(training, tmp_path):
    folder, networks = training
    model = convert.from_official(
        folder / "latest_net_G_A.pth",
        folder / "latest_net_G_B.pth",
        image_size=(32, 32),
    )
    assert model.networks_without_weights == [
        "discriminator_a",
        "discriminator_b",
    ]
    card = keras_gans.save_pretrained(model, tmp_path / "entry")
    assert sorted(card.files) == [
        "generator_ab.weights.h5",
        "generator_ba.weights.h5",
    ]
    twin = keras_gans.load(tmp_path / "entry")
    assert twin.networks_without_weights == model.networks_without_weights
    images = numpy(images_like())
    for way, file in (
        ("AtoB", "latest_net_G_A.pth"),
        ("BtoA", "latest_net_G_B.pth"),
    ):
        expected = numpy(networks[file](images_like()))
        np.testing.assert_allclose(
            twin.translate(images, way), expected, atol=0.03
        )
    assert set(convert.to_official(twin)) == {
        "latest_net_G_A.pth",
        "latest_net_G_B.pth",
    }


def test_one_direction_as_an_entry(training, tmp_path):
    folder, networks = training
    model = convert.from_official(
        folder / "latest_net_G_A.pth", image_size=(32, 32)
    )
    card = keras_gans.save_pretrained(model, tmp_path / "entry")
    assert [*card.files] == ["generator_ab.weights.h5"]
    twin = keras_gans.load(tmp_path / "entry")
    images = numpy(images_like())
    expected = numpy(networks["latest_net_G_A.pth"](images_like()))
    for one in (model, twin):
        np.testing.assert_allclose(one.translate(images), expected, atol=0.03)
        with pytest.raises(ValueError, match="direction='BtoA', whose gen"):
            one.translate(images, "BtoA")
        assert [*convert.to_official(one)] == ["latest_net_G_A.pth"]
    # Trained further it knows both, and says how it began.
    squares = images.repeat(2, axis=2)[:, :32, :32]
    model.compile(run_eagerly=True)
    with pytest.warns(UserWarning, match="cyclegan came without.*rator_ba"):
        model.fit(squares, squares, batch_size=2, verbose=0)
    assert model.translate(images, "BtoA").shape == images.shape


def test_sizes_have_to_agree(training, tmp_path):
    folder, _ = training
    other = saved(generator(num_blocks=3).state_dict(), tmp_path / "three.pth")
    with pytest.raises(ValueError) as refusal:
        convert.from_official(folder / "latest_net_G_A.pth", other)
    said = str(refusal.value)
    assert "latest_net_G_A.pth with 2 blocks of width 4, 3 channels" in said
    assert "three.pth with 3 blocks of width 4, 3 channels" in said
    gray = saved(discriminator(channels=1).state_dict(), tmp_path / "gray.pth")
    with pytest.raises(ValueError, match="gray.pth with width 4, 1 channels"):
        convert.from_official(
            folder / "latest_net_G_A.pth", discriminator_b=gray
        )
    wide = saved(discriminator(width=8).state_dict(), tmp_path / "wide.pth")
    with pytest.raises(ValueError, match="wide.pth with width 8, 3 channels"):
        convert.from_official(
            folder / "latest_net_G_A.pth",
            discriminator_a=folder / "latest_net_D_B.pth",
            discriminator_b=wide,
        )


def test_discriminators_of_another_width(training, tmp_path):
    """The authors' --ngf and --ndf are two options."""
    folder, networks = training
    theirs = discriminator(width=8, seed=5)
    wide = saved(theirs.state_dict(), tmp_path / "wide.pth")
    model = convert.from_official(
        folder / "latest_net_G_A.pth", discriminator_b=wide
    )
    assert (model.width, model.discriminator_width) == (4, 8)
    assert_same_output(model.discriminator_b, theirs)
    twin = keras_gans.CycleGAN.from_config(model.get_config())
    assert twin.discriminator_a.count_params() == (
        model.discriminator_b.count_params()
    )


# === Bad files ===


def refusal_of(state, convert_it=convert.generator_from_official):
    with pytest.raises(ValueError) as refusal:
        convert_it(state)
    said = str(refusal.value)
    assert "\n" not in said and "Received: " in said
    return said


@pytest.fixture
def state():
    return {k: v.numpy() for k, v in generator().state_dict().items()}


def test_missing_extra_and_misshapen_tensors_are_named(state):
    del state["model.4.bias"], state["model.11.conv_block.5.weight"]
    state["model.2.weight"] = np.ones(4, "float32")
    state["model.2.bias"] = np.ones(4, "float32")
    state["model.7.weight"] = np.ones((16, 8, 3, 4), "float32")
    state["model.15.bias"] = np.ones((4, 1), "float32")
    said = refusal_of(state)
    assert "generator, 2 blocks of width 4, 3 channels. Received: " in said
    assert "no model.4.bias, model.11.conv_block.5.weight; " in said
    assert "; model.2.weight, model.2.bias beside them; " in said
    assert "model.7.weight of (16, 8, 3, 4) in place of (16, 8, 3, 3)" in said
    assert "model.15.bias of (4, 1) in place of (4,)" in said
    assert "trained with `--norm instance`" in said


@pytest.mark.parametrize(
    "gone", ["model.11", "model.19", "model.10", "model.1"]
)
def test_a_missing_layer_is_named(gone, state):
    keys = [k for k in state if k.startswith(f"{gone}.")]
    said = refusal_of({k: v for k, v in state.items() if k not in keys})
    assert keys and all(
        key in said for key in keys[: 1 if gone[-2:] == ".1" else 4]
    )
    assert "beside them" not in said


def test_the_last_block_and_all_after_it(state):
    """Cut off after block 10: the last block says how many there are."""
    kept = {k: v for k, v in state.items() if int(k.split(".")[1]) <= 11}
    said = refusal_of(kept)
    for i in (12, 15, 19):
        assert f"model.{i}.weight" in said and f"model.{i}.bias" in said


def test_many_tensors_are_counted(state):
    more = {f"head.{i}.weight": np.ones(1) for i in range(30)}
    assert "head.9.weight and 20 more beside them" in refusal_of(state | more)


@pytest.mark.parametrize(
    "value, words",
    [
        (np.ones(4, "int64"), "model.1.bias of int64 in place of float32"),
        (np.full(4, np.nan, "float32"), "model.1.bias with numbers that are"),
        (np.array(["a"] * 4), "model.1.bias of <U1 in place of float32"),
        (np.ones(0, "float32"), r"model.1.bias of (0,) in place of (4,)"),
    ],
)
def test_tensors_that_are_no_weights(value, words, state):
    assert words in refusal_of(state | {"model.1.bias": value})


@pytest.mark.parametrize(
    "shape", [(4, 3, 7), (4, 3, 3, 3), (0, 3, 7, 7), (4, 0, 7, 7), ()]
)
def test_a_first_kernel_that_says_nothing(shape, state):
    state["model.1.weight"] = np.ones(shape, "float32")
    said = refusal_of(state)
    assert "Expected model.1.weight as [width, channels, 7, 7]" in said
    assert f"shape={shape}" in said


def test_claimed_sizes_build_nothing(state, monkeypatch):
    """A wide first kernel or a high number alone costs no memory."""
    monkeypatch.setattr("keras_gans.convert.cyclegan.build_generator", None)
    wide = np.zeros((100_000, 1, 7, 7), "float32")
    assert "width 100000" in refusal_of(state | {"model.1.weight": wide})
    far = {"model.99999.conv_block.1.weight": np.ones(1)}
    assert "model.99999.conv_block.1.weight beside" in refusal_of(state | far)
    monkeypatch.undo()


@pytest.mark.parametrize(
    "content, words",
    [
        ({}, "Received: nothing."),
        ({"epoch": 3}, "Received: epoch."),
        (
            {"G_A": {"a.weight": np.ones(1)}, "G_B": {"b.weight": np.ones(1)}},
            "Received: G_A, G_B.",
        ),
        ({"conv.weight": np.ones(1)}, "Received: conv.weight."),
        ({"model.1.weight": "text"}, "Received: model.1.weight."),
        ({"model.weight": np.ones(1)}, "Received: model.weight."),
    ],
)
def test_other_contents(content, words):
    assert words in refusal_of(content)
    assert words in refusal_of(content, convert.discriminator_from_official)


def test_each_kind_of_network_is_only_itself(state):
    critic = {k: v.numpy() for k, v in discriminator().state_dict().items()}
    said = refusal_of(state, convert.discriminator_from_official)
    assert "Expected model.0.weight" in said
    said = refusal_of(critic)
    assert "Expected model.1.weight" in said
    model = keras_gans.CycleGAN((32, 32, 3), num_blocks=1, width=2)
    with pytest.raises(ValueError, match="Expected a generator of .*tor_b, wi"):
        convert.generator_to_official(model.discriminator_b)
    with pytest.raises(ValueError, match="Expected a discriminator of .*_ab"):
        convert.discriminator_to_official(model.generator_ab)
    dense = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    for write in (
        convert.generator_to_official,
        convert.discriminator_to_official,
    ):
        for other in (dense, keras.Sequential(name="empty")):
            with pytest.raises(ValueError, match=f"Received: {other.name}"):
                write(other)


def test_the_file_is_named(tmp_path, training):
    folder, _ = training
    wrong = saved({"model.1.weight": torch.ones(2)}, tmp_path / "wrong.pth")
    with pytest.raises(ValueError, match=f"^{wrong}: Expected model.1.weight"):
        convert.from_official(wrong)
    with pytest.raises(ValueError, match=f"^{wrong}: Expected model.0.weight"):
        convert.from_official(
            folder / "latest_net_G_A.pth", discriminator_a=wrong
        )
    with pytest.raises(ValueError, match="No such file"):
        convert.from_official(folder / "latest_net_G_A.pth", "missing.pth")


class Runs:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def test_a_checkpoint_with_code_in_it(tmp_path):
    content = generator().state_dict() | {"extra": Runs(tmp_path / "ran")}
    path = saved(dict(content), tmp_path / "evil.pth")
    with pytest.raises(ValueError, match="posix.system, which was not run"):
        convert.from_official(path)
    assert not (tmp_path / "ran").exists()
