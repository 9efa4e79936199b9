"""Let a convolution read the source of a nearest upsampling instead of the larger map."""

from dataclasses import replace

from outliernets.graph import Graph, Node
from outliernets.ops._convolution import Convolution
from outliernets.ops.resize_nearest import ResizeNearest


def fold_upsampling(graph: Graph) -> Graph:
    """Return the graph without upsamplings that only convolutions at stride 1 read."""
    readers: dict[str, list[Node]] = {}
    for node in graph.nodes:
        for name in node.inputs:
            readers.setdefault(name, []).append(node)
    folded = {
        node.output: node
        for node in graph.nodes
        if _is_upsampling(graph, node)
        and node.output != graph.output
        and all(_can_fold(reader) for reader in readers.get(node.output, []))
    }
    nodes = [
        _folded(graph, node, folded[node.inputs[0]]) if node.inputs[0] in folded else node
        for node in graph.nodes
        if node.output not in folded
    ]
    return replace(graph, nodes=tuple(nodes))


def _is_upsampling(graph: Graph, node: Node) -> bool:
    return isinstance(node.op, ResizeNearest) and not graph.site(node).requantises()


def _can_fold(node: Node) -> bool:
    op = node.op
    return (
        isinstance(op, Convolution)
        and op.stride == (1, 1)
        and op.repeat == (1, 1)
        and op.dilation == (1, 1)
    )


def _folded(graph: Graph, node: Node, upsampling: Node) -> Node:
    assert isinstance(node.op, Convolution)
    assert isinstance(upsampling.op, ResizeNearest)
    op = replace(node.op, repeat=upsampling.op.factors(graph.site(upsampling)))
    return replace(node, op=op, inputs=(upsampling.inputs[0], *node.inputs[1:]))
