"""Cutting a log-Mel spectrogram into the network's windows, and standardising it band by band."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from outliernets.config import MelConfig
from outliernets.errors import DataError

MIN_STD_DB = 0.5  #: a band's deviation is raised to this: a dead band must not amplify noise


def windows(log_mel: NDArray[np.float32], config: MelConfig) -> NDArray[np.float32]:
    """Cut [n, n_mels] into [n_windows, frames, n_mels] without overlap; the rest is dropped."""
    count = len(log_mel) // config.frames
    kept = log_mel[: count * config.frames]
    return kept.reshape(count, config.frames, log_mel.shape[1])


@dataclass(frozen=True)
class Standardizer:
    """Mean and deviation (dB) of each band over the training data; ``std >= MIN_STD_DB``."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def fit(cls, log_mels: Iterable[NDArray[np.float32]]) -> Self:
        """Measure the bands over clips [frames, n_mels], one in memory at a time.

        Raises DataError when there is no frame at all.
        """
        count, mean, spread = 0, np.zeros(1), np.zeros(1)
        for clip in log_mels:
            if len(clip) == 0:
                continue
            values = clip.astype(np.float64)
            delta = values.mean(axis=0) - mean
            total = count + len(values)
            # Chan's update: exact for any split into clips, without squares of large means
            spread = spread + values.var(axis=0) * len(values)
            spread = spread + delta**2 * (count * len(values) / total)
            mean = mean + delta * (len(values) / total)
            count = total
        if count == 0:
            raise DataError(
                "no log-Mel frame to standardise by: the clips are shorter than a frame"
            )
        std = np.maximum(np.sqrt(spread / count), MIN_STD_DB)
        return cls(tuple(mean.tolist()), tuple(std.tolist()))

    def apply(self, log_mel: NDArray[np.float32], config: MelConfig) -> NDArray[np.float32]:
        """Standardise [..., n_mels] (dB) and clip to +- ``config.clip_sigma`` deviations."""
        z = (log_mel.astype(np.float64) - np.array(self.mean)) / np.array(self.std)
        limit = config.clip_sigma
        clipped: NDArray[np.float32] = np.clip(z, -limit, limit).astype(np.float32)
        return clipped

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers as JSON-like data."""
        return {"mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Rebuild what ``to_dict`` returned."""
        return cls(tuple(map(float, data["mean"])), tuple(map(float, data["std"])))
