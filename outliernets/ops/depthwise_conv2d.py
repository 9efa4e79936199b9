"""DEPTHWISE_CONV_2D: one filter per channel, weights [1, kernel_h, kernel_w, out]."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from outliernets.graph import Array, Site
from outliernets.ops._convolution import Convolution


@dataclass(frozen=True)
class DepthwiseConv2D(Convolution):
    """Depthwise 2-D convolution, bias and activation fused, any depth multiplier."""

    tflite = ("DEPTHWISE_CONV_2D",)
    summed_axes = (0, 1, 2)

    def output_channels(self, site: Site) -> int:
        """See Convolution."""
        return site.inputs[1].shape[3]

    def multiplier(self, site: Site) -> int:
        """Output channel ``c`` reads input channel ``c // multiplier``."""
        return site.inputs[1].shape[3] // site.x.shape[3]

    def run(self, site: Site, *arrays: Array) -> Array:
        """See Op."""
        x = self.repeated(arrays[0][0]).astype(np.int64)
        weights = arrays[1][0].astype(np.int64)
        repeated = np.repeat(x, self.multiplier(site), axis=2)
        patches = self.window(site).patches(repeated, site.x.zero_point) - site.x.zero_point
        return self.finish(site, np.einsum("yxcij,ijc->yxc", patches, weights))

    def context(self, site: Site) -> dict[str, Any]:
        """See Op."""
        return {**super().context(site), "depth_multiplier": self.multiplier(site)}

    def limit_channels(self, site: Site) -> str | None:
        """Output channels are a multiple of input channels."""
        inputs, outputs = site.x.shape[3], site.inputs[1].shape[3]
        return f"{inputs} and {outputs} channels" if outputs % inputs else None
