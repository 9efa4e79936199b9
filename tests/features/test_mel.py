"""The float reference is librosa's log-Mel spectrogram, only sooner."""

import time

import numpy as np
import pytest

from outliernets.config import MelConfig
from outliernets.features import mel
from outliernets.features.mel import log_mel

SETTINGS = {
    "default": {},
    "the paper's magnitudes": {"power": 1},
    "few wide bands": {"n_mels": 20, "fmin": 100.0, "fmax": 6_000.0},
    "bands without bins": {"n_fft": 256, "hop": 128, "n_mels": 100},
    "htk": {"mel_scale": "htk", "hop": 480},
    "8 kHz": {"sample_rate": 8_000, "fmax": 4_000.0, "n_fft": 512},
}


def sound(seconds: float, rate: int) -> np.ndarray:
    """A loud tone and hardly any noise: what leaks into quiet bands would show at once."""
    time_ = np.arange(round(seconds * rate)) / rate
    noise = np.random.default_rng(4).normal(0, 3, len(time_))
    return np.rint(20_000 * np.sin(2 * np.pi * 440.3 * time_) + noise).astype(np.int16)


@pytest.mark.parametrize("name", SETTINGS)
def test_it_is_librosa_s(name: str) -> None:
    import librosa

    config = MelConfig(**SETTINGS[name])
    pcm = sound(5.0, config.sample_rate)
    expected = librosa.feature.melspectrogram(
        y=pcm / 32_768.0,
        sr=config.sample_rate,
        n_fft=config.n_fft,
        hop_length=config.hop,
        center=False,
        power=float(config.power),
        n_mels=config.n_mels,
        fmin=config.fmin,
        fmax=config.fmax,
        htk=config.mel_scale == "htk",
    ).T
    decibels = 10 * np.log10(np.maximum(expected ** (2 / config.power), config.floor))
    found = log_mel(pcm, config)
    assert len(found) > mel.BLOCK  # the seam between blocks is in it
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, decibels, rtol=0, atol=1e-4)


@pytest.mark.parametrize("samples", [1023, 1024, 1535, 1536])
def test_frames_of_short_clips(samples: int) -> None:
    config = MelConfig()
    expected = max(0, (samples - config.n_fft) // config.hop + 1)
    assert log_mel(sound(1.0, 16_000)[:samples], config).shape == (expected, config.n_mels)


def test_a_hundred_times_faster_than_sound() -> None:
    """Ten seconds take 3 to 15 ms of a core; a tenth of a second is allowed."""
    pcm, config = sound(10.0, 16_000), MelConfig()
    log_mel(pcm, config)  # imports and filters
    taken = []
    for _ in range(5):
        started = time.process_time()
        log_mel(pcm, config)
        taken.append(time.process_time() - started)
    assert min(taken) < 0.1
