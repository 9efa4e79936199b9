"""Which functions are copied to a board's memory for hot code: as many as it has room for."""

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from outliernets.boards import HOT_MARK

#: Names of functions that run for every window, as the generator and ``firmware/lib`` give them:
#: the network's, then the front end's, then the few that call them.
HOT = (
    *("*_n[0-9]*", "on_fft*", "on_mel*", "on_log*", "on_view*", "on_score*"),
    *("*_infer", "*_score", "*_look", "*_rate", "*_judge", "*_push"),
)
_TEXT = ".text."


def hot_sections(objects: Iterable[Path]) -> dict[str, int]:
    """Return (section, bytes) of the hot functions in unlinked objects, the hottest first.

    Each function has a section of its own (``-ffunction-sections``).
    """
    from elftools.elf.elffile import ELFFile

    found: dict[str, int] = {}
    for path in objects:
        with path.open("rb") as stream:
            for section in ELFFile(stream).iter_sections():
                if section.name.startswith(_TEXT):
                    # The linker may put each at a multiple of 4 bytes.
                    size = (int(section["sh_size"]) + 3) & -4
                    found[section.name] = found.get(section.name, 0) + size
    ranks = {name: _rank(name.removeprefix(_TEXT)) for name in found}
    hot = sorted((n for n in found if ranks[n] < len(HOT)), key=ranks.__getitem__)
    return {name: found[name] for name in hot}


def _rank(function: str) -> int:
    matches = (i for i, pattern in enumerate(HOT) if fnmatchcase(function, pattern))
    return next(matches, len(HOT))


def fitting(sections: Mapping[str, int], room: int) -> list[str]:
    """Return the sections that fit into ``room`` bytes, taken in their order."""
    chosen = []
    for name, size in sections.items():
        if size <= room:
            chosen.append(name)
            room -= size
    return chosen


def place(linker_script: str, sections: Sequence[str]) -> str:
    """Return a linker script that puts these sections into the memory for hot code."""
    return linker_script.replace(HOT_MARK, " ".join(f"*({name})" for name in sections))
