"""Inception-v3 of 2015-12-05 as pytorch-fid and torch-fidelity render it.

From `pytorch_fid/inception.py` (mseitzer/pytorch-fid) and torch-fidelity's
`feature_extractor_inceptionv3.py`, with their names of the parameters, as a
table: a block is a list of branches, a branch a list of steps, and branches
meet along the channels.
"""

import torch
from torch import nn
from torch.nn import functional as F


def average(x):
    return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


def maximum(x):
    return F.max_pool2d(x, 3, stride=1, padding=1)


def halve(x):
    return F.max_pool2d(x, 3, stride=2)


# A step is (name, filters, kernel, stride, padding), a pool, or a list of
# branches.
def block_a(pool):
    return [
        [("branch1x1", 64, 1, 1, 0)],
        [("branch5x5_1", 48, 1, 1, 0), ("branch5x5_2", 64, 5, 1, 2)],
        [
            ("branch3x3dbl_1", 64, 1, 1, 0),
            ("branch3x3dbl_2", 96, 3, 1, 1),
            ("branch3x3dbl_3", 96, 3, 1, 1),
        ],
        [average, ("branch_pool", pool, 1, 1, 0)],
    ]


def block_b():
    return [
        [("branch3x3", 384, 3, 2, 0)],
        [
            ("branch3x3dbl_1", 64, 1, 1, 0),
            ("branch3x3dbl_2", 96, 3, 1, 1),
            ("branch3x3dbl_3", 96, 3, 2, 0),
        ],
        [halve],
    ]


def block_c(c7):
    wide, tall = ((1, 7), 1, (0, 3)), ((7, 1), 1, (3, 0))
    return [
        [("branch1x1", 192, 1, 1, 0)],
        [
            ("branch7x7_1", c7, 1, 1, 0),
            ("branch7x7_2", c7, *wide),
            ("branch7x7_3", 192, *tall),
        ],
        [
            ("branch7x7dbl_1", c7, 1, 1, 0),
            ("branch7x7dbl_2", c7, *tall),
            ("branch7x7dbl_3", c7, *wide),
            ("branch7x7dbl_4", c7, *tall),
            ("branch7x7dbl_5", 192, *wide),
        ],
        [average, ("branch_pool", 192, 1, 1, 0)],
    ]


def block_d():
    return [
        [("branch3x3_1", 192, 1, 1, 0), ("branch3x3_2", 320, 3, 2, 0)],
        [
            ("branch7x7x3_1", 192, 1, 1, 0),
            ("branch7x7x3_2", 192, (1, 7), 1, (0, 3)),
            ("branch7x7x3_3", 192, (7, 1), 1, (3, 0)),
            ("branch7x7x3_4", 192, 3, 2, 0),
        ],
        [halve],
    ]


def block_e(pool):
    wide, tall = ((1, 3), 1, (0, 1)), ((3, 1), 1, (1, 0))
    return [
        [("branch1x1", 320, 1, 1, 0)],
        [
            ("branch3x3_1", 384, 1, 1, 0),
            [
                [("branch3x3_2a", 384, *wide)],
                [("branch3x3_2b", 384, *tall)],
            ],
        ],
        [
            ("branch3x3dbl_1", 448, 1, 1, 0),
            ("branch3x3dbl_2", 384, 3, 1, 1),
            [
                [("branch3x3dbl_3a", 384, *wide)],
                [("branch3x3dbl_3b", 384, *tall)],
            ],
        ],
        [pool, ("branch_pool", 192, 1, 1, 0)],
    ]


STEM = {
    "Conv2d_1a_3x3": [32, 3, 2, 0],
    "Conv2d_2a_3x3": [32, 3, 1, 0],
    "Conv2d_2b_3x3": [64, 3, 1, 1],
    "MaxPool_1": halve,
    "Conv2d_3b_1x1": [80, 1, 1, 0],
    "Conv2d_4a_3x3": [192, 3, 1, 0],
    "MaxPool_2": halve,
}
BLOCKS = {
    "Mixed_5b": block_a(32),
    "Mixed_5c": block_a(64),
    "Mixed_5d": block_a(64),
    "Mixed_6a": block_b(),
    "Mixed_6b": block_c(128),
    "Mixed_6c": block_c(160),
    "Mixed_6d": block_c(160),
    "Mixed_6e": block_c(192),
    "Mixed_7a": block_d(),
    "Mixed_7b": block_e(average),
    "Mixed_7c": block_e(maximum),
}


class BasicConv2d(nn.Module):
    def __init__(self, channels, filters, kernel, stride, padding):
        super().__init__()
        self.conv = nn.Conv2d(
            channels, filters, kernel, stride, padding, bias=False
        )
        self.bn = nn.BatchNorm2d(filters, eps=0.001)

    def forward(self, x):
        return F.relu(self.bn(self.conv(x)))


class Block(nn.Module):
    """Branches side by side; `channels` afterwards is their number together."""

    def __init__(self, branches, channels):
        super().__init__()
        self.branches = branches
        self.channels = self.add(branches, channels)

    def add(self, branches, channels):
        total = 0
        for branch in branches:
            out = channels
            for step in branch:
                if isinstance(step, list):
                    out = self.add(step, out)
                elif isinstance(step, tuple):
                    self.add_module(step[0], BasicConv2d(out, *step[1:]))
                    out = step[1]
            total += out
        return total

    def forward(self, x, branches=None):
        outputs = []
        for branch in branches or self.branches:
            y = x
            for step in branch:
                if isinstance(step, list):
                    y = self.forward(y, step)
                elif isinstance(step, tuple):
                    y = getattr(self, step[0])(y)
                else:
                    y = step(y)
            outputs.append(y)
        return torch.cat(outputs, 1)


class Inception(nn.Module):
    """Pixels 0..255 [n, 3, 299, 299] -> {name: output of each stage}.

    The stages, then `features`, `logits_unbiased` and `logits`.
    """

    def __init__(self):
        super().__init__()
        channels = 3
        for name, stage in STEM.items():
            if isinstance(stage, list):
                self.add_module(name, BasicConv2d(channels, *stage))
                channels = stage[0]
        for name, branches in BLOCKS.items():
            block = Block(branches, channels)
            self.add_module(name, block)
            channels = block.channels
        self.fc = nn.Linear(channels, 1008)

    def forward(self, pixels):
        outputs = {}
        x = (pixels - 128) / 128
        for name, stage in (STEM | BLOCKS).items():
            x = stage(x) if callable(stage) else getattr(self, name)(x)
            outputs[name] = x
        features = x.mean((2, 3))
        unbiased = features @ self.fc.weight.T
        return outputs | {
            "features": features,
            "logits_unbiased": unbiased,
            "logits": unbiased + self.fc.bias,
        }


def randomise(network, seed=0):
    """Random weights and statistics under which no activation vanishes."""
    generator = torch.Generator().manual_seed(seed)

    def uniform(low, high, like):
        return torch.empty_like(like).uniform_(low, high, generator=generator)

    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                fan_in = module.weight[0].numel()
                module.weight.normal_(
                    0, (2 / fan_in) ** 0.5, generator=generator
                )
            elif isinstance(module, nn.BatchNorm2d):
                for part, low, high in (
                    (module.weight, 0.8, 1.2),
                    (module.bias, -0.2, 0.2),
                    (module.running_mean, -0.2, 0.2),
                    (module.running_var, 0.5, 1.5),
                ):
                    part.copy_(uniform(low, high, part))
            elif isinstance(module, nn.Linear):
                module.weight.normal_(0, 0.02, generator=generator)
                module.bias.normal_(0, 1, generator=generator)
    return network.eval().requires_grad_(False)
