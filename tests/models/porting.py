"""Weights from a PyTorch rendering into the Keras network, and back."""

import operator

import keras
import numpy as np


def keras_weights(torch_network, of=lambda parameter: parameter):
    """A torch Sequential's weights, in the order and layout of Keras.

    Convolution kernels of both kinds transpose by (2, 3, 1, 0), linear ones
    by (1, 0); a BatchNorm brings gamma, beta, mean, variance, or the last two.
    With `of`, its gradients instead, and None for what has none.
    """
    from torch import nn

    def numpy(tensor, axes):
        return np.array(tensor.detach().numpy().transpose(axes))

    weights = []
    for module in torch_network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            weights.append(numpy(of(module.weight), (2, 3, 1, 0)))
        elif isinstance(module, nn.Linear):
            weights.append(numpy(of(module.weight), (1, 0)))
        elif isinstance(module, nn.BatchNorm2d):
            if module.affine:
                weights.append(numpy(of(module.weight), (0,)))
        else:
            continue
        if module.bias is not None:
            weights.append(numpy(of(module.bias), (0,)))
        if isinstance(module, nn.BatchNorm2d):
            for moving in (module.running_mean, module.running_var):
                moving = of(moving)
                weights.append(None if moving is None else numpy(moving, (0,)))
    return weights


def assert_same_weights(network, torch_network, atol):
    """Compare all weights, but where Adam makes a step out of rounding.

    Gradients agree to a millionth of a tensor's largest. Where one is smaller
    than that, Adam's first step divides it by itself, and its sign is chance.
    A moving variance is compared up to n / (n - 1): PyTorch keeps the unbiased
    estimate of a batch, Keras the biased one.
    """
    theirs = keras_weights(torch_network)
    gradients = keras_weights(torch_network, of=lambda p: p.grad)
    assert len(network.weights) == len(theirs)
    for weight, b, gradient in zip(
        network.weights, theirs, gradients, strict=True
    ):
        a = keras.ops.convert_to_numpy(weight)
        if weight.path.endswith("moving_variance"):
            np.testing.assert_allclose(a, b, rtol=0.005, err_msg=weight.path)
            continue
        if gradient is not None:
            size = np.abs(gradient)
            seen = (size > 1e-6 * size.max()) | (size == 0)
            assert seen.mean() > 0.99, weight.path
            a, b = a[seen], b[seen]
        np.testing.assert_allclose(a, b, atol=atol, err_msg=weight.path)


def to_keras(tensor):
    """NCHW torch images -> NHWC tensor; anything else as it is."""
    array = tensor.detach().numpy()
    if array.ndim == 4:
        array = array.transpose(0, 2, 3, 1)
    return keras.ops.convert_to_tensor(np.ascontiguousarray(array))


def relative_to_largest(ours, theirs):
    """The largest difference, as a share of the tensor's largest value."""
    ours, theirs = keras.ops.convert_to_numpy(ours), np.asarray(theirs)
    return np.abs(ours - theirs).max() / np.abs(theirs).max()


def paired(network, torch_network, of=lambda parameter: parameter):
    """`{id(weight): (weight, theirs)}`, layers of a kind in order of creation.

    For networks with branches, whose weights Keras lists in another order. With
    `of`, gradients instead, and None for what has none.
    """
    from torch import nn

    from tests.references import torch_wgan_gp as reference

    # Kind of ours -> theirs, the tensors in the order of our weights, axes.
    own, statistics = ("weight", "bias"), ("bn.running_mean", "bn.running_var")
    kinds = {
        "Conv2D": (nn.Conv2d, own, (2, 3, 1, 0)),
        "Conv2DTranspose": (nn.ConvTranspose2d, own, (2, 3, 1, 0)),
        "Dense": (nn.Linear, own, (1, 0)),
        "BatchNormalization": (
            nn.BatchNorm2d,
            (*own, "running_mean", "running_var"),
            (0,),
        ),
        "ConditionalBatchNorm": (
            reference.ClassNorm,
            ("scale.weight", "offset.weight", *statistics),
            (0, 1),
        ),
        "LayerNorm": (nn.GroupNorm, own, (0,)),
    }

    def number(layer):
        suffix = layer.name.rsplit("_", 1)[-1]
        return int(suffix) if suffix.isdigit() else 0

    pairs = {}
    for kind, (torch_kind, names, axes) in kinds.items():
        ours = [x for x in network.layers if type(x).__name__ == kind]
        theirs = [
            module
            for module in torch_network.modules()
            if isinstance(module, torch_kind)
            and getattr(module, "affine", True)  # a class's is another's part
        ]
        for layer, module in zip(sorted(ours, key=number), theirs, strict=True):
            tensors = [operator.attrgetter(name)(module) for name in names]
            tensors = [t for t in tensors if t is not None]
            for weight, tensor in zip(layer.weights, tensors, strict=True):
                value = of(tensor)
                if value is not None:
                    value = value.detach().numpy()
                    value = value.transpose(axes) if value.ndim > 1 else value
                pairs[id(weight)] = (weight, value)
    assert len(pairs) == len(network.weights)
    return pairs


def put_paired(network, torch_network):
    for weight, value in paired(network, torch_network).values():
        weight.assign(np.ascontiguousarray(value))


def assert_same_paired(network, torch_network, atol):
    """All weights, but where Adam makes a step out of rounding.

    As `assert_same_weights`; a moving variance up to n / (n - 1).
    """
    gradients = paired(network, torch_network, of=lambda p: p.grad)
    for weight, theirs in paired(network, torch_network).values():
        ours = keras.ops.convert_to_numpy(weight)
        if weight.path.endswith("moving_variance"):
            np.testing.assert_allclose(ours, theirs, rtol=0.5)
            continue
        _, gradient = gradients[id(weight)]
        if gradient is not None:
            size = np.abs(gradient)
            seen = (size > 1e-6 * size.max()) | (size == 0)
            assert seen.mean() > 0.9, weight.path
            ours, theirs = ours[seen], theirs[seen]
        np.testing.assert_allclose(ours, theirs, atol=atol, err_msg=weight.path)
