"""Run firmware in QEMU: a bare-metal machine, or a Linux process; bytes go through pipes."""

import os
import select
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, ClassVar, Self

from outliernets.boards import Board, Variant
from outliernets.errors import ConfigError, MissingToolError, TargetError, near_miss
from outliernets.target import image
from outliernets.target.base import Target
from outliernets.target.block_counts import BlockCounter, reason_not_to_count
from outliernets.target.symbols import Functions

TIMEOUT = 60.0  #: seconds without any byte after which firmware counts as silent


@dataclass(frozen=True)
class Emulator:
    """How to start QEMU: ``{cpu}`` and ``{elf}`` in the arguments are filled in."""

    program: str
    package: str  #: Debian's package of it
    arguments: tuple[str, ...]
    instead: str  #: what to try where it is missing


UNICORN = "--target unicorn"


def _system(program: str, machine: str, *options: str, instead: str = UNICORN) -> Emulator:
    """Return a bare-metal machine; its firmware reaches the pipes through semihosting."""
    quiet = ("-display", "none", "-monitor", "none", "-serial", "none", "-parallel", "none")
    semihosting = ("-semihosting-config", "enable=on,target=native")
    arguments = ("-M", machine, *options, *quiet, *semihosting, "-kernel", "{elf}")
    return Emulator(program, "qemu-system-arm", arguments, instead)


MPS2 = ("mps2-an385", "mps2-an386", "mps2-an500")
MACHINES = {
    **{name: _system("qemu-system-arm", name) for name in MPS2},
    "virt": _system(
        "qemu-system-aarch64",
        "virt",
        *("-cpu", "{cpu}"),
        *("-nic", "none"),  # a network card wants firmware of its own, which may not be installed
        instead="--board cortex-a72",
    ),
    "linux-user": Emulator("qemu-aarch64", "qemu-user", ("-cpu", "{cpu}", "{elf}"), UNICORN),
}


class QemuTarget(Target):
    """QEMU as a target. ``timeout``: seconds of silence allowed.

    It counts instructions exactly with a plugin, which this machine's C compiler builds; without
    one, ``counts`` is empty and ``uncounted`` says why.
    """

    name: ClassVar[str] = "qemu"

    def __init__(self, timeout: float = TIMEOUT) -> None:
        self._timeout = timeout
        self._emulator = MACHINES["linux-user"]
        self._process: subprocess.Popen[bytes] | None = None
        self._scratch: tempfile.TemporaryDirectory[str] | None = None
        self._messages: IO[bytes] | None = None
        self._received = bytearray()
        self._elf = Path()
        self._counter: BlockCounter | None = None
        self.uncounted: str | None = "nothing has run yet"  #: why ``counts`` is empty

    def open(self, elf: Path, board: Board) -> Self:
        """Start QEMU with ``elf``, which was linked for the board's variant ``qemu``."""
        variant = board.variant(self.name)
        self.close()
        self._emulator = _emulator_of(variant)
        program = _find(self._emulator)
        image.check(elf, variant, board.cpu)
        self._elf = elf
        self._scratch = tempfile.TemporaryDirectory(prefix="ongen-qemu-")
        counting = self._count_in(Path(self._scratch.name))
        arguments = [a.format(cpu=board.cpu, elf=elf) for a in self._emulator.arguments]
        self._messages = tempfile.TemporaryFile()  # noqa: SIM115 (close() closes it)
        self._process = subprocess.Popen(
            [program, *counting, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._messages,
            bufsize=0,
        )
        return self

    def _count_in(self, folder: Path) -> list[str]:
        """Prepare to count; return the options of QEMU for it, none where it cannot."""
        version = _version(self._emulator)
        self.uncounted = reason_not_to_count(_find(self._emulator), version)
        if self.uncounted:
            return []
        try:
            self._counter = BlockCounter(version, folder)
        except TargetError as error:  # a compiler without the C library's headers, say
            self.uncounted = str(error)
            return []
        return self._counter.arguments()

    def close(self) -> None:
        """Kill QEMU and wait until it is gone."""
        if self._process:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe:
                    pipe.close()
        if self._messages:
            self._messages.close()
        if self._scratch:
            self._scratch.cleanup()
        self._process = self._messages = self._scratch = self._counter = None
        self._received.clear()

    def write(self, data: bytes) -> None:
        """Send bytes; raise TargetError when QEMU does not take them."""
        pipe = self._running().stdin
        left = memoryview(data)
        while left and pipe:
            _, ready, _ = select.select([], [pipe], [], self._timeout)
            if not ready:
                raise TargetError(f"the firmware in qemu took no byte for {self._timeout:g} s")
            try:
                left = left[os.write(pipe.fileno(), left[: select.PIPE_BUF]) :]
            except BrokenPipeError as error:
                raise TargetError(self._obituary()) from error

    def read(self, n: int) -> bytes:
        """Return ``n`` bytes; raise TargetError on the end of the program or after the timeout."""
        pipe = self._running().stdout
        while len(self._received) < n and pipe:
            ready, _, _ = select.select([pipe], [], [], self._timeout)
            if not ready:
                raise TargetError(
                    f"the firmware in qemu was silent for {self._timeout:g} s: it hangs, or waits"
                    f" for bytes; it answered {len(self._received)} of {n} expected"
                )
            new = os.read(pipe.fileno(), 65536)
            if not new:
                raise TargetError(self._obituary())
            self._received += new
        data = bytes(self._received[:n])
        del self._received[:n]
        return data

    def counts(self) -> dict[str, int]:
        """Return instructions executed so far by function, exactly; nothing if ``uncounted``."""
        self._running()
        return self._counter.counts(Functions(self._elf)) if self._counter else {}

    def version(self) -> str:
        """Return the version of the QEMU that runs, or would run, and why it counts nothing."""
        version = _version(self._emulator)
        known = self._process is not None
        reason = self.uncounted if known else reason_not_to_count(_find(self._emulator), version)
        return f"{version} (instructions not counted: {reason})" if reason else version

    def require(self, board: Board) -> None:
        """Raise MissingToolError if the QEMU that the board needs is absent."""
        _find(_emulator_of(board.variant(self.name)))

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise TargetError("no firmware runs in qemu: open() comes first")
        return self._process

    def _obituary(self) -> str:
        status = self._running().wait()
        said = ""
        if self._messages:
            self._messages.seek(0)
            said = self._messages.read().decode(errors="replace").strip()
        return f"qemu ended with status {status}: {said.splitlines()[-1] if said else 'no message'}"


def _emulator_of(variant: Variant) -> Emulator:
    if variant.machine not in MACHINES:
        hint = near_miss(variant.machine, MACHINES)
        raise ConfigError(f"qemu is not set up for machine '{variant.machine}' ({hint})")
    return MACHINES[variant.machine]


def _find(emulator: Emulator) -> str:
    path = shutil.which(emulator.program)
    if path is None:
        raise MissingToolError(
            f"{emulator.program} is not on PATH: apt install {emulator.package},"
            f" or use {emulator.instead}"
        )
    return path


def _version(emulator: Emulator) -> str:
    command = [_find(emulator), "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    words = done.stdout.split()
    return words[words.index("version") + 1] if "version" in words else "unknown"
