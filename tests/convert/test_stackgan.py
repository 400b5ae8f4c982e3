"""StackGAN's files: converted, and back, and what is refused."""

import numpy as np
import pytest

import keras_gans
from keras_gans import cli, convert

torch = pytest.importorskip("torch", reason="needs the extra `torch`")

from tests.references import torch_stackgan as reference  # noqa: E402


def networks(stage, **sizes):
    """A rendering's networks with statistics as after a training."""
    torch.manual_seed(stage)
    sizes = {"size": 16, "ratio": 2, "blocks": 2} | sizes
    netG = reference.Stage1G(sizes["size"], 8, 4, 5, 4)
    side = sizes["size"]
    if stage == 2:
        side *= sizes["ratio"]
        netG = reference.Stage2G(netG, sizes["ratio"], 8, 4, 6, sizes["blocks"])
    netD = reference.Discriminator(side, 4, 4, stage == 2)
    for net in (netG, netD):
        net.apply(reference.initialise)
        for module in net.modules():
            if isinstance(module, (torch.nn.BatchNorm1d, torch.nn.BatchNorm2d)):
                module.running_mean.normal_(0, 0.1)
                module.running_var.uniform_(0.5, 1.5)
    return netG.eval(), netD.eval()


def save(tmp_path, netG, netD, prefix=""):
    paths = tmp_path / "netG.pth", tmp_path / "netD.pth"
    for path, net in zip(paths, (netG, netD), strict=True):
        state = {prefix + k: v for k, v in net.state_dict().items()}
        torch.save(state, path)
    return paths


@pytest.mark.parametrize(
    "stage, sizes",
    [(1, {}), (1, {"size": 64}), (2, {}), (2, {"ratio": 4, "blocks": 4})],
)
def test_same_outputs_and_bit_equal_back(tmp_path, stage, sizes):
    netG, netD = networks(stage, **sizes)
    model = convert.stackgan_from_official(*save(tmp_path, netG, netD))
    z = model.draw_latents(3, 0)
    embeddings = np.random.default_rng(0).normal(size=(3, 8)).astype("float32")
    parts = torch.from_numpy(z).split([5, 4, 4][: stage + 1], dim=1)
    with torch.no_grad():
        images, mu, _ = netG(torch.from_numpy(embeddings), *parts)
        expected = netD.get_cond_logits(netD(images), mu).numpy()
    made = model.generate(1, embeddings=embeddings, latents=z)
    images = images.numpy().transpose(0, 2, 3, 1)
    np.testing.assert_allclose(made, images, atol=1e-5)
    logits = model.discriminator.predict([images, mu.numpy()], verbose=0)
    logits = logits[0] if stage == 2 else logits
    probability = 1 / (1 + np.exp(-logits[:, 0]))
    np.testing.assert_allclose(probability, expected, atol=1e-5)

    states = convert.stackgan_to_official(model)
    for name, net in (("netG.pth", netG), ("netD.pth", netD)):
        state = {
            k: v
            for k, v in net.state_dict().items()
            if not k.endswith("num_batches_tracked")
        }
        assert states[name].keys() == state.keys()
        for key, value in states[name].items():
            np.testing.assert_array_equal(value, state[key].numpy())


def test_a_generator_alone_and_data_parallel(tmp_path):
    path, _ = save(tmp_path, *networks(1), prefix="module.")
    model = convert.stackgan_from_official(path)
    assert model.networks_without_weights == ["discriminator"]
    assert [*convert.stackgan_to_official(model)] == ["netG.pth"]
    with pytest.raises(ValueError, match="'char-CNN-RNN'"):
        model.generate(texts="a red flower")


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda s: s.pop("upsample1.1.weight"), "no upsample1.1.weight"),
        (
            lambda s: [s.pop(k) for k in [*s] if k.startswith("upsample2")],
            "power of two from 16",
        ),
        (lambda s: s.pop("fc.1.running_var"), "no fc.1.running_var"),
        (lambda s: s.update(more=torch.zeros(2)), "more beside them"),
        (
            lambda s: s.update({"img.0.weight": torch.zeros(3, 3, 3, 3)}),
            r"img.0.weight of \(3, 3, 3, 3\) in place of",
        ),
        (lambda s: s.pop("ca_net.fc.weight"), "Expected ca_net.fc.weight"),
        (
            lambda s: s["fc.0.weight"].fill_(float("nan")),
            "numbers that are not finite",
        ),
    ],
)
def test_each_wrong_tensor_is_named(tmp_path, change, words):
    state = networks(1)[0].state_dict()
    change(state)
    torch.save(state, tmp_path / "netG.pth")
    with pytest.raises(ValueError, match=f"netG.pth.*{words}"):
        convert.stackgan_from_official(tmp_path / "netG.pth")


def test_a_discriminator_of_another_stage(tmp_path):
    netG, _ = networks(1)
    paths = save(tmp_path, netG, networks(2)[1])
    with pytest.raises(ValueError, match="netD.pth.*get_uncond_logits"):
        convert.stackgan_from_official(*paths)


def test_command_line_there_and_back(tmp_path, capsys):
    paths = save(tmp_path, *networks(2))
    entry = tmp_path / "mine"
    line = ["convert", str(paths[0]), "--discriminator", str(paths[1])]
    assert cli.main([*line, "--out", str(entry)]) == 0
    model = keras_gans.load(str(entry))
    assert isinstance(model, keras_gans.StackGANStage2)
    back = tmp_path / "back"
    assert cli.main(["convert", str(entry), "--to-pytorch", str(back)]) == 0
    state = torch.load(back / "netG.pth", weights_only=True)
    reference.Stage2G(
        reference.Stage1G(16, 8, 4, 5, 4), 2, 8, 4, 6, 2
    ).load_state_dict(state, strict=False)
    capsys.readouterr()
    assert cli.main([*line, "--reverse", "x.pth"]) == 2
    assert "Received: --reverse" in capsys.readouterr().err
    line = ["convert", "--official", "horse2zebra", "--discriminator", "x.pth"]
    assert cli.main(line) == 2
    assert "beside a StackGAN's netG" in capsys.readouterr().err
