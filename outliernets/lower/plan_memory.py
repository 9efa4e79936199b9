"""Give every intermediate tensor an offset in one arena; what is alive together never overlaps."""

from dataclasses import dataclass

from outliernets.graph import Graph, MemoryPlan

ALIGNMENT = 16


@dataclass(frozen=True)
class Lifetime:
    """The steps (node numbers) from the one that writes a tensor to the last that reads it."""

    first: int
    last: int

    def overlaps(self, other: "Lifetime") -> bool:
        """Whether both tensors are alive during some step."""
        return self.first <= other.last and other.first <= self.last


def lifetimes(graph: Graph) -> dict[str, Lifetime]:
    """Return when each tensor between the network's input and output is alive.

    So is what a node needs while it runs, under the node's name.
    """
    alive: dict[str, Lifetime] = {}
    for step, node in enumerate(graph.nodes):
        for name in node.inputs:
            if name in alive:
                alive[name] = Lifetime(alive[name].first, step)
        if node.op.scratch_bytes(graph.site(node)):
            alive[node.name] = Lifetime(step, step)
        if node.output != graph.output:
            alive[node.output] = Lifetime(step, step)
    return alive


def plan_memory(graph: Graph) -> MemoryPlan:
    """Place tensors, the largest first, each at the lowest offset that is free while it lives."""
    alive = lifetimes(graph)
    scratch = {node.name: node.op.scratch_bytes(graph.site(node)) for node in graph.nodes}
    sizes = {n: _aligned(scratch.get(n) or graph.tensors[n].size) for n in alive}
    offsets: dict[str, int] = {}
    for name in sorted(alive, key=lambda n: (-sizes[n], alive[n].first)):
        taken = sorted(
            (offsets[other], offsets[other] + sizes[other])
            for other in offsets
            if alive[name].overlaps(alive[other])
        )
        offsets[name] = _first_gap(taken, sizes[name])
    return MemoryPlan(offsets, max((offsets[n] + sizes[n] for n in offsets), default=0))


def _first_gap(taken: list[tuple[int, int]], size: int) -> int:
    start = 0
    for begin, end in taken:
        if begin - start >= size:
            break
        start = max(start, end)
    return start


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT
