"""From an imported graph to one that can be printed as C: passes in order, then the memory plan."""

from collections.abc import Callable

from outliernets.graph import Graph, Lowered, verify
from outliernets.lower.drop_copies import drop_copies
from outliernets.lower.plan_memory import plan_memory

#: every pass maps a graph to an equivalent one; the order is a decision
PASSES: tuple[Callable[[Graph], Graph], ...] = (drop_copies,)


def lower(graph: Graph) -> Lowered:
    """Run all passes, checking the graph after each, and plan the memory."""
    for apply in PASSES:
        graph = apply(graph)
        verify(graph)
    return Lowered(graph, plan_memory(graph))
