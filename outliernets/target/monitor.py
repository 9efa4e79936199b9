"""Listen to a board: its lines of text, across unplugging and plugging in again."""

import time
from collections.abc import Callable, Iterator
from typing import Any

from outliernets.errors import TargetError
from outliernets.target.serial_port import PortNotThereError, line_errors, open_port

BAUD = 921_600  #: of most boards here
LONGEST_LINE = 4096  #: bytes; what has not ended by then is cut
_PATIENCE = 0.5  # seconds between two attempts to open a port


def lines(port: str, baud: int, notice: Callable[[str], None]) -> Iterator[str]:
    """Yield what a board sends, line by line, for as long as one likes.

    A board that goes away is waited for; ``notice`` is told. Raises TargetError, ConfigError or
    MissingToolError when the port cannot be opened at first.
    """
    line = open_port(port, baud)
    while True:
        yield from _until_gone(line, port)
        notice(f"{port} is gone; waiting for it to come back (Ctrl-C ends)")
        line = _reopened(port, baud, notice)
        notice(f"{port} is back")


def printable(data: bytes) -> str:
    """Return bytes as text; what is neither text nor a tab becomes an escape such as ``\\x1b``."""
    text = data.decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() or c == "\t" else f"\\x{ord(c):02x}" for c in text)


def _until_gone(line: Any, port: str) -> Iterator[str]:
    """Yield lines until the port fails; then what there is of the last one."""
    pending = bytearray()
    try:
        while True:
            with line_errors(port):
                pending += line.read(1)
                pending += line.read(line.in_waiting)
            yield from _whole_lines(pending)
    except TargetError:
        if pending:
            yield printable(bytes(pending))
    finally:
        line.close()


def _whole_lines(pending: bytearray) -> Iterator[str]:
    """Take the whole lines out of ``pending``."""
    while True:
        end = pending.find(b"\n")
        if end < 0 and len(pending) < LONGEST_LINE:
            return
        cut = end + 1 if 0 <= end < LONGEST_LINE else LONGEST_LINE
        said = bytes(pending[:cut]).rstrip(b"\r\n")
        del pending[:cut]
        yield printable(said)


def _reopened(port: str, baud: int, notice: Callable[[str], None]) -> Any:
    """Try to open a port until it can be; say so when it is there and cannot be opened."""
    told = ""
    while True:
        time.sleep(_PATIENCE)
        try:
            return open_port(port, baud)
        except PortNotThereError:
            continue
        except TargetError as error:
            if str(error) != told:
                told = str(error)
                notice(told)
