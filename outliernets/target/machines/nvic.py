"""The interrupt controller of a Cortex-M: ARMv7-M ARM (DDI0403E) B3.4, ARMv6-M ARM B3.4."""

_ISER, _ICER, _ISPR, _ICPR, _IABR, _IPR = 0x000, 0x080, 0x100, 0x180, 0x200, 0x300
_SIZE = 0x400
_WORDS = 0x40  # bytes with a bit for each interrupt
THREAD = 256  #: priority of a program outside of any handler: lower than all


class Nvic:
    """Which interrupts are enabled, pending and active; numbers are those of the chip's manual.

    Priorities are as written: all eight bits, of which chips have the upper two or four.
    """

    FIRST = 0xE000_E100  #: address of its registers
    END = FIRST + _SIZE

    def __init__(self, priority_bits: int) -> None:
        self._mask = 0xFF << (8 - priority_bits) & 0xFF
        self._enabled = self._pending = self._active = self._lines = 0
        self._priorities = bytearray(0x100)

    @property
    def listens(self) -> bool:
        """Whether any interrupt is enabled."""
        return self._enabled != 0

    @property
    def waiting(self) -> bool:
        """Whether an enabled interrupt is pending, whatever its priority."""
        return self._enabled & self._pending != 0

    def set_line(self, number: int, on: bool) -> None:
        """Set the level of a peripheral's line; an interrupt is pending as long as it is high."""
        bit = 1 << number
        if on:
            self._lines |= bit
            self._pending |= bit & ~self._active
        else:
            if self._lines & bit:  # B3.4.1: what was not taken yet goes with the level
                self._pending &= ~bit
            self._lines &= ~bit

    def most_urgent(self, than: int) -> int | None:
        """Return the interrupt to take: of higher priority than ``than`` and all active ones."""
        limit = min([than, *(self._priorities[n] for n in _bits(self._active))])
        found = _bits(self._enabled & self._pending)
        number = min(found, key=lambda n: (self._priorities[n], n), default=None)
        return number if number is not None and self._priorities[number] < limit else None

    def enter(self, number: int) -> None:
        """Note that its handler begins."""
        self._pending &= ~(1 << number)
        self._active |= 1 << number

    def leave(self, number: int) -> None:
        """Note that its handler ended: it is pending again if its line is still high."""
        self._active &= ~(1 << number)
        self._pending |= self._lines & 1 << number

    def read(self, address: int, size: int) -> int:
        """Return ``size`` bytes of a register."""
        offset = address - self.FIRST
        if offset >= _IPR:
            at = offset - _IPR
            return int.from_bytes(self._priorities[at : at + size], "little")
        values = (self._enabled, self._enabled, self._pending, self._pending, self._active)
        group, place = divmod(offset, _ICER)
        if group >= len(values) or place >= _WORDS:
            return 0
        return values[group] >> 8 * place & (1 << 8 * size) - 1

    def write(self, address: int, size: int, value: int) -> None:
        """Take a write of ``size`` bytes to a register."""
        offset = address - self.FIRST
        if offset >= _IPR:
            for i, byte in enumerate(value.to_bytes(size, "little"), offset - _IPR):
                self._priorities[i] = byte & self._mask
            return
        group, place = divmod(offset, _ICER)
        bits = value << 8 * place if place < _WORDS else 0
        if group == _ISER // _ICER:
            self._enabled |= bits
        elif group == _ICER // _ICER:
            self._enabled &= ~bits
        elif group == _ISPR // _ICER:
            self._pending |= bits
        elif group == _ICPR // _ICER:
            self._pending &= ~bits | self._lines & ~self._active


def _bits(value: int) -> list[int]:
    """Return the numbers of the bits that are set."""
    return [n for n in range(value.bit_length()) if value >> n & 1]
