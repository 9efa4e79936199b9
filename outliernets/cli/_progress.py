"""The progress bar on stderr: one line per stage, with its time."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from outliernets.pipeline import Narrator, Silence

MANY_NOTICES = 5


class Bar:
    """A Narrator that draws on stderr."""

    def __init__(self, console: Console, progress: Progress) -> None:
        self._console, self._progress = console, progress
        self._task: TaskID | None = None
        self._notices = 0

    def begin(self, stage: str, number: int, count: int) -> None:
        """See Narrator."""
        self._remove()
        self._notices = 0
        self._task = self._progress.add_task(f"[{number}/{count}] {stage}", total=None, note="")

    def progress(self, done: int, total: int, note: str = "") -> None:
        """See Narrator."""
        if self._task is None:
            self._task = self._progress.add_task("preparing", total=total, note=note)
        self._progress.update(self._task, completed=done, total=total, note=note)

    def end(self, stage: str, seconds: float, fresh: bool) -> None:
        """See Narrator."""
        self._remove()
        self._say(f"  {stage:<10} {'up to date' if fresh else f'{seconds:6.1f} s'}")

    def notice(self, text: str) -> None:
        """See Narrator. Repeated notices of one stage are cut short."""
        self._notices += 1
        if self._notices <= MANY_NOTICES:
            self._say(f"  note: {text}")
        elif self._notices == MANY_NOTICES + 1:
            self._say("  note: more like this; see 'ongen data check'")

    def _say(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _remove(self) -> None:
        if self._task is not None:
            self._progress.remove_task(self._task)
            self._task = None


@contextmanager
def narrator(quiet: bool) -> Iterator[Narrator]:
    """Give a narrator for the time of a command."""
    if quiet:
        yield Silence()
        return
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=30),
        TextColumn("{task.completed}/{task.total} {task.fields[note]}", markup=False),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        yield Bar(console, progress)
