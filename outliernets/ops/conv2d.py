"""CONV_2D: dense convolution with per-channel weights [out, kernel_h, kernel_w, in]."""

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
class Conv2D(WeightedOp):
    """2-D convolution, bias and activation fused."""

    tflite = ("CONV_2D",)
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
        return (1, *self.window(site).outputs, site.inputs[1].shape[0])

    def run(self, site: Site, *arrays: Array) -> Array:
        """See Op. Sums are formed in float64, which is exact below 2**53."""
        x, weights = arrays[0][0], arrays[1]
        patches = self.window(site).patches(x, site.x.zero_point) - float(site.x.zero_point)
        kernel = weights.transpose(3, 1, 2, 0).astype(np.float64)
        return self.finish(site, np.tensordot(patches, kernel, axes=3).astype(np.int64))

    def macs(self, site: Site) -> int:
        """See Op; padding is counted as the literature does."""
        oh, ow = self.window(site).outputs
        return oh * ow * site.inputs[1].size

    def context(self, site: Site) -> dict[str, Any]:
        """See Op."""
        window = self.window(site)
        return {
            **window.context(),
            **self.finish_context(site, window.padded),
            "ic": site.x.shape[3],
            "oc": site.output.shape[3],
            "weights": site.inputs[1].values.ravel().tolist(),
        }

    def title(self) -> str:
        """See Op."""
        return f"stride {self.stride[0]}x{self.stride[1]}, {self.padding}, {self.activation}"

    def limit_dilation(self, site: Site) -> str | None:
        """The dilation is 1."""
        return None if self.dilation == (1, 1) else f"dilation {self.dilation}"

    def limit_groups(self, site: Site) -> str | None:
        """The convolution is not grouped."""
        inputs, expected = site.x.shape[3], site.inputs[1].shape[3]
        return None if inputs == expected else f"{inputs} channels, kernels of {expected}"
