"""Talk to a real board through a serial port: the virtual COM port of its debug probe."""

import errno
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Self

from outliernets import resources
from outliernets.boards import Board
from outliernets.errors import ConfigError, MissingToolError, TargetError
from outliernets.target.base import Target
from outliernets.target.protocol import HELLO, OVERHEAD, REPLY, Frame, FrameReader, encode

ANSWER_TIMEOUT = 60.0  #: seconds a board may take for one answer
HELLO_TIMEOUT = 5.0  #: seconds until it must have said who it is
_PATIENCE = 0.5  # seconds after which a HELLO is repeated
_QUIET = 0.1  # seconds without a byte after which a read ends, and nothing more is on its way
_WRITE_TIMEOUT = 5.0  # seconds after which a port that takes no bytes is broken
_MAX_FRAME = 4096 + OVERHEAD  # the longest frame most firmware can be in the middle of
_SHOWN = 40  # bytes of garbage in a message
_PORT = re.compile(r"COM\d+|.*[/\\].*", re.IGNORECASE)
_BAUD = re.compile(r"^#define UART_BAUD (\d+)U\b", re.MULTILINE)
_INSTALL = "pip install 'ongen[board]'"
_FLASH = "write this build to the board with 'ongen flash BUILD_DIR'"


class PortNotThereError(TargetError):
    """There is no such port now; there may be when a board is plugged in."""


def is_port(name: str) -> bool:
    """Whether a target's name is that of a serial port: a path, or COM and a number."""
    return _PORT.fullmatch(name) is not None


def baud_of(board: Board) -> int:
    """Return the baud rate of the board's firmware; ConfigError if it has no UART.

    The rate stands in ``chip.h`` of the board's support only, where the firmware has it from.
    """
    for folder in board.native.bsp:
        header = resources.firmware() / "bsp" / folder / "chip.h"
        found = _BAUD.search(header.read_text(encoding="utf-8")) if header.is_file() else None
        if found:
            return int(found[1])
    raise ConfigError(
        f"board {board.name} has no UART to reach it by: a serial port is a target of boards with"
        " a chip.h that defines UART_BAUD"
    )


def open_port(port: str, baud: int) -> Any:
    """Open a serial port for us alone, and drop what it has received; return pyserial's object.

    Its reads end after a moment of silence, with or without bytes. Raises MissingToolError without
    pyserial, TargetError when the port cannot be opened and ConfigError when it does not know the
    baud rate.
    """
    serial = _pyserial()
    try:
        line = serial.Serial(
            port, baud, timeout=_QUIET, write_timeout=_WRITE_TIMEOUT, exclusive=True
        )
        line.reset_input_buffer()
    except ValueError as error:
        raise ConfigError(f"{port} cannot run at {baud} baud ({error})") from error
    except (serial.SerialException, *_line_exceptions()) as error:
        raise _why_closed(port, error) from error
    return line


@contextmanager
def line_errors(port: str) -> Iterator[None]:
    """Turn what pyserial raises when a board goes away into a TargetError."""
    serial = _pyserial()
    try:
        yield
    except serial.SerialTimeoutException as error:
        raise TargetError(
            f"{port}: the board takes no bytes; unplug it, plug it in and try again"
        ) from error
    except (serial.SerialException, *_line_exceptions()) as error:
        raise TargetError(
            f"{port}: the board is gone; was it unplugged? Plug it in and try again"
        ) from error


def _pyserial() -> Any:
    try:
        import serial
    except ImportError as error:
        raise MissingToolError(f"a serial port needs the package pyserial: {_INSTALL}") from error
    return serial


def _line_exceptions() -> tuple[type[Exception], ...]:
    """Return what pyserial lets through besides its own."""
    try:
        import termios
    except ImportError:  # Windows has none
        return (OSError,)
    return (OSError, termios.error)


def _why_closed(port: str, error: Exception) -> TargetError:
    """Return why a port cannot be opened, and what to try."""
    number, text = getattr(error, "errno", None), str(error)
    if number in (errno.ENOENT, errno.ENODEV, errno.ENXIO) or "FileNotFoundError" in text:
        there = ", ".join(_ports()) or "none"
        return PortNotThereError(f"{port} is not there: plug the board in; ports now: {there}")
    if number in (errno.EACCES, errno.EPERM):
        return TargetError(
            f"{port} may not be opened by you: 'sudo usermod -aG dialout $USER', log out and in,"
            " and try again"
        )
    if number in (errno.EBUSY, errno.EAGAIN) or "PermissionError" in text:  # the latter: Windows
        return TargetError(
            f"{port} is in use by another program: end it (a terminal? 'ongen monitor'?) and try"
            " again"
        )
    return TargetError(f"{port} cannot be opened, is it a serial port? ({text})")


def _ports() -> list[str]:
    from serial.tools import list_ports

    return sorted(port.device for port in list_ports.comports())


class SerialTarget(Target):
    """A board at a serial port; it runs the firmware it was flashed with, and measures its cycles.

    ``timeout``: seconds for one answer; ``hello_timeout``: seconds for the first one.
    """

    name: ClassVar[str] = "serial"
    measures_cycles: ClassVar[bool] = True

    def __init__(
        self, port: str, timeout: float = ANSWER_TIMEOUT, hello_timeout: float = HELLO_TIMEOUT
    ) -> None:
        self.port = port
        self._timeout = timeout
        self._hello_timeout = hello_timeout
        self._line: Any = None
        self._deadline = 0.0

    def open(self, elf: Path, board: Board) -> Self:
        """Open the port and wait until the board says HELLO; ``elf`` is what it was flashed with.

        Raises TargetError when the port cannot be opened, or nobody there speaks the protocol.
        """
        if not elf.is_file():
            raise TargetError(f"there is no firmware {elf}")
        self.close()
        self._line = open_port(self.port, baud_of(board))
        try:
            self._greet()
        except BaseException:
            self.close()
            raise
        return self

    def close(self) -> None:
        """Close the port; the board goes on."""
        if self._line is not None:
            self._line.close()
        self._line = None

    def write(self, data: bytes) -> None:
        """Send bytes; raise TargetError when they cannot be sent."""
        line = self._running()
        with line_errors(self.port):
            line.write(data)
        self._deadline = time.monotonic() + self._timeout

    def read(self, n: int) -> bytes:
        """Return ``n`` bytes; TargetError when they have not come by ``timeout`` after a write."""
        line = self._running()
        received = bytearray()
        while len(received) < n:
            if time.monotonic() > self._deadline:
                raise TargetError(
                    f"{self.port}: the board did not answer within {self._timeout:g} s"
                    f" ({len(received)} of {n} bytes came): it hangs or was reset; press its reset"
                    " button and try again"
                )
            received += self._receive(line, n - len(received))
        return bytes(received)

    def counts(self) -> dict[str, int]:
        """Return nothing: a board measures cycles, it does not count instructions."""
        return {}

    def version(self) -> str:
        """Return what opens the port; raise MissingToolError without it."""
        return f"pyserial {_pyserial().VERSION}"

    def _running(self) -> Any:
        if self._line is None:
            raise TargetError(f"{self.port} is not open: open() comes first")
        return self._line

    def _receive(self, line: Any, n: int) -> bytes:
        """Return at least one byte and at most ``n``, or nothing after a moment of silence."""
        with line_errors(self.port):
            first: bytes = line.read(1)
            waiting = min(n - 1, line.in_waiting) if first else 0
            return first + line.read(waiting) if waiting else first

    def _greet(self) -> None:
        """Say HELLO until the board does; then wait until it has nothing more to say.

        Whoever talked to it before may have left in the middle of a frame: zeros end that frame.
        """
        line = self._running()
        end = time.monotonic() + self._hello_timeout
        reader, heard, filler = FrameReader(_MAX_FRAME), bytearray(), b""
        hello = encode(Frame(HELLO, 0xFF, b""))
        while (now := time.monotonic()) < end:
            self.write(filler + hello)
            filler = bytes(_MAX_FRAME)
            again = min(end, now + _PATIENCE)
            while time.monotonic() < again:
                new = self._receive(line, max(1, reader.need()))
                heard += new[: _MAX_FRAME - len(heard)]
                reader.feed(new)
                if _is_hello(reader):
                    self._drain(line)
                    return
        raise TargetError(f"{self.port}: {_who_is_there(bytes(heard), line.baudrate)}")

    def _drain(self, line: Any) -> None:
        """Drop what still comes: answers to more than one HELLO."""
        end = time.monotonic() + self._hello_timeout
        while time.monotonic() < end and self._receive(line, _MAX_FRAME):
            pass


def _is_hello(reader: FrameReader) -> bool:
    """Whether a HELLO is among the frames received; forgets them."""
    while frame := reader.take():
        if frame.type == HELLO | REPLY:
            return True
    return False


def _who_is_there(heard: bytes, baud: int) -> str:
    """Explain who does not speak the protocol."""
    if not heard:
        return (
            "the board is silent: press its reset button and try again; is it the right port, and"
            f" is firmware of ongen on it? If not, {_FLASH}"
        )
    text = heard[:_SHOWN]
    if all(byte in b"\t\r\n" or 0x20 <= byte < 0x7F for byte in heard):
        said = text.decode().replace("\r", "").replace("\n", " ").strip()
        return f"wrong firmware: it sends text ('{said}'), not ongen's protocol; {_FLASH}"
    return (
        f"garbage on the line ({text[:8].hex(' ')} ...): other firmware, or not at {baud} baud;"
        f" {_FLASH}"
    )
