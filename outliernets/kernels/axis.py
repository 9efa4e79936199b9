"""One axis of a convolution over a map that is first repeated: which source cells an output reads.

Output ``o`` reads cells ``o * stride - before + k`` of the repeated map, which are the source's
``floor(... / repeat)``. Kernel cells that read the same source cell become one, with the sum of
their weights; which ones depends only on the *phase* ``(o * stride - before) % repeat``.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Axis:
    """A kernel of ``kernel`` cells at ``stride`` over ``source`` cells that are repeated."""

    source: int
    outputs: int
    kernel: int
    stride: int
    before: int
    repeat: int = 1

    def phase(self, output: int) -> int:
        """Return the phase of an output."""
        return (output * self.stride - self.before) % self.repeat

    def first(self, output: int) -> int:
        """Return the first source cell an output reads; negative ones are padding."""
        return (output * self.stride - self.before) // self.repeat

    @property
    def taps(self) -> int:
        """Most source cells that one output reads."""
        return (
            (self.repeat - 1 + self.kernel - 1) // self.repeat + 1
            if self.repeat > 1
            else self.kernel
        )

    @property
    def period(self) -> int:
        """Outputs after which the phases come again."""
        return self.repeat // int(np.gcd(self.repeat, self.stride))

    @property
    def step(self) -> int:
        """Source cells that a period moves on."""
        return self.period * self.stride // self.repeat

    @property
    def padding(self) -> tuple[int, int]:
        """Source cells that are read before the first and after the last one."""
        last = self.first(self.outputs - 1) + self.taps - 1
        return max(0, -self.first(0)), max(0, last - (self.source - 1))

    def folding(self, phase: int) -> NDArray[np.int64]:
        """Return the 0/1 matrix [taps, kernel] that sums kernel cells into source cells."""
        cells = (phase + np.arange(self.kernel)) // self.repeat
        matrix: NDArray[np.int64] = np.equal.outer(np.arange(self.taps), cells).astype(np.int64)
        return matrix

    def context(self) -> dict[str, int]:
        """The numbers, by the names the templates use.

        With them ``first(o)`` is ``(o * stride + offset) / repeat - lift``, where nothing negative
        is divided.
        """
        lift = -(-self.before // self.repeat)
        return {
            "source": self.source,
            "outputs": self.outputs,
            "taps": self.taps,
            "stride": self.stride,
            "before": self.before,
            "repeat": self.repeat,
            "lift": lift,
            "offset": lift * self.repeat - self.before,
        }
