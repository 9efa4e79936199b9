"""The intermediate form: int8 tensors, nodes and a graph that can check and execute itself.

Shapes are NHWC and keep the batch dimension, which is always 1.
"""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import prod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from outliernets.errors import UnsupportedModelError

Array = NDArray[Any]
Shape = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Tensor:
    """A quantised tensor: ``real = scale * (q - zero_point)``.

    ``scales`` has one float32 value, or one per output channel (weights only).
    ``data`` is set for constants. ``dtype`` is ``int8`` (values) or ``int32`` (biases, shapes).
    """

    name: str
    shape: Shape
    dtype: str = "int8"
    scales: tuple[float, ...] = ()
    zero_point: int = 0
    data: Array | None = field(default=None, repr=False)

    @property
    def size(self) -> int:
        """Number of elements."""
        return prod(self.shape)

    @property
    def scale(self) -> float:
        """The single scale of a per-tensor quantised tensor."""
        return self.scales[0]

    @property
    def is_constant(self) -> bool:
        """Whether the values are known at compile time."""
        return self.data is not None

    @property
    def values(self) -> Array:
        """The values of a constant."""
        assert self.data is not None, f"{self.name} is not a constant"
        return self.data

    def quantize(self, real: Array) -> NDArray[np.int8]:
        """Return the int8 values nearest to real numbers, saturated."""
        steps = np.rint(np.asarray(real, np.float64) / self.scale) + self.zero_point
        quantized: NDArray[np.int8] = np.clip(steps, -128, 127).astype(np.int8)
        return quantized

    @property
    def dims(self) -> str:
        """The shape without the batch, for people: ``32x128x4``."""
        return "x".join(map(str, self.shape[1:] if len(self.shape) > 1 else self.shape))


@dataclass(frozen=True)
class Site:
    """Where an op stands: the tensors it reads, in the op's own order, and writes."""

    inputs: tuple[Tensor, ...]
    output: Tensor

    @property
    def x(self) -> Tensor:
        """The first (usually the only) input that is not a constant."""
        return self.inputs[0]

    def requantises(self) -> str | None:
        """Say so if the first input and the output differ in scale or zero point."""
        x, y = self.x, self.output
        same = (x.scales, x.zero_point) == (y.scales, y.zero_point)
        return None if same else f"'{x.name}' and '{y.name}' differ in scale or zero point"


class Op(ABC):
    """What a node computes. One subclass per file of ``outliernets/ops``.

    A limit is a method ``limit_*(site)``; its docstring is the rule, for users; it returns None
    or what breaks the rule. The template is ``templates/ops/<module name>.c.j2``.
    """

    #: names of the TensorFlow Lite ops this class implements
    tflite: ClassVar[tuple[str, ...]] = ()
    #: whether the template has a variant that scores the output's rows instead of keeping them
    scores_rows: ClassVar[bool] = False

    @classmethod
    def kind(cls) -> str:
        """The op's short name, which is its module's: ``conv2d``."""
        return cls.__module__.rpartition(".")[2]

    @classmethod
    @abstractmethod
    def from_tflite(cls, options: Mapping[str, Any], site: Site) -> tuple["Op", Site]:
        """Build the op from TFLite's options; return it and the site with the inputs it keeps.

        Inputs that only configure the op (sizes, axes, paddings) become attributes and are dropped.
        """

    @abstractmethod
    def infer(self, site: Site) -> Shape:
        """Return the shape of the output for these inputs."""

    @abstractmethod
    def run(self, site: Site, *arrays: Array) -> Array:
        """Compute the output bit-exactly as TensorFlow Lite Micro does; arrays are the inputs."""

    @abstractmethod
    def context(self, site: Site) -> dict[str, Any]:
        """Return what the op's template needs: numbers and arrays, ready to print."""

    def macs(self, site: Site) -> int:
        """Multiply-accumulate operations; 0 for ops that do not multiply weights."""
        return 0

    def scratch_bytes(self, site: Site) -> int:
        """Bytes of memory the op's C needs while it runs, besides its inputs and output."""
        return 0

    def title(self) -> str:
        """The op's settings in a few words, for comments in generated code."""
        return ""

    @classmethod
    def limits(cls) -> Iterator[tuple[str, str]]:
        """Yield (method name, rule) of every limit, in the order they are written."""
        for base in reversed(cls.__mro__):
            for name in vars(base):
                if name.startswith("limit_"):
                    yield name, inspect.cleandoc(getattr(cls, name).__doc__ or "")

    def check(self, site: Site) -> None:
        """Raise UnsupportedModelError with the rule and the offending value if a limit is hit."""
        for name, rule in type(self).limits():
            found = getattr(self, name)(site)
            if found:
                raise UnsupportedModelError(f"{rule} Here: {found}.")

    def limit_int8(self, site: Site) -> str | None:
        """Activations are int8 with one scale and zero point."""
        for tensor in (site.x, site.output):
            if tensor.dtype != "int8":
                return f"tensor '{tensor.name}' is {tensor.dtype}"
            if len(tensor.scales) != 1:
                return f"tensor '{tensor.name}' has {len(tensor.scales)} scales"
        return None

    def limit_batch(self, site: Site) -> str | None:
        """The batch is 1."""
        shape = site.x.shape
        return None if len(shape) >= 1 and shape[0] == 1 else f"shape {shape} of '{site.x.name}'"


@dataclass(frozen=True)
class Node:
    """One step of the network: ``output = op(inputs)``; tensors are named."""

    name: str
    op: Op
    inputs: tuple[str, ...]
    output: str


@dataclass(frozen=True)
class Graph:
    """A network with one input and one output; nodes are in order of execution."""

    name: str
    tensors: Mapping[str, Tensor]
    nodes: tuple[Node, ...]
    input: str
    output: str

    def site(self, node: Node) -> Site:
        """Return the tensors of ``node``."""
        return Site(tuple(self.tensors[n] for n in node.inputs), self.tensors[node.output])

    @property
    def x(self) -> Tensor:
        """The input tensor."""
        return self.tensors[self.input]

    @property
    def y(self) -> Tensor:
        """The output tensor."""
        return self.tensors[self.output]

    @cached_property
    def macs(self) -> int:
        """Multiply-accumulate operations of one inference."""
        return sum(node.op.macs(self.site(node)) for node in self.nodes)

    @cached_property
    def weight_bytes(self) -> int:
        """Bytes of all constants (weights and biases) of the network."""
        used = {name for node in self.nodes for name in node.inputs}
        return sum(t.values.nbytes for n in used if (t := self.tensors[n]).is_constant)

    def renamed(self, name: str) -> "Graph":
        """Return the same graph under another name."""
        return replace(self, name=name)


@dataclass(frozen=True)
class MemoryPlan:
    """Byte offsets in one arena, and the arena's size in bytes.

    ``offsets`` has the intermediate tensors by name, and what ops need while they run by the name
    of their node.
    """

    offsets: Mapping[str, int]
    size: int


@dataclass(frozen=True)
class Lowered:
    """A graph that is ready to be printed as C, and where its tensors live."""

    graph: Graph
    memory: MemoryPlan


def verify(graph: Graph) -> None:
    """Raise UnsupportedModelError, naming the node and the rule, if the graph is not well formed.

    Every input is known before it is used, every tensor is written once, shapes agree with the
    ops and every limit of every op holds.
    """
    known = {name for name, t in graph.tensors.items() if t.is_constant} | {graph.input}
    for node in graph.nodes:
        where = f"{graph.name}: {'/'.join(type(node.op).tflite)} '{node.name}'"
        if missing := [n for n in node.inputs if n not in known]:
            raise UnsupportedModelError(f"{where}: input '{missing[0]}' is not computed before it")
        if node.output in known:
            raise UnsupportedModelError(f"{where}: tensor '{node.output}' is written twice")
        site = graph.site(node)
        try:
            node.op.check(site)
        except UnsupportedModelError as error:
            raise UnsupportedModelError(f"{where}: {error}") from None
        shape = node.op.infer(site)
        if shape != site.output.shape:
            raise UnsupportedModelError(
                f"{where}: computes shape {shape} but tensor '{node.output}' says "
                f"{site.output.shape}"
            )
        known.add(node.output)
    if graph.output not in known:
        raise UnsupportedModelError(f"{graph.name}: output '{graph.output}' is never computed")


def execute(graph: Graph, x: Array) -> Array:
    """Run the graph on one int8 input (any shape of the right size); return the int8 output."""
    values = trace(graph, x)
    return values[graph.output]


def trace(graph: Graph, x: Array) -> dict[str, Array]:
    """Run the graph on one int8 input; return the values of every tensor, for finding faults."""
    values: dict[str, Array] = {n: t.values for n, t in graph.tensors.items() if t.is_constant}
    values[graph.input] = np.asarray(x, np.int8).reshape(graph.x.shape)
    for node in graph.nodes:
        site = graph.site(node)
        values[node.output] = node.op.run(site, *_arrays(values, node.inputs))
    return values


def _arrays(values: Mapping[str, Array], names: Sequence[str]) -> list[Array]:
    return [values[name] for name in names]
