"""The integer front end against librosa, and its int8 output against exact arithmetic."""

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


def errors(pcm: np.ndarray, within: float, plan: MelPlan = PLAN) -> np.ndarray:
    """|fixed - librosa| in dB where a band is above the floor and near the frame's strongest."""
    reference = log_mel(pcm, plan.config).astype(np.float64)
    fixed = plan.to_db(log2_frames(pcm, plan))
    floor = 10 * np.log10(plan.config.floor)
    near = reference > reference.max(axis=1, keepdims=True) - within
    return np.abs(fixed - reference)[near & (reference > floor + 0.1)]


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("shape", SHAPES)
def test_error_on_synthetic_sound(shape, level):
    pcm = at_level(shape, level)
    for within in (60.0, 80.0):
        found = errors(pcm, within)
        assert len(found) >= len(pcm) // 512 - 1  # at least the strongest band of each frame
        assert np.percentile(found, 99) <= 0.03
        assert found.max() <= 0.06


def test_error_on_genuine_recordings(shared):
    folder = shared / "data" / "mimii_fan_0dB"
    paths = sorted(folder.rglob("*.flac"))
    if not paths:
        pytest.skip(f"no recordings in {folder.name}")
    found = []
    for path in paths[::8]:
        pcm, _ = soundfile.read(path, dtype="int16")
        found.append(errors(pcm, 80.0))
    together = np.concatenate(found)
    assert np.percentile(together, 99) <= 0.0005
    assert together.max() <= 0.002


@pytest.mark.parametrize("name", extremes())
def test_error_on_extreme_sound(name):
    found = errors(extremes()[name], 60.0)
    assert found.max(initial=0.0) <= 0.05


def test_silence_is_exactly_the_floor():
    levels = log2_frames(np.zeros(5000, np.int16), PLAN)
    assert (PLAN.to_db(levels) == -100.0).all()
    exact = -100.0  # in steps of 0.5 dB around -60 dB, zero point 3
    assert (quantized_frames(np.zeros(5000, np.int16), PLAN) == round((exact + 60) / 0.5) + 3).all()


def test_other_settings_are_as_good():
    config = MelConfig(
        sample_rate=8000, n_fft=256, hop=100, n_mels=30, fmin=200.0, fmax=3500.0, clip_sigma=50.0
    )
    plan = plan_around(-50.0, 0.5, config)
    for shape in ("sine 997.3 Hz", "sweep", "noise", "impulses"):
        found = errors(at_level(shape, -6), 80.0, plan)
        assert np.percentile(found, 99) <= 0.05
        assert found.max() <= 0.15


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
        ({"n_mels": 0}, "n_mels = 0"),
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
