"""Let a convolution read the source of a nearest upsampling instead of the larger map."""

from dataclasses import replace

from outliernets.graph import Graph, Node
from outliernets.ops._convolution import Convolution
from outliernets.ops.resize_nearest import ResizeNearest


def fold_upsampling(graph: Graph) -> Graph:
    """Return the graph without upsamplings that only convolutions at stride 1 read."""
    folded = {
        node.output: node
        for node in graph.nodes
        if isinstance(node.op, ResizeNearest) and kept(graph, node) is None
    }
    nodes = [
        _folded(graph, node, folded[node.inputs[0]]) if node.inputs[0] in folded else node
        for node in graph.nodes
        if node.output not in folded
    ]
    return replace(graph, nodes=tuple(nodes))


def kept(graph: Graph, upsampling: Node) -> str | None:
    """Return why an upsampling cannot be folded into what reads it, or None if it can."""
    if upsampling.output == graph.output:
        return "it makes the network's output"
    if graph.site(upsampling).requantises():
        return "it changes the quantisation"
    readers = (node for node in graph.nodes if upsampling.output in node.inputs)
    other = next((node for node in readers if not _can_fold(node)), None)
    return f"{other.name} reads it, which is no convolution at stride 1" if other else None


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
