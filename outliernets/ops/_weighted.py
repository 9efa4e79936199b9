"""What the ops with weights and a bias share."""

from typing import Any, ClassVar

import numpy as np

from outliernets.fixed import Multiplier, clamp_int8, requantize, wrap_int32
from outliernets.graph import Array, Op, Site, Tensor
from outliernets.ops._spatial import (
    activation_range,
    channel_multipliers,
    multiplier_context,
    weight_limit,
)


class WeightedOp(Op):
    """An op ``y = activation(scale * (weights (*) x + bias))``, one scale per channel."""

    activation: str
    #: axes of the weights that a sum runs over: all but the output channels
    summed_axes: ClassVar[tuple[int, ...]] = (1, 2, 3)

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

    def finish_context(self, site: Site, padded: bool = False) -> dict[str, Any]:
        """What templates need to do the same.

        A sum with all weights in it may have the input's zero point in its bias: ``bias_inside``,
        which is also the ``bias`` where nothing is padded (``zx`` is 0 then). Positions outside
        the input count as zero, so sums at the border need ``zx``.
        """
        low, high = activation_range(self.activation, site.output)
        inside = self._bias_inside(site)
        return {
            "padded": padded,
            "bias": [int(b) for b in self.bias(site)] if padded else inside,
            "bias_inside": inside,
            "low": low,
            "high": high,
            "zx": site.x.zero_point if padded else 0,
            "zy": site.output.zero_point,
            **multiplier_context(self.multipliers(site)),
        }

    def _bias_inside(self, site: Site) -> list[int]:
        sums = site.inputs[1].values.astype(np.int64).sum(axis=self.summed_axes)
        return [int(b) for b in wrap_int32(self.bias(site) - site.x.zero_point * sums)]

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
