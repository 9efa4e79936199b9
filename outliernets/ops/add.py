"""ADD: the sum of two tensors of the same shape (residual connections)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from outliernets.fixed import Multiplier, clamp_int8, quantize_multiplier, requantize
from outliernets.graph import Array, Op, Shape, Site
from outliernets.ops._spatial import activation_of, activation_range

LEFT_SHIFT = 20


@dataclass(frozen=True)
class Add(Op):
    """Element-wise sum, activation fused."""

    tflite = ("ADD",)
    activation: str = "NONE"

    @classmethod
    def from_tflite(cls, options: Mapping[str, Any], site: Site) -> tuple[Op, Site]:
        """See Op."""
        return cls(activation_of(options)), site

    def infer(self, site: Site) -> Shape:
        """See Op."""
        return site.x.shape

    def multipliers(self, site: Site) -> tuple[Multiplier, Multiplier, Multiplier]:
        """Bring both inputs to twice the larger scale, and the sum to the output's."""
        (a, b), y = site.inputs, site.output
        twice = 2 * max(a.scale, b.scale)
        return (
            quantize_multiplier(a.scale / twice),
            quantize_multiplier(b.scale / twice),
            quantize_multiplier(twice / ((1 << LEFT_SHIFT) * y.scale)),
        )

    def run(self, site: Site, *arrays: Array) -> Array:
        """See Op."""
        ma, mb, my = self.multipliers(site)
        a, b = (
            (v.astype(np.int64) - t.zero_point) << LEFT_SHIFT
            for v, t in zip(arrays, site.inputs, strict=True)
        )
        total = requantize(requantize(a, ma) + requantize(b, mb), my)
        return clamp_int8(
            total + site.output.zero_point, *activation_range(self.activation, site.output)
        )

    def context(self, site: Site) -> dict[str, Any]:
        """See Op."""
        ma, mb, my = self.multipliers(site)
        low, high = activation_range(self.activation, site.output)
        return {
            "size": site.output.size, "low": low, "high": high,
            "left_shift": 1 << LEFT_SHIFT,
            "za": site.inputs[0].zero_point, "zb": site.inputs[1].zero_point,
            "zy": site.output.zero_point, "ma": ma, "mb": mb, "my": my,
        }  # fmt: skip

    def title(self) -> str:
        """See Op."""
        return self.activation

    def limit_shapes(self, site: Site) -> str | None:
        """Both inputs are computed, int8, and have the same shape."""
        a, b = site.inputs
        if a.is_constant or b.is_constant or b.dtype != "int8":
            return f"'{a.name}' + '{b.name}'"
        return None if a.shape == b.shape else f"shapes {a.shape} and {b.shape}"

    def limit_ratio(self, site: Site) -> str | None:
        """The output's scale is not below the larger input scale / 2**19."""
        return None if self.multipliers(site)[2].shift <= 0 else "the output scale is too small"
