"""Every file that cannot be compiled is refused in one line that names the culprit."""

import contextlib

import numpy as np
import pytest

from outliernets.errors import DataError, UnsupportedModelError
from outliernets.importer import read
from tests.tflite_builder import SAME, TfliteBuilder


def refused(tmp_path, content: bytes, kind=UnsupportedModelError) -> str:
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    with pytest.raises(kind) as caught:
        read(path)
    message = str(caught.value)
    assert "model.tflite" in message or "model" in message
    assert "\n" not in message
    return message


def one_op(name, options_type=None, x_shape=(1, 8), y_shape=(1, 8), **options) -> bytes:
    b = TfliteBuilder()
    x, y = b.activation(x_shape), b.activation(y_shape)
    b.op(name, [x], y, options_type, **options)
    return b.build(x, y)


def small_model() -> bytes:
    return one_op("QUANTIZE", "QuantizeOptions")


def test_unknown_op_is_named_with_what_is_possible(tmp_path):
    message = refused(tmp_path, one_op("SOFTMAX", "SoftmaxOptions"))
    assert "SOFTMAX is not supported" in message
    assert "CONV_2D" in message


def test_custom_op(tmp_path):
    assert "CUSTOM" in refused(tmp_path, one_op("CUSTOM"))


def test_float_model(tmp_path):
    b = TfliteBuilder()
    x, y = b.tensor([1, 8], dtype="float32"), b.tensor([1, 8], dtype="float32")
    b.op("LOGISTIC", [x], y)
    assert "FLOAT32, needs INT8" in refused(tmp_path, b.build(x, y))


def test_float_weights_model_of_tensorflow(shared):
    with pytest.raises(UnsupportedModelError, match="FLOAT32"):
        read(shared / "models" / "ae_fan_small_f32.tflite")


@pytest.mark.parametrize("values", [None, [3, 3, 3, 4]])
def test_nothing_but_a_zero_goes_without_operators(tmp_path, values):
    b = TfliteBuilder()
    x = b.activation([1, 4])
    y = b.tensor([1, 4], 0.1, 3, data=None if values is None else np.array([values]))
    said = refused(tmp_path, b.build(x, y))
    assert "has no operators, and its output is not a constant zero" in said


def test_not_a_flatbuffer(tmp_path):
    assert "not a .tflite" in refused(tmp_path, b"RIFF....WAVE", DataError)
    assert "not a .tflite" in refused(tmp_path, b"", DataError)


def test_missing_file(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        read(tmp_path / "none.tflite")


@pytest.mark.parametrize("part", [0.02, 0.3, 0.6, 0.9, 0.99])
def test_truncated(tmp_path, part):
    whole = small_model()
    path = tmp_path / "model.tflite"
    path.write_bytes(whole[: max(8, int(len(whole) * part))])
    with pytest.raises((DataError, UnsupportedModelError)):
        read(path)


def test_truncated_real_model(tmp_path, shared):
    whole = (shared / "models" / "ae_fan_small.tflite").read_bytes()
    path = tmp_path / "model.tflite"
    for part in np.linspace(0.01, 0.99, 40):
        path.write_bytes(whole[: int(len(whole) * part)])
        with pytest.raises((DataError, UnsupportedModelError)):
            read(path)


def test_random_damage_is_never_a_traceback(tmp_path):
    whole = bytearray(small_model())
    rng = np.random.default_rng(5)
    path = tmp_path / "model.tflite"
    for _ in range(150):
        damaged = bytearray(whole)
        for position in rng.integers(8, len(whole), 3):
            damaged[position] = rng.integers(0, 256)
        path.write_bytes(bytes(damaged))
        with contextlib.suppress(DataError, UnsupportedModelError):
            read(path)


def test_two_inputs(tmp_path):
    b = TfliteBuilder()
    x, z, y = (b.activation([1, 4]) for _ in range(3))
    b.op("ADD", [x, z], y, "AddOptions")
    assert "2 inputs, needs exactly one" in refused(tmp_path, b.build([x, z], y))


def test_dilation_names_rule_and_value(tmp_path):
    b = TfliteBuilder()
    x = b.activation([1, 8, 8, 2])
    w = b.weights([3, 3, 3, 2], 3)
    y = b.activation([1, 8, 8, 3])
    b.op(
        "CONV_2D", [x, w, b.bias(x, w, 3)], y, "Conv2DOptions", padding=SAME, strideH=1,
        strideW=1, dilationHFactor=2, dilationWFactor=2,
    )  # fmt: skip
    message = refused(tmp_path, b.build(x, y))
    assert "The dilation is 1. Here: dilation (2, 2)." in message


def test_batch(tmp_path):
    content = one_op("QUANTIZE", "QuantizeOptions", (4, 8), (4, 8))
    assert "The batch is 1." in refused(tmp_path, content)


def test_upsampling_by_a_fraction(tmp_path):
    b = TfliteBuilder()
    x, y = b.activation([1, 4, 4, 1]), b.activation([1, 6, 6, 1])
    b.op("RESIZE_NEAREST_NEIGHBOR", [x, b.constant([6, 6])], y, "ResizeNearestNeighborOptions")
    assert "whole factors" in refused(tmp_path, b.build(x, y))


def test_wrong_shape(tmp_path):
    b = TfliteBuilder()
    x, y = b.activation([1, 8, 8, 1]), b.activation([1, 5, 4, 1])
    b.op(
        "MAX_POOL_2D", [x], y, "Pool2DOptions", padding=SAME, strideH=2, strideW=2,
        filterHeight=2, filterWidth=2,
    )  # fmt: skip
    assert "computes shape (1, 4, 4, 1)" in refused(tmp_path, b.build(x, y))


def test_float_edges_are_dropped(tmp_path):
    b = TfliteBuilder()
    x, xq = b.tensor([1, 8], dtype="float32"), b.activation([1, 8], 0.05, 3)
    hidden = b.activation([1, 8], 0.1, -4)
    y = b.tensor([1, 8], dtype="float32")
    b.op("QUANTIZE", [x], xq, "QuantizeOptions")
    b.op("QUANTIZE", [xq], hidden, "QuantizeOptions")
    b.op("DEQUANTIZE", [hidden], y)
    path = tmp_path / "model.tflite"
    path.write_bytes(b.build(x, y))
    graph = read(path)
    assert [n.op.kind() for n in graph.nodes] == ["quantize"]
    assert (graph.x.zero_point, graph.y.zero_point) == (3, -4)
