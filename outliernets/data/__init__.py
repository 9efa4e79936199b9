"""Recordings: find, split, read and check them; simulate them where there are none."""

from outliernets.data.audio import ClipError, Pcm, read_pcm
from outliernets.data.check import Finding, check
from outliernets.data.clips import Clip, Dataset, SplitRule
from outliernets.data.simulate import simulate, simulate_clip
from outliernets.data.tasks import TaskInfo, find, list_tasks, task_of_folder

__all__ = [
    "Clip",
    "ClipError",
    "Dataset",
    "Finding",
    "Pcm",
    "SplitRule",
    "TaskInfo",
    "check",
    "find",
    "list_tasks",
    "read_pcm",
    "simulate",
    "simulate_clip",
    "task_of_folder",
]
