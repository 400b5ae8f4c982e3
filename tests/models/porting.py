"""Weights from a PyTorch rendering into the Keras network, and back."""

import keras
import numpy as np


def keras_weights(torch_network, of=lambda parameter: parameter):
    """A torch Sequential's weights, in the order and layout of Keras.

    Convolution kernels of both kinds transpose by (2, 3, 1, 0), linear ones
    by (1, 0); a BatchNorm brings gamma, beta, mean, variance. With `of`, its
    gradients instead, and None for what has none.
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
