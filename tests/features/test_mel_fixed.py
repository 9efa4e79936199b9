"""The integer front end against librosa, and its int8 output against exact arithmetic."""

from functools import cache

import numpy as np
import pytest
import soundfile

from outliernets.config import MelConfig
from outliernets.errors import ConfigError
from outliernets.features.mel import log_mel
from outliernets.features.mel_fixed import log2_frames, quantized_frames
from outliernets.features.plan import MelPlan, check, make_plan
from outliernets.features.windows import Standardizer
from tests.features.conftest import plan_around
from tests.features.signals import LEVELS, SHAPES, at_level, extremes

PLAN = plan_around(-60.0, 0.5)


def errors(pcm: np.ndarray, plan: MelPlan = PLAN) -> np.ndarray:
    """|fixed - librosa| in dB where a band counts: within 80 dB of the frame's strongest band, and
    above what rounding to 16 bits adds to every band."""
    reference = log_mel(pcm, plan.config).astype(np.float64)
    fixed = plan.to_db(log2_frames(pcm, plan))
    near = reference > reference.max(axis=1, keepdims=True) - 80.0
    return np.abs(fixed - reference)[near & (reference > rounding_noise(plan.config))]


@cache
def rounding_noise(config: MelConfig) -> float:
    """The mean dB of the noise that rounding to 16 bits adds: a step squared / 12, white."""
    rng = np.random.default_rng(0)
    steps = rng.choice(
        np.array([-1, 0, 1], np.int16), 64 * config.n_fft, p=[1 / 24, 11 / 12, 1 / 24]
    )
    return float(10 * np.log10((10 ** (log_mel(steps, config).astype(np.float64) / 10)).mean()))


def assert_small(found: np.ndarray, p99: float, largest: float) -> None:
    assert np.percentile(found, 99) <= p99
    assert found.max() <= largest


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("shape", SHAPES)
def test_error_on_synthetic_sound(shape, level):
    pcm = at_level(shape, level)
    found = errors(pcm)
    assert len(found) >= len(pcm) // 512 - 1  # at least the strongest band of each frame
    assert_small(found, 0.01, 0.02)


def test_error_on_genuine_recordings(shared):
    folder = shared / "data" / "mimii_fan_0dB"
    paths = sorted(folder.rglob("*.flac"))
    if not paths:
        pytest.skip(f"no recordings in {folder.name}")
    clips = [soundfile.read(path, frames=48_000, dtype="int16")[0] for path in paths]
    assert_small(np.concatenate([errors(clip) for clip in clips]), 0.001, 0.002)


@pytest.mark.parametrize("snr", [6, 0, -6, -12])
def test_error_on_propellers_in_noise(shared, snr):
    """Every twelfth clip under rain, mixed as make_propeller.py does, from quiet to loud."""
    paths = sorted((shared / "data" / "propeller_clean").rglob("*.flac"))[::12]
    noises = sorted((shared / "data" / "noise").rglob("*.ogg"))
    if not paths or not noises:
        pytest.skip("no recordings in ../shared/data")
    rain = soundfile.read(noises[0], frames=32_000)[0].reshape(32_000, -1)[:, 0]
    found = []
    for path, level in zip(paths, np.geomspace(0.002, 0.3, len(paths)), strict=True):
        clip = soundfile.read(path, frames=32_000)[0]
        noise = rain * np.std(clip) / np.std(rain) * 10 ** (-snr / 20)
        mixed = (clip + noise) / np.abs(clip + noise).max() * level
        found.append(errors(np.round(mixed * 32_767).astype(np.int16)))
    assert_small(np.concatenate(found), 0.001, 0.005)


@pytest.mark.parametrize("name", extremes())
def test_error_on_extreme_sound(name):
    found = errors(extremes()[name])
    assert found.max(initial=0.0) <= 0.02


def test_silence_is_exactly_the_floor():
    levels = log2_frames(np.zeros(5000, np.int16), PLAN)
    assert (PLAN.to_db(levels) == -100.0).all()
    exact = -100.0  # in steps of 0.5 dB around -60 dB, zero point 3
    assert (quantized_frames(np.zeros(5000, np.int16), PLAN) == round((exact + 60) / 0.5) + 3).all()


SETTINGS = {
    "8 kHz, 256 points": {
        "sample_rate": 8000, "n_fft": 256, "hop": 100, "n_mels": 30, "fmin": 200.0, "fmax": 3500.0
    },
    "512 points": {"n_fft": 512, "hop": 160, "n_mels": 64},
    "2048 points": {"n_fft": 2048, "hop": 512},
    "magnitudes": {"power": 1},
    "HTK": {"mel_scale": "htk", "n_mels": 40},
    "HTK, magnitudes, 48 kHz, longest segments": {
        "mel_scale": "htk", "n_mels": 16, "power": 1, "sample_rate": 48_000, "n_fft": 2048,
        "hop": 1024, "fmax": 24_000.0,
    },
    "longest segments": {
        "mel_scale": "htk", "n_mels": 16, "sample_rate": 48_000, "n_fft": 2048, "hop": 1024,
        "fmax": 24_000.0,
    },
}  # fmt: skip


@pytest.mark.parametrize("name", SETTINGS)
def test_error_of_other_settings(name):
    """Wide bands of magnitudes are the hardest: there the rounding of empty bins adds up."""
    plan = plan_around(-50.0, 0.5, MelConfig(clip_sigma=1000.0, **SETTINGS[name]))
    sounds = [at_level(shape, level) for shape in SHAPES for level in (-3, -40, -70)]
    found = np.concatenate([errors(sound, plan) for sound in sounds])
    assert_small(found, 0.05, 0.35 if "magnitudes, 48" in name else 0.1)


def test_the_paper_s_decibels():
    """20 log10 of the Mel magnitudes, by librosa's own functions."""
    import librosa

    config = MelConfig(power=1)
    pcm = at_level("sweep", -20)
    mel = librosa.feature.melspectrogram(
        y=pcm / 32_768.0, sr=16_000, n_fft=1024, hop_length=512, n_mels=128, power=1.0, center=False
    )
    np.testing.assert_allclose(
        log_mel(pcm, config), 20 * np.log10(np.maximum(mel.T, 1e-5)), atol=1e-4
    )


def test_bands_without_bins_are_the_floor():
    plan = plan_around(-50.0, 0.5, MelConfig(n_fft=256, hop=128, n_mels=100, clip_sigma=1000.0))
    empty = np.asarray(plan.segment_bins)[:-1] + np.asarray(plan.segment_bins)[1:] == 0
    assert empty.any()
    levels = plan.to_db(log2_frames(at_level("noise", -3), plan))
    assert (levels[:, empty] == -100.0).all()
    assert (levels[:, ~empty] > -100.0).all()


def test_int8_rows_are_standardised_clipped_and_rounded():
    rng = np.random.default_rng(3)
    config = MelConfig(clip_sigma=2.0)
    standardizer = Standardizer(
        tuple(rng.uniform(-60, -30, 128)), tuple(rng.uniform(0.5, 12.0, 128))
    )
    scale, zero = 0.0237, -21
    plan = make_plan(config, standardizer, scale, zero)
    pcm = (at_level("noise", -20) * np.linspace(0, 1, 16_000)).astype(np.int16)
    z = standardizer.apply(plan.to_db(log2_frames(pcm, plan)), config).astype(np.float64)
    exact = z / scale + zero
    row = quantized_frames(pcm, plan)
    assert row.dtype == np.int8
    assert np.abs(row - np.clip(exact, -128, 127)).max() <= 0.5 + 2e-2  # float32, 2^-affine_shift
    assert (row.min(), row.max()) == (round(-2 / scale) + zero, round(2 / scale) + zero)


def test_short_sound_has_no_frames():
    assert log2_frames(np.zeros(1023, np.int16), PLAN).shape == (0, 128)
    assert quantized_frames(np.zeros(1024, np.int16), PLAN).shape == (1, 128)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"n_fft": 1000}, "n_fft = 1000"),
        ({"hop": 0}, "hop = 0"),
        ({"hop": 1025}, "hop = 1025"),
        ({"n_mels": 15}, "n_mels = 15 is not possible, allowed: 16 ... 128"),
        ({"n_mels": 129}, "n_mels = 129"),
        ({"sample_rate": 7999}, "sample_rate = 7999 .* 8000 ... 48000 Hz"),
        ({"power": 3}, "power = 3 is not possible, allowed: 1 or 2"),
        ({"mel_scale": "bark"}, "mel_scale = bark is not possible, allowed: slaney or htk"),
        ({"fmax": 9000.0}, "8000 Hz"),
        ({"fmin": 8000.0}, "below fmax"),
        ({"floor": 0.0}, "floor = 0.0"),
        ({"clip_sigma": 0.0}, "clip_sigma"),
        ({"frames": 0}, "frames"),
    ],
)
def test_impossible_settings_are_refused(change, text):
    with pytest.raises(ConfigError, match=text):
        check(MelConfig(**change))


def test_wrong_quantisation_is_refused():
    fine = Standardizer((0.0,) * 128, (1.0,) * 128)
    with pytest.raises(ConfigError, match="above 0"):
        make_plan(MelConfig(), fine, 0.0, 0)
    with pytest.raises(ConfigError, match="128 bands"):
        make_plan(MelConfig(), Standardizer((0.0,), (1.0,)), 0.05, 0)
    with pytest.raises(ConfigError, match="too fine"):
        make_plan(MelConfig(), fine, 1e-9, 0)
    with pytest.raises(ConfigError, match="no FFT bin"):
        make_plan(MelConfig(fmin=1001.0, fmax=1010.0), fine, 0.05, 0)


def test_tables_are_read_only_and_small():
    assert not any(v.flags.writeable for v in vars(PLAN).values() if isinstance(v, np.ndarray))
    assert PLAN.flash_bytes <= 10_800
