"""One small configuration of every registered model.

A new architecture adds a line here, and gets every test of
`test_conformance.py`. `test_coverage.py` fails until it does.
"""

import numpy as np

TINY = {
    "autoencoder": {
        "image_shape": (5, 6, 3),
        "code_dim": 4,
        "widths": (12,),
        "corruption": "masking",
    },
    "acgan": {
        "image_shape": (8, 8, 1),
        "num_classes": 3,
        "network": "mnist",
        "latent_dim": 10,
        "generator_width": 4,
        "discriminator_width": 4,
    },
    "cgan": {
        "image_shape": (8, 8, 1),
        "num_classes": 3,
        "network": "convolutional",
        "latent_dim": 10,
        "width": 32,
        "augment": "translation",
        "ema_decay": 0.9,
    },
    "cramer_gan": {
        "image_shape": (16, 16, 1),
        "latent_dim": 10,
        "width": 4,
        "n_critic": 2,
        "ema_decay": 0.9,
    },
    "cyclegan": {
        "image_shape": (32, 32, 3),
        "num_blocks": 1,
        "width": 4,
        "pool_size": 5,
        "augment": "color,translation,cutout",
    },
    "dcgan": {
        "image_shape": (28, 28, 1),
        "width": 4,
        "augment": "translation",
        "ema_decay": 0.9,
    },
    "gan": {"image_shape": (8, 8, 1), "latent_dim": 10, "variant": "small"},
    "lapgan": {
        "image_shape": (14, 14, 1),
        "levels": 2,
        "noise_dim": 10,
        "generator_width": 4,
        "discriminator_width": 4,
        "base_widths": (16, 16),
        "ema_decay": 0.9,
    },
    "stackgan": {
        "stage1": {
            "image_shape": (16, 16, 3),
            "text_dim": 8,
            "condition_dim": 4,
            "noise_dim": 5,
            "generator_width": 4,
            "discriminator_width": 4,
            "text_encoder": "letters",
        },
        "image_shape": (32, 32, 3),
        "condition_dim": 4,
        "generator_width": 4,
        "discriminator_width": 4,
        "num_blocks": 1,
    },
    "stackgan_stage1": {
        "image_shape": (16, 16, 3),
        "text_dim": 8,
        "condition_dim": 4,
        "noise_dim": 5,
        "generator_width": 4,
        "discriminator_width": 4,
        "augment": "cutout",
        "ema_decay": 0.9,
        "text_encoder": "letters",
    },
    "vae": {"image_shape": (8, 8, 1), "latent_dim": 4, "widths": (16,)},
    "wgan": {
        "image_shape": (28, 28, 1),
        "latent_dim": 10,
        "width": 4,
        "n_critic": 2,
    },
    "wgan_gp": {
        "image_shape": (28, 28, 1),
        "latent_dim": 10,
        "width": 4,
        "n_critic": 2,
    },
}

# Other forms of a model that deserve the same tests.
VARIANTS = {
    "autoencoder-sparse": (
        "autoencoder",
        {
            "image_shape": (8, 8, 1),
            "code_dim": 6,
            "widths": (),
            "loss": "squared_error",
            "corruption": "gaussian",
            "sparsity": "kl",
        },
    ),
    "acgan-cifar": (
        "acgan",
        {
            "image_shape": (16, 16, 3),
            "num_classes": 4,
            "latent_dim": 10,
            "generator_width": 4,
            "discriminator_width": 2,
            "ema_decay": 0.9,
        },
    ),
    "cgan-paper": (
        "cgan",
        {
            "image_shape": (6, 9, 2),
            "num_classes": 3,
            "latent_dim": 10,
            "width": 240,
            "ema_decay": 0.9,
        },
    ),
    "gan-paper": (
        "gan",
        {"image_shape": (8, 8, 1), "latent_dim": 10, "ema_decay": 0.9},
    ),
    "lapgan-classes": (
        "lapgan",
        {
            "image_shape": (10, 20, 3),
            "levels": 2,
            "num_classes": 3,
            "base": "convolutional",
            "optimizer": "adam",
            "noise_dim": 10,
            "generator_width": 4,
            "discriminator_width": 4,
            "base_widths": (8, 4),
            "augment": "color,translation,cutout",
        },
    ),
    "vae-classes": (
        "vae",
        {
            "image_shape": (4, 8, 3),
            "network": "convolutional",
            "latent_dim": 3,
            "widths": (4, 8),
            "num_classes": 3,
            "beta": 4.0,
        },
    ),
    "vae-gaussian": (
        "vae",
        {
            "image_shape": (4, 5, 1),
            "likelihood": "gaussian",
            "latent_dim": 3,
            "widths": (8,),
        },
    ),
    "vae-iwae": (
        "vae",
        {
            "image_shape": (8, 8, 1),
            "network": "iwae",
            "latent_dim": 4,
            "widths": (16, 8),
            "binarise": True,
            "k": 3,
        },
    ),
    "wgan-mlp": (
        "wgan",
        {
            "image_shape": (6, 9, 3),
            "network": "mlp",
            "latent_dim": 10,
            "width": 8,
            "n_critic": 2,
            "ema_decay": 0.9,
        },
    ),
    "wgan_gp-toy": (
        "wgan_gp",
        {
            "image_shape": (1, 1, 2),
            "network": "toy",
            "latent_dim": 2,
            "width": 8,
            "n_critic": 2,
        },
    ),
    "wgan_gp-classes": (
        "wgan_gp",
        {
            "image_shape": (16, 16, 1),
            "network": "resnet",
            "num_classes": 3,
            "latent_dim": 10,
            "width": 4,
            "n_critic": 2,
            "ema_decay": 0.9,
        },
    ),
}

CASES = {name: (name, config) for name, config in TINY.items()} | VARIANTS


def images_like(config, n=24, seed=0):
    """Smooth random float32 images in [-1, 1] of a configuration's shape."""
    shape = (n, *config["image_shape"])
    noise = np.random.default_rng(seed).standard_normal(shape)
    return np.tanh(np.cumsum(noise, axis=1) / 2).astype(np.float32)


def embeddings_like(model, n=24):
    """Random embeddings of n texts, as wide as a model's."""
    shape = (n, model.text_dim)
    return np.random.default_rng(1).standard_normal(shape).astype(np.float32)


def labels_like(model, n=24):
    """Labels of n images, of each of a model's classes."""
    return np.arange(n) % model.num_classes


def given(model, images):
    """The images, and their labels where the model takes some."""
    if model.takes_labels:
        return images, labels_like(model, len(images))
    return (images,)


def fit(model, images, **kwargs):
    """`model.fit` on the images, with whatever else the model needs."""
    if model.two_domains:
        return model.fit(images, images[:-3, ::-1], **kwargs)
    if model.takes_text:
        return model.fit(images, embeddings_like(model, len(images)), **kwargs)
    return model.fit(*given(model, images), **kwargs)


def drawn(model, n, **kwargs):
    """`model.generate`, of one text where it asks for one."""
    if model.takes_text:
        kwargs["embeddings"] = embeddings_like(model, 1)
    return model.generate(n, **kwargs)


def made(model, n):
    """n images that it makes, the same each time, of noise or of images."""
    images = images_like({"image_shape": model.image_shape}, n)
    if model.two_domains:
        return model.translate(images)
    if not hasattr(model, "generate"):
        return model.reconstruct(images)
    return drawn(model, n, seed=0)
