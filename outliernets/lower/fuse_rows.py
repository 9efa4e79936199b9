"""Join chains of ops that make each row from a few rows before them into one node.

On small processors a chain is cut where that needs less memory: before the cut, the rows of its
second half need not be there yet, and after it those of the first half are gone; only the map
between them stays.
"""

from collections.abc import Iterator
from dataclasses import replace

from outliernets.graph import Graph, Node, Site
from outliernets.kernels.rows import Rows, can_stream, obstacle, stage_of

SAVING = 0.1  #: share of the memory that a cut must save

Why = tuple[str, ...]


def fuse_rows(graph: Graph, make: type[Rows]) -> Graph:
    """Return the graph with every longest chain as one node, also chains of a single op."""
    nodes: list[Node] = []
    for chain, why in _chains(graph):
        if can_stream(chain[0], graph.site(chain[0])):
            parts, reason = _cut(graph, chain, make)
            whys = [(*why, *reason), *[reason] * (len(parts) - 1)]
            nodes.extend(_fused(graph, p, make, w) for p, w in zip(parts, whys, strict=True))
        else:
            nodes.extend(chain)
    return replace(graph, nodes=tuple(nodes))


def _chains(graph: Graph) -> Iterator[tuple[list[Node], Why]]:
    """Yield the nodes in order, those that can be fused together, and why they begin there."""
    uses: dict[str, int] = {graph.output: 1}
    for node in graph.nodes:
        for name in node.inputs:
            uses[name] = uses.get(name, 0) + 1
    chain: list[Node] = []
    why: Why = ()
    for node in graph.nodes:
        apart = _apart(graph, uses, chain[-1], node) if chain else None
        if apart:
            yield chain, why
            chain, why = [], (apart,)
        chain.append(node)
    if chain:
        yield chain, why


def _apart(graph: Graph, uses: dict[str, int], before: Node, node: Node) -> str | None:
    """Return why a node does not go on with the rows of the one before it, or None if it does."""
    for one in (before, node):
        if reason := obstacle(one, graph.site(one)):
            return f"{one.name} works on whole maps: {reason}"
    if node.inputs[0] != before.output:
        return f"{node.name} does not read what {before.name} makes"
    if uses[before.output] > 1:
        return f"the map of {before.name} is read more than once"
    return None


def _cut(graph: Graph, chain: list[Node], make: type[Rows]) -> tuple[list[list[Node]], Why]:
    """Return the chain whole, or in two parts if that saves memory worth a copy of the map.

    And why.
    """

    def scratch(part: list[Node]) -> int:
        stages = tuple(stage_of(n, graph.site(n)) for n in part)
        return make(stages).scratch_bytes(Site(stages[0].site.inputs, stages[-1].site.output))

    def peak(cut: int) -> int:
        between = graph.tensors[chain[cut - 1].output].size
        return between + max(scratch(chain[:cut]), scratch(chain[cut:]))

    if len(chain) == 1 or not make.saves_memory:
        return [chain], ()
    best = min(range(1, len(chain)), key=peak)
    whole, halves = scratch(chain), peak(best)
    place = f"after {chain[best - 1].name}"
    if halves < (1 - SAVING) * whole:
        why = f"cut {place}: {halves:,} bytes of memory, {whole:,} in one piece"
        return [chain[:best], chain[best:]], (why,)
    why = f"in one piece: {whole:,} bytes of memory, {halves:,} with the best cut, {place}"
    return [chain], (why,)


def _fused(graph: Graph, chain: list[Node], make: type[Rows], why: Why) -> Node:
    constants = [n for node in chain for n in node.inputs if graph.tensors[n].is_constant]
    return Node(
        name=chain[0].name.split("_")[0] + "_rows",
        op=replace(make(tuple(stage_of(node, graph.site(node)) for node in chain)), why=why),
        inputs=(chain[0].inputs[0], *constants),
        output=chain[-1].output,
    )
