"""Waiting for memory: tables that do not fit the data cache are fetched again in every run.

A lower bound of first order: of tables in flash, what exceeds the cache is read once per run. What
a simulation of the cache says to that is in docs/latency.md. Code runs from tightly coupled memory
or stays in its cache; state lies in tightly coupled memory first.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from outliernets.boards import Board


@dataclass(frozen=True)
class Cache:
    """A data cache before slow memory."""

    size: int  #: bytes
    line: int  #: bytes
    fill: float  #: cycles that a load waits for a line of flash


#: By a board's family. The STM32F746: 4 KiB (DS10916 3.1); 7 wait states at 216 MHz for 256 bits
#: (RM0385 3.3.2), then four beats of 64 bits, and about 4 cycles of the bus, an assumption.
CACHES = {"stm32f7": Cache(4096, 32, 16.0)}
ERROR = 0.5  #: of the cycles it waits, relative


def waits(elf: Path, board: Board, names: str) -> float:
    """Return cycles that one run waits for its tables: those whose whole names match ``names``."""
    cache = CACHES.get(board.family)
    if cache is None:
        return 0.0
    size = sum(n for name, n in _tables(elf, board).items() if re.fullmatch(names, name))
    return max(0, size - cache.size) / cache.line * cache.fill


def error(pipeline: float, waits: float, total: float) -> float:
    """Return the relative error of ``total`` cycles, ``waits`` of them for memory."""
    if not waits:
        return pipeline
    return round((pipeline * (total - waits) + ERROR * waits) / total, 3)


def _tables(elf: Path, board: Board) -> Mapping[str, int]:
    """Return the bytes of each object in the board's flash."""
    from elftools.elf.elffile import ELFFile

    flash = [m for m in board.memory if m.role == "code"]
    with elf.open("rb") as stream:
        table = ELFFile(stream).get_section_by_name(".symtab")
        return {
            s.name: int(s["st_size"])
            for s in (table.iter_symbols() if table else ())
            if s["st_info"]["type"] == "STT_OBJECT"
            and any(m.base <= s["st_value"] < m.end for m in flash)
        }
