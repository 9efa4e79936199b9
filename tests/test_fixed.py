"""Fixed-point helpers: exact values from gemmlowp's definitions, and numpy = C."""

import ctypes

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outliernets import resources
from outliernets.fixed import (
    Multiplier,
    quantize_multiplier,
    requantize,
    round_half_away,
    rounding_shift,
)
from outliernets.toolchain.host import compile_shared

SHIM = """
#include "on_fixed.h"
int32_t shim_requantize(int32_t acc, int32_t multiplier, int32_t shift);
int32_t shim_requantize(int32_t acc, int32_t multiplier, int32_t shift)
{
    return on_requantize(acc, multiplier, shift);
}
"""


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fixed")
    (folder / "shim.c").write_text(SHIM)
    library = compile_shared([folder / "shim.c"], [resources.firmware() / "lib"], folder / "s.so")
    return ctypes.CDLL(str(library)).shim_requantize


INT32 = st.integers(-(2**31), 2**31 - 1)


@given(acc=INT32, value=st.integers(0, 2**31 - 1), shift=st.integers(-31, 8))
def test_requantize_in_c_and_numpy(compiled, acc, value, shift):
    expected = compiled(ctypes.c_int32(acc), ctypes.c_int32(value), ctypes.c_int32(shift))
    assert int(requantize(np.array([acc]), Multiplier(value, shift))[0]) == expected


@given(st.floats(1e-9, 1e6))
def test_multiplier_is_the_nearest(real):
    m = quantize_multiplier(real)
    assert 2**30 <= m.value < 2**31
    assert abs(m.value * 2.0 ** (m.shift - 31) - real) <= real * 2.0**-31


def test_multiplier_corners():
    assert quantize_multiplier(0.0) == Multiplier(0, 0)
    assert quantize_multiplier(0.5) == Multiplier(2**30, 0)
    assert quantize_multiplier(1 - 2.0**-40) == Multiplier(2**30, 1)
    assert quantize_multiplier(2.0**-40) == Multiplier(0, 0)


def test_rounding_shift_halves_go_away_from_zero():
    x = np.array([5, 6, 7, -5, -6, -7, 2, -2])
    assert rounding_shift(x, 2).tolist() == [1, 2, 2, -1, -2, -2, 1, -1]
    assert rounding_shift(x, 0).tolist() == x.tolist()


@given(INT32, st.integers(1, 31))
def test_rounding_shift_is_round_half_away(x, bits):
    assert int(rounding_shift(np.array([x]), bits)[0]) == round_half_away(x / 2**bits)
