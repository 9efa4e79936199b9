"""A chain of ops computed row by row: no map between them is ever whole in memory."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from outliernets.fixed import INT8_MAX, INT8_MIN
from outliernets.graph import Array, Node, Op, Shape, Site
from outliernets.kernels import narrow
from outliernets.kernels.axis import Axis
from outliernets.ops._convolution import Convolution
from outliernets.ops._spatial import activation_range, plane
from outliernets.ops.conv2d import Conv2D
from outliernets.ops.depthwise_conv2d import DepthwiseConv2D
from outliernets.ops.fully_connected import FullyConnected
from outliernets.ops.max_pool2d import MaxPool2D
from outliernets.ops.mean import Mean


@dataclass(frozen=True)
class Stage:
    """One op of the chain and the tensors it stands between."""

    node: Node
    site: Site

    @property
    def op(self) -> Op:
        """The op."""
        return self.node.op

    @property
    def repeat(self) -> tuple[int, int]:
        """How often each row and column of the source is read as if it were repeated."""
        return self.op.repeat if isinstance(self.op, Convolution) else (1, 1)

    @cached_property
    def rows(self) -> Axis:
        """The vertical axis."""
        return self._axis(0)

    @cached_property
    def columns(self) -> Axis:
        """The horizontal axis."""
        return self._axis(1)

    def _axis(self, i: int) -> Axis:
        assert isinstance(self.op, Convolution | MaxPool2D)
        window = self.op.window(self.site)
        return Axis(
            plane(self.site.x)[i],
            window.outputs[i],
            window.kernel[i],
            window.stride[i],
            window.before[i],
            self.repeat[i],
        )

    @property
    def channels(self) -> tuple[int, int]:
        """Channels read and written."""
        return self.site.x.shape[3], self.site.output.shape[3]

    @cached_property
    def weights(self) -> NDArray[np.int64]:
        """Weights as [output channel, kernel height, kernel width, input channel or 1]."""
        values = self.site.inputs[1].values.astype(np.int64)
        return values.transpose(3, 1, 2, 0) if isinstance(self.op, DepthwiseConv2D) else values

    def folded(self, row_phase: int, column_phase: int) -> NDArray[np.int64]:
        """Weights of a phase as [output channel, source rows, source columns, channel]."""
        vertical, horizontal = self.rows.folding(row_phase), self.columns.folding(column_phase)
        folded: NDArray[np.int64] = np.einsum(
            "ry,cx,oyxi->orci", vertical, horizontal, self.weights
        )
        return folded

    @property
    def offset(self) -> int:
        """What rows in front of the stage are less than the values of the map.

        That is the zero point where there is padding, which is 0 then, and nothing elsewhere.
        """
        assert isinstance(self.op, Convolution | MaxPool2D)
        return self.site.x.zero_point if self.op.window(self.site).padded else 0

    @property
    def bias(self) -> NDArray[np.int64]:
        """What is added to the sums of weights and values less ``offset``, for each channel."""
        assert isinstance(self.op, Convolution)
        total = self.weights.reshape(self.channels[1], -1).sum(axis=1)
        moved = (self.offset - self.site.x.zero_point) * total
        bias: NDArray[np.int64] = self.op.bias(self.site) + moved
        return bias

    @cached_property
    def narrowing(self) -> narrow.Narrowing:
        """How sums become int8."""
        op, site = self.op, self.site
        assert isinstance(op, Convolution)
        low, high = activation_range(op.activation, site.output)
        return narrow.plan(self.sums, site.output.zero_point, low, high)

    @cached_property
    def sums(self) -> list[narrow.Sums]:
        """Bounds of what each output channel can add up to, in every phase."""
        op, site = self.op, self.site
        assert isinstance(op, Convolution)
        magnitude = max(INT8_MAX - self.offset, self.offset - INT8_MIN)
        weights = np.abs(self.weights).reshape(self.channels[1], -1)
        heaviest = np.zeros(self.channels[1], np.int64)
        for row_phase in range(self.rows.repeat):
            for column_phase in range(self.columns.repeat):
                folded = np.abs(self.folded(row_phase, column_phase))
                heaviest = np.maximum(heaviest, folded.reshape(len(heaviest), -1).max(axis=1))
        widest = weights.sum(axis=1) * magnitude + np.abs(self.bias)
        return [
            narrow.Sums(int(w), int(h), m)
            for w, h, m in zip(widest, heaviest, op.multipliers(site), strict=True)
        ]

    def why(self) -> tuple[str, ...]:
        """What was decided about the stage whatever the kernel, and why, in a few words each."""
        if self.repeat == (1, 1):
            return ()
        (high, wide), size = self.repeat, self.site.x.size * self.repeat[0] * self.repeat[1]
        taps = f"{self.rows.taps}x{self.columns.taps}"
        kernel = f"{self.rows.kernel}x{self.columns.kernel}"
        never = f"upsampling by {high}x{wide} folded in: its map of {size:,} bytes never exists"
        return (f"{never}, {kernel} cells read {taps} pixels",)


@lru_cache(maxsize=256)
def stage_of(node: Node, site: Site) -> Stage:
    """Return an op as a stage: the same one as before, with all that was found out about it."""
    return Stage(node, site)


def can_stream(node: Node, site: Site) -> bool:
    """Whether an op can be a stage: it makes each row from a few rows of one map."""
    return obstacle(node, site) is None


def obstacle(node: Node, site: Site) -> str | None:
    """Return why an op cannot be a stage, or None if it can."""
    op = node.op
    if isinstance(op, Conv2D | DepthwiseConv2D):
        if op.dilation != (1, 1):
            return "it is dilated"
        fits = all(s.widest < 2**31 for s in stage_of(node, site).sums)
        return None if fits else "its sums can exceed 32 bits"
    if isinstance(op, MaxPool2D):
        if op.window(site).padded:
            return "its windows reach over the edge"
        free = activation_range(op.activation, site.output) == (INT8_MIN, INT8_MAX)
        return None if free else "it clamps"
    if isinstance(op, FullyConnected | Mean):
        return "each result needs the whole map"
    if sum(not t.is_constant for t in site.inputs) > 1:
        return "it joins two maps"
    return "no kernel makes it row by row"


@dataclass(frozen=True)
class StageNote:
    """What people want to know about a stage."""

    kernel: str  #: which kernel computes it; empty if the flavour does not say
    buffer_bytes: int  #: memory of its own while the chain runs: the rows in front of it, its sums
    why: tuple[str, ...]  #: what was decided, and why


@dataclass(frozen=True)
class Rows(Op):
    """A chain of stages. Its first input is the first stage's; the others are all constants."""

    #: whether memory is so short that a chain is worth cutting to save some
    saves_memory: ClassVar[bool] = False

    stages: tuple[Stage, ...]
    why: tuple[str, ...] = ()  #: why the chain is these stages, for people

    @classmethod
    def from_tflite(cls, options: Mapping[str, Any], site: Site) -> tuple[Op, Site]:
        """Not an op of TensorFlow Lite: made by a pass."""
        raise NotImplementedError

    def infer(self, site: Site) -> Shape:
        """See Op."""
        last = self.stages[-1]
        return last.op.infer(last.site)

    def run(self, site: Site, *arrays: Array) -> Array:
        """See Op."""
        x = arrays[0]
        for stage in self.stages:
            constants = [t.values for t in stage.site.inputs if t.is_constant]
            x = stage.op.run(stage.site, x, *constants)
        return x

    def macs(self, site: Site) -> int:
        """See Op."""
        return sum(stage.op.macs(stage.site) for stage in self.stages)

    def notes(self) -> tuple[StageNote, ...]:
        """Return a note on each stage; flavours add what they decide."""
        return tuple(StageNote("", 0, stage.why()) for stage in self.stages)
