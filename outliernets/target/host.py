"""Run firmware that was built for this machine: a process, reached through a pair of sockets."""

import platform
import socket
import subprocess
from pathlib import Path
from typing import ClassVar, Self

from outliernets.boards import Board
from outliernets.errors import ConfigError, TargetError, near_miss
from outliernets.target.base import Target

TIMEOUT = 60.0  #: seconds without any byte after which firmware counts as silent
MACHINE = "process"
_CHUNK = 1 << 16


class HostTarget(Target):
    """This machine as a target; it measures time and cannot count instructions.

    ``timeout``: seconds of silence allowed.
    """

    name: ClassVar[str] = "host"
    measures_cycles: ClassVar[bool] = True

    def __init__(self, timeout: float = TIMEOUT) -> None:
        self._timeout = timeout
        self._process: subprocess.Popen[bytes] | None = None
        self._line: socket.socket | None = None
        self._received = bytearray()

    def open(self, elf: Path, board: Board) -> Self:
        """Start ``elf``, which was linked for the board's variant ``host``."""
        machine = board.variant(self.name).machine
        if machine != MACHINE:
            raise ConfigError(f"host has no machine '{machine}' ({near_miss(machine, [MACHINE])})")
        if not elf.is_file():
            raise TargetError(f"there is no firmware {elf}")
        self.close()
        ours, theirs = socket.socketpair()
        ours.settimeout(self._timeout)
        try:
            with theirs:
                self._process = subprocess.Popen(
                    [str(elf.resolve())], stdin=theirs.fileno(), stdout=theirs.fileno()
                )
        except OSError as error:
            ours.close()
            raise TargetError(
                f"{elf} cannot be run on this machine, was it built for it? ({error.strerror})"
            ) from error
        self._line = ours
        return self

    def close(self) -> None:
        """Kill the process and wait until it is gone."""
        if self._process:
            self._process.kill()
            self._process.wait()
        if self._line:
            self._line.close()
        self._process = self._line = None
        self._received.clear()

    def write(self, data: bytes) -> None:
        """Send bytes; raise TargetError when the process does not take them."""
        try:
            self._running().sendall(data)
        except TimeoutError:
            raise TargetError(f"the firmware took no byte for {self._timeout:g} s") from None
        except OSError:
            raise TargetError(self._obituary()) from None

    def read(self, n: int) -> bytes:
        """Return ``n`` bytes; raise TargetError on the end of the process or after the timeout."""
        while len(self._received) < n:
            try:
                new = self._running().recv(_CHUNK)
            except TimeoutError:
                raise TargetError(
                    f"the firmware was silent for {self._timeout:g} s: it hangs, or waits for"
                    f" bytes; it answered {len(self._received)} of {n} expected"
                ) from None
            except OSError:
                new = b""
            if not new:
                raise TargetError(self._obituary())
            self._received += new
        data = bytes(self._received[:n])
        del self._received[:n]
        return data

    def counts(self) -> dict[str, int]:
        """Return nothing: a process is timed, not counted."""
        return {}

    def version(self) -> str:
        """Return the processor's architecture and the kernel."""
        return f"{platform.machine()} {platform.system()} {platform.release()}"

    def _running(self) -> socket.socket:
        if self._line is None:
            raise TargetError("no firmware runs on this machine: open() comes first")
        return self._line

    def _obituary(self) -> str:
        assert self._process is not None
        return f"the firmware ended with status {self._process.wait()}"
