"""What every target offers: start a program, exchange bytes with it, count its instructions."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

from outliernets.boards import Board
from outliernets.target.protocol import Result, Stats

NOWHERE = -1  #: in a Flow, the place before the first block, and code that is not the program's


@dataclass(frozen=True)
class Flow:
    """Which ways a program went: exact counts of steps from one basic block to the next."""

    steps: Mapping[tuple[int, int], int]  #: times, by the addresses of two blocks in a row
    sizes: Mapping[int, int]  #: bytes of each block, by its address

    @classmethod
    def joined(cls, parts: "Iterable[Flow]") -> "Flow":
        """Return the sum of several runs of one program."""
        steps: Counter[tuple[int, int]] = Counter()
        sizes: dict[int, int] = {}
        for part in parts:
            steps.update(part.steps)
            sizes.update(part.sizes)
        return cls(dict(sorted(steps.items())), dict(sorted(sizes.items())))


class Target(ABC):
    """A place where firmware runs; a context manager that ends the run.

    ``with targets.get("unicorn").open(elf, board) as target: Client(target).hello()``
    """

    name: ClassVar[str]
    #: whether the cycles in the firmware's answers are time on silicon, not an emulator's count
    measures_cycles: ClassVar[bool] = False

    @abstractmethod
    def open(self, elf: Path, board: Board) -> Self:
        """Start the program ``elf``; raise MissingToolError, ConfigError or TargetError."""

    @abstractmethod
    def close(self) -> None:
        """End the run and free everything; harmless when nothing runs."""

    @abstractmethod
    def write(self, data: bytes) -> None:
        """Send bytes to the program; raise TargetError when it is gone."""

    @abstractmethod
    def read(self, n: int) -> bytes:
        """Return exactly ``n`` bytes from the program; raise TargetError when they do not come."""

    @abstractmethod
    def counts(self) -> dict[str, int]:
        """Return instructions executed so far by function; empty if the target cannot count."""

    def flow(self) -> Flow:
        """Return the steps from block to block so far; empty if the target cannot count them."""
        return Flow({}, {})

    @abstractmethod
    def version(self) -> str:
        """Return which version of the emulator this is; raise MissingToolError when absent."""

    def require(self, board: Board) -> None:
        """Raise MissingToolError now if what runs the board's programs is absent."""
        self.version()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(frozen=True)
class TargetRun:
    """What a replay on a target gave."""

    target: str  #: name of the target
    version: str
    results: tuple[Result, ...]  #: one per window, in order
    counts: Mapping[str, int]  #: instructions by function; empty where the target cannot count
    flow: Flow  #: empty where the target cannot count
    stats: Stats
