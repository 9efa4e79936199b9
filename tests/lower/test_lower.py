"""Passes keep the answer; the memory plan never overlaps tensors that live together."""

from itertools import combinations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from outliernets.graph import Graph, Node, Tensor, execute, verify
from outliernets.importer import read
from outliernets.lower import lower
from outliernets.lower.drop_copies import drop_copies
from outliernets.lower.plan_memory import lifetimes, plan_memory
from outliernets.ops.add import Add
from outliernets.ops.reshape import Reshape
from tests.legs import random_inputs
from tests.tflite_builder import SAME, TfliteBuilder


@st.composite
def graphs(draw):
    """Chains with residual additions: sizes at random, each node reads earlier tensors."""
    sizes = draw(st.lists(st.integers(1, 5000), min_size=2, max_size=12))
    tensors = {f"t{i}": Tensor(f"t{i}", (1, n), "int8", (0.1,), 0) for i, n in enumerate(sizes)}
    nodes = []
    for i in range(1, len(sizes)):
        second = draw(st.integers(0, i - 1))
        nodes.append(Node(f"n{i}", Add(), (f"t{i - 1}", f"t{second}"), f"t{i}"))
    return Graph("g", tensors, tuple(nodes), "t0", f"t{len(sizes) - 1}")


@given(graphs())
@settings(max_examples=200)
def test_tensors_alive_together_never_overlap(graph):
    plan, alive = plan_memory(graph), lifetimes(graph)
    assert set(plan.offsets) == set(alive)
    spans = {n: (o, o + graph.tensors[n].size) for n, o in plan.offsets.items()}
    for a, b in combinations(spans, 2):
        if alive[a].overlaps(alive[b]):
            assert spans[a][1] <= spans[b][0] or spans[b][1] <= spans[a][0], (a, b)
    assert all(end <= plan.size for _, end in spans.values())
    assert all(start % 4 == 0 for start, _ in spans.values())


def test_memory_of_a_chain_is_the_largest_neighbouring_pair():
    sizes = [96, 400, 48, 208, 8]
    tensors = {f"t{i}": Tensor(f"t{i}", (1, n), "int8", (0.1,)) for i, n in enumerate(sizes)}
    nodes = tuple(Node(f"n{i}", Reshape(), (f"t{i}",), f"t{i + 1}") for i in range(4))
    assert plan_memory(Graph("g", tensors, nodes, "t0", "t4")).size == 448


def model_with_copies() -> bytes:
    b = TfliteBuilder()
    shape = [1, 4, 6, 3]
    x = b.activation(shape)
    same = b.op("RESHAPE", [x, b.constant(shape)], b.activation(shape), "ReshapeOptions")
    pooled = b.op(
        "MAX_POOL_2D", [same], b.activation(shape), "Pool2DOptions", padding=SAME,
        strideH=1, strideW=1, filterHeight=3, filterWidth=3,
    )  # fmt: skip
    once = b.op(
        "RESIZE_NEAREST_NEIGHBOR", [pooled, b.constant([4, 6])], b.activation(shape),
        "ResizeNearestNeighborOptions",
    )  # fmt: skip
    y = b.op("RESHAPE", [once, b.constant([1, 72])], b.activation([1, 72]), "ReshapeOptions")
    return b.build(x, y)


def test_copies_are_dropped_and_the_answer_stays(tmp_path):
    (tmp_path / "m.tflite").write_bytes(model_with_copies())
    before = read(tmp_path / "m.tflite")
    after = drop_copies(before)
    verify(after)
    assert [n.op.kind() for n in after.nodes] == ["max_pool2d", "reshape"]
    for x in random_inputs(before.x.shape, 4):
        np.testing.assert_array_equal(execute(before, x), execute(after, x))


def test_lowering_keeps_the_answer_of_a_real_model(shared):
    graph = read(shared / "models" / "ae_slider_dense.tflite")
    lowered = lower(graph)
    vectors = np.load(shared / "models" / "ae_slider_dense_vec.npz")
    result = execute(lowered.graph, vectors["x"][0])
    np.testing.assert_array_equal(result.ravel(), vectors["y_tflm"][0].ravel())


def test_lifetime_reaches_the_last_reader():
    nodes = (
        Node("a", Add(), ("t0", "t0"), "t1"),
        Node("b", Add(), ("t1", "t0"), "t2"),
        Node("c", Add(), ("t2", "t1"), "t3"),
    )
    tensors = {f"t{i}": Tensor(f"t{i}", (1, 8), "int8", (0.1,)) for i in range(4)}
    alive = lifetimes(Graph("g", tensors, nodes, "t0", "t3"))
    assert (alive["t1"].first, alive["t1"].last) == (0, 2)
