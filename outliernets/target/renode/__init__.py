"""Run firmware in Renode: the unmodified ELF, bytes through the UART, instructions by function.

Written against Renode 1.16.1. What is exchanged with it: monitor commands through the Robot
Framework port, and the UART's bytes through a TCP socket (``CreateServerSocketTerminal``). While
Renode waits for bytes its virtual time goes on, so the firmware's polling is part of its counts.
"""

import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import ClassVar, Self

from outliernets.boards import Board
from outliernets.errors import TargetError
from outliernets.target import image
from outliernets.target.base import Target
from outliernets.target.renode import files
from outliernets.target.renode.files import suite_files
from outliernets.target.renode.profile import INSTRUCTIONS, Profile, number
from outliernets.target.renode.remote import Remote, find, free_port
from outliernets.target.symbols import Functions

__all__ = ["RenodeTarget", "suite_files"]

TIMEOUT = 120.0  #: seconds without any byte after which firmware counts as silent
ANSWER = 60.0  #: seconds Renode may take for a command
_CHUNK = 1 << 16
_LINE = "ongen"  # Renode's name of the socket


class RenodeTarget(Target):
    """Renode as a target. ``timeout``: seconds of silence allowed; ``answer``: for a command."""

    name: ClassVar[str] = "renode"

    def __init__(self, timeout: float = TIMEOUT, answer: float = ANSWER) -> None:
        self._timeout = timeout
        self._answer = answer
        self._scratch: tempfile.TemporaryDirectory[str] | None = None
        self._remote: Remote | None = None
        self._profile: Profile | None = None
        self._line: socket.socket | None = None
        self._received = bytearray()
        self._elf = Path()

    def open(self, elf: Path, board: Board) -> Self:
        """Start ``elf``, which was linked for the board's variant ``renode``."""
        variant = board.variant(self.name)
        chip = files.chip_of(variant)
        find()
        image.check(elf, variant, board.cpu)
        self.close()
        self._elf = elf
        self._scratch = tempfile.TemporaryDirectory(prefix="ongen-renode-")
        folder = Path(self._scratch.name)
        for name, text in files.platform_files(board, variant).items():
            (folder / name).write_text(text, encoding="utf-8")
        shutil.copyfile(elf, folder / files.PROGRAM)
        try:
            self._start(folder, chip)
        except BaseException:
            self.close()
            raise
        return self

    def _start(self, folder: Path, chip: files.Chip) -> None:
        port = free_port()
        self._remote = Remote(folder, self._answer)
        self._remote.keyword("ExecuteScript", str(folder / files.SCRIPT))
        self._remote.execute(f'emulation CreateServerSocketTerminal {port} "{_LINE}" false')
        self._remote.execute(f"connector Connect sysbus.{chip.uart} {_LINE}")
        self._profile = Profile(self._remote, folder)
        self._remote.execute(f'emulation RunFor "{files.START}"')
        self._require_uart(chip)
        try:
            self._line = socket.create_connection(("127.0.0.1", port), self._timeout)
        except OSError as error:
            raise TargetError(f"renode's UART cannot be reached: {error.strerror}") from error
        self._remote.execute("start")

    def _require_uart(self, chip: files.Chip) -> None:
        """Make sure that the firmware listens: Renode drops what comes before."""
        said = self._running().execute(f"sysbus ReadDoubleWord {chip.control:#010x}")
        if number(said) & chip.enabled != chip.enabled:
            at = Functions(self._elf).describe(number(self._running().execute("cpu PC")))
            raise TargetError(
                f"the firmware did not set up its UART within {files.START} s of virtual time;"
                f" it is at {at}"
            )

    def close(self) -> None:
        """End Renode and wait until it is gone."""
        if self._line:
            self._line.close()
        if self._remote:
            self._remote.close()
        if self._scratch:
            self._scratch.cleanup()
        self._line = self._remote = self._scratch = self._profile = None
        self._received.clear()

    def write(self, data: bytes) -> None:
        """Send bytes; raise TargetError when Renode does not take them."""
        remote = self._running()
        assert self._line
        try:
            self._line.sendall(data)
        except TimeoutError:
            raise TargetError(f"renode took no byte for {self._timeout:g} s") from None
        except OSError:
            raise TargetError(remote.obituary()) from None

    def read(self, n: int) -> bytes:
        """Return ``n`` bytes; raise TargetError when Renode ends or after the timeout."""
        remote = self._running()
        assert self._line
        while len(self._received) < n:
            try:
                new = self._line.recv(_CHUNK)
            except TimeoutError:
                raise TargetError(
                    f"the firmware in renode was silent for {self._timeout:g} s: it hangs, or waits"
                    f" for bytes; it answered {len(self._received)} of {n} expected"
                ) from None
            except OSError:
                new = b""
            if not new:
                raise TargetError(remote.obituary())
            self._received += new
        data = bytes(self._received[:n])
        del self._received[:n]
        return data

    def counts(self) -> dict[str, int]:
        """Return instructions by function, up to the last call or return; see ``Profile``."""
        remote = self._running()
        assert self._profile
        remote.execute("pause")
        counts = self._profile.totals()
        remote.execute("start")
        return counts

    def instructions(self) -> int:
        """Return all instructions executed so far, also those that wait for bytes."""
        return number(self._running().execute(INSTRUCTIONS))

    def version(self) -> str:
        """Return Renode's version."""
        command = [find(), "--version"]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=self._answer, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise TargetError(f"renode --version did not end in {self._answer:g} s") from error
        words = (done.stdout or "").replace(",", " ").split()
        numbers = [w.lstrip("v") for w in words if w.lstrip("v")[:1].isdigit()]
        return numbers[0] if numbers else "unknown"

    def _running(self) -> Remote:
        if self._remote is None:
            raise TargetError("no firmware runs in renode: open() comes first")
        return self._remote
