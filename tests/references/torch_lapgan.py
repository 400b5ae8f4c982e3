"""LAPGAN as facebook/eyescream trains it (`cifar/scripts`, `cifar/train`).

In PyTorch, which has kept Torch 7's layers and their initial values, but for
two: `optim.sgd` dampens by default, and `image.scale` averages on the way down.
"""

import torch
import torch.nn.functional as F
from torch import nn


class ClassPlane(nn.Module):
    """One-hot classes -> Linear, ReLU -> a plane beside the image."""

    def __init__(self, num_classes, size):
        super().__init__()
        self.size = size
        self.linear = nn.Linear(num_classes, size * size)

    def forward(self, one_hot):
        plane = F.relu(self.linear(one_hot))
        return plane.view(-1, 1, self.size, self.size)


class LevelG(nn.Module):
    """`train_cifar_coarse_to_fine.lua`, and its `_classcond` form."""

    def __init__(self, size, channels=3, planes=64, num_classes=None):
        super().__init__()
        extra = 0 if num_classes is None else 1
        if extra:
            self.plane = ClassPlane(num_classes, size)
        self.layers = nn.Sequential(
            nn.Conv2d(channels + 1 + extra, planes, 7, padding=3),
            nn.ReLU(),
            nn.Conv2d(planes, planes, 7, padding=3),
            nn.ReLU(),
            nn.Conv2d(planes, channels, 5, padding=2),
        )

    def forward(self, noise, coarse, one_hot=None):
        maps = [noise, coarse]
        if one_hot is not None:
            maps.insert(1, self.plane(one_hot))
        return self.layers(torch.cat(maps, 1))


class LevelD(nn.Module):
    def __init__(self, size, channels=3, planes=64, num_classes=None):
        super().__init__()
        extra = 0 if num_classes is None else 1
        if extra:
            self.plane = ClassPlane(num_classes, size)
        side = ((size - 5 + 1) - 5) // 2 + 1
        self.features = nn.Sequential(
            nn.Conv2d(channels + extra, planes, 5),
            nn.ReLU(),
            nn.Conv2d(planes, planes, 5, 2),
            nn.ReLU(),
            Flatten(),
            nn.Dropout(),
        )
        self.judge = nn.Linear(planes * side * side, 1)

    def forward(self, diff, coarse, one_hot=None):
        x = diff + coarse
        if one_hot is not None:
            x = torch.cat([x, self.plane(one_hot)], 1)
        return torch.sigmoid(self.judge(self.features(x)))


class Flatten(nn.Module):
    """In the order of Keras, channels last, so that weights carry over."""

    def forward(self, x):
        return x.permute(0, 2, 3, 1).flatten(1)


class BaseG(nn.Module):
    """`train_cifar.lua`, and `train_cifar_classcond.lua`."""

    def __init__(
        self, size, channels=3, noise=100, hidden=8000, num_classes=None
    ):
        super().__init__()
        self.shape = (size, size, channels)
        classes = num_classes or 0
        self.layers = nn.Sequential(
            nn.Linear(noise + classes, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU() if classes else nn.Sigmoid(),
            nn.Linear(hidden, size * size * channels),
        )
        if not classes:
            self.layers.apply(lambda m: draw(m, 0.05))

    def forward(self, noise, one_hot=None):
        x = noise if one_hot is None else torch.cat([noise, one_hot], 1)
        return self.layers(x).view(-1, *self.shape).permute(0, 3, 1, 2)


class BaseD(nn.Module):
    def __init__(self, size, channels=3, hidden=1600, num_classes=None):
        super().__init__()
        classes = num_classes or 0
        self.layers = nn.Sequential(
            nn.Linear(size * size * channels + classes, hidden),
            nn.ReLU(),
            nn.Dropout(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Dropout(),
            nn.Linear(hidden, 1),
        )
        if not classes:
            self.layers.apply(lambda m: draw(m, 0.005))

    def forward(self, image, one_hot=None):
        x = image.permute(0, 2, 3, 1).flatten(1)
        x = x if one_hot is None else torch.cat([x, one_hot], 1)
        return torch.sigmoid(self.layers(x))


def draw(module, deviation):
    if isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, 0.0, deviation)
        nn.init.zeros_(module.bias)


def SGD(parameters, lr=0.02, momentum=0.5):
    """`optim.sgd` of Torch 7, where dampening is momentum by default."""
    return torch.optim.SGD(
        parameters, lr=lr, momentum=momentum, dampening=momentum
    )


def up(images):
    """`image.scale` to twice the size."""
    return F.interpolate(
        images, scale_factor=2, mode="bilinear", align_corners=True
    )


def down_and_up(images):
    """`image.scale` to half the size, an area average, and back."""
    return up(F.avg_pool2d(images, 2))


def train_step(netG, netD, optimG, optimD, real, coarse, noises, one_hot=None):
    """An iteration of `conditional_adversarial.lua`, or `adversarial.lua`.

    A batch of which the first half is real, the second gives the coarse
    pictures of the generated ones; `coarse` is None in the base. Returns the
    two errors.
    """
    criterion = nn.BCELoss()
    half = len(real) // 2
    ones, zeros = torch.ones(half, 1), torch.zeros(half, 1)
    targets = torch.cat([ones, zeros]).to(real.dtype)

    def rows(tensors, chosen):
        return [t[chosen] for t in tensors if t is not None]

    def differences(images):
        return images if coarse is None else images - coarse[: len(images)]

    given = (coarse, one_hot)
    # (1) Update D: half a minibatch of real images, half of generated ones.
    with torch.no_grad():
        samples = netG(noises[0], *rows(given, slice(half, None)))
    inputs = torch.cat([differences(real[:half]), samples])
    optimD.zero_grad()
    errD = criterion(netD(inputs, *rows(given, slice(None))), targets)
    errD.backward()
    optimD.step()

    # (2) Update G.
    optimG.zero_grad()
    samples = netG(noises[1], *rows(given, slice(None)))
    outputs = netD(samples, *rows(given, slice(None)))
    errG = criterion(outputs, torch.ones_like(outputs))
    errG.backward()
    optimG.step()
    return errD.item(), errG.item()


class Pyramid(nn.Module):
    """All levels, as one that trains and samples them together would.

    The authors train each by a program of its own.
    """

    def __init__(self, sizes, channels=3):
        super().__init__()
        self.sizes = sizes
        base, *levels = sizes
        self.generators = nn.ModuleList(
            [BaseG(base, channels), *(LevelG(n, channels) for n in levels)]
        )
        self.discriminators = nn.ModuleList(
            [BaseD(base, channels), *(LevelD(n, channels) for n in levels)]
        )
        self.optimizers = [
            (
                SGD(g.parameters(), momentum=0.5 if i else 0.0),
                SGD(d.parameters(), momentum=0.5 if i else 0.0),
            )
            for i, (g, d) in enumerate(
                zip(self.generators, self.discriminators, strict=True)
            )
        ]

    def noise(self, n, size=None):
        """U(-1, 1) of one level, or of all, in a row."""
        if size is None:
            total = 100 + sum(size * size for size in self.sizes[1:])
            return 2 * torch.rand(n, total) - 1
        shape = (100,) if size == self.sizes[0] else (1, size, size)
        return 2 * torch.rand(n, *shape) - 1

    def step(self, real):
        images = {self.sizes[-1]: real}
        for size in reversed(self.sizes[:-1]):
            images[size] = F.avg_pool2d(images[2 * size], 2)
        for i, size in enumerate(self.sizes):
            coarse = up(images[size // 2]) if i else None
            n = len(real)
            noises = self.noise(n - n // 2, size), self.noise(n, size)
            g, d = self.generators[i], self.discriminators[i]
            optimizers = self.optimizers[i]
            train_step(g, d, *optimizers, images[size], coarse, noises)

    def forward(self, noise):
        start, images = 0, None
        for size, g in zip(self.sizes, self.generators, strict=True):
            stop = start + (size * size if start else 100)
            z, start = noise[:, start:stop], stop
            if images is None:
                images = g(z)
            else:
                low = up(images)
                images = low + g(z.view(-1, 1, size, size), low)
        return images.clamp(-1, 1)
