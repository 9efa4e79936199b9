"""What a program puts into flash: read from its ELF file, written as .bin and Intel .hex."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from outliernets.errors import BuildError

ERASED = 0xFF  #: what flash holds between the parts of an image
_RECORD = 16  # bytes in a line of a .hex file
_DATA, _END, _HIGH_ADDRESS, _START = 0x00, 0x01, 0x04, 0x05  # types of lines


@dataclass(frozen=True)
class Part:
    """Bytes that follow each other in flash."""

    address: int  #: of the first
    data: bytes

    @property
    def end(self) -> int:
        """The address behind the last byte."""
        return self.address + len(self.data)


@dataclass(frozen=True)
class Image:
    """What is to be in flash: parts in the order of their addresses, which do not touch."""

    parts: tuple[Part, ...]
    entry: int  #: where the program starts
    machine: str  #: the ELF's name of the processor: ``EM_ARM``

    @property
    def address(self) -> int:
        """The address of the first byte."""
        return self.parts[0].address

    @property
    def binary(self) -> bytes:
        """All bytes from the first to the last, with ERASED in between."""
        content = bytearray()
        for part in self.parts:
            content += bytes([ERASED]) * (part.address - self.address - len(content)) + part.data
        return bytes(content)

    @property
    def intel_hex(self) -> str:
        """The parts as Intel HEX, with 32-bit addresses (Intel, 1988, "I32HEX")."""
        return "".join(f"{line}\n" for line in _hex_lines(self))


def sha256(data: bytes) -> str:
    """Return the SHA-256 of some bytes, as ``sha256sum`` prints it."""
    return hashlib.sha256(data).hexdigest()


def read_image(elf: Path) -> Image:
    """Read what an ELF file loads, at the addresses it is stored at; BuildError if it is none."""
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile

    try:
        with elf.open("rb") as stream:
            file = ELFFile(stream)
            parts = [
                Part(segment["p_paddr"], segment.data())
                for segment in file.iter_segments("PT_LOAD")
                if segment["p_filesz"]
            ]
            entry, machine = int(file["e_entry"]), str(file["e_machine"])
    except OSError as error:
        raise BuildError(f"cannot read the program {elf}: {error.strerror}") from error
    except ELFError as error:
        raise BuildError(f"{elf} is not a whole ELF program: {error}; build again") from error
    if not parts:
        raise BuildError(f"{elf} has nothing to load; build again")
    return Image(tuple(_joined(sorted(parts, key=lambda part: part.address))), entry, machine)


def _joined(parts: list[Part]) -> Iterator[Part]:
    """Yield the parts, those that touch as one."""
    whole = parts[0]
    for part in parts[1:]:
        if part.address == whole.end:
            whole = Part(whole.address, whole.data + part.data)
        else:
            yield whole
            whole = part
    yield whole


def _hex_lines(image: Image) -> Iterator[str]:
    high = 0
    for part in image.parts:
        at = part.address
        while at < part.end:
            if at >> 16 != high:
                high = at >> 16
                yield _hex_line(0, _HIGH_ADDRESS, high.to_bytes(2, "big"))
            # A line does not cross a multiple of 64 KiB.
            end = min(part.end, at + _RECORD, (high + 1) << 16)
            yield _hex_line(at & 0xFFFF, _DATA, part.data[at - part.address : end - part.address])
            at = end
    yield _hex_line(0, _START, image.entry.to_bytes(4, "big"))
    yield _hex_line(0, _END, b"")


def _hex_line(address: int, kind: int, data: bytes) -> str:
    record = bytes([len(data), address >> 8, address & 0xFF, kind]) + data
    return f":{record.hex().upper()}{-sum(record) & 0xFF:02X}"
