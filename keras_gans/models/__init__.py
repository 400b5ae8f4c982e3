"""The architectures: one paper, one file."""

from keras_gans.models.acgan import ACGAN
from keras_gans.models.autoencoder import Autoencoder
from keras_gans.models.cgan import CGAN
from keras_gans.models.cramer_gan import CramerGAN
from keras_gans.models.cyclegan import CycleGAN
from keras_gans.models.dcgan import DCGAN
from keras_gans.models.gan import GAN
from keras_gans.models.lapgan import LAPGAN
from keras_gans.models.stackgan import StackGANStage1, StackGANStage2
from keras_gans.models.vae import VAE
from keras_gans.models.wgan import WGAN
from keras_gans.models.wgan_gp import WGANGP

__all__ = [
    "ACGAN",
    "CGAN",
    "DCGAN",
    "GAN",
    "LAPGAN",
    "VAE",
    "WGAN",
    "WGANGP",
    "Autoencoder",
    "CramerGAN",
    "CycleGAN",
    "StackGANStage1",
    "StackGANStage2",
]
