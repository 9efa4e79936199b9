"""What a data set is: clips with labels, and how a task's clips are split into train and test."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from outliernets.config import Task
from outliernets.errors import ConfigError, DataError

NORMAL, ABNORMAL = "normal", "abnormal"
BLOCK = 20  #: clips in a block of ``--split blocks``
MIN_TRAIN = 10  #: fewer training clips than this say nothing about a machine

#: What libsndfile reads and a recorder may write; names are compared without regard to case.
EXTENSIONS = frozenset(
    f".{name}"
    for name in (
        *("aif", "aifc", "aiff", "au", "avr", "caf", "flac", "htk", "iff", "mp3", "nist", "oga"),
        *("ogg", "opus", "paf", "pvf", "rf64", "snd", "sph", "svx", "voc", "w64", "wav", "wave"),
    )
)


@dataclass(frozen=True)
class Clip:
    """One recording. ``name`` is unique in its data set and sorts as the clips do."""

    path: Path
    label: str  #: "normal" or "abnormal"
    name: str  #: such as "normal/00000012"


@dataclass(frozen=True)
class Dataset:
    """The clips of one task. ``notices`` tell what the user should know about them."""

    task: Task
    kind: str  #: "simulated", "mimii", "dcase" or "folder"
    train: tuple[Clip, ...]
    test: tuple[Clip, ...]
    notices: tuple[str, ...] = ()
    split: str = "mimii"  #: the rule that made them: "mimii", "blocks=20", "dcase" (its own)


@dataclass(frozen=True)
class SplitRule:
    """How normal clips are split: by MIMII's rule, or in alternate blocks of ``block`` clips.

    Blocks are for recordings whose neighbours were cut from one, of which there are many.
    """

    block: int | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``mimii``, ``blocks`` or ``blocks=20``; raise ConfigError that says the form."""
        match = re.fullmatch(r"mimii|blocks(?:=([1-9]\d{0,8}))?", text)
        if not match:
            raise ConfigError(
                f"--split {text}: give mimii, blocks or blocks=N with N >= 1 clips in a block"
            )
        return cls(None if text == "mimii" else int(match[1] or BLOCK))

    def __str__(self) -> str:
        return "mimii" if self.block is None else f"blocks={self.block}"

    def split(self, where: Path, normal: tuple[Clip, ...], abnormal: tuple[Clip, ...]) -> "Split":
        """Split the clips of the folder ``where``, sorted by name; raise DataError if too few."""
        if self.block is None:
            return split_by_rule(where, normal, abnormal)
        return split_by_blocks(where, normal, abnormal, self.block)


@dataclass(frozen=True)
class Split:
    """Clips to learn from and clips to judge by."""

    train: tuple[Clip, ...]
    test: tuple[Clip, ...]
    notices: tuple[str, ...] = ()


def audio_files(folder: Path) -> list[Path]:
    """Return the audio files directly in ``folder``, sorted by name, without hidden ones."""
    if not folder.is_dir():
        return []
    try:
        files = [path for path in folder.iterdir() if path.suffix.lower() in EXTENSIONS]
    except OSError as error:
        raise DataError(f"cannot read the folder {folder}: {error.strerror}") from error
    return sorted(path for path in files if not path.name.startswith(".") and path.is_file())


def named_clips(paths: Iterable[Path], label: str, prefix: str = "") -> tuple[Clip, ...]:
    """Return clips named ``prefix`` + label + stem; the suffix stays where stems are not unique."""
    paths = list(paths)
    stems = Counter(path.stem for path in paths)
    return tuple(
        Clip(path, label, f"{prefix}{label}/{path.stem if stems[path.stem] == 1 else path.name}")
        for path in paths
    )


def split_by_rule(where: Path, normal: tuple[Clip, ...], abnormal: tuple[Clip, ...]) -> Split:
    """Split as the MIMII baseline does, by file; both arguments are sorted by name.

    The first ``len(abnormal)`` normal clips and all abnormal ones are the test, the other normal
    clips train. Without abnormal clips a fifth of the normal ones is the test; where the rule
    leaves too few to train, half of them is.

    Raises:
        DataError: fewer than MIN_TRAIN clips would be left to train, or none to test.
    """
    _refuse_none(where, normal)
    held, notices = _held_out(len(normal), len(abnormal))
    if len(normal) - held < MIN_TRAIN or held < 1:
        raise DataError(
            f"too few normal recordings in {where}: {len(normal)} normal and {len(abnormal)} "
            f"abnormal leave {len(normal) - held} to train and {held} to test, at least "
            f"{MIN_TRAIN} and 1 are needed; record more normal clips"
        )
    return Split(normal[held:], normal[:held] + abnormal, notices)


def split_by_blocks(
    where: Path, normal: tuple[Clip, ...], abnormal: tuple[Clip, ...], size: int
) -> Split:
    """Train with the first, third, ... block of ``size`` normal clips and test with the others.

    All abnormal clips are tested. Clips are in the order of the numbers in their names. Near a
    border of blocks, clips for training and test may still be of one recording.

    Raises:
        DataError: fewer than MIN_TRAIN clips would be left to train, or none to test.
    """
    _refuse_none(where, normal)
    ordered = sorted(normal, key=lambda clip: _by_number(clip.name))
    in_test = [number // size % 2 == 1 for number in range(len(ordered))]
    train = tuple(c for c, tested in zip(ordered, in_test, strict=True) if not tested)
    test = tuple(c for c, tested in zip(ordered, in_test, strict=True) if tested)
    if len(train) < MIN_TRAIN or not test:
        raise DataError(
            f"too few normal recordings in {where} for blocks of {size}: {len(normal)} leave "
            f"{len(train)} to train and {len(test)} to test, at least {MIN_TRAIN} and 1 are "
            "needed; record more normal clips or choose another --split blocks=N"
        )
    notice = f"split by blocks of {size} clips: {len(train)} normal ones train, {len(test)} test"
    without = () if abnormal else ("no abnormal clips: AUC is not available",)
    return Split(train, test + abnormal, (notice, *without))


def _by_number(name: str) -> list[tuple[bool, int, str]]:
    """Return a key that sorts ``9`` before ``10``."""
    parts = re.findall(r"\d+|\D+", name)
    return [(p.isdecimal(), int(p) if p.isdecimal() else 0, p) for p in parts]


def _refuse_none(where: Path, normal: tuple[Clip, ...]) -> None:
    if not normal:
        raise DataError(
            f"no normal recordings in {where}: normal/ must hold at least {MIN_TRAIN + 1} clips, "
            "as .wav, .flac, .ogg, .mp3, .aiff or another format that libsndfile reads"
        )


def _held_out(normal: int, abnormal: int) -> tuple[int, tuple[str, ...]]:
    """Return how many normal clips the test takes, and a notice where that is not the rule."""
    if not abnormal:
        held = max(1, normal // 5)
        return held, (
            f"no abnormal clips: the first {held} of {normal} normal clips are the test; "
            "AUC is not available",
        )
    if normal - abnormal >= MIN_TRAIN or abnormal <= normal // 2:
        return abnormal, ()
    return normal // 2, (
        f"{abnormal} abnormal clips would leave {max(normal - abnormal, 0)} of {normal} normal "
        f"clips to train; the test takes only half of them, {normal // 2}",
    )
