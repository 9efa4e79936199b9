"""AVERAGE_POOL_2D: the mean of each window, rounded to nearest, halves away from zero."""

from dataclasses import dataclass

import numpy as np

from outliernets.fixed import clamp_int8
from outliernets.graph import Array, Site
from outliernets.ops._pool import Pool
from outliernets.ops._spatial import activation_range


@dataclass(frozen=True)
class AveragePool2D(Pool):
    """Average pooling; positions outside the input do not count."""

    tflite = ("AVERAGE_POOL_2D",)

    def run(self, site: Site, *arrays: Array) -> Array:
        """See Op."""
        window = self.window(site)
        x = arrays[0][0].astype(np.int64)
        total = window.patches(x, 0).sum(axis=(3, 4))
        count = window.patches(np.ones_like(x), 0).sum(axis=(3, 4))
        mean = np.sign(total) * ((np.abs(total) + count // 2) // count)
        return clamp_int8(mean, *activation_range(self.activation, site.output))[None]
