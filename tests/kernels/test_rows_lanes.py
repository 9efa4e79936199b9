"""Rows sixteen pixels at a time: C, with every check switched on, gives what numpy gives."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from outliernets import boards, codegen, resources
from outliernets.graph import Graph, Lowered, execute, verify
from outliernets.importer import read
from outliernets.kernels.rows_lanes import RowsFloats, RowsLanes
from outliernets.lower.drop_copies import drop_copies
from outliernets.lower.fold_upsampling import fold_upsampling
from outliernets.lower.fuse_rows import fuse_rows
from outliernets.lower.plan_memory import plan_memory
from outliernets.lower.pointwise_first import pointwise_first
from outliernets.pipeline import library
from outliernets.toolchain.host import HostNetwork, compile_shared
from tests.calibrated_builder import CalibratedBuilder, Map
from tests.legs import random_inputs, write_files
from tests.tflite_builder import NONE, RELU, RELU6, SAME, VALID

FLAVOURS = (RowsLanes, RowsFloats)
MODELS = ("ae_fan_small", "ae_slider_dense")
Layers = Callable[[CalibratedBuilder], tuple[Map, Map]]


def lowered(graph: Graph, flavour: type[RowsLanes]) -> Lowered:
    for apply in (drop_copies, pointwise_first, fold_upsampling):
        graph = apply(graph)
    graph = fuse_rows(graph, flavour)
    verify(graph)
    return Lowered(graph, plan_memory(graph))


def compiled(
    graph: Graph, flavour: type[RowsLanes], folder: Path, compiler: str, release: bool = False
) -> HostNetwork:
    """The network's C, for this machine: with traps, or as fast as it can be."""
    low = lowered(graph, flavour)
    write_files(codegen.network_files(low), folder)
    include = [folder, resources.firmware() / "lib"]
    out = folder / f"{graph.name}.so"
    compile_shared([folder / f"{graph.name}.c"], include, out, compiler, release=release)
    return HostNetwork(out, graph.name, low.memory.size, graph.x.size, graph.y.size)


def stages(graph: Graph, flavour: type[RowsLanes]) -> list[dict]:
    """What the templates are told about every stage."""
    low = lowered(graph, flavour).graph
    nodes = [n for n in low.nodes if isinstance(n.op, RowsLanes)]
    return [stage for n in nodes for stage in n.op.context(low.site(n))["stages"]]


def graph_of(layers: Layers, seed: int, folder: Path) -> Graph:
    net = CalibratedBuilder(seed)
    x, y = layers(net)
    path = folder / "net.tflite"
    path.write_bytes(net.builder.build(x.index, y.index))
    return read(path, "net")


# ---- networks that reach every kernel -------------------------------------------------------


def taps(net: CalibratedBuilder) -> tuple[Map, Map]:
    """A kernel over one channel, then over each of several."""
    x = net.input(9, 37, 1)
    y = net.conv(x, 3, (3, 3), (1, net.pick(1, 2, 3, 4)), SAME, activation=RELU)
    y = net.depthwise(y, net.pick(1, 2), (3, 3), (2, 1), SAME, activation=RELU)
    return x, net.depthwise(y, 1, (2, 5), (1, 1), SAME, activation=net.pick(NONE, RELU, RELU6))


def upsampled(net: CalibratedBuilder) -> tuple[Map, Map]:
    """Phases: by rows and columns, depthwise, dense, and in front of a pointwise layer."""
    x = net.input(3, 7, 2)
    factors = net.pick((2, 2), (1, 3), (4, 4), (3, 2), (2, 4))
    y = net.depthwise(net.resize(x, factors), 1, (3, 3), (1, 1), SAME, activation=RELU)
    y = net.conv(y, 5, (1, 1), (1, 1), SAME, activation=RELU)
    return x, net.conv(net.resize(y, (1, 2)), 3, (3, 3), (1, 1), SAME)


def autoencoder(net: CalibratedBuilder) -> tuple[Map, Map]:
    """The last layers of a decoder: sums of three rows are added to at once."""
    x = net.input(6, 32, 4)
    y = net.depthwise(net.resize(x, (2, 2)), 1, (3, 3), (1, 1), SAME, activation=RELU)
    y = net.conv(y, 6, (1, 1), (1, 1), SAME, activation=RELU)
    return x, net.conv(y, 1, (3, 3), (1, 1), net.pick(SAME, VALID), activation=NONE)


def doubled(net: CalibratedBuilder) -> tuple[Map, Map]:
    """Maps that are doubled both ways: outputs share products; channels that do not pair up."""
    x = net.input(net.pick(1, 4), net.pick(5, 16), 3)
    y = net.depthwise(net.resize(x, (2, 2)), 2, (3, 3), (1, 1), SAME, activation=RELU)
    y = net.conv(net.resize(y, (2, 2)), 5, (3, 3), (1, 1), SAME, activation=net.pick(NONE, RELU))
    return x, net.conv(net.resize(y, (2, 2)), 1, (3, 3), (1, 1), SAME, activation=RELU)


def dealt(net: CalibratedBuilder) -> tuple[Map, Map]:
    """An input of whole vectors that is read with a step of two."""
    x = net.input(7, net.pick(32, 64, 96), 1)
    kernel = net.pick((3, 3), (2, 2), (3, 4), (1, 5))
    return x, net.conv(x, 6, kernel, (net.pick(1, 2), 2), net.pick(SAME, VALID), activation=RELU)


def dense(net: CalibratedBuilder) -> tuple[Map, Map]:
    """Any stride, many channels, an odd width."""
    x = net.input(11, 19, 3)
    stride = int(net.rng.integers(1, 5)), int(net.rng.integers(1, 5))
    y = net.conv(x, 18, (3, 3), stride, net.pick(SAME, VALID), activation=RELU)
    y = net.conv(y, 20, (1, 1), (1, 1), SAME, activation=RELU)
    return x, net.conv(y, 7, (2, 2), (1, 1), SAME, activation=NONE)


def pools(net: CalibratedBuilder) -> tuple[Map, Map]:
    """Windows of any size and step, between layers and last."""
    x = net.input(13, 40, 2)
    y = net.conv(x, 4, (3, 3), (1, 1), SAME, activation=RELU)
    y = net.pool(y, "MAX_POOL_2D", (2, 3), (net.pick(1, 2), net.pick(2, 3)), VALID)
    y = net.depthwise(y, 1, (3, 3), (1, 1), SAME, activation=RELU)
    return x, net.pool(y, "MAX_POOL_2D", (2, 2), (2, 2), VALID)


def strange(net: CalibratedBuilder) -> tuple[Map, Map]:
    """Steps that no vector is read with: number by number."""
    x = net.input(12, 45, 2)
    y = net.pool(x, "MAX_POOL_2D", (1, 5), (1, 5), VALID)
    y = net.depthwise(net.resize(y, (1, 5)), 2, (3, 3), (1, 1), SAME, activation=RELU)
    return x, net.conv(y, 3, (3, 6), (2, 6), SAME, activation=RELU)


def deep(net: CalibratedBuilder) -> tuple[Map, Map]:
    """So many channels that floats cannot hold the sums."""
    x = net.input(5, 6, 1)
    y = net.conv(x, 300, (1, 1), (1, 1), SAME, activation=RELU)
    return x, net.conv(y, 4, (3, 3), (1, 1), SAME, activation=RELU)


def tiny(net: CalibratedBuilder) -> tuple[Map, Map]:
    """Maps of one pixel, and of one column."""
    x = net.input(5, 1, 3)
    y = net.conv(x, 2, (3, 1), (1, 1), SAME, activation=RELU)
    return x, net.conv(y, 5, (5, 1), (1, 1), VALID, activation=RELU)


NETWORKS = (taps, upsampled, autoencoder, doubled, dealt, dense, pools, strange, deep, tiny)


@pytest.mark.parametrize("seed", [1, *(pytest.param(s, marks=pytest.mark.slow) for s in (2, 3))])
@pytest.mark.parametrize("layers", NETWORKS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("flavour", FLAVOURS, ids=lambda f: f.__name__)
def test_c_agrees_with_numpy(flavour, layers, seed, tmp_path, has_compiler):
    has_compiler("gcc")
    graph = graph_of(layers, seed, tmp_path)
    network = compiled(graph, flavour, tmp_path, "gcc")
    for x in random_inputs(graph.x.shape, 6, seed):
        np.testing.assert_array_equal(network.infer(x), execute(graph, x).ravel())


@pytest.mark.parametrize("flavour", FLAVOURS, ids=lambda f: f.__name__)
def test_these_networks_reach_every_kernel(flavour, tmp_path):
    seen = Counter(
        stage["kind"]
        for layers in NETWORKS
        for stage in stages(graph_of(layers, 1, tmp_path), flavour)
    )
    kinds = {"taps", "pointwise", "scatter", "dots", "pool", "plain", "plain_pool"}
    assert set(seen) == kinds | ({"shared"} if flavour is RowsLanes else set())


def test_an_input_read_with_a_step_is_dealt_out_once(tmp_path):
    (stage,) = stages(graph_of(dealt, 1, tmp_path), RowsLanes)
    assert stage["line"]["planes"] == 2
    assert stage["cells"]
    assert not stage["loads"]


@pytest.mark.parametrize("layers", [taps, autoencoder], ids=lambda f: f.__name__)
@pytest.mark.parametrize("flavour", FLAVOURS, ids=lambda f: f.__name__)
def test_clang_agrees_without_a_warning(flavour, layers, tmp_path, has_compiler):
    has_compiler("zig")
    graph = graph_of(layers, 1, tmp_path)
    network = compiled(graph, flavour, tmp_path, "zig")
    for x in random_inputs(graph.x.shape, 4):
        np.testing.assert_array_equal(network.infer(x), execute(graph, x).ravel())


@pytest.mark.parametrize("layers", [taps, upsampled, autoencoder, dense], ids=lambda f: f.__name__)
def test_vectors_of_this_machine_agree(layers, tmp_path, has_compiler):
    has_compiler("gcc")
    graph = graph_of(layers, 4, tmp_path)
    network = compiled(graph, RowsFloats, tmp_path, "gcc", release=True)
    for x in random_inputs(graph.x.shape, 6):
        np.testing.assert_array_equal(network.infer(x), execute(graph, x).ravel())


def test_groups_of_bytes_fit_sixteen_bits(tmp_path, shared):
    """The heaviest products of a group, whatever the values, are within int16."""
    graph = read(shared / "models" / "ae_fan_small.tflite")
    checked = 0
    for stage in stages(graph, RowsLanes):
        if stage["kind"] != "pointwise" or stage["line"]["numbers"] != "bytes":
            continue
        inputs = stage["inputs"]
        for o, groups in enumerate(stage["sums"]):
            terms = [term["w"] for group in groups for term in group]
            assert sorted(terms) == list(range(inputs)), "every channel once"
            for group in groups:
                weights = [stage["weights"][o * inputs + term["w"]] for term in group]
                assert 128 * sum(map(abs, weights)) < 2**15
                checked += 1
    assert checked > 30


def test_buffers_have_room_for_whole_vectors(tmp_path):
    graph = graph_of(dense, 1, tmp_path)
    for stage in stages(graph, RowsLanes):
        line = stage["line"]
        assert line["pitch"] % 16 == 0
        assert line["left"] % 16 == 0
        assert line["pitch"] >= line["left"] + line["width"] + line["right"]


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("flavour", FLAVOURS, ids=lambda f: f.__name__)
def test_reference_models_are_exact(flavour, name, shared, tmp_path, has_compiler):
    has_compiler("gcc")
    graph = read(shared / "models" / f"{name}.tflite", name)
    network = compiled(graph, flavour, tmp_path, "gcc")
    vectors = np.load(shared / "models" / f"{name}_vec.npz")
    for x, y in zip(vectors["x"], vectors["y_tflm"], strict=True):
        np.testing.assert_array_equal(network.infer(x), y.ravel())


@pytest.mark.emulator
@pytest.mark.slow
@pytest.mark.parametrize("compiler", ["gcc", "zig"])
@pytest.mark.parametrize(("name", "most"), [*zip(MODELS, (500_000, 560_000), strict=True)])
def test_a_cortex_a72_is_exact_within_its_budget(
    name, most, compiler, shared, tmp_path, has_compiler
):
    has_compiler(compiler)
    model = shared / "models" / f"{name}.tflite"
    graph, board = read(model, name), boards.load("cortex-a72")
    files = codegen.network_files(lowered(graph, RowsLanes))
    built, identity = library.link_check(graph, files, model, board, "unicorn", compiler, tmp_path)
    measured = library.measure(graph, model, board, "unicorn", built.elf, identity)
    assert measured["exact"]
    assert measured["network"] <= most
