"""Writes a network with its weights as float32 ONNX, for engines that read no .tflite."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outliernets.nets.layers import Layer, Pair
from outliernets.nets.space import ArchSpec

Floats = NDArray[np.float32]
OPSET, IR_VERSION = 17, 8  #: old enough for any onnxruntime since 1.13
_IMAGE = (0, 3, 1, 2)  #: rows, columns, channels to channels, rows, columns


def to_onnx(spec: ArchSpec, model: Any) -> bytes:
    """Return a Keras model that ``build(spec)`` made, as the bytes of an .onnx file.

    Input "x" and output "y" are float32 [1, rows, columns, 1] as in Keras; between them stand
    channels first, as ONNX wants them. A normalisation is folded into the weights, as the converter
    to .tflite does. Raises ImportError without the package ``onnx``.
    """
    graph = _Nodes()
    values = graph.add("Transpose", ["x"], perm=_IMAGE)
    for layer in spec.layers:
        values = _WRITERS[layer.kind](graph, layer, model, values)
        if layer.relu:
            values = graph.add("Relu", [values])
    graph.add("Transpose", [values], "y", perm=np.argsort(_IMAGE).tolist())
    return graph.file(spec)


class _Nodes:
    """The nodes and constants of a graph, in the order in which they run."""

    def __init__(self) -> None:
        self._nodes: list[Any] = []
        self._constants: list[Any] = []

    def add(self, kind: str, inputs: list[str], output: str = "", **attributes: Any) -> str:
        """Add a node of one output; return the output's name."""
        from onnx import helper

        output = output or f"{kind}{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def constant(self, values: NDArray[Any]) -> str:
        """Add a constant; return its name."""
        from onnx import numpy_helper

        name = f"constant{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def file(self, spec: ArchSpec) -> bytes:
        """Return all of it as a checked file."""
        from onnx import TensorProto, checker, helper

        ends = [
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, *shape])]
            for name, shape in (("x", spec.layers[0].source), ("y", spec.layers[-1].target))
        ]
        graph = helper.make_graph(self._nodes, spec.name, *ends, initializer=self._constants)
        opset = [helper.make_opsetid("", OPSET)]
        file = helper.make_model(graph, opset_imports=opset, ir_version=IR_VERSION)
        checker.check_model(file, full_check=True)
        return bytes(file.SerializeToString())


def _conv(graph: _Nodes, layer: Layer, model: Any, x: str) -> str:
    kernel, bias = _folded(model, layer, -1)
    padding = _pads(layer, layer.source, layer.target)
    return _convolved(graph, x, kernel.transpose(3, 2, 0, 1), bias, layer.stride, padding)


def _transpose_conv(graph: _Nodes, layer: Layer, model: Any, x: str) -> str:
    kernel, bias = _folded(model, layer, -2)
    steps = zip(layer.stride, layer.kernel, strict=True)
    return graph.add(
        "ConvTranspose",
        [x, graph.constant(kernel.transpose(3, 2, 0, 1)), graph.constant(bias)],
        strides=layer.stride,
        # The gradient of a convolution: what that pads, this cuts off.
        pads=_pads(layer, layer.target, layer.source),
        output_padding=[max(stride - taps, 0) for stride, taps in steps],
    )


def _separable(graph: _Nodes, layer: Layer, model: Any, x: str) -> str:
    depth, point, bias = map(np.asarray, model.get_layer(layer.name).get_weights())
    padding = _pads(layer, layer.source, layer.target)
    depth = depth.transpose(2, 3, 0, 1)
    x = _convolved(graph, x, depth, None, layer.stride, padding, group=layer.source[2])
    return _convolved(graph, x, point.transpose(3, 2, 0, 1), bias, (1, 1), [0] * 4)


def _convolved(
    graph: _Nodes,
    x: str,
    kernel: Floats,
    bias: Floats | None,
    stride: Pair,
    pads: list[int],
    group: int = 1,
) -> str:
    constants = [graph.constant(values) for values in (kernel, bias) if values is not None]
    return graph.add("Conv", [x, *constants], strides=stride, pads=pads, group=group)


def _dense(graph: _Nodes, layer: Layer, model: Any, x: str) -> str:
    """Add the product, its rows and columns in the order of channels first."""
    kernel, bias = _folded(model, layer, -1)
    rows, columns, channels = layer.target
    kernel = kernel.reshape(*layer.source, *layer.target).transpose(2, 0, 1, 5, 3, 4)
    kernel = kernel.reshape(-1, rows * columns * channels)
    bias = bias.reshape(layer.target).transpose(2, 0, 1).ravel()
    flat = graph.add("Flatten", [x])
    y = graph.add("Gemm", [flat, graph.constant(kernel), graph.constant(bias)])
    return graph.add("Reshape", [y, graph.constant(np.array([1, channels, rows, columns]))])


def _max_pool(graph: _Nodes, layer: Layer, model: Any, x: str) -> str:
    return graph.add("MaxPool", [x], kernel_shape=layer.kernel, strides=layer.stride)


def _upsample(graph: _Nodes, layer: Layer, model: Any, x: str) -> str:
    factors = graph.constant(np.array([1, 1, *layer.stride], np.float32))
    how = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    return graph.add("Resize", [x, "", factors], mode="nearest", **how)


_WRITERS: dict[str, Callable[[_Nodes, Layer, Any, str], str]] = {
    "conv": _conv,
    "transpose_conv": _transpose_conv,
    "separable": _separable,
    "dense": _dense,
    "max_pool": _max_pool,
    "upsample": _upsample,
}


def _folded(model: Any, layer: Layer, outputs: int) -> tuple[Floats, Floats]:
    """Return kernel and bias with the normalisation in them; ``outputs``: the kernel's axis."""
    kernel: Floats
    bias: Floats
    kernel, bias = map(np.asarray, model.get_layer(layer.name).get_weights())
    if not layer.norm:
        return kernel, bias
    norm = model.get_layer(f"{layer.name}_norm")
    gamma, beta, mean, variance = map(np.asarray, norm.get_weights())
    gain = np.asarray(gamma / np.sqrt(variance + norm.epsilon), np.float32)
    shape = [1] * kernel.ndim
    shape[outputs] = -1
    return kernel * gain.reshape(shape), (bias - mean) * gain + beta


def _pads(layer: Layer, source: tuple[int, ...], target: tuple[int, ...]) -> list[int]:
    """Return ONNX's pads (before, then after) of a convolution from ``source`` to ``target``."""
    if layer.padding == "valid":
        return [0] * 4
    sizes = zip(source, target, layer.kernel, layer.stride, strict=False)
    totals = [max((t - 1) * stride + taps - s, 0) for s, t, taps, stride in sizes]
    before = [total // 2 for total in totals]
    return [*before, *(total - b for total, b in zip(totals, before, strict=True))]
