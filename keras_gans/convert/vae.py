"""The VAE of PyTorch's examples, from its state dict and back.

Keys and shapes are those of pytorch/examples, `vae/main.py`: fc1 and the heads
fc21 (mean) and fc22 (log variance) encode, fc3 and fc4 decode. Widths are read
off the arrays.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from keras_gans.arguments import check_image_shape
from keras_gans.convert.pth import read_pth
from keras_gans.convert.state_dict import check_state, state_in
from keras_gans.models.vae import VAE

ENCODER = ("fc1", "fc21", "fc22")
DECODER = ("fc3", "fc4")
FIX = "It has to be `model.state_dict()` of PyTorch's VAE example."


def from_official(
    path: str | Path, image_shape: tuple[int, int, int] = (28, 28, 1)
) -> VAE:
    """A `VAE` with the weights of PyTorch's example.

    Args:
        path: A file of its state dict.
        image_shape: `(height, width, channels)`, which the file does not tell.

    Returns:
        The model, with network="mlp".

    Raises:
        ValueError: If the file cannot be read, has code in it, or is of another
            network; each tensor that is missing, too many or misshapen is
            named.

    Example:

    ```python
    vae = keras_gans.convert.vae_from_official("vae.pth")
    digits = vae.generate(64, seed=0)
    ```
    """
    image_shape = check_image_shape(image_shape)
    try:
        state = state_in(read_pth(path))
        pixels = int(np.prod(image_shape))
        hidden = np.size(state.get("fc1.bias", np.ones(400)))
        latents = np.size(state.get("fc21.bias", np.ones(20)))
        check_state(
            state,
            shapes_of(pixels, hidden, latents),
            f"VAE of {pixels} pixels, {hidden} units and {latents} latents",
            FIX,
        )
        model = VAE(image_shape, "mlp", latents, (hidden,))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    for network, names in ((model.encoder, ENCODER), (model.decoder, DECODER)):
        arrays = []
        for name in names:
            arrays += [state[f"{name}.weight"].T, state[f"{name}.bias"]]
        network.set_weights([np.float32(array) for array in arrays])
    return model


def to_official(model: VAE) -> dict[str, dict[str, np.ndarray]]:
    """The state dict of a VAE of the example's form, as "vae.pth".

    Raises:
        ValueError: If the model has another network.
    """
    if (
        model.network != "mlp"
        or len(model.widths) != 1
        or model.likelihood != "bernoulli"
        or model.takes_labels
    ):
        raise ValueError(
            "Expected a VAE with network='mlp', one hidden layer, a Bernoulli "
            "likelihood and no classes, as PyTorch's example. Received: "
            f"network={model.network!r}, widths={model.widths}, "
            f"likelihood={model.likelihood!r}, "
            f"num_classes={model.num_classes}. Only such a one converts."
        )
    state = {}
    for network, names in ((model.encoder, ENCODER), (model.decoder, DECODER)):
        weights = iter(network.get_weights())
        for name in names:
            state[f"{name}.weight"] = np.ascontiguousarray(next(weights).T)
            state[f"{name}.bias"] = np.array(next(weights))
    return {"vae.pth": state}


def is_vae(content: Mapping[str, Any]) -> bool:
    """Whether a checkpoint is of the example's VAE."""
    try:
        return {"fc21.weight", "fc22.weight"} <= state_in(content).keys()
    except ValueError:
        return False


def shapes_of(
    pixels: int, hidden: int, latents: int
) -> dict[str, tuple[int, ...]]:
    """Of the example's tensors: `[out, in]` and `[out]`."""
    sizes = {
        "fc1": (hidden, pixels),
        "fc21": (latents, hidden),
        "fc22": (latents, hidden),
        "fc3": (hidden, latents),
        "fc4": (pixels, hidden),
    }
    weights = {f"{name}.weight": shape for name, shape in sizes.items()}
    return weights | {
        f"{name}.bias": (out,) for name, (out, _) in sizes.items()
    }
