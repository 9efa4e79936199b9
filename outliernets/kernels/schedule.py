"""The order of the steps of a loop: loads ahead of use, results left to ripen, in few registers.

A Cortex-M7 issues two instructions a cycle, in order, if they suit each other; a word that was just
read or a product that was just made is not there yet. The generated steps keep the order in which
they are written (``on_pairs.h``), so that order is decided here, by a list scheduler: step after
step it takes the one that can be issued earliest, in the order given if several can, as long as all
that are left can still be done within the registers.

What instructions take and which go together (``UNITS``, ``_pair``) is from published measurements:
https://www.quinapalus.com/cm7cycles.html and https://github.com/jnk0le/random, "pipeline_tests".
Other processors of the family issue one instruction a cycle; the order does not matter to them.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property, lru_cache
from typing import NamedTuple

RECENT = 256  #: programs whose order is remembered
REGISTERS = 14  #: of a processor, for values, constants and pointers
AHEAD = (2, 3, 4, 8)  #: loads are moved over at most so many steps; the best is taken
WINDOW = 32  #: steps that are looked at, at most


class Unit(Enum):
    """What goes together with what."""

    LOAD = "load"  #: one word
    ALONE = "alone"  #: two words at once
    PACK = "pack"  #: bit fields, saturation: only as the first of two
    MULTIPLY = "multiply"
    STORE = "store"  #: saturate and store; the two are a pair already


class Instruction(NamedTuple):
    """How a kind of step is executed."""

    unit: Unit
    ready: int  #: cycles from its issue until another step can begin with its result
    added: int  #: the same where the other multiplies and adds to it


#: by kind of step; a load is needed late as an addend, and a product passes to the next at once
INSTRUCTIONS = {
    "word": Instruction(Unit.LOAD, 2, 0),
    "next": Instruction(Unit.LOAD, 2, 0),
    "far": Instruction(Unit.LOAD, 2, 0),
    "nexts": Instruction(Unit.ALONE, 1, 1),
    "straddle": Instruction(Unit.PACK, 1, 1),
    "dot": Instruction(Unit.MULTIPLY, 2, 1),
    "dotx": Instruction(Unit.MULTIPLY, 2, 1),
    "multiply": Instruction(Unit.MULTIPLY, 2, 1),
    "out": Instruction(Unit.STORE, 0, 0),
}


class Value(NamedTuple):
    """Something that is made once: a word of a row (x), of weights (w), or a sum."""

    kind: str
    number: int


Operand = Value | str  #: a string is a constant, and in a register anyway


@dataclass(frozen=True)
class Step:
    """A statement of the generated C. ``kind`` is one of ``INSTRUCTIONS``."""

    kind: str
    makes: tuple[Value, ...] = ()
    of: tuple[Operand, ...] = ()
    onto: Operand | None = None  #: what a product is added to
    pointer: str = ""  #: what a load goes through; "next" and "nexts" move it
    at: int = 0  #: where a load reads or a result goes, from the pointer

    @property
    def reads(self) -> tuple[Value, ...]:
        """Values that it needs, each once."""
        operands = (*self.of, self.onto)
        return tuple(dict.fromkeys(v for v in operands if isinstance(v, Value)))


class Line(NamedTuple):
    """A step with the names of its operands."""

    kind: str
    to: tuple[str, ...]
    of: tuple[str, ...]
    onto: str
    pointer: str
    at: int


@dataclass(frozen=True)
class Program:
    """Steps without branches, each behind those it needs: the body of a loop.

    ``inputs`` are there before, ``outputs`` are needed behind; where a loop comes round, output i
    is input i. There are ``registers`` for values; more are used only if the steps as given do.
    """

    steps: tuple[Step, ...]
    inputs: tuple[Value, ...] = ()
    outputs: tuple[Value, ...] = ()
    registers: int = REGISTERS

    @cached_property
    def counts(self) -> Counter[str]:
        """How many steps there are of each kind."""
        return Counter(step.kind for step in self.steps)

    @cached_property
    def held(self) -> int:
        """Return how many values are held at a time, at most, in the order given."""
        return held(self.steps, self.outputs)

    @cached_property
    def constants(self) -> Counter[str]:
        """How often each constant and each pointer is used."""
        uses = Counter(step.pointer for step in self.steps if step.pointer)
        operands = (v for step in self.steps for v in (*step.of, step.onto))
        uses.update(v for v in operands if isinstance(v, str))
        return uses

    def reloads(self, others: int) -> int:
        """Return how often constants are read again that the registers have no room for.

        Those used least are left in memory; ``others`` are wanted once.
        """
        uses = sorted([*self.constants.values(), *[1] * others])
        return sum(uses[: max(0, self.held + len(uses) - REGISTERS)])

    @property
    def ordered(self) -> tuple[Step, ...]:
        """The steps in the order that takes the fewest cycles of those tried."""
        return _ordered(self)

    @cached_property
    def _named(self) -> tuple[tuple[Line, ...], dict[Value, str]]:
        return _with_names(self)

    @property
    def lines(self) -> tuple[Line, ...]:
        """The ordered steps, with names that are used again as registers are."""
        return self._named[0]

    @property
    def names(self) -> list[str]:
        """Names of all that is made, without those of the inputs."""
        known = {name(v) for v in self.inputs}
        return sorted({made for line in self.lines for made in line.to} - known)

    @property
    def moves(self) -> list[tuple[str, str]]:
        """Pairs (to, from): what brings the outputs into the names of the inputs, in this order."""
        names = self._named[1]
        pairs = zip(self.inputs, self.outputs, strict=True) if self.outputs else ()
        return [(name(x), names[y]) for x, y in pairs if name(x) != names[y]]


def held(steps: Sequence[Step], outputs: Sequence[Value] = ()) -> int:
    """Return how many values are held at a time, at most."""
    live = set(outputs)
    most = len(live)
    for step in reversed(steps):
        live = live.difference(step.makes).union(step.reads)
        most = max(most, len(live))
    return most


def cycles(steps: Sequence[Step]) -> int:
    """Return how many cycles steps take in this order, from the first issue to the last."""
    clock = _Clock(steps)
    for i in range(len(steps)):
        clock.issue(i)
    return clock.now + 1 if steps else 0


class _Clock:
    """When steps are issued."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self.steps = steps
        self.needs = _needs(steps)
        self.issued: dict[int, int] = {}
        self.now = 0
        self._waiting: Step | None = None  #: issued now, and free to be joined by another

    def ready(self, i: int) -> bool:
        """Whether all that step i needs was issued."""
        return all(before in self.issued for before, _ in self.needs[i])

    def when(self, i: int) -> int:
        """Return the cycle in which step i would be issued next."""
        earliest = max((self.issued[j] + wait for j, wait in self.needs[i]), default=0)
        if not self.issued or (earliest <= self.now and self._joins(i)):
            return max(self.now, earliest)
        return max(self.now + 1, earliest)

    def issue(self, i: int) -> None:
        """Issue step i."""
        at = self.when(i)
        joins = bool(self.issued) and at == self.now
        self._waiting = None if joins else self.steps[i]
        self.issued[i] = self.now = at

    def _joins(self, i: int) -> bool:
        return self._waiting is not None and _pair(self._waiting.kind, self.steps[i].kind)


def _pair(first: str, second: str) -> bool:
    """Whether two steps are issued in one cycle."""
    a, b = INSTRUCTIONS[first].unit, INSTRUCTIONS[second].unit
    return a is not b and b is not Unit.PACK and not {a, b} & {Unit.ALONE, Unit.STORE}


def _needs(steps: Sequence[Step]) -> list[list[tuple[int, int]]]:
    """Return for each step which it follows, and how many cycles later at least."""
    makers = {value: i for i, step in enumerate(steps) for value in step.makes}
    moved: dict[str, int] = {}
    needs = []
    for i, step in enumerate(steps):
        multiplies = INSTRUCTIONS[step.kind].unit is Unit.MULTIPLY
        before = []
        for value in step.reads:
            if value in makers:
                made = INSTRUCTIONS[steps[makers[value]].kind]
                added = multiplies and value not in step.of
                before.append((makers[value], made.added if added else made.ready))
        if step.kind in ("next", "nexts"):
            if step.pointer in moved:
                before.append((moved[step.pointer], 1))
            moved[step.pointer] = i
        needs.append(before)
    return needs


@lru_cache(RECENT)
def _ordered(program: Program) -> tuple[Step, ...]:
    tried = [_list_schedule(program, ahead) for ahead in AHEAD]
    return min([program.steps, *tried], key=cycles)


def _list_schedule(program: Program, ahead: int) -> tuple[Step, ...]:
    """Order the steps; loads are taken at most ``ahead`` steps before their turn."""
    steps = program.steps
    limit = max(program.registers, program.held)
    clock, registers = _Clock(steps), _Registers(program)
    left = list(range(len(steps)))
    order = []
    while left:
        room = registers.room(left[:WINDOW], limit)
        candidates = [
            (clock.when(i), k)
            for k, i in enumerate(left[:WINDOW])
            if room[k]
            and clock.ready(i)
            and (k <= ahead or INSTRUCTIONS[steps[i].kind].unit is not Unit.LOAD)
        ]
        i = left.pop(min(candidates)[1])
        clock.issue(i)
        registers.issue(i)
        order.append(steps[i])
    return tuple(order)


class _Registers:
    """Which values are held."""

    def __init__(self, program: Program) -> None:
        self._reads = [step.reads for step in program.steps]
        self._uses = Counter(value for reads in self._reads for value in reads)
        self._uses.update(program.outputs)
        self._made = [sum(bool(self._uses[v]) for v in step.makes) for step in program.steps]
        self._live = sum(bool(self._uses[v]) for v in program.inputs)

    def issue(self, i: int) -> None:
        """Note that step i was issued."""
        self._uses.subtract(self._reads[i])
        self._live += self._made[i] - sum(not self._uses[v] for v in self._reads[i])

    def room(self, left: Sequence[int], limit: int) -> list[bool]:
        """Return for each step whether it can be next, with the others behind it in turn."""
        used: Counter[Value] = Counter()
        live = self._live
        most = 0  # of what is held behind the steps before this one
        room = []
        for k, i in enumerate(left):
            freed = sum(self._uses[v] == 1 for v in self._reads[i])
            more = self._made[i] - freed
            room.append(k == 0 or max(most, self._live) + more <= limit)
            used.update(self._reads[i])
            live += self._made[i] - sum(used[v] == self._uses[v] for v in self._reads[i])
            most = max(most, live)
        return room


def name(value: Value) -> str:
    """Return the name of a value in C, where it has one of its own."""
    return f"{value.kind}{value.number}"


def _with_names(program: Program) -> tuple[tuple[Line, ...], dict[Value, str]]:
    """Name the operands of the ordered steps.

    A sum keeps its name. The names of inputs are kept for the outputs.
    """
    uses = Counter(value for step in program.steps for value in step.reads)
    uses.update(program.outputs)
    kept = dict(zip(program.outputs, map(name, program.inputs), strict=False))
    names = {value: name(value) for value in program.inputs}
    reserved = set(names.values())
    taken = {name for value, name in names.items() if uses[value]}
    numbers: defaultdict[str, int] = defaultdict(int)
    free: defaultdict[str, list[str]] = defaultdict(list)
    lines = []

    def new(value: Value, sums: Sequence[str]) -> str:
        if value in kept and kept[value] not in taken:
            return kept[value]
        if value.kind == "sum" and sums:
            return sums[0]
        if free[value.kind]:
            return free[value.kind].pop(0)
        while (fresh := f"{value.kind}{numbers[value.kind]}") in reserved | taken:
            numbers[value.kind] += 1
        return fresh

    for step in program.ordered:
        of = tuple(names[v] if isinstance(v, Value) else v for v in step.of)
        onto = names[step.onto] if isinstance(step.onto, Value) else step.onto or ""
        uses.subtract(step.reads)
        ended = [v for v in step.reads if not uses[v]]
        taken -= {names[v] for v in ended}
        sums = [names[v] for v in ended if v.kind == "sum"]
        to = []
        for value in step.makes:
            names[value] = new(value, sums)
            taken.add(names[value])
            to.append(names[value])
        for value in ended:
            if names[value] not in taken | reserved | set(free[value.kind]):
                free[value.kind] = sorted([*free[value.kind], names[value]])
        lines.append(Line(step.kind, tuple(to), of, onto, step.pointer, step.at))
    return tuple(lines), names
