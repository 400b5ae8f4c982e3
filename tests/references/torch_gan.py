"""The vanilla GANs in PyTorch.

`small_*`: wiseodd/generative-models, `GAN/vanilla_gan`. `paper_*`:
goodfeli/adversarial, `mnist.yaml`, whose discriminator is maxout with dropout.
Pixels are in [0, 1], as there.
"""

import torch
from torch import nn
from torch.nn import functional as F


def small_generator(pixels=784, latent_dim=100):
    return nn.Sequential(
        nn.Linear(latent_dim, 128), nn.ReLU(), nn.Linear(128, pixels),
        nn.Sigmoid(),
    ).apply(xavier)  # fmt: skip


def small_discriminator(pixels=784):
    return nn.Sequential(
        nn.Linear(pixels, 128), nn.ReLU(), nn.Linear(128, 1), nn.Sigmoid()
    ).apply(xavier)


def xavier(module):
    if isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, 0.0, (2.0 / module.in_features) ** 0.5)
        nn.init.zeros_(module.bias)


def small_optimizer(network):
    return torch.optim.Adam(network.parameters(), lr=1e-3)


def small_train_step(G, D, G_solver, D_solver, X, z_d, z_g):
    """One iteration: D on noise `z_d`, then G on new noise `z_g`."""
    ones = torch.ones(len(X), 1, dtype=X.dtype)
    zeros = torch.zeros_like(ones)

    D_solver.zero_grad()
    D_loss = F.binary_cross_entropy(D(X), ones)
    D_loss = D_loss + F.binary_cross_entropy(D(G(z_d).detach()), zeros)
    D_loss.backward()
    D_solver.step()

    G_solver.zero_grad()
    G_loss = F.binary_cross_entropy(D(G(z_g)), ones)
    G_loss.backward()
    G_solver.step()
    return D_loss.item(), G_loss.item()


class Maxout(nn.Module):
    def __init__(self, inputs, units, pieces):
        super().__init__()
        self.affine = nn.Linear(inputs, units * pieces)
        self.shape = (units, pieces)

    def forward(self, x):
        return self.affine(x).unflatten(-1, self.shape).amax(-1)


def paper_generator(pixels=784, latent_dim=100):
    return nn.Sequential(
        nn.Linear(latent_dim, 1200), nn.ReLU(), nn.Linear(1200, 1200),
        nn.ReLU(), nn.Linear(1200, pixels), nn.Sigmoid(),
    ).apply(lambda m: uniform(m, 0.05))  # fmt: skip


def paper_discriminator(pixels=784):
    return nn.Sequential(
        nn.Dropout(0.2), Maxout(pixels, 240, 5),
        nn.Dropout(0.5), Maxout(240, 240, 5),
        nn.Dropout(0.5), nn.Linear(240, 1), nn.Sigmoid(),
    ).apply(lambda m: uniform(m, 0.005))  # fmt: skip


def uniform(module, bound):
    if isinstance(module, nn.Linear):
        nn.init.uniform_(module.weight, -bound, bound)
        nn.init.zeros_(module.bias)


def paper_optimizer(network, learning_rate=0.1, momentum=0.5):
    return torch.optim.SGD(
        network.parameters(), lr=learning_rate, momentum=momentum
    )


def paper_train_step(G, D, G_opt, D_opt, X, z):
    """One iteration: both gradients at one point, then both step."""
    ones = torch.ones(len(X), 1, dtype=X.dtype)
    y_real, y_fake = D(X), D(G(z))
    d_obj = 0.5 * (
        F.binary_cross_entropy(y_real, ones)
        + F.binary_cross_entropy(y_fake, torch.zeros_like(ones))
    )
    g_obj = F.binary_cross_entropy(y_fake, ones)
    d_parameters, g_parameters = list(D.parameters()), list(G.parameters())
    d_grads = torch.autograd.grad(d_obj, d_parameters, retain_graph=True)
    g_grads = torch.autograd.grad(g_obj, g_parameters)
    for parameters, grads, optimizer in (
        (d_parameters, d_grads, D_opt),
        (g_parameters, g_grads, G_opt),
    ):
        for parameter, grad in zip(parameters, grads, strict=True):
            parameter.grad = grad
        optimizer.step()
    return d_obj.item(), g_obj.item()
