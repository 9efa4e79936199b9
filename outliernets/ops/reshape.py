"""RESHAPE: the same values in another shape."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from outliernets.graph import Array, Op, Shape, Site


@dataclass(frozen=True)
class Reshape(Op):
    """Copies the values; the order in memory does not change."""

    tflite = ("RESHAPE",)

    @classmethod
    def from_tflite(cls, options: Mapping[str, Any], site: Site) -> tuple[Op, Site]:
        """See Op. The target shape is the output tensor's."""
        return cls(), Site(site.inputs[:1], site.output)

    def infer(self, site: Site) -> Shape:
        """See Op."""
        return site.output.shape

    def run(self, site: Site, *arrays: Array) -> Array:
        """See Op."""
        return arrays[0].reshape(site.output.shape)

    def context(self, site: Site) -> dict[str, Any]:
        """See Op."""
        return {"size": site.x.size}

    def limit_size(self, site: Site) -> str | None:
        """Input and output have the same number of values and the same quantisation."""
        x, y = site.x, site.output
        return f"{x.size} and {y.size} values" if x.size != y.size else site.requantises()
