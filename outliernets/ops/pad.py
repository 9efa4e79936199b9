"""PAD: put zeros (the zero point) around the values."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from outliernets.graph import Array, Op, Shape, Site
from outliernets.ops._spatial import Pair


@dataclass(frozen=True)
class Pad(Op):
    """Zero padding; ``amounts`` has (before, after) for each dimension."""

    tflite = ("PAD", "PADV2")
    amounts: tuple[Pair, ...]
    value: int | None = None

    @classmethod
    def from_tflite(cls, options: Mapping[str, Any], site: Site) -> tuple[Op, Site]:
        """See Op. PADV2 has the padding value as a third input, quantised like the output."""
        amounts = tuple((int(a), int(b)) for a, b in site.inputs[1].values)
        value = int(site.inputs[2].values.ravel()[0]) if len(site.inputs) > 2 else None
        return cls(amounts, value), Site(site.inputs[:1], site.output)

    def fill(self, site: Site) -> int:
        """The int8 value that is put around."""
        return site.output.zero_point if self.value is None else self.value

    def infer(self, site: Site) -> Shape:
        """See Op."""
        return tuple(n + a + b for n, (a, b) in zip(site.x.shape, self.amounts, strict=True))

    def run(self, site: Site, *arrays: Array) -> Array:
        """See Op."""
        return np.pad(arrays[0], self.amounts, constant_values=self.fill(site))

    def context(self, site: Site) -> dict[str, Any]:
        """See Op."""
        _, ih, iw, c = site.x.shape
        _, oh, ow, _ = site.output.shape
        return {
            "ih": ih, "iw": iw, "c": c, "oh": oh, "ow": ow,
            "top": self.amounts[1][0], "left": self.amounts[2][0],
            "fill": self.fill(site), "size": site.output.size,
        }  # fmt: skip

    def title(self) -> str:
        """See Op."""
        return " ".join(f"{a}+{b}" for a, b in self.amounts[1:3])

    def limit_axes(self, site: Site) -> str | None:
        """The tensor is NHWC and only height and width are padded."""
        if len(self.amounts) != 4:
            return f"{len(self.amounts)} dimensions"
        other = self.amounts[0] + self.amounts[3]
        return f"batch or channels padded by {other}" if any(other) else None

    def limit_same_scale(self, site: Site) -> str | None:
        """Input and output have the same quantisation."""
        return site.requantises()
