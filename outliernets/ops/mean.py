"""MEAN over height and width (global average pooling) of an NHWC tensor."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from outliernets.fixed import Multiplier, clamp_int8, quantize_multiplier, requantize
from outliernets.graph import Array, Op, Shape, Site


@dataclass(frozen=True)
class Mean(Op):
    """The mean over all pixels, for each channel."""

    tflite = ("MEAN",)
    axes: tuple[int, ...]
    keep_dims: bool = False

    @classmethod
    def from_tflite(cls, options: Mapping[str, Any], site: Site) -> tuple[Op, Site]:
        """See Op."""
        rank = len(site.x.shape)
        axes = sorted({int(a) % rank for a in site.inputs[1].values.ravel()})
        return cls(tuple(axes), bool(options["keepDims"])), Site(site.inputs[:1], site.output)

    def infer(self, site: Site) -> Shape:
        """See Op."""
        channels = site.x.shape[3]
        return (1, 1, 1, channels) if self.keep_dims else (1, channels)

    def multiplier(self, site: Site) -> Multiplier:
        """The ratio of scales divided by the number of pixels (QuantizedMeanOrSum)."""
        count = site.x.shape[1] * site.x.shape[2]
        ratio = quantize_multiplier(site.x.scale / site.output.scale)
        shift = min(count.bit_length() - 1, 32, 31 + ratio.shift)
        return Multiplier((ratio.value << shift) // count, ratio.shift - shift)

    def run(self, site: Site, *arrays: Array) -> Array:
        """See Op."""
        total = (arrays[0].astype(np.int64) - site.x.zero_point).sum(axis=(1, 2))
        scaled = requantize(total, self.multiplier(site)) + site.output.zero_point
        return clamp_int8(scaled).reshape(site.output.shape)

    def context(self, site: Site) -> dict[str, Any]:
        """See Op."""
        multiplier = self.multiplier(site)
        return {
            "pixels": site.x.shape[1] * site.x.shape[2],
            "c": site.x.shape[3],
            "zx": site.x.zero_point,
            "zy": site.output.zero_point,
            "multiplier": multiplier.value,
            "shift": multiplier.shift,
        }

    def limit_axes(self, site: Site) -> str | None:
        """The mean is over height and width of an NHWC tensor."""
        if len(site.x.shape) == 4 and self.axes == (1, 2):
            return None
        return f"axes {self.axes} of shape {site.x.shape}"
