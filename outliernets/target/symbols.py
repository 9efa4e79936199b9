"""Names of functions by address, from an ELF's symbol table."""

from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from outliernets.errors import TargetError

_PADDING = 8  #: bytes between the end of a function and that of its section, at most


def address_of(elf: Path, name: str) -> int:
    """Return where a program has the variable ``name``; TargetError if it has none."""
    from elftools.elf.elffile import ELFFile

    with elf.open("rb") as stream:
        table = ELFFile(stream).get_section_by_name(".symtab")
        found = table.get_symbol_by_name(name) if table else None
    if not found:
        raise TargetError(f"{elf} has no variable '{name}'")
    return int(found[0]["st_value"])


class Functions:
    """The functions of a program, to be looked up by address."""

    def __init__(self, elf: Path) -> None:
        from elftools.elf.elffile import ELFFile

        with elf.open("rb") as stream:
            file = ELFFile(stream)
            table = file.get_section_by_name(".symtab")
            symbols = list(table.iter_symbols()) if table else []
            # Bit 0 of an Arm function's address says "Thumb".
            self._code = ~1 if file["e_machine"] == "EM_ARM" else ~0
        found = {
            (s["st_value"] & self._code, max(s["st_size"], 2), s.name)
            for s in symbols
            if s["st_info"]["type"] == "STT_FUNC"
        }
        self._elf = elf
        self._functions = sorted(found)
        self._starts = [start for start, _, _ in self._functions]

    def name_at(self, address: int) -> str | None:
        """Return the function that holds ``address``, or None."""
        found = self._at(address)
        return found[2] if found else None

    def describe(self, address: int) -> str:
        """Return ``0x8000123 (in function, file.c:12)`` for a message."""
        found = self._at(address & self._code)
        if found is None:
            return f"{address:#x} (in no known function)"
        start, size, name = found
        line = _line_at(self._elf, start, size, address & self._code)
        return f"{address:#x} (in {name}{f', {line}' if line else ''})"

    def _at(self, address: int) -> tuple[int, int, str] | None:
        i = bisect_right(self._starts, address) - 1
        if i < 0:
            return None
        start, size, _ = self._functions[i]
        return self._functions[i] if address < start + size else None


def _line_at(elf: Path, start: int, size: int, address: int) -> str | None:
    """Return ``file.c:12``, where an instruction of the function at ``start`` comes from, if known.

    Every function is a sequence of its own. Those that the linker left out are at 0, where a
    processor with tightly coupled memory has code, too; so the size must fit as well.
    """
    for program, sequence in _sequences(elf):
        end = sequence[-1].address
        if sequence[0].address == start and abs(end - start - size) < _PADDING:
            # Line 0 is what the compiler made up; the line before has led to it.
            passed = [state for state in sequence if state.address <= address and state.line]
            return f"{_file_name(program, passed[-1].file)}:{passed[-1].line}" if passed else None
    return None


def _sequences(elf: Path) -> Iterator[tuple[Any, list[Any]]]:
    """Yield DWARF's line programs, and the states of each of their sequences."""
    from elftools.elf.elffile import ELFFile

    with elf.open("rb") as stream:
        file = ELFFile(stream)
        dwarf: Any = file.get_dwarf_info()
        for unit in dwarf.iter_CUs() if file.has_dwarf_info() else ():
            program = dwarf.line_program_for_CU(unit)
            sequence: list[Any] = []
            for entry in program.get_entries() if program else ():
                if entry.state:
                    sequence.append(entry.state)
                    if entry.state.end_sequence:
                        yield program, sequence
                        sequence = []


def _file_name(program: Any, number: int) -> str:
    files = program["file_entry"]
    first = 0 if program["version"] >= 5 else 1  # DWARF 5, 6.2.4: files count from 0
    return Path(files[number - first].name.decode()).name
