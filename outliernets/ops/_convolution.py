"""What the two convolutions share: how the kernel slides, options, limits."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from outliernets.graph import Array, Op, Shape, Site
from outliernets.ops._spatial import (
    Pair,
    Window,
    activation_of,
    padding_of,
    plane,
    strides_of,
)
from outliernets.ops._weighted import WeightedOp


@dataclass(frozen=True)
class Convolution(WeightedOp):
    """A kernel [., kernel_h, kernel_w, .] that slides over an NHWC input."""

    stride: Pair
    padding: str
    activation: str = "NONE"
    dilation: Pair = (1, 1)
    #: how often rows and columns of the input are repeated before the kernel slides over them
    repeat: Pair = (1, 1)

    @classmethod
    def from_tflite(cls, options: Mapping[str, Any], site: Site) -> tuple[Op, Site]:
        """See Op."""
        dilation = options["dilationHFactor"], options["dilationWFactor"]
        return cls(strides_of(options), padding_of(options), activation_of(options), dilation), site

    def window(self, site: Site) -> Window:
        """How the kernel slides."""
        height, width = plane(site.x)
        repeated = height * self.repeat[0], width * self.repeat[1]
        return Window.make(self.padding, repeated, plane(site.inputs[1]), self.stride)

    def repeated(self, x: Array) -> Array:
        """Return the map [h, w, c] that the kernel slides over."""
        return x.repeat(self.repeat[0], axis=0).repeat(self.repeat[1], axis=1)

    def output_channels(self, site: Site) -> int:
        """Output channels, as the weights say."""
        raise NotImplementedError

    def infer(self, site: Site) -> Shape:
        """See Op."""
        return (1, *self.window(site).outputs, self.output_channels(site))

    def macs(self, site: Site) -> int:
        """See Op; padding is counted as the literature does."""
        oh, ow = self.window(site).outputs
        return oh * ow * site.inputs[1].size

    def context(self, site: Site) -> dict[str, Any]:
        """See Op."""
        window = self.window(site)
        return {
            **window.context(),
            **self.finish_context(site, window.padded),
            "ic": site.x.shape[3],
            "oc": site.output.shape[3],
            "weights": site.inputs[1].values.ravel().tolist(),
        }

    def title(self) -> str:
        """See Op."""
        repeat = (
            "" if self.repeat == (1, 1) else f"of {self.repeat[0]}x{self.repeat[1]} pixels each, "
        )
        stride = f"stride {self.stride[0]}x{self.stride[1]}"
        return f"{repeat}{stride}, {self.padding}, {self.activation}"

    def limit_dilation(self, site: Site) -> str | None:
        """The dilation is 1."""
        return None if self.dilation == (1, 1) else f"dilation {self.dilation}"
