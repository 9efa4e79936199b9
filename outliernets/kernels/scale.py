"""Cheaper ways to scale sums to int8, each proven equal to the reference for all sums that occur.

What TensorFlow Lite Micro makes of a sum never falls when the sum grows. So another rule that never
falls either gives the same result for every sum if it does so on both sides of each step: at the
least sum that gives ``q``, and at that sum less 1. There are at most 255 steps; all are checked.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from outliernets.fixed import IntArray, Multiplier, high_mul, rounding_shift

MOST_SHIFT = 16  #: of the instruction that narrows 32 bits to 16
FLOAT_SUMS = 2**24  #: above, floats have no ones
HALF = 0.5
NEIGHBOURS = 8  #: factors on both sides of the nearest one that are tried

Rule = Callable[[IntArray], IntArray]


@dataclass(frozen=True)
class Steps:
    """Where the reference steps from ``values - 1`` to ``values``, for one output channel."""

    values: IntArray
    sums: IntArray  #: the least sum that gives each value
    widest: int  #: sums lie in [-widest, widest]
    ends: tuple[int, int]  #: what the least and the largest sum give
    low: int
    high: int

    def agrees(self, rule: Rule) -> bool:
        """Whether a rule that never falls, clamped to [low, high], is the reference."""
        after, before = rule(self.sums), rule(self.sums - 1)
        ends = rule(np.array([-self.widest, self.widest])).clip(self.low, self.high)
        stepwise = (after >= self.values).all() and (before < self.values).all()
        return bool(stepwise) and tuple(ends.tolist()) == self.ends


def steps(m: Multiplier, widest: int, zero: int, low: int, high: int) -> Steps:
    """Find the steps within sums of at most ``widest`` by bisection; ``m.shift`` <= 0."""

    def reference(sums: IntArray) -> IntArray:
        return rounding_shift(high_mul(sums, m.value), -m.shift) + zero

    first, last = reference(np.array([-widest, widest])).clip(low, high).tolist()
    values = np.arange(first + 1, last + 1, dtype=np.int64)
    least, most = np.full(values.shape, -widest), np.full(values.shape, widest)
    while (most - least > 1).any():
        middle = (least + most) // 2
        reached = reference(middle) >= values
        most, least = np.where(reached, middle, most), np.where(reached, least, middle)
    return Steps(values, most, widest, (first, last), low, high)


def is_floor(m: Multiplier, widest: int, zero: int, low: int, high: int) -> bool:
    """Whether both roundings may go half up, and what is below the zero point be clamped there."""
    if zero != low or not 1 <= -m.shift <= MOST_SHIFT:
        return False

    def rule(sums: IntArray) -> IntArray:
        scaled = high_mul(sums, m.value) + (1 << (-m.shift - 1))
        floored: IntArray = np.maximum(scaled >> -m.shift, 0) + zero
        return floored

    return steps(m, widest, zero, low, high).agrees(rule)


@dataclass(frozen=True)
class Linear:
    """``(sum + start) * factor + addend`` in single precision, rounded once more to an integer.

    ``start`` makes the addend small: a large one has no bits to place the steps with.
    """

    start: int
    factor: float
    addend: float


LinearRule = Callable[[IntArray, np.float32, np.float32], IntArray]


def linear(
    m: Multiplier, widest: int, zero: int, low: int, high: int, rule: LinearRule
) -> Linear | None:
    """Return the constants with which ``rule`` scales all sums of a channel, if there are some."""
    if m.shift > 0 or m.value == 0:
        return None
    edge = steps(m, widest, zero, low, high)
    near = np.float32(m.value * 2.0 ** (m.shift - 31))
    start = round(zero / float(near))
    if widest + abs(start) >= FLOAT_SUMS:
        return None
    factors = near * (1 + np.arange(-NEIGHBOURS, NEIGHBOURS + 1) * np.finfo(np.float32).epsneg)
    for factor in sorted(set(factors.astype(np.float32)), key=lambda f: abs(f - near)):
        addend = _middle(edge, start, float(factor))
        if edge.agrees(lambda sums, f=factor, a=addend: rule(sums + start, f, a)):  # type: ignore[misc]
            return Linear(start, float(factor), float(addend))
    return None


def _middle(edge: Steps, start: int, factor: float) -> np.float32:
    """The addend in the middle between those that step too late and too early."""
    if not len(edge.values):
        return np.float32(edge.ends[0] - start * factor)
    exact = edge.values - 0.5 - (edge.sums + start) * factor
    return np.float32((exact.max() + (exact + factor).min()) / 2)


def fused(sums: IntArray, factor: np.float32, addend: np.float32) -> IntArray:
    """Return what ``on_scale_linear`` makes of sums: a fused multiply-add, rounded."""
    # Exact in double precision, so that there is one rounding, as in the fused instruction.
    scaled = (sums * np.float64(factor) + np.float64(addend)).astype(np.float32)
    rounded: IntArray = np.rint(scaled).astype(np.int64)
    return rounded


def fine(sums: IntArray, factor: np.float32, addend: np.float32) -> IntArray:
    """Return what ``on_scale_finely`` makes of sums: first whole numbers, then what is left.

    What is left is small, so it has bits for the steps that ``fused`` lacks. It never falls if the
    addend is within one half.
    """
    exact = sums * np.float64(factor)
    whole = np.rint(exact)
    left = (exact - whole).astype(np.float32) + addend
    rounded: IntArray = (whole + np.rint(left)).astype(np.int64)
    return rounded if abs(addend) < HALF else np.zeros_like(rounded)
