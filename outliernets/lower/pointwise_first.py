"""Compute a 1x1 convolution before the upsampling in front of it: once per source pixel."""

from dataclasses import replace

from outliernets.graph import Graph, Node, Tensor
from outliernets.ops.conv2d import Conv2D
from outliernets.ops.resize_nearest import ResizeNearest

_SMALL = " (before upsampling)"


def pointwise_first(graph: Graph) -> Graph:
    """Return the graph with such pairs exchanged; the results are the same to the last bit."""
    tensors, nodes = dict(graph.tensors), list(graph.nodes)
    for i, (first, second) in enumerate(zip(graph.nodes, graph.nodes[1:], strict=False)):
        if _exchangeable(graph, first, second):
            before, after = graph.tensors[first.inputs[0]], graph.tensors[second.output]
            small = replace(after, name=f"{first.output}{_SMALL}", shape=_shape(before, after))
            tensors[small.name] = small
            nodes[i] = replace(second, inputs=(before.name, *second.inputs[1:]), output=small.name)
            nodes[i + 1] = replace(first, inputs=(small.name,), output=second.output)
    return replace(graph, tensors=tensors, nodes=tuple(nodes))


def moved(node: Node) -> str | None:
    """Return why a node stands where it does, if this pass put it there."""
    if isinstance(node.op, Conv2D) and node.output.endswith(_SMALL):
        return "moved before the upsampling: computed once per source pixel"
    return None


def _shape(before: Tensor, after: Tensor) -> tuple[int, ...]:
    return (*before.shape[:3], after.shape[3])


def _exchangeable(graph: Graph, first: Node, second: Node) -> bool:
    if not isinstance(first.op, ResizeNearest) or graph.site(first).requantises():
        return False
    readers = [n for n in graph.nodes if first.output in n.inputs]
    if readers != [second] or first.output == graph.output:
        return False
    op = second.op
    if not isinstance(op, Conv2D) or op.stride != (1, 1):
        return False
    return graph.site(second).inputs[1].shape[1:3] == (1, 1)
