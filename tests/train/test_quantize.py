"""Converted networks are int8 throughout, static, reproducible and run in tflite-micro."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from outliernets.errors import DataError
from outliernets.nets.space import ArchSpec
from outliernets.train.fit import reconstruct
from outliernets.train.principal import solve
from outliernets.train.quantize import MIN_CALIBRATION, quantize, stretched, to_int8, widened
from tests.keras_models import random_model, smooth_windows

Floats = NDArray[np.float32]
TINY_FAN = ArchSpec("tiny-fan", "fan", (2, 3, 4, 4, 3, 2))
TINY_SLIDER = ArchSpec("tiny-slider", "slider", (3, 3, 4, 4, 6, 8, 4, 6, 6, 4, 4))
TINY_CAE = ArchSpec("tiny-cae", "cae", (2, 3, 3, 4, 5, 6, 4, 3, 3, 2))
FAN_OPS = {
    "DEPTHWISE_CONV_2D": 7,
    "CONV_2D": 7,
    "MAX_POOL_2D": 3,
    "RESIZE_NEAREST_NEIGHBOR": 3,
}
SLIDER_OPS = {"CONV_2D": 11, "FULLY_CONNECTED": 1, "RESHAPE": 1, "RESIZE_NEAREST_NEIGHBOR": 5}
CAE_OPS = {"CONV_2D": 6, "FULLY_CONNECTED": 1, "RESHAPE": 1, "TRANSPOSE_CONV": 5}


def parse(content: bytes) -> Any:
    from tensorflow.lite.python import schema_py_generated as schema

    return schema, schema.ModelT.InitFromPackedBuf(content, 0)


def op_names(content: bytes) -> list[str]:
    schema, model = parse(content)
    names = {v: k for k, v in vars(schema.BuiltinOperator).items() if not k.startswith("_")}
    codes = [max(c.builtinCode, c.deprecatedBuiltinCode) for c in model.operatorCodes]
    return [names[codes[op.opcodeIndex]] for op in model.subgraphs[0].operators]


def run_on_tflm(content: bytes, windows: Floats) -> Floats:
    """Quantise each window, infer with tflite-micro, and return the output as floats."""
    from tflite_micro.python.tflite_micro import runtime

    # The default arena, ten times the file, is too small for some networks.
    interpreter = runtime.Interpreter.from_bytes(content, arena_size=4 << 20)
    source, target = interpreter.get_input_details(0), interpreter.get_output_details(0)
    results = []
    for window in windows:
        codes = np.rint(window / _scale(source)) + _zero(source)
        codes = np.clip(codes, -128, 127).astype(np.int8)
        interpreter.set_input(codes[None, :, :, None], 0)
        interpreter.invoke()
        output = interpreter.get_output(0).astype(np.float32)[0, :, :, 0]
        results.append((output - _zero(target)) * _scale(target))
    return np.stack(results)


def _scale(details: dict[str, Any]) -> float:
    return float(details["quantization_parameters"]["scales"][0])


def _zero(details: dict[str, Any]) -> int:
    return int(details["quantization_parameters"]["zero_points"][0])


@pytest.fixture(scope="module", params=[TINY_FAN, TINY_SLIDER, TINY_CAE], ids=lambda s: s.family)
def converted(request: pytest.FixtureRequest) -> tuple[ArchSpec, Any, bytes]:
    model = random_model(request.param)
    return request.param, model, to_int8(model, smooth_windows(100), 6.0)


def test_ops_are_the_expected_ones_and_nothing_else(converted: tuple[ArchSpec, Any, bytes]) -> None:
    spec, _, content = converted
    expected = {"fan": FAN_OPS, "slider": SLIDER_OPS, "cae": CAE_OPS}[spec.family]
    assert Counter(op_names(content)) == expected


def test_everything_is_int8_and_static(converted: tuple[ArchSpec, Any, bytes]) -> None:
    schema, model = parse(converted[2])
    graph = model.subgraphs[0]
    integers = {schema.TensorType.INT8, schema.TensorType.INT32}
    assert {tensor.type for tensor in graph.tensors} <= integers
    assert all((np.asarray(t.shape) > 0).all() for t in graph.tensors if t.shape is not None)
    for index in (*graph.inputs, *graph.outputs):
        assert graph.tensors[index].type == schema.TensorType.INT8
        assert list(graph.tensors[index].shape) == [1, 32, 128, 1]


def test_weights_have_a_scale_per_output_channel(converted: tuple[ArchSpec, Any, bytes]) -> None:
    _, model = parse(converted[2])
    graph = model.subgraphs[0]
    checked = 0
    for op, name in zip(graph.operators, op_names(converted[2]), strict=True):
        if name not in ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED"):
            continue
        weights = graph.tensors[op.inputs[1]]
        channels = weights.shape[-1 if name == "DEPTHWISE_CONV_2D" else 0]
        assert len(weights.quantization.scale) == channels
        checked += 1
    assert checked >= 12


def test_input_covers_six_sigma(converted: tuple[ArchSpec, Any, bytes]) -> None:
    _, model = parse(converted[2])
    quantization = model.subgraphs[0].tensors[model.subgraphs[0].inputs[0]].quantization
    assert quantization.scale[0] == np.float32(12 / 255)
    assert quantization.zeroPoint[0] == -1


def test_tflite_micro_answers_like_keras(converted: tuple[ArchSpec, Any, bytes]) -> None:
    _, model, content = converted
    windows = smooth_windows(4, seed=9)
    expected = reconstruct(model, windows)
    error = np.abs(run_on_tflm(content, windows) - expected)
    assert expected.std() > 0.01
    assert error.mean() < 0.1 * expected.std()


@pytest.mark.slow
def test_same_weights_same_bytes() -> None:
    calibration = smooth_windows(100)
    first, again = (to_int8(random_model(TINY_FAN), calibration, 6.0) for _ in range(2))
    assert first == again
    assert to_int8(random_model(TINY_FAN, seed=2), calibration, 6.0) != first


def test_any_keras_model_converts() -> None:
    import keras

    source = keras.Input((6, 5, 3))
    values = keras.layers.ZeroPadding2D(1)(source)
    values = keras.layers.AveragePooling2D(2)(values)
    model = keras.Model(source, values)
    samples = np.random.default_rng(0).normal(size=(16, 6, 5, 3)).astype(np.float32)
    assert op_names(to_int8(model, samples)) == ["PAD", "AVERAGE_POOL_2D"]


def test_sound_louder_than_calibration_does_not_saturate(tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    calm = (random.normal(size=(60, 4)) @ random.normal(size=(4, 32))).astype(np.float32)[:, None]
    limit = float(3 * np.abs(calm).max())
    model = solve(ArchSpec("linear", "linear", (32, 4)), calm)
    quantize(model, calm, tmp_path / "net.tflite", limit)
    loud = 2.5 * calm[:4]
    expected = reconstruct(model, loud)

    def error(content: bytes) -> float:
        return float(np.abs(run_on_tflm(content, loud) - expected).mean())

    widely = error((tmp_path / "net.tflite").read_bytes())
    assert widely < 0.02 * np.abs(expected).max()
    assert widely < 0.3 * error(to_int8(model, calm, limit))


def test_widening_adds_louder_windows_within_the_limit() -> None:
    windows = smooth_windows(3)
    result = widened(windows, 6.0)
    np.testing.assert_array_equal(result[:3], windows)
    np.testing.assert_array_equal(result[3:], np.clip(3 * windows, -6, 6))


def test_stretching_moves_only_the_extremes() -> None:
    windows = smooth_windows(3) / 2
    result = stretched(windows, 6.0)
    assert (result.min(), result.max()) == (-6.0, 6.0)
    assert np.count_nonzero(result != windows) == 2


def test_too_few_or_broken_windows_are_refused_and_leave_no_file(tmp_path: Path) -> None:
    model, out = random_model(TINY_FAN), tmp_path / "net.tflite"
    with pytest.raises(DataError, match="at least 20 calibration windows, got 19"):
        quantize(model, smooth_windows(MIN_CALIBRATION - 1), out)
    windows = smooth_windows(100)
    windows[3, 4, 5] = np.nan
    with pytest.raises(DataError, match="not finite"):
        quantize(model, windows, out)
    assert list(tmp_path.iterdir()) == []
    quantize(model, smooth_windows(100), out)
    assert [path.name for path in tmp_path.iterdir()] == ["net.tflite"]
