"""The float reference of the front end: librosa's log-Mel spectrogram without centring.

The filters are librosa's own. They are applied here, as the sparse matrix that they are, because
``librosa.feature`` multiplies by all their zeros, makes them anew for each clip and takes seconds
to import.
"""

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outliernets.config import MelConfig

FULL_SCALE = 32_768.0  #: int16 PCM is divided by this
BLOCK = 64  #: frames transformed at once: what fits a core's cache


def log_mel(pcm: NDArray[np.int16], config: MelConfig) -> NDArray[np.float32]:
    """Return the log-Mel spectrogram of int16 ``pcm`` [n] as [frames, n_mels], in dB.

    0 dB is a Mel power (or magnitude) of 1 with full scale = 1; computed in float64, equal to
    ``librosa.feature.melspectrogram`` within 1e-4 dB. A clip shorter than one frame has no frames.
    """
    if len(pcm) < config.n_fft:
        return np.zeros((0, config.n_mels), np.float32)
    every = np.lib.stride_tricks.sliding_window_view(pcm, config.n_fft)[:: config.hop]
    result = np.empty((len(every), config.n_mels), np.float32)
    for start in range(0, len(every), BLOCK):
        part = slice(start, start + BLOCK)
        result[part] = _decibels(every[part], config)
    return result


def _decibels(frames: NDArray[np.int16], config: MelConfig) -> NDArray[np.float64]:
    from scipy import fft

    window, filters = _window(config.n_fft), _filters(config)
    spectrum = fft.rfft(frames * window, axis=1)
    summed = spectrum.real**2 + spectrum.imag**2
    if config.power == 1:
        np.sqrt(summed, out=summed)
    mel: NDArray[np.float64] = (filters @ summed.T).T
    decibels: NDArray[np.float64] = np.log10(np.maximum(mel ** (2 / config.power), config.floor))
    decibels *= 10.0
    return decibels


@functools.cache
def _window(n_fft: int) -> NDArray[np.float64]:
    """Return the periodic Hann window, scaled so that int16 counts become parts of full scale."""
    phase = 2 * np.pi * np.arange(n_fft) / n_fft
    window: NDArray[np.float64] = (0.5 - 0.5 * np.cos(phase)) / FULL_SCALE
    return window


@functools.lru_cache(maxsize=8)
def _filters(config: MelConfig) -> Any:
    """Return librosa's Mel filters [n_mels, bins] as a sparse matrix."""
    from librosa.filters import mel
    from scipy import sparse

    filters = mel(
        sr=config.sample_rate,
        n_fft=config.n_fft,
        n_mels=config.n_mels,
        fmin=config.fmin,
        fmax=config.fmax,
        htk=config.mel_scale == "htk",
    )
    return sparse.csr_array(filters.astype(np.float64))
