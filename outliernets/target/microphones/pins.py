"""What a peripheral of the STM32F746 needs of others: its pins connected, its clock on."""

from collections.abc import Iterable
from dataclasses import dataclass

from outliernets.errors import TargetError
from outliernets.target.machines import Bus

_PORT_A, _PORT_SIZE = 0x4002_0000, 0x400
_AHB1ENR = 0x4002_3830


@dataclass(frozen=True)
class Pin:
    """A pin of a port, and the alternate function it must have."""

    port: str
    number: int
    function: int
    open_drain: bool = False


def word(bus: Bus, address: int) -> int:
    """Return what is in a register."""
    return int.from_bytes(bus.read_memory(address, 4), "little")


def require_clock(bus: Bus, name: str, address: int, bit: int) -> None:
    """Raise TargetError if a peripheral is used whose clock is off."""
    if not word(bus, address) >> bit & 1:
        raise TargetError(f"{name} is used, but its clock is off (bit {bit} of {address:#010x})")


def require(bus: Bus, pins: Iterable[Pin]) -> None:
    """Raise TargetError if a pin is not connected as it must be."""
    for pin in pins:
        index = ord(pin.port) - ord("A")
        base = _PORT_A + index * _PORT_SIZE
        name = f"P{pin.port}{pin.number}"
        require_clock(bus, f"port {pin.port}", _AHB1ENR, index)
        mode = word(bus, base) >> 2 * pin.number & 3
        function = word(bus, base + 0x20 + pin.number // 8 * 4) >> pin.number % 8 * 4 & 0xF
        open_drain = bool(word(bus, base + 4) >> pin.number & 1)
        if (mode, function, open_drain) != (2, pin.function, pin.open_drain):
            raise TargetError(
                f"{name} has mode {mode}, function {function}, open drain {open_drain}; it needs "
                f"mode 2, function {pin.function}, open drain {pin.open_drain}"
            )
