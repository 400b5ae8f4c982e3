"""StackGAN as the authors' PyTorch code trains it, both stages.

hanzhanggit/StackGAN-Pytorch: `code/model.py`, `code/miscc/utils.py` and the
loop of `code/trainer.py`. At 64x64 (Stage-I) and 256x256 (Stage-II) the
networks are the originals; other sizes stack fewer of their stages. The keys of
the state dicts are theirs. The augmentation's noise is an argument.
"""

import torch
from torch import nn


def conv3x3(inputs, outputs):
    return nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False)


def up_block(inputs, outputs):
    return nn.Sequential(
        nn.Upsample(scale_factor=2, mode="nearest"),
        conv3x3(inputs, outputs),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


class ResBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.block = nn.Sequential(
            conv3x3(channels, channels),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            conv3x3(channels, channels),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x):
        return torch.relu(x + self.block(x))


class CANet(nn.Module):
    def __init__(self, text_dim, condition_dim):
        super().__init__()
        self.condition_dim = condition_dim
        self.fc = nn.Linear(text_dim, 2 * condition_dim)

    def forward(self, embedding, noise):
        x = torch.relu(self.fc(embedding))
        mu, logvar = x.split(self.condition_dim, dim=1)
        return mu + torch.exp(0.5 * logvar) * noise, mu, logvar


class Stage1G(nn.Module):
    def __init__(self, size, text_dim, condition_dim, noise_dim, width):
        super().__init__()
        self.filters = filters = width * size // 8
        self.ca_net = CANet(text_dim, condition_dim)
        self.fc = nn.Sequential(
            nn.Linear(noise_dim + condition_dim, 16 * filters, bias=False),
            nn.BatchNorm1d(16 * filters),
            nn.ReLU(),
        )
        self.stages = size.bit_length() - 3
        for i in range(1, self.stages + 1):
            setattr(self, f"upsample{i}", up_block(filters, filters // 2))
            filters //= 2
        self.img = nn.Sequential(conv3x3(filters, 3), nn.Tanh())

    def forward(self, embedding, z, noise):
        c, mu, logvar = self.ca_net(embedding, noise)
        x = self.fc(torch.cat([z, c], 1)).view(-1, self.filters, 4, 4)
        for i in range(1, self.stages + 1):
            x = getattr(self, f"upsample{i}")(x)
        return self.img(x), mu, logvar


class Stage2G(nn.Module):
    def __init__(self, stage1, ratio, text_dim, condition_dim, width, blocks):
        super().__init__()
        self.STAGE1_G = stage1
        for parameter in stage1.parameters():
            parameter.requires_grad = False
        self.ca_net = CANet(text_dim, condition_dim)
        layers = [conv3x3(3, width), nn.ReLU()]
        for inputs in (width, 2 * width):
            layers += [
                nn.Conv2d(inputs, 2 * inputs, 4, 2, 1, bias=False),
                nn.BatchNorm2d(2 * inputs),
                nn.ReLU(),
            ]
        self.encoder = nn.Sequential(*layers)
        filters = 4 * width
        self.hr_joint = nn.Sequential(
            conv3x3(condition_dim + filters, filters),
            nn.BatchNorm2d(filters),
            nn.ReLU(),
        )
        self.residual = nn.Sequential(
            *(ResBlock(filters) for _ in range(blocks))
        )
        self.stages = (4 * ratio).bit_length() - 1
        for i in range(1, self.stages + 1):
            setattr(self, f"upsample{i}", up_block(filters, filters // 2))
            filters //= 2
        self.img = nn.Sequential(conv3x3(filters, 3), nn.Tanh())

    def forward(self, embedding, z, stage1_noise, noise):
        sketch = self.STAGE1_G(embedding, z, stage1_noise)[0].detach()
        x = self.encoder(sketch)
        c, mu, logvar = self.ca_net(embedding, noise)
        c = c[..., None, None].repeat(1, 1, *x.shape[2:])
        x = self.residual(self.hr_joint(torch.cat([x, c], 1)))
        for i in range(1, self.stages + 1):
            x = getattr(self, f"upsample{i}")(x)
        return self.img(x), mu, logvar


class Logits(nn.Module):
    def __init__(self, features, condition_dim=None):
        super().__init__()
        last = [nn.Conv2d(features, 1, 4, 4), nn.Sigmoid()]
        first = []
        if condition_dim is not None:
            first = [
                conv3x3(features + condition_dim, features),
                nn.BatchNorm2d(features),
                nn.LeakyReLU(0.2),
            ]
        self.outlogits = nn.Sequential(*first, *last)

    def forward(self, features, condition=None):
        if condition is not None:
            condition = condition[..., None, None].repeat(1, 1, 4, 4)
            features = torch.cat([features, condition], 1)
        return self.outlogits(features).view(-1)


class Discriminator(nn.Module):
    """`STAGE1_D` and `STAGE2_D`."""

    def __init__(self, size, condition_dim, width, unconditional):
        super().__init__()
        layers, inputs, filters = [], 3, width
        while size > 4:
            layers.append(nn.Conv2d(inputs, filters, 4, 2, 1, bias=False))
            if inputs != 3:
                layers.append(nn.BatchNorm2d(filters))
            layers.append(nn.LeakyReLU(0.2))
            inputs, filters, size = filters, 2 * filters, size // 2
        while inputs > 8 * width:
            layers += [
                conv3x3(inputs, inputs // 2),
                nn.BatchNorm2d(inputs // 2),
                nn.LeakyReLU(0.2),
            ]
            inputs //= 2
        self.encode_img = nn.Sequential(*layers)
        self.get_cond_logits = Logits(inputs, condition_dim)
        self.get_uncond_logits = Logits(inputs) if unconditional else None

    def forward(self, image):
        return self.encode_img(image)


def initialise(module):
    if isinstance(module, (nn.Conv2d, nn.Linear)):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)


def kl_loss(mu, logvar):
    return -0.5 * torch.mean(1 + logvar - mu.pow(2) - logvar.exp())


def discriminator_loss(netD, real, fake, mu):
    criterion = nn.BCELoss()
    cond, fake = mu.detach(), fake.detach()
    ones = torch.ones(len(real), dtype=real.dtype)
    zeros = torch.zeros_like(ones)
    real_features, fake_features = netD(real), netD(fake)
    errD_real = criterion(netD.get_cond_logits(real_features, cond), ones)
    wrong = netD.get_cond_logits(real_features[:-1], cond[1:])
    errD_wrong = criterion(wrong, zeros[1:])
    errD_fake = criterion(netD.get_cond_logits(fake_features, cond), zeros)
    if netD.get_uncond_logits is None:
        return errD_real + (errD_fake + errD_wrong) * 0.5
    uncond_real = criterion(netD.get_uncond_logits(real_features), ones)
    uncond_fake = criterion(netD.get_uncond_logits(fake_features), zeros)
    return (errD_real + uncond_real) / 2.0 + (
        errD_fake + errD_wrong + uncond_fake
    ) / 3.0


def generator_loss(netD, fake, mu):
    criterion = nn.BCELoss()
    ones = torch.ones(len(fake), dtype=fake.dtype)
    features = netD(fake)
    errG = criterion(netD.get_cond_logits(features, mu.detach()), ones)
    if netD.get_uncond_logits is not None:
        errG = errG + criterion(netD.get_uncond_logits(features), ones)
    return errG


def build_optimizer(network):
    parameters = [p for p in network.parameters() if p.requires_grad]
    return torch.optim.Adam(parameters, lr=2e-4, betas=(0.5, 0.999))


def train_step(netG, netD, optimizerG, optimizerD, real, inputs):
    """One iteration of the original's loop: its (errD, errG, KL)."""
    fake, mu, logvar = netG(*inputs)
    netD.zero_grad()
    errD = discriminator_loss(netD, real, fake, mu)
    errD.backward()
    optimizerD.step()

    netG.zero_grad()
    errG = generator_loss(netD, fake, mu)
    kl = kl_loss(mu, logvar)
    (errG + 2.0 * kl).backward()
    optimizerG.step()
    return errD.item(), errG.item(), kl.item()
