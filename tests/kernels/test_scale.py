"""Cheaper ways to scale a sum, where they are offered, give what the reference gives."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outliernets.fixed import high_mul, quantize_multiplier, requantize, rounding_shift
from outliernets.kernels import scale

RULES = {"linear": scale.fused, "finely": scale.fine}


def reference(m, zero, low, high, sums):
    return np.clip(requantize(sums, m) + zero, low, high)


problems = given(
    real=st.floats(1e-5, 0.49),
    widest=st.integers(1, 200_000),
    zero=st.integers(-128, 127),
    relu=st.booleans(),
    high=st.integers(0, 127),
)


@problems
@settings(max_examples=200)
def test_steps_are_where_the_reference_steps(real, widest, zero, relu, high):
    m, low = quantize_multiplier(real), min(zero, high) if relu else -128
    sums = np.arange(-widest, widest + 1)
    expected = reference(m, zero, low, high, sums)
    found = scale.steps(m, widest, zero, low, high)
    assert found.ends == (expected[0], expected[-1])
    values, first = np.unique(expected, return_index=True)
    np.testing.assert_array_equal(found.values, values[1:])
    np.testing.assert_array_equal(found.sums, sums[first[1:]])


@problems
@settings(max_examples=200)
def test_a_floor_is_exact_for_every_sum(real, widest, zero, relu, high):
    m, low = quantize_multiplier(real), min(zero, high) if relu else -128
    sums = np.arange(-widest, widest + 1)
    x = high_mul(sums, m.value)
    floored = (x + (1 << -m.shift >> 1)) >> -m.shift
    scaled = np.minimum(np.maximum(floored, 0) + zero, high)
    same = bool((scaled == reference(m, zero, low, high, sums)).all())
    offered = scale.is_floor(m, widest, zero, low, high)
    assert not offered or same
    if zero == low and 1 <= -m.shift <= scale.MOST_SHIFT:
        assert offered, "what a ReLU clamps is always a floor"


@pytest.mark.parametrize("name", RULES)
@problems
@settings(max_examples=200)
def test_a_linear_rule_is_exact_for_every_sum(name, real, widest, zero, relu, high):
    m, low = quantize_multiplier(real), min(zero, high) if relu else -128
    found = scale.linear(m, widest, zero, low, high, RULES[name])
    if found is None:
        return
    sums = np.arange(-widest, widest + 1)
    factor, addend = np.float32(found.factor), np.float32(found.addend)
    assert (factor, addend) == (found.factor, found.addend), "the C has single precision"
    rounded = RULES[name](sums + found.start, factor, addend)
    expected = reference(m, zero, low, high, sums)
    np.testing.assert_array_equal(np.clip(rounded, low, high), expected)


@pytest.mark.parametrize("name", RULES)
def test_typical_layers_have_a_linear_rule(name):
    rng = np.random.default_rng(1)
    found = 0
    for real in rng.uniform(1 / 512, 1 / 64, 100):
        m = quantize_multiplier(float(real))
        found += scale.linear(m, 300_000, -128, -128, 127, RULES[name]) is not None
    assert found >= {"linear": 90, "finely": 98}[name]


def test_halves_of_negative_sums_refuse_a_floor():
    m = quantize_multiplier(0.25)
    assert scale.is_floor(m, 100, -128, -128, 127)
    assert not scale.is_floor(m, 100, 0, -128, 127)
    assert rounding_shift(high_mul(np.array([-2]), m.value), -m.shift)[0] == -1
