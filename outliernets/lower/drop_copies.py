"""Remove nodes that copy a tensor of one shape to the same shape (reshape, upsampling by 1)."""

from dataclasses import replace

from outliernets.graph import Graph, Node
from outliernets.ops.reshape import Reshape
from outliernets.ops.resize_nearest import ResizeNearest


def drop_copies(graph: Graph) -> Graph:
    """Return the graph without such nodes; a copy that makes the network's output stays."""
    renamed: dict[str, str] = {}
    nodes = []
    for node in graph.nodes:
        node = replace(node, inputs=tuple(renamed.get(n, n) for n in node.inputs))
        if _is_copy(graph, node) and node.output != graph.output:
            renamed[node.output] = node.inputs[0]
        else:
            nodes.append(node)
    return replace(graph, nodes=tuple(nodes))


def _is_copy(graph: Graph, node: Node) -> bool:
    site = graph.site(node)
    same = site.x.shape == site.output.shape and not site.requantises()
    return isinstance(node.op, Reshape | ResizeNearest) and same
