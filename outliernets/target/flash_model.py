"""A model of the STM32F2/F4/F7's flash controller: keys, erasing a sector, programming words.

Registers as in RM0385 3.7. A sector can be written while programming is on; at any other time a
write is a fault.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

KEYR, SR, CR = 0x4002_3C04, 0x4002_3C0C, 0x4002_3C10
_KEYS = [0x4567_0123, 0xCDEF_89AB]
_PG, _SER, _STRT, _LOCK = 1 << 0, 1 << 1, 1 << 16, 1 << 31
_WORDS = 2  # PSIZE of 32 bits
_SEQUENCE_ERROR = 1 << 7


@dataclass(frozen=True)
class Sector:
    """A part of the flash that is erased as a whole."""

    base: int
    size: int  #: bytes


class FlashController:
    """Follows what is written to the registers. ``sectors`` are those that can be changed.

    ``write`` sets memory, ``allow`` lets the program write to a sector, or not.
    """

    def __init__(
        self,
        sectors: Mapping[int, Sector],
        write: Callable[[int, bytes], None],
        allow: Callable[[Sector, bool], None],
    ) -> None:
        self._sectors, self._write, self._allow = sectors, write, allow
        self._keys: list[int] = []
        self._control = _LOCK
        self._status = 0

    def read(self, address: int) -> int:
        """Return a register's value; it is never busy, for no time passes."""
        return {CR: self._control, SR: self._status}.get(address, 0)

    def store(self, address: int, value: int) -> None:
        """Take a write to a register."""
        if address == KEYR:
            self._keys = [*self._keys[-1:], value]
            if self._keys == _KEYS:
                self._control &= ~_LOCK
        elif address == SR:
            self._status &= ~value
        elif address == CR and not self._control & _LOCK:
            self._command(value)

    def _command(self, value: int) -> None:
        words = (value >> 8 & 3) == _WORDS
        if value & _STRT and value & _SER and words:
            self._erase(value >> 3 & 15)
        programming = bool(value & _PG) and words and not value & _LOCK
        for sector in self._sectors.values():
            self._allow(sector, programming)
        self._control = value & ~_STRT

    def _erase(self, number: int) -> None:
        if sector := self._sectors.get(number):
            self._write(sector.base, b"\xff" * sector.size)
        else:
            self._status |= _SEQUENCE_ERROR
