"""StackGAN's networks from the authors' PyTorch checkpoints, and back.

Keys and shapes are those of `code/model.py` of hanzhanggit/StackGAN-Pytorch:
`netG_epoch_*.pth` and `netD_epoch_*.pth` of both stages. Stage-II's generator
has that of Stage-I in it. Width, resolution and text size are read off the
arrays; the files may have `module.` before each key.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from keras_gans.convert.pth import read_pth
from keras_gans.convert.state_dict import check_state, listed, state_in
from keras_gans.models.stackgan import StackGANStage1, StackGANStage2

UNUSED = (".num_batches_tracked",)
FIX = "It has to be a netG or netD of the authors' StackGAN-Pytorch."

# Layouts: how an array of PyTorch's becomes one of Keras's.
CONV = (2, 3, 1, 0)
DENSE = (1, 0)
SAME = (0,)
FC = "fc"  # of features that PyTorch has channels first, 4x4 after them

Key = tuple[str, Any, tuple[int, ...]]  # name, layout, shape


def from_official(
    generator: str | Path,
    discriminator: str | Path | None = None,
    text_encoder: Any = "char-CNN-RNN",
) -> StackGANStage1 | StackGANStage2:
    """A StackGAN of either stage with the authors' weights.

    Args:
        generator: `netG_epoch_*.pth`; which stage it is of, its keys say.
        discriminator: `netD_epoch_*.pth`, for further training.
        text_encoder: What the model was trained with: a function, or its name;
            the authors' is a char-CNN-RNN (Reed et al. 2016), 1024 wide.

    Returns:
        The model. A discriminator that no file was given for has random
        weights, and is named in `networks_without_weights`.

    Raises:
        ValueError: If a file cannot be read, has code in it, or is of another
            network; each tensor that is missing, too many or misshapen is
            named.

    Example:

    ```python
    model = keras_gans.convert.stackgan_from_official("netG_epoch_120.pth")
    flowers = model.generate(8, embeddings=char_cnn_rnn(texts))
    ```
    """
    try:
        state = state_in(read_pth(generator), UNUSED)
        config = _generator_config(state)
    except ValueError as error:
        raise ValueError(f"{generator}: {error}") from None
    condition_dim = config["condition_dim"]
    read = None
    if discriminator is not None:
        try:
            read = state_in(read_pth(discriminator), UNUSED)
            config |= _discriminator_config(read)
        except ValueError as error:
            raise ValueError(f"{discriminator}: {error}") from None
    config["text_encoder"] = text_encoder
    try:
        if "stage1" in config:
            config["stage1"]["text_encoder"] = text_encoder
            config["stage1"] = StackGANStage1(**config["stage1"])
            model = StackGANStage2(**config)
        else:
            model = StackGANStage1(**config)
    except ValueError as error:  # a size that no stage has
        raise ValueError(f"{generator}: {error}") from None
    for path, network, found, keys in (
        (generator, model.generator, state, generator_keys(model)),
        (discriminator, model.discriminator, read, discriminator_keys(model)),
    ):
        if found is None:
            model.networks_without_weights.append(network.name)
            continue
        shapes = {name: shape for name, _, shape in keys}
        size = f"{network.name} of {model.image_shape[0]} pixels with a "
        kind = f"{size}condition of {condition_dim} numbers"
        try:
            check_state(found, shapes, kind, FIX)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
        network.set_weights(
            [_to_keras(found[name], layout) for name, layout, _ in keys]
        )
    return model


def to_official(
    model: StackGANStage1 | StackGANStage2,
) -> dict[str, dict[str, np.ndarray]]:
    """The state dicts of a StackGAN, as "netG.pth" and "netD.pth".

    Of the networks that have weights of their own.

    Example:

    ```python
    for file, state in keras_gans.convert.stackgan_to_official(model).items():
        state = {key: torch.from_numpy(x) for key, x in state.items()}
        torch.save(state, file)
    ```
    """
    found = {}
    for file, network, keys in (
        ("netG.pth", model.generator, generator_keys(model)),
        ("netD.pth", model.discriminator, discriminator_keys(model)),
    ):
        if network.name not in model.networks_without_weights:
            # The average where there is one, as an entry keeps it.
            weights = model.stored(network).get_weights()
            arrays = [np.array(w) for w in weights]
            found[file] = {
                name: _to_pytorch(array, layout)
                for array, (name, layout, _) in zip(arrays, keys, strict=True)
            }
    return found


def is_stackgan(content: Mapping[str, Any]) -> bool:
    """Whether a checkpoint is a StackGAN's generator."""
    try:
        state = state_in(content)
    except ValueError:
        return False
    return "ca_net.fc.weight" in state


# === Sizes, read off the arrays ===


def _generator_config(state: dict[str, np.ndarray]) -> dict[str, Any]:
    """Arguments of the model's class, as the arrays say them."""
    inner = {
        key.removeprefix("STAGE1_G."): value
        for key, value in state.items()
        if key.startswith("STAGE1_G.")
    }
    twice, text_dim = _shape(state, "ca_net.fc.weight", 2)
    condition_dim = twice // 2
    stages = _last_number(state, r"upsample(\d{1,2})\.")
    channels = _shape(state, "img.0.weight", 4)[0]
    if not inner:
        units, inputs = _shape(state, "fc.0.weight", 2)
        size = 4 * 2**stages
        return {
            "image_shape": (size, size, channels),
            "text_dim": text_dim,
            "condition_dim": condition_dim,
            "noise_dim": inputs - condition_dim,
            "generator_width": units // 16 * 8 // size,
        }
    stage1 = _generator_config(inner)
    blocks = 1 + _last_number(state, r"residual\.(\d{1,2})\.")
    size = stage1["image_shape"][0] // 4 * 2**stages
    return {
        "stage1": stage1,
        "image_shape": (size, size, channels),
        "condition_dim": condition_dim,
        "generator_width": _shape(state, "encoder.0.weight", 4)[0],
        "num_blocks": blocks,
    }


def _last_number(state: dict[str, np.ndarray], pattern: str) -> int:
    """The largest of the numbers in keys that begin so; -1 without any."""
    found = (re.match(pattern, key) for key in state)
    return max((int(match[1]) for match in found if match), default=-1)


def _discriminator_config(state: dict[str, np.ndarray]) -> dict[str, Any]:
    width = _shape(state, "encode_img.0.weight", 4)[0]
    return {"discriminator_width": width}


def _shape(
    state: dict[str, np.ndarray], key: str, axes: int
) -> tuple[int, ...]:
    if key not in state or state[key].ndim != axes or 0 in state[key].shape:
        got = state[key].shape if key in state else f"only {listed(state)}"
        raise ValueError(
            f"Expected {key}, a tensor of {axes} axes. Received: {got}. {FIX}"
        )
    return state[key].shape


# === Keys, in the order of Keras's weights ===


def generator_keys(model: StackGANStage1 | StackGANStage2) -> list[Key]:
    """Key, layout and PyTorch's shape of each weight of the generator."""
    channels = model.image_shape[-1]
    if isinstance(model, StackGANStage2):
        config = dict(model.stage1_config)
        inner = _stage1_keys(config["image_shape"], **_sizes_in(config))
        keys = [(f"STAGE1_G.{k}", layout, s) for k, layout, s in inner]
        filters = model.generator_width
        keys.append(_conv("encoder.0", filters, channels, 3))
        for i in (2, 5):
            keys += _conv_bn(f"encoder.{i}", 2 * filters, filters, 4)
            filters *= 2
        joined = filters + model.condition_dim
        keys += _conv_bn("hr_joint.0", filters, joined, 3)
        for i in range(model.num_blocks):
            for j in (0, 3):
                name = f"residual.{i}.block.{j}"
                keys += _conv_bn(name, filters, filters, 3)
        size = config["image_shape"][0] // 4
        keys += _up_keys(size, model.image_shape, filters)
        # Keras has the layers in the order of their distance to the image.
        layers = model.generator.layers
        place = [layer.name for layer in layers].index("ca_net")
        place = sum(len(layer.weights) for layer in layers[:place])
        ca_keys = _ca_keys(model.text_dim, model.condition_dim)
        return keys[:place] + ca_keys + keys[place:]
    return _stage1_keys(model.image_shape, **_sizes_in(model.get_config()))


def _sizes_in(config: dict[str, Any]) -> dict[str, int]:
    names = ("text_dim", "condition_dim", "noise_dim", "generator_width")
    return {name: config[name] for name in names}


def _stage1_keys(
    image_shape: tuple[int, int, int],
    text_dim: int,
    condition_dim: int,
    noise_dim: int,
    generator_width: int,
) -> list[Key]:
    filters = generator_width * image_shape[0] // 8
    units = 16 * filters
    return [
        *_ca_keys(text_dim, condition_dim),
        ("fc.0.weight", FC, (units, noise_dim + condition_dim)),
        *_bn("fc.1", units, FC),
        *_up_keys(4, image_shape, filters),
    ]


def discriminator_keys(model: StackGANStage1 | StackGANStage2) -> list[Key]:
    """Key, layout and PyTorch's shape of each of the discriminator's."""
    size, _, channels = model.image_shape
    filters = model.discriminator_width
    keys, i = [_conv("encode_img.0", filters, channels, 4)], 2
    size //= 2
    while size > 4:
        keys += _conv_bn(f"encode_img.{i}", 2 * filters, filters, 4)
        filters, size, i = 2 * filters, size // 2, i + 3
    while filters > 8 * model.discriminator_width:
        keys += _conv_bn(f"encode_img.{i}", filters // 2, filters, 3)
        filters, i = filters // 2, i + 3
    name = "get_cond_logits.outlogits"
    joined = filters + model.condition_dim
    keys += [*_conv_bn(f"{name}.0", filters, joined, 3)]
    keys += _last(f"{name}.3", filters)
    if isinstance(model, StackGANStage2):
        keys += _last("get_uncond_logits.outlogits.0", filters)
    return keys


def _ca_keys(text_dim: int, condition_dim: int) -> list[Key]:
    units = 2 * condition_dim
    return [
        ("ca_net.fc.weight", DENSE, (units, text_dim)),
        ("ca_net.fc.bias", SAME, (units,)),
    ]


def _up_keys(
    size: int, image_shape: tuple[int, int, int], filters: int
) -> list[Key]:
    keys, i = [], 1
    while size < image_shape[0]:
        out = filters // 2
        keys.append(_conv(f"upsample{i}.1", out, filters, 3))
        keys += _bn(f"upsample{i}.2", out)
        filters, size, i = out, 2 * size, i + 1
    return [*keys, _conv("img.0", image_shape[-1], filters, 3)]


def _conv(name: str, out: int, inputs: int, kernel: int) -> Key:
    return (f"{name}.weight", CONV, (out, inputs, kernel, kernel))


def _bn(name: str, units: int, layout: Any = SAME) -> list[Key]:
    parts = ("weight", "bias", "running_mean", "running_var")
    return [(f"{name}.{part}", layout, (units,)) for part in parts]


def _conv_bn(name: str, out: int, inputs: int, kernel: int) -> list[Key]:
    """A convolution, and the BatchNorm that follows it in a Sequential."""
    stem, _, number = name.rpartition(".")
    return [
        _conv(name, out, inputs, kernel),
        *_bn(f"{stem}.{int(number) + 1}", out),
    ]


def _last(name: str, features: int) -> list[Key]:
    return [_conv(name, 1, features, 4), (f"{name}.bias", SAME, (1,))]


# === Layouts ===


def _to_keras(array: np.ndarray, layout: Any) -> np.ndarray:
    if layout == FC:  # [c, 4 * 4, ...] -> [..., 4 * 4 * c]
        array = array.reshape(-1, 16, *array.shape[1:]).swapaxes(0, 1)
        array = array.reshape(-1, *array.shape[2:]).T
        return np.ascontiguousarray(array)
    return np.ascontiguousarray(array.transpose(layout))


def _to_pytorch(array: np.ndarray, layout: Any) -> np.ndarray:
    if layout == FC:
        array = array.T
        array = array.reshape(16, -1, *array.shape[1:]).swapaxes(0, 1)
        return np.ascontiguousarray(array.reshape(-1, *array.shape[2:]))
    return np.ascontiguousarray(array.transpose(np.argsort(layout)))
