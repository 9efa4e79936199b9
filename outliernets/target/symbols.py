"""Names of functions by address, from an ELF's symbol table."""

from bisect import bisect_right
from pathlib import Path

from outliernets.errors import TargetError


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
            table = ELFFile(stream).get_section_by_name(".symtab")
            symbols = list(table.iter_symbols()) if table else []
        found = {  # bit 0 of an Arm function's address says "Thumb"
            (s["st_value"] & ~1, max(s["st_size"], 2), s.name)
            for s in symbols
            if s["st_info"]["type"] == "STT_FUNC"
        }
        self._functions = sorted(found)
        self._starts = [start for start, _, _ in self._functions]

    def name_at(self, address: int) -> str | None:
        """Return the function that holds ``address``, or None."""
        i = bisect_right(self._starts, address) - 1
        if i < 0:
            return None
        start, size, name = self._functions[i]
        return name if address < start + size else None

    def describe(self, address: int) -> str:
        """Return ``0x8000123 (in function)`` for a message."""
        name = self.name_at(address & ~1)
        return f"{address:#x} (in {name})" if name else f"{address:#x} (in no known function)"
