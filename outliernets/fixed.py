"""Fixed-point arithmetic of TensorFlow Lite Micro, in numpy; twin of ``firmware/lib/on_fixed.h``.

Source: gemmlowp ``fixedpoint.h`` and TFLite ``kernels/internal/{common,quantization_util}.cc``,
with the double rounding that TensorFlow Lite Micro is built with.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]

INT8_MIN, INT8_MAX = -128, 127


@dataclass(frozen=True)
class Multiplier:
    """A positive real number as ``value * 2**(shift - 31)`` with ``value`` in [2**30, 2**31)."""

    value: int
    shift: int


def quantize_multiplier(real: float) -> Multiplier:
    """Return the 32-bit multiplier and shift nearest to ``real`` >= 0 (QuantizeMultiplier)."""
    if real == 0.0:
        return Multiplier(0, 0)
    fraction, shift = math.frexp(real)
    value = round_half_away(fraction * (1 << 31))
    if value == 1 << 31:
        value //= 2
        shift += 1
    return Multiplier(0, 0) if shift < -31 else Multiplier(value, shift)


def round_half_away(x: float) -> int:
    """Round to the nearest integer, halves away from zero, as C's ``round``."""
    return math.floor(abs(x) + 0.5) * (1 if x >= 0 else -1)


def high_mul(a: IntArray, b: IntArray | int) -> IntArray:
    """Return ``a * b / 2**31`` rounded to nearest, halves up (SaturatingRoundingDoublingHighMul).

    The one saturating case, both operands -2**31, does not arise: multipliers are positive.
    """
    return (np.asarray(a, np.int64) * b + (1 << 30)) >> 31


def rounding_shift(x: IntArray, bits: IntArray | int) -> IntArray:
    """Return ``x / 2**bits`` rounded to nearest, halves away from zero (RoundingDivideByPOT)."""
    mask = (np.int64(1) << np.asarray(bits, np.int64)) - 1
    threshold = (mask >> 1) + (x < 0)
    rounded: IntArray = (x >> bits) + ((x & mask) > threshold)
    return rounded


def requantize(acc: IntArray, multipliers: Iterable[Multiplier] | Multiplier) -> IntArray:
    """Scale int32 accumulators by one multiplier, or one per channel of the last axis."""
    many = [multipliers] if isinstance(multipliers, Multiplier) else list(multipliers)
    value = np.array([m.value for m in many], np.int64)
    shift = np.array([m.shift for m in many], np.int64)
    shifted = wrap_int32(acc << np.maximum(shift, 0))
    return rounding_shift(high_mul(shifted, value), np.maximum(-shift, 0))


def wrap_int32(x: IntArray) -> IntArray:
    """Return ``x`` as a 32-bit register would hold it."""
    return x.astype(np.int32).astype(np.int64)


def clamp_int8(x: IntArray, low: int = INT8_MIN, high: int = INT8_MAX) -> NDArray[np.int8]:
    """Clamp to [low, high] and narrow to int8."""
    return np.clip(x, low, high).astype(np.int8)
