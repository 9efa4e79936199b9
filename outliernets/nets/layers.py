"""The layers a network may have, with their shapes, parameters and multiply-accumulates."""

from dataclasses import dataclass
from typing import Literal

Shape = tuple[int, int, int]  #: rows (time), columns (Mel bands), channels
Pair = tuple[int, int]
Kind = Literal["conv", "separable", "transpose_conv", "dense", "max_pool", "upsample"]

INPUT_SHAPE: Shape = (32, 128, 1)  #: one log-Mel window
LARGEST_WIDTH = 4096  #: channels, rows or columns


@dataclass(frozen=True)
class Layer:
    """One layer at its place in a network; ``dense`` maps a flattened input to ``target``.

    ``kernel`` is the window of a convolution or pool, ``stride`` its step or the factor of an
    upsampling (nearest neighbour). ``norm`` puts a batch normalisation before the ReLU.
    """

    name: str
    kind: Kind
    source: Shape
    target: Shape
    kernel: Pair = (1, 1)
    stride: Pair = (1, 1)
    padding: Literal["same", "valid"] = "same"
    relu: bool = False
    norm: bool = False

    @property
    def weights(self) -> int:
        """Weights without biases."""
        taps = self.kernel[0] * self.kernel[1]
        inputs, outputs = self.source[2], self.target[2]
        match self.kind:
            case "conv" | "transpose_conv":
                return taps * inputs * outputs
            case "separable":
                return taps * inputs + inputs * outputs
            case "dense":
                return _size(self.source) * _size(self.target)
            case "max_pool" | "upsample":
                return 0

    @property
    def params(self) -> int:
        """Weights, biases and, with ``norm``, the four values per channel of the normalisation."""
        if not self.weights:
            return 0
        biases = _size(self.target) if self.kind == "dense" else self.target[2]
        return self.weights + biases + (4 * self.target[2] if self.norm else 0)

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one window; a normalisation is folded and costs nothing."""
        if self.kind == "dense":
            return self.weights
        # A transposed convolution multiplies every *input* pixel with the whole kernel.
        places = self.source if self.kind == "transpose_conv" else self.target
        return places[0] * places[1] * self.weights

    @property
    def bias_adds(self) -> int:
        """Additions of a bias for one window: one per output value."""
        return _size(self.target) if self.weights else 0


class Stack:
    """Piles layers onto each other and keeps track of the shape in between."""

    def __init__(self, source: Shape = INPUT_SHAPE) -> None:
        self.layers: list[Layer] = []
        self.shape = source

    def conv(
        self,
        name: str,
        channels: int,
        kernel: int | Pair = 3,
        stride: Pair = (1, 1),
        *,
        relu: bool = True,
        norm: bool = False,
    ) -> None:
        """Add a standard convolution that keeps the borders ('same')."""
        kernels = (kernel, kernel) if isinstance(kernel, int) else kernel
        target = (*self._strided(stride), channels)
        self._add(Layer(name, "conv", self.shape, target, kernels, stride, relu=relu, norm=norm))

    def squeeze(self, name: str, channels: int, *, relu: bool) -> None:
        """Add a convolution as large as the image: ``channels`` values remain (the latent)."""
        rows, columns, _ = self.shape
        target = (1, 1, channels)
        kernel = (rows, columns)
        self._add(Layer(name, "conv", self.shape, target, kernel, padding="valid", relu=relu))

    def separable(
        self,
        name: str,
        channels: int,
        kernel: Pair = (3, 3),
        stride: Pair = (1, 1),
        *,
        relu: bool = True,
    ) -> None:
        """Add a depthwise convolution followed by a 1x1 one; the bias is the latter's.

        TensorFlow's depthwise convolution takes equal steps along rows and columns.
        """
        target = (*self._strided(stride), channels)
        self._add(Layer(name, "separable", self.shape, target, kernel, stride, relu=relu))

    def transpose_conv(
        self, name: str, channels: int, kernel: int, stride: Pair, *, last: bool = False
    ) -> None:
        """Add a transposed convolution, normalised and rectified unless it is the ``last``."""
        target = (self.shape[0] * stride[0], self.shape[1] * stride[1], channels)
        kernels, hidden = (kernel, kernel), not last
        self._add(
            Layer(
                name,
                "transpose_conv",
                self.shape,
                target,
                kernels,
                stride,
                relu=hidden,
                norm=hidden,
            )
        )

    def dense(self, name: str, target: Shape, *, relu: bool) -> None:
        """Add a fully connected layer whose output is seen as an image of shape ``target``."""
        self._add(Layer(name, "dense", self.shape, target, relu=relu))

    def max_pool(self, name: str, size: Pair) -> None:
        """Add max pooling without overlap."""
        rows, columns, channels = self.shape
        target = (rows // size[0], columns // size[1], channels)
        self._add(Layer(name, "max_pool", self.shape, target, size, size))

    def upsample(self, name: str, factor: Pair) -> None:
        """Add a nearest-neighbour upsampling (the paper's 'replicator')."""
        rows, columns, channels = self.shape
        target = (rows * factor[0], columns * factor[1], channels)
        self._add(Layer(name, "upsample", self.shape, target, factor, factor))

    def _strided(self, stride: Pair) -> Pair:
        return -(-self.shape[0] // stride[0]), -(-self.shape[1] // stride[1])

    def _add(self, layer: Layer) -> None:
        self.layers.append(layer)
        self.shape = layer.target


def _size(shape: Shape) -> int:
    return shape[0] * shape[1] * shape[2]
