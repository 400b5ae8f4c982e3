"""The VAE of PyTorch's examples: converted, and back, and what is refused."""

import numpy as np
import pytest

import keras_gans
from keras_gans import cli, convert

torch = pytest.importorskip("torch", reason="needs the extra `torch`")

from tests.references import torch_vae as reference  # noqa: E402


def saved(tmp_path, hidden=30, latents=6, change=None):
    torch.manual_seed(0)
    theirs = reference.VAE(784, hidden, latents)
    state = theirs.state_dict()
    if change is not None:
        change(state)
    torch.save(state, tmp_path / "vae.pth")
    return theirs, tmp_path / "vae.pth"


@pytest.mark.parametrize("hidden, latents", [(400, 20), (30, 6)])
def test_same_outputs_and_bit_equal_back(tmp_path, hidden, latents):
    theirs, path = saved(tmp_path, hidden, latents)
    vae = convert.vae_from_official(path)
    z = vae.draw_latents(5, seed=0)
    rng = np.random.default_rng(0)
    images = rng.uniform(-1, 1, (5, 28, 28, 1)).astype(np.float32)
    with torch.no_grad():
        x = torch.from_numpy((images.reshape(5, -1) + 1) / 2)
        mean, log_variance = (t.numpy() for t in theirs.encode(x))
        pixels = theirs.decode(torch.from_numpy(z)).numpy()
    made = vae.generate(latents=z)
    np.testing.assert_allclose(made.reshape(5, -1), 2 * pixels - 1, atol=1e-5)
    np.testing.assert_allclose(vae.encode(images)[0], mean, atol=1e-5)
    np.testing.assert_allclose(vae.encode(images)[1], log_variance, atol=1e-5)
    (state,) = convert.vae_to_official(vae).values()
    for key, value in theirs.state_dict().items():
        np.testing.assert_array_equal(state[key], value.numpy())


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda s: s.pop("fc3.bias"), "no fc3.bias"),
        (lambda s: s.update({"fc9.weight": torch.ones(2)}), "fc9.weight besid"),
        (lambda s: s["fc4.bias"].fill_(np.nan), "fc4.bias with numbers"),
        (
            lambda s: s.update({"fc22.weight": torch.ones(5, 30)}),
            r"fc22.weight of \(5, 30\) in place of \(6, 30\)",
        ),
        (lambda s: s.update({"fc1.bias": torch.ones(())}), "Expected"),
    ],
)
def test_each_wrong_tensor_is_named(tmp_path, change, words):
    _, path = saved(tmp_path, change=change)
    with pytest.raises(ValueError, match=words) as error:
        convert.vae_from_official(path)
    assert str(path) in str(error.value)


def test_other_shapes_and_other_models(tmp_path):
    _, path = saved(tmp_path)
    vae = convert.vae_from_official(path, (14, 56, 1))
    assert vae.generate(2).shape == (2, 14, 56, 1)
    with pytest.raises(ValueError, match=r"in place of \(30, 64\)"):
        convert.vae_from_official(path, (8, 8, 1))
    with pytest.raises(ValueError, match="network='mlp', one hidden layer"):
        convert.vae_to_official(keras_gans.VAE((8, 8, 1), network="iwae"))


def test_command_line_there_and_back(tmp_path, capsys):
    theirs, path = saved(tmp_path)
    entry, back = tmp_path / "my_vae", tmp_path / "back"
    assert cli.main(["convert", str(path), "--out", str(entry)]) == 0
    assert "sha256" in keras_gans.load(entry).card.data["vae.pth"]
    assert cli.main(["convert", str(entry), "--to-pytorch", str(back)]) == 0
    state = torch.load(back / "vae.pth", weights_only=True)
    assert state.keys() == theirs.state_dict().keys()
    # Weights in an entry are rounded where no pixel moves by much.
    for key, value in theirs.state_dict().items():
        assert torch.allclose(state[key], value, atol=1e-3)
    capsys.readouterr()
    wrong = ["convert", str(path), "--reverse", str(path)]
    assert cli.main(wrong) != 0
    assert "Expected a VAE alone" in capsys.readouterr().err
