"""A model of I2C3 of the STM32F746 as a master: RM0385 30. No time passes on its bus."""

from outliernets.errors import TargetError
from outliernets.target.machines import Device
from outliernets.target.microphones import pins
from outliernets.target.microphones.codec import Wm8994

_CR1, _CR2, _TIMINGR, _ISR, _ICR, _RXDR, _TXDR = 0x00, 0x04, 0x10, 0x18, 0x1C, 0x24, 0x28
_TXE, _TXIS, _RXNE, _NACKF, _STOPF, _TC = 1 << 0, 1 << 1, 1 << 2, 1 << 4, 1 << 5, 1 << 6
_RD_WRN, _START, _AUTOEND = 1 << 10, 1 << 13, 1 << 25
_CLOCK_MHZ = 54  # of APB1
_PINS = (pins.Pin("H", 7, 4, open_drain=True), pins.Pin("H", 8, 4, open_drain=True))


class I2c(Device):
    """The bus with a codec at ``device``; None: nothing is there. ``stuck``: nothing ever ends."""

    first, size = 0x4000_5C00, 0x400

    def __init__(self, codec: Wm8994 | None, device: int, stuck: bool = False) -> None:
        self._codec, self._device, self._stuck = codec, device, stuck
        self._registers: dict[int, int] = {}
        self._pointer = 0
        self._reset()

    def _reset(self) -> None:
        self._flags = 0
        self._sent = b""
        self._to_receive = b""
        self._left = 0

    def read(self, offset: int) -> int:
        """Return a register."""
        if offset == _ISR:
            return self._flags | _TXE
        if offset == _RXDR:
            return self._receive()
        return self._registers.get(offset, 0)

    def write(self, offset: int, value: int) -> None:
        """Set a register, and do what that asks for."""
        if offset == _ICR:
            self._flags &= ~value
        elif offset == _TXDR:
            self._send(value & 0xFF)
        else:
            self._registers[offset] = value
        if offset == _CR1 and not value & 1:
            self._reset()
        if offset == _CR2 and value & _START:
            self._start(value)

    def _start(self, control: int) -> None:
        self._check()
        self._left = control >> 16 & 0xFF
        self._flags &= ~_TC
        if self._stuck:
            return
        if self._codec is None or control >> 1 & 0x7F != self._device:
            self._flags |= _NACKF | _STOPF
        elif control & _RD_WRN:
            self._to_receive = self._codec.read(self._pointer).to_bytes(2, "big")
            self._flags |= _RXNE
        else:
            self._sent = b""
            self._flags |= _TXIS

    def _send(self, byte: int) -> None:
        if not self._flags & _TXIS:
            raise TargetError("I2C3: a byte was sent when none was asked for")
        self._sent += bytes([byte])
        self._count(_TXIS)
        if not self._left:
            self._deliver()

    def _receive(self) -> int:
        if not self._flags & _RXNE or not self._to_receive:
            raise TargetError("I2C3: a byte was read that has not come")
        byte, self._to_receive = self._to_receive[0], self._to_receive[1:]
        self._count(_RXNE)
        return byte

    def _count(self, flag: int) -> None:
        self._left -= 1
        if not self._left:
            self._flags &= ~flag
            self._flags |= _STOPF if self._registers[_CR2] & _AUTOEND else _TC

    def _deliver(self) -> None:
        assert self._codec
        if len(self._sent) not in (2, 4):
            raise TargetError(
                f"I2C3: the codec takes 2 or 4 bytes at a time, not {len(self._sent)}"
            )
        self._pointer = int.from_bytes(self._sent[:2], "big")
        if len(self._sent) == 4:
            self._codec.write(self._pointer, int.from_bytes(self._sent[2:], "big"))

    def _check(self) -> None:
        """30.4.9: the clock is low for 4.7 us and high for 4 us, at least."""
        if not self._registers.get(_CR1, 0) & 1:
            raise TargetError("I2C3: a transfer was started while it is off")
        pins.require_clock(self.bus, "I2C3", 0x4002_3840, 23)
        pins.require(self.bus, _PINS)
        timing = self._registers.get(_TIMINGR, 0)
        step = ((timing >> 28) + 1) / _CLOCK_MHZ
        low, high = ((timing & 0xFF) + 1) * step, ((timing >> 8 & 0xFF) + 1) * step
        if low < 4.7 or high < 4.0 or low + high < 9.9:
            raise TargetError(f"I2C3: low for {low:.2f} us and high for {high:.2f} us is too quick")
