"""The anomaly score in integers, the squared reconstruction error; twin of ``on_score.c``."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outliernets.fixed import round_half_away
from outliernets.graph import Tensor

SUM_BITS = 64
GAIN_BITS = 21  #: of a gain, at most, so that a difference fits 32 bits
DIFFERENCE_BITS = 9  #: the difference of two int8 values has at most 9 bits without its sign


@dataclass(frozen=True)
class ScorePlan:
    """Integers that bring input and output of a network to one unit before they are subtracted.

    ``sum((x - x_zero) * x_gain - (y - y_zero) * y_gain) ** 2`` over ``size`` values is the score
    in units of ``unit ** 2 / size``; it always fits 64 bits. An alarm is a sum above
    ``threshold``.
    """

    size: int
    x_zero: int
    x_gain: int
    y_zero: int
    y_gain: int
    unit: float
    threshold: int = 2**SUM_BITS - 1

    @classmethod
    def make(cls, x: Tensor, y: Tensor) -> "ScorePlan":
        """Choose the finest unit for which the sum cannot overflow."""
        bits = min((SUM_BITS - (x.size - 1).bit_length()) // 2 - DIFFERENCE_BITS, GAIN_BITS)
        unit = max(x.scale, y.scale) / (1 << bits)
        return cls(
            size=x.size,
            x_zero=x.zero_point,
            x_gain=round_half_away(x.scale / unit),
            y_zero=y.zero_point,
            y_gain=round_half_away(y.scale / unit),
            unit=unit,
        )

    def with_threshold(self, threshold: int) -> "ScorePlan":
        """Return the plan with another alarm threshold (a sum)."""
        return replace(self, threshold=threshold)

    def sums(self, x: NDArray[np.int8], y: NDArray[np.int8]) -> NDArray[np.uint64]:
        """Return the sum for each window of ``x`` and ``y`` [n, size], as the firmware has it."""
        a = (x.reshape(-1, self.size).astype(np.int64) - self.x_zero) * self.x_gain
        b = (y.reshape(-1, self.size).astype(np.int64) - self.y_zero) * self.y_gain
        total: NDArray[np.uint64] = np.square(a - b).astype(np.uint64).sum(axis=1)
        return total

    def real(self, sums: NDArray[np.uint64]) -> NDArray[np.float64]:
        """Return the mean squared error that sums stand for."""
        return sums.astype(np.float64) * (self.unit**2 / self.size)

    def context(self) -> dict[str, Any]:
        """What the template prints."""
        return {**vars(self), "unit_squared": self.unit**2 / self.size}
