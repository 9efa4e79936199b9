"""From an imported graph to one that can be printed as C: passes in order, then the memory plan."""

from collections.abc import Callable

from outliernets.graph import Graph, Lowered, verify
from outliernets.kernels.rows_pairs import RowsPairs
from outliernets.lower.drop_copies import drop_copies
from outliernets.lower.fold_upsampling import fold_upsampling
from outliernets.lower.fuse_rows import fuse_rows
from outliernets.lower.plan_memory import plan_memory
from outliernets.lower.pointwise_first import pointwise_first


def fuse_rows_as_pairs(graph: Graph) -> Graph:
    """Fuse rows into kernels that work on pairs of 16-bit numbers."""
    return fuse_rows(graph, RowsPairs)


#: every pass maps a graph to an equivalent one; the order is a decision
PASSES: tuple[Callable[[Graph], Graph], ...] = (
    drop_copies,
    pointwise_first,
    fold_upsampling,
    fuse_rows_as_pairs,
)


def lower(graph: Graph) -> Lowered:
    """Run all passes, checking the graph after each, and plan the memory."""
    for apply in PASSES:
        graph = apply(graph)
        verify(graph)
    return Lowered(graph, plan_memory(graph))
