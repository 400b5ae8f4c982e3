"""ACGAN in PyTorch.

`Cifar*`: clvrai/ACGAN-PyTorch (`network.py`, `main.py`), with the logarithm
that its class loss lacks. `Mnist*`: lukedeo/keras-acgan (`mnist_acgan.py`),
with TensorFlow's "same" padding written out. Where a linear layer meets an
image, that is laid out as `[n, h, w, c]`. D gives probabilities of being real
`[n]` and log-probabilities of the classes; those that G is given are one-hot.
"""

import itertools

import torch
from torch import nn
from torch.nn import functional as F

from tests.references.torch_wgan_gp import SameConv, flat, upsample


class Heads(nn.Module):
    def __init__(self, features, classes):
        super().__init__()
        self.fc_dis = nn.Linear(features, 1)
        self.fc_aux = nn.Linear(features, classes)

    def forward(self, x):
        x = flat(x)
        return torch.sigmoid(self.fc_dis(x))[:, 0], F.log_softmax(
            self.fc_aux(x), 1
        )


# === clvrai/ACGAN-PyTorch ===


class CifarG(nn.Module):
    def __init__(self, size=32, channels=3, classes=10, latent_dim=100, ngf=48):
        super().__init__()
        n = (size // 4).bit_length() - 1
        filters = [ngf * 2**i for i in reversed(range(n + 1))]
        self.fc1 = nn.Linear(latent_dim + classes, filters[0])
        stages = []
        for i, (a, b) in enumerate(itertools.pairwise([*filters, channels])):
            stride, pad = (1, 0) if i == 0 else (2, 1)
            stages.append(nn.ConvTranspose2d(a, b, 4, stride, pad, bias=False))
            if i < n:
                stages += [nn.BatchNorm2d(b), nn.ReLU()]
        self.stages = nn.Sequential(*stages, nn.Tanh())
        self.apply(initialise)

    def forward(self, z, y):
        # In the code the class takes the place of the first numbers of z.
        x = self.fc1(torch.cat([y, z], 1))
        return self.stages(x[..., None, None])


class CifarD(nn.Module):
    def __init__(self, size=32, channels=3, classes=10, ndf=16):
        super().__init__()
        filters = [channels, *(ndf * 2**i for i in range(6))]
        stages = []
        for i, (a, b) in enumerate(itertools.pairwise(filters)):
            stages.append(nn.Conv2d(a, b, 3, 2 - i % 2, 1, bias=False))
            stages += [nn.BatchNorm2d(b)] if i > 0 else []
            stages += [nn.LeakyReLU(0.2), nn.Dropout(0.5)]
        self.stages = nn.Sequential(*stages)
        self.heads = Heads((size // 8) ** 2 * filters[-1], classes)
        self.apply(initialise)

    def forward(self, x):
        return self.heads(self.stages(x))


def initialise(module):
    """`weights_init`; linear layers keep PyTorch's own."""
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)


def cifar_train_step(netG, netD, optimizerG, optimizerD, real, label, z, y):
    """One iteration; z and the classes y make the images of both turns."""
    bce = nn.BCELoss()
    one_hot = F.one_hot(y, netD.heads.fc_aux.out_features).to(real.dtype)

    netD.zero_grad()
    dis, aux = netD(real)
    dis_errD_real, aux_errD_real = (
        bce(dis, torch.ones_like(dis)),
        nll(aux, label),
    )
    (dis_errD_real + aux_errD_real).backward()
    fake = netG(z, one_hot)
    dis, aux = netD(fake.detach())
    dis_errD_fake, aux_errD_fake = bce(dis, torch.zeros_like(dis)), nll(aux, y)
    (dis_errD_fake + aux_errD_fake).backward()
    optimizerD.step()

    netG.zero_grad()
    dis, aux = netD(fake)
    dis_errG = bce(dis, torch.ones_like(dis))
    (dis_errG + nll(aux, y)).backward()
    optimizerG.step()
    return (
        (dis_errD_real + dis_errD_fake).item(),
        dis_errG.item(),
        (aux_errD_real + aux_errD_fake).item(),
    )


def nll(log_probabilities, labels):
    return F.nll_loss(log_probabilities, labels)


# === lukedeo/keras-acgan ===


class MnistG(nn.Module):
    def __init__(
        self, size=28, channels=1, classes=10, latent_dim=100, width=128
    ):
        super().__init__()
        self.shape = (size // 4, size // 4, width)
        self.embedding = nn.Linear(classes, latent_dim, bias=False)
        self.fc1 = nn.Linear(latent_dim, 8 * width)
        self.fc2 = nn.Linear(8 * width, size // 4 * (size // 4) * width)
        self.conv1 = SameConv(width, 2 * width, 5)
        self.conv2 = SameConv(2 * width, width, 5)
        self.conv3 = SameConv(width, channels, 2)
        self.apply(glorot_uniform)
        for layer in (self.embedding, self.conv1, self.conv2, self.conv3):
            nn.init.xavier_normal_(layer.weight)

    def forward(self, z, y):
        x = F.relu(self.fc1(z * self.embedding(y)))
        x = F.relu(self.fc2(x)).view(-1, *self.shape).permute(0, 3, 1, 2)
        x = F.relu(self.conv1(upsample(x)))
        x = F.relu(self.conv2(upsample(x)))
        return torch.tanh(self.conv3(x))


class MnistD(nn.Module):
    def __init__(self, size=28, channels=1, classes=10, width=32):
        super().__init__()
        filters = [channels, *(width * 2**i for i in range(4))]
        stages = []
        for i, (a, b) in enumerate(itertools.pairwise(filters)):
            stages += [SameConv(a, b, 3, 2 - i % 2), nn.LeakyReLU(0.3)]
            stages.append(nn.Dropout(0.3))
        self.stages = nn.Sequential(*stages)
        self.heads = Heads((size // 4) ** 2 * filters[-1], classes)
        self.apply(glorot_uniform)

    def forward(self, x):
        return self.heads(self.stages(x))


def glorot_uniform(module):
    if isinstance(module, (nn.Linear, nn.Conv2d)):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def mnist_train_step(
    netG, netD, optimizerG, optimizerD, real, label, z, y, z_of_g, y_of_g
):
    """One iteration: D on one batch of both, G on twice as many of its own."""

    def one_hot(y):
        return F.one_hot(y, netD.heads.fc_aux.out_features).to(real.dtype)

    X = torch.cat([real, netG(z, one_hot(y)).detach()])
    is_real = torch.cat([torch.ones(len(real)), torch.zeros(len(z))])
    dis, aux = netD(X)
    dis_loss = F.binary_cross_entropy(dis, is_real.to(X.dtype))
    aux_loss = nll(aux, torch.cat([label, y]))
    optimizerD.zero_grad()
    (dis_loss + aux_loss).backward()
    optimizerD.step()

    dis, aux = netD(netG(z_of_g, one_hot(y_of_g)))
    trick = F.binary_cross_entropy(dis, torch.ones_like(dis))
    optimizerG.zero_grad()
    (trick + nll(aux, y_of_g)).backward()
    optimizerG.step()
    # Both of D's are means over real and generated images together.
    return 2.0 * dis_loss.item(), trick.item(), 2.0 * aux_loss.item()


# Betas of both; Keras's epsilon is outside of the bias correction.
ADAM = {"lr": 2e-4, "betas": (0.5, 0.999)}
