"""Framing, windows and standardisation."""

import json

import librosa
import numpy as np
import pytest

from outliernets.config import MelConfig
from outliernets.errors import DataError
from outliernets.features.mel import log_mel
from outliernets.features.plan import mel_edges
from outliernets.features.windows import MIN_STD_DB, Standardizer, windows

CONFIG = MelConfig()


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.integers(-3000, 3000, int(seconds * 16_000)).astype(np.int16)


def test_ten_seconds_are_311_frames_and_nine_windows():
    spectrogram = log_mel(noise(10), CONFIG)
    assert spectrogram.shape == (311, 128)
    assert spectrogram.dtype == np.float32
    cut = windows(spectrogram, CONFIG)
    assert cut.shape == (9, 32, 128)
    np.testing.assert_array_equal(cut[1, 0], spectrogram[32])


@pytest.mark.parametrize("over", [0, 1, 511, 512, 16_383])
@pytest.mark.parametrize("config", [CONFIG, MelConfig(n_fft=512, hop=512, frames=16)])
def test_of_a_clip_whole_windows_are_scored(config: MelConfig, over: int) -> None:
    shortest = config.min_samples + 2 * config.window_samples
    samples = shortest + over % config.window_samples
    assert config.scored_samples(samples) == shortest
    spectrogram = log_mel(noise(10)[:shortest], config)
    assert len(spectrogram) == 3 * config.frames
    assert len(log_mel(noise(10)[: shortest - 1], config)) < 3 * config.frames


@pytest.mark.parametrize(
    ("samples", "frames"), [(0, 0), (1023, 0), (1024, 1), (1535, 1), (1536, 2)]
)
def test_frames_are_not_padded(samples, frames):
    spectrogram = log_mel(noise(1)[:samples], CONFIG)
    assert spectrogram.shape == (frames, 128)
    assert windows(spectrogram, CONFIG).shape == (0, 32, 128)


def test_log_mel_is_what_its_definition_says():
    pcm = noise(0.1)
    frame = pcm[512 : 512 + 1024] / 32768.0
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(1024) / 1024)
    power = np.abs(np.fft.rfft(frame * hann)) ** 2
    filters = librosa.filters.mel(sr=16_000, n_fft=1024, n_mels=128, fmin=0.0, fmax=8000.0)
    expected = 10 * np.log10(np.maximum(filters @ power, CONFIG.floor))
    np.testing.assert_allclose(log_mel(pcm, CONFIG)[1], expected, atol=2e-4)


def test_silence_is_the_floor():
    np.testing.assert_allclose(log_mel(np.zeros(2048, np.int16), CONFIG), -100.0)


@pytest.mark.parametrize(("fmin", "fmax", "bands"), [(0.0, 8000.0, 128), (300.0, 3400.0, 20)])
def test_band_edges_are_librosas(fmin, fmax, bands):
    config = MelConfig(fmin=fmin, fmax=fmax, n_mels=bands)
    expected = librosa.mel_frequencies(n_mels=bands + 2, fmin=fmin, fmax=fmax)
    np.testing.assert_allclose(mel_edges(config), expected, rtol=1e-12)


def test_standardizer_measures_all_clips_as_one():
    rng = np.random.default_rng(1)
    clips = [(rng.normal(-60.0, 9.0, (n, 128)) + n).astype(np.float32) for n in (5, 311, 1, 40)]
    together = np.concatenate(clips).astype(np.float64)
    fitted = Standardizer.fit(iter([*clips, np.zeros((0, 128), np.float32)]))
    np.testing.assert_allclose(fitted.mean, together.mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(fitted.std, together.std(axis=0), rtol=1e-9)


def test_standardizer_clips_and_keeps_dead_bands_quiet():
    clip = np.full((10, 2), -50.0, np.float32)
    clip[:, 1] += np.arange(10)
    fitted = Standardizer.fit([clip])
    assert fitted.std[0] == MIN_STD_DB
    z = fitted.apply(np.array([[-49.5, 1000.0], [-50.0, -1000.0]], np.float32), CONFIG)
    np.testing.assert_array_equal(z, np.array([[1.0, 6.0], [0.0, -6.0]], np.float32))
    assert z.dtype == np.float32


def test_standardizer_survives_json():
    fitted = Standardizer.fit([log_mel(noise(1), CONFIG)])
    assert Standardizer.from_dict(json.loads(json.dumps(fitted.to_dict()))) == fitted


def test_standardizer_needs_a_frame():
    with pytest.raises(DataError, match="shorter than a frame"):
        Standardizer.fit([np.zeros((0, 128), np.float32)])
