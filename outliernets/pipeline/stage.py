"""Runs named stages: skips what is fresh, times, resumes, and never leaves half a result.

A stage works in a temporary folder that is renamed when it is whole. Beside its results stands
``stage.json``: the fingerprint of everything that went in, a digest of what came out, the seconds.
A stage is fresh while its fingerprint is the same and its files are as they were left, so a stage
that was run again but produced the same bytes makes nothing after it stale.
"""

import errno
import hashlib
import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from outliernets import __version__
from outliernets.config import fingerprint
from outliernets.errors import BuildError, ConfigError, near_miss
from outliernets.files import written_whole

RECORD = "stage.json"
NEARLY_FULL = 2**20  #: bytes; with less free, a failed write without a reason is a full disk


class Narrator(Protocol):
    """Who is told what happens: the progress bar, a log, or nobody."""

    def begin(self, stage: str, number: int, count: int) -> None:
        """Stage ``number`` of ``count`` starts."""

    def progress(self, done: int, total: int, note: str = "") -> None:
        """The running stage has done ``done`` of ``total`` steps."""

    def end(self, stage: str, seconds: float, fresh: bool) -> None:
        """The stage is finished, or was ``fresh`` and skipped."""

    def notice(self, text: str) -> None:
        """Something the user should know."""


class Silence:
    """A narrator that says nothing."""

    def begin(self, stage: str, number: int, count: int) -> None:
        """See Narrator."""

    def progress(self, done: int, total: int, note: str = "") -> None:
        """See Narrator."""

    def end(self, stage: str, seconds: float, fresh: bool) -> None:
        """See Narrator."""

    def notice(self, text: str) -> None:
        """See Narrator."""


@dataclass
class Work:
    """What a running stage is given: where to write, earlier results, whom to tell."""

    folder: Path
    inputs: Mapping[str, Path]
    narrator: Narrator
    #: what the stage wants to remember, for stage.json and later stages
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Stage:
    """One step. ``settings`` returns all that its result depends on besides earlier stages."""

    name: str
    needs: tuple[str, ...]
    folder: Path
    settings: Callable[[], Any]
    run: Callable[[Work], None]
    #: told the stage's facts once it is up to date, for the stages after it
    done: Callable[[str, dict[str, Any]], None]


def select(names: Sequence[str], first: str | None, last: str | None) -> tuple[int, int]:
    """Return the indices of --from and --to; raise ConfigError for unknown or crossed names."""
    for name in (first, last):
        if name is not None and name not in names:
            close = near_miss(name, names)
            raise ConfigError(f"unknown stage '{name}' ({close}; in order: {' '.join(names)})")
    begin = names.index(first) if first else len(names)
    end = names.index(last) if last else len(names) - 1
    if first and begin > end:
        raise ConfigError(f"--from {first} comes after --to {last}; order: {' '.join(names)}")
    return begin, end


def run_stages(
    stages: tuple[Stage, ...],
    narrator: Narrator,
    first: str | None = None,
    last: str | None = None,
) -> dict[str, dict[str, Any]]:
    """Bring all stages up to ``last`` up to date; return their records by name.

    ``first`` and what follows it run even if fresh.
    """
    forced, end = select([s.name for s in stages], first, last)
    records: dict[str, dict[str, Any]] = {}
    folders = {s.name: s.folder for s in stages}
    for number, stage in enumerate(stages[: end + 1]):
        narrator.begin(stage.name, number + 1, end + 1)
        key = _key(stage, records)
        record = None if number >= forced else fresh_record(stage.folder, key)
        started = time.perf_counter()
        if record is None:
            inputs = {name: folders[name] for name in stage.needs}
            records[stage.name] = _execute(stage, inputs, key, narrator)
        else:
            records[stage.name] = record
        stage.done(stage.name, records[stage.name]["facts"])
        seconds = time.perf_counter() - started
        narrator.end(stage.name, seconds, fresh=record is not None)
    return records


def _key(stage: Stage, records: Mapping[str, Mapping[str, Any]]) -> str:
    earlier = {name: records[name]["digest"] for name in stage.needs}
    return fingerprint(__version__, stage.name, stage.settings(), earlier)


def fresh_record(folder: Path, key: str) -> dict[str, Any] | None:
    """Return the record of a whole, unchanged result for ``key``, or None."""
    try:
        record: dict[str, Any] = json.loads((folder / RECORD).read_text())
        sizes = {name: (folder / name).stat().st_size for name in record["files"]}
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return record if record.get("key") == key and sizes == record["files"] else None


def _execute(
    stage: Stage, inputs: Mapping[str, Path], key: str, narrator: Narrator
) -> dict[str, Any]:
    scratch = stage.folder.with_name(f".{stage.folder.name}.unfinished")
    started = time.perf_counter()
    try:
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        work = Work(scratch, inputs, narrator)
        stage.run(work)
        record = _record(scratch, key, time.perf_counter() - started, work.facts)
        (scratch / RECORD).write_text(json.dumps(record, indent=1, sort_keys=True) + "\n")
        shutil.rmtree(stage.folder, ignore_errors=True)
        scratch.rename(stage.folder)
    except OSError as error:
        raise _disk_error(stage, error) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return record


def _record(folder: Path, key: str, seconds: float, facts: dict[str, Any]) -> dict[str, Any]:
    files = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for name in files:
        with (folder / name).open("rb") as file:
            digest.update(name.encode() + hashlib.file_digest(file, "sha256").digest())
    return {
        "key": key,
        "digest": digest.hexdigest(),
        "seconds": round(seconds, 3),
        "files": {name: (folder / name).stat().st_size for name in files},
        "facts": facts,
    }


def _disk_error(stage: Stage, error: OSError) -> Exception:
    free = shutil.disk_usage(_existing(stage.folder)).free
    # numpy's writers lose the error number of a full disk.
    if error.errno == errno.ENOSPC or (error.errno is None and free < NEARLY_FULL):
        return BuildError(
            f"the disk is full (stage '{stage.name}', {free // 2**20} MiB free at "
            f"{stage.folder.parent}); make room and run again: finished stages are kept"
        )
    if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM, errno.ENOTDIR, errno.EEXIST):
        return ConfigError(
            f"stage '{stage.name}' cannot write to {stage.folder.parent} ({error.strerror}); "
            "choose another folder with --out"
        )
    return error


def _existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path


def write_atomically(path: Path, text: str) -> None:
    """Write a file that is either the old one or the whole new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as part:
        part.write_text(text)
