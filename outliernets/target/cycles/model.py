"""From a program's flow to cycles: what the models of all processors share."""

from bisect import bisect_right
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from outliernets.target.base import NOWHERE, Flow
from outliernets.target.cycles import a72, m7
from outliernets.target.cycles.decode import Branch, Decoder, Instruction, aarch64, thumb
from outliernets.target.machines import load_segments
from outliernets.target.symbols import Functions


class Pipeline(Protocol):
    """The state of a processor's pipeline; what it issues comes from ``Core.prepare``."""

    def issue(self, prepared: Any) -> None:
        """Go on by one instruction."""

    def branch_taken(self) -> None:
        """Go on at another place, as was predicted."""

    def now(self) -> float:
        """Return the cycles that everything so far has taken."""


@dataclass(frozen=True)
class Core:
    """A model of a processor."""

    title: str
    error: float  #: relative, of a whole network; see docs/latency.md
    mispredicted: float  #: cycles of a branch that was predicted wrongly
    warm_up: int  #: how many instructions before a block have a say in its time
    decode: Decoder
    prepare: Callable[[Instruction], Any]  #: what the pipeline knows about an instruction
    pipeline: Callable[[], Pipeline]


VERSION = 1  #: to be raised when equal counts come to give other figures

CORES = {
    "cortex-m7": Core(
        "Cortex-M7, two instructions at a time in order",
        error=0.15,
        mispredicted=m7.MISPREDICTED,
        warm_up=32,
        decode=thumb,
        prepare=m7.prepare,
        pipeline=m7.Pipeline,
    ),
    "cortex-a72": Core(
        "Cortex-A72, three instructions at a time out of order",
        error=0.30,
        mispredicted=a72.MISPREDICTED,
        warm_up=160,
        decode=aarch64,
        prepare=a72.prepare,
        pipeline=a72.Pipeline,
    ),
}  #: by a board's ``cpu``


@dataclass(frozen=True)
class Estimate:
    """Estimated cycles of a run."""

    basis: str  #: which model, for people
    error: float  #: relative
    functions: Mapping[str, float]  #: cycles by function


def estimate(elf: Path, cpu: str, flow: Flow) -> Estimate | None:
    """Return cycles by function; None if nothing was counted or the processor has no model.

    Memory is taken to answer at once (tightly coupled, or a hit in the cache), and addresses to be
    aligned. Code without a symbol counts as ``?``. Equal input, equal figures. Raises
    MissingToolError without the package capstone, TargetError if ``elf`` cannot be read.
    """
    if not flow.steps or cpu not in CORES:
        return None
    core = CORES[cpu]
    return Estimate(
        f"model of a {core.title}", core.error, _Walk(elf, core, flow).cycles(Functions(elf))
    )


@dataclass(frozen=True)
class _Block:
    address: int
    end: int
    prepared: tuple[Any, ...]
    decides: bool  #: ends in a branch that is taken or not


class _Walk:
    """Goes every step of a flow through a pipeline."""

    def __init__(self, elf: Path, core: Core, flow: Flow) -> None:
        self._core, self._flow = core, flow
        segments = [s for s in load_segments(elf) if s.executable]
        self._segments = sorted(segments, key=lambda s: s.address)
        self._blocks: dict[int, _Block] = {}
        self._usual = _usual_ways(flow)

    def cycles(self, functions: Functions) -> dict[str, float]:
        """Return cycles by function."""
        totals: defaultdict[str, float] = defaultdict(float)
        taken: Counter[tuple[int, bool]] = Counter()
        for (first, second), times in self._flow.steps.items():
            totals[functions.name_at(second) or "?"] += self._cost(first, second) * times
            if first != NOWHERE and self._block(first).decides:
                taken[first, second != self._block(first).end] += times
        for address in sorted({a for a, _ in taken}):
            wrong = min(taken[address, True], taken[address, False])
            totals[functions.name_at(address) or "?"] += self._core.mispredicted * wrong
        return dict(totals)

    def _cost(self, first: int, second: int) -> float:
        """Return the cycles that ``second`` takes after ``first``."""
        pipeline = self._core.pipeline()
        block = self._block(second)
        for before, after in self._history(first, second):
            for prepared in before:
                pipeline.issue(prepared)
            if after:
                pipeline.branch_taken()
        start = pipeline.now()
        for prepared in block.prepared:
            pipeline.issue(prepared)
        return pipeline.now() - start

    def _history(self, first: int, second: int) -> deque[tuple[tuple[Any, ...], bool]]:
        """Return what ran before ``second``: instructions, and whether a taken branch follows.

        Before ``first`` came what comes before it most often, and so on.
        """
        history: deque[tuple[tuple[Any, ...], bool]] = deque()
        room = self._core.warm_up
        while first != NOWHERE and room > 0:
            block = self._block(first)
            history.appendleft((block.prepared[-room:], block.end != second))
            room -= len(block.prepared)
            first, second = self._usual.get(first, NOWHERE), first
        return history

    def _block(self, address: int) -> _Block:
        if address not in self._blocks:
            self._blocks[address] = self._decoded(address)
        return self._blocks[address]

    def _decoded(self, address: int) -> _Block:
        size = self._flow.sizes[address]
        i = bisect_right([s.address for s in self._segments], address) - 1
        start = address - self._segments[i].address
        code = self._segments[i].data[start : start + size]
        instructions = self._core.decode(code, address)
        return _Block(
            address,
            address + size,
            tuple(self._core.prepare(i) for i in instructions),
            bool(instructions) and instructions[-1].branch is Branch.MAYBE,
        )


def _usual_ways(flow: Flow) -> dict[int, int]:
    """Return, for each block, the block that ran before it most often."""
    best: dict[int, tuple[int, int]] = {}
    for (first, second), times in flow.steps.items():
        if first != NOWHERE:
            best[second] = max(best.get(second, (0, 0)), (times, -first))
    return {second: -first for second, (_, first) in best.items()}
