"""Compile and link firmware: one interface, two toolchains."""

from outliernets.boards import Board
from outliernets.errors import ConfigError, near_miss
from outliernets.toolchain.base import (
    Firmware,
    Toolchain,
    create_cpu,
    program_includes,
    program_sources,
)
from outliernets.toolchain.cpus import HOST
from outliernets.toolchain.gcc import GccToolchain
from outliernets.toolchain.host import HostGccToolchain, HostZigToolchain
from outliernets.toolchain.zig import ZigToolchain

__all__ = [
    "TOOLCHAINS",
    "Firmware",
    "Toolchain",
    "available",
    "create_cpu",
    "get",
    "program_includes",
    "program_sources",
]

TOOLCHAINS: dict[str, type[GccToolchain] | type[ZigToolchain]] = {
    "zig": ZigToolchain,
    "gcc": GccToolchain,
}
HOST_TOOLCHAINS: dict[str, type[GccToolchain] | type[ZigToolchain]] = {
    "zig": HostZigToolchain,
    "gcc": HostGccToolchain,
}


def get(name: str, board: Board) -> Toolchain:
    """Return a toolchain for a board; MissingToolError says how to install an absent one."""
    if name not in TOOLCHAINS:
        raise ConfigError(f"unknown toolchain '{name}' ({near_miss(name, TOOLCHAINS)})")
    kinds = HOST_TOOLCHAINS if board.cpu == HOST else TOOLCHAINS
    return kinds[name](create_cpu(board))


def available(board: Board) -> list[str]:
    """Return the names of the toolchains that are installed for a board."""
    cpu = create_cpu(board)
    return [name for name, kind in TOOLCHAINS.items() if kind.installed(cpu)]
