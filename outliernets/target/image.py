"""Whether a program is one that an emulated machine can run, before it is started there."""

from pathlib import Path

from outliernets.boards import Variant
from outliernets.errors import TargetError


def check(elf: Path, variant: Variant, cpu: str) -> None:
    """Raise TargetError unless ``elf`` is a program for ``cpu`` that fits the machine's memory."""
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile

    try:
        with elf.open("rb") as stream:
            file = ELFFile(stream)
            machine, entry = file["e_machine"], file["e_entry"]
            loaded = [(s["p_paddr"], s["p_filesz"]) for s in file.iter_segments("PT_LOAD")]
    except FileNotFoundError as error:
        raise TargetError(f"there is no firmware {elf}") from error
    except OSError as error:
        raise TargetError(f"cannot read the firmware {elf}: {error.strerror}") from error
    except ELFError as error:
        raise TargetError(f"{elf} is not an ELF program: {error}") from error
    wanted = "EM_AARCH64" if cpu.startswith("cortex-a") else "EM_ARM"
    if machine != wanted:
        raise TargetError(
            f"{elf} is a program for {machine}, {cpu} is {wanted}: was it built for it?"
        )
    code = variant.region("code")
    if code and not code.base <= entry < code.end:
        raise TargetError(
            f"{elf} starts at {entry:#x}, which is not in the code of machine {variant.machine}:"
            " was it built for it?"
        )
    for address, size in loaded:
        if size and code and not _fits(address, size, variant):
            raise TargetError(
                f"{elf} cannot be loaded into machine {variant.machine}, was it built for it?"
                f" ({size:,} bytes at {address:#x} are outside its memory)"
            )


def _fits(address: int, size: int, variant: Variant) -> bool:
    return any(m.base <= address and address + size <= m.end for m in variant.regions)
