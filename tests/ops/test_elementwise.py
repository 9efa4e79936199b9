"""Ops without weights: C = numpy = TensorFlow Lite Micro."""

import pytest

from tests.legs import assert_three_legs
from tests.tflite_builder import NONE, RELU, RELU6, SAME, VALID, TfliteBuilder


@pytest.mark.parametrize("kind", ["MAX_POOL_2D", "AVERAGE_POOL_2D"])
@pytest.mark.parametrize(
    ("plane", "kernel", "stride", "padding", "activation"),
    [
        ((8, 8), (1, 2), (1, 2), VALID, NONE),
        ((9, 7), (3, 3), (2, 2), SAME, NONE),
        ((8, 12), (4, 4), (4, 4), VALID, RELU),
        ((7, 7), (2, 3), (1, 1), SAME, RELU6),
        ((5, 6), (5, 6), (5, 6), VALID, NONE),
    ],
)
def test_pools(tmp_path, kind, plane, kernel, stride, padding, activation):
    b = TfliteBuilder()
    x = b.activation([1, *plane, 3])
    oh, ow = (
        -(-n // s) if padding == SAME else (n - k) // s + 1
        for n, k, s in zip(plane, kernel, stride, strict=True)
    )
    y = b.activation([1, oh, ow, 3])
    b.op(
        kind, [x], y, "Pool2DOptions", padding=padding, strideH=stride[0], strideW=stride[1],
        filterHeight=kernel[0], filterWidth=kernel[1], fusedActivationFunction=activation,
    )  # fmt: skip
    assert_three_legs(b.build(x, y), tmp_path)


@pytest.mark.parametrize(("factor", "half_pixel"), [((1, 2), 0), ((4, 4), 1), ((3, 1), 1)])
def test_resize_nearest(tmp_path, factor, half_pixel):
    b = TfliteBuilder()
    x = b.activation([1, 3, 5, 4])
    size = [3 * factor[0], 5 * factor[1]]
    y = b.activation([1, *size, 4])
    b.op(
        "RESIZE_NEAREST_NEIGHBOR", [x, b.constant(size)], y, "ResizeNearestNeighborOptions",
        halfPixelCenters=bool(half_pixel),
    )  # fmt: skip
    assert_three_legs(b.build(x, y), tmp_path)


def test_reshape(tmp_path):
    b = TfliteBuilder()
    x, y = b.activation([1, 4, 5, 3]), b.activation([1, 60])
    b.op("RESHAPE", [x, b.constant([1, 60])], y, "ReshapeOptions", newShape=[1, 60])
    assert_three_legs(b.build(x, y), tmp_path)


@pytest.mark.parametrize("amounts", [((1, 1), (2, 0)), ((0, 3), (1, 1))])
def test_pad(tmp_path, amounts):
    b = TfliteBuilder()
    (t, bo), (le, r) = amounts
    x, y = b.activation([1, 4, 5, 3]), b.activation([1, 4 + t + bo, 5 + le + r, 3])
    b.op("PAD", [x, b.constant([[0, 0], [t, bo], [le, r], [0, 0]])], y, "PadOptions")
    assert_three_legs(b.build(x, y), tmp_path)


@pytest.mark.parametrize(("scale", "zero_point"), [(0.05, 9), (0.11, -40), (0.013, 100)])
def test_quantize_between_scales(tmp_path, scale, zero_point):
    b = TfliteBuilder()
    x, y = b.activation([1, 16, 16, 1], 0.05, 3), b.activation([1, 16, 16, 1], scale, zero_point)
    b.op("QUANTIZE", [x], y, "QuantizeOptions")
    assert_three_legs(b.build(x, y), tmp_path)


@pytest.mark.parametrize(
    ("scales", "activation"), [((0.02, 0.07, 0.08), NONE), ((0.05, 0.05, 0.03), RELU)]
)
def test_add(tmp_path, scales, activation):
    b = TfliteBuilder()
    shape = [1, 6, 6, 4]
    x = b.activation(shape, scales[0], 3)
    pooled = b.activation(shape, scales[0], 3)
    b.op(
        "MAX_POOL_2D", [x], pooled, "Pool2DOptions", padding=SAME, strideH=1, strideW=1,
        filterHeight=3, filterWidth=3,
    )  # fmt: skip
    other = b.op("QUANTIZE", [x], b.activation(shape, scales[1], -7), "QuantizeOptions")
    y = b.activation(shape, scales[2], 5)
    b.op("ADD", [pooled, other], y, "AddOptions", fusedActivationFunction=activation)
    assert_three_legs(b.build(x, y), tmp_path)


@pytest.mark.parametrize(
    ("scale", "zero_point"), [(0.05, 3), (0.11, -128), (0.002, 20), (0.5, 127), (0.03, 0)]
)
def test_logistic_on_every_value(tmp_path, scale, zero_point):
    b = TfliteBuilder()
    x, y = b.activation([1, 256], scale, zero_point), b.activation([1, 256], 1 / 256, -128)
    b.op("LOGISTIC", [x], y)
    graph = assert_three_legs(b.build(x, y), tmp_path, count=6)
    assert graph.nodes[0].op.table(graph.x)[-1] > graph.nodes[0].op.table(graph.x)[0]


@pytest.mark.parametrize("keep_dims", [True, False])
@pytest.mark.parametrize("plane", [(3, 5), (8, 8), (1, 1)])
def test_mean(tmp_path, plane, keep_dims):
    b = TfliteBuilder()
    x = b.activation([1, *plane, 6], 0.07, 12)
    y = b.activation([1, 1, 1, 6] if keep_dims else [1, 6], 0.05, -9)
    b.op("MEAN", [x, b.constant([1, 2])], y, "ReducerOptions", keepDims=keep_dims)
    assert_three_legs(b.build(x, y), tmp_path)
