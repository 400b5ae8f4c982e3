"""CycleGAN as its authors' PyTorch code trains it, option `--no_dropout`.

junyanz/pytorch-CycleGAN-and-pix2pix: `models/networks.py`, `util/image_pool.py`
and `CycleGANModel.optimize_parameters` of `models/cycle_gan_model.py`. The keys
of the state dicts are the authors'. A and B are the two domains: their G_A is
`generator_ab` here, and their D_A, which looks at B, `discriminator_b`.
"""

import torch
from torch import nn


def normalise(channels):
    return nn.InstanceNorm2d(channels)  # affine=False, eps=1e-5


class ResnetBlock(nn.Module):
    def __init__(self, channels, use_dropout):
        super().__init__()
        self.conv_block = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3),
            normalise(channels),
            nn.ReLU(inplace=True),
            *([nn.Dropout(0.5)] if use_dropout else []),
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3),
            normalise(channels),
        )

    def forward(self, x):
        return x + self.conv_block(x)


class ResnetGenerator(nn.Module):
    """Image [n, c, h, w] in [-1, 1] -> one of the other domain, as large."""

    def __init__(self, channels=3, width=64, num_blocks=9, use_dropout=False):
        super().__init__()
        layers = [nn.ReflectionPad2d(3), nn.Conv2d(channels, width, 7)]
        layers += [normalise(width), nn.ReLU(inplace=True)]
        for n in (width, 2 * width):
            layers.append(nn.Conv2d(n, 2 * n, 3, stride=2, padding=1))
            layers += [normalise(2 * n), nn.ReLU(inplace=True)]
        for _ in range(num_blocks):
            layers.append(ResnetBlock(4 * width, use_dropout))
        for n in (2 * width, width):
            layers.append(
                nn.ConvTranspose2d(
                    2 * n, n, 3, stride=2, padding=1, output_padding=1
                )
            )
            layers += [normalise(n), nn.ReLU(inplace=True)]
        layers += [nn.ReflectionPad2d(3), nn.Conv2d(width, channels, 7)]
        self.model = nn.Sequential(*layers, nn.Tanh()).apply(initialise)

    def forward(self, images):
        return self.model(images)


class PatchDiscriminator(nn.Module):
    """Image [n, c, h, w] -> logits [n, 1, h/8 - 2, w/8 - 2]."""

    def __init__(self, channels=3, width=64):
        super().__init__()
        layers = [nn.Conv2d(channels, width, 4, stride=2, padding=1)]
        layers.append(nn.LeakyReLU(0.2, inplace=True))
        for n, stride in ((width, 2), (2 * width, 2), (4 * width, 1)):
            layers.append(nn.Conv2d(n, 2 * n, 4, stride=stride, padding=1))
            layers += [normalise(2 * n), nn.LeakyReLU(0.2, inplace=True)]
        layers.append(nn.Conv2d(8 * width, 1, 4, padding=1))
        self.model = nn.Sequential(*layers).apply(initialise)

    def forward(self, images):
        return self.model(images)


def initialise(module):
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(module.weight, 0.0, 0.02)
        nn.init.zeros_(module.bias)


class ImagePool:
    """Past fakes. The random choices are given, one of each kind an image.

    `coins[i]` is for image i once the pool is full; `places[i]` where that coin
    is over 0.5. The authors' pool draws them only then.
    """

    def __init__(self, size):
        self.size = size
        self.kept = []

    def query(self, images, coins, places):
        returned = []
        for image, coin, place in zip(
            images.detach(), coins, places, strict=True
        ):
            if len(self.kept) < self.size:
                self.kept.append(image)
            elif self.size and coin > 0.5:
                image, self.kept[place] = self.kept[place], image
            returned.append(image)
        return torch.stack(returned)


class CycleGAN:
    """The four networks, two pools and two optimizers, and one step of all."""

    def __init__(
        self,
        channels=3,
        width=64,
        num_blocks=9,
        adversarial="lsgan",
        cycle_weight=10.0,
        identity_weight=0.5,
        pool_size=50,
    ):
        self.generator_ab = ResnetGenerator(channels, width, num_blocks)
        self.generator_ba = ResnetGenerator(channels, width, num_blocks)
        self.discriminator_a = PatchDiscriminator(channels, width)
        self.discriminator_b = PatchDiscriminator(channels, width)
        self.pool_a, self.pool_b = ImagePool(pool_size), ImagePool(pool_size)
        self.criterion = {
            "lsgan": nn.MSELoss(),
            "vanilla": nn.BCEWithLogitsLoss(),
        }[adversarial]
        self.cycle_weight = cycle_weight
        self.identity_weight = identity_weight
        self.optimizers = tuple(
            torch.optim.Adam(
                [p for network in pair for p in network.parameters()],
                lr=2e-4,
                betas=(0.5, 0.999),
            )
            for pair in (self.generators, self.discriminators)
        )

    @property
    def generators(self):
        return self.generator_ab, self.generator_ba

    @property
    def discriminators(self):
        return self.discriminator_a, self.discriminator_b

    @property
    def networks(self):
        """By the names of the Keras model's."""
        return {
            "generator_ab": self.generator_ab,
            "generator_ba": self.generator_ba,
            "discriminator_a": self.discriminator_a,
            "discriminator_b": self.discriminator_b,
        }

    def to(self, *args, **kwargs):
        """As `nn.Module.to`, of all networks. Optimizers keep their weights."""
        for network in self.networks.values():
            network.to(*args, **kwargs)
        return self

    def adversarial(self, logits, real):
        target = torch.full_like(logits, float(real))
        return self.criterion(logits, target)

    def generator_losses(self, real_a, real_b):
        """The terms of G's loss as they enter it, and the two fakes."""
        fake_b = self.generator_ab(real_a)
        back_a = self.generator_ba(fake_b)
        fake_a = self.generator_ba(real_b)
        back_b = self.generator_ab(fake_a)
        l1 = nn.functional.l1_loss
        losses = {
            "g_loss_ab": self.adversarial(self.discriminator_b(fake_b), True),
            "g_loss_ba": self.adversarial(self.discriminator_a(fake_a), True),
            "cycle_a": l1(back_a, real_a) * self.cycle_weight,
            "cycle_b": l1(back_b, real_b) * self.cycle_weight,
            "identity_a": torch.zeros(()),
            "identity_b": torch.zeros(()),
        }
        if self.identity_weight > 0:
            weight = self.cycle_weight * self.identity_weight
            same_a, same_b = (
                self.generator_ba(real_a),
                self.generator_ab(real_b),
            )
            losses["identity_a"] = l1(same_a, real_a) * weight
            losses["identity_b"] = l1(same_b, real_b) * weight
        return losses, fake_a, fake_b

    def discriminator_loss(self, discriminator, real, fake):
        on_real = self.adversarial(discriminator(real), True)
        on_fake = self.adversarial(discriminator(fake.detach()), False)
        return (on_real + on_fake) * 0.5

    def step(self, real_a, real_b, choices_a, choices_b):
        """One iteration of the authors' loop.

        Args:
            real_a, real_b: Images [n, c, h, w] in [-1, 1].
            choices_a, choices_b: `(coins, places)` of each pool, [n] each.

        Returns:
            All loss terms, the discriminators' halved, as floats. The gradients
            that they were trained on are in each weight's `grad`.
        """
        optimizer_g, optimizer_d = self.optimizers

        for discriminator in self.discriminators:
            discriminator.requires_grad_(False)
        losses, fake_a, fake_b = self.generator_losses(real_a, real_b)
        optimizer_g.zero_grad()
        sum(losses.values()).backward()
        optimizer_g.step()

        for discriminator in self.discriminators:
            discriminator.requires_grad_(True)
        optimizer_d.zero_grad()
        fake_b = self.pool_b.query(fake_b, *choices_b)
        loss_b = self.discriminator_loss(self.discriminator_b, real_b, fake_b)
        loss_b.backward()
        fake_a = self.pool_a.query(fake_a, *choices_a)
        loss_a = self.discriminator_loss(self.discriminator_a, real_a, fake_a)
        loss_a.backward()
        optimizer_d.step()
        losses |= {"d_loss_a": loss_a, "d_loss_b": loss_b}
        return {name: loss.item() for name, loss in losses.items()}


def schedule(optimizer, epochs=100, decay_epochs=100):
    """The authors' `--lr_policy linear`; they step it as an epoch begins."""

    def factor(epoch):
        return 1.0 - max(0, epoch + 1 - epochs) / float(decay_epochs + 1)

    return torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
