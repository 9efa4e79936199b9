"""A model of the WM8994 audio codec: its registers, and whether its microphones can be heard."""

from outliernets.errors import TargetError

DEVICE = 0x1A  #: its address on I2C
IDENTIFIER = 0x8994
#: Registers that must hold something for DMIC2 to be heard at 16 kHz, in slots 1 and 3 of a frame:
#: address, bits that matter, what they must be, what that means (data sheet rev. 4.6).
_NEEDED = (
    (0x001, 0x0017, 0x0013, "MICBIAS1, VMID and bias are on"),
    (0x004, 0x0C30, 0x0C30, "DMIC2 and AIF1ADC2 are on, left and right"),
    (0x200, 0x0019, 0x0001, "the clock of AIF1 is MCLK1, on"),
    (0x208, 0x000B, 0x000A, "signal processing is clocked by AIF1"),
    (0x210, 0x00FF, 0x0033, "16 kHz, a master clock of 256 times that"),
    (0x300, 0xE1F8, 0x4010, "I2S, 16 bits, right data from the right channel"),
    (0x302, 0x4000, 0x0000, "a slave"),
    (0x608, 0x0003, 0x0002, "AIF1ADC2 left hears DMIC2 left"),
    (0x609, 0x0003, 0x0002, "AIF1ADC2 right hears DMIC2 right"),
    (0x620, 0x0002, 0x0002, "the microphones' clock is 128 times the rate"),
    (0x411, 0x7800, 0x1800, "a high pass below all sound, left and right"),
    (0x450, 0x0003, 0x0000, "no compressor"),
)
_AFTER_RESET = {0x000: IDENTIFIER, 0x002: 0x6000, 0x300: 0x4050, 0x450: 0x0098, 0x620: 0x0002}


class Wm8994:
    """Registers of 16 bits. ``written`` has all writes, in order."""

    def __init__(self) -> None:
        self.written: list[tuple[int, int]] = []
        self._values = dict(_AFTER_RESET)

    def read(self, register: int) -> int:
        """Return a register."""
        return self._values.get(register, 0)

    def write(self, register: int, value: int) -> None:
        """Set a register; that of the identifier resets all."""
        self.written.append((register, value))
        if register == 0:
            self._values = dict(_AFTER_RESET)
        else:
            self._values[register] = value

    def check(self) -> None:
        """Raise TargetError if its microphones cannot be heard."""
        for register, mask, due, meaning in _NEEDED:
            value = self.read(register)
            if value & mask != due:
                raise TargetError(
                    f"the codec's register {register:#06x} is {value:#06x}, not {due:#06x} in the "
                    f"bits {mask:#06x}: {meaning}"
                )
