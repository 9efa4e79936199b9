"""What the ops with a sliding window share: padding, fused activations, gathering of patches.

Source of the rules: ``tensorflow/lite/kernels/padding.h`` and ``kernel_util.cc``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from outliernets.errors import UnsupportedModelError
from outliernets.fixed import INT8_MAX, INT8_MIN, Multiplier, quantize_multiplier, round_half_away
from outliernets.graph import Array, Tensor

Pair = tuple[int, int]
PADDINGS = ("SAME", "VALID")
ACTIVATIONS = ("NONE", "RELU", "RELU_N1_TO_1", "RELU6")


def padding_of(options: Mapping[str, Any]) -> str:
    """Return ``SAME`` or ``VALID``."""
    return PADDINGS[options["padding"]]


def activation_of(options: Mapping[str, Any]) -> str:
    """Return the fused activation's name; raise for the ones that cannot be fused."""
    code = options["fusedActivationFunction"]
    if code >= len(ACTIVATIONS):
        raise UnsupportedModelError(
            f"The fused activation is one of {', '.join(ACTIVATIONS)}. Here: number {code}."
        )
    return ACTIVATIONS[code]


def strides_of(options: Mapping[str, Any]) -> Pair:
    """Return (vertical, horizontal) stride."""
    return options["strideH"], options["strideW"]


def output_length(padding: str, length: int, kernel: int, stride: int) -> int:
    """Return how many positions a window has along one axis."""
    if padding == "SAME":
        return -(-length // stride)
    return -(-(length - kernel + 1) // stride)


def pad_before(length: int, kernel: int, stride: int, positions: int) -> int:
    """Return the padding before the first element (TFLite puts the odd one after the last)."""
    return max(0, (positions - 1) * stride + kernel - length) // 2


@dataclass(frozen=True)
class Window:
    """How a kernel of ``kernel`` (h, w) slides over an input: everything a loop nest needs."""

    kernel: Pair
    stride: Pair
    before: Pair
    inputs: Pair
    outputs: Pair

    @classmethod
    def make(cls, padding: str, inputs: Pair, kernel: Pair, stride: Pair) -> "Window":
        """Work out positions and padding for both axes."""
        outputs = tuple(
            output_length(padding, n, k, s) for n, k, s in zip(inputs, kernel, stride, strict=True)
        )
        before = tuple(
            pad_before(n, k, s, m)
            for n, k, s, m in zip(inputs, kernel, stride, outputs, strict=True)
        )
        return cls(kernel, stride, (before[0], before[1]), inputs, (outputs[0], outputs[1]))

    def patches(self, x: Array, fill: int) -> Array:
        """Return all windows of ``x`` [h, w, c] as [out_h, out_w, c, kernel_h, kernel_w]."""
        (kh, kw), (sh, sw), (top, left) = self.kernel, self.stride, self.before
        (ih, iw), (oh, ow) = self.inputs, self.outputs
        bottom = max(0, (oh - 1) * sh + kh - ih - top)
        right = max(0, (ow - 1) * sw + kw - iw - left)
        padded = np.pad(x, ((top, bottom), (left, right), (0, 0)), constant_values=fill)
        views = np.lib.stride_tricks.sliding_window_view(padded, (kh, kw), axis=(0, 1))
        return views[::sh, ::sw][:oh, :ow]

    @property
    def padded(self) -> bool:
        """Whether any window reaches outside the input."""
        return any(
            b or (m - 1) * s + k - b > n
            for b, m, s, k, n in zip(
                self.before, self.outputs, self.stride, self.kernel, self.inputs, strict=True
            )
        )

    def context(self) -> dict[str, int]:
        """The numbers, by the names the templates use."""
        (kh, kw), (sh, sw), (top, left) = self.kernel, self.stride, self.before
        (ih, iw), (oh, ow) = self.inputs, self.outputs
        return {
            "kh": kh, "kw": kw, "sh": sh, "sw": sw, "top": top, "left": left,
            "ih": ih, "iw": iw, "oh": oh, "ow": ow,
        }  # fmt: skip


def plane(tensor: Tensor) -> Pair:
    """Return (height, width) of an NHWC tensor."""
    return tensor.shape[1], tensor.shape[2]


def activation_range(activation: str, output: Tensor) -> Pair:
    """Return the int8 bounds a fused activation puts on ``output``."""

    def quantized(real: float) -> int:
        ratio = np.float32(real) / np.float32(output.scale)
        return output.zero_point + round_half_away(float(ratio))

    low, high = INT8_MIN, INT8_MAX
    if activation in ("RELU", "RELU6"):
        low = max(low, quantized(0.0))
    if activation == "RELU6":
        high = min(high, quantized(6.0))
    if activation == "RELU_N1_TO_1":
        low, high = max(low, quantized(-1.0)), min(high, quantized(1.0))
    return low, high


def channel_multipliers(x: Tensor, w: Tensor, y: Tensor, channels: int) -> list[Multiplier]:
    """Return the requantisation multiplier of every output channel."""
    scales = w.scales if len(w.scales) > 1 else w.scales * channels
    return [quantize_multiplier(x.scale * s / y.scale) for s in scales]


def multiplier_context(multipliers: list[Multiplier]) -> dict[str, list[int]]:
    """Multipliers as the two tables the templates print."""
    return {
        "multiplier": [m.value for m in multipliers],
        "shift": [m.shift for m in multipliers],
    }


def weight_limit(w: Tensor) -> str | None:
    """Say what is wrong with weights that must be int8 constants with zero point 0."""
    if not w.is_constant:
        return f"'{w.name}' is computed"
    if w.dtype != "int8":
        return f"'{w.name}' is {w.dtype}"
    return None if w.zero_point == 0 else f"'{w.name}' has zero point {w.zero_point}"
