"""Line buffers: the last rows of a map, as int16 values less their zero point, so padding is 0."""

from dataclasses import dataclass
from enum import Enum


class Layout(Enum):
    """How a row of [x][channel] lies in memory."""

    PLANAR = "planar"  #: channel by channel, all rows of one together: [channel][row][x]
    INTERLEAVED = "interleaved"  #: pixel by pixel: [x][channel], channels made even
    PAIRED = "paired"  #: two channels beside each other: [channel / 2][x][2]


@dataclass(frozen=True)
class Line:
    """A ring of ``depth`` rows of ``width`` pixels, with pixels of padding on both sides."""

    layout: Layout
    channels: int
    width: int
    left: int
    right: int
    depth: int

    @property
    def pitch(self) -> int:
        """Pixels in a row with its padding; even, so that planes begin at whole words."""
        return -(-(self.left + self.width + self.right) // 2) * 2

    @property
    def pairs(self) -> int:
        """Pairs of channels."""
        return -(-self.channels // 2)

    @property
    def row(self) -> int:
        """int16 values in a row."""
        if self.layout is Layout.PLANAR:
            return self.channels * self.pitch
        return 2 * self.pairs * self.pitch

    @property
    def step(self) -> int:
        """int16 values from a pixel to the next."""
        return {Layout.PLANAR: 1, Layout.PAIRED: 2, Layout.INTERLEAVED: 2 * self.pairs}[self.layout]

    @property
    def plane(self) -> int:
        """int16 values from a plane to the next: channels, or pairs of channels."""
        planes = {
            Layout.PLANAR: self.depth * self.pitch,
            Layout.PAIRED: 2 * self.pitch,
            Layout.INTERLEAVED: 1,
        }
        return planes[self.layout]

    @property
    def slot(self) -> int:
        """int16 values from a row of the ring to the next."""
        return self.pitch if self.layout is Layout.PLANAR else self.row

    @property
    def size(self) -> int:
        """Bytes."""
        return 2 * self.row * self.depth

    @property
    def dims(self) -> str:
        """For comments: what the brackets hold."""
        return {
            Layout.PLANAR: f"[{self.channels}][{self.depth}][{self.pitch}]",
            Layout.PAIRED: f"[{self.depth}][{self.pairs}][{self.pitch}][2]",
            Layout.INTERLEAVED: f"[{self.depth}][{self.pitch}][{2 * self.pairs}]",
        }[self.layout]
