"""Conditional GANs in PyTorch.

`paper_*`: the network of the paper's section 4.1, trained as its predecessor
(goodfeli/adversarial, `mnist.yaml`). `conv_*`: Newmu/dcgan_code,
`mnist/train_cond_dcgan.py`, whose Theano flips kernels and lays out images as
`[n, c, h, w]` where a linear layer meets them: the same networks, with weights
in another order. Pixels are in [0, 1], classes one-hot, as there.
"""

import torch
from torch import nn
from torch.nn import functional as F

from tests.references.torch_gan import Maxout, uniform
from tests.references.torch_wgan_gp import flat

# === The paper's ===


class PaperG(nn.Module):
    def __init__(self, pixels=784, classes=10, latent_dim=100, width=1200):
        super().__init__()
        self.z = nn.Linear(latent_dim, width // 6)
        self.y = nn.Linear(classes, width - width // 6)
        self.joint = nn.Linear(width, width)
        self.pixels = nn.Linear(width, pixels)
        self.dropout = nn.Dropout(0.5)
        self.apply(lambda m: uniform(m, 0.05))

    def forward(self, z, y):
        h = torch.cat([F.relu(self.z(z)), F.relu(self.y(y))], 1)
        h = F.relu(self.joint(self.dropout(h)))
        return torch.sigmoid(self.pixels(self.dropout(h)))


class PaperD(nn.Module):
    def __init__(self, pixels=784, classes=10, width=1200):
        super().__init__()
        self.x = Maxout(pixels, width // 5, 5)
        self.y = Maxout(classes, width // 24, 5)
        self.joint = Maxout(width // 5 + width // 24, width // 5, 4)
        self.out = nn.Linear(width // 5, 1)
        self.pixels = nn.Dropout(0.2)
        self.dropout = nn.Dropout(0.5)
        self.apply(lambda m: uniform(m, 0.005))
        uniform(self.y.affine, 0.05)

    def forward(self, x, y):
        h = torch.cat([self.x(self.pixels(x)), self.y(y)], 1)
        h = self.joint(self.dropout(h))
        return torch.sigmoid(self.out(self.dropout(h)))


def paper_optimizer(network, learning_rate=0.1, momentum=0.5):
    return torch.optim.SGD(
        network.parameters(), lr=learning_rate, momentum=momentum
    )


def paper_train_step(G, D, G_opt, D_opt, X, z, y):
    """One iteration: both gradients at one point, then both step."""
    y_real, y_fake = D(X, y), D(G(z, y), y)
    ones, zeros = torch.ones_like(y_real), torch.zeros_like(y_real)
    d_obj = 0.5 * (
        F.binary_cross_entropy(y_real, ones)
        + F.binary_cross_entropy(y_fake, zeros)
    )
    g_obj = F.binary_cross_entropy(y_fake, ones)
    both = [(D_opt, D, d_obj), (G_opt, G, g_obj)]
    grads = [
        torch.autograd.grad(obj, list(net.parameters()), retain_graph=True)
        for _, net, obj in both
    ]
    for (optimizer, net, _), mine in zip(both, grads, strict=True):
        for parameter, grad in zip(net.parameters(), mine, strict=True):
            parameter.grad = grad
        optimizer.step()
    return d_obj.item(), g_obj.item()


# === train_cond_dcgan.py ===


def batch_norm(filters):
    return nn.BatchNorm2d(filters, eps=1e-8, affine=False)


def normalised(norm, x):
    return norm(x[..., None, None])[..., 0, 0] if x.ndim == 2 else norm(x)


def with_planes(x, y):
    planes = y[..., None, None].expand(-1, -1, *x.shape[2:])
    return torch.cat([x, planes], 1)


class ConvG(nn.Module):
    def __init__(self, size=28, channels=1, classes=10, latent_dim=100, ngf=64):
        super().__init__()
        self.shape = (size // 4, size // 4, 2 * ngf)
        units = size // 4 * (size // 4) * 2 * ngf
        how = {"stride": 2, "padding": 2, "output_padding": 1, "bias": False}
        self.w = nn.Linear(latent_dim + classes, 16 * ngf, bias=False)
        self.bn = batch_norm(16 * ngf)
        self.w2 = nn.Linear(16 * ngf + classes, units, bias=False)
        self.bn2 = batch_norm(units)
        self.w3 = nn.ConvTranspose2d(2 * ngf + classes, ngf, 5, **how)
        self.bn3 = batch_norm(ngf)
        self.wx = nn.ConvTranspose2d(ngf + classes, channels, 5, **how)
        self.apply(normal)

    def forward(self, z, y):
        h = F.relu(normalised(self.bn, self.w(torch.cat([z, y], 1))))
        h = F.relu(normalised(self.bn2, self.w2(torch.cat([h, y], 1))))
        h = h.view(-1, *self.shape).permute(0, 3, 1, 2)
        h = F.relu(self.bn3(self.w3(with_planes(h, y))))
        return torch.sigmoid(self.wx(with_planes(h, y)))


class ConvD(nn.Module):
    def __init__(self, size=28, channels=1, classes=10, ndf=64):
        super().__init__()
        units = size // 4 * (size // 4) * 2 * ndf
        how = {"stride": 2, "padding": 2, "bias": False}
        self.w = nn.Conv2d(channels + classes, ndf, 5, **how)
        self.w2 = nn.Conv2d(ndf + classes, 2 * ndf, 5, **how)
        self.bn2 = batch_norm(2 * ndf)
        self.w3 = nn.Linear(units + classes, 16 * ndf, bias=False)
        self.bn3 = batch_norm(16 * ndf)
        self.wy = nn.Linear(16 * ndf + classes, 1, bias=False)
        self.apply(normal)

    def forward(self, x, y):
        h = F.leaky_relu(self.w(with_planes(x, y)), 0.2)
        h = F.leaky_relu(self.bn2(self.w2(with_planes(h, y))), 0.2)
        h = self.w3(torch.cat([flat(h), y], 1))
        h = F.leaky_relu(normalised(self.bn3, h), 0.2)
        return torch.sigmoid(self.wy(torch.cat([h, y], 1)))


def normal(module):
    if isinstance(module, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(module.weight, 0.0, 0.02)


def conv_optimizer(network, learning_rate=2e-4):
    return torch.optim.Adam(
        network.parameters(),
        lr=learning_rate,
        betas=(0.5, 0.999),
        weight_decay=2.5e-5,
    )


def conv_train_step(G, D, G_opt, D_opt, for_g, for_d):
    """Two minibatches of the loop, (X, z, y) each: `_train_g`, `_train_d`."""
    _, z, y = for_g
    p_gen = D(G(z, y), y)
    g_cost = F.binary_cross_entropy(p_gen, torch.ones_like(p_gen))
    G_opt.zero_grad()
    g_cost.backward()
    G_opt.step()

    X, z, y = for_d
    with torch.no_grad():
        fake = G(z, y)
    p_real, p_gen = D(X, y), D(fake, y)
    d_cost = F.binary_cross_entropy(p_real, torch.ones_like(p_real))
    d_cost = d_cost + F.binary_cross_entropy(p_gen, torch.zeros_like(p_gen))
    D_opt.zero_grad()
    d_cost.backward()
    D_opt.step()
    return d_cost.item(), g_cost.item()
