"""Look at every clip of a task before it teaches a model something wrong."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from outliernets.config import Task
from outliernets.data.audio import ClipError, read_pcm
from outliernets.data.tasks import find_source
from outliernets.errors import DataError


@dataclass(frozen=True)
class Finding:
    """Something about one file or folder: an "error" stops a build, a "warning" does not."""

    path: Path
    severity: str
    text: str


def check(
    task: Task,
    root: Path,
    sample_rate: int,
    progress: Callable[[int, int], None] | None = None,
) -> list[Finding]:
    """Return all findings about the clips of ``task`` below ``root``, in the clips' order.

    Raises:
        DataError: the folder is missing or does not hold the task.
    """
    source = find_source(task, root)
    findings, lengths = [], {}
    clips = source.clips()
    for done, clip in enumerate(clips):
        try:
            pcm = read_pcm(clip.path, sample_rate)
            lengths[clip.path] = len(pcm.samples)
            findings += [Finding(clip.path, "warning", notice) for notice in pcm.notices]
        except ClipError as error:
            findings.append(Finding(clip.path, "error", error.text))
        if progress:
            progress(done + 1, len(clips))
    return _split_findings(source.folder, source.split) + findings + _odd(lengths, sample_rate)


def _split_findings(folder: Path, split: Callable[[], object]) -> list[Finding]:
    try:
        split()
    except DataError as error:
        return [Finding(folder, "error", str(error))]
    return []


def _odd(lengths: dict[Path, int], sample_rate: int) -> list[Finding]:
    """Warn about clips that are not as long as most are."""
    if not lengths:
        return []
    usual = Counter(lengths.values()).most_common(1)[0][0]
    return [
        Finding(
            path, "warning", f"is {n / sample_rate:.2f} s, most are {usual / sample_rate:.2f} s"
        )
        for path, n in lengths.items()
        if n != usual
    ]
