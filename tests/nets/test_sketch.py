"""Sketches are graphs of the zoo's networks: right shapes and counts, computable, repeatable."""

import numpy as np
import pytest

from outliernets.graph import execute, verify
from outliernets.lower import lower
from outliernets.nets import zoo
from outliernets.nets.sketch import sketch


@pytest.mark.parametrize("name", zoo.names())
def test_has_the_macs_of_the_network(name):
    spec = zoo.get(name)
    graph = sketch("net", spec.layers)
    verify(graph)
    assert graph.macs == spec.macs
    assert graph.x.shape == graph.y.shape == (1, 32, 128, 1)


@pytest.mark.parametrize("name", ["fan-686", "slider-21781"])
def test_computes_before_and_after_the_passes(name):
    graph = sketch("net", zoo.get(name).layers)
    x = np.random.default_rng(2).integers(-128, 128, graph.x.shape, np.int8)
    y = execute(graph, x)
    assert len(np.unique(y)) > 10
    np.testing.assert_array_equal(execute(lower(graph).graph, x), y)


def test_same_seed_same_numbers():
    layers = zoo.get("fan-686").layers
    first, same, other = (
        sketch("net", layers, 1),
        sketch("net", layers, 1),
        sketch("net", layers, 2),
    )

    def weights(graph):
        return [t.values for t in graph.tensors.values() if t.is_constant]

    assert all(map(np.array_equal, weights(first), weights(same)))
    assert not all(map(np.array_equal, weights(first), weights(other)))
