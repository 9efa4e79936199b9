"""Random networks: the generated C (sanitized), numpy and TensorFlow Lite Micro agree.

``--networks N`` runs numbers 0 ... N-1 (300 unless told), ``--network SEED`` runs only that one.
"""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, product
from pathlib import Path

import numpy as np
import pytest

from outliernets.errors import OngenError
from outliernets.graph import Graph, Lowered, Node, execute, verify
from outliernets.importer import read
from outliernets.lower import PASSES, lower
from tests.calibrated_builder import MAX_MACS
from tests.codegen.sanitized import CompileError, compile_networks, run_networks
from tests.legs import random_inputs, tflm, tflm_infer
from tests.random_networks import random_network

BATCH, RUNS = 25, 4
OTHER_KERNELS = 50  #: so many networks are tried with the kernels of large processors, too


@dataclass(frozen=True)
class Case:
    """One network, what goes in and what TensorFlow Lite Micro makes of it."""

    seed: int
    graph: Graph
    lowered: Lowered
    inputs: np.ndarray
    expected: np.ndarray


@dataclass(frozen=True)
class Batch:
    """Networks that are compiled together, and what is wrong with those that could not be read."""

    folder: Path
    cases: list[Case]
    refused: dict[int, str]


def pytest_generate_tests(metafunc):
    if "batch" in metafunc.fixturenames:
        only, count = (metafunc.config.getoption(o) for o in ("--network", "--networks"))
        starts = range(0, count, BATCH) if only is None else ()
        batches = [range(n, min(n + BATCH, count)) for n in starts] or [range(only, only + 1)]
        names, cases = ("batch",), [(b,) for b in batches]
        if "kernels" in metafunc.fixturenames:
            some = [b for b in batches if b[0] < OTHER_KERNELS or only is not None]
            names = ("batch", "kernels")
            cases = [(b, "pairs") for b in batches] + list(product(some, ("lanes", "floats")))
        parameters = [
            pytest.param(
                b, *more, id="-".join([f"{b[0]}-{b[-1]}", *more]),
                marks=[pytest.mark.slow] if b[0] or more[:1] not in ([], ["pairs"]) else [],
            )
            for b, *more in cases
        ]  # fmt: skip
        metafunc.parametrize(names, parameters, indirect=["batch"], scope="module")


@pytest.fixture(scope="module")
def batch(request, tmp_path_factory) -> Batch:
    folder, cases, refused = tmp_path_factory.mktemp("networks"), [], {}
    for seed in request.param:
        model = random_network(seed)
        path = folder / f"net{seed}.tflite"
        path.write_bytes(model)
        try:
            graph = read(path)
            lowered = lower(graph)
        except OngenError as error:
            refused[seed] = f"refused: {error}"
            continue
        inputs, oracle = random_inputs(graph.x.shape, RUNS, seed), tflm(model)
        expected = np.array([tflm_infer(oracle, x).ravel().copy() for x in inputs])
        cases.append(Case(seed, graph, lowered, inputs, expected))
    return Batch(folder, cases, refused)


@pytest.fixture
def judge(request, batch) -> Callable[[dict[int, str]], None]:
    """Fail if any network has a fault: name it, keep its file, say how to see it alone."""

    def check(faults: dict[int, str]) -> None:
        if not faults:
            return
        kept = request.config.cache.mkdir("random_networks")
        lines = [f"{len(faults)} networks; their .tflite files are in {kept}"]
        for seed, fault in faults.items():
            shutil.copy(batch.folder / f"net{seed}.tflite", kept)
            lines.append(f"network {seed}: {fault}")
        lines.append(f"one alone: pytest tests/codegen/{Path(__file__).name} --network SEED")
        pytest.fail("\n".join(lines), pytrace=False)

    return check


def difference(found: np.ndarray, expected: np.ndarray) -> str | None:
    """Where two lists of outputs [run, value] differ first; None if they are equal."""
    where = np.argwhere(found != expected)
    if not len(where):
        return None
    run, value = where[0]
    return (
        f"{len(where)} of {expected.size} values differ, first in run {run} value {value}: "
        f"{found[run, value]}, TensorFlow Lite Micro has {expected[run, value]}"
    )


def answers(graph: Graph, inputs: np.ndarray) -> np.ndarray:
    return np.array([execute(graph, x).ravel() for x in inputs])


def test_every_network_is_accepted(batch, judge):
    judge(batch.refused)


def test_numpy_is_exact(batch, judge):
    found = ((c, difference(answers(c.graph, c.inputs), c.expected)) for c in batch.cases)
    judge({case.seed: fault for case, fault in found if fault})


def test_sanitized_c_is_exact(batch, judge, has_compiler, kernels):
    has_compiler("gcc")
    lowered = {case.seed: lower(case.graph, kernels) for case in batch.cases}
    faults, cases = {}, [replace(case, lowered=lowered[case.seed]) for case in batch.cases]
    folder = batch.folder / kernels
    folder.mkdir()
    while cases:
        try:
            program = compile_networks([case.lowered for case in cases], folder)
            faults |= faults_of_program(program, cases)
            break
        except CompileError as error:
            found = {case.seed: error.faults.get(case.graph.name) for case in cases}
            faults |= {seed: fault for seed, fault in found.items() if fault}
            if not any(found.values()):
                raise
            cases = [case for case in cases if not found[case.seed]]
    judge(faults)


def faults_of_program(program: Path, cases: list[Case]) -> dict[int, str]:
    networks = [case.lowered for case in cases]
    results = run_networks(program, networks, [case.inputs for case in cases])
    faults = {}
    for case, result in zip(cases, results, strict=True):
        fault = result if isinstance(result, str) else difference(result, case.expected)
        if fault:
            faults[case.seed] = fault
    return faults


def test_every_pass_keeps_the_answer(batch, judge):
    found = ((case, fault_of_passes(case)) for case in batch.cases)
    judge({case.seed: fault for case, fault in found if fault})


def fault_of_passes(case: Case) -> str | None:
    graph, inputs, expected = case.graph, case.inputs[:2], case.expected[:2]
    for apply in PASSES:
        graph = apply(graph)
        verify(graph)
        if fault := difference(answers(graph, inputs), expected):
            return f"after {apply.__name__}: {fault}"
    return None


def test_memory_is_never_overwritten_before_it_is_read(batch, judge):
    faults = ((case, next(memory_faults(case.lowered), None)) for case in batch.cases)
    judge({case.seed: fault for case, fault in faults if fault})


def memory_faults(lowered: Lowered) -> Iterator[str]:
    """Play the network through: each byte of the arena belongs to what was written last.

    A node first fills its scratch, then writes its output; at the end of it, its inputs and its
    scratch must still be whole, or it has written over what it still reads.
    """
    graph, memory = lowered.graph, lowered.memory
    outside = {n for n, t in graph.tensors.items() if t.is_constant} | {graph.input, graph.output}
    owner = np.full(memory.size, "", dtype=object)
    for node in graph.nodes:
        reads = [name for name in node.inputs if name not in outside]
        writes = [node.name] if node.op.scratch_bytes(graph.site(node)) else []
        writes += [node.output] if node.output != graph.output else []
        if lost := [name for name in (*reads, *writes) if name not in memory.offsets]:
            yield f"{node.name}: '{lost[0]}' has no place"
            continue
        places = {name: place(lowered, node, name) for name in (*reads, *writes)}
        if late := [name for name in reads if (owner[places[name]] != name).any()]:
            yield f"{node.name} reads '{late[0]}' after it was overwritten"
        for name in writes:
            if places[name].start < 0 or places[name].stop > memory.size:
                yield f"'{name}' lies outside of the arena"
            owner[places[name]] = name
        if hit := [name for name in places if (owner[places[name]] != name).any()]:
            yield f"{node.name} writes {' and '.join(writes)} over '{hit[0]}'"


def place(lowered: Lowered, node: Node, name: str) -> slice:
    """The bytes of a tensor, or of the node's scratch."""
    tensor, start = lowered.graph.tensors.get(name), lowered.memory.offsets[name]
    size = tensor.size if tensor else node.op.scratch_bytes(lowered.graph.site(node))
    return slice(start, start + size)


# ---- the generator ----------------------------------------------------------------------


def test_outputs_vary(batch):
    """Saturated or constant outputs would agree whatever the arithmetic: few networks have them."""
    if len(batch.cases) < BATCH // 2:
        pytest.skip("one network alone says nothing")
    alive = [case for case in batch.cases if is_alive(case)]
    assert len(alive) >= 0.8 * len(batch.cases), sorted(
        {case.seed for case in batch.cases} - {case.seed for case in alive}
    )


def is_alive(case: Case) -> bool:
    """Outputs depend on the input, take several values and are not mostly at the ends."""
    outputs = case.expected
    depends = not (outputs == outputs[0]).all()
    values = len(np.unique(outputs))
    saturated = np.isin(outputs, (-128, 127)).mean()
    return bool(depends and values >= min(16, outputs.size // 4) and saturated < 0.9)


def test_same_seed_same_network():
    assert random_network(3) == random_network(3)
    assert random_network(3) != random_network(4)


def test_networks_cover_what_is_supported(tmp_path):
    """All ops and settings occur, often enough that 300 networks hit their combinations."""
    graphs = []
    for seed in range(200):
        (tmp_path / "m.tflite").write_bytes(random_network(seed))
        graphs.append(read(tmp_path / "m.tflite"))
    steps = list(chain.from_iterable(((n.op, g.site(n)) for n in g.nodes) for g in graphs))
    assert {op.kind() for op, _ in steps} >= {
        "add", "average_pool2d", "conv2d", "depthwise_conv2d", "fully_connected", "logistic",
        "max_pool2d", "mean", "pad", "quantize", "reshape", "resize_nearest", "transpose_conv",
    }  # fmt: skip
    convolutions = [(op, s) for op, s in steps if op.kind() == "conv2d"]
    assert {op.padding for op, _ in convolutions} == {"SAME", "VALID"}
    assert {n for op, _ in convolutions for n in op.stride} == {1, 2, 3, 4}
    kernels = {s.inputs[1].shape[1:3] for _, s in convolutions}
    assert kernels >= {(1, 1), (3, 3), (3, 1), (1, 3), (2, 2), (4, 4), (5, 5)}
    activations = {op.activation for op, _ in convolutions}
    assert activations == {"NONE", "RELU", "RELU6", "RELU_N1_TO_1"}
    assert {len(s.inputs) for _, s in convolutions} == {2, 3}, "with and without bias"
    assert any(len(s.inputs[1].scales) == 1 < s.output.shape[3] for _, s in convolutions)
    depthwise = {op.multiplier(s) for op, s in steps if op.kind() == "depthwise_conv2d"}
    assert depthwise >= {1, 2, 3, 4}
    resizes = {op.factors(s) for op, s in steps if op.kind() == "resize_nearest"}
    assert {f for pair in resizes for f in pair} == {1, 2, 3, 4}
    maps = [s.x for _, s in steps if len(s.x.shape) == 4]
    assert {x.shape[3] for x in maps} >= {1, 2, 3, 5, 7, 8, 16}
    assert max(x.shape[3] for x in maps) > 400
    assert max(x.shape[2] for x in maps) > 100
    assert any(x.shape[1:3] == (1, 1) for x in maps)
    zero_points = [s.output.zero_point for _, s in steps]
    assert 0.3 < np.mean(np.equal(zero_points, -128)) < 0.7
    assert len(set(zero_points)) > 80
    assert all(graph.macs <= MAX_MACS for graph in graphs)
