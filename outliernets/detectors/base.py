"""What every detector is: it learns from windows of normal sound, then scores windows."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outliernets.view import Windows

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Progress = Callable[[int, int, str], None]  #: done, total, note


class Fitted(ABC):
    """A detector that has learned a machine."""

    #: learned numbers a device must keep, without the standardisation that all detectors share
    params: int
    #: multiply-accumulates with learned numbers per window; sums of a view and squares of a score
    #: are not counted
    macs: int

    @abstractmethod
    def scores(self, windows: Windows, clips: Ints) -> Floats:
        """Return the score of each of ``windows`` [n, frames, bands]: higher is more abnormal.

        ``clips`` [n] says which clip a window is from; windows of a clip follow one another in
        time. A score may look back within its clip, never ahead.
        """


@dataclass(frozen=True)
class Detector(ABC):
    """A way to detect; plain data. ``name`` is what the command line calls it."""

    name: str

    @property
    def seeded(self) -> bool:
        """Whether chance plays a part in learning, so that one seed is not the whole story."""
        return False

    @property
    @abstractmethod
    def summary(self) -> str:
        """What it is, in a few words."""

    @abstractmethod
    def fit(
        self,
        train: Windows,
        held_out: Windows,
        seed: int,
        progress: Progress | None = None,
    ) -> Fitted:
        """Learn from ``train``; ``held_out`` windows, of other normal clips, may say when to stop.

        Same arguments, same result. Raise DataError for windows that cannot be learned from.
        """
