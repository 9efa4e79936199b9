"""Build small int8 networks op by op; each output's scale fits the values that occur.

On top of ``TfliteBuilder``: every tensor also carries the real numbers it holds for a few
calibration inputs, worked out in float, and its scale and zero point are chosen from them as a
converter would. Networks of random weights would otherwise saturate, and saturated outputs agree
however wrong the arithmetic is. What is not said when an op is added is drawn at random.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from tests.tflite_builder import NONE, RELU, RELU6, RELU_N1_TO_1, SAME, VALID, TfliteBuilder

Pair = tuple[int, int]
BOUNDS = {
    NONE: (-np.inf, np.inf), RELU: (0.0, np.inf), RELU_N1_TO_1: (-1.0, 1.0), RELU6: (0.0, 6.0),
}  # fmt: skip
#: what one network may cost, so that hundreds of them are quick
MAX_MACS, MAX_WEIGHT_BYTES, MAX_VALUES = 300_000, 24_000, 12_000


@dataclass(frozen=True)
class Map:
    """A tensor of the network and the real numbers it holds for the calibration inputs."""

    index: int
    real: np.ndarray
    scale: float
    zero_point: int

    @property
    def shape(self) -> tuple[int, ...]:
        return (1, *self.real.shape[1:])

    @property
    def plane(self) -> Pair:
        return self.real.shape[1], self.real.shape[2]

    @property
    def channels(self) -> int:
        return self.real.shape[-1]


def positions(length: int, kernel: int, stride: int, padding: int) -> int:
    """How many places a window has along one axis."""
    return -(-length // stride) if padding == SAME else (length - kernel) // stride + 1


def windows(
    x: np.ndarray, kernel: Pair, stride: Pair, padding: int, outside: float = 0.0
) -> Iterator[tuple[int, int, np.ndarray]]:
    """Yield (ky, kx, what lies under this element of the kernel in every window)."""
    places = [
        positions(n, k, s, padding)
        for n, k, s in zip(x.shape[1:3], kernel, stride, strict=True)
    ]  # fmt: skip
    missing = [
        max(0, (m - 1) * s + k - n)
        for m, n, k, s in zip(places, x.shape[1:3], kernel, stride, strict=True)
    ]
    around = [(0, 0), *((m // 2, m - m // 2) for m in missing), (0, 0)]
    padded = np.pad(x, around, constant_values=outside)
    (sh, sw), (oh, ow) = stride, places
    for ky, kx in product(*map(range, kernel)):
        rows, columns = slice(ky, ky + (oh - 1) * sh + 1, sh), slice(kx, kx + (ow - 1) * sw + 1, sw)
        yield ky, kx, padded[:, rows, columns]


class CalibratedBuilder:
    """Adds ops to a network; each method takes and returns maps.

    Ops that would exceed the budget of multiplications, weights or values get fewer channels or
    are left out (the method returns its argument).
    """

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.builder = TfliteBuilder(seed)
        self.macs = self.weight_bytes = 0

    # ---- choices ------------------------------------------------------------------------

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def pick(self, *choices):
        return choices[self.rng.integers(len(choices))]

    def activation(self) -> int:
        return int(
            self.rng.choice([RELU, NONE, RELU6, RELU_N1_TO_1], p=[0.55, 0.27, 0.13, 0.05])
        )  # fmt: skip

    def _affordable(self, channels: int, macs: int, weights: int) -> int:
        """How many of ``channels`` output channels are within the budget; books them."""
        room = min(
            (MAX_MACS - self.macs) // macs, (MAX_WEIGHT_BYTES - self.weight_bytes) // weights
        )
        channels = max(0, min(channels, room))
        self.macs += channels * macs
        self.weight_bytes += channels * weights
        return channels

    # ---- tensors ------------------------------------------------------------------------

    def input(self, height: int, width: int, channels: int) -> Map:
        """The network's input: noise of three loudnesses and a ramp, any scale and zero point."""
        scale = float(np.float32(np.exp(self.rng.uniform(-5, 0))))
        zero_point = int(self.pick(0, -1, -128, self.rng.integers(-128, 128)))
        shape = (height, width, channels)
        noise = [self.rng.uniform(-a, a, shape) + z for a, z in ((128, 0), (60, -30), (60, 40))]
        ramp = np.linspace(-128, 127, height * width * channels).reshape(shape)
        steps = np.clip(np.rint([*noise, ramp]), -128, 127) - zero_point
        index = self.builder.activation((1, *shape), scale, zero_point)
        return Map(index, steps * scale, scale, zero_point)

    def output(self, real: np.ndarray) -> Map:
        """A new tensor whose scale and zero point fit ``real``."""
        seen = 0.2 if self.chance(0.05) else self.rng.uniform(0.6, 1.2)
        low, high = min(0.0, real.min()) * seen, max(0.0, real.max()) * seen
        if self.chance(0.1):  # zero points that no activation explains
            low -= self.rng.uniform(0, 1.5) * (high - low)
        scale = float(np.float32(max(high - low, 1e-3) / 255))
        return self._held(real, scale, int(np.clip(np.rint(-128 - low / scale), -128, 127)))

    def _same(self, x: Map, real: np.ndarray) -> Map:
        return self._held(real, x.scale, x.zero_point)

    def _held(self, real: np.ndarray, scale: float, zero_point: int) -> Map:
        """A new tensor; ``real`` becomes what int8 can hold of it."""
        steps = np.clip(np.rint(real / scale) + zero_point, -128, 127) - zero_point
        index = self.builder.activation((1, *real.shape[1:]), scale, zero_point)
        return Map(index, steps * scale, scale, zero_point)

    def _weights(self, *shape: int) -> np.ndarray:
        """Weights in steps of int8: mostly over the whole range, now and then only a few steps."""
        spread = 45.0 if self.chance(0.85) else self.pick(0.8, 2.0, 6.0)
        return np.clip(np.rint(self.rng.normal(0, spread, shape)), -127, 127)

    # ---- ops with weights ---------------------------------------------------------------

    def _weighted(
        self, name: str, options_type: str, x: Map, data: np.ndarray, axis: int, sums: np.ndarray,
        activation: int | None, first: Sequence[int] = (), **options,
    ) -> Map:  # fmt: skip
        """Add an op whose sums of ``data`` (output channels on ``axis``) times reals are given."""
        activation = self.activation() if activation is None else activation
        if sums.shape[-1] > 1 and self.chance(0.05):  # training switches channels off
            dead = self.rng.integers(sums.shape[-1])
            np.moveaxis(data, axis, 0)[dead] = 0
            sums[..., dead] = 0
        scales = self._weight_scales(sums)
        weights = self.builder.tensor(data.shape, scales, 0, "int8", data, axis)
        # TensorFlow Lite Micro's reference crashes on a DEPTHWISE_CONV_2D without a bias
        biased = name == "DEPTHWISE_CONV_2D" or self.chance(0.88)
        bias, steps = self._bias(x, scales, sums) if biased else (-1, 0)
        y = self.output(np.clip((sums + x.scale * steps) * scales, *BOUNDS[activation]))
        inputs = [*first, weights, x.index, bias] if first else [x.index, weights, bias]
        self.builder.op(
            name, inputs, y.index, options_type, fusedActivationFunction=activation, **options
        )
        return y

    def _weight_scales(self, sums: np.ndarray) -> np.ndarray:
        """Scales, one or per channel, that spread the outputs by about 1; tiny for dead ones."""
        per_channel = self.chance(0.75)
        axes = tuple(range(sums.ndim - 1)) if per_channel else None
        spread = np.atleast_1d(sums.std(axis=axes))
        wanted = self.rng.uniform(0.5, 3) * np.exp(self.rng.normal(0, 0.4, spread.shape))
        return np.where(spread > 0, wanted / np.where(spread > 0, spread, 1), 1e-12).astype("f4")

    def _bias(self, x: Map, scales: np.ndarray, sums: np.ndarray) -> tuple[int, np.ndarray]:
        """A bias that roughly centres the outputs, as training does: its tensor and its values."""
        axes = tuple(range(sums.ndim - 1))
        centre, spread = sums.mean(axis=axes), np.maximum(sums.std(axis=axes), x.scale)
        steps = self.rng.normal(0, 0.4, centre.shape) * spread - centre * self.rng.uniform(0.5, 1)
        steps = np.rint(steps / x.scale)
        bias_scales = np.float32(x.scale) * scales
        return self.builder.tensor(steps.shape, bias_scales, 0, "int32", steps), steps

    def conv(
        self, x: Map, channels: int, kernel: Pair = (3, 3), stride: Pair = (1, 1),
        padding: int = SAME, activation: int | None = None,
    ) -> Map:  # fmt: skip
        """CONV_2D."""
        kernel = self._fitting(x, kernel, padding)
        taps = kernel[0] * kernel[1] * x.channels
        pixels = self._pixels(x, kernel, stride, padding)
        channels = self._affordable(min(channels, MAX_VALUES // pixels), pixels * taps, taps)
        if channels == 0:
            return x
        data = self._weights(channels, *kernel, x.channels)
        views = windows(x.real, kernel, stride, padding)
        sums = sum(view @ data[:, ky, kx].T for ky, kx, view in views)
        return self._weighted(
            "CONV_2D", "Conv2DOptions", x, data, 0, sums, activation,
            padding=padding, strideH=stride[0], strideW=stride[1],
        )  # fmt: skip

    def depthwise(
        self, x: Map, multiplier: int = 1, kernel: Pair = (3, 3), stride: Pair = (1, 1),
        padding: int = SAME, activation: int | None = None,
    ) -> Map:  # fmt: skip
        """DEPTHWISE_CONV_2D."""
        kernel = self._fitting(x, kernel, padding)
        taps = kernel[0] * kernel[1] * x.channels
        pixels = self._pixels(x, kernel, stride, padding)
        room = MAX_VALUES // (pixels * x.channels)
        multiplier = self._affordable(min(multiplier, room), pixels * taps, taps)
        if multiplier == 0:
            return x
        data = self._weights(1, *kernel, x.channels * multiplier)
        views = windows(x.real, kernel, stride, padding)
        sums = sum(view.repeat(multiplier, 3) * data[0, ky, kx] for ky, kx, view in views)
        return self._weighted(
            "DEPTHWISE_CONV_2D", "DepthwiseConv2DOptions", x, data, 3, sums, activation,
            padding=padding, strideH=stride[0], strideW=stride[1], depthMultiplier=multiplier,
        )  # fmt: skip

    def transpose_conv(
        self, x: Map, channels: int, kernel: Pair, stride: Pair, padding: int = SAME,
        activation: int | None = None,
    ) -> Map:  # fmt: skip
        """TRANSPOSE_CONV to one of the sizes that its convolution would bring back to ``x``."""
        size = tuple(
            n * s - int(self.rng.integers(s)) if padding == SAME
            else (n - 1) * s + k + int(self.rng.integers(s))
            for n, k, s in zip(x.plane, kernel, stride, strict=True)
        )  # fmt: skip
        taps, pixels = kernel[0] * kernel[1] * x.channels, x.plane[0] * x.plane[1]
        room = MAX_VALUES // (size[0] * size[1])
        channels = self._affordable(min(channels, room), pixels * taps, taps)
        if channels == 0:
            return x
        data = self._weights(channels, *kernel, x.channels)
        sums = _scattered(x.real, data, stride, padding, size)
        shape = self.builder.constant([1, *size, channels])
        return self._weighted(
            "TRANSPOSE_CONV", "TransposeConvOptions", x, data, 0, sums, activation, first=[shape],
            padding=padding, strideH=stride[0], strideW=stride[1],
        )  # fmt: skip

    def dense(self, x: Map, units: int, activation: int | None = None, each=False) -> Map:
        """FULLY_CONNECTED of all values, or (``each``) of every pixel on its own."""
        length = x.channels if each else int(np.prod(x.shape))
        rows = int(np.prod(x.shape)) // length
        units = self._affordable(min(units, MAX_VALUES // rows), rows * length, length)
        if units == 0:
            return x
        data = self._weights(units, length)
        flat = x.real if each else x.real.reshape(len(x.real), length)
        return self._weighted(
            "FULLY_CONNECTED", "FullyConnectedOptions", x, data, 0, flat @ data.T, activation,
            keepNumDims=each,
        )  # fmt: skip

    def _fitting(self, x: Map, kernel: Pair, padding: int) -> Pair:
        """A kernel that is not padded has to fit into the map."""
        if padding == SAME:
            return kernel
        return min(kernel[0], x.plane[0]), min(kernel[1], x.plane[1])

    def _pixels(self, x: Map, kernel: Pair, stride: Pair, padding: int) -> int:
        return int(
            np.prod(
                [positions(*axis, padding) for axis in zip(x.plane, kernel, stride, strict=True)]
            )
        )

    # ---- ops without weights ------------------------------------------------------------

    def pool(self, x: Map, kind: str, kernel: Pair, stride: Pair, padding: int = VALID) -> Map:
        """MAX_POOL_2D or AVERAGE_POOL_2D."""
        kernel = self._fitting(x, kernel, padding)
        activation = NONE if self.chance(0.65) else self.activation()
        if kind == "MAX_POOL_2D":
            views = [v for *_, v in windows(x.real, kernel, stride, padding, -np.inf)]
            real = np.max(views, axis=0)
        else:
            total = sum(v for *_, v in windows(x.real, kernel, stride, padding))
            real = total / sum(
                v for *_, v in windows(np.ones_like(x.real), kernel, stride, padding)
            )
        y = self._same(x, np.clip(real, *BOUNDS[activation]))
        self.builder.op(
            kind, [x.index], y.index, "Pool2DOptions", padding=padding, strideH=stride[0],
            strideW=stride[1], filterHeight=kernel[0], filterWidth=kernel[1],
            fusedActivationFunction=activation,
        )  # fmt: skip
        return y

    def resize(self, x: Map, factors: Pair) -> Map:
        """RESIZE_NEAREST_NEIGHBOR by whole factors."""
        if x.real[0].size * factors[0] * factors[1] > MAX_VALUES:
            return x
        y = self._same(x, x.real.repeat(factors[0], 1).repeat(factors[1], 2))
        self.builder.op(
            "RESIZE_NEAREST_NEIGHBOR", [x.index, self.builder.constant(y.plane)], y.index,
            "ResizeNearestNeighborOptions", halfPixelCenters=self.chance(0.5),
        )  # fmt: skip
        return y

    def add(self, a: Map, b: Map) -> Map:
        """ADD, if the shapes agree."""
        if a.shape != b.shape:
            return a
        activation = self.pick(NONE, self.activation())
        y = self.output(np.clip(a.real + b.real, *BOUNDS[activation]))
        self.builder.op(
            "ADD", [a.index, b.index], y.index, "AddOptions", fusedActivationFunction=activation
        )
        return y

    def pad(self, x: Map, rows: Pair, columns: Pair) -> Map:
        """PAD with zeros, or PADV2 with any value."""
        around = [(0, 0), rows, columns, (0, 0)]
        fill = x.zero_point if self.chance(0.7) else int(self.rng.integers(-128, 128))
        inputs, name, options = [x.index, self.builder.constant(around)], "PAD", "PadOptions"
        if fill != x.zero_point:
            name, options = "PADV2", "PadV2Options"
            inputs.append(self.builder.tensor([1], x.scale, x.zero_point, "int8", np.array([fill])))
        value = (fill - x.zero_point) * x.scale
        y = self._same(x, np.pad(x.real, around, constant_values=value))
        self.builder.op(name, inputs, y.index, options)
        return y

    def reshape(self, x: Map, *shape: int) -> Map:
        """RESHAPE (the batch is not part of ``shape``)."""
        y = self._same(x, x.real.reshape(len(x.real), *shape))
        target = self.builder.constant(y.shape)
        self.builder.op("RESHAPE", [x.index, target], y.index, "ReshapeOptions")
        return y

    def mean(self, x: Map, keep_dims: bool) -> Map:
        """MEAN of all pixels."""
        y = self.output(x.real.mean(axis=(1, 2), keepdims=keep_dims))
        axes = self.builder.constant([1, 2])
        self.builder.op("MEAN", [x.index, axes], y.index, "ReducerOptions", keepDims=keep_dims)
        return y

    def logistic(self, x: Map) -> Map:
        """LOGISTIC."""
        y = self._held(1 / (1 + np.exp(-x.real)), 1 / 256, -128)
        self.builder.op("LOGISTIC", [x.index], y.index)
        return y

    def quantize(self, x: Map) -> Map:
        """QUANTIZE to another scale and zero point."""
        y = self.output(x.real)
        self.builder.op("QUANTIZE", [x.index], y.index, "QuantizeOptions")
        return y


def _scattered(
    x: np.ndarray, data: np.ndarray, stride: Pair, padding: int, size: Pair
) -> np.ndarray:
    """Every pixel adds a scaled kernel; then cut to ``size`` as the convolution would pad."""
    (_, kh, kw, _), (sh, sw), (n, ih, iw, _) = data.shape, stride, x.shape
    places = (ih - 1) * sh + kh, (iw - 1) * sw + kw
    full = np.zeros((n, *np.maximum(places, size), len(data)))
    for ky, kx in product(range(kh), range(kw)):
        rows, columns = slice(ky, ky + (ih - 1) * sh + 1, sh), slice(kx, kx + (iw - 1) * sw + 1, sw)
        full[:, rows, columns] += x @ data[:, ky, kx].T
    top, left = (
        max(0, place - length) // 2 if padding == SAME else 0
        for place, length in zip(places, size, strict=True)
    )
    return full[:, top : top + size[0], left : left + size[1]]
