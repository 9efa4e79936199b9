"""Dense layers: every form of the kernel is exact, at the edges too, and needs few instructions."""

from pathlib import Path

import numpy as np
import pytest

from outliernets.graph import execute
from outliernets.importer import read
from outliernets.ops._bytes import Form
from outliernets.pipeline import compile_model
from outliernets.pipeline.stage import Silence
from tests.legs import assert_three_legs, host_network, tflm, tflm_infer
from tests.tflite_builder import NONE, RELU, RELU6, TfliteBuilder

MOST_INSTRUCTIONS_PER_MAC = 1.6


def layer(
    length: int,
    units: int,
    scale: float | list[float],
    y_scale: float = 0.1,
    zero: tuple[int, int] = (3, -20),
    activation: int = NONE,
    weights: np.ndarray | None = None,
    bias: np.ndarray | None = None,
    rows: int = 1,
) -> bytes:
    """A dense layer; ``scale`` is of the weights, ``zero`` of input and output."""
    b = TfliteBuilder(seed=length + units)
    x, y = (
        b.activation([1, rows, length], 0.05, zero[0]),
        b.activation([rows, units], y_scale, zero[1]),
    )
    if weights is None:
        weights = b.rng.integers(-127, 128, [units, length])
    if bias is None:
        bias = b.rng.integers(-3000, 3000, units)
    w = b.tensor([units, length], scale, 0, "int8", weights)
    scales = np.float32(0.05) * np.atleast_1d(np.asarray(scale, np.float32))
    constant = b.tensor([units], scales, 0, "int32", bias)
    b.op(
        "FULLY_CONNECTED", [x, w, constant], y, "FullyConnectedOptions",
        fusedActivationFunction=activation,
    )  # fmt: skip
    return b.build(x, y)


def only_layer(model: bytes, folder: Path):
    """Check the three legs; return the layer in integers."""
    graph = assert_three_legs(model, folder, count=12)
    (node,) = graph.nodes
    return node.op._dense(graph.site(node))


UNEQUAL = [0.02 * 0.7**u for u in range(6)]  #: scales whose multipliers' shifts differ


@pytest.mark.parametrize(
    ("form", "settings"),
    [
        (Form.FLOOR, {"scale": 0.004, "activation": RELU, "zero": (-128, -128)}),
        (Form.FLOOR, {"scale": UNEQUAL, "activation": RELU, "zero": (-128, -128)}),
        (Form.FLOOR, {"scale": UNEQUAL, "activation": RELU, "zero": (5, -31)}),
        (Form.FLOOR, {"scale": 0.004, "activation": RELU6, "zero": (127, 100), "y_scale": 0.3}),
        (Form.LINEAR, {"scale": 0.004}),
        (Form.LINEAR, {"scale": UNEQUAL}),
        (Form.LINEAR, {"scale": UNEQUAL, "zero": (-128, 127), "y_scale": 0.7}),
        (Form.LINEAR, {"scale": 2e-5, "activation": RELU, "zero": (0, -128), "y_scale": 0.7}),
        (Form.GENERAL, {"scale": 0.9, "y_scale": 0.004}),
        (Form.GENERAL, {"scale": [0.9 * 0.5**u for u in range(6)], "y_scale": 0.004}),
        (Form.GENERAL, {"scale": 1e-9, "y_scale": 0.9}),
    ],
    ids=str,
)
def test_each_way_to_int8_is_exact(tmp_path, form, settings):
    dense = only_layer(layer(21, 6, **settings), tmp_path)
    assert dense.form is form
    assert dense.fits


@pytest.mark.parametrize(
    ("length", "units"),
    [(1, 1), (2, 4), (3, 5), (4, 2), (5, 8), (7, 3), (8, 4), (9, 1), (30, 7), (33, 6), (52, 4)],
)
def test_any_length_and_number_of_units(tmp_path, length, units):
    only_layer(layer(length, units, 0.01), tmp_path)


@pytest.mark.parametrize("activation", [NONE, RELU])
def test_every_input_of_one_value(tmp_path, activation):
    """All sums that 512 units can form, with halves to be rounded among them."""
    units, rng = 512, np.random.default_rng(5)
    scale = rng.uniform(0.001, 0.3, units)
    scale[::4] = 0.0625 * 2.0 ** -rng.integers(0, 6, len(scale[::4]))  # exact halves
    weights, bias = rng.integers(-127, 128, [units, 1]), rng.integers(-999, 999, units)
    model = layer(1, units, scale, 0.05, (0, -128), activation, weights, bias)
    path = tmp_path / "one.tflite"
    path.write_bytes(model)
    graph, oracle = read(path, "one"), tflm(model)
    compiled = host_network(graph, tmp_path)
    for value in range(-128, 128):
        x = np.full(graph.x.shape, value, np.int8)
        expected = tflm_infer(oracle, x).ravel()
        np.testing.assert_array_equal(execute(graph, x).ravel(), expected)
        np.testing.assert_array_equal(compiled.infer(x), expected)


@pytest.mark.parametrize("sign", [1, -1])
def test_long_sums_are_added_up_in_parts(tmp_path, sign):
    weights = sign * np.random.default_rng(2).integers(90, 128, [5, 1403])
    dense = only_layer(layer(1403, 5, UNEQUAL[:5], 300.0, (-128, 9), weights=weights), tmp_path)
    assert not dense.fits
    assert dense.blocks == (6, 59)


def test_sums_fit_because_of_their_bias_or_not(tmp_path):
    bias = np.array([20_000_000, -20_000_000, 0, 1, 2])
    dense = only_layer(layer(30, 5, 0.004, 40.0, bias=bias), tmp_path)
    assert not dense.fits
    assert dense.blocks == (1, 8)


def test_the_largest_sums_that_fit(tmp_path):
    """Sums from -2**23 to just below 2**23."""
    weights = np.full([4, 514], 127)
    weights[:, 256:] = -127
    bias = np.array([0, 60_000, -60_000, 1])
    dense = only_layer(layer(514, 4, 0.004, 60.0, (0, 0), weights=weights, bias=bias), tmp_path)
    assert dense.fits
    assert max(dense._sums()[1]) > 0.99 * 2**23


def test_a_weight_of_minus_128_is_exact(tmp_path):
    weights = np.random.default_rng(3).integers(-127, 128, [5, 18])
    weights[:, 3] = -128
    weights[:, 2] = 7
    assert only_layer(layer(18, 5, 0.01, weights=weights), tmp_path / "packed").is_packable
    weights[2, 2] = -7
    assert not only_layer(layer(18, 5, 0.01, weights=weights), tmp_path / "plain").is_packable


@pytest.mark.parametrize("compiler", ["gcc", "zig"])
def test_rows_by_both_compilers(tmp_path, compiler, has_compiler):
    has_compiler(compiler)
    model = layer(13, 7, 0.01, rows=3)
    assert_three_legs(model, tmp_path, compiler=compiler)


def test_the_same_multiplier_is_printed_once(tmp_path):
    same, each = (layer(12, 64, s) for s in (0.01, np.linspace(0.01, 0.02, 64)))
    assert only_layer(same, tmp_path / "same").context()["per_unit"] == []
    context = only_layer(each, tmp_path / "each").context()
    assert context["per_unit"] == ["m"]
    assert len(context["numbers"]) == 2 * 64


def anomaly_detector() -> bytes:
    """The shape of MLPerf Tiny's anomaly detector; scales keep all layers within their range."""
    widths = [640, 128, 128, 128, 128, 8, 128, 128, 128, 128, 640]
    b = TfliteBuilder()
    x = first = b.activation([1, widths[0]], 0.5, 10)
    for i, units in enumerate(widths[1:], 1):
        last = i + 1 == len(widths)
        w = b.weights([units, widths[i - 1]], units, per_channel=i % 2 == 0)
        x_scale, w_scale = (float(np.mean(b.tensors[t].quantization.scale)) for t in (x, w))
        spread = 73.0**2 * widths[i - 1] ** 0.5 / 40  # of the sums, in steps of the output
        y = b.activation([1, units], x_scale * w_scale * spread, 7 if last else -128)
        b.op(
            "FULLY_CONNECTED", [x, w, b.bias(x, w, units)], y, "FullyConnectedOptions",
            fusedActivationFunction=NONE if last else RELU,
        )  # fmt: skip
        x = y
    return b.build(first, x)


@pytest.mark.emulator
@pytest.mark.parametrize("toolchain", ["gcc", "zig"])
def test_dense_networks_need_few_instructions(tmp_path, toolchain):
    pytest.importorskip("unicorn")
    model = tmp_path / "detector.tflite"
    model.write_bytes(anomaly_detector())
    report = compile_model(
        model, "stm32f746", tmp_path / "lib", Silence(), toolchain_name=toolchain
    )
    assert report["parity"]["network_exact"]
    assert report["macs"] == 264_192
    assert report["instructions"]["network"] / report["macs"] <= MOST_INSTRUCTIONS_PER_MAC


@pytest.mark.emulator
@pytest.mark.parametrize("toolchain", ["gcc", "zig"])
@pytest.mark.parametrize("board", ["stm32f446", "stm32f207", "stm32g0b1", "cortex-a72"])
def test_exact_on_other_processors(tmp_path, board, toolchain):
    pytest.importorskip("unicorn")
    model = tmp_path / "odd.tflite"
    model.write_bytes(layer(39, 11, [0.02 * 0.9**u for u in range(11)], rows=2))
    report = compile_model(model, board, tmp_path / "lib", Silence(), toolchain_name=toolchain)
    assert report["parity"]["network_exact"]
