"""CONV_2D: dense convolution with weights [out, kernel_h, kernel_w, in]."""

from dataclasses import dataclass

import numpy as np

from outliernets.graph import Array, Site
from outliernets.ops._convolution import Convolution


@dataclass(frozen=True)
class Conv2D(Convolution):
    """2-D convolution, bias and activation fused."""

    tflite = ("CONV_2D",)

    def output_channels(self, site: Site) -> int:
        """See Convolution."""
        return site.inputs[1].shape[0]

    def run(self, site: Site, *arrays: Array) -> Array:
        """See Op. Sums are formed in float64, which is exact below 2**53."""
        x, weights = self.repeated(arrays[0][0]), arrays[1]
        patches = self.window(site).patches(x, site.x.zero_point) - float(site.x.zero_point)
        kernel = weights.transpose(3, 1, 2, 0).astype(np.float64)
        return self.finish(site, np.tensordot(patches, kernel, axes=3).astype(np.int64))

    def limit_groups(self, site: Site) -> str | None:
        """The convolution is not grouped."""
        inputs, expected = site.x.shape[3], site.inputs[1].shape[3]
        return None if inputs == expected else f"{inputs} channels, kernels of {expected}"
