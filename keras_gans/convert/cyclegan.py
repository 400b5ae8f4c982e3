"""CycleGAN's networks from the authors' checkpoints, and back.

Keys and shapes are those of `models/networks.py` of
junyanz/pytorch-CycleGAN-and-pix2pix: `resnet_9blocks`, `resnet_6blocks` and any
other number of blocks, `basic` discriminators, `--norm instance`. A file may
come from `nn.DataParallel` (`module.` before each key), from a network with
dropout, or from before PyTorch 0.4, when instance norms kept statistics that
they never used: those are left out.

Their G_A is `generator_ab` here, and their D_A, which looks at B,
`discriminator_b`.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_gans.convert.pth import read_pth
from keras_gans.convert.state_dict import check_state, listed, state_in
from keras_gans.models.cyclegan import CycleGAN
from keras_gans.models.cyclegan_networks import (
    build_discriminator,
    build_generator,
)

# Network -> the file in which the authors' `train.py` leaves it.
FILES = {
    "generator_ab": "latest_net_G_A.pth",
    "generator_ba": "latest_net_G_B.pth",
    "discriminator_b": "latest_net_D_A.pth",
    "discriminator_a": "latest_net_D_B.pth",
}

UNUSED = (".running_mean", ".running_var", ".num_batches_tracked")

TO_KERAS = (2, 3, 1, 0)  # convolutions and transposed ones alike
TO_PYTORCH = (3, 2, 0, 1)


def generator_from_official(
    state: Mapping[str, Any], name: str = "generator_ab"
) -> keras.Model:
    """A generator with the weights of a PyTorch state dict.

    Args:
        state: Names to arrays, as `read_pth` gives them. Channels, width and
            blocks are read off the arrays.
        name: Of the network.

    Raises:
        ValueError: If a tensor is missing, too many, or of another shape; each
            is named.

    Example:

    ```python
    state = keras_gans.convert.read_pth("latest_net_G.pth")
    generator = keras_gans.convert.generator_from_official(state)
    zebra = generator(horse)  # float32 [n, h, w, 3] in [-1, 1]
    ```
    """
    weights, size = generator_weights(state)
    network = build_generator(**size, name=name)
    network.set_weights(weights)
    return network


def discriminator_from_official(
    state: Mapping[str, Any], name: str = "discriminator_a"
) -> keras.Model:
    """A discriminator with the weights of a PyTorch state dict.

    As `generator_from_official`.
    """
    weights, size = discriminator_weights(state)
    network = build_discriminator(**size, name=name)
    network.set_weights(weights)
    return network


def generator_to_official(network: keras.Model) -> dict[str, np.ndarray]:
    """The state dict of a generator: the authors' keys, PyTorch's layout.

    Raises:
        ValueError: If it is no generator of CycleGAN.

    Example:

    ```python
    state = keras_gans.convert.generator_to_official(model.generator_ab)
    state = {key: torch.from_numpy(value) for key, value in state.items()}
    torch.save(state, "latest_net_G.pth")
    ```
    """
    arrays = _pytorch_arrays(network)
    num_blocks = (len(arrays) - 12) // 4
    width, channels = (*(arrays[0].shape if arrays else ()), 0, 0)[:2]
    shapes = generator_shapes(channels, width, num_blocks)
    return _named(shapes, arrays, "generator", network)


def discriminator_to_official(network: keras.Model) -> dict[str, np.ndarray]:
    """The state dict of a discriminator, as `generator_to_official`."""
    arrays = _pytorch_arrays(network)
    width, channels = (*(arrays[0].shape if arrays else ()), 0, 0)[:2]
    shapes = discriminator_shapes(channels, width)
    return _named(shapes, arrays, "discriminator", network)


def from_official(
    path_ab: str | Path,
    path_ba: str | Path | None = None,
    discriminator_a: str | Path | None = None,
    discriminator_b: str | Path | None = None,
    image_size: tuple[int, int] = (256, 256),
) -> CycleGAN:
    """A CycleGAN with the authors' weights.

    Args:
        path_ab: The generator from A to B: `latest_net_G.pth`,
            `latest_net_G_A.pth`, `horse2zebra.pth`.
        path_ba: The one back: `latest_net_G_B.pth`, `zebra2horse.pth`. Without
            it the model translates one way.
        discriminator_a: The one that looks at A, the authors' D_B:
            `latest_net_D_B.pth`. Not published; for further training.
        discriminator_b: The one that looks at B: `latest_net_D_A.pth`.
        image_size: `(height, width)` of the crops for further training;
            `translate` takes any size.

    Returns:
        The model. Networks that no file was given for have random weights, and
        are named in `networks_without_weights`.

    Raises:
        ValueError: If a file cannot be read, has code in it, or is of another
            network; or if the files are of networks of different sizes.

    Example:

    ```python
    cyclegan = keras_gans.convert.from_official("latest_net_G_A.pth")
    keras_gans.save_pretrained(cyclegan, "my_cyclegan")
    ```
    """
    given = {
        "generator_ab": path_ab,
        "generator_ba": path_ba,
        "discriminator_a": discriminator_a,
        "discriminator_b": discriminator_b,
    }
    weights, sizes = {}, {}
    for name, path in given.items():
        if path is None:
            continue
        read = (
            generator_weights
            if name.startswith("gen")
            else discriminator_weights
        )
        content = read_pth(path)
        try:
            weights[name], sizes[name] = read(content)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
    size = sizes["generator_ab"]
    for name, other in sizes.items():
        # Both discriminators may be of another width than the generators.
        alike = name if name.startswith("dis") else "generator_ab"
        first = next(n for n in sizes if n[:3] == alike[:3])
        channels = other["channels"] == size["channels"]
        if other != sizes[first] or not channels:
            first = "generator_ab" if not channels else first
            raise ValueError(
                "Expected networks of one size, as one training makes them. "
                f"Received: {given[first]} with {_words(sizes[first])}, "
                f"{given[name]} with {_words(other)}. Convert the generators "
                "on their own."
            )
    widths = [s["width"] for n, s in sizes.items() if n.startswith("dis")]
    model = CycleGAN(
        (*image_size, size["channels"]),
        num_blocks=size["num_blocks"],
        width=size["width"],
        discriminator_width=next(
            (width for width in widths if width != size["width"]), None
        ),
    )
    for name in given:
        if name in weights:
            getattr(model, name).set_weights(weights[name])
        else:
            model.networks_without_weights.append(name)
    return model


def to_official(model: CycleGAN) -> dict[str, dict[str, np.ndarray]]:
    """The state dicts of a CycleGAN, by the names of the authors' files.

    Of the networks that have weights of their own: one that came without
    (`networks_without_weights`) is left out.

    Example:

    ```python
    for file, state in keras_gans.convert.to_official(cyclegan).items():
        state = {key: torch.from_numpy(x) for key, x in state.items()}
        torch.save(state, file)  # latest_net_G_A.pth, ...
    ```
    """
    found = {}
    for name, file in FILES.items():
        if name not in model.networks_without_weights:
            write = (
                generator_to_official
                if name.startswith("gen")
                else discriminator_to_official
            )
            found[file] = write(getattr(model, name))
    return found


# === Keys and shapes ===


def generator_shapes(
    channels: int, width: int, num_blocks: int, dropout: bool = False
) -> dict[str, tuple[int, ...]]:
    """Keys and shapes of a generator's state dict, in the order of its layers.

    Each kernel `[out, in, h, w]`, or `[in, out, h, w]` of the two transposed
    convolutions, and its bias. With dropout, a block's second one comes later.
    """
    c, w, n = channels, width, num_blocks
    kernels = {
        "model.1": (w, c, 7, 7),
        "model.4": (2 * w, w, 3, 3),
        "model.7": (4 * w, 2 * w, 3, 3),
    }
    for block in range(10, 10 + n):
        for i in (1, 6 if dropout else 5):
            kernels[f"model.{block}.conv_block.{i}"] = (4 * w, 4 * w, 3, 3)
    transposed = {
        f"model.{10 + n}": (4 * w, 2 * w, 3, 3),
        f"model.{13 + n}": (2 * w, w, 3, 3),
    }
    return _with_biases(
        kernels | transposed | {f"model.{17 + n}": (c, w, 7, 7)}, transposed
    )


def discriminator_shapes(
    channels: int, width: int
) -> dict[str, tuple[int, ...]]:
    """Keys and shapes of a discriminator's state dict, as of a generator's."""
    w = width
    return _with_biases(
        {
            "model.0": (w, channels, 4, 4),
            "model.2": (2 * w, w, 4, 4),
            "model.5": (4 * w, 2 * w, 4, 4),
            "model.8": (8 * w, 4 * w, 4, 4),
            "model.11": (1, 8 * w, 4, 4),
        }
    )


def _with_biases(
    kernels: dict[str, tuple[int, ...]], transposed: Any = ()
) -> dict[str, tuple[int, ...]]:
    shapes = {}
    for name, shape in kernels.items():
        shapes[f"{name}.weight"] = shape
        shapes[f"{name}.bias"] = (shape[1 if name in transposed else 0],)
    return shapes


# === From PyTorch ===


def generator_weights(
    state: Mapping[str, Any],
) -> tuple[list[np.ndarray], dict[str, int]]:
    """Arrays for `set_weights`, and the arguments of `build_generator`.

    No network is built before every array is as large as it has to be.
    """
    state = state_in(state, UNUSED)
    width, channels = _sizes(state, "model.1.weight", 7)
    dropout = "model.10.conv_block.6.weight" in state

    def shapes(num_blocks):
        return generator_shapes(channels, width, num_blocks, dropout)

    # As the last block's number says, or that of the last kernel: either may
    # be missing.
    found = [re.match(r"model\.(\d{1,5})\.(conv_block)?", k) for k in state]
    numbers = [(int(f[1]), bool(f[2])) for f in found if f]
    numbers = [n for n in numbers if n[0] < len(state) + 10]
    last = max(i for i, _ in numbers)
    last_block = max((i for i, in_block in numbers if in_block), default=10)
    num_blocks = min(
        (max(1, last_block - 9), max(1, last - 17)),
        key=lambda n: len(shapes(n).keys() ^ state.keys()),
    )
    size = {"channels": channels, "width": width, "num_blocks": num_blocks}
    kind = f"generator, {_words(size)}"
    return _checked(state, shapes(num_blocks), kind), size


def discriminator_weights(
    state: Mapping[str, Any],
) -> tuple[list[np.ndarray], dict[str, int]]:
    """Arrays for `set_weights`, and the arguments of `build_discriminator`."""
    state = state_in(state, UNUSED)
    width, channels = _sizes(state, "model.0.weight", 4)
    size = {"channels": channels, "width": width}
    shapes = discriminator_shapes(**size)
    return _checked(state, shapes, f"discriminator, {_words(size)}"), size


def _sizes(
    state: dict[str, np.ndarray], key: str, kernel: int
) -> tuple[int, int]:
    """Width and channels: the first two axes of the first kernel."""
    if key not in state:
        raise ValueError(
            f"Expected {key}, the first kernel of a CycleGAN network. "
            f"Received: {listed(state)}. {FIX}"
        )
    shape = state[key].shape
    if len(shape) != 4 or shape[2:] != (kernel, kernel) or 0 in shape:
        raise ValueError(
            f"Expected {key} as [width, channels, {kernel}, {kernel}]. "
            f"Received: shape={shape}. {FIX}"
        )
    return shape[0], shape[1]


FIX = (
    "It has to be the authors' resnet_9blocks or resnet_6blocks generator, or "
    "basic discriminator, trained with `--norm instance`."
)


def _checked(
    state: dict[str, np.ndarray],
    shapes: dict[str, tuple[int, ...]],
    kind: str,
) -> list[np.ndarray]:
    """The arrays in Keras's order and layout, once nothing is wrong."""
    check_state(state, shapes, kind, FIX)
    return [
        (x.transpose(TO_KERAS) if x.ndim == 4 else x).astype(
            np.float64 if x.dtype == np.float64 else np.float32
        )
        for x in (state[key] for key in shapes)
    ]


# === To PyTorch ===


def _pytorch_arrays(network: keras.Model) -> list[np.ndarray]:
    # A copy: what the backend gives may be a view of the weight itself.
    weights = [np.array(w) for w in network.get_weights()]
    return [
        np.ascontiguousarray(w.transpose(TO_PYTORCH)) if w.ndim == 4 else w
        for w in weights
    ]


def _named(
    shapes: dict[str, tuple[int, ...]],
    arrays: list[np.ndarray],
    kind: str,
    network: keras.Model,
) -> dict[str, np.ndarray]:
    if [x.shape for x in arrays] != [*shapes.values()]:
        raise ValueError(
            f"Expected a {kind} of `keras_gans.CycleGAN`. Received: "
            f"{network.name}, with other weights. Pass one of its networks."
        )
    return dict(zip(shapes, arrays, strict=True))


def _words(size: dict[str, int]) -> str:
    """9 blocks of width 64, 3 channels."""
    blocks = f"{size['num_blocks']} blocks of " if "num_blocks" in size else ""
    return f"{blocks}width {size['width']}, {size['channels']} channels"
