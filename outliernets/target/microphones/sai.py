"""A model of SAI2 of the STM32F746, with the codec's microphones at its input: RM0385 33."""

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from outliernets.errors import TargetError
from outliernets.target.machines import Bus, Device
from outliernets.target.microphones import pins
from outliernets.target.microphones.dma import Dma

SAMPLE_RATE = 16_000
TOLERANCE = 0.001
_A, _B = 0x04, 0x24  # offsets of the blocks
_CR1, _FRCR, _SLOTR, _SR, _CLRFR = 0x00, 0x08, 0x0C, 0x14, 0x18
_SAIEN, _DMAEN, _OVRUDR = 1 << 16, 1 << 17, 1 << 0
_CHUNK = 256  # samples that come to memory together, unless the program looks
#: CR1: mode, protocol, data size, order, edge, synchronisation, mono, drive, NODIV; MCKDIV is apart
_CR1_FORM = 0x8_3FEF
_MASTER = 1 << 0 | 4 << 5 | 1 << 9 | 1 << 13  # receives, 16 bits, on rising edges, drives its pins
_SLAVE = 3 << 0 | 4 << 5 | 1 << 9 | 1 << 10  # receives, 16 bits, on rising edges, with block A
_FRAME = 63 | 31 << 8 | 1 << 16 | 1 << 18  # 64 bits; low for the left half, from a bit before on
_SLOT_FORM, _FOUR_SLOTS = 0x0FDF, 3 << 8
_PINS = tuple(pins.Pin(port, n, 10) for port, n in (("I", 4), ("I", 5), ("I", 7), ("G", 10)))


def frame_period(bus: Bus, divider: int) -> Fraction:
    """Return the cycles of the core in a frame of 256 master clocks (RM0385 5.2, 33.3.8).

    Raises TargetError where a PLL is off or out of its range, or the rate is not that of the
    microphones.
    """
    rcc = {name: pins.word(bus, 0x4002_3800 + at) for name, at in _RCC.items()}
    if rcc["CR"] >> 26 & 1 == 0 or rcc["DCKCFGR1"] >> 22 & 3 != 1:
        raise TargetError("SAI2 is not clocked by PLLI2S")
    quartz = Fraction(25 if rcc["PLLCFGR"] >> 22 & 1 else 16)
    reference = quartz / (rcc["PLLCFGR"] & 0x3F)
    core = reference * (rcc["PLLCFGR"] >> 6 & 0x1FF) / (2 * (rcc["PLLCFGR"] >> 16 & 3) + 2)
    vco = reference * (rcc["PLLI2SCFGR"] >> 6 & 0x1FF)
    if not 100 <= vco <= 432:
        raise TargetError(f"the VCO of PLLI2S runs at {float(vco):.1f} MHz, not at 100 to 432 MHz")
    clock = vco / (rcc["PLLI2SCFGR"] >> 24 & 0xF) / ((rcc["DCKCFGR1"] & 0x1F) + 1)
    rate = clock / (2 * divider or 1) / 256 * 1_000_000
    if abs(rate / SAMPLE_RATE - 1) > TOLERANCE:
        raise TargetError(f"SAI2 takes {float(rate):.1f} samples a second, not {SAMPLE_RATE}")
    return core * 1_000_000 / rate


_RCC = {"CR": 0x00, "PLLCFGR": 0x04, "PLLI2SCFGR": 0x84, "DCKCFGR1": 0x8C}


class Sai(Device):
    """SAI2. ``check_source`` raises TargetError where the codec gives no sound.

    Its clock stands still when there is nothing to hear, so that what is heard is the sound alone.
    """

    first, size = 0x4001_5C00, 0x400

    def __init__(self, dma: Dma, check_source: Callable[[], None]) -> None:
        self._dma, self._check_source = dma, check_source
        dma.synchronise = self.advance
        self._registers: dict[int, int] = {}
        self._overrun = False
        self._slots: list[int] = []  # of block B
        self._period = Fraction(1)
        self._sound = np.zeros(0, np.int16)
        self._began = 0  # when the sound did
        self._heard = 0  # samples of it

    def play(self, pcm: NDArray[np.int16]) -> int:
        """Give the left microphone a sound; the time when it is over. The right one has noise."""
        if not self._slots:
            raise TargetError("the firmware does not listen to the microphones")
        self._sound, self._began, self._heard = pcm, self.bus.now(), 0
        self._expect()
        return self._time_of(len(pcm))

    def read(self, offset: int) -> int:
        """Return a register."""
        self.advance()
        if offset == _B + _SR:
            return int(self._overrun)
        return self._registers.get(offset, 0)

    def write(self, offset: int, value: int) -> None:
        """Set a register."""
        self.advance()
        before = self._registers.get(offset, 0)
        form = {block + at for block in (_A, _B) for at in (_FRCR, _SLOTR)}
        if offset in form and self._registers.get(offset & ~0x1F | 4, 0) & _SAIEN:
            raise TargetError(f"SAI2: offset {offset:#x} is written while its block is on")
        self._registers[offset] = value
        if offset == _B + _CLRFR and value & _OVRUDR:
            self._overrun = False
        if offset == _B + _CR1 and (before ^ value) & _SAIEN:
            self._slots = self._enabled_slots() if value & _SAIEN else []

    def overrun(self) -> None:
        """Say that a sample was lost; those behind it come (33.3.13)."""
        self._overrun = True

    def advance(self) -> None:
        """Let the samples come that are due."""
        due = int((self.bus.now() - self._began) / self._period)
        new = self._sound[self._heard : due]
        if not len(new):
            return
        self._heard += len(new)
        if not self._slots:
            return
        if self._dma.runs and self._registers[_B + _CR1] & _DMAEN:
            self._dma.take(self._frames(new))
        else:
            self._overrun = True

    def _frames(self, left: NDArray[np.int16]) -> bytes:
        """Return the slots that are taken; what is not the left microphone is told from it."""
        frames = np.zeros((len(left), 4), "<i2")
        frames[:, 1], frames[:, 3] = left, ~left
        return frames[:, self._slots].tobytes()

    def _expect(self) -> None:
        left = len(self._sound) - self._heard
        if left:
            samples = min(left, _CHUNK, self._dma.to_next_flag or _CHUNK)
            self.bus.at(self._time_of(self._heard + samples), self._tick)

    def _tick(self) -> None:
        self.advance()
        self._expect()

    def _time_of(self, sample: int) -> int:
        return self._began + math.ceil(sample * self._period)

    def _enabled_slots(self) -> list[int]:
        """Return the slots block B takes; TargetError if it can get nothing."""
        pins.require_clock(self.bus, "SAI2", 0x4002_3844, 23)
        pins.require(self.bus, _PINS)
        for name, block, form in (("A", _A, _MASTER), ("B", _B, _SLAVE)):
            values = [self._registers.get(block + at, 0) for at in (_CR1, _FRCR, _SLOTR)]
            due = (form, _FRAME, _FOUR_SLOTS)
            masks = (_CR1_FORM, 0x7_FFFF, _SLOT_FORM)
            if any(v & m != d for v, m, d in zip(values, masks, due, strict=True)):
                told = ", ".join(f"{value:#x}" for value in values)
                raise TargetError(
                    f"SAI2: CR1, FRCR and SLOTR of block {name} are {told}: not I2S frames of four "
                    "slots of 16 bits, made by block A and taken by block B with it"
                )
        master = self._registers[_A + _CR1]
        if not master & _SAIEN:
            raise TargetError("SAI2: block B listens while block A makes no clock")
        self._period = frame_period(self.bus, master >> 20 & 0xF)
        self._check_source()
        enabled = self._registers[_B + _SLOTR] >> 16
        return [slot for slot in range(4) if enabled >> slot & 1]
