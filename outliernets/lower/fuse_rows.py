"""Join chains of ops that make each row from a few rows before them into one node.

A chain is cut where that needs less memory: before the cut, the rows of its second half need not be
there yet, and after it those of the first half are gone; only the map between them stays.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

from outliernets.graph import Graph, Node, Site
from outliernets.kernels.rows import Rows, Stage, can_stream

SAVING = 0.1  #: share of the memory that a cut must save

MakeRows = Callable[[tuple[Stage, ...]], Rows]


def fuse_rows(graph: Graph, make: MakeRows) -> Graph:
    """Return the graph with every longest chain as one node, also chains of a single op."""
    nodes: list[Node] = []
    for chain in _chains(graph):
        if can_stream(chain[0], graph.site(chain[0])):
            nodes.extend(_fused(graph, part, make) for part in _cut(graph, chain, make))
        else:
            nodes.extend(chain)
    return replace(graph, nodes=tuple(nodes))


def _chains(graph: Graph) -> Iterator[list[Node]]:
    """Yield the nodes in order, those that can be fused together."""
    uses: dict[str, int] = {graph.output: 1}
    for node in graph.nodes:
        for name in node.inputs:
            uses[name] = uses.get(name, 0) + 1
    chain: list[Node] = []
    for node in graph.nodes:
        streams = can_stream(node, graph.site(node))
        follows = chain and node.inputs[0] == chain[-1].output and uses[chain[-1].output] == 1
        if chain and not (streams and follows):
            yield chain
            chain = []
        chain.append(node)
        if not streams:
            yield chain
            chain = []
    if chain:
        yield chain


def _cut(graph: Graph, chain: list[Node], make: MakeRows) -> list[list[Node]]:
    """Return the chain whole, or in two parts if that saves memory worth a copy of the map."""

    def scratch(part: list[Node]) -> int:
        stages = tuple(Stage(n, graph.site(n)) for n in part)
        return make(stages).scratch_bytes(Site(stages[0].site.inputs, stages[-1].site.output))

    def peak(cut: int) -> int:
        between = graph.tensors[chain[cut - 1].output].size
        return between + max(scratch(chain[:cut]), scratch(chain[cut:]))

    if len(chain) == 1:
        return [chain]
    best = min(range(1, len(chain)), key=peak)
    worth = peak(best) < (1 - SAVING) * scratch(chain)
    return [chain[:best], chain[best:]] if worth else [chain]


def _fused(graph: Graph, chain: list[Node], make: MakeRows) -> Node:
    constants = [n for node in chain for n in node.inputs if graph.tensors[n].is_constant]
    return Node(
        name=chain[0].name.split("_")[0] + "_rows",
        op=make(tuple(Stage(node, graph.site(node)) for node in chain)),
        inputs=(chain[0].inputs[0], *constants),
        output=chain[-1].output,
    )
