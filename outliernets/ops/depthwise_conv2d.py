"""DEPTHWISE_CONV_2D: one filter per channel, weights [1, kernel_h, kernel_w, out]."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from outliernets.graph import Array, Op, Shape, Site
from outliernets.ops._spatial import (
    Pair,
    Window,
    activation_of,
    padding_of,
    plane,
    strides_of,
)
from outliernets.ops._weighted import WeightedOp


@dataclass(frozen=True)
class DepthwiseConv2D(WeightedOp):
    """Depthwise 2-D convolution, bias and activation fused, any depth multiplier."""

    tflite = ("DEPTHWISE_CONV_2D",)
    summed_axes = (0, 1, 2)
    stride: Pair
    padding: str
    activation: str = "NONE"
    dilation: Pair = (1, 1)

    @classmethod
    def from_tflite(cls, options: Mapping[str, Any], site: Site) -> tuple[Op, Site]:
        """See Op."""
        dilation = options["dilationHFactor"], options["dilationWFactor"]
        return cls(strides_of(options), padding_of(options), activation_of(options), dilation), site

    def window(self, site: Site) -> Window:
        """How the kernel slides."""
        return Window.make(self.padding, plane(site.x), plane(site.inputs[1]), self.stride)

    def infer(self, site: Site) -> Shape:
        """See Op."""
        return (1, *self.window(site).outputs, site.inputs[1].shape[3])

    def run(self, site: Site, *arrays: Array) -> Array:
        """See Op. Output channel ``c`` reads input channel ``c // multiplier``."""
        x, weights = arrays[0][0].astype(np.int64), arrays[1][0].astype(np.int64)
        repeated = np.repeat(x, weights.shape[2] // x.shape[2], axis=2)
        patches = self.window(site).patches(repeated, site.x.zero_point) - site.x.zero_point
        return self.finish(site, np.einsum("yxcij,ijc->yxc", patches, weights))

    def macs(self, site: Site) -> int:
        """See Op; padding is counted as the literature does."""
        oh, ow = self.window(site).outputs
        return oh * ow * site.inputs[1].size

    def context(self, site: Site) -> dict[str, Any]:
        """See Op."""
        window = self.window(site)
        ic, oc = site.x.shape[3], site.output.shape[3]
        return {
            **window.context(),
            **self.finish_context(site, window.padded),
            "ic": ic,
            "oc": oc,
            "depth_multiplier": oc // ic,
            "weights": site.inputs[1].values.ravel().tolist(),
        }

    def title(self) -> str:
        """See Op."""
        return f"stride {self.stride[0]}x{self.stride[1]}, {self.padding}, {self.activation}"

    def limit_dilation(self, site: Site) -> str | None:
        """The dilation is 1."""
        return None if self.dilation == (1, 1) else f"dilation {self.dilation}"
