"""Run firmware somewhere and talk to it: emulators now, boards later, all through one protocol."""

from collections.abc import Callable

from outliernets.errors import ConfigError, near_miss
from outliernets.target.base import Target, TargetRun
from outliernets.target.host import HostTarget
from outliernets.target.protocol import Client, Hello, Result, Stats
from outliernets.target.qemu import QemuTarget
from outliernets.target.unicorn import UnicornTarget

__all__ = [
    "TARGETS",
    "Client",
    "Hello",
    "HostTarget",
    "Result",
    "Stats",
    "Target",
    "TargetRun",
    "get",
]

TARGETS: dict[str, Callable[[], Target]] = {
    "unicorn": UnicornTarget,
    "qemu": QemuTarget,
    "host": HostTarget,
}


def get(name: str) -> Target:
    """Return a closed target by name; raise ConfigError when there is none of that name."""
    if name not in TARGETS:
        raise ConfigError(f"unknown target '{name}' ({near_miss(name, TARGETS)})")
    return TARGETS[name]()
