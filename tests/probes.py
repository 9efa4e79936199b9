"""Builds to be flashed, and fake programs that flash them (``fake_probe.py``)."""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tests import elf_builder

FLASH = 0x0800_0000
OLD = 0xA5  #: what is in flash before
VECTORS = (0x2000_4000).to_bytes(4, "little") + (FLASH + 0x101).to_bytes(4, "little")


def program(size: int = 1000, vectors: bytes = VECTORS) -> bytes:
    """Bytes of a program: where to start, then noise."""
    noise = np.random.default_rng(size).integers(0, 256, size - len(vectors))
    return vectors + noise.astype(np.uint8).tobytes()


#: a gap between two parts, and one that crosses 64 KiB
SEGMENTS = [(FLASH, program(0x1003)), (FLASH + 0x1010, program(0x1_0000))]


def build(
    folder: Path,
    board: str = "stm32f746",
    segments: Sequence[tuple[int, bytes]] = SEGMENTS,
    machine: int = elf_builder.EM_ARM,
) -> Path:
    """Make a folder as 'ongen build' leaves it, as far as flashing is concerned."""
    elf_builder.write(folder / "06_compile/firmware.elf", [*segments], FLASH + 0x101, machine)
    (folder / "build.json").write_text(json.dumps({"board": board}))
    return folder


class FakeProbes:
    """The programs on PATH, and nothing else there."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self._bin = folder / "bin"
        self._bin.mkdir(parents=True)
        (folder / "flash.bin").write_bytes(bytes([OLD]) * 0x10_0000)
        monkeypatch.setenv("PATH", str(self._bin))
        monkeypatch.setenv("FAKE_PROBE", str(folder))
        # Programs beside this Python would be found, too.
        monkeypatch.setattr(sys, "executable", str(folder / "python"))

    def install(self, *names: str) -> None:
        text = (Path(__file__).parent / "fake_probe.py").read_text()
        for name in names:
            path = self._bin / name
            path.write_text(text.replace("#!PYTHON", f"#!{os.path.realpath(PYTHON)} -S", 1))
            path.chmod(0o755)

    def fail(self, how: str) -> None:
        (self.folder / "fail").write_text(how)

    @property
    def calls(self) -> list[list[str]]:
        path = self.folder / "calls.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def flash(self, address: int, size: int) -> bytes:
        return (self.folder / "flash.bin").read_bytes()[address - FLASH : address - FLASH + size]


PYTHON = sys.executable


@pytest.fixture
def fake_probes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeProbes:
    """Fake programs, none installed yet."""
    return FakeProbes(tmp_path / "fake", monkeypatch)
