"""From an imported graph to one that can be printed as C: passes in order, then the memory plan."""

from collections.abc import Callable

from outliernets.graph import Graph, Lowered, verify
from outliernets.kernels.rows import Rows
from outliernets.kernels.rows_lanes import RowsFloats, RowsLanes
from outliernets.kernels.rows_pairs import RowsPairs
from outliernets.lower.conv_to_dense import conv_to_dense
from outliernets.lower.drop_copies import drop_copies
from outliernets.lower.fold_upsampling import fold_upsampling
from outliernets.lower.fuse_rows import fuse_rows
from outliernets.lower.plan_memory import plan_memory
from outliernets.lower.pointwise_first import pointwise_first

Pass = Callable[[Graph], Graph]

#: how rows are computed, by what the processor is good at (``toolchain.Cpu.kernels``)
KERNELS: dict[str, type[Rows]] = {"pairs": RowsPairs, "lanes": RowsLanes, "floats": RowsFloats}


def passes(kernels: str = "pairs") -> tuple[Pass, ...]:
    """Return the passes; each maps a graph to an equivalent one, and the order is a decision."""

    def fuse(graph: Graph) -> Graph:
        return fuse_rows(graph, KERNELS[kernels])

    return drop_copies, conv_to_dense, pointwise_first, fold_upsampling, fuse


PASSES = passes()


def lower(graph: Graph, kernels: str = "pairs") -> Lowered:
    """Run all passes, checking the graph after each, and plan the memory."""
    for apply in passes(kernels):
        graph = apply(graph)
        verify(graph)
    return Lowered(graph, plan_memory(graph))
