"""Log-Mel spectrograms of clips: computed once on all cores, kept in files, memory-mapped."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from outliernets import __version__, data
from outliernets.config import MelConfig, fingerprint
from outliernets.data import Clip, ClipError
from outliernets.features.mel import log_mel
from outliernets.files import written_whole
from outliernets.pipeline.stage import Narrator

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class LogMels:
    """Spectrograms in ``folder``, one file per clip: float32 [frames, n_mels], in dB.

    A file's name tells recording and front end, so seeds, networks and tasks share it. The folder
    may be deleted at any time.
    """

    folder: Path
    mel: MelConfig

    def make(self, clips: Sequence[Clip], narrator: Narrator) -> None:
        """Compute what is missing; raise ClipError for the first clip that cannot be used."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor(_cores()) as pool:
            # The results come in the clips' order, whatever thread is first.
            for done, notices in enumerate(pool.map(self._make, clips), start=1):
                for notice in notices:
                    narrator.notice(f"{clips[done - 1].name}: {notice}")
                narrator.progress(done, len(clips))

    def load(self, clip: Clip) -> Floats:
        """Return a clip's spectrogram, read from the disk when touched."""
        loaded: Floats = np.load(self._file(clip), mmap_mode="r")
        return loaded

    def _make(self, clip: Clip) -> tuple[str, ...]:
        """Compute one clip's spectrogram unless it is there; return what to tell about the clip."""
        path = self._file(clip)
        if path.exists():
            return ()
        pcm = data.read_pcm(clip.path, self.mel.sample_rate, self.mel.min_samples)
        with written_whole(path) as part, part.open("wb") as file:
            np.save(file, log_mel(pcm.samples, self.mel))
        return pcm.notices

    def _file(self, clip: Clip) -> Path:
        try:
            facts = clip.path.stat()
        except OSError as error:
            raise ClipError(clip.path, f"cannot be read: {error.strerror}") from error
        # How frames become windows and how they are clipped comes later.
        front_end = replace(self.mel, frames=1, clip_sigma=1.0)
        key = [__version__, str(clip.path), facts.st_size, facts.st_mtime_ns, front_end]
        return self.folder / f"{fingerprint(*key)}.npy"


def _cores() -> int:
    """Return how many cores this process may use."""
    available: Callable[[int], set[int]] | None = getattr(os, "sched_getaffinity", None)
    return len(available(0)) if available else os.cpu_count() or 1
