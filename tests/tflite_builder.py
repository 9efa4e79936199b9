"""Write small full-int8 .tflite files directly, without TensorFlow: any setting at will."""

from collections.abc import Sequence
from typing import Any

import flatbuffers
import numpy as np
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

TYPES = {"int8": np.int8, "int32": np.int32, "float32": np.float32}


class TfliteBuilder:
    """Collects tensors and operators; ``build()`` returns the file's bytes."""

    def __init__(self, seed: int = 7) -> None:
        self.rng = np.random.default_rng(seed)
        self.tensors: list[Any] = []
        self.buffers = [schema.BufferT()]
        self.codes: list[str] = []
        self.operators: list[Any] = []

    def tensor(
        self,
        shape: Sequence[int],
        scale: float | Sequence[float] | None = None,
        zero_point: int = 0,
        dtype: str = "int8",
        data: np.ndarray | None = None,
        axis: int = 0,
        name: str | None = None,
    ) -> int:
        t = schema.TensorT()
        t.name = name or f"t{len(self.tensors)}"
        t.shape = list(shape)
        t.type = getattr(schema.TensorType, dtype.upper())
        t.buffer = 0
        if data is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(np.asarray(data, TYPES[dtype]).tobytes(), np.uint8)
            self.buffers.append(buffer)
            t.buffer = len(self.buffers) - 1
        if scale is not None:
            scales = np.atleast_1d(np.asarray(scale, np.float32))
            q = schema.QuantizationParametersT()
            q.scale, q.zeroPoint = scales, np.full(len(scales), zero_point, np.int64)
            q.quantizedDimension = axis
            t.quantization = q
        self.tensors.append(t)
        return len(self.tensors) - 1

    def activation(self, shape: Sequence[int], scale: float = 0.05, zero_point: int = 3) -> int:
        return self.tensor(shape, scale, zero_point)

    def weights(self, shape: Sequence[int], channels: int, axis: int = 0, per_channel=True) -> int:
        scales = self.rng.uniform(0.002, 0.02, channels if per_channel else 1)
        data = self.rng.integers(-127, 128, shape)
        return self.tensor(shape, scales, 0, "int8", data, axis if per_channel else 0)

    def bias(self, x: int, w: int, channels: int) -> int:
        scales = np.float32(self.tensors[x].quantization.scale[0]) * np.asarray(
            self.tensors[w].quantization.scale, np.float32
        )
        return self.tensor([channels], scales, 0, "int32", self.rng.integers(-3000, 3000, channels))

    def constant(self, values: Any) -> int:
        data = np.asarray(values, np.int32)
        return self.tensor(data.shape, dtype="int32", data=data)

    def op(
        self,
        name: str,
        inputs: Sequence[int],
        output: int,
        options_type: str | None = None,
        **options: Any,
    ) -> int:
        operator = schema.OperatorT()
        if name not in self.codes:
            self.codes.append(name)
        operator.opcodeIndex = self.codes.index(name)
        operator.inputs, operator.outputs = list(inputs), [output]
        if options_type:
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, options_type)
            operator.builtinOptions = getattr(schema, f"{options_type}T")()
            for key, value in options.items():
                if key not in vars(operator.builtinOptions):
                    raise AttributeError(f"{options_type} has no {key}")
                setattr(operator.builtinOptions, key, value)
        self.operators.append(operator)
        return output

    def build(self, inputs: int | Sequence[int], outputs: int | Sequence[int]) -> bytes:
        graph = schema.SubGraphT()
        graph.name = "main"
        graph.tensors, graph.operators = self.tensors, self.operators
        graph.inputs = [inputs] if isinstance(inputs, int) else list(inputs)
        graph.outputs = [outputs] if isinstance(outputs, int) else list(outputs)
        model = schema.ModelT()
        model.version = 3
        model.subgraphs, model.buffers = [graph], self.buffers
        model.operatorCodes = [self._code(name) for name in self.codes]
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    def _code(self, name: str) -> Any:
        code = schema.OperatorCodeT()
        number = getattr(schema.BuiltinOperator, name)
        code.builtinCode, code.deprecatedBuiltinCode = number, min(number, 127)
        code.version = 1
        return code


SAME, VALID = 0, 1
NONE, RELU, RELU_N1_TO_1, RELU6 = 0, 1, 2, 3
