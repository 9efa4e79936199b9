"""Run firmware somewhere and talk to it: emulators and boards, all through one protocol."""

from collections.abc import Callable

from outliernets.errors import ConfigError, near_miss
from outliernets.target.base import Flow, Target, TargetRun
from outliernets.target.host import HostTarget
from outliernets.target.listener import Listener, Mailbox, Status
from outliernets.target.microphones import Microphones, Room
from outliernets.target.protocol import Client, Hello, Result, Stats
from outliernets.target.qemu import QemuTarget
from outliernets.target.renode import RenodeTarget, suite_files
from outliernets.target.serial_port import SerialTarget, is_port
from outliernets.target.unicorn import UnicornTarget

__all__ = [
    "TARGETS",
    "Client",
    "Flow",
    "Hello",
    "HostTarget",
    "Listener",
    "Mailbox",
    "Microphones",
    "RenodeTarget",
    "Result",
    "Room",
    "SerialTarget",
    "Stats",
    "Status",
    "Target",
    "TargetRun",
    "UnicornTarget",
    "get",
    "is_port",
    "suite_files",
]

TARGETS: dict[str, Callable[[], Target]] = {
    "unicorn": UnicornTarget,
    "qemu": QemuTarget,
    "renode": RenodeTarget,
    "host": HostTarget,
}


def get(name: str) -> Target:
    """Return a closed target by name, or of the board at a serial port such as /dev/ttyACM0.

    Raises ConfigError when there is none of that name.
    """
    if is_port(name):
        return SerialTarget(name)
    if name not in TARGETS:
        raise ConfigError(
            f"unknown target '{name}' ({near_miss(name, TARGETS)}, or a port such as /dev/ttyACM0)"
        )
    return TARGETS[name]()
