"""DCGAN as pytorch/examples `dcgan/main.py` trains it.

The original is 64x64; other sizes stack more or fewer of its stages, and at
28x28 the 8x8 stage is cropped to 7x7, and padded on the way back.
"""

import torch
from torch import nn


def sizes_to(size: int) -> list[int]:
    """[4, 8, 16, 32, 64] for 64, [4, 7, 14, 28] for 28."""
    return [4] if size == 4 else [*sizes_to(-(-size // 2)), size]


def build_generator(size, channels, latent_dim=100, width=64):
    sizes = sizes_to(size)[1:]
    filters = width * 2 ** (len(sizes) - 1)
    stages = [nn.ConvTranspose2d(latent_dim, filters, 4, 1, 0, bias=False)]
    for side in sizes:
        out = channels if side == size else filters // 2
        stages += [
            nn.BatchNorm2d(filters),
            nn.ReLU(inplace=True),
            nn.ConvTranspose2d(filters, out, 4, 2, 1, bias=False),
        ]
        if side == 7:
            stages.append(nn.ZeroPad2d((0, -1, 0, -1)))
        filters = out
    return nn.Sequential(*stages, nn.Tanh()).apply(initialise)


def build_discriminator(size, channels, width=64):
    stages, inputs, filters = [], channels, width
    for side in reversed(sizes_to(size)[1:]):
        if side == 7:
            stages.append(nn.ZeroPad2d((0, 1, 0, 1)))
        stages.append(nn.Conv2d(inputs, filters, 4, 2, 1, bias=False))
        if inputs != channels:
            stages.append(nn.BatchNorm2d(filters))
        stages.append(nn.LeakyReLU(0.2, inplace=True))
        inputs, filters = filters, 2 * filters
    stages += [
        nn.Conv2d(inputs, 1, 4, 1, 0, bias=False),
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
