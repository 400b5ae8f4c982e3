"""The originals in PyTorch, as `tests/references` renders them, ready to train.

For each model a function of a `Case` and a memory layout that returns
`(generator, noise(n), step(real))`: a module from rows to images, n such rows,
and a training step on real images.
"""

from collections.abc import Callable
from typing import Any

import torch

from tests.references import (
    torch_acgan,
    torch_cgan,
    torch_cramer_gan,
    torch_cyclegan,
    torch_dcgan,
    torch_gan,
    torch_lapgan,
    torch_stackgan,
    torch_vae,
    torch_wgan,
    torch_wgan_gp,
)

Peer = tuple[torch.nn.Module, Callable, Callable]


def gan(case: Any, layout: Any) -> Peer:
    prefix = case.variant  # "small" or "paper"
    g = getattr(torch_gan, f"{prefix}_generator")()
    d = getattr(torch_gan, f"{prefix}_discriminator")()
    optimizer = getattr(torch_gan, f"{prefix}_optimizer")
    train_step = getattr(torch_gan, f"{prefix}_train_step")
    noises = 2 if prefix == "small" else 1
    bound = 1.0 if prefix == "small" else 3.0**0.5
    optimizers = optimizer(g), optimizer(d)

    def noise(n: int) -> torch.Tensor:
        return bound * (2.0 * torch.rand(n, 100) - 1.0)

    def step(real: torch.Tensor) -> None:
        zs = [noise(len(real)) for _ in range(noises)]
        train_step(g, d, *optimizers, real, *zs)

    return g, noise, step


def dcgan(case: Any, layout: Any) -> Peer:
    size, _, channels = case.image_shape
    g = torch_dcgan.build_generator(size, channels).to(memory_format=layout)
    d = torch_dcgan.build_discriminator(size, channels).to(memory_format=layout)
    both = torch_dcgan.build_optimizer(g), torch_dcgan.build_optimizer(d)

    def noise(n: int) -> torch.Tensor:
        return torch.randn(n, 100, 1, 1)

    def step(real: torch.Tensor) -> None:
        torch_dcgan.train_step(g, d, *both, real, noise(len(real)))

    return g, noise, step


def wgan(case: Any, layout: Any) -> Peer:
    size, _, channels = case.image_shape
    g, d = torch_wgan.build_dcgan(size, channels, 100, 64)
    for network in (g, d):
        network.to(memory_format=layout)
    both = [torch_wgan.build_optimizer(network) for network in (g, d)]

    def noise(n: int) -> torch.Tensor:
        return torch.randn(n, 100, 1, 1)

    def step(real: torch.Tensor) -> None:
        reals = real.split(case.batch_size)
        noises = [noise(len(x)) for x in (*reals, reals[-1])]
        shape = real.shape[1:]
        torch_wgan.train_step(g, d, *both, reals, noises, shape, 0.01)

    return g, noise, step


def wgan_gp(case: Any, layout: Any) -> Peer:
    _, _, channels = case.image_shape
    build_g, build_d = torch_wgan_gp.NETWORKS[case.variant]
    width = {"mnist": 64, "dcgan": 128, "resnet": 128, "good": 64}
    g = build_g(channels, 128, width[case.variant])
    d = build_d(channels, width[case.variant])
    for network in (g, d):
        network.to(memory_format=layout)
    resnet = case.variant == "resnet"
    beta_1 = 0.5 if case.variant in ("mnist", "dcgan") else 0.0
    adam = {"lr": 2e-4 if resnet else 1e-4, "betas": (beta_1, 0.9)}
    both = [torch.optim.Adam(n.parameters(), **adam) for n in (g, d)]

    def noise(n: int) -> torch.Tensor:
        return torch.randn(n, 128)

    def step(real: torch.Tensor) -> None:
        batches = [
            (x, None, noise(len(x)), torch.rand(len(x)))
            for x in real.split(case.batch_size)
        ]
        z = noise((2 if resnet else 1) * case.batch_size)
        torch_wgan_gp.train_step(g, d, *both, batches, z)

    return g, noise, step


def cramer_gan(case: Any, layout: Any) -> Peer:
    _, _, channels = case.image_shape
    g = torch_cramer_gan.MnistG(channels, 100, 64).to(memory_format=layout)
    d = torch_cramer_gan.MnistD(channels, 64).to(memory_format=layout)
    adam = {"lr": 1e-4, "betas": (0.5, 0.9)}
    both = [torch.optim.Adam(n.parameters(), **adam) for n in (g, d)]

    def noise(n: int) -> torch.Tensor:
        return 2.0 * torch.rand(n, 100) - 1.0

    def step(real: torch.Tensor) -> None:
        *batches, last = [
            (x, noise(len(x)), noise(len(x)), torch.rand(len(x)))
            for x in real.split(case.batch_size)
        ]
        torch_cramer_gan.train_step(g, d, *both, batches, last[:3], "energy")

    return g, noise, step


def lapgan(case: Any, layout: Any) -> Peer:
    pyramid = torch_lapgan.Pyramid([8, 16, 32])
    pyramid.to(memory_format=layout)
    return pyramid, pyramid.noise, pyramid.step


def stackgan_stage1(case: Any, layout: Any) -> Peer:
    size, _, _ = case.image_shape
    text_dim = case.options["text_dim"]
    g = torch_stackgan.Stage1G(size, text_dim, 128, 100, 192)
    d = torch_stackgan.Discriminator(size, 128, 96, False)
    for network in (g, d):
        network.apply(torch_stackgan.initialise)
        network.to(memory_format=layout)
    both = [torch_stackgan.build_optimizer(network) for network in (g, d)]

    def noise(n: int) -> torch.Tensor:
        return torch.randn(n, text_dim + 100 + 128)

    def parts_of(rows: torch.Tensor) -> tuple:
        return rows.split([text_dim, 100, 128], dim=1)

    def step(real: torch.Tensor) -> None:
        given = parts_of(noise(len(real)))
        torch_stackgan.train_step(g, d, *both, real, given)

    class FromRows(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.generator = g

        def forward(self, rows: torch.Tensor) -> torch.Tensor:
            images, _, _ = self.generator(*parts_of(rows))
            return images

    return FromRows(), noise, step


def cyclegan(case: Any, layout: Any) -> Peer:
    """It translates images: they take the place of noise."""
    height, width, channels = case.image_shape
    original = torch_cyclegan.CycleGAN(channels, **case.options)
    original.to(memory_format=layout)

    def pictures(n: int) -> torch.Tensor:
        images = 2.0 * torch.rand(n, channels, height, width) - 1.0
        return images.contiguous(memory_format=layout)

    def step(real: torch.Tensor) -> None:
        choices = [
            (torch.rand(len(real)), torch.randint(50, (len(real),)))
            for _ in range(2)
        ]
        original.step(real, real, *choices)

    return original.generator_ab, pictures, step


class OfClasses(torch.nn.Module):
    """A conditional generator, of rows of z and the one-hot class."""

    def __init__(self, generator: torch.nn.Module):
        super().__init__()
        self.generator = generator

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return self.generator(rows[:, :-10], rows[:, -10:])


def one_hot(labels: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.one_hot(labels, 10).float()


def drawn_classes(n: int) -> torch.Tensor:
    return torch.randint(10, (n,))


def cgan(case: Any, layout: Any) -> Peer:
    paper = case.variant == "paper"
    size, _, channels = case.image_shape
    if paper:
        g, d = torch_cgan.PaperG(), torch_cgan.PaperD()
        optimizer = torch_cgan.paper_optimizer
    else:
        g, d = (
            torch_cgan.ConvG(size, channels),
            torch_cgan.ConvD(size, channels),
        )
        optimizer = torch_cgan.conv_optimizer
    for network in (g, d):
        network.to(memory_format=layout)
    both = optimizer(g), optimizer(d)

    def z_of(n: int) -> torch.Tensor:
        return torch.rand(n, 100) if paper else 2.0 * torch.rand(n, 100) - 1.0

    def noise(n: int) -> torch.Tensor:
        return torch.cat([z_of(n), one_hot(drawn_classes(n))], 1)

    def step(real: torch.Tensor) -> None:
        batches = [
            (x, z_of(len(x)), one_hot(drawn_classes(len(x))))
            for x in real.split(case.batch_size)
        ]
        if paper:
            torch_cgan.paper_train_step(g, d, *both, *batches[0])
        else:
            torch_cgan.conv_train_step(g, d, *both, *batches)

    return OfClasses(g), noise, step


def acgan(case: Any, layout: Any) -> Peer:
    mnist = case.variant == "mnist"
    size, _, channels = case.image_shape
    if mnist:
        g = torch_acgan.MnistG(size, channels)
        d = torch_acgan.MnistD(size, channels)
    else:
        g = torch_acgan.CifarG(size, channels)
        d = torch_acgan.CifarD(size, channels)
    for network in (g, d):
        network.to(memory_format=layout)
    both = [
        torch.optim.Adam(n.parameters(), **torch_acgan.ADAM) for n in (g, d)
    ]

    def z_of(n: int) -> torch.Tensor:
        return 2.0 * torch.rand(n, 100) - 1.0 if mnist else torch.randn(n, 100)

    def noise(n: int) -> torch.Tensor:
        return torch.cat([z_of(n), one_hot(drawn_classes(n))], 1)

    def step(real: torch.Tensor) -> None:
        n = len(real)
        given = drawn_classes(n), z_of(n), drawn_classes(n)
        if mnist:
            own = z_of(2 * n), drawn_classes(2 * n)
            torch_acgan.mnist_train_step(g, d, *both, real, *given, *own)
        else:
            torch_acgan.cifar_train_step(g, d, *both, real, *given)

    return OfClasses(g), noise, step


class Decoder(torch.nn.Module):
    """The images of a VAE's latents."""

    def __init__(self, decode: Callable):
        super().__init__()
        self.decode = decode

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return self.decode(z)


def vae(case: Any, layout: Any) -> Peer:
    if case.variant == "mlp":
        model, latents = torch_vae.VAE(), 20
        decode = model.decode
        options = {"lr": 1e-3}
    else:
        model, latents = torch_vae.IWAE(), 50
        options = {"lr": 1e-3, "betas": (0.99, 0.999), "eps": 1e-4}

        def decode(z):
            for layer in model.p_hidden:
                z = torch.tanh(layer(z))
            return torch.sigmoid(model.p_mean(z))

    optimizer = torch.optim.Adam(model.parameters(), **options)

    def noise(n: int) -> torch.Tensor:
        return torch.randn(n, latents)

    def step(real: torch.Tensor) -> None:
        optimizer.zero_grad()
        if case.variant == "mlp":
            said = model(real, noise(len(real)))
            loss = torch_vae.loss_function(said[0], real, *said[1:])
        else:
            epsilon = torch.randn(len(real), 5, latents)
            loss = -model.bound(real, epsilon).sum()
        loss.backward()
        optimizer.step()

    return Decoder(decode), noise, step


PEERS = {
    "acgan": acgan,
    "cgan": cgan,
    "cramer_gan": cramer_gan,
    "cyclegan": cyclegan,
    "dcgan": dcgan,
    "gan": gan,
    "lapgan": lapgan,
    "stackgan_stage1": stackgan_stage1,
    "vae": vae,
    "wgan": wgan,
    "wgan_gp": wgan_gp,
}
