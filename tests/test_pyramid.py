"""Pyramids: exact inverses, against arithmetic by hand and PyTorch."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_gans.pyramid import (
    LaplacianPyramid,
    downsample,
    gaussian_pyramid,
    laplacian_pyramid,
    reconstruct,
    upsample,
)


def pictures(shape, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


def numpy(x):
    return ops.convert_to_numpy(x)


def test_down_is_the_mean_of_four():
    images = np.arange(16, dtype=np.float32).reshape(1, 4, 4, 1)
    expected = [[2.5, 4.5], [10.5, 12.5]]
    np.testing.assert_array_equal(
        numpy(downsample(images))[0, ..., 0], expected
    )


def test_up_maps_corners_to_corners():
    images = np.float32([[0, 3], [6, 9]]).reshape(1, 2, 2, 1)
    made = numpy(upsample(ops.convert_to_tensor(images)))[0, ..., 0]
    # Four places on the way from 0 to 3, ends included.
    expected = np.add.outer([0, 2, 4, 6], [0, 1, 2, 3])
    np.testing.assert_allclose(made, expected, atol=1e-6)


def test_up_of_a_single_row():
    images = ops.convert_to_tensor(pictures((1, 1, 3, 2)))
    made = numpy(upsample(images))
    np.testing.assert_allclose(made[:, 0], made[:, 1], atol=1e-7)
    np.testing.assert_allclose(made[:, 0, -1], numpy(images)[:, 0, -1])


@pytest.mark.parametrize("shape", [(2, 8, 8, 3), (1, 7, 14, 1)])
def test_up_is_pytorchs(shape):
    torch = pytest.importorskip("torch", reason="needs the extra `torch`")
    images = pictures(shape)
    theirs = torch.nn.functional.interpolate(
        torch.from_numpy(images.transpose(0, 3, 1, 2)),
        scale_factor=2,
        mode="bilinear",
        align_corners=True,
    )
    ours = numpy(upsample(ops.convert_to_tensor(images)))
    np.testing.assert_allclose(
        ours, theirs.numpy().transpose(0, 2, 3, 1), atol=1e-5
    )


@pytest.mark.parametrize(
    "height, width, levels",
    [(32, 32, 3), (28, 28, 3), (64, 64, 4), (64, 64, 7), (6, 20, 2)],
)
def test_reconstruction_is_exact(height, width, levels):
    images = ops.convert_to_tensor(pictures((3, height, width, 2)))
    bands = laplacian_pyramid(images, levels)
    assert [tuple(b.shape[1:3]) for b in bands] == [
        (height >> k, width >> k) for k in range(levels)
    ]
    np.testing.assert_allclose(
        numpy(reconstruct(bands)), numpy(images), atol=1e-6
    )
    layer = LaplacianPyramid(levels)
    for a, b in zip(layer(images), bands, strict=True):
        np.testing.assert_array_equal(numpy(a), numpy(b))
    np.testing.assert_array_equal(
        numpy(layer.inverse(bands)), numpy(reconstruct(bands))
    )
    twin = LaplacianPyramid.from_config(layer.get_config())
    assert twin.levels == levels


def test_bands_of_flat_and_of_fine_pictures():
    flat = ops.convert_to_tensor(np.full((1, 8, 8, 1), 0.3, np.float32))
    fine, coarse = laplacian_pyramid(flat, 2)
    np.testing.assert_allclose(numpy(fine), 0.0, atol=1e-6)
    np.testing.assert_allclose(numpy(coarse), 0.3, atol=1e-6)
    # A checkerboard is all detail.
    board = np.indices((8, 8)).sum(0)[None, ..., None] % 2 * 2.0 - 1.0
    fine, coarse = laplacian_pyramid(
        ops.convert_to_tensor(board.astype(np.float32)), 2
    )
    np.testing.assert_allclose(numpy(coarse), 0.0, atol=1e-6)
    np.testing.assert_allclose(numpy(fine), board, atol=1e-6)


def test_layer_in_a_network():
    image = keras.Input((8, 12, 1))
    network = keras.Model(image, LaplacianPyramid(3)(image))
    made = network.predict(pictures((2, 8, 12, 1)), verbose=0)
    assert [m.shape for m in made] == [
        (2, 8, 12, 1),
        (2, 4, 6, 1),
        (2, 2, 3, 1),
    ]


@pytest.mark.parametrize(
    "shape, levels, words",
    [
        ((1, 30, 32, 1), 3, "halve 2 times, multiples of 4.*30x32.*32x32"),
        ((1, 7, 7, 1), 2, "halve 1 times.*7x7.*8x8"),
        ((1, 2, 2, 1), 3, "at most 2 levels of images of 2x2.*levels=3"),
        ((1, 8, 8, 1), 9999, "at most 4 levels"),
        ((1, 8, 8, 1), 1, "at least 2.*levels=1"),
        ((1, 8, 8, 1), True, "levels=True"),
        ((1, 8, 8, 1), "3", "levels='3'"),
    ],
)
def test_what_cannot_be_halved(shape, levels, words):
    for make in (gaussian_pyramid, laplacian_pyramid):
        with pytest.raises(ValueError, match=words):
            make(pictures(shape), levels)


def test_layer_with_one_level():
    with pytest.raises(ValueError, match="levels=1"):
        LaplacianPyramid(1)


@pytest.mark.parametrize(
    "images, words",
    [
        (np.zeros((1, 4, 4, 1), int), "Expected float images.*int64 of shape"),
        (np.zeros((1, 4, 4, 1), np.uint8), "uint8.*from_uint8"),
        (np.zeros((4, 4, 1), np.float32), r"shape=\(4, 4, 1\).*image\[None\]"),
    ],
)
def test_what_is_no_images(images, words):
    for make in (downsample, upsample):
        with pytest.raises(ValueError, match=words):
            make(images)
    for make in (laplacian_pyramid, lambda x, n: reconstruct([x])):
        with pytest.raises(ValueError, match=words):
            make(images, 2)


def test_arrays_are_as_good_as_tensors():
    images = pictures((2, 8, 8, 1))
    bands = laplacian_pyramid(images, 3)
    np.testing.assert_allclose(numpy(reconstruct(bands)), images, atol=1e-6)
    arrays = [numpy(band) for band in bands]
    np.testing.assert_allclose(numpy(reconstruct(arrays)), images, atol=1e-6)
    np.testing.assert_allclose(
        numpy(upsample(images.tolist())), numpy(upsample(images)), atol=1e-6
    )


@pytest.mark.parametrize("name", ["mixed_float16", "mixed_bfloat16"])
def test_layer_is_exact_under_any_policy(name, policy):
    policy(name)
    layer = LaplacianPyramid(3)
    images = pictures((2, 16, 16, 1))
    bands = layer(images)
    assert all(
        keras.backend.standardize_dtype(band.dtype) == "float32"
        for band in bands
    )
    np.testing.assert_allclose(numpy(layer.inverse(bands)), images, atol=1e-6)
