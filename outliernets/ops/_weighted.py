"""What the ops with weights and a bias share."""

from typing import Any

import numpy as np

from outliernets.fixed import Multiplier, clamp_int8, requantize
from outliernets.graph import Array, Op, Site, Tensor
from outliernets.ops._spatial import (
    activation_range,
    channel_multipliers,
    multiplier_context,
    weight_limit,
)


class WeightedOp(Op):
    """An op ``y = activation(scale * (weights (*) x + bias))``, one scale per channel."""

    roles = ("x", "weights", "bias?")
    activation: str

    def channels(self, site: Site) -> int:
        """Number of output channels."""
        return site.output.shape[-1]

    def bias(self, site: Site) -> Array:
        """The bias [channels], zeros where the model has none."""
        if len(site.inputs) > 2:
            return site.inputs[2].values.astype(np.int64)
        return np.zeros(self.channels(site), np.int64)

    def multipliers(self, site: Site) -> list[Multiplier]:
        """The requantisation multiplier of every output channel."""
        return channel_multipliers(site.x, site.inputs[1], site.output, self.channels(site))

    def finish(self, site: Site, acc: Array) -> Array:
        """Add the bias to int64 sums [..., channels], requantise, clamp, reshape to the output."""
        scaled = requantize(acc + self.bias(site), self.multipliers(site)) + site.output.zero_point
        low, high = activation_range(self.activation, site.output)
        return clamp_int8(scaled, low, high).reshape(site.output.shape)

    def finish_context(self, site: Site) -> dict[str, Any]:
        """What templates need to do the same."""
        low, high = activation_range(self.activation, site.output)
        return {
            "bias": [int(b) for b in self.bias(site)],
            "low": low,
            "high": high,
            "zx": site.x.zero_point,
            "zy": site.output.zero_point,
            **multiplier_context(self.multipliers(site)),
        }

    def limit_weights(self, site: Site) -> str | None:
        """Weights are int8 constants with zero point 0."""
        return weight_limit(site.inputs[1])

    def limit_bias(self, site: Site) -> str | None:
        """The bias is an int32 constant."""
        if len(site.inputs) < 3:
            return None
        bias: Tensor = site.inputs[2]
        return None if bias.is_constant and bias.dtype == "int32" else f"'{bias.name}'"

    def limit_scales(self, site: Site) -> str | None:
        """Weights have one scale, or one for each output channel."""
        count = len(site.inputs[1].scales)
        return None if count in (1, self.channels(site)) else f"{count} scales"
