"""LOGISTIC: the sigmoid, as a table of 256 values."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import floor, frexp
from typing import Any

import numpy as np

from outliernets.fixed import INT8_MAX, INT8_MIN, Multiplier, requantize, round_half_away
from outliernets.graph import Array, Op, Shape, Site, Tensor
from outliernets.ops._logistic_fixed import logistic_q4, rounding_shift_right

INTEGER_BITS = 4


@dataclass(frozen=True)
class Logistic(Op):
    """1 / (1 + exp(-x)) for each element."""

    tflite = ("LOGISTIC",)

    @classmethod
    def from_tflite(cls, options: Mapping[str, Any], site: Site) -> tuple[Op, Site]:
        """See Op."""
        return cls(), site

    def infer(self, site: Site) -> Shape:
        """See Op."""
        return site.x.shape

    def table(self, x: Tensor) -> Array:
        """Return the output for every input -128 ... 127."""
        fraction, shift = frexp(x.scale * (1 << (31 - INTEGER_BITS)))
        multiplier = Multiplier(round_half_away(fraction * (1 << 31)), shift)
        radius = floor(((1 << INTEGER_BITS) - 1) * 2.0 ** (31 - INTEGER_BITS - shift))
        return np.array(
            [_entry(q - x.zero_point, multiplier, radius) for q in range(-128, 128)], np.int8
        )

    def run(self, site: Site, *arrays: Array) -> Array:
        """See Op."""
        result: Array = self.table(site.x)[arrays[0].astype(np.int64) + 128]
        return result

    def context(self, site: Site) -> dict[str, Any]:
        """See Op."""
        return {"size": site.x.size, "table": self.table(site.x).tolist()}

    def limit_output(self, site: Site) -> str | None:
        """The output has zero point -128, as TFLite requires."""
        zero_point = site.output.zero_point
        return None if zero_point == INT8_MIN else f"zero point {zero_point}"


def _entry(x: int, multiplier: Multiplier, radius: int) -> int:
    if x <= -radius:
        return INT8_MIN
    if x >= radius:
        return INT8_MAX
    q4 = int(requantize(np.array([x], np.int64), multiplier)[0])
    return min(INT8_MAX, max(INT8_MIN, rounding_shift_right(logistic_q4(q4), 23) + INT8_MIN))
