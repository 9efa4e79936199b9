"""How often the generated C does something: functions, their loops, and the rows of a chain."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Context = Mapping[str, Any]
Steps = Mapping[str, float]

WORD = 4  #: bytes of a table's entry, unless it is an int8


@dataclass(frozen=True)
class Loop:
    """Code that is executed ``times`` times and does ``steps`` each time."""

    times: int
    steps: Steps


@dataclass(frozen=True)
class Function:
    """A function of the generated C, called as often as one inference calls it.

    ``name`` is what follows the node's name in its own: "" for the function of the node itself.
    """

    name: str
    kind: str
    loops: tuple[Loop, ...]
    constants: int = 0  #: bytes of its tables

    @property
    def stage(self) -> str:
        """The stage of a chain of rows that it belongs to; "" where it is none's."""
        return self.name.split("_")[0]

    @property
    def executed(self) -> Counter[str]:
        """How often each step is done in one inference."""
        return self._sum(lambda loop: loop.times)

    @property
    def written(self) -> Counter[str]:
        """How often each step stands in the code."""
        return self._sum(lambda loop: 1)

    def _sum(self, weight: Callable[[Loop], int]) -> Counter[str]:
        total: Counter[str] = Counter()
        for loop in self.loops:
            for step, count in loop.steps.items():
                total[step] += weight(loop) * count  # type: ignore[assignment]
        return total


def rows_made(context: Context) -> list[int]:
    """Return how many rows of the source and of each stage are made."""
    made = [int(context["rows"])]
    for stage in reversed(context["stages"]):
        made.append(last(stage["rows"], made[-1] - 1) + 1)
    return made[::-1]


def first(rows: Context, y: int) -> int:
    """Return the first source row that an output row reads; negative ones are padding."""
    return int((y * rows["stride"] + rows["offset"]) // rows["repeat"] - rows["lift"])


def last(rows: Context, y: int) -> int:
    """Return the last source row that an output row reads, of those that are there."""
    return int(min(first(rows, y) + rows["taps"] - 1, rows["source"] - 1))


def sources_inside(rows: Context, calls: int) -> int:
    """Return how many source rows all output rows read, without those of padding."""
    return sum(last(rows, y) - max(first(rows, y), 0) + 1 for y in range(calls))


def slot(line: Context, count: int = 1) -> dict[str, int]:
    """Where rows lie in their ring: a division where the ring's length is no power of two."""
    depth = line["depth"]
    return {"slot": count * int(depth > 1), "slot_odd": count * int(depth & (depth - 1) != 0)}


def begin(stage: Context, calls: int, sources: int) -> tuple[Loop, Loop]:
    """What the function of a stage does once for a row, and for each row it has made."""
    repeats = stage["rows"]["repeat"] > 1
    into = {} if stage["into"]["final"] else slot(stage["into"])
    return Loop(calls, {"begin": 1, "phase": int(repeats), **into}), Loop(sources, {"make": 1})
