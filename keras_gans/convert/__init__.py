"""Weights from other frameworks' files, and back.

CycleGAN's from and to the authors' PyTorch code: `from_official`,
`to_official`, and `fetch_official` for the generators that they published.
`read_pth` reads PyTorch's files without PyTorch, and runs nothing of them.
"""

from keras_gans.convert.cyclegan import (
    discriminator_from_official,
    discriminator_to_official,
    from_official,
    generator_from_official,
    generator_to_official,
    to_official,
)
from keras_gans.convert.official import OFFICIAL, fetch_official
from keras_gans.convert.pth import read_pth

__all__ = [
    "OFFICIAL",
    "discriminator_from_official",
    "discriminator_to_official",
    "fetch_official",
    "from_official",
    "generator_from_official",
    "generator_to_official",
    "read_pth",
    "to_official",
]
