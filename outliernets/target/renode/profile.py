"""Instructions by function, from Renode's profiler of calls and returns."""

from collections import Counter
from pathlib import Path

from outliernets.errors import TargetError
from outliernets.target.renode.remote import Remote

INSTRUCTIONS = "cpu ExecutedInstructions"


class Profile:
    """What a processor in Renode executes, from now on.

    Renode writes a profile out whole only when it stops profiling (1.16.1: ``FlushProfiler`` leaves
    some kilobytes in a buffer). So each look at it ends one file and begins the next, in which
    Renode no longer knows the callers of the functions that were running: what these spend outside
    of further calls then counts as ``?``.
    """

    def __init__(self, remote: Remote, folder: Path) -> None:
        self._remote = remote
        self._folder = folder
        self._files = 0
        self._totals: Counter[str] = Counter()
        self._begin()

    def totals(self) -> dict[str, int]:
        """Return instructions by function, up to the last call or return."""
        self._remote.execute("cpu DisableProfiler")
        self._totals.update(read(self._path(), self._before))
        self._begin()
        return dict(self._totals)

    def _begin(self) -> None:
        self._files += 1
        self._before = number(self._remote.execute(INSTRUCTIONS))
        self._remote.execute(f'cpu EnableProfilerCollapsedStack "{self._path()}"')

    def _path(self) -> Path:
        return self._folder / f"profile-{self._files}"


def read(path: Path, before: int = 0) -> dict[str, int]:
    """Return instructions by function; code without a symbol counts as ``?``.

    Each line is ``outermost;...;innermost instructions``: the innermost function spent them. A
    function that another one jumps to, instead of calling it, counts as that other one. The first
    line includes the instructions ``before`` the profile began.
    """
    totals: Counter[str] = Counter()
    for i, line in enumerate(path.read_text(encoding="utf-8").splitlines()):
        stack, _, count = line.rpartition(" ")
        if not count.isdigit():
            raise TargetError(f"renode's profile, line {i + 1}: no stack and count: '{line[:60]}'")
        spent = int(count)
        if i == 0 and spent >= before:
            spent -= before
        name = stack.rpartition(";")[2]
        totals["?" if name.startswith("0x") or not name else name] += spent
    return dict(totals)


def number(said: str) -> int:
    """Return the number that a command of Renode printed, in either notation."""
    words = said.split()
    try:
        return int(words[0], 0)
    except (IndexError, ValueError):
        raise TargetError(f"renode printed no number: '{said.strip()[:60]}'") from None
