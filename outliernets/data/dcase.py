"""DCASE 2020 Task 2's layout: ``fan/{train,test}/{normal,anomaly}_id_00_00000012.wav``."""

import re
from dataclasses import dataclass
from pathlib import Path

from outliernets.config import Task
from outliernets.data.clips import (
    ABNORMAL,
    MIN_TRAIN,
    NORMAL,
    Clip,
    Split,
    SplitRule,
    audio_files,
)
from outliernets.data.sources import ANY_SNR, MIMII_RULE, Source
from outliernets.errors import ConfigError, DataError

_NAME = re.compile(r"(normal|anomaly)_id_(\d+)_(\d+)")
_LABELS = {"normal": NORMAL, "anomaly": ABNORMAL}


@dataclass(frozen=True)
class DcaseMachine(Source):
    """One id of a DCASE machine; its train and test folders are the split."""

    def _part(self, part: str) -> tuple[Clip, ...]:
        found = []
        for path in audio_files(self.folder / part):
            match = _NAME.fullmatch(path.stem)
            if match and match[2] == self.task.unit:
                label = _LABELS[match[1]]
                found.append(Clip(path, label, f"{part}/{label}/{match[3]}"))
        return tuple(sorted(found, key=lambda clip: (clip.label == ABNORMAL, clip.name)))

    def clips(self) -> tuple[Clip, ...]:
        """Return all clips, normal ones first."""
        both = self._part("train") + self._part("test")
        return tuple(sorted(both, key=lambda clip: clip.label == ABNORMAL))

    def split(self, rule: SplitRule = MIMII_RULE) -> Split:
        """Return the split that the data set comes with; refuse any other than the default."""
        if rule != MIMII_RULE:
            raise DataError(
                f"{self.folder} comes with a split, train/ and test/: leave out --split {rule}"
            )
        train = tuple(clip for clip in self._part("train") if clip.label == NORMAL)
        test = self._part("test")
        if len(train) < MIN_TRAIN or not any(clip.label == NORMAL for clip in test):
            normal = sum(clip.label == NORMAL for clip in test)
            raise DataError(
                f"too few normal recordings of id_{self.task.unit} in {self.folder}: {len(train)} "
                f"in train/ and {normal} in test/, at least {MIN_TRAIN} and 1 are needed"
            )
        return Split(train, test, self._notices(test))

    def rule_used(self, rule: SplitRule) -> str:
        """Return whose split it is: the data set's."""
        return self.kind

    def _notices(self, test: tuple[Clip, ...]) -> tuple[str, ...]:
        if any(clip.label == ABNORMAL for clip in test):
            return ()
        return (f"no anomaly clips in {self.folder / 'test'}: AUC is not available",)


def recognise(folder: Path, root: Path) -> list[Source]:
    """Return one source per id if ``folder`` is a DCASE machine; else nothing."""
    paths = audio_files(folder / "train") + audio_files(folder / "test")
    units = {match[2] for path in paths if (match := _NAME.fullmatch(path.stem))}
    sources: list[Source] = []
    for unit in sorted(units):
        try:
            task = Task.parse(f"{folder.name}/{unit}/{ANY_SNR}")
        except ConfigError:  # a folder name that no task can have
            continue
        sources.append(DcaseMachine("dcase", task, folder, frozenset({"snr"})))
    return sources
