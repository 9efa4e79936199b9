"""Run firmware in unicorn: the unmodified ELF, exact instruction counts, a UART at native speed."""

from importlib import metadata
from pathlib import Path
from typing import ClassVar, Self

from outliernets.boards import Board
from outliernets.errors import MissingToolError, TargetError
from outliernets.target.base import Flow, Target
from outliernets.target.machines import Device, Machine, create
from outliernets.target.symbols import Functions

_HINT = "pip install 'ongen[unicorn]'"
LIMIT = 20_000_000_000  #: instructions between two exchanges before a program counts as runaway


class UnicornTarget(Target):
    """Unicorn as a target. ``limit``: instructions the firmware may take for one answer."""

    name: ClassVar[str] = "unicorn"

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._machine: Machine | None = None
        self._elf = Path()
        self._received = bytearray()

    def open(self, elf: Path, board: Board) -> Self:
        """Load ``elf`` into the board's machine for unicorn; it starts at the first read."""
        variant = board.variant(self.name)
        _require_packages()
        self.close()
        self._elf = elf
        self._machine = create(variant, board.cpu, elf, self._limit)
        return self

    def close(self) -> None:
        """Forget the machine."""
        self._machine = None
        self._received.clear()

    def write(self, data: bytes) -> None:
        """Queue bytes for the firmware; it runs when something is read."""
        self._running().send(data)

    def read(self, n: int) -> bytes:
        """Run until ``n`` bytes came; TargetError on a crash, on silence, or past the limit."""
        machine = self._running()
        while len(self._received) < n:
            new = machine.run()
            if not new:
                raise TargetError(
                    f"the firmware waits for more bytes; it answered {len(self._received)} of {n}"
                    " expected"
                )
            self._received += new
        data = bytes(self._received[:n])
        del self._received[:n]
        return data

    def attach(self, device: Device) -> None:
        """Let a model of a peripheral answer at its addresses; ConfigError if it has no place."""
        self._running().attach(device)

    def pace(self) -> None:
        """Let bytes arrive as fast as the line is from now on: what is not taken in time is lost.

        One instruction is taken for one cycle; a processor that needs more has less time than that.
        """
        self._running().pace()

    @property
    def lost_bytes(self) -> int:
        """Bytes lost since ``pace`` because the firmware did not take the one before in time."""
        return self._running().lost_bytes

    def pass_time(self, instructions: int) -> None:
        """Run for so long, also while the firmware waits; what it sends is there for ``read``."""
        self._received += self._running().pass_time(instructions)

    def counts(self) -> dict[str, int]:
        """Return instructions executed since the start, by function, exactly."""
        return self._running().counts(Functions(self._elf))

    def flow(self) -> Flow:
        """Return the steps from block to block so far, exactly."""
        return self._running().flow()

    def version(self) -> str:
        """Return unicorn's version."""
        _require_packages()
        return metadata.version("unicorn")  # the module's own is that of its C library

    def write_memory(self, address: int, data: bytes) -> None:
        """Write into the program's memory, as a debugger does."""
        self._running().write_memory(address, data)

    def read_memory(self, address: int, n: int) -> bytes:
        """Return bytes of the program's memory."""
        return self._running().read_memory(address, n)

    def _running(self) -> Machine:
        if self._machine is None:
            raise TargetError("no firmware runs in unicorn: open() comes first")
        return self._machine


def _require_packages() -> None:
    try:
        import capstone  # noqa: F401  for the estimate of cycles
        import numba  # noqa: F401
        import unicorn  # noqa: F401
    except ImportError as error:
        raise MissingToolError(f"target unicorn needs the package {error.name}: {_HINT}") from error
