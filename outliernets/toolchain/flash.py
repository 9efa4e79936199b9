"""Write a build's program to the board's flash: say what, write, read back, compare, start."""

import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from outliernets import boards
from outliernets.boards import Board, Chip, Memory
from outliernets.errors import BuildError, ConfigError, TargetError
from outliernets.files import written_whole
from outliernets.toolchain import probes
from outliernets.toolchain.images import Image, read_image, sha256
from outliernets.toolchain.probes import Command, Job, Probe

HEX, BINARY, READ_BACK, LOG = "firmware.hex", "firmware.bin", "read_back.bin", "flash.log"
#: Where a build keeps its choices, and its program: of 'ongen build', 'compile', 'detect'.
BUILD = ("build.json", "06_compile/firmware.elf")
LIBRARY = ("library.json", "firmware.elf")
DETECTOR = ("detect.json", "firmware.elf")


@dataclass(frozen=True)
class Plan:
    """Everything that will be done, decided before anything is."""

    folder: Path  #: where the images are
    elf: Path
    board: Board
    flash: Memory  #: of the board
    image: Image
    probe: Probe
    job: Job
    verify: bool

    @property
    def commands(self) -> list[Command]:
        """All commands, in order."""
        checks = [self.probe.read_back(self.job)] if self.verify else []
        return [*self.probe.write(self.job), *checks, self.probe.start(self.job)]


def make_plan(
    folder: Path,
    probe_name: str | None = None,
    erase_all: bool = False,
    verify: bool = True,
    dry_run: bool = False,
) -> Plan:
    """Check a build's program and write its images, firmware.bin and firmware.hex, beside it.

    A ``dry_run`` needs no probe's program. Raises ConfigError for a folder that is no build and a
    board that cannot be flashed, BuildError for a program that is not for this board, and
    MissingToolError.
    """
    elf, board = find_program(folder)
    flash = _flash_of(board)
    image = read_image(elf)
    check(image, board, elf)
    probe = _probe(probe_name, dry_run)
    content = image.binary
    for name, data in ((HEX, image.intel_hex.encode("ascii")), (BINARY, content)):
        with written_whole(folder / name) as path:
            path.write_bytes(data)
    job = Job(_chip(board), HEX, BINARY, READ_BACK, image.address, len(content), erase_all)
    return Plan(folder, elf, board, flash, image, probe, job, verify)


def find_program(folder: Path) -> tuple[Path, Board]:
    """Return the program in a build's folder, and its board; ConfigError if there is none."""
    for settings, program in (BUILD, LIBRARY, DETECTOR):
        if (folder / settings).is_file():
            board = boards.load(_board_name(folder / settings))
            elf = folder / program
            if elf.is_file():
                return elf, board
            raise ConfigError(_no_program(folder, settings, board))
    raise ConfigError(
        f"{folder}: not a build (no {BUILD[0]}); give the folder that holds report.json, such as"
        " build/fan/06/6dB/stm32f746"
    )


def check(image: Image, board: Board, elf: Path) -> None:
    """Raise BuildError unless a program is for this very board, not for an emulator of it."""
    flash = _flash_of(board)
    if image.machine != "EM_ARM":
        raise BuildError(f"{elf} is for another processor ({image.machine}), not for {board.cpu}")
    for part in image.parts:
        if not flash.base <= part.address < part.end <= flash.end:
            raise BuildError(
                f"{elf} is not for {board.name} itself: it has bytes at {part.address:#010x}, the"
                f" board's flash is {flash.base:#010x} to {flash.end - 1:#010x}. Was it built for"
                " an emulator ('--target qemu')? Build for the board's first target"
            )
    stack, start = (int.from_bytes(image.binary[i : i + 4], "little") for i in (0, 4))
    in_ram = any(m.base < stack <= m.end for m in board.memory if m.role != "code")
    if image.address != flash.base or not in_ram or not start & 1 or start not in _span(flash):
        raise BuildError(
            f"{elf} would not start on {board.name}: its vector table says stack {stack:#010x},"
            f" first instruction {start:#010x}; build again"
        )


def carry_out(plan: Plan, tell: Callable[[str], None]) -> None:
    """Write, verify and start; ``tell`` is told of each step. TargetError when one fails.

    What was said is kept in ``flash.log``. A program that cannot be verified is not started.
    """
    log = plan.folder / LOG
    log.write_text("", encoding="utf-8")
    tell("writing")
    for command in plan.probe.write(plan.job):
        _step(plan, command, log)
    if plan.verify:
        tell("reading back")
        _verify(plan, log)
    tell("starting")
    _step(plan, plan.probe.start(plan.job), log)


def first_difference(image: Image, found: bytes) -> int | None:
    """Return the first address where flash, read from the image's start, is not as it should be.

    What lies between the parts of an image does not matter. None: there is no difference.
    """
    for part in image.parts:
        there = found[part.address - image.address : part.end - image.address]
        if there != part.data:
            pairs = zip(part.data, there, strict=False)
            same = next((i for i, (a, b) in enumerate(pairs) if a != b), len(there))
            return part.address + same
    return None


def as_text(plan: Plan) -> str:
    """Return what will be done, exactly, for people."""
    flash, probe = plan.flash, plan.probe
    share = 100 * plan.job.size / flash.size
    missing = "" if probes.installed(probe) else f" (not installed: {probe.hint})"
    files = (f"{f['path']}: {f['bytes']:,} bytes, SHA-256 {f['sha256']}" for f in _files(plan))
    parts = plan.image.parts
    ranges = (f"{p.address:#010x} to {p.end - 1:#010x}: {len(p.data):,} bytes" for p in parts)
    rows = [
        ("board", f"{plan.board.name}: {plan.board.title}"),
        ("program", str(plan.elf)),
        *(("file", file) for file in files),
        *(("write", span) for span in ranges),
        ("into", f"{flash.name}, {flash.size:,} bytes at {flash.base:#010x}: {share:.1f} %"),
        ("erase", "the whole chip first" if plan.job.erase_all else "the sectors that are written"),
        ("verify", "read back, compare every byte" if plan.verify else "no"),
        ("probe", f"{probe.name}{missing}, in {plan.folder}:"),
        *(("run", shlex.join(command)) for command in plan.commands),
    ]
    return "\n".join(f"{name:<7}  {value}" for name, value in rows)


def as_json(plan: Plan, dry_run: bool, seconds: float | None) -> dict[str, Any]:
    """Return what was done, or in a dry run would be, for programs."""
    return {
        "schema": 1,
        "board": plan.board.name,
        "elf": str(plan.elf),
        "segments": [
            {"address": p.address, "bytes": len(p.data), "sha256": sha256(p.data)}
            for p in plan.image.parts
        ],
        "files": _files(plan),
        "probe": plan.probe.name,
        "commands": plan.commands,
        "erase": "chip" if plan.job.erase_all else "sectors",
        "dry_run": dry_run,
        "written": not dry_run,
        "verified": plan.verify and not dry_run,
        "seconds": seconds,
    }


def _files(plan: Plan) -> list[dict[str, Any]]:
    paths = [plan.folder / BINARY, plan.folder / HEX]
    contents = [path.read_bytes() for path in paths]
    return [
        {"path": str(path), "bytes": len(content), "sha256": sha256(content)}
        for path, content in zip(paths, contents, strict=True)
    ]


def _board_name(settings: Path) -> str:
    try:
        return str(json.loads(settings.read_text(encoding="utf-8"))["board"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{settings}: damaged ({error}); build again") from None


def _no_program(folder: Path, settings: str, board: Board) -> str:
    if settings == LIBRARY[0]:
        return (
            f"{folder} holds a C library, no program: call it from a program of your own, or let"
            f" 'ongen build --board {board.name}' make a whole one"
        )
    return (
        f"{folder} has no program for the board itself ({BUILD[1]}): make it with"
        f" 'ongen run {folder}'"
    )


def _flash_of(board: Board) -> Memory:
    """Return the board's flash; ConfigError for boards that load programs another way."""
    flash = board.native.region("code")
    if flash is None:
        raise ConfigError(
            f"board {board.name} has no flash to write: its program is started by Linux; copy"
            " firmware.elf there and run it"
        )
    return flash


def _chip(board: Board) -> Chip:
    if board.chip is None:
        raise ConfigError(
            f"board {board.name}: its file has no table [flash], which says what probes call its"
            " chip (docs/boards.md)"
        )
    return board.chip


def _probe(name: str | None, dry_run: bool) -> Probe:
    if not dry_run:
        return probes.chosen(name)
    if name is not None:
        return probes.by_name(name)
    everything = list(probes.PROBES.values())
    return next((probe for probe in everything if probes.installed(probe)), everything[0])


def _span(memory: Memory) -> range:
    return range(memory.base, memory.end)


def _step(plan: Plan, command: Command, log: Path) -> None:
    """Run a command, and keep what it says in the log; raise TargetError when it fails."""
    status, said = probes.run(command, plan.folder)
    with log.open("a", encoding="utf-8") as stream:
        stream.write(f"$ {shlex.join(command)}\n{said}")
    if status:
        why = probes.explain(said, plan.job.chip, status)
        raise TargetError(f"{plan.probe.name} failed: {why} (log: {log})")


def _verify(plan: Plan, log: Path) -> None:
    """Read flash back and compare; raise TargetError with the first wrong address."""
    path = plan.folder / READ_BACK
    path.unlink(missing_ok=True)
    try:
        _step(plan, plan.probe.read_back(plan.job), log)
        if not path.is_file():
            raise TargetError(f"{plan.probe.name} read nothing back (log: {log}); try again")
        wrong = first_difference(plan.image, path.read_bytes())
    finally:
        path.unlink(missing_ok=True)
    if wrong is not None:
        raise TargetError(
            f"flash is not as written, first at {wrong:#010x}: the program was not started; try"
            " again, with --erase"
        )
