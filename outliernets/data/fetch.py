"""Download one large file: resumed where it broke off, and checked when it is there."""

import errno
import hashlib
import http.client
import re
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from outliernets import __version__
from outliernets.errors import DataError

Progress = Callable[[int, int, str], None]  #: done, total, what

TIMEOUT = 60.0  #: seconds without a byte until a connection counts as broken
TRIES = 6  #: broken connections in a row, with less than a CHUNK of progress between them
PAUSE = 1.0  #: seconds before the first new try; doubles with each
LONGEST_PAUSE = 30.0
CHUNK = 2**20
MB = 10**6
_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
_RANGE_NOT_SATISFIABLE = 416
_PARTIAL = 206


@dataclass(frozen=True)
class Remote:
    """A file at ``url`` whose size in bytes and MD5 sum are known beforehand."""

    url: str
    size: int
    md5: str


def fetch(remote: Remote, path: Path, progress: Progress) -> None:
    """Bring ``remote`` to ``path``, which appears only when it is whole and its sum is right.

    What was loaded so far stays in ``path`` + ".part", and the next call goes on from there; from
    the beginning if the server cannot send parts.

    Raises:
        DataError: not there, not reachable, another file than promised, or the disk is full.
    """
    if path.is_file() and path.stat().st_size == remote.size:
        return
    part = path.with_name(f"{path.name}.part")
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        require_space(part.parent, remote.size - _size(part))
        _load(remote, part, progress)
        _verify(remote, part, progress)
        part.replace(path)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise DataError(
                f"the disk is full: {_size(part)} of {remote.size} bytes of {path.name} are kept "
                f"in {part.parent}; make room and run again to go on"
            ) from error
        raise DataError(f"cannot write {part}: {error.strerror or error}") from error


def require_space(folder: Path, needed: int) -> None:
    """Raise DataError unless ``needed`` bytes are free in ``folder``."""
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DataError(
            f"not enough disk space: {needed / MB:,.0f} MB are needed and {free / MB:,.0f} MB "
            f"free at {folder}; make room or choose another folder"
        )


def open_url(url: str, start: int = 0) -> Any:
    """Return the open response for ``url``, from byte ``start`` on if the server can do that."""
    headers = {"User-Agent": f"ongen/{__version__}", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    return urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=TIMEOUT)


def refused(url: str, error: urllib.error.HTTPError) -> DataError:
    """Return what to tell the user about an answer that trying again will not change."""
    return DataError(f"{url}: the server answers {error.code} {error.reason}")


class _BrokenOffError(Exception):
    """A connection ended before all was there; another one may do better."""


def _load(remote: Remote, part: Path, progress: Progress) -> None:
    """Fill ``part`` up to its size, with as many connections as it takes."""
    failures, mark = 0, _size(part)
    while (have := _size(part)) < remote.size:
        try:
            _append(remote, part, have, progress)
        except _BrokenOffError as error:
            have = _size(part)
            # Only what was never reached before counts: a server may start from zero each time.
            failures, mark = (1, have) if have >= mark + CHUNK else (failures + 1, mark)
            if failures >= TRIES:
                raise DataError(
                    f"{remote.url}: the connection failed {failures} times ({error}); {have} of "
                    f"{remote.size} bytes are kept: run again to go on"
                ) from error
            time.sleep(min(PAUSE * 2 ** (failures - 1), LONGEST_PAUSE))


def _append(remote: Remote, part: Path, have: int, progress: Progress) -> None:
    """Load what follows the first ``have`` bytes over one connection."""
    with _connected(remote, part, have) as response:
        start = _start_of(response, remote, have)
        with part.open("r+b" if start else "wb") as file:
            file.seek(start)
            done = start
            while done < remote.size:
                block = _read(response, min(CHUNK, remote.size - done))
                file.write(block)
                done += len(block)
                progress(done // MB, remote.size // MB, "MB")


def _connected(remote: Remote, part: Path, have: int) -> Any:
    try:
        return open_url(remote.url, have)
    except urllib.error.HTTPError as error:
        if error.code == _RANGE_NOT_SATISFIABLE and have:
            part.unlink()  # the file there is shorter than what we have: another one
        elif error.code not in _TRANSIENT:
            raise refused(remote.url, error) from error
        raise _BrokenOffError(f"{error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException) as error:
        raise _BrokenOffError(str(getattr(error, "reason", error))) from error


def _start_of(response: Any, remote: Remote, have: int) -> int:
    """Return the position of the first byte that ``response`` will give."""
    if response.status == _PARTIAL:
        match = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", response.headers.get("Content-Range", ""))
        start, size = (int(match[1]), int(match[2])) if match else (-1, -1)
        if start != have:
            raise DataError(f"{remote.url}: the server sends another part than it was asked for")
    else:
        start, size = 0, int(response.headers.get("Content-Length") or remote.size)
    if size != remote.size:
        raise DataError(
            f"{remote.url}: the server has a file of {size} bytes, the record says {remote.size}"
        )
    return start


def _read(response: Any, most: int) -> bytes:
    try:
        block: bytes = response.read(most)
    except (OSError, http.client.HTTPException) as error:
        raise _BrokenOffError(str(error) or type(error).__name__) from error
    if not block:
        raise _BrokenOffError("it ended early")
    return block


def _verify(remote: Remote, part: Path, progress: Progress) -> None:
    digest, done = hashlib.md5(usedforsecurity=False), 0
    with part.open("rb") as file:
        while block := file.read(8 * CHUNK):
            digest.update(block)
            done += len(block)
            progress(done // MB, remote.size // MB, "MB checked")
    if digest.hexdigest() != remote.md5:
        part.unlink()
        raise DataError(
            f"{remote.url}: the checksum is wrong (MD5 {digest.hexdigest()}, the record says "
            f"{remote.md5}); what was loaded is removed, run again to load it anew"
        )


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
