"""The parts of a program that are loaded."""

from dataclasses import dataclass
from pathlib import Path

from outliernets.errors import TargetError


@dataclass(frozen=True)
class Segment:
    """A part of a program to be loaded."""

    address: int  #: where it runs
    load_address: int  #: where it is stored
    data: bytes
    size: int  #: bytes in memory: the data, then zeros
    executable: bool


def load_segments(elf: Path) -> list[Segment]:
    """Return the parts of a program that are loaded; TargetError if it is none."""
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile

    try:
        with elf.open("rb") as stream:
            return [
                Segment(s["p_vaddr"], s["p_paddr"], s.data(), s["p_memsz"], bool(s["p_flags"] & 1))
                for s in ELFFile(stream).iter_segments("PT_LOAD")
            ]
    except OSError as error:
        raise TargetError(f"cannot read the firmware {elf}: {error.strerror}") from error
    except ELFError as error:
        raise TargetError(f"{elf} is not an ELF program: {error}") from error
