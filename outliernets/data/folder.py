"""Your own machine: any folder with ``normal/`` and perhaps ``abnormal/`` directly in it."""

import re
from pathlib import Path

from outliernets.config import Task, c_identifier
from outliernets.data.clips import NORMAL
from outliernets.data.sources import ANY_SNR, LabelledFolder, Source


def recognise(folder: Path, root: Path) -> list[Source]:
    """Return the machine that ``folder`` holds, named by the folder; else nothing.

    Pointing straight at it leaves no doubt which machine is meant, so it takes any task's name.
    """
    if not (folder / NORMAL).is_dir() or re.fullmatch(r"id_[A-Za-z0-9]+", folder.name):
        return []
    task = Task(c_identifier(folder.name), "00", ANY_SNR)
    every = frozenset({"machine", "unit", "snr"})
    return [LabelledFolder("folder", task, folder, every if folder == root else frozenset())]
