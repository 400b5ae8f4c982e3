"""Weights from other frameworks' files, and back.

CycleGAN's from and to the authors' PyTorch code: `from_official`,
`to_official`, and `fetch_official` for the generators that they published.
StackGAN's, likewise, by `stackgan_from_official` and `stackgan_to_official`.
The VAE's of PyTorch's examples, by `vae_from_official` and `vae_to_official`.
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
from keras_gans.convert.stackgan import from_official as stackgan_from_official
from keras_gans.convert.stackgan import to_official as stackgan_to_official
from keras_gans.convert.vae import from_official as vae_from_official
from keras_gans.convert.vae import to_official as vae_to_official

__all__ = [
    "OFFICIAL",
    "discriminator_from_official",
    "discriminator_to_official",
    "fetch_official",
    "from_official",
    "generator_from_official",
    "generator_to_official",
    "read_pth",
    "stackgan_from_official",
    "stackgan_to_official",
    "to_official",
    "vae_from_official",
    "vae_to_official",
]
