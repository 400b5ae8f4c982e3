"""Cramer GAN's Algorithm 1, on the networks of jiamings/cramer-gan and MMD-GAN.

Where a linear layer meets an image, the image is laid out as `[n, h, w, c]`.
"""

import torch
from torch import nn

from tests.references.torch_wgan_gp import SameConv, SameDeconv, flat, image


class MnistG(nn.Module):
    def __init__(self, channels, latent_dim, width):
        super().__init__()
        self.width = width
        self.fc1 = nn.Linear(latent_dim, 16 * width)
        self.fc2 = nn.Linear(16 * width, 7 * 7 * 2 * width)
        self.deconv1 = SameDeconv(2 * width, width, 4, 2)
        self.deconv2 = SameDeconv(width, channels, 4, 2)

    def forward(self, z):
        x = torch.relu(self.fc2(torch.relu(self.fc1(z))))
        x = x.view(len(x), 7, 7, 2 * self.width).permute(0, 3, 1, 2)
        x = torch.relu(self.deconv1(x))
        return torch.sigmoid(self.deconv2(x))


class MnistD(nn.Module):
    def __init__(self, channels, width):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 4, 2)
        self.conv2 = nn.Conv2d(width, 2 * width, 4, 2)
        self.fc1 = nn.Linear(5 * 5 * 2 * width, 16 * width)
        self.fc2 = nn.Linear(16 * width, 256)

    def forward(self, x):
        leaky = nn.functional.leaky_relu
        x = leaky(self.conv2(leaky(self.conv1(x), 0.2)), 0.2)
        return self.fc2(leaky(self.fc1(flat(x)), 0.2))


class DcganG(nn.Module):
    """At 32x32, a stage less than at 64x64."""

    def __init__(self, channels, latent_dim, width):
        super().__init__()
        filters = [4 * width, 2 * width, width, channels]
        self.filters = filters[0]
        self.fc = nn.Linear(latent_dim, 4 * 4 * filters[0])
        self.norms = nn.ModuleList(nn.BatchNorm2d(f) for f in filters[:3])
        self.deconvs = nn.ModuleList(
            SameDeconv(i, o, 5, 2)
            for i, o in zip(filters[:3], filters[1:], strict=True)
        )

    def forward(self, z):
        x = image(self.fc(z), self.filters)
        for norm, deconv in zip(self.norms, self.deconvs, strict=True):
            x = deconv(torch.relu(norm(x)))
        return torch.sigmoid(x)


class DcganD(nn.Module):
    def __init__(self, channels, width):
        super().__init__()
        filters = [channels, width, 2 * width, 4 * width]
        self.convs = nn.ModuleList(
            SameConv(i, o, 5, 2)
            for i, o in zip(filters[:3], filters[1:], strict=True)
        )
        self.fc = nn.Linear(4 * 4 * 4 * width, 256)

    def forward(self, x):
        for conv in self.convs:
            x = nn.functional.leaky_relu(conv(x), 0.2)
        return self.fc(flat(x))


NETWORKS = {"mnist": (MnistG, MnistD), "dcgan": (DcganG, DcganD)}


def norm(x):
    return x.square().sum(1).sqrt()


def critic_loss(h, x, x_g, x_g2, e):
    """(loss, surrogate, penalty) of a critic step."""

    def f(images):
        return norm(h(images) - h(x_g2)) - norm(h(images))

    surrogate = f(x).mean() - f(x_g).mean()
    x_hat = x + e[:, None, None, None] * (x_g - x)
    x_hat.requires_grad_()
    slopes = torch.autograd.grad(f(x_hat).sum(), x_hat, create_graph=True)[0]
    penalty = ((slopes.square().sum((1, 2, 3)).sqrt() - 1.0) ** 2).mean()
    return -surrogate + 10.0 * penalty, surrogate, penalty


def generator_loss(h, x, x_g, x_g2, kind):
    if kind == "energy":
        return (
            norm(h(x) - h(x_g)) + norm(h(x) - h(x_g2)) - norm(h(x_g) - h(x_g2))
        ).mean()

    def f(images):
        return norm(h(images) - h(x_g2)) - norm(h(images))

    return (f(x) - f(x_g)).mean()


def train_step(netG, netD, optimizerG, optimizerD, batches, last, kind):
    """Critic steps on `batches` of (x, z, z2, e), then G on `last`."""
    for x, z, z2, e in batches:
        optimizerD.zero_grad()
        with torch.no_grad():
            fakes = netG(z), netG(z2)
        d_loss, surrogate, penalty = critic_loss(netD, x, *fakes, e)
        d_loss.backward()
        optimizerD.step()
    x, z, z2 = last
    optimizerG.zero_grad()
    g_loss = generator_loss(netD, x, netG(z), netG(z2), kind)
    g_loss.backward()
    optimizerG.step()
    return [v.item() for v in (d_loss, g_loss, penalty, surrogate)]
