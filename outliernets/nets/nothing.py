"""The network that is none: it makes zeros of everything, so what is left of a view is the view."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from outliernets.errors import ConfigError
from outliernets.nets.chain import read_input, within
from outliernets.nets.layers import LARGEST_WIDTH, Layer, Pair

if TYPE_CHECKING:
    from outliernets.nets.space import ArchSpec

STEPS = 255  #: between the smallest and the largest int8 value


class Nothing:
    """The family of networks without a layer; members differ in what they do not look at."""

    keys: Sequence[str] = ("input",)

    def read(self, table: Mapping[str, Any], where: str) -> dict[str, Any]:
        """See Family."""
        return {"input": read_input(table, where)}

    def write(self, spec: "ArchSpec") -> list[str]:
        """See Family."""
        assert spec.input is not None
        return [f"input = {list(spec.input)}"]

    def draw(self, spec: "ArchSpec") -> tuple[Layer, ...]:
        """See Family."""
        where = f"network '{spec.name}'"
        if spec.input is None or spec.listed or spec.widths or spec.rows:
            raise ConfigError(f"{where}: family {spec.family} takes an input and nothing else")
        within(spec.input, LARGEST_WIDTH, f"{where}, input")
        return ()


@dataclass(frozen=True)
class Zeros:
    """What stands where others have a Keras model: it reads [n, rows, columns, 1], makes zeros."""

    shape: Pair
    variables: Sequence[Any] = ()  #: nothing was learned

    def __call__(self, windows: NDArray[np.float32], training: bool = False) -> Any:
        """Return zeros of the shape of ``windows``."""
        return np.zeros_like(windows)

    def to_int8(self, limit: float) -> bytes:
        """Return it as a .tflite file whose input covers +- ``limit``: a constant, no operator.

        TensorFlow's converter leaves a model without operators in floats.
        """
        import flatbuffers
        from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

        def tensor(name: str, buffer: int) -> Any:
            quantization = schema.QuantizationParametersT()
            quantization.scale, quantization.zeroPoint = [2 * limit / STEPS], [0]
            made = schema.TensorT()
            made.name, made.shape, made.buffer = name, [1, *self.shape, 1], buffer
            made.type, made.quantization = schema.TensorType.INT8, quantization
            return made

        empty, zeros = schema.BufferT(), schema.BufferT()
        zeros.data = np.zeros(prod(self.shape), np.uint8)
        graph, model = schema.SubGraphT(), schema.ModelT()
        graph.tensors, graph.operators = [tensor("input", 0), tensor("zeros", 1)], []
        graph.inputs, graph.outputs = [0], [1]
        model.version, model.operatorCodes = 3, []
        model.subgraphs, model.buffers = [graph], [empty, zeros]
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())
