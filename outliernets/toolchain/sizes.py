"""Sizes of programs, read from ELF files: sections, symbols, memory, stack frames."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_WRITE, _ALLOC, _EXECUTE = 1, 2, 4  # SHF_WRITE, SHF_ALLOC, SHF_EXECINSTR


@dataclass(frozen=True)
class Sizes:
    """Where a linked program's bytes go."""

    flash: int  #: code, constants and the initial values of data
    ram: int  #: variables, initialised or not; without the stack
    code_ram: int  #: code that start-up copies to RAM; in ``flash`` it is counted once, too
    stack: int  #: bytes reserved
    sections: Mapping[str, int]  #: that take memory on the target
    symbols: tuple[tuple[str, int], ...]  #: functions and objects, largest first


def measure(elf: Path) -> Sizes:
    """Measure a linked program that defines ``on_stack_low`` and ``on_stack_high``."""
    from elftools.elf.elffile import ELFFile

    with elf.open("rb") as stream:
        file = ELFFile(stream)
        loaded = [s for s in file.iter_sections() if s["sh_flags"] & _ALLOC and s["sh_size"]]
        flash = sum(s["sh_size"] for s in loaded if s["sh_type"] != "SHT_NOBITS")
        moved = [g for g in file.iter_segments("PT_LOAD") if g["p_vaddr"] != g["p_paddr"]]
        in_ram = [
            s
            for s in loaded
            if s["sh_flags"] & _WRITE or any(g.section_in_segment(s) for g in moved)
        ]
        code_ram = sum(s["sh_size"] for s in in_ram if s["sh_flags"] & _EXECUTE)
        ram = sum(s["sh_size"] for s in in_ram) - code_ram
        addresses = _addresses(file, ("on_stack_low", "on_stack_high"))
        stack = addresses.get("on_stack_high", 0) - addresses.get("on_stack_low", 0)
        sections = {s.name: int(s["sh_size"]) for s in loaded}
        symbols = _largest(_symbols(file))
    return Sizes(flash, ram - stack, code_ram, stack, sections, symbols)


def largest_symbols(objects: Iterable[Path], writable: bool) -> tuple[tuple[str, int], ...]:
    """Return (name, bytes) of what unlinked objects put into RAM (``writable``) or into flash."""
    from elftools.elf.elffile import ELFFile

    found: list[tuple[str, int]] = []
    for path in objects:
        with path.open("rb") as stream:
            file = ELFFile(stream)
            for symbol in _symbols(file):
                section = file.get_section(symbol["st_shndx"])
                in_ram = bool(section["sh_flags"] & _WRITE)
                if in_ram == writable or (not writable and section["sh_type"] != "SHT_NOBITS"):
                    found.append((symbol.name, int(symbol["st_size"])))
    return _largest_pairs(found)


def stack_frames(elf: Path) -> dict[str, int]:
    """Return bytes of stack by function, as clang's -fstack-size-section writes them."""
    from elftools.elf.elffile import ELFFile

    with elf.open("rb") as stream:
        file = ELFFile(stream)
        section = file.get_section_by_name(".stack_sizes")
        if section is None:
            return {}
        names = {s["st_value"] & ~1: s.name for s in _symbols(file) if _kind(s) == "STT_FUNC"}
        frames: dict[str, int] = {}
        for address, size in _stack_sizes(section.data(), file.elfclass // 8):
            name = names.get(address & ~1)
            if name:
                frames[name] = max(size, frames.get(name, 0))
        return frames


def parse_su(text: str) -> dict[str, int]:
    """Return bytes of stack by function, from a file gcc writes with -fstack-usage."""
    frames: dict[str, int] = {}
    for line in text.splitlines():
        place, size, _ = line.split("\t")
        name = place.rsplit(":", 1)[-1]
        frames[name] = max(int(size), frames.get(name, 0))
    return frames


def _stack_sizes(data: bytes, word: int) -> Iterable[tuple[int, int]]:
    """Yield (address, size) of each function: ``word`` bytes, then a ULEB128 number."""
    at = 0
    while at + word < len(data):
        address = int.from_bytes(data[at : at + word], "little")
        at += word
        size = shift = 0
        while True:
            byte = data[at]
            at += 1
            size |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        yield address, size


def _symbols(file: Any) -> list[Any]:
    table = file.get_section_by_name(".symtab")
    kinds = ("STT_FUNC", "STT_OBJECT")
    return [
        s
        for s in (table.iter_symbols() if table else ())
        if _kind(s) in kinds and isinstance(s["st_shndx"], int)
    ]


def _kind(symbol: Any) -> str:
    return str(symbol["st_info"]["type"])


def _addresses(file: Any, names: tuple[str, ...]) -> dict[str, int]:
    table = file.get_section_by_name(".symtab")
    return {
        s.name: s["st_value"] for s in (table.iter_symbols() if table else ()) if s.name in names
    }


def _largest(symbols: Iterable[Any]) -> tuple[tuple[str, int], ...]:
    return _largest_pairs([(s.name, int(s["st_size"])) for s in symbols])


def _largest_pairs(pairs: list[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted({p for p in pairs if p[1]}, key=lambda p: (-p[1], p[0])))
