"""What a lowered network will cost, in milliseconds and without a compiler.

Memory is known exactly. Instructions and bytes of code are estimates: what the generated C does
(``work``), times what each step takes on a class of processors with a compiler (``cost.toml``,
fitted by ``bench/fit_cost.py`` to exact counts). docs/cost-model.md says how far off they are.
"""

import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from outliernets.errors import ConfigError, near_miss
from outliernets.graph import Lowered
from outliernets.kernels import loops, work

TABLE = Path(__file__).with_name("cost.toml")

#: processors that take the same instructions
CLASSES = {"cortex-m7": "dsp", "cortex-m4": "dsp", "cortex-a72": "a72"}

Rates = Mapping[str, Mapping[str, float]]  #: of each step of each kind of function


@dataclass(frozen=True)
class FunctionCost:
    """An estimate of one function of the generated C, for one inference."""

    stage: str  #: the stage of a chain of rows it belongs to; "" where it is none's
    kind: str
    instructions: float
    code: float  #: bytes
    constants: int  #: bytes, exact


@dataclass(frozen=True)
class NodeCost:
    """An estimate of one lowered node."""

    name: str
    functions: tuple[FunctionCost, ...]

    @property
    def instructions(self) -> float:
        """Of one inference."""
        return sum(f.instructions for f in self.functions)

    @property
    def flash(self) -> float:
        """Bytes of code and constants."""
        return sum(f.code + f.constants for f in self.functions)

    @property
    def stages(self) -> dict[str, float]:
        """Instructions of one inference by stage, in order; "load" brings the input in."""
        total: Counter[str] = Counter()
        for f in self.functions:
            total[f.stage] += f.instructions  # type: ignore[assignment]
        return dict(total)


@dataclass(frozen=True)
class Cost:
    """An estimate of a network."""

    nodes: tuple[NodeCost, ...]  #: the last, "infer", is the function that calls the others
    ram: int  #: bytes of state, input and output; exact

    @property
    def instructions(self) -> float:
        """Of one inference."""
        return sum(node.instructions for node in self.nodes)

    @property
    def flash(self) -> float:
        """Bytes of code and constants."""
        return sum(node.flash for node in self.nodes)


def predict(lowered: Lowered, cpu: str = "cortex-m7", compiler: str = "zig") -> Cost:
    """Estimate what a network costs on a processor with a compiler.

    Raise ConfigError for a processor or compiler that the model was not fitted to.
    """
    graph = lowered.graph
    model = Model.of(cpu, compiler)
    nodes = [NodeCost(n.name, model.functions(work.of_node(graph, n))) for n in graph.nodes]
    nodes.append(NodeCost("infer", model.functions([work.of_infer(graph)])))
    return Cost(tuple(nodes), max(lowered.memory.size, loops.WORD) + graph.x.size + graph.y.size)


def stage_instructions(stage: loops.Context, rows: int) -> float:
    """Return what a stage of a chain takes for ``rows`` rows: the mean of all compilers.

    For choosing between kernels, and so without regard to the compiler: the C is the same for all.
    """
    models = _models()["dsp"].values()
    functions = list(work.stage_functions(stage, rows, rows))
    costs = [cost.instructions for model in models for cost in model.functions(functions)]
    return sum(costs) / len(models)


@dataclass(frozen=True)
class Model:
    """What steps take on a class of processors with a compiler."""

    instructions: Rates
    code: Rates

    @classmethod
    def of(cls, cpu: str, compiler: str) -> "Model":
        """Return the model of a processor and a compiler; raise ConfigError if there is none."""
        if cpu not in CLASSES:
            raise ConfigError(f"no cost model for cpu '{cpu}' ({near_miss(cpu, CLASSES)})")
        models = _models()[CLASSES[cpu]]
        if compiler not in models:
            known = near_miss(compiler, models)
            raise ConfigError(f"no cost model for compiler '{compiler}' ({known})")
        return models[compiler]

    def functions(self, functions: Iterable[loops.Function]) -> tuple[FunctionCost, ...]:
        """Estimate functions."""
        return tuple(self._function(f) for f in functions)

    def _function(self, f: loops.Function) -> FunctionCost:
        instructions = _times(f.executed, self.instructions[f.kind])
        code = _times(f.written, self.code[f.kind])
        return FunctionCost(f.stage, f.kind, instructions, code, f.constants)


def _times(steps: Mapping[str, float], rates: Mapping[str, float]) -> float:
    return sum(count * rates.get(step, 0.0) for step, count in steps.items())


@cache
def _models() -> dict[str, dict[str, Model]]:
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    return {
        name: {compiler: Model(**rates) for compiler, rates in compilers.items()}
        for name, compilers in table.items()
    }
