"""Convolutions and dense layers: C = numpy = TensorFlow Lite Micro over a grid of settings."""

import pytest

from tests.legs import assert_three_legs
from tests.tflite_builder import NONE, RELU, RELU6, RELU_N1_TO_1, SAME, VALID, TfliteBuilder


def conv(h, w, ic, oc, kernel, stride, padding, activation=NONE, per_channel=True, bias=True):
    b = TfliteBuilder()
    x = b.activation([1, h, w, ic])
    weights = b.weights([oc, *kernel, ic], oc, per_channel=per_channel)
    oh, ow = (
        -(-n // s) if padding == SAME else (n - k) // s + 1
        for n, k, s in zip((h, w), kernel, stride, strict=True)
    )
    y = b.activation([1, oh, ow, oc], 0.1, -20)
    inputs = [x, weights, b.bias(x, weights, oc)] if bias else [x, weights, -1]
    b.op(
        "CONV_2D", inputs, y, "Conv2DOptions", padding=padding, strideH=stride[0],
        strideW=stride[1], fusedActivationFunction=activation,
    )  # fmt: skip
    return b.build(x, y)


@pytest.mark.parametrize(
    "case",
    [
        (8, 10, 3, 4, (3, 3), (1, 1), SAME),
        (7, 9, 2, 3, (3, 3), (2, 2), SAME, RELU),
        (7, 9, 2, 3, (5, 5), (1, 2), SAME, RELU6),
        (8, 8, 1, 5, (3, 1), (2, 1), VALID, RELU_N1_TO_1),
        (4, 4, 6, 7, (4, 4), (1, 1), VALID),
        (5, 6, 16, 1, (1, 1), (1, 1), SAME, RELU),
        (1, 1, 3, 2, (3, 3), (1, 1), SAME),
        (5, 5, 2, 2, (2, 2), (3, 3), SAME),
        (6, 5, 2, 3, (3, 3), (1, 1), SAME, NONE, False),
        (6, 5, 2, 3, (3, 3), (1, 1), SAME, NONE, True, False),
    ],
    ids=str,
)
def test_conv2d(tmp_path, case):
    assert_three_legs(conv(*case), tmp_path)


def depthwise(h, w, c, multiplier, kernel, stride, padding, activation=NONE):
    b = TfliteBuilder()
    oc = c * multiplier
    x = b.activation([1, h, w, c])
    weights = b.weights([1, *kernel, oc], oc, axis=3)
    oh, ow = (
        -(-n // s) if padding == SAME else (n - k) // s + 1
        for n, k, s in zip((h, w), kernel, stride, strict=True)
    )
    y = b.activation([1, oh, ow, oc], 0.06, 11)
    b.op(
        "DEPTHWISE_CONV_2D", [x, weights, b.bias(x, weights, oc)], y, "DepthwiseConv2DOptions",
        padding=padding, strideH=stride[0], strideW=stride[1], depthMultiplier=multiplier,
        fusedActivationFunction=activation,
    )  # fmt: skip
    return b.build(x, y)


@pytest.mark.parametrize(
    "case",
    [
        (8, 10, 3, 1, (3, 3), (1, 1), SAME, RELU),
        (7, 9, 4, 1, (3, 3), (2, 2), SAME),
        (9, 7, 2, 1, (5, 3), (1, 1), VALID, RELU6),
        (6, 6, 3, 2, (3, 3), (1, 1), SAME),
        (6, 6, 1, 5, (3, 3), (2, 1), SAME),
    ],
    ids=str,
)
def test_depthwise_conv2d(tmp_path, case):
    assert_three_legs(depthwise(*case), tmp_path)


def dense(shape, units, per_channel, activation=NONE, keep_dims=False, bias=True):
    b = TfliteBuilder()
    x = b.activation(shape)
    weights = b.weights([units, shape[-1]], units, per_channel=per_channel)
    out = [*shape[:-1], units] if keep_dims else [shape[0] * shape[1], units][-2:]
    out = out if len(shape) > 2 else [shape[0], units]
    y = b.activation(out, 0.3, -5)
    inputs = [x, weights, b.bias(x, weights, units)] if bias else [x, weights, -1]
    b.op(
        "FULLY_CONNECTED", inputs, y, "FullyConnectedOptions",
        fusedActivationFunction=activation, keepNumDims=keep_dims,
    )  # fmt: skip
    return b.build(x, y)


@pytest.mark.parametrize(
    "case",
    [
        ([1, 40], 12, True),
        ([1, 40], 12, False, RELU),
        ([1, 7], 1, False),
        ([1, 5, 16], 3, True, NONE, True),
        ([1, 33], 6, True, RELU, False, False),
    ],
    ids=str,
)
def test_fully_connected(tmp_path, case):
    assert_three_legs(dense(*case), tmp_path)


def transpose(h, w, ic, oc, kernel, stride, padding, activation=NONE):
    b = TfliteBuilder()
    x = b.activation([1, h, w, ic])
    weights = b.weights([oc, *kernel, ic], oc)
    oh, ow = (
        n * s if padding == SAME else (n - 1) * s + k
        for n, k, s in zip((h, w), kernel, stride, strict=True)
    )
    y = b.activation([1, oh, ow, oc], 0.2, 4)
    size = b.constant([1, oh, ow, oc])
    b.op(
        "TRANSPOSE_CONV", [size, weights, x, b.bias(x, weights, oc)], y, "TransposeConvOptions",
        padding=padding, strideH=stride[0], strideW=stride[1], fusedActivationFunction=activation,
    )  # fmt: skip
    return b.build(x, y)


@pytest.mark.parametrize(
    "case",
    [
        (4, 4, 3, 2, (3, 3), (2, 2), SAME),
        (4, 8, 2, 4, (5, 5), (1, 2), SAME, RELU),
        (3, 5, 2, 3, (2, 2), (2, 2), VALID),
        (3, 3, 2, 1, (5, 5), (2, 2), VALID),
        (3, 4, 2, 2, (3, 3), (1, 1), SAME),
        (3, 3, 1, 2, (1, 1), (2, 2), SAME),
    ],
    ids=str,
)
def test_transpose_conv(tmp_path, case):
    assert_three_legs(transpose(*case), tmp_path)
