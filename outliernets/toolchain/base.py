"""What both toolchains share: compile each source, link, measure, and explain failures."""

import os
import re
import shlex
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from outliernets import resources
from outliernets.boards import Board, Variant, stack_region
from outliernets.errors import BuildError
from outliernets.toolchain import hot_code, sizes
from outliernets.toolchain.cpus import Cpu, lookup

WARNINGS = ("-Wall", "-Wextra", "-Werror", "-Wconversion", "-Wshadow", "-Wdouble-promotion")
OPTIONS = (
    "-std=c11",
    "-O2",
    "-ffreestanding",
    "-ffunction-sections",
    "-fdata-sections",
    "-fno-common",
    "-g1",  # lines for reports of faults; they stay in the ELF
    "-fno-asynchronous-unwind-tables",
    "-fno-unwind-tables",
)
SHOWN = 5  #: symbols named in a message

# GNU ld: region `flash' overflowed by 12 bytes
# lld: section '.text' will not fit in region 'flash': overflowed by 12 bytes
_OVERFLOW = re.compile(r"region [`'](\w+)'(?::)? overflowed by (\d+) bytes")


@dataclass(frozen=True)
class Firmware:
    """A linked program."""

    elf: Path
    map: Path | None  #: the linker's map; None where the linker writes none
    flash: int  #: bytes of code, constants and initial data
    ram: int  #: bytes of variables, without the stack
    code_ram: int  #: bytes of code that start-up copies from flash to RAM
    hot_in_flash: int  #: bytes of hot code that found no room there; 0 without such a memory
    stack: int  #: bytes reserved for the stack
    stack_usage: Mapping[str, int]  #: bytes of each function's own frame
    sections: Mapping[str, int]  #: bytes of each section in memory
    symbols: tuple[tuple[str, int], ...]  #: (name, bytes), largest first


class Toolchain(ABC):
    """A C compiler and linker for one processor."""

    name: ClassVar[str]

    def __init__(self, cpu: Cpu) -> None:
        self._cpu = cpu

    @abstractmethod
    def version(self) -> str:
        """Return the compiler's version in one line."""

    @abstractmethod
    def _compiler(self) -> list[str]:
        """Return the compiler's command with the processor's options."""

    @abstractmethod
    def _compile_options(self) -> list[str]:
        """Return further options to compile."""

    @abstractmethod
    def _link_options(self, linker_script: Path | None, out_dir: Path) -> list[str]:
        """Return the options to link, and write what they need into ``out_dir``."""

    @abstractmethod
    def _map(self, out_dir: Path) -> Path | None:
        """Return where the linker writes its map, if it does."""

    @abstractmethod
    def _stack_usage(self, elf: Path, objects: Sequence[Path]) -> dict[str, int]:
        """Return bytes of stack by function."""

    def link(
        self,
        sources: Sequence[Path],
        include_dirs: Sequence[Path],
        board: Board,
        target: str | None,
        linker_script: Path | None,
        out_dir: Path,
        defines: Mapping[str, str] | None = None,
    ) -> Firmware:
        """Build ``firmware.elf`` in ``out_dir`` from C sources; equal input gives equal bytes.

        ``target`` names the board's variant (None: the board itself). Raises BuildError when the
        compiler or linker fails (the log stays in ``out_dir/build.log``) or the program does not
        fit.
        """
        variant = board.variant(target)
        out_dir.mkdir(parents=True, exist_ok=True)
        log = out_dir / "build.log"
        log.write_text("", encoding="utf-8")
        objects = self._compile(sources, include_dirs, out_dir, defines or {}, log)
        elf = out_dir / "firmware.elf"
        status, output, hot_in_flash = self._link(objects, linker_script, variant, elf, log)
        if status:
            raise BuildError(_link_failure(output, board, variant, objects, log))
        size = sizes.measure(elf)
        usage = self._stack_usage(elf, objects)
        return Firmware(
            elf,
            self._map(out_dir),
            size.flash,
            size.ram,
            size.code_ram,
            hot_in_flash,
            size.stack,
            usage,
            size.sections,
            size.symbols,
        )

    def _link(
        self,
        objects: Sequence[Path],
        linker_script: Path | None,
        variant: Variant,
        elf: Path,
        log: Path,
    ) -> tuple[int, str, int]:
        """Link, with as much hot code in the memory for it as there is room for.

        Returns the linker's status and output, and the bytes of hot code that found no room. Only
        the linker knows what else it puts there: where that is too much, fewer functions go.
        """
        hot = variant.region("hot_code") if linker_script else None
        template = linker_script.read_text(encoding="utf-8") if linker_script and hot else ""
        script = elf.with_name("placed.ld") if hot else linker_script
        sections = hot_code.hot_sections(objects) if hot else {}
        room = hot.size if hot else 0
        while True:
            chosen = hot_code.fitting(sections, room)
            if script and hot:
                script.write_text(hot_code.place(template, chosen), encoding="utf-8")
            status, output = self._link_once(objects, script, elf, log)
            used = sum(sections[name] for name in chosen)
            excess = _overflows(output).get(hot.name, 0) if hot and status else 0
            if not (excess and chosen):
                return status, output, sum(sections.values()) - used
            room = used - excess

    def _link_once(
        self, objects: Sequence[Path], linker_script: Path | None, elf: Path, log: Path
    ) -> tuple[int, str]:
        elf.unlink(missing_ok=True)
        options = self._link_options(linker_script, elf.parent)
        command = [
            *self._compiler(),
            *map(str, objects),
            "-Wl,--gc-sections",
            *options,
            "-o",
            str(elf),
        ]
        return _run(command, log)

    def _compile(
        self,
        sources: Sequence[Path],
        include_dirs: Sequence[Path],
        out_dir: Path,
        defines: Mapping[str, str],
        log: Path,
    ) -> list[Path]:
        """Compile each source into an object; raise BuildError with the first error."""
        folder = out_dir / "obj"
        folder.mkdir(exist_ok=True)
        common = [
            *self._compiler(),
            *OPTIONS,
            *WARNINGS,
            *self._compile_options(),
            *_no_paths([out_dir.resolve(), *(source.resolve().parent for source in sources)]),
        ]
        common += [f"-I{d}" for d in include_dirs]
        common += [f"-D{name}={value}" for name, value in sorted(defines.items())]
        objects = [folder / f"{i:02d}_{source.stem}.o" for i, source in enumerate(sources)]
        commands = [
            [*common, "-c", str(source), "-o", str(target)]
            for source, target in zip(sources, objects, strict=True)
        ]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            outcomes = list(pool.map(_quiet_run, commands))
        for command, (status, output) in zip(commands, outcomes, strict=True):
            _append(log, command, output)
            if status:
                raise BuildError(f"compiler failed: {_first_error(output)} (log: {log})")
        return objects


def create_cpu(board: Board) -> Cpu:
    """Return the compiler options of a board's processor."""
    return lookup(board.cpu, board.name)


#: what applications need of ``firmware/`` beside themselves, the server and the protocol
_PARTS = {"detect": ("app/text.c", "lib/on_alarm.c", "lib/on_calibrate.c", "audio/ring.c")}


def program_sources(
    board: Board, target: str | None, app: str = "check", audio: str | None = None
) -> list[Path]:
    """Return the hand-written C of a program: application, protocol and board support.

    ``audio`` names the source of sound, a folder of ``firmware/audio/``, if the application listens
    to one. The model's own sources come on top.
    """
    firmware = resources.firmware()
    folders = [firmware / "bsp" / name for name in ("common", *board.variant(target).bsp)]
    for folder in folders:
        if not folder.is_dir():
            raise BuildError(f"board {board.name}: no board support in {folder}")
    apps = firmware / "app"
    sources = [apps / f"{app}.c", apps / "server.c", firmware / "lib" / "on_frame.c"]
    sources += [firmware / part for part in _PARTS.get(app, ())]
    if audio is not None:
        folders.append(firmware / "audio" / audio)
    return sources + [path for folder in folders for path in sorted(folder.glob("*.c"))]


def program_includes(board: Board, target: str | None) -> list[Path]:
    """Return the include folders that go with ``program_sources``."""
    firmware = resources.firmware()
    names = ("common", *board.variant(target).bsp)
    folders = [firmware / "bsp" / name for name in names]
    return [firmware / name for name in ("app", "lib", "audio", "bsp")] + folders


def _no_paths(folders: Iterable[Path]) -> list[str]:
    """Return options that keep the places of sources out of the program."""
    places = dict.fromkeys([Path.cwd(), resources.root(), *folders])  # the last that fits is taken
    return [f"-ffile-prefix-map={place}=." for place in places]


def _quiet_run(command: list[str]) -> tuple[int, str]:
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    return done.returncode, done.stderr + done.stdout


def _run(command: list[str], log: Path) -> tuple[int, str]:
    status, output = _quiet_run(command)
    _append(log, command, output)
    return status, output


def _append(log: Path, command: list[str], output: str) -> None:
    with log.open("a", encoding="utf-8") as stream:
        stream.write(f"$ {shlex.join(command)}\n{output}")


def _first_error(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    wrong = (line for line in lines if re.search(r"\b(error|undefined reference)\b", line))
    return next(wrong, lines[0] if lines else "no message")


def _overflows(output: str) -> dict[str, int]:
    """Return how many bytes too many the linker says each region has."""
    worst: dict[str, int] = {}
    for name, excess in _OVERFLOW.findall(output):
        worst[name] = max(int(excess), worst.get(name, 0))
    return worst


def _link_failure(
    output: str, board: Board, variant: Variant, objects: Sequence[Path], log: Path
) -> str:
    """Explain why linking failed: what does not fit, and which symbols are the largest."""
    worst = _overflows(output)
    if not worst:
        return f"linker failed: {_first_error(output)} (log: {log})"
    parts = []
    for region in variant.regions:
        if region.name in worst:
            excess = worst[region.name]
            needed = _room(region.name, variant) + excess
            symbols = sizes.largest_symbols(objects, writable=region.role != "code")[:SHOWN]
            largest = ", ".join(f"{name} {size:,}" for name, size in symbols)
            parts.append(
                f"{region.name} overflows by {excess:,} bytes ({needed:,} of "
                f"{_room(region.name, variant):,}); largest: {largest}"
            )
    return f"does not fit {board.name}: {'; '.join(parts)}"


def _room(name: str, variant: Variant) -> int:
    """Return a region's bytes without the stack, as the linker script has it."""
    region = next(m for m in variant.regions if m.name == name)
    return region.size - (variant.stack if region == stack_region(variant) else 0)
