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


@pytest.mark.parametrize("hop", [1, 700, 1024])
def test_any_hop(make_stream, hop):
    plan = plan_around(-60.0, 0.5, replace(COARSE.config, hop=hop, n_mels=40))
    pcm = at_level("sweep", -10)[: 1024 + 7 * hop + hop // 2]
    rows = make_stream(plan).rows(pcm, itertools.cycle([3, 333]))
    assert len(rows) == 8
    np.testing.assert_array_equal(rows, quantized_frames(pcm, plan))


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
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


def test_small_transform_with_empty_bands(make_stream):
    plan = plan_around(-50.0, 0.5, MelConfig(n_fft=256, hop=128, n_mels=100, clip_sigma=1000.0))
    for name, pcm in {**extremes(), "sweep": at_level("sweep", -3)}.items():
        np.testing.assert_array_equal(
            make_stream(plan).rows(pcm), quantized_frames(pcm, plan), name
        )


def test_generated_files_are_reproducible():
    first, second = mel_files("a", plan_around(-60.0, 0.5)), mel_files("a", COARSE)
    assert first == second
    assert set(first) == {"a_mel.c", "a_mel.h", "on_mel_config.h"}
