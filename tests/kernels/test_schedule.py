"""The order of steps: nothing before what it needs, no more registers, few cycles, same results."""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from outliernets.kernels.axis import Axis
from outliernets.kernels.programs import (
    ENDINGS,
    dot_program,
    stream_program,
    tap_program,
)
from outliernets.kernels.schedule import (
    INSTRUCTIONS,
    REGISTERS,
    Program,
    Step,
    Unit,
    Value,
    cycles,
    held,
    name,
)

X, W, SUM = ([Value(kind, i) for i in range(99)] for kind in ("x", "w", "sum"))
MASK = 2**32 - 1

KERNELS = {
    "stream": stream_program(4, 8, ENDINGS["floor"], loops=True),
    "short stream": stream_program(1, 1, ENDINGS["linear"], loops=True),
    "last of a stream": stream_program(3, 5, ENDINGS["general"], loops=False),
    "doubled map": tap_program(Axis(64, 128, 3, 1, 1, 2), range(8), 2, 33, ENDINGS["linear"], True),
    "stride 2": tap_program(Axis(128, 64, 3, 2, 0), range(8), 3, 65, ENDINGS["floor"], True),
    "5 taps": tap_program(Axis(40, 40, 5, 1, 2), range(3), 5, 22, ENDINGS["floor"], False),
    "scatter": dot_program(4, 1, 3, 1, 130, 6, loops=False),
    "tile": dot_program(2, 2, 2, 1, 33, 2, loops=True),
}


def some_program(rng: np.random.Generator) -> Program:
    """Return pixels of some words each, in any order that is possible."""
    inputs = tuple(X[: rng.integers(0, 3)])
    ready: list[Value] = list(inputs)
    steps: list[Step] = []
    fresh, sums = iter(X[len(inputs) :]), iter(SUM)
    for at in range(rng.integers(1, 5)):
        total: Value | str = "bias"
        for _ in range(rng.integers(1, 4)):
            kind = str(rng.choice(["word", "next", "none"]))
            if kind != "none" or not ready:
                x = next(fresh)
                pointer = {"word": "r", "next": "in", "none": "r"}[kind]
                kind = "word" if kind == "none" else kind
                steps.append(Step(kind, (x,), pointer=pointer, at=int(rng.integers(0, 9))))
                ready.append(x)
            operand = ready[rng.integers(len(ready))]
            made = next(sums)
            steps.append(Step(str(rng.choice(["dot", "dotx"])), (made,), (operand, "w0"), total))
            total = made
        assert isinstance(total, Value)
        steps += ENDINGS["floor"].steps(total, next(sums), at)
    outputs = tuple(ready[len(ready) - len(inputs) :])
    return Program(tuple(steps), inputs, outputs, registers=int(rng.integers(2, 8)))


PROGRAMS = [some_program(np.random.default_rng(seed)) for seed in range(60)]
ALL = [*KERNELS.values(), *PROGRAMS]


# ---- what must hold -------------------------------------------------------------------------


@pytest.mark.parametrize("program", ALL)
def test_steps_follow_what_they_need(program):
    assert Counter(program.ordered) == Counter(program.steps)
    made = set(program.inputs)
    for step in program.ordered:
        assert made.issuperset(step.reads)
        made.update(step.makes)


@pytest.mark.parametrize("program", ALL)
def test_pointers_move_in_turn(program):
    def moving(steps: Sequence[Step], pointer: str) -> list[Step]:
        return [s for s in steps if s.kind in ("next", "nexts") and s.pointer == pointer]

    for pointer in ("in", "w"):
        assert moving(program.ordered, pointer) == moving(program.steps, pointer)


@pytest.mark.parametrize("program", ALL)
def test_registers_are_enough(program):
    assert held(program.ordered, program.outputs) <= max(program.registers, program.held)


@pytest.mark.parametrize("program", ALL)
def test_is_never_slower_than_what_was_given(program):
    assert cycles(program.ordered) <= cycles(program.steps)


def test_some_are_quicker():
    assert sum(cycles(p.ordered) < cycles(p.steps) for p in PROGRAMS) > len(PROGRAMS) // 2


# ---- names ----------------------------------------------------------------------------------


def result(kind: str, of: Sequence[int], onto: int, source: tuple[str, int]) -> int:
    """Return a number that tells what was done with what."""
    return hash((kind, tuple(of), onto, source)) & MASK


def turns_by_values(program: Program, start: Sequence[int], turns: int) -> list[tuple[int, ...]]:
    """Do the steps as given; return what is stored, and the outputs of each turn."""
    stored, moved, ends = [], Counter(), list(start)
    for _ in range(turns):
        known = dict(zip(program.inputs, ends, strict=True))
        for step in program.steps:
            of = [known[v] if isinstance(v, Value) else hash(v) for v in step.of]
            onto = known[step.onto] if isinstance(step.onto, Value) else hash(step.onto or "")
            do(step, of, onto, moved, stored, known, step.makes)
        ends = [known[v] for v in program.outputs]
    return [*sorted(stored), tuple(ends)]


def turns_by_names(program: Program, start: Sequence[int], turns: int) -> list[tuple[int, ...]]:
    """Do the ordered lines, with one number for each name."""
    known = {name(v): x for v, x in zip(program.inputs, start, strict=True)}
    stored: list[tuple[int, ...]] = []
    moved: Counter[str] = Counter()
    for _ in range(turns):
        for line in program.lines:
            of, onto = (
                [known.get(v, hash(v)) for v in line.of],
                known.get(line.onto, hash(line.onto)),
            )
            do(line, of, onto, moved, stored, known, line.to)
        for to, source in program.moves:
            known[to] = known[source]
    ends = tuple(known[name(v)] for v, _ in zip(program.inputs, program.outputs, strict=False))
    return [*sorted(stored), ends]


def do(step, of, onto, moved, stored, known, to):
    if step.kind == "out":
        stored.append((step.at, *of))
    for i, made in enumerate(to):
        source = (step.pointer, step.at + i)
        if step.kind in ("next", "nexts"):
            source = (step.pointer, moved[step.pointer])
            moved[step.pointer] += 1
        known[made] = result(step.kind, of, onto, source)


@pytest.mark.parametrize("program", ALL)
def test_names_hold_what_is_meant(program):
    turns = 3 if program.outputs or not program.inputs else 1
    start = list(range(len(program.inputs)))
    assert turns_by_names(program, start, turns) == turns_by_values(program, start, turns)


def test_names_are_used_again():
    program = KERNELS["stream"]
    assert len(program.names) <= max(program.registers, program.held) + len(program.inputs)
    assert len(program.names) < len({v for s in program.steps for v in s.makes}) / 4


# ---- how good -------------------------------------------------------------------------------


def load(i: int) -> Step:
    return Step("word", (X[i],), pointer="r", at=i)


def dot(i: int, x: int, onto: Value | str = "bias") -> Step:
    return Step("dot", (SUM[i],), (X[x], "w0"), onto)


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ((), 0),
        ((load(0),), 1),
        ((load(0), dot(0, 0)), 3),  # a word is there two cycles later
        ((load(0), load(1), dot(0, 0)), 3),  # loads are one a cycle
        ((dot(0, 0), load(1)), 1),  # two go together
        ((dot(0, 0), dot(1, 1)), 2),  # there is one multiplier
        ((dot(0, 0), dot(1, 1, SUM[0])), 2),  # a sum passes at once
        ((dot(0, 0), Step("multiply", (SUM[1],), (SUM[0], "multiplier"), "addend")), 3),
        ((Step("nexts", (X[0], X[1]), pointer="in"), dot(0, 0)), 2),
        ((Step("straddle", (X[2],), (X[0], X[1])), dot(0, 0)), 1),
        ((dot(0, 0), Step("straddle", (X[2],), (X[0], X[1]))), 2),  # only as the first
        ((Step("out", (), (SUM[0],), at=0), load(0)), 2),
    ],
)
def test_cycles_by_hand(steps, expected):
    assert cycles(steps) == expected


def orders(program: Program) -> Iterator[tuple[Step, ...]]:
    """Yield every order that is possible."""

    def further(done: tuple[Step, ...], made: frozenset[Value]) -> Iterator[tuple[Step, ...]]:
        left = [step for step in program.steps if step not in done]
        if not left:
            yield done
        for step in left:
            if made.issuperset(step.reads):
                yield from further((*done, step), made.union(step.makes))

    return further((), frozenset(program.inputs))


@pytest.mark.parametrize("registers", [1, 2, 4])
def test_finds_the_best_of_a_small_program(registers):
    end = ENDINGS["floor"]
    pixels = [[load(i), dot(2 * i, i), *end.steps(SUM[2 * i], SUM[2 * i + 1], i)] for i in range(2)]
    program = Program(tuple(step for pixel in pixels for step in pixel), registers=registers)
    possible = [o for o in orders(program) if held(o) <= registers]
    assert len(possible) >= 2
    assert cycles(program.ordered) == min(map(cycles, possible))


@pytest.mark.parametrize(
    ("kernel", "most"),
    [
        ("stream", 1.06),
        ("doubled map", 1.20),
        ("stride 2", 1.40),
        ("scatter", 1.05),
        ("tile", 1.25),
    ],
)
def test_kernels_are_near_what_the_multiplier_allows(kernel, most):
    program = KERNELS[kernel]
    units = Counter(INSTRUCTIONS[step.kind].unit for step in program.steps)
    least = units[Unit.MULTIPLY] + units[Unit.STORE] + units[Unit.ALONE]  # none goes with another
    print(kernel, cycles(program.steps), cycles(program.ordered), least)
    assert least <= cycles(program.ordered) <= most * least


@pytest.mark.parametrize("kernel", ["stream", "doubled map", "scatter"])
def test_registers_are_left_for_constants(kernel):
    program = KERNELS[kernel]
    assert program.reloads(1) <= 1
    assert held(program.ordered, program.outputs) + len(program.constants) <= REGISTERS
