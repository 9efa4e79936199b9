"""The cost model: consistent and quick by itself, and near what the emulator counts."""

import re
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.cost_networks import measure, random_graph
from outliernets import ops
from outliernets.codegen import network_files
from outliernets.errors import ConfigError
from outliernets.graph import Lowered
from outliernets.importer import read
from outliernets.kernels import cost, loops
from outliernets.lower import lower
from outliernets.nets import zoo
from outliernets.nets.sketch import sketch
from outliernets.nets.space import ArchSpec
from outliernets.toolchain.cpus import CPUS
from outliernets.train.quantize import to_int8
from tests.keras_models import random_model, smooth_windows

MODELS = Path(__file__).parents[3] / "shared" / "models"
COMPILERS = ("zig", "gcc")
OFF = 0.10  #: error of the instructions and of the flash of a network, at most
NODE_OFF = 0.20  #: error of a node that has a tenth of them
SECONDS = 0.05  #: that a prediction takes, at most
HELD_OUT = range(10_000, 10_008)  #: random networks that the model was not fitted to
ZOO = ("fan-686", "fan-3055", "slider-27229", "slider-69877")


def lowered(spec: ArchSpec) -> Lowered:
    return lower(sketch("net", spec.layers))


def zoo_network(name: str) -> Lowered:
    return lowered(zoo.get(name))


def in_vectors(name: str) -> Lowered:
    return lower(sketch("net", zoo.get(name).layers), "lanes")


# ---- by itself ----------------------------------------------------------------------------


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("name", ["fan-686", "slider-27229"])
def test_parts_add_up(name, compiler):
    network = zoo_network(name)
    predicted = cost.predict(network, "cortex-m7", compiler)
    assert [n.name for n in predicted.nodes[:-1]] == [n.name for n in network.graph.nodes]
    assert predicted.instructions == pytest.approx(sum(n.instructions for n in predicted.nodes))
    assert predicted.flash == pytest.approx(sum(n.flash for n in predicted.nodes))
    for node in predicted.nodes:
        assert node.instructions == pytest.approx(sum(node.stages.values()))
        assert node.instructions > 0
        assert node.flash > 0
    stages = [s for n in network.graph.nodes for s in getattr(n.op, "stages", ())]
    named = [s for n in predicted.nodes for s in n.stages if s not in ("", "load")]
    assert named == [s.node.name.split("_")[0] for s in stages]


@pytest.mark.parametrize("name", ZOO)
def test_constants_are_those_of_the_generated_c(name):
    network = zoo_network(name)
    predicted = cost.predict(network)
    c = "".join(network_files(network).values())
    tables = re.findall(r"static const int(\d+)_t \w+\[(\d+)\] =", c)
    written = sum(int(bits) // 8 * int(length) for bits, length in tables)
    assert sum(f.constants for n in predicted.nodes for f in n.functions) == written


@pytest.mark.parametrize("name", ["fan-686", "slider-27229"])
def test_constants_and_parts_of_vectors(name):
    network = in_vectors(name)
    predicted = cost.predict(network, "cortex-a72")
    c = "".join(network_files(network).values())
    tables = re.findall(r"static const int(\d+)_t \w+\[(\d+)\](\[ON_LANES\])? =", c)
    scales = re.findall(r"static const on_scale_t \w+\[(\d+)\] =", c)
    written = sum(int(b) // 8 * int(n) * (16 if lanes else 1) for b, n, lanes in tables)
    constants = written + 12 * sum(map(int, scales))
    assert sum(f.constants for n in predicted.nodes for f in n.functions) == constants
    functions = set(re.findall(r"ON_NOINLINE static \w+ \**net_(\w+)\(", c))
    named = {
        "_".join(filter(None, (n.name, f.stage))) for n in predicted.nodes for f in n.functions
    }
    assert all(any(f.startswith(name) for name in named) for f in functions)
    for node in predicted.nodes:
        assert node.instructions > 0
        assert node.flash > 0


def test_ram_is_what_the_header_and_the_caller_hold():
    network = zoo_network("fan-686")
    arena = re.search(r"arena\[(\d+)\]", network_files(network)["net.h"])
    assert arena is not None
    assert cost.predict(network).ram == int(arena[1]) + network.graph.x.size + network.graph.y.size


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("name", ["fan-686", "slider-27229"])
def test_wider_costs_more(name, compiler):
    spec = zoo.get(name)
    before = cost.predict(lowered(spec), "cortex-m7", compiler)
    for i, width in enumerate(spec.widths):
        widths = (*spec.widths[:i], 2 * width, *spec.widths[i + 1 :])
        after = cost.predict(lowered(replace(spec, widths=widths)), "cortex-m7", compiler)
        assert after.instructions > before.instructions, f"width {i}"
        assert after.flash > before.flash, f"width {i}"


@pytest.mark.parametrize("name", ["fan-6840", "slider-69877"])
def test_is_quick(name):
    network = zoo_network(name)
    cost.predict(network)

    def seconds() -> float:
        start = time.process_time()
        cost.predict(network)
        return time.process_time() - start

    assert min(seconds() for _ in range(5)) < SECONDS


def test_every_kind_of_function_has_rates():
    general = {op.kind() for op in ops.by_tflite_name().values()}
    rows = {"load", "rows", "taps", "taps_channel", "stream", "stream_channel", "tile", "tile_tile",
            "scatter", "scatter_scatter", "pool", "infer"}  # fmt: skip
    for compiler in COMPILERS:
        model = cost.Model.of("cortex-m7", compiler)
        assert set(model.instructions) == set(model.code) == general | rows


def test_rates_are_no_gain():
    for compiler in COMPILERS:
        model = cost.Model.of("cortex-m4", compiler)
        for kinds in (model.instructions, model.code):
            assert all(rate > 0 for steps in kinds.values() for rate in steps.values())


def test_a_stage_alone_costs_what_it_does_in_a_chain():
    network = zoo_network("fan-686")
    node = next(n for n in network.graph.nodes if n.op.kind() == "rows_pairs")
    stages = node.op.context(network.graph.site(node))["stages"]
    both = [cost.predict(network, "cortex-m7", compiler).nodes[0] for compiler in COMPILERS]
    for stage in stages:
        alone = cost.stage_instructions(stage, stage["rows"]["outputs"])
        mean = sum(n.stages[stage["name"]] for n in both) / len(both)
        assert alone == pytest.approx(mean, rel=0.1)  # but for how many rows it has made


def test_classes_are_processors():
    assert set(cost.CLASSES) <= set(CPUS)


@pytest.mark.parametrize(
    ("cpu", "compiler", "message"),
    [
        ("cortex-m77", "zig", "no cost model for cpu 'cortex-m77'"),
        ("cortex-m7", "icc", "no cost model for compiler 'icc'"),
    ],
)
def test_refuses_what_it_was_not_fitted_to(cpu, compiler, message):
    with pytest.raises(ConfigError, match=message):
        cost.predict(zoo_network("fan-686"), cpu, compiler)


def test_rows_are_made_once_and_as_needed():
    network = zoo_network("fan-686")
    node = next(n for n in network.graph.nodes if n.op.kind() == "rows_pairs")
    context = node.op.context(network.graph.site(node))
    made = loops.rows_made(context)
    assert made[0] == context["stages"][0]["rows"]["source"]
    assert made[1:] == [stage["rows"]["outputs"] for stage in context["stages"]]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fan-686", "slider-21781"])
def test_a_sketch_costs_what_the_converted_network_does(name, tmp_path):
    spec = zoo.get(name)
    path = tmp_path / "net.tflite"
    path.write_bytes(to_int8(random_model(spec), smooth_windows(50), 6.0))
    converted, sketched = cost.predict(lower(read(path, "net"))), cost.predict(lowered(spec))
    print(f"{converted.instructions / sketched.instructions - 1:+.1%} {converted.ram}")
    assert [n.name for n in converted.nodes] == [n.name for n in sketched.nodes]
    assert converted.ram == sketched.ram
    assert converted.instructions == pytest.approx(sketched.instructions, rel=0.1)
    assert converted.flash == pytest.approx(sketched.flash, rel=0.05)


# ---- beside the emulator ------------------------------------------------------------------


def compare(network: Lowered, board: str, cpu: str, compiler: str) -> float:
    """Return the error of the instructions; fail if it, or that of a large node, is too large."""
    exact = measure(network, board, compiler)
    predicted = cost.predict(network, cpu, compiler)
    for node in predicted.nodes:
        counted = sum(c.instructions for c in exact.counts if c.node == node.name)
        if counted > 0.1 * exact.instructions:
            assert abs(node.instructions / counted - 1) < NODE_OFF, node.name
    error = predicted.instructions / exact.instructions - 1
    flash = predicted.flash / exact.flash - 1
    print(f"{compiler}: {exact.instructions} instructions, off {error:+.1%}; flash {flash:+.1%}")
    assert abs(error) < OFF
    assert abs(flash) < OFF
    return error


@pytest.mark.emulator
@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("name", ["ae_fan_small", "ae_slider_dense"])
def test_trained_models(name, compiler):
    path = MODELS / f"{name}.tflite"
    if not path.exists():
        pytest.skip(f"no {path.name} in ../shared/models")
    compare(lower(read(path, name)), "stm32f746", "cortex-m7", compiler)


@pytest.mark.emulator
@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("name", ZOO)
def test_zoo_shapes(name, compiler):
    compare(zoo_network(name), "stm32f746", "cortex-m7", compiler)


@pytest.mark.emulator
@pytest.mark.parametrize("compiler", COMPILERS)
def test_cortex_m4(compiler):
    compare(zoo_network("fan-686"), "stm32f446", "cortex-m4", compiler)


@pytest.mark.emulator
@pytest.mark.parametrize("name", ["fan-686", "slider-27229"])
def test_cortex_a72(name):
    compare(in_vectors(name), "cortex-a72", "cortex-a72", "zig")


@pytest.mark.emulator
@pytest.mark.slow
@pytest.mark.parametrize("compiler", COMPILERS)
def test_networks_it_was_not_fitted_to(compiler):
    found = [
        compare(lower(random_graph(seed)), "stm32f746", "cortex-m7", compiler) for seed in HELD_OUT
    ]
    print(f"{compiler}: worst {max(found, key=abs):+.1%}")
    assert np.sqrt(np.mean(np.square(found))) < OFF / 2
