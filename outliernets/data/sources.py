"""A place that holds the recordings of one task: what every layout's recogniser returns."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from outliernets.config import Task
from outliernets.data.clips import (
    ABNORMAL,
    NORMAL,
    Clip,
    Split,
    SplitRule,
    audio_files,
    named_clips,
)

MIMII_RULE = SplitRule()
ANY_SNR = "recorded"  #: condition of a recording whose folders do not name one


@dataclass(frozen=True)
class Source(ABC):
    """Recordings of ``task`` in ``folder``. ``open_fields`` of the task are not stated there."""

    kind: str
    task: Task
    folder: Path
    open_fields: frozenset[str] = frozenset()

    def is_exactly(self, task: Task) -> bool:
        """Return whether the folders name just this task."""
        return _same(self.task, task, frozenset())

    def may_be(self, task: Task) -> bool:
        """Return whether nothing in the folder names speaks against ``task``."""
        return _same(self.task, task, self.open_fields)

    @abstractmethod
    def clips(self) -> tuple[Clip, ...]:
        """Return all clips, normal ones first."""

    @abstractmethod
    def split(self, rule: SplitRule = MIMII_RULE) -> Split:
        """Return the clips to train and to test with."""

    def rule_used(self, rule: SplitRule) -> str:
        """Return the name of the rule that ``split(rule)`` follows."""
        return str(rule)


def _same(mine: Task, asked: Task, ignored: frozenset[str]) -> bool:
    fields = {"machine", "unit", "snr"} - ignored
    return all(getattr(mine, f).lower() == getattr(asked, f).lower() for f in fields)


@dataclass(frozen=True)
class LabelledFolder(Source):
    """A folder with ``normal/`` and perhaps ``abnormal/`` in it."""

    def _labelled(self, label: str) -> tuple[Clip, ...]:
        return named_clips(audio_files(self.folder / label), label)

    def clips(self) -> tuple[Clip, ...]:
        """Return all clips, normal ones first."""
        return self._labelled(NORMAL) + self._labelled(ABNORMAL)

    def split(self, rule: SplitRule = MIMII_RULE) -> Split:
        """Split by ``rule``."""
        return rule.split(self.folder, self._labelled(NORMAL), self._labelled(ABNORMAL))
