"""keras_gans: generative models for Keras 3, each one readable, each measured.

```python
import keras_gans

gan = keras_gans.create("dcgan", image_shape=(28, 28, 1))
gan.compile()  # the paper's optimizers
gan.fit(keras_gans.datasets.mnist_5k()[0], batch_size=64, epochs=10)
images = gan.generate(64, seed=0)  # float32 [64, 28, 28, 1] in [-1, 1]
```
"""

import os

# Before TensorFlow starts: oneDNN's convolutions, off by default on processors
# without AVX-512, train a DCGAN 1.5 to 2.1 times faster on AVX2
# (benchmarks/throughput.py). Where Keras was imported first, export
# TF_ENABLE_ONEDNN_OPTS=1 in the shell; set to 0, it stays off.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

from keras_gans import (  # noqa: E402
    augment,
    callbacks,
    convert,
    datasets,
    distribute,
    divergences,
    explore,
    images,
    losses,
    metrics,
    pyramid,
    text,
)
from keras_gans.models import (  # noqa: E402
    ACGAN,
    CGAN,
    DCGAN,
    GAN,
    LAPGAN,
    VAE,
    WGAN,
    WGANGP,
    Autoencoder,
    CramerGAN,
    CycleGAN,
    StackGANStage1,
    StackGANStage2,
)
from keras_gans.pretrained import (  # noqa: E402
    list_pretrained,
    load,
    save_pretrained,
)
from keras_gans.registry import create, list_models  # noqa: E402

__version__ = "0.1.0"

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
    "augment",
    "callbacks",
    "convert",
    "create",
    "datasets",
    "distribute",
    "divergences",
    "explore",
    "images",
    "list_models",
    "list_pretrained",
    "load",
    "losses",
    "metrics",
    "pyramid",
    "save_pretrained",
    "text",
]
