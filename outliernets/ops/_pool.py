"""What max and average pooling share."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from outliernets.graph import Op, Shape, Site
from outliernets.ops._spatial import (
    Pair,
    Window,
    activation_of,
    activation_range,
    padding_of,
    plane,
    strides_of,
)


@dataclass(frozen=True)
class Pool(Op):
    """A window that slides over every channel on its own; padding is left out of the result."""

    kernel: Pair
    stride: Pair
    padding: str
    activation: str = "NONE"

    @classmethod
    def from_tflite(cls, options: Mapping[str, Any], site: Site) -> tuple[Op, Site]:
        """See Op."""
        kernel = options["filterHeight"], options["filterWidth"]
        return cls(kernel, strides_of(options), padding_of(options), activation_of(options)), site

    def window(self, site: Site) -> Window:
        """How the kernel slides."""
        return Window.make(self.padding, plane(site.x), self.kernel, self.stride)

    def infer(self, site: Site) -> Shape:
        """See Op."""
        return (1, *self.window(site).outputs, site.x.shape[3])

    def context(self, site: Site) -> dict[str, Any]:
        """See Op."""
        window = self.window(site)
        low, high = activation_range(self.activation, site.output)
        return {
            **window.context(),
            "c": site.x.shape[3],
            "low": low,
            "high": high,
        }

    def title(self) -> str:
        """See Op."""
        (kh, kw), (sh, sw) = self.kernel, self.stride
        return f"{kh}x{kw}, stride {sh}x{sw}, {self.padding}, {self.activation}"

    def limit_same_scale(self, site: Site) -> str | None:
        """Input and output have the same quantisation."""
        return site.requantises()
