"""What a model of a peripheral is, and what it can do."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Protocol


class Bus(Protocol):
    """What a machine offers its devices. Time is in instructions: one is taken for one cycle."""

    def now(self) -> int:
        """Return the time since the start."""

    def at(self, time: int, action: Callable[[], None]) -> None:
        """Call ``action`` between two instructions, as soon as it is ``time``."""

    def set_interrupt(self, number: int, on: bool) -> None:
        """Set the level of a line to the interrupt controller, by the number in the manual."""

    def write_memory(self, address: int, data: bytes) -> None:
        """Write into memory, as DMA does."""

    def read_memory(self, address: int, n: int) -> bytes:
        """Return bytes of memory."""


class Device(ABC):
    """A peripheral with registers of 32 bits, in ``size`` bytes from the address ``first`` on.

    What it raises TargetError for ends the run.
    """

    first: int
    size: int
    bus: Bus  #: set when it is attached

    @abstractmethod
    def read(self, offset: int) -> int:
        """Return what the program reads there."""

    @abstractmethod
    def write(self, offset: int, value: int) -> None:
        """Take what the program writes there."""
