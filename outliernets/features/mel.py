"""The float reference of the front end: librosa's log-Mel spectrogram without centring."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from outliernets.config import MelConfig

FULL_SCALE = 32_768.0  #: int16 PCM is divided by this


def log_mel(pcm: NDArray[np.int16], config: MelConfig) -> NDArray[np.float32]:
    """Return the log-Mel spectrogram of int16 ``pcm`` [n] as [frames, n_mels], in dB.

    0 dB is a Mel power (or magnitude) of 1 with full scale = 1; computed in float64 by librosa. A
    clip shorter than one frame has no frames.
    """
    if len(pcm) < config.n_fft:
        return np.zeros((0, config.n_mels), np.float32)
    mel = _mel(pcm.astype(np.float64) / FULL_SCALE, config)
    power = mel.T ** (2 / config.power)
    decibels = 10.0 * np.log10(np.maximum(power, config.floor))
    result: NDArray[np.float32] = decibels.astype(np.float32)
    return result


def _mel(samples: NDArray[np.float64], config: MelConfig) -> Any:
    import librosa

    return librosa.feature.melspectrogram(
        y=samples,
        sr=config.sample_rate,
        n_fft=config.n_fft,
        hop_length=config.hop,
        center=False,
        power=float(config.power),
        n_mels=config.n_mels,
        fmin=config.fmin,
        fmax=config.fmax,
        htk=config.mel_scale == "htk",
    )
