"""The VAE of PyTorch's examples and the IWAE's bound, in PyTorch.

A rendering of pytorch/examples `vae/main.py` (its network and loss, a sum), and
of yburda/iwae `iwae.py` (one stochastic layer; the bound by its log weights).
"""

import math

import torch
from torch import nn
from torch.nn import functional as F


class VAE(nn.Module):
    def __init__(self, pixels=784, hidden=400, latents=20):
        super().__init__()
        self.fc1 = nn.Linear(pixels, hidden)
        self.fc21 = nn.Linear(hidden, latents)
        self.fc22 = nn.Linear(hidden, latents)
        self.fc3 = nn.Linear(latents, hidden)
        self.fc4 = nn.Linear(hidden, pixels)

    def encode(self, x):
        h = F.relu(self.fc1(x))
        return self.fc21(h), self.fc22(h)

    def decode(self, z):
        return torch.sigmoid(self.fc4(F.relu(self.fc3(z))))

    def forward(self, x, epsilon):
        mu, logvar = self.encode(x)
        z = mu + epsilon * torch.exp(0.5 * logvar)
        return self.decode(z), mu, logvar


def loss_function(reconstruction, x, mu, logvar):
    """Cross-entropy and KL, summed over a batch."""
    bce = F.binary_cross_entropy(reconstruction, x, reduction="sum")
    kld = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
    return bce + kld


class IWAE(nn.Module):
    def __init__(self, pixels=784, hidden=(200, 200), latents=50):
        super().__init__()
        sizes = [pixels, *hidden]
        self.q_hidden = nn.ModuleList(
            nn.Linear(a, b) for a, b in zip(sizes, sizes[1:], strict=False)
        )
        self.q_mean = nn.Linear(sizes[-1], latents)
        self.q_log_sigma = nn.Linear(sizes[-1], latents)
        sizes = [latents, *hidden[::-1]]
        self.p_hidden = nn.ModuleList(
            nn.Linear(a, b) for a, b in zip(sizes, sizes[1:], strict=False)
        )
        self.p_mean = nn.Linear(sizes[-1], pixels)

    def log_weights(self, x, epsilon):
        """log p(x, z) - log q(z | x), `[batch, k]`."""
        k = epsilon.shape[1]
        h = x
        for layer in self.q_hidden:
            h = torch.tanh(layer(h))
        mean = self.q_mean(h)[:, None]
        sigma = torch.exp(self.q_log_sigma(h))[:, None]
        z = sigma * epsilon + mean
        h = z
        for layer in self.p_hidden:
            h = torch.tanh(layer(h))
        p = torch.sigmoid(self.p_mean(h))
        x = x[:, None].expand(-1, k, -1)
        log_p_x = (x * p.log() + (1 - x) * (1 - p).log()).sum(-1)
        log_2pi = math.log(2 * math.pi)
        log_p_z = -0.5 * (log_2pi + z.square()).sum(-1)
        squares = ((z - mean) / sigma).square()
        log_q_z = -0.5 * (log_2pi + squares + 2 * sigma.log()).sum(-1)
        return log_p_x + log_p_z - log_q_z

    def bound(self, x, epsilon):
        """log 1/k sum_i w_i of each image."""
        log_w = self.log_weights(x, epsilon)
        return torch.logsumexp(log_w, dim=1) - math.log(epsilon.shape[1])
