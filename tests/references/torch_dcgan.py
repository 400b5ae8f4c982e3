"""DCGAN as pytorch/examples `dcgan/main.py` trains it.

The 28x28 form stands on a 7x7 base; every other size is the original's scheme
with more or fewer stages.
"""

import torch
from torch import nn


def base_of(size: int) -> int:
    return 7 if size == 28 else 4


def build_generator(size, channels, latent_dim=100, width=64):
    base, filters = base_of(size), width * size // (2 * base_of(size))
    stages = [
        nn.ConvTranspose2d(latent_dim, filters, base, 1, 0, bias=False),
        nn.BatchNorm2d(filters),
        nn.ReLU(inplace=True),
    ]
    while filters > width:
        stages += [
            nn.ConvTranspose2d(filters, filters // 2, 4, 2, 1, bias=False),
            nn.BatchNorm2d(filters // 2),
            nn.ReLU(inplace=True),
        ]
        filters //= 2
    stages += [
        nn.ConvTranspose2d(filters, channels, 4, 2, 1, bias=False),
        nn.Tanh(),
    ]
    return nn.Sequential(*stages).apply(initialise)


def build_discriminator(size, channels, width=64):
    base = base_of(size)
    stages, inputs, filters = [], channels, width
    while size > base:
        stages.append(nn.Conv2d(inputs, filters, 4, 2, 1, bias=False))
        if inputs != channels:
            stages.append(nn.BatchNorm2d(filters))
        stages.append(nn.LeakyReLU(0.2, inplace=True))
        inputs, filters, size = filters, 2 * filters, size // 2
    stages += [
        nn.Conv2d(inputs, 1, base, 1, 0, bias=False),
        nn.Sigmoid(),
        nn.Flatten(0),
    ]
    return nn.Sequential(*stages).apply(initialise)


def initialise(module):
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)


def build_optimizer(network):
    return torch.optim.Adam(network.parameters(), lr=2e-4, betas=(0.5, 0.999))


def train_step(netG, netD, optimizerG, optimizerD, real, noise):
    """One iteration of the original's loop; returns its (errD, errG)."""
    criterion = nn.BCELoss()
    ones = torch.ones(len(real), dtype=real.dtype)
    zeros = torch.zeros_like(ones)

    netD.zero_grad()
    errD_real = criterion(netD(real), ones)
    errD_real.backward()
    fake = netG(noise)
    errD_fake = criterion(netD(fake.detach()), zeros)
    errD_fake.backward()
    optimizerD.step()

    netG.zero_grad()
    errG = criterion(netD(fake), ones)
    errG.backward()
    optimizerG.step()
    return (errD_real + errD_fake).item(), errG.item()
