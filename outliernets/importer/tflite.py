"""Read a full-int8 .tflite file into a Graph; refuse, by name and reason, what cannot be compiled.

QUANTIZE and DEQUANTIZE at the edges are dropped: the border of the compiled network is int8, with
the scale and zero point of the tensors behind them.
"""

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from outliernets.config import c_identifier
from outliernets.errors import DataError, UnsupportedModelError
from outliernets.graph import Array, Graph, Node, Site, Tensor, verify
from outliernets.ops import by_tflite_name

IDENTIFIER = b"TFL3"
#: what reading nonsense out of a damaged flatbuffer ends in
DAMAGE = (
    struct.error, IndexError, KeyError, ValueError, TypeError, AttributeError, OverflowError,
    MemoryError, ZeroDivisionError,
)  # fmt: skip


def read(path: Path, name: str | None = None) -> Graph:
    """Return the verified graph of a .tflite file.

    Raises DataError for a file that is not a whole .tflite, UnsupportedModelError for a model that
    is not full int8, has several inputs or outputs, or uses an op or setting that is not supported.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    if len(content) < 8 or content[4:8] != IDENTIFIER:
        raise DataError(
            f"{path}: not a .tflite file (no 'TFL3' mark); export one with "
            "tf.lite.TFLiteConverter or 'ongen train'"
        )
    try:
        graph = _Reader(_parse(content), path.name).graph(name or c_identifier(path.stem))
        verify(graph)
    except DAMAGE as error:
        raise DataError(
            f"{path}: truncated or damaged .tflite file of {len(content)} bytes "
            f"({type(error).__name__}: {' '.join(str(error).split())})"
        ) from error
    return graph


def _parse(content: bytes) -> Any:
    from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

    return schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))


class _Reader:
    """Turns the flatbuffer's objects into tensors and nodes."""

    def __init__(self, model: Any, file_name: str) -> None:
        from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

        self.model, self.file = model, file_name
        self.op_names = {v: k for k, v in vars(schema.BuiltinOperator).items() if k.isupper()}
        self.type_names = {v: k for k, v in vars(schema.TensorType).items() if k.isupper()}
        if len(model.subgraphs or ()) != 1:
            raise self.refusal(f"has {len(model.subgraphs or ())} subgraphs, needs exactly one")
        self.subgraph = model.subgraphs[0]

    def refusal(self, why: str) -> UnsupportedModelError:
        return UnsupportedModelError(f"{self.file}: {why}")

    def graph(self, name: str) -> Graph:
        operators = [_Operator(self, o) for o in self.subgraph.operators or ()]
        start, end = (
            self.border("input", self.subgraph.inputs),
            self.border("output", self.subgraph.outputs),
        )
        if operators and operators[0].is_float_edge("QUANTIZE", operators[0].inputs[0], start):
            start = operators.pop(0).output
        if operators and operators[-1].is_float_edge("DEQUANTIZE", operators[-1].output, end):
            end = operators.pop().inputs[0]
        self.require_known([o.name for o in operators])
        self.require_int8("input", start)
        self.require_int8("output", end)
        tensors = [self.tensor(i) for i in range(len(self.subgraph.tensors))]
        if not operators:
            self.require_zero(tensors[end])
        nodes, kept = self.nodes(operators, tensors)
        kept |= {tensors[start].name, tensors[end].name}
        return Graph(
            name=name,
            tensors={t.name: t for t in tensors if t.name in kept},
            nodes=nodes,
            input=tensors[start].name,
            output=tensors[end].name,
        )

    def border(self, what: str, indices: Sequence[int] | None) -> int:
        if indices is None or len(indices) != 1:
            count = 0 if indices is None else len(indices)
            raise self.refusal(f"has {count} {what}s, needs exactly one")
        return int(indices[0])

    def require_known(self, names: Sequence[str]) -> None:
        known = by_tflite_name()
        unknown = sorted({n for n in names if n not in known})
        if unknown:
            raise self.refusal(
                f"op {', '.join(unknown)} is not supported; possible are {', '.join(sorted(known))}"
                " (see 'ongen ops')"
            )

    def require_int8(self, what: str, index: int) -> None:
        kind = self.type_names[self.subgraph.tensors[index].type]
        if kind != "INT8":
            raise self.refusal(
                f"its {what} is {kind}, needs INT8: convert with full-integer quantisation "
                "(inference_input_type = inference_output_type = tf.int8)"
            )

    def require_zero(self, y: Tensor) -> None:
        """Refuse a model without operators, unless it says that there is no network."""
        if not y.is_constant or np.any(y.values != y.zero_point):
            raise self.refusal("has no operators, and its output is not a constant zero")

    def nodes(
        self, operators: "Sequence[_Operator]", tensors: Sequence[Tensor]
    ) -> tuple[tuple[Node, ...], set[str]]:
        nodes, kept = [], set()
        for number, operator in enumerate(operators):
            site = Site(
                tuple(tensors[i] for i in operator.inputs if i >= 0), tensors[operator.output]
            )
            try:
                op, site = by_tflite_name()[operator.name].from_tflite(operator.options, site)
            except UnsupportedModelError as error:
                raise self.refusal(f"{operator.name} '{site.output.name}': {error}") from None
            inputs = tuple(t.name for t in site.inputs)
            nodes.append(Node(f"n{number:02d}_{type(op).kind()}", op, inputs, site.output.name))
            kept |= {*inputs, site.output.name}
        return tuple(nodes), kept

    def tensor(self, index: int) -> Tensor:
        raw = self.subgraph.tensors[index]
        kind = self.type_names[raw.type].lower()
        shape = tuple(int(n) for n in raw.shape) if raw.shape is not None else ()
        scales, zero_points = self.quantisation(raw)
        return Tensor(
            name=self.tensor_name(index),
            shape=shape,
            dtype=kind,
            scales=scales,
            zero_point=zero_points[0] if zero_points else 0,
            data=self.constant(raw, kind, shape),
        )

    def tensor_name(self, index: int) -> str:
        """The file's own name, made unique: some converters repeat names."""
        name = _text(self.subgraph.tensors[index].name)
        repeated = any(_text(t.name) == name for t in self.subgraph.tensors[:index])
        return f"{name}#{index}" if repeated else name

    def quantisation(self, raw: Any) -> tuple[tuple[float, ...], list[int]]:
        q = raw.quantization
        if q is None or q.scale is None:
            return (), []
        zero_points = [] if q.zeroPoint is None else [int(z) for z in q.zeroPoint]
        if len(set(zero_points)) > 1:
            raise self.refusal(f"tensor '{_text(raw.name)}' has several zero points")
        return tuple(float(s) for s in q.scale), zero_points

    def constant(self, raw: Any, kind: str, shape: tuple[int, ...]) -> Array | None:
        content = self.model.buffers[raw.buffer].data
        if content is None or len(content) == 0:
            return None
        dtype = {"int8": np.int8, "int32": np.int32, "float32": np.float32}.get(kind)
        if dtype is None:
            return None
        values = np.frombuffer(bytes(bytearray(content)), dtype)
        if values.size != int(np.prod(shape, dtype=np.int64)):
            raise self.refusal(
                f"tensor '{_text(raw.name)}' has {values.size} values, its shape {shape} says "
                "otherwise: the file is damaged"
            )
        return values.reshape(shape)


class _Operator:
    """One operator of the file, by name, with its options as a dictionary."""

    def __init__(self, reader: _Reader, raw: Any) -> None:
        code = reader.model.operatorCodes[raw.opcodeIndex]
        number = max(code.builtinCode, code.deprecatedBuiltinCode)
        self.name = reader.op_names.get(number, f"number {number}")
        if self.name == "CUSTOM":
            self.name = f"CUSTOM {_text(code.customCode)}"
        self.inputs = [int(i) for i in raw.inputs]
        self.output = int(raw.outputs[0])
        self.options: Mapping[str, Any] = vars(raw.builtinOptions) if raw.builtinOptions else {}
        self.reader = reader

    def is_float_edge(self, name: str, float_side: int, border: int) -> bool:
        kind = self.reader.type_names[self.reader.subgraph.tensors[float_side].type]
        return self.name == name and float_side == border and kind == "FLOAT32"


def _text(raw: bytes | str | None) -> str:
    return raw.decode("utf-8", "replace") if isinstance(raw, bytes) else raw or ""
