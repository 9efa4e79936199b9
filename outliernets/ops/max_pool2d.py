"""MAX_POOL_2D: the largest value of each window."""

from dataclasses import dataclass

import numpy as np

from outliernets.fixed import INT8_MIN
from outliernets.graph import Array, Site
from outliernets.ops._pool import Pool
from outliernets.ops._spatial import activation_range


@dataclass(frozen=True)
class MaxPool2D(Pool):
    """Max pooling."""

    tflite = ("MAX_POOL_2D",)

    def run(self, site: Site, *arrays: Array) -> Array:
        """See Op."""
        largest = self.window(site).patches(arrays[0][0], INT8_MIN).max(axis=(3, 4))
        low, high = activation_range(self.activation, site.output)
        result: Array = np.clip(largest, low, high)[None]
        return result
