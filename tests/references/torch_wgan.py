"""WGAN as martinarjovsky/WassersteinGAN `main.py` trains it.

`models/dcgan.py` without extra layers is pytorch/examples' DCGAN, but for the
sigmoid; the critic's scores are averaged by the caller.
"""

import torch
from torch import nn

from tests.references import torch_dcgan


def build_dcgan(size, channels, latent_dim, width):
    netG = torch_dcgan.build_generator(size, channels, latent_dim, width)
    netD = torch_dcgan.build_discriminator(size, channels, width)
    return netG, nn.Sequential(*(m for m in netD if type(m) is not nn.Sigmoid))


def build_mlp(size, channels, latent_dim, width):
    def mlp(inputs, outputs):
        hidden = []
        for i in (inputs, width, width):
            hidden += [nn.Linear(i, width), nn.ReLU(True)]
        return [*hidden, nn.Linear(width, outputs)]

    pixels = channels * size * size
    return (
        nn.Sequential(nn.Flatten(), *mlp(latent_dim, pixels)),
        nn.Sequential(nn.Flatten(), *mlp(pixels, 1)),
    )


def build_optimizer(network):
    return torch.optim.RMSprop(network.parameters(), lr=5e-5)


def train_step(netG, netD, optimizerG, optimizerD, reals, noises, shape, c):
    """Critic steps on `reals`, then one of G: (errD of the last, errG)."""
    for real, noise in zip(reals, noises, strict=False):
        for p in netD.parameters():
            p.data.clamp_(-c, c)
        netD.zero_grad()
        errD_real = netD(real).mean()
        with torch.no_grad():
            fake = netG(noise).view(-1, *shape)
        errD_fake = netD(fake).mean()
        (errD_real - errD_fake).backward()
        optimizerD.step()
    netG.zero_grad()
    errG = netD(netG(noises[-1]).view(-1, *shape)).mean()
    errG.backward()
    optimizerG.step()
    return (errD_real - errD_fake).item(), errG.item()
