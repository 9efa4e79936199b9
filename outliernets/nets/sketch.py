"""A network as the compiler will see it, before anybody has trained it: for costs, not for answers.

The graph has the nodes that the converter makes of the layers, with random int8 weights and scales
as they come out of He-initialised networks. What a network costs depends on its shapes, and hardly
on such numbers; so a search can ask for a cost in milliseconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import prod

import numpy as np

from outliernets.graph import Array, Graph, Node, Op, Tensor
from outliernets.nets.layers import Layer
from outliernets.nets.space import ArchSpec
from outliernets.ops.conv2d import Conv2D
from outliernets.ops.depthwise_conv2d import DepthwiseConv2D
from outliernets.ops.fully_connected import FullyConnected
from outliernets.ops.max_pool2d import MaxPool2D
from outliernets.ops.reshape import Reshape
from outliernets.ops.resize_nearest import ResizeNearest
from outliernets.ops.transpose_conv import TransposeConv

WEIGHT_MAX = 127
RANGE = 4.0  #: deviations of an activation that its int8 range covers, on each side of its mean


def sketch_of(network: ArchSpec, name: str = "net") -> Graph:
    """Return the graph ``name`` of a network, which may have no layers."""
    if network.layers:
        return sketch(name, network.layers)
    x = Tensor("input", (1, *network.input_shape, 1), "int8", (2 * RANGE / 255,), 0)
    zeros = replace(x, name="zeros", data=np.zeros(x.shape, np.int8))
    return Graph(name, {t.name: t for t in (x, zeros)}, (), x.name, zeros.name)


def sketch(name: str, layers: Sequence[Layer], seed: int = 0) -> Graph:
    """Return the graph ``name`` of at least one of ``layers``; same seed, same graph."""
    drawing = _Drawing(np.random.default_rng(seed))
    x = drawing.activation(layers[0].source, relu=False)
    y = x
    for layer in layers:
        y = drawing.add(layer, y)
    return Graph(name, drawing.tensors, tuple(drawing.nodes), x.name, y.name)


@dataclass
class _Drawing:
    """The tensors and nodes so far."""

    rng: np.random.Generator
    tensors: dict[str, Tensor] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)

    def add(self, layer: Layer, x: Tensor) -> Tensor:
        """Add the nodes of a layer that reads ``x``; return what it makes."""
        padding = layer.padding.upper()
        activation = "RELU" if layer.relu else "NONE"
        inputs, outputs = layer.source[2], layer.target[2]
        match layer.kind:
            case "conv":
                op: Op = Conv2D(layer.stride, padding, activation)
                return self._weighted(op, layer, x, (outputs, *layer.kernel, inputs))
            case "separable":
                depthwise = DepthwiseConv2D(layer.stride, padding)
                middle = (*layer.target[:2], inputs)
                x = self._node(depthwise, [x, *self._kernels(x, (1, *layer.kernel, inputs), 3)],
                               self.activation(middle, relu=False))  # fmt: skip
                pointwise = Conv2D((1, 1), "SAME", activation)
                return self._weighted(pointwise, layer, x, (outputs, 1, 1, inputs))
            case "transpose_conv":
                op = TransposeConv(layer.target[:2], layer.stride, padding, activation)
                return self._weighted(op, layer, x, (outputs, *layer.kernel, inputs))
            case "dense":
                return self._dense(layer, x, activation)
            case "max_pool":
                return self._same(MaxPool2D(layer.kernel, layer.stride, "VALID"), layer, x)
            case "upsample":
                return self._same(ResizeNearest(layer.target[:2]), layer, x)

    def activation(self, shape: Sequence[int], relu: bool) -> Tensor:
        """Return a new tensor [1, *shape]; a rectified one begins at its zero point."""
        deviation = float(self.rng.uniform(0.5, 2.0))
        if relu:
            return self._tensor(shape, deviation * RANGE / 255, -128)
        return self._tensor(shape, deviation * 2 * RANGE / 255, int(self.rng.integers(-20, 21)))

    def _dense(self, layer: Layer, x: Tensor, activation: str) -> Tensor:
        if self.nodes and isinstance(self.nodes[-1].op, Reshape):
            x = self._vector_again()
        elif layer.source[:2] != (1, 1):  # else the converter sees that flattening changes nothing
            flat = self._tensor((prod(layer.source),), x.scale, x.zero_point)
            x = self._node(Reshape(), [x], flat)
        vector = self.activation((*x.shape[1:-1], prod(layer.target)), layer.relu)
        kernels = self._kernels(x, (vector.size, x.size), 0)
        op = FullyConnected(activation, keep_dims=len(x.shape) > 2)
        return self._same(Reshape(), layer, self._node(op, [x, *kernels], vector))

    def _vector_again(self) -> Tensor:
        """Take back that a vector was seen as an image: the converter sees that it is flattened."""
        image = self.nodes.pop()
        del self.tensors[image.output]
        return self.tensors[image.inputs[0]]

    def _weighted(self, op: Op, layer: Layer, x: Tensor, weights: Sequence[int]) -> Tensor:
        y = self.activation(layer.target, layer.relu)
        return self._node(op, [x, *self._kernels(x, weights, 0)], y)

    def _same(self, op: Op, layer: Layer, x: Tensor) -> Tensor:
        return self._node(op, [x], self._tensor(layer.target, x.scale, x.zero_point))

    def _kernels(self, x: Tensor, shape: Sequence[int], axis: int) -> list[Tensor]:
        """Return weights, one scale per channel of ``axis``, and a bias."""
        channels = shape[axis]
        real = self.rng.normal(0, np.sqrt(2 * channels / prod(shape)), shape)
        others = tuple(a for a in range(len(shape)) if a != axis)
        scales = np.abs(real).max(axis=others) / WEIGHT_MAX
        expanded = np.expand_dims(scales, others)
        weights = np.rint(real / expanded).astype(np.int8)
        bias = self.rng.normal(0, 0.1, channels) / (x.scale * scales)
        return [
            self._constant(weights, scales),
            self._constant(np.rint(bias).astype(np.int32), x.scale * scales),
        ]

    def _constant(self, data: Array, scales: Array) -> Tensor:
        name, kind = f"t{len(self.tensors)}", str(data.dtype)
        self.tensors[name] = Tensor(name, data.shape, kind, tuple(scales.tolist()), 0, data)
        return self.tensors[name]

    def _tensor(self, shape: Sequence[int], scale: float, zero_point: int) -> Tensor:
        name = f"t{len(self.tensors)}"
        self.tensors[name] = Tensor(name, (1, *shape), "int8", (scale,), zero_point)
        return self.tensors[name]

    def _node(self, op: Op, inputs: Sequence[Tensor], y: Tensor) -> Tensor:
        name = f"n{len(self.nodes):02d}_{op.kind()}"
        self.nodes.append(Node(name, op, tuple(t.name for t in inputs), y.name))
        return y
