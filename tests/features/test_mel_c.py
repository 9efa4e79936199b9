"""The C front end, compiled with gcc and with clang, gives the twin's bits."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from outliernets.codegen import mel_files
from outliernets.config import MelConfig
from outliernets.features.mel import log_mel
from outliernets.features.mel_fixed import quantized_frames
from outliernets.features.plan import make_plan
from outliernets.features.windows import Standardizer
from tests.features.conftest import plan_around
from tests.features.signals import LEVELS, SHAPES, at_level, extremes

COARSE = plan_around(-60.0, 0.5)


@pytest.fixture(scope="session")
def coarse(make_stream):
    return make_stream(COARSE)


@pytest.mark.parametrize("level", LEVELS)
def test_bits_on_synthetic_sound(coarse, level):
    for shape in SHAPES:
        pcm = at_level(shape, level)
        np.testing.assert_array_equal(coarse.rows(pcm), quantized_frames(pcm, COARSE), shape)


@pytest.mark.parametrize("name", extremes())
def test_bits_on_extreme_sound(coarse, name):
    pcm = extremes()[name]
    np.testing.assert_array_equal(coarse.rows(pcm), quantized_frames(pcm, COARSE))


def test_bits_of_the_smallest_steps(make_stream):
    """An int8 step of 0.002 dB shows single units of the logarithm."""
    pcm = at_level("noise", -20)
    plan = plan_around(float(np.median(log_mel(pcm, COARSE.config))), 0.002)
    expected = quantized_frames(pcm, plan)
    assert len(np.unique(expected)) > 150
    np.testing.assert_array_equal(make_stream(plan).rows(pcm), expected)


def test_bits_on_a_genuine_recording(coarse, shared):
    paths = sorted((shared / "data" / "mimii_fan_0dB").rglob("*.flac"))
    if not paths:
        pytest.skip("no recordings in ../shared/data/mimii_fan_0dB")
    pcm, _ = soundfile.read(paths[0], dtype="int16")
    np.testing.assert_array_equal(coarse.rows(pcm), quantized_frames(pcm, COARSE))


@pytest.mark.parametrize("hop", [1, 2, 6, 700, 1024])
def test_any_hop(make_stream, hop):
    plan = plan_around(-60.0, 0.5, replace(COARSE.config, hop=hop, n_mels=40))
    pcm = at_level("sweep", -10)[: 1024 + 7 * hop + hop // 2]
    rows = make_stream(plan).rows(pcm, itertools.cycle([3, 333]))
    assert len(rows) == 8
    np.testing.assert_array_equal(rows, quantized_frames(pcm, plan))


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sizes=st.lists(st.integers(0, 2000), min_size=1, max_size=20).filter(any),
    length=st.integers(0, 6000),
)
def test_chunks_do_not_matter(coarse, sizes, length):
    pcm = at_level("sweep", -30)[5_000 : 5_000 + length]
    rows = coarse.rows(pcm, itertools.cycle(sizes))
    np.testing.assert_array_equal(rows, quantized_frames(pcm, COARSE))


def test_single_samples(coarse):
    pcm = at_level("noise", -10)[:3000]
    np.testing.assert_array_equal(
        coarse.rows(pcm, itertools.repeat(1)), quantized_frames(pcm, COARSE)
    )


GRID = {
    "256 points": {"n_fft": 256, "hop": 128, "n_mels": 40},
    "256 points, empty bands": {"n_fft": 256, "hop": 100, "n_mels": 128},
    "512 points": {"n_fft": 512, "hop": 160, "n_mels": 64, "fmin": 60.0, "fmax": 7600.0},
    "magnitudes": {"power": 1},
    "512 points, magnitudes, HTK": {
        "n_fft": 512, "hop": 512, "n_mels": 26, "power": 1, "mel_scale": "htk"
    },
    "2048 points": {"n_fft": 2048, "hop": 512},
    "longest segments": {
        "n_fft": 2048, "hop": 2048, "n_mels": 16, "sample_rate": 48_000, "fmax": 24_000.0,
        "mel_scale": "htk",
    },
    "8 kHz": {"sample_rate": 8000, "n_fft": 256, "hop": 80, "n_mels": 16, "fmax": 4000.0},
    "narrow": {"fmin": 3000.0, "fmax": 3300.0, "n_mels": 20},
}  # fmt: skip


@pytest.mark.parametrize("name", GRID)
def test_bits_of_other_settings(make_stream, name):
    plan = plan_around(-60.0, 0.5, MelConfig(clip_sigma=1000.0, **GRID[name]))
    stream = make_stream(plan)
    long_extremes = {k: np.tile(x, 2) for k, x in extremes().items()}
    levels = {f"{shape} {db}": at_level(shape, db) for shape in SHAPES for db in (-3, -70)}
    for title, pcm in {**long_extremes, **levels}.items():
        np.testing.assert_array_equal(stream.rows(pcm), quantized_frames(pcm, plan), title)


@pytest.mark.parametrize("scale", [12 / 255, 0.02, 0.1])
def test_bits_where_int8_is_not_filled(make_stream, scale):
    """The upper limit is 127 less a margin, the lower one that of a band's floor or of clipping."""
    rng = np.random.default_rng(5)
    standardizer = Standardizer(
        tuple(rng.uniform(-95, -20, 128)), tuple(rng.uniform(0.5, 12.0, 128))
    )
    plan = make_plan(MelConfig(clip_sigma=2.0), standardizer, scale, -21)
    pcm = np.concatenate([at_level("noise", -20), at_level("sweep", -70), extremes()["silence"]])
    np.testing.assert_array_equal(make_stream(plan).rows(pcm), quantized_frames(pcm, plan))


def test_generated_files_are_reproducible():
    first, second = mel_files("a", plan_around(-60.0, 0.5)), mel_files("a", COARSE)
    assert first == second
    assert set(first) == {"a_mel.c", "a_mel.h", "on_mel_config.h"}
