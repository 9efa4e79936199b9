"""The machines unicorn can be: STM32s with memory, a USART and interrupts, and a Linux process.

``base`` runs a program and counts; ``stm32`` is a microcontroller, with the processor's side of an
interrupt in ``exceptions``, the controller's in ``nvic`` and the differences of chips in ``chips``.
Peripherals of one's own are a ``Device``, attached with ``Stm32.attach``.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from outliernets.boards import Variant
from outliernets.errors import ConfigError, TargetError, near_miss
from outliernets.target.machines.base import CPU_MODELS, Machine
from outliernets.target.machines.chips import CHIPS
from outliernets.target.machines.device import Bus, Device
from outliernets.target.machines.linux_user import LinuxUser
from outliernets.target.machines.program import Segment, load_segments
from outliernets.target.machines.stm32 import Stm32

__all__ = ["MACHINES", "Bus", "Device", "Machine", "Segment", "Stm32", "create", "load_segments"]

MACHINES: dict[str, Callable[[Variant, str, Path, int], Machine]] = {
    **{name: partial(Stm32, chip) for name, chip in CHIPS.items()},
    "linux-user": LinuxUser,
}


def create(variant: Variant, cpu: str, elf: Path, limit: int) -> Machine:
    """Return the machine ``variant`` names, with ``elf`` loaded."""
    if variant.machine not in MACHINES:
        hint = near_miss(variant.machine, MACHINES)
        raise ConfigError(f"unicorn has no machine '{variant.machine}' ({hint})")
    if cpu not in CPU_MODELS:
        raise ConfigError(f"unicorn has no processor '{cpu}' ({near_miss(cpu, CPU_MODELS)})")
    import unicorn

    try:
        return MACHINES[variant.machine](variant, cpu, elf, limit)
    except unicorn.UcError as error:
        raise TargetError(
            f"{elf} cannot be loaded into machine {variant.machine}, was it built for it? ({error})"
        ) from error
