"""One small configuration of every registered model.

A new architecture adds a line here, and gets every test of
`test_conformance.py`. `test_coverage.py` fails until it does.
"""

import numpy as np

TINY = {
    "cyclegan": {
        "image_shape": (32, 32, 3),
        "num_blocks": 1,
        "width": 4,
        "pool_size": 5,
    },
    "dcgan": {"image_shape": (28, 28, 1), "width": 4, "ema_decay": 0.9},
    "gan": {"image_shape": (8, 8, 1), "latent_dim": 10, "variant": "small"},
}

# Other forms of a model that deserve the same tests.
VARIANTS = {
    "gan-paper": (
        "gan",
        {"image_shape": (8, 8, 1), "latent_dim": 10, "ema_decay": 0.9},
    ),
}

CASES = {name: (name, config) for name, config in TINY.items()} | VARIANTS


def images_like(config, n=24, seed=0):
    """Smooth random float32 images in [-1, 1] of a configuration's shape."""
    shape = (n, *config["image_shape"])
    noise = np.random.default_rng(seed).standard_normal(shape)
    return np.tanh(np.cumsum(noise, axis=1) / 2).astype(np.float32)


def fit(model, images, **kwargs):
    """`model.fit` on the images; as two domains where it takes two."""
    if model.two_domains:
        return model.fit(images, images[:-3, ::-1], **kwargs)
    return model.fit(images, **kwargs)


def made(model, n):
    """n images that it makes, the same each time: samples or translations."""
    if model.two_domains:
        config = {"image_shape": model.image_shape}
        return model.translate(images_like(config, n))
    return model.generate(n, seed=0)
