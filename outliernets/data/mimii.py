"""MIMII's layout: ``6dB/fan/id_06/normal``, or ``6_dB_fan/fan/id_06/normal`` as Zenodo zips it."""

import re
from pathlib import Path

from outliernets.config import Task
from outliernets.data.clips import ABNORMAL, NORMAL
from outliernets.data.simulate import MARKER
from outliernets.data.sources import ANY_SNR, LabelledFolder, Source
from outliernets.errors import ConfigError

_UNIT = re.compile(r"id_([A-Za-z0-9]+)")
_ZIP = re.compile(r"((?:min|-|\+)?\d+)_?dB(?:_(.+))?", re.IGNORECASE)


def recognise(folder: Path, root: Path) -> list[Source]:
    """Return what ``folder`` holds if it is one unit, ``id_06``, of a machine; else nothing.

    Names are read upwards from the unit's folder: machine, then condition. Above ``root`` only a
    level in decibels counts as a condition, for whatever else is there was not meant as one.
    """
    match = _UNIT.fullmatch(folder.name)
    if not match or not any((folder / label).is_dir() for label in (NORMAL, ABNORMAL)):
        return []
    machine, snr = _machine_and_snr(folder.parent, root)
    kind = "simulated" if (folder / MARKER).is_file() else "mimii"
    try:
        task = Task.parse(f"{machine}/{match[1]}/{snr or ANY_SNR}")
    except ConfigError:  # a folder name that no task can have
        return []
    return [LabelledFolder(kind, task, folder, frozenset() if snr else frozenset({"snr"}))]


def _machine_and_snr(parent: Path, root: Path) -> tuple[str, str | None]:
    zipped = _ZIP.fullmatch(parent.name)
    if zipped and zipped[2]:  # 6_dB_fan/id_06, unpacked without the folder fan/
        return zipped[2], f"{zipped[1]}dB"
    return parent.name, _snr(parent.parent, inside=root in parent.parent.parents)


def _snr(folder: Path, inside: bool) -> str | None:
    decibels = _ZIP.fullmatch(folder.name)
    if decibels:
        return f"{decibels[1]}dB"
    return folder.name if inside else None
