"""FULLY_CONNECTED: a matrix [out, in] times the flattened input."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from outliernets.fixed import Multiplier, quantize_multiplier
from outliernets.graph import Array, Op, Shape, Site
from outliernets.ops._bytes import Dense
from outliernets.ops._spatial import activation_of, activation_range
from outliernets.ops._weighted import WeightedOp


@dataclass(frozen=True)
class FullyConnected(WeightedOp):
    """A dense layer, bias and activation fused."""

    tflite = ("FULLY_CONNECTED",)
    summed_axes = (1,)
    activation: str = "NONE"
    keep_dims: bool = False
    weights_format: int = 0

    @classmethod
    def from_tflite(cls, options: Mapping[str, Any], site: Site) -> tuple[Op, Site]:
        """See Op."""
        keep, form = bool(options["keepNumDims"]), int(options["weightsFormat"])
        return cls(activation_of(options), keep, form), site

    def infer(self, site: Site) -> Shape:
        """See Op."""
        units, length = site.inputs[1].shape
        rows = site.x.size // length
        return (*site.x.shape[:-1], units) if self.keep_dims else (rows, units)

    def multipliers(self, site: Site) -> list[Multiplier]:
        """One multiplier per channel; a single weight scale is multiplied in float32 (TFLM)."""
        x, w, y = site.x, site.inputs[1], site.output
        if len(w.scales) == 1:
            product = float(np.float32(x.scale) * np.float32(w.scale))
            return [quantize_multiplier(product / y.scale)] * self.channels(site)
        return super().multipliers(site)

    def run(self, site: Site, *arrays: Array) -> Array:
        """See Op. Sums are formed in float64, which is exact below 2**53."""
        weights = arrays[1].astype(np.float64)
        x = arrays[0].reshape(-1, weights.shape[1]).astype(np.float64) - site.x.zero_point
        return self.finish(site, (x @ weights.T).astype(np.int64))

    def macs(self, site: Site) -> int:
        """See Op."""
        units, length = site.inputs[1].shape
        return units * length * (site.x.size // length)

    def context(self, site: Site) -> dict[str, Any]:
        """See Op."""
        units, length = site.inputs[1].shape
        dense = self._dense(site)
        packed = dense.is_packable
        if packed:
            finish = {"low": dense.low, "high": dense.high, "zy": dense.zy, **dense.context()}
        else:
            weights = site.inputs[1].values.ravel().tolist()
            finish = {**self.finish_context(site), "weights": weights}
        rows = site.x.size // length
        return {"packed": packed, "rows": rows, "length": length, "units": units, **finish}

    def scratch_bytes(self, site: Site) -> int:
        """See Op: the inputs as pairs of 16 bits."""
        dense = self._dense(site)
        blocks, words = dense.blocks
        return 8 * blocks * words if dense.is_packable else 0

    def _dense(self, site: Site) -> Dense:
        return Dense(
            site.inputs[1].values.astype(np.int64),
            self.bias(site),
            self.multipliers(site),
            site.x.zero_point,
            site.output.zero_point,
            *activation_range(self.activation, site.output),
        )

    def title(self) -> str:
        """See Op."""
        return self.activation

    def limit_length(self, site: Site) -> str | None:
        """The input is a whole number of rows as long as the weights."""
        length = site.inputs[1].shape[1]
        return f"{site.x.size} values, rows of {length}" if site.x.size % length else None

    def limit_format(self, site: Site) -> str | None:
        """Weights are stored in the default order."""
        return None if self.weights_format == 0 else f"weights format {self.weights_format}"
