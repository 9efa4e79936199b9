"""A model of DMA2 of the STM32F746, as far as stream 7 takes samples from SAI2: RM0385 8."""

from collections.abc import Callable

from outliernets.errors import TargetError
from outliernets.target.machines import Device
from outliernets.target.microphones import pins

_HISR, _HIFCR = 0x04, 0x0C
_CR, _NDTR, _PAR, _M0AR, _FCR = 0xB8, 0xBC, 0xC0, 0xC4, 0xCC
_EN, _CIRC = 1 << 0, 1 << 8
_TE, _HT, _TC = 1 << 25, 1 << 26, 1 << 27  # in HISR; their enables are at bits 2, 3, 4 of CR
_ENABLES = {_TE: 1 << 2, _HT: 1 << 3, _TC: 1 << 4}
_INTERRUPT = 70
_SOURCE = 0x4001_5C40  # the data register of SAI2's block B
#: in CR: channel, direction, sizes, increments, round and round, one buffer, no bursts
_FORM = 7 << 25 | 0xF << 21 | 1 << 18 | 3 << 13 | 3 << 11 | 3 << 9 | _CIRC | 3 << 6 | 1 << 5
_FORM_DUE = 1 << 13 | 1 << 11 | 1 << 10 | _CIRC


class Dma(Device):
    """Stream 7. ``synchronise`` is called before the program looks how far it has come."""

    first, size = 0x4002_6400, 0x400

    def __init__(self) -> None:
        self.synchronise: Callable[[], None] = lambda: None
        self._registers: dict[int, int] = {}
        self._flags = 0
        self._length = 0  # of the round, in samples
        self._place = 0

    @property
    def runs(self) -> bool:
        """Whether the stream is on."""
        return bool(self._registers.get(_CR, 0) & _EN)

    @property
    def to_next_flag(self) -> int:
        """Samples until the round is half or wholly done."""
        half = self._length // 2
        return (half if self._place < half else self._length) - self._place

    def read(self, offset: int) -> int:
        """Return a register."""
        self.synchronise()
        if offset == _HISR:
            return self._flags
        if offset == _NDTR and self.runs:
            return self._length - self._place
        return self._registers.get(offset, 0)

    def write(self, offset: int, value: int) -> None:
        """Set a register."""
        self.synchronise()
        if offset == _HIFCR:
            self._flags &= ~value
        elif self.runs and offset in (_NDTR, _PAR, _M0AR, _FCR):
            raise TargetError(f"DMA2: offset {offset:#x} is written while the stream is on")
        else:
            starts = offset == _CR and value & _EN and not self.runs
            self._registers[offset] = value
            if starts:
                self._start()
        self._update_interrupt()

    def take(self, data: bytes) -> None:
        """Take samples from SAI2."""
        while data:
            room = 2 * self.to_next_flag
            address = self._registers[_M0AR] + 2 * self._place
            self.bus.write_memory(address, data[:room])
            self._place += len(data[:room]) // 2
            if self._place == self._length // 2:
                self._flags |= _HT
            if self._place == self._length:
                self._flags |= _TC
                self._place = 0
            data = data[room:]
        self._update_interrupt()

    def fail(self) -> None:
        """Turn the stream off as an error of the bus does."""
        self._registers[_CR] &= ~_EN
        self._registers[_NDTR] = self._length - self._place
        self._flags |= _TE
        self._update_interrupt()

    def _start(self) -> None:
        pins.require_clock(self.bus, "DMA2", 0x4002_3830, 22)
        control = self._registers[_CR]
        if control & _FORM != _FORM_DUE:
            raise TargetError(
                f"DMA2: stream 7 is set to {control:#010x}: not channel 0 in halfwords from one "
                "place to many, round and round"
            )
        if self._registers.get(_PAR) != _SOURCE:
            raise TargetError(f"DMA2: stream 7 does not take from {_SOURCE:#010x}")
        if self._flags & (_HT | _TC | _TE):
            raise TargetError("DMA2: stream 7 is started with flags that are up (RM0385 8.3.17)")
        self._length, self._place = self._registers.get(_NDTR, 0) & 0xFFFF, 0
        if not self._length or self._length % 2 or self._registers.get(_M0AR, 1) % 2:
            raise TargetError("DMA2: stream 7 needs an even number of samples at an even address")

    def _update_interrupt(self) -> None:
        control = self._registers.get(_CR, 0)
        asks = any(self._flags & flag and control & bit for flag, bit in _ENABLES.items())
        self.bus.set_interrupt(_INTERRUPT, asks)
