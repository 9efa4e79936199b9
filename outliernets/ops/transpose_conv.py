"""TRANSPOSE_CONV: upsampling convolution, weights [out, kernel_h, kernel_w, in]."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from outliernets.graph import Array, Op, Shape, Site
from outliernets.ops._spatial import (
    Pair,
    activation_of,
    output_length,
    pad_before,
    padding_of,
    plane,
    strides_of,
)
from outliernets.ops._weighted import WeightedOp


@dataclass(frozen=True)
class TransposeConv(WeightedOp):
    """Every input pixel adds a scaled kernel to the output; bias and activation fused."""

    tflite = ("TRANSPOSE_CONV",)
    size: Pair
    stride: Pair
    padding: str
    activation: str = "NONE"

    @classmethod
    def from_tflite(cls, options: Mapping[str, Any], site: Site) -> tuple[Op, Site]:
        """See Op. TFLite's inputs are (output shape, weights, x, bias)."""
        shape, weights, x, *bias = site.inputs
        _, height, width, _ = (int(n) for n in shape.values)
        activation = activation_of(options) if "fusedActivationFunction" in options else "NONE"
        op = cls((height, width), strides_of(options), padding_of(options), activation)
        return op, Site((x, weights, *bias), site.output)

    def before(self, site: Site) -> Pair:
        """Rows and columns of the full result that are cut off at the top and the left."""
        top, left = (
            pad_before(n, k, s, output_length(self.padding, n, k, s))
            for n, k, s in zip(self.size, plane(site.inputs[1]), self.stride, strict=True)
        )
        return top, left

    def infer(self, site: Site) -> Shape:
        """See Op."""
        return (1, *self.size, site.inputs[1].shape[0])

    def run(self, site: Site, *arrays: Array) -> Array:
        """See Op. Sums are formed in float64, which is exact below 2**53."""
        x = arrays[0][0].astype(np.float64) - site.x.zero_point
        weights = arrays[1].astype(np.float64)
        oc, kh, kw, _ = weights.shape
        (sh, sw), (top, left), (oh, ow) = self.stride, self.before(site), self.size
        ih, iw, _ = x.shape
        full = np.zeros((max((ih - 1) * sh + kh, top + oh), max((iw - 1) * sw + kw, left + ow), oc))
        for ky in range(kh):
            for kx in range(kw):
                part = x @ weights[:, ky, kx, :].T
                full[ky : ky + ih * sh : sh, kx : kx + iw * sw : sw][:ih, :iw] += part
        return self.finish(site, full[top : top + oh, left : left + ow].astype(np.int64))

    def macs(self, site: Site) -> int:
        """See Op."""
        height, width = plane(site.x)
        return height * width * site.inputs[1].size

    def context(self, site: Site) -> dict[str, Any]:
        """See Op."""
        (top, left), (kh, kw) = self.before(site), plane(site.inputs[1])
        (ih, iw), (oh, ow), (sh, sw) = plane(site.x), self.size, self.stride
        return {
            "kh": kh, "kw": kw, "sh": sh, "sw": sw, "top": top, "left": left,
            "ih": ih, "iw": iw, "oh": oh, "ow": ow,
            "ic": site.x.shape[3], "oc": site.output.shape[3],
            "weights": site.inputs[1].values.ravel().tolist(),
            **self.finish_context(site, padded=True),
        }  # fmt: skip

    def title(self) -> str:
        """See Op."""
        return f"stride {self.stride[0]}x{self.stride[1]}, {self.padding}, {self.activation}"
