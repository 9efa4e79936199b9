"""Narrowing a sum in few instructions gives what the two roundings of the reference give."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from outliernets.fixed import Multiplier, quantize_multiplier, requantize
from outliernets.kernels.narrow import Form, Narrowing, Sums, plan

RELU = (-128, -128, 127)


def narrowed(n: Narrowing, channel: int, sums: np.ndarray) -> np.ndarray:
    """What the C of each form computes: see ``on_pairs.h`` and ``templates/rows/_macros.j2``."""
    scaled = sums << n.scale_bits[channel]
    assert np.abs(scaled).max() < 2**31
    m, addend, shift = n.multiplier[channel], n.addend[channel], n.shift[channel]
    if n.form is Form.FLOOR:
        high = addend + ((scaled * m) >> 32)
        assert np.abs(high).max() < 2**31
        return np.clip((high >> shift) + n.zero, n.low, n.high)
    if n.form is Form.LINEAR:
        x = (scaled * m + 2**31) >> 32
        return np.clip((x + (x >> 31) + addend) >> shift, n.low, n.high)
    return np.clip(requantize(sums, Multiplier(m, addend)) + n.zero, n.low, n.high)


def reference(s: Sums, zero: int, low: int, high: int, sums: np.ndarray) -> np.ndarray:
    return np.clip(requantize(sums, s.multiplier) + zero, low, high)


def all_sums(s: Sums) -> np.ndarray:
    """Every sum there can be, or a dense sample with all ends where there are too many."""
    if s.widest <= 200_000:
        return np.arange(-s.widest, s.widest + 1)
    rng = np.random.default_rng(s.widest)
    return np.r_[-s.widest, s.widest, rng.integers(-s.widest, s.widest, 400_000)]


@given(
    scale=st.floats(1e-6, 0.49),
    widest=st.integers(1, 200_000),
    heaviest=st.integers(1, 1143),
    zero=st.integers(-128, 127),
    relu=st.booleans(),
)
@settings(max_examples=300)
def test_every_form_is_exact_for_every_sum(scale, widest, heaviest, zero, relu):
    low = zero if relu else -128
    s = Sums(widest, heaviest, quantize_multiplier(scale))
    n = plan([s], zero, low, 127)
    sums = all_sums(s)
    np.testing.assert_array_equal(narrowed(n, 0, sums), reference(s, zero, low, 127, sums))


@pytest.mark.parametrize("widest", [1, 255, 10**6, 2**24, 2**30])
def test_sums_of_any_width_are_exact(widest):
    for scale in (0.3, 0.01, 3e-5):
        s = Sums(widest, 127, quantize_multiplier(scale))
        for zero, low, high in (RELU, (0, -128, 127), (-20, -20, 60)):
            n = plan([s], zero, low, high)
            sums = all_sums(s)
            np.testing.assert_array_equal(narrowed(n, 0, sums), reference(s, zero, low, high, sums))


def test_channels_share_the_shift_of_the_instruction():
    scales = (0.02, 0.011, 0.0049, 0.003)
    channels = [Sums(60_000, 127, quantize_multiplier(s)) for s in scales]
    n = plan(channels, *RELU)
    assert n.form is Form.FLOOR
    assert n.one_shift
    for i, s in enumerate(channels):
        sums = all_sums(s)
        np.testing.assert_array_equal(narrowed(n, i, sums), reference(s, *RELU, sums))


@given(st.lists(st.floats(1e-5, 0.4), min_size=1, max_size=6), st.integers(1, 1143))
@settings(max_examples=100)
def test_packed_weights_fit_16_bits(scales, heaviest):
    n = plan([Sums(90_000, heaviest, quantize_multiplier(s)) for s in scales], *RELU)
    assume(n.form is not Form.GENERAL)
    assert all(heaviest << k < 2**15 for k in n.scale_bits)


@pytest.mark.parametrize(("scale", "why"), [(0.7, "1/2 or more"), (1.5, "1/2 or more"), (0, "0")])
def test_unusual_multipliers_take_the_general_form(scale, why):
    n = plan([Sums(1000, 127, quantize_multiplier(scale))], *RELU)
    assert n.form is Form.GENERAL
    assert why in n.why
