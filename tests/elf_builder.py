"""The smallest ELF programs: segments at addresses, nothing else."""

import struct
from pathlib import Path

EM_ARM, EM_X86_64 = 40, 62
_HEADER, _SEGMENT = 52, 32  # bytes


def write(
    path: Path,
    segments: list[tuple[int, bytes]],
    entry: int = 0,
    machine: int = EM_ARM,
    bss: int = 0x2000_0000,
) -> Path:
    """Write a 32-bit ELF file with ``segments`` (load address, bytes), and one without content."""
    headers, content = b"", b""
    at = _HEADER + _SEGMENT * (len(segments) + 1)
    for address, data in segments:
        headers += struct.pack(
            "<8I", 1, at + len(content), address, address, len(data), len(data), 5, 4
        )
        content += data
    headers += struct.pack("<8I", 1, 0, bss, bss, 0, 256, 6, 4)
    ident = b"\x7fELF\x01\x01\x01" + bytes(9)
    fields = (2, machine, 1, entry, _HEADER, 0, 0, _HEADER, _SEGMENT, len(segments) + 1, 40, 0, 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(ident + struct.pack("<HHIIIIIHHHHHH", *fields) + headers + content)
    return path
