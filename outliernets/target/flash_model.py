"""A model of an STM32's flash controller: keys, erasing a sector, programming words.

A sector can be written while programming is on; at any other time a write is a fault.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

_KEYS = [0x4567_0123, 0xCDEF_89AB]
_PG, _ERASE, _STRT, _LOCK = 1 << 0, 1 << 1, 1 << 16, 1 << 31
_SEQUENCE_ERROR = 1 << 7


@dataclass(frozen=True)
class Sector:
    """A part of the flash that is erased as a whole."""

    base: int
    size: int  #: bytes


@dataclass(frozen=True)
class Flash:
    """A kind of controller: addresses of its registers, and what its control register holds."""

    keys: int
    status: int
    control: int
    number_mask: int  #: of a sector's number, at bit 3
    size_mask: int  #: of the bits that say how much is written at a time ...
    size: int  #: ... and what they must be
    sectors: Mapping[int, Sector] = field(hash=False)  #: by number: those that can be changed

    @property
    def registers(self) -> tuple[int, int, int]:
        """Their addresses."""
        return self.keys, self.status, self.control


def f2f4f7(number: int, sector: Sector) -> Flash:
    """Return the flash of an STM32F2, F4 or F7 (RM0385 3.7), written 32 bits at a time."""
    base = 0x4002_3C00
    return Flash(base + 4, base + 0xC, base + 0x10, 0xF, 3 << 8, 2 << 8, {number: sector})


def g0(number: int, sector: Sector) -> Flash:
    """Return the flash of an STM32G0 (RM0444 3.7), written 64 bits at a time."""
    base = 0x4002_2000
    return Flash(base + 8, base + 0x10, base + 0x14, 0x3FF, 0, 0, {number: sector})


class FlashController:
    """Follows what is written to the registers.

    ``write`` sets memory, ``allow`` lets the program write to a sector, or not.
    """

    def __init__(
        self,
        flash: Flash,
        write: Callable[[int, bytes], None],
        allow: Callable[[Sector, bool], None],
    ) -> None:
        self._flash, self._write, self._allow = flash, write, allow
        self._keys: list[int] = []
        self._control = _LOCK
        self._status = 0

    def read(self, address: int) -> int:
        """Return a register's value; it is never busy, for no time passes."""
        known = {self._flash.control: self._control, self._flash.status: self._status}
        return known.get(address, 0)

    def store(self, address: int, value: int) -> None:
        """Take a write to a register."""
        if address == self._flash.keys:
            self._keys = [*self._keys[-1:], value]
            if self._keys == _KEYS:
                self._control &= ~_LOCK
        elif address == self._flash.status:
            self._status &= ~value
        elif address == self._flash.control and not self._control & _LOCK:
            self._command(value)

    def _command(self, value: int) -> None:
        fits = value & self._flash.size_mask == self._flash.size
        if value & _STRT and value & _ERASE and fits:
            self._erase(value >> 3 & self._flash.number_mask)
        programming = bool(value & _PG) and fits and not value & _LOCK
        for sector in self._flash.sectors.values():
            self._allow(sector, programming)
        self._control = value & ~_STRT

    def _erase(self, number: int) -> None:
        if sector := self._flash.sectors.get(number):
            self._write(sector.base, b"\xff" * sector.size)
        else:
            self._status |= _SEQUENCE_ERROR
