"""RESIZE_NEAREST_NEIGHBOR: repeat every pixel a whole number of times (a "replicator")."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from outliernets.graph import Array, Op, Shape, Site
from outliernets.ops._spatial import Pair, plane


@dataclass(frozen=True)
class ResizeNearest(Op):
    """Nearest-neighbour upsampling to ``size`` (h, w)."""

    tflite = ("RESIZE_NEAREST_NEIGHBOR",)
    size: Pair
    align_corners: bool = False

    @classmethod
    def from_tflite(cls, options: Mapping[str, Any], site: Site) -> tuple[Op, Site]:
        """See Op. With whole factors, half-pixel centres give the same pixels as none."""
        height, width = (int(n) for n in site.inputs[1].values)
        op = cls((height, width), bool(options["alignCorners"]))
        return op, Site(site.inputs[:1], site.output)

    def infer(self, site: Site) -> Shape:
        """See Op."""
        return (1, *self.size, site.x.shape[3])

    def factors(self, site: Site) -> Pair:
        """How often each row and column is repeated."""
        height, width = plane(site.x)
        return self.size[0] // height, self.size[1] // width

    def run(self, site: Site, *arrays: Array) -> Array:
        """See Op."""
        fy, fx = self.factors(site)
        return arrays[0].repeat(fy, axis=1).repeat(fx, axis=2)

    def context(self, site: Site) -> dict[str, Any]:
        """See Op."""
        fy, fx = self.factors(site)
        height, width = plane(site.x)
        return {"ih": height, "iw": width, "c": site.x.shape[3], "fy": fy, "fx": fx}

    def title(self) -> str:
        """See Op."""
        return f"to {self.size[0]}x{self.size[1]}"

    def limit_factor(self, site: Site) -> str | None:
        """Height and width grow by whole factors (any)."""
        height, width = plane(site.x)
        if self.size[0] % height or self.size[1] % width:
            return f"{height}x{width} to {self.size[0]}x{self.size[1]}"
        return None

    def limit_corners(self, site: Site) -> str | None:
        """Corners are not aligned (align_corners is false), unless the size stays the same."""
        if not self.align_corners or plane(site.x) == self.size:
            return None
        return "align_corners is true"
