"""Find a task's recordings below a folder, whatever layout they have."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from outliernets.config import Task
from outliernets.data import dcase, folder, mimii
from outliernets.data.clips import ABNORMAL, NORMAL, Dataset, SplitRule
from outliernets.data.sources import MIMII_RULE, Source
from outliernets.errors import DataError, near_miss

LAYOUTS = (mimii.recognise, dcase.recognise, folder.recognise)
_DEPTH = 5  #: folders below the root in which a machine may be
_LEAVES = frozenset({NORMAL, ABNORMAL, "train", "test"})


@dataclass(frozen=True)
class TaskInfo:
    """One task that was found, and how many clips it has."""

    task: Task
    kind: str
    folder: Path
    normal: int
    abnormal: int


def find(task: Task, root: Path, rule: SplitRule = MIMII_RULE) -> Dataset:
    """Return the clips of ``task`` below ``root``, split into train and test by ``rule``.

    Raises:
        DataError: the folder is missing or unreadable, does not hold the task, or holds too few
            normal clips.
    """
    source = find_source(task, root)
    split = source.split(rule)
    notices = _naming_notices(source, task) + split.notices
    return Dataset(task, source.kind, split.train, split.test, notices, source.rule_used(rule))


def list_tasks(root: Path) -> list[TaskInfo]:
    """Return every task below ``root`` with its clip counts, sorted by task."""
    found = []
    for source in scan(root):
        labels = [clip.label for clip in source.clips()]
        counts = labels.count(NORMAL), labels.count(ABNORMAL)
        found.append(TaskInfo(source.task, source.kind, source.folder, *counts))
    return sorted(found, key=lambda info: (info.task, info.folder))


def task_of_folder(root: Path) -> Task | None:
    """Return the task that ``root`` itself holds, or None if it does not hold exactly one.

    A folder with ``normal/`` in it names its own task: ``my pump`` is ``my_pump/00/recorded``.
    """
    here = root.expanduser().resolve()
    tasks = {source.task for recognise in LAYOUTS for source in recognise(here, here)}
    return tasks.pop() if len(tasks) == 1 else None


def find_source(task: Task, root: Path) -> Source:
    """Return the one place below ``root`` that holds ``task``; raise DataError otherwise."""
    sources = list(scan(root))
    matches = [s for s in sources if s.is_exactly(task)] or [s for s in sources if s.may_be(task)]
    if not matches:
        raise DataError(_not_found(task, root, sources))
    if len(matches) > 1:
        places = " and ".join(str(source.folder) for source in matches[:2])
        raise DataError(f"task {task} is below {root} more than once: {places}; point at one")
    return matches[0]


def scan(root: Path) -> Iterator[Source]:
    """Yield all recordings below ``root`` whose layout is known; raise DataError without root."""
    here = root.expanduser().resolve()
    if not here.is_dir():
        problem = "is not a folder" if here.exists() else "does not exist"
        raise DataError(f"data folder {root} {problem}; give the folder that holds the recordings")
    for place in _folders(here, _DEPTH):
        for recognise in LAYOUTS:
            yield from recognise(place, here)


def _folders(top: Path, depth: int) -> Iterator[Path]:
    """Yield ``top`` and the folders below it, sorted; not those that hold the clips themselves."""
    yield top
    if depth == 0:
        return
    try:
        children = sorted(path for path in top.iterdir() if path.is_dir())
    except OSError as error:
        raise DataError(f"cannot read the folder {top}: {error.strerror}") from error
    for child in children:
        if child.name not in _LEAVES and not child.name.startswith("."):
            yield from _folders(child, depth - 1)


def _not_found(task: Task, root: Path, sources: list[Source]) -> str:
    if not sources:
        return (
            f"no recordings below {root}: expected MIMII's layout (6dB/fan/id_06/normal/*.wav), "
            "DCASE's (fan/train/normal_id_00_*.wav) or a folder normal/ of your own machine"
        )
    names = {str(source.task) for source in sources}
    return f"task {task} is not below {root}: {near_miss(str(task), names)}"


def _naming_notices(source: Source, task: Task) -> tuple[str, ...]:
    """Say so where the task's name goes beyond what the folders state."""
    if source.is_exactly(task) or source.kind == "dcase":
        return ()
    return (f"the recordings in {source.folder} are taken as {task}: their folders do not say",)
