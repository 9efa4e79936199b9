"""Kernels are chosen by cost: the chosen are quicker in the emulator and take no more memory."""

from unittest import mock

import pytest

from bench.cost_networks import measure
from outliernets.graph import Lowered
from outliernets.kernels import cost, rows_pairs
from outliernets.lower import lower
from outliernets.nets import zoo
from outliernets.nets.sketch import sketch


def lowered(name: str) -> Lowered:
    return lower(sketch("net", zoo.get(name).layers))


STAGE_INSTRUCTIONS = cost.stage_instructions


def dearest(stage, rows: int) -> float:
    """A cost that leads to what is expected to be slowest."""
    return -STAGE_INSTRUCTIONS(stage, rows)


def first(stage, rows: int) -> float:
    """A cost that leaves it at the first kernel and the squarest tile."""
    return float(stage["kind"] == "tile") + float(stage.get("pixels", 2) != 2)


@pytest.fixture
def forgetful():
    def forget():
        rows_pairs.kind.cache_clear()
        rows_pairs._tile_shape.cache_clear()

    forget()
    yield forget
    forget()


@pytest.mark.emulator
@pytest.mark.parametrize(("instead", "most"), [(dearest, 0.98), (first, 1.005)])
@pytest.mark.parametrize("name", ["slider-27229", "fan-2028"])
def test_what_is_chosen_is_quicker(name, instead, most, forgetful):
    chosen = lowered(name)
    counts = [measure(chosen, "stm32f746", compiler).instructions for compiler in ("zig", "gcc")]
    forgetful()
    with mock.patch.object(cost, "stage_instructions", instead):
        plain = lowered(name)
        others = [measure(plain, "stm32f746", compiler).instructions for compiler in ("zig", "gcc")]
    print(counts, others)
    assert sum(counts) < most * sum(others)
    assert chosen.memory.size <= plain.memory.size


def test_tiles_fit_their_stage():
    for name in ("slider-21781", "slider-69877"):
        graph = lowered(name).graph
        for stage in (s for n in graph.nodes for s in getattr(n.op, "stages", ())):
            if rows_pairs.kind(stage) == "tile":
                pixels, wide = rows_pairs._tile_shape(stage)
                assert pixels <= stage.columns.outputs
                assert wide <= stage.channels[1]
                assert pixels * wide <= rows_pairs.TILE_SUMS
