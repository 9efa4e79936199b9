"""QUANTIZE inside a network: int8 values of one scale become int8 values of another.

QUANTIZE and DEQUANTIZE at the edges (float to int8 and back) are dropped by the importer: the
compiled network's border is int8.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from outliernets.fixed import Multiplier, clamp_int8, quantize_multiplier, requantize
from outliernets.graph import Array, Op, Shape, Site


@dataclass(frozen=True)
class Quantize(Op):
    """Requantisation of each element."""

    tflite = ("QUANTIZE",)

    @classmethod
    def from_tflite(cls, options: Mapping[str, Any], site: Site) -> tuple[Op, Site]:
        """See Op."""
        return cls(), site

    def infer(self, site: Site) -> Shape:
        """See Op."""
        return site.x.shape

    def multiplier(self, site: Site) -> Multiplier:
        """The ratio of the scales."""
        return quantize_multiplier(site.x.scale / site.output.scale)

    def run(self, site: Site, *arrays: Array) -> Array:
        """See Op."""
        centred = arrays[0].astype(np.int64) - site.x.zero_point
        return clamp_int8(requantize(centred, self.multiplier(site)) + site.output.zero_point)

    def context(self, site: Site) -> dict[str, Any]:
        """See Op."""
        multiplier = self.multiplier(site)
        return {
            "size": site.x.size,
            "zx": site.x.zero_point,
            "zy": site.output.zero_point,
            "multiplier": multiplier.value,
            "shift": multiplier.shift,
        }
