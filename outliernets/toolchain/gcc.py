"""GCC cross compilers from PATH: arm-none-eabi-gcc, aarch64-linux-gnu-gcc."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from outliernets.errors import MissingToolError
from outliernets.toolchain import sizes
from outliernets.toolchain.base import Toolchain
from outliernets.toolchain.cpus import Cpu


class GccToolchain(Toolchain):
    """GCC and GNU ld, without a libc."""

    name: ClassVar[str] = "gcc"

    def __init__(self, cpu: Cpu) -> None:
        super().__init__(cpu)
        self._program = f"{cpu.gcc_prefix}gcc"
        if not self.installed(cpu):
            raise MissingToolError(
                f"{self._program} is not on PATH: apt install {cpu.gcc_package},"
                " or use --toolchain zig"
            )

    @staticmethod
    def installed(cpu: Cpu) -> bool:
        """Whether the compiler for ``cpu`` is on PATH."""
        return shutil.which(f"{cpu.gcc_prefix}gcc") is not None

    def version(self) -> str:
        """Return the compiler's first line of ``--version``."""
        done = subprocess.run(
            [self._program, "--version"], capture_output=True, text=True, check=True
        )
        return done.stdout.splitlines()[0]

    def _compiler(self) -> list[str]:
        return [self._program, *self._cpu.gcc]

    def _compile_options(self) -> list[str]:
        return ["-fstack-usage"]

    def _link_options(self, linker_script: Path | None, out_dir: Path) -> list[str]:
        # A section the script does not place would be neither copied nor zeroed at start-up.
        script = ["-T", str(linker_script), "-Wl,--orphan-handling=error"]
        options = ["-nostartfiles", "-nostdlib", "-static", "-no-pie", "-Wl,--build-id=none"]
        options += script if linker_script else []
        return [*options, f"-Wl,-Map={self._map(out_dir)}", "-lgcc"]

    def _map(self, out_dir: Path) -> Path | None:
        return out_dir / "firmware.map"

    def _stack_usage(self, elf: Path, objects: Sequence[Path]) -> dict[str, int]:
        frames: dict[str, int] = {}
        for path in (o.with_suffix(".su") for o in objects):
            if path.exists():
                for name, size in sizes.parse_su(path.read_text(encoding="utf-8")).items():
                    frames[name] = max(size, frames.get(name, 0))
        return frames
