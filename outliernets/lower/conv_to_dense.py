"""A convolution whose window is the whole map is a dense layer: its weights can stay int8."""

from dataclasses import replace

from outliernets.graph import Graph, Node
from outliernets.ops._spatial import plane
from outliernets.ops.conv2d import Conv2D
from outliernets.ops.fully_connected import FullyConnected
from outliernets.ops.reshape import Reshape


def conv_to_dense(graph: Graph) -> Graph:
    """Return the graph with such convolutions as a dense layer and a reshape."""
    tensors, nodes = dict(graph.tensors), []
    for node in graph.nodes:
        if not _sees_all(graph, node):
            nodes.append(node)
            continue
        assert isinstance(node.op, Conv2D)
        kernel, y = graph.tensors[node.inputs[1]], graph.tensors[node.output]
        units = kernel.shape[0]
        rows = kernel.values.reshape(units, -1)
        weights = replace(kernel, name=f"{kernel.name}_dense", shape=rows.shape, data=rows)
        flat = replace(y, name=f"{y.name}_flat", shape=(1, units))
        tensors |= {weights.name: weights, flat.name: flat}
        dense = FullyConnected(node.op.activation)
        inputs = (node.inputs[0], weights.name, *node.inputs[2:])
        nodes.append(replace(node, op=dense, inputs=inputs, output=flat.name))
        nodes.append(Node(f"{node.name}_reshape", Reshape(), (flat.name,), node.output))
    return replace(graph, tensors=tensors, nodes=tuple(nodes))


def _sees_all(graph: Graph, node: Node) -> bool:
    """Whether every output is a sum over the whole input, rounded as a dense layer's."""
    if not isinstance(node.op, Conv2D):
        return False
    site = graph.site(node)
    kernel = site.inputs[1]
    whole = plane(kernel) == plane(site.x) and plane(site.output) == (1, 1)
    # A single scale is multiplied in another precision by dense layers.
    return whole and not node.op.window(site).padded and len(kernel.scales) > 1
