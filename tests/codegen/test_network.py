"""Generated C: golden files, determinism, both compilers, all zoo-shaped and reference models."""

import re
from pathlib import Path

import numpy as np
import pytest

from outliernets.codegen import network_files
from outliernets.codegen.render import c_array
from outliernets.graph import execute
from outliernets.importer import read
from outliernets.lower import lower
from tests.legs import assert_three_legs, host_network
from tests.tflite_builder import RELU, SAME, VALID, TfliteBuilder

GOLDEN = Path(__file__).parent / "golden"
PAGE = Path(__file__).parents[2] / "docs" / "generated-code.md"


def tiny_conv() -> bytes:
    """Separable convolution, pooling, upsampling: the fan family in small."""
    b = TfliteBuilder(seed=11)
    x = b.activation([1, 4, 6, 1])
    w1 = b.weights([1, 3, 3, 2], 2, axis=3)
    d = b.activation([1, 4, 6, 2], 0.04, -128)
    b.op(
        "DEPTHWISE_CONV_2D", [x, w1, b.bias(x, w1, 2)], d, "DepthwiseConv2DOptions",
        padding=SAME, strideH=1, strideW=1, depthMultiplier=2, fusedActivationFunction=RELU,
    )  # fmt: skip
    p = b.activation([1, 2, 3, 2], 0.04, -128)
    b.op(
        "MAX_POOL_2D", [d], p, "Pool2DOptions", padding=VALID, strideH=2, strideW=2,
        filterHeight=2, filterWidth=2,
    )  # fmt: skip
    u = b.activation([1, 4, 6, 2], 0.04, -128)
    b.op("RESIZE_NEAREST_NEIGHBOR", [p, b.constant([4, 6])], u, "ResizeNearestNeighborOptions")
    w2 = b.weights([1, 3, 3, 2], 1)
    y = b.activation([1, 4, 6, 1], 0.06, 9)
    b.op(
        "CONV_2D", [u, w2, b.bias(u, w2, 1)], y, "Conv2DOptions", padding=SAME, strideH=1,
        strideW=1,
    )  # fmt: skip
    return b.build(x, y)


def tiny_dense() -> bytes:
    """A dense latent: the slider family in small."""
    b = TfliteBuilder(seed=12)
    x = b.activation([1, 3, 4, 1])
    flat = b.op("RESHAPE", [x, b.constant([1, 12])], b.activation([1, 12]), "ReshapeOptions")
    w1 = b.weights([3, 12], 3, per_channel=False)
    latent = b.activation([1, 3], 0.2, -10)
    b.op("FULLY_CONNECTED", [flat, w1, b.bias(flat, w1, 3)], latent, "FullyConnectedOptions")
    w2 = b.weights([12, 3], 12)
    wide = b.activation([1, 12], 0.1, 0)
    b.op("FULLY_CONNECTED", [latent, w2, b.bias(latent, w2, 12)], wide, "FullyConnectedOptions")
    y = b.activation([1, 3, 4, 1], 0.1, 0)
    b.op("RESHAPE", [wide, b.constant([1, 3, 4, 1])], y, "ReshapeOptions")
    return b.build(x, y)


TINY = {"tiny_conv": tiny_conv, "tiny_dense": tiny_dense}


@pytest.mark.parametrize("name", TINY)
def test_golden(name, tmp_path, update_golden):
    path = tmp_path / f"{name}.tflite"
    path.write_bytes(TINY[name]())
    for file, text in network_files(lower(read(path))).items():
        golden = GOLDEN / file
        if update_golden:
            GOLDEN.mkdir(exist_ok=True)
            golden.write_text(text)
        assert text == golden.read_text(), (
            f"{file} changed: look at the difference, then run pytest --update-golden"
        )


def test_the_docs_show_a_whole_generated_file(update_golden):
    golden = (GOLDEN / "tiny_conv.c").read_text()
    before, shown, after = re.split(r"(?<=```c\n)(.*?)(?=```\n)", PAGE.read_text(), flags=re.DOTALL)
    if update_golden:
        PAGE.write_text(before + golden + after)
        shown = golden
    assert shown == golden, "run pytest --update-golden"


@pytest.mark.parametrize("compiler", ["gcc", "zig"])
@pytest.mark.parametrize("name", TINY)
def test_tiny_networks_on_three_legs(name, compiler, tmp_path, has_compiler):
    has_compiler(compiler)
    assert_three_legs(TINY[name](), tmp_path, name, count=12, compiler=compiler)


def test_same_input_same_bytes(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    for folder in ("a", "b"):
        (tmp_path / folder / "m.tflite").write_bytes(tiny_conv())
    first, second = (network_files(lower(read(tmp_path / f / "m.tflite"))) for f in ("a", "b"))
    assert first == second
    assert str(tmp_path) not in "".join(first.values())


@pytest.mark.parametrize("model", ["ae_fan_small", "ae_slider_dense"])
def test_reference_models_on_all_vectors(model, shared, tmp_path):
    graph = read(shared / "models" / f"{model}.tflite")
    network = host_network(graph, tmp_path)
    vectors = np.load(shared / "models" / f"{model}_vec.npz")
    for x, y in zip(vectors["x"], vectors["y_tflm"], strict=True):
        np.testing.assert_array_equal(network.infer(x), y.ravel())
        np.testing.assert_array_equal(execute(graph, x).ravel(), y.ravel())


def test_c_array_wraps_lines_and_spells_the_smallest_int():
    lines = c_array(range(-(2**31), -(2**31) + 40)).splitlines()
    assert lines[0].startswith("    INT32_MIN, -2147483647,")
    assert max(map(len, lines)) <= 97
