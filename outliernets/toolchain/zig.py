"""Clang and lld from the PyPI package ziglang: a cross compiler that pip installs."""

import importlib.util
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from outliernets.errors import MissingToolError
from outliernets.toolchain import sizes
from outliernets.toolchain.base import Toolchain
from outliernets.toolchain.cpus import Cpu

# The debug information is that of zig's compiler_rt: it is large and names folders of this machine.
_DISCARD = "SECTIONS { /DISCARD/ : { *compiler_rt*(.debug*) *(.comment) *(.eh_frame*) } }\n"
_KEEP_DEFAULT = "INSERT AFTER .text;\n"  # adds to the linker's own script instead of replacing it


class ZigToolchain(Toolchain):
    """``zig cc``, with zig's compiler_rt in the place of libgcc."""

    name: ClassVar[str] = "zig"

    def __init__(self, cpu: Cpu) -> None:
        super().__init__(cpu)
        if not self.installed(cpu):
            raise MissingToolError(
                "zig is not installed: pip install 'ongen[zig]' (or pip install ziglang)"
            )

    @staticmethod
    def installed(cpu: Cpu) -> bool:
        """Whether the package ziglang is installed; it serves every processor."""
        return importlib.util.find_spec("ziglang") is not None

    def version(self) -> str:
        """Return ``zig 0.x.y``."""
        command = [sys.executable, "-m", "ziglang", "version"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return f"zig {done.stdout.strip()}"

    def _compiler(self) -> list[str]:
        return [sys.executable, "-m", "ziglang", "cc", *self._cpu.zig]

    def _compile_options(self) -> list[str]:
        return [self._cpu.zig_level, "-fstack-size-section", "-fno-sanitize=all"]

    def _link_options(self, linker_script: Path | None, out_dir: Path) -> list[str]:
        script = out_dir / "zig.ld"
        if linker_script:
            # What is discarded comes first: of several patterns that fit, the first one counts.
            text = _DISCARD + linker_script.read_text(encoding="utf-8")
            entry = ["-Wl,-e,Reset_Handler"]  # zig overrides the script's ENTRY
            # On an empty cache zig takes a minute to build the library that few processors need.
            entry += [] if self._cpu.needs_runtime else ["-nostdlib"]
        else:
            text = _DISCARD + _KEEP_DEFAULT
            entry = ["-static"]
        script.write_text(text, encoding="utf-8")
        return [*entry, "-T", str(script)]

    def _map(self, out_dir: Path) -> Path | None:
        return None  # zig cc refuses -Map

    def _stack_usage(self, elf: Path, objects: Sequence[Path]) -> dict[str, int]:
        return sizes.stack_frames(elf)
