"""WGAN-GP as igul222/improved_wgan_training has it, rendered in PyTorch.

`gan_mnist.py`, `gan_cifar.py`, `gan_cifar_resnet.py` and the good networks of
`gan_64x64.py`, with TensorFlow's "SAME" padding written out. Where a linear
layer meets an image, the image is laid out as `[n, h, w, c]`. The order in
which layers of a kind are made is that of our networks.
"""

import itertools

import torch
import torch.nn.functional as F
from torch import nn


class SameConv(nn.Conv2d):
    """TensorFlow's "SAME": of an odd padding, the larger half behind."""

    def forward(self, x):
        pads = []
        for side in reversed(x.shape[2:]):
            out = -(-side // self.stride[0])
            pad = (out - 1) * self.stride[0] + self.kernel_size[0] - side
            pads += [max(pad, 0) // 2, max(pad, 0) - max(pad, 0) // 2]
        return super().forward(F.pad(x, pads))


class SameDeconv(nn.ConvTranspose2d):
    """To twice the side: the transposed of a "SAME" convolution."""

    def forward(self, x):
        pad = self.kernel_size[0] - 2
        start, side = pad // 2, 2 * x.shape[-1]
        y = super().forward(x)
        return y[:, :, start : start + side, start : start + side]


def conv(inputs, outputs, size, stride=1, bias=True):
    return SameConv(inputs, outputs, size, stride, bias=bias)


def deconv(inputs, outputs):
    return SameDeconv(inputs, outputs, 5, 2)


def flat(x):
    return x.permute(0, 2, 3, 1).flatten(1)


def image(x, filters):
    return x.view(len(x), 4, 4, filters).permute(0, 3, 1, 2)


class Norm(nn.Module):
    def __init__(self, filters):
        super().__init__()
        self.bn = nn.BatchNorm2d(filters)

    def forward(self, x, y):
        return self.bn(x)


class ClassNorm(nn.Module):
    def __init__(self, filters, classes):
        super().__init__()
        self.bn = nn.BatchNorm2d(filters, affine=False)
        self.scale = nn.Embedding(classes, filters)
        self.offset = nn.Embedding(classes, filters)
        nn.init.ones_(self.scale.weight)
        nn.init.zeros_(self.offset.weight)

    def forward(self, x, y):
        scale = self.scale(y)[..., None, None]
        return self.bn(x) * scale + self.offset(y)[..., None, None]


def norm(filters, classes=None):
    return Norm(filters) if classes is None else ClassNorm(filters, classes)


class LayerNorm(nn.GroupNorm):
    def __init__(self, filters):
        super().__init__(1, filters)

    def forward(self, x, y):
        return super().forward(x)


class Nothing(nn.Module):
    def forward(self, x, y):
        return x


def pool(x):
    return (
        x[:, :, ::2, ::2]
        + x[:, :, 1::2, ::2]
        + x[:, :, ::2, 1::2]
        + x[:, :, 1::2, 1::2]
    ) / 4.0


def upsample(x):
    return x.repeat_interleave(2, 2).repeat_interleave(2, 3)


class Block(nn.Module):
    """`ResidualBlock` of both files; `pool_first` is the 64-pixel one's."""

    def __init__(self, inputs, outputs, resample, normalise, bias, pool_first):
        super().__init__()
        self.resample, self.pool_first = resample, pool_first
        middle = inputs if resample == "down" else outputs
        self.norm1 = normalise(inputs)
        self.conv1 = conv(inputs, middle, 3, bias=bias)
        self.norm2 = normalise(middle)
        self.conv2 = conv(middle, outputs, 3)
        same = inputs == outputs and resample is None
        self.shortcut = None if same else conv(inputs, outputs, 1)

    def forward(self, x, y=None):
        out = torch.relu(self.norm1(x, y))
        out = self.conv1(upsample(out) if self.resample == "up" else out)
        out = self.conv2(torch.relu(self.norm2(out, y)))
        if self.shortcut is None:
            return x + out
        if self.resample == "up":
            return self.shortcut(upsample(x)) + out
        if self.pool_first:
            return self.shortcut(pool(x)) + pool(out)
        return pool(self.shortcut(x)) + pool(out)


# === Networks ===


class MnistG(nn.Module):
    def __init__(self, channels, latent_dim, width):
        super().__init__()
        self.width = width
        self.fc = nn.Linear(latent_dim, 4 * 4 * 4 * width)
        self.deconv1 = deconv(4 * width, 2 * width)
        self.deconv2 = deconv(2 * width, width)
        self.deconv3 = deconv(width, channels)

    def forward(self, z, y=None):
        x = image(torch.relu(self.fc(z)), 4 * self.width)
        x = torch.relu(self.deconv1(x))[:, :, :7, :7]
        return torch.sigmoid(self.deconv3(torch.relu(self.deconv2(x))))


class ConvD(nn.Module):
    """The critic of `gan_mnist.py` and `gan_cifar.py`."""

    def __init__(self, channels, width, classes=None):
        super().__init__()
        filters = (channels, width, 2 * width, 4 * width)
        self.convs = nn.ModuleList(
            conv(i, o, 5, 2) for i, o in itertools.pairwise(filters)
        )
        self.fc = nn.Linear(4 * 4 * 4 * width, 1)
        if classes is not None:
            self.head = nn.Linear(4 * 4 * 4 * width, classes)

    def forward(self, x):
        for layer in self.convs:
            x = layer(x)
            x = torch.maximum(0.2 * x, x)
        x = flat(x)
        return self.fc(x)[:, 0], self.head(x) if hasattr(self, "head") else None


class CifarG(nn.Module):
    def __init__(self, channels, latent_dim, width, classes=None):
        super().__init__()
        self.width = width
        filters = (4 * width, 2 * width, width, channels)
        self.fc = nn.Linear(latent_dim, 4 * 4 * 4 * width)
        norms = (4 * 4 * 4 * width, 2 * width, width)
        self.norms = nn.ModuleList(norm(f, classes) for f in norms)
        self.deconvs = nn.ModuleList(
            deconv(i, o) for i, o in itertools.pairwise(filters)
        )

    def forward(self, z, y=None):
        x = self.norms[0](self.fc(z)[..., None, None], y)[..., 0, 0]
        x = image(torch.relu(x), 4 * self.width)
        for layer, norm in zip(self.deconvs[:2], self.norms[1:], strict=True):
            x = torch.relu(norm(layer(x), y))
        return torch.tanh(self.deconvs[2](x))


class ResnetG(nn.Module):
    def __init__(self, channels, latent_dim, width, classes=None):
        super().__init__()
        self.width = width
        self.fc = nn.Linear(latent_dim, 4 * 4 * width)
        self.blocks = nn.ModuleList(
            Block(width, width, "up", lambda f: norm(f, classes), True, False)
            for _ in range(3)
        )
        self.norm = norm(width)
        self.out = conv(width, channels, 3)

    def forward(self, z, y=None):
        x = image(self.fc(z), self.width)
        for block in self.blocks:
            x = block(x, y)
        return torch.tanh(self.out(torch.relu(self.norm(x, y))))


class ResnetD(nn.Module):
    def __init__(self, channels, width, classes=None):
        super().__init__()
        self.conv1 = conv(channels, width, 3)
        self.conv2 = conv(width, width, 3)
        self.shortcut = conv(channels, width, 1)
        self.blocks = nn.ModuleList(
            Block(width, width, how, lambda f: Nothing(), True, False)
            for how in ("down", None, None)
        )
        self.fc = nn.Linear(width, 1)
        if classes is not None:
            self.head = nn.Linear(width, classes)

    def forward(self, x):
        out = pool(self.conv2(torch.relu(self.conv1(x))))
        x = self.shortcut(pool(x)) + out
        for block in self.blocks:
            x = block(x)
        x = torch.relu(x).mean((2, 3))
        return self.fc(x)[:, 0], self.head(x) if hasattr(self, "head") else None


class GoodG(nn.Module):
    def __init__(self, channels, latent_dim, width, classes=None):
        super().__init__()
        self.width = width
        filters = [8 * width, 8 * width, 4 * width, 2 * width, width]
        self.fc = nn.Linear(latent_dim, 4 * 4 * 8 * width)
        self.blocks = nn.ModuleList(
            Block(i, o, "up", lambda f: norm(f, classes), False, True)
            for i, o in itertools.pairwise(filters)
        )
        self.norm = norm(width)
        self.out = conv(width, channels, 3)

    def forward(self, z, y=None):
        x = image(self.fc(z), 8 * self.width)
        for block in self.blocks:
            x = block(x, y)
        return torch.tanh(self.out(torch.relu(self.norm(x, y))))


class GoodD(nn.Module):
    def __init__(self, channels, width, classes=None):
        super().__init__()
        filters = [width, 2 * width, 4 * width, 8 * width, 8 * width]
        self.conv = conv(channels, width, 3)
        self.blocks = nn.ModuleList(
            Block(i, o, "down", LayerNorm, False, True)
            for i, o in itertools.pairwise(filters)
        )
        self.fc = nn.Linear(4 * 4 * 8 * width, 1)
        if classes is not None:
            self.head = nn.Linear(4 * 4 * 8 * width, classes)

    def forward(self, x):
        x = self.conv(x)
        for block in self.blocks:
            x = block(x)
        x = flat(x)
        return self.fc(x)[:, 0], self.head(x) if hasattr(self, "head") else None


NETWORKS = {
    "mnist": (MnistG, ConvD),
    "dcgan": (CifarG, ConvD),
    "resnet": (ResnetG, ResnetD),
    "good": (GoodG, GoodD),
}


# === A step ===


def critic_loss(netD, real, fake, alpha, labels=None):
    """(loss, Wasserstein estimate, penalty) of a critic step."""
    disc_real, logits = netD(real)
    disc_fake, _ = netD(fake)
    interpolates = real + alpha[:, None, None, None] * (fake - real)
    interpolates.requires_grad_()
    gradients = torch.autograd.grad(
        netD(interpolates)[0].sum(), interpolates, create_graph=True
    )[0]
    slopes = gradients.square().sum((1, 2, 3)).sqrt()
    penalty = ((slopes - 1.0) ** 2).mean()
    wasserstein = disc_real.mean() - disc_fake.mean()
    loss = -wasserstein + 10.0 * penalty
    if labels is not None:
        loss = loss + F.cross_entropy(logits, labels)
    return loss, wasserstein, penalty


def generator_loss(netG, netD, z, labels=None):
    scores, logits = netD(netG(z, labels))
    loss = -scores.mean()
    if labels is not None:
        loss = loss + 0.1 * F.cross_entropy(logits, labels)
    return loss


def train_step(
    netG, netD, optimizerG, optimizerD, batches, z_of_g, labels_of_g=None
):
    """Critic steps on `batches` of (real, labels, z, alpha), then one of G."""
    for real, labels, z, alpha in batches:
        optimizerD.zero_grad()
        with torch.no_grad():
            fake = netG(z, labels)
        d_loss, wasserstein, penalty = critic_loss(
            netD, real, fake, alpha, labels
        )
        d_loss.backward()
        optimizerD.step()
    optimizerG.zero_grad()
    g_loss = generator_loss(netG, netD, z_of_g, labels_of_g)
    g_loss.backward()
    optimizerG.step()
    values = d_loss, g_loss, penalty, wasserstein
    return [value.item() for value in values]
