"""The anomaly score in integers: what a network left of its input; twin of ``on_score.c``."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outliernets.errors import ConfigError, near_miss
from outliernets.fixed import round_half_away
from outliernets.graph import Tensor

SUM_BITS = 64
GAIN_BITS = 21  #: of a gain, at most, so that a difference fits 32 bits
DIFFERENCE_BITS = 9  #: the difference of two int8 values has at most 9 bits without its sign
LEVEL_BITS = 29  #: of the sum of a band's differences, at most
FACTOR_BITS = 15  #: of the numbers of a Mahalanobis distance
MAX_MEMORY = 1024
BLOCK = 1024  #: windows scored in one go
KINDS = ("mse", "peak", "bands", "mahalanobis")
Int64 = NDArray[np.int64]


@dataclass(frozen=True)
class ScoreSpec:
    """How the residual, input minus output with its sign, becomes one number.

    ``mse``: the mean of squares, the paper's. ``peak``: the largest over time of each row's mean of
    squares, for faults that last a moment. ``bands``: the residual of each of ``bands`` averaged
    over the window and then over ``memory`` windows, squared and averaged: what flutters cancels.
    ``mahalanobis``: the same averages, weighed by how they vary together in normal sound.
    """

    kind: str = "mse"
    bands: int = 64
    memory: int = 1  #: windows; a plain mean until so many were heard, then an exponential one

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ConfigError(f"score: unknown kind '{self.kind}'; {near_miss(self.kind, KINDS)}")
        if not 1 <= self.memory <= MAX_MEMORY:
            raise ConfigError(
                f"score: memory = {self.memory} windows is not possible; give 1 ... {MAX_MEMORY}"
            )
        if self.memory > 1 and not self.is_banded:
            raise ConfigError(f"score: {self.kind} has no memory; leave it out or use bands")

    @property
    def is_banded(self) -> bool:
        """Whether it looks at means over time."""
        return self.kind in ("bands", "mahalanobis")


@dataclass(frozen=True)
class Distance:
    """A Mahalanobis distance in integers: |(factor (level - mean)) >> shift|^2."""

    mean: tuple[int, ...]  #: [bands]
    factor: tuple[tuple[int, ...], ...]  #: [bands][bands], FACTOR_BITS and a sign each
    shift: int  #: so that no product exceeds LEVEL_BITS
    unit: float  #: what a product of 1 stands for

    @property
    def offset(self) -> tuple[int, ...]:
        """What the mean adds to each product, before the shift."""
        return tuple(
            -sum(f * m for f, m in zip(row, self.mean, strict=True)) for row in self.factor
        )

    @classmethod
    def make(cls, mean: NDArray[Any], factor: NDArray[Any], level_unit: float) -> "Distance":
        """Round ``factor (level - mean)`` of real levels to integers.

        ``factor`` [bands, bands]: its product with itself, transposed, is the inverse covariance.
        ``level_unit``: what a level of 1 stands for.
        """
        step = float(np.abs(factor).max()) / ((1 << FACTOR_BITS) - 1)
        whole = np.rint(factor / step).astype(np.int64)
        centre = np.rint(np.asarray(mean) / level_unit).astype(np.int64)
        if np.abs(centre).max() >= 1 << _level_bits(len(centre)):
            raise ConfigError(
                f"score: a mean of {np.abs(mean).max():g} deviations is more than a band can have"
            )
        largest = int(np.abs(whole).sum(axis=1).max()) << (LEVEL_BITS + 1)
        shift = max(largest.bit_length() - LEVEL_BITS, 0)
        rows = tuple(tuple(row) for row in whole.tolist())
        return cls(tuple(centre.tolist()), rows, shift, step * level_unit * (1 << shift))


@dataclass(frozen=True)
class ScorePlan:
    """Integers that bring input and output of a network to one unit before they are subtracted.

    The residual is ``(x - x_zero) * x_gain - (y - y_zero) * y_gain``, [rows, columns] in units of
    ``unit``; sums of its squares always fit 64 bits. An alarm is a score above ``threshold``. Where
    there is no network, and the output a constant that stands for zero, ``y_gain`` is 0.
    """

    spec: ScoreSpec
    rows: int
    columns: int
    x_zero: int
    x_gain: int
    y_zero: int
    y_gain: int
    unit: float
    distance: Distance | None = None
    threshold: int = 2**SUM_BITS - 1

    @classmethod
    def make(
        cls,
        x: Tensor,
        y: Tensor,
        spec: ScoreSpec | None = None,
        rows: int = 1,
    ) -> "ScorePlan":
        """Choose the finest unit for which no sum can overflow; ``rows`` are those of the input."""
        spec = spec or ScoreSpec()
        columns = x.size // rows
        bits = _gain_bits(spec, rows, columns)
        unit = max(x.scale, y.scale) / (1 << bits)
        return cls(
            spec=spec,
            rows=rows,
            columns=columns,
            x_zero=x.zero_point,
            x_gain=round_half_away(x.scale / unit),
            y_zero=y.zero_point,
            y_gain=0 if y.is_constant else round_half_away(y.scale / unit),
            unit=unit,
        )

    @property
    def rebuilds(self) -> bool:
        """Whether there is a network, and anything is subtracted from its input."""
        return self.y_gain != 0

    @property
    def size(self) -> int:
        """Values of the network's input."""
        return self.rows * self.columns

    def with_distance(self, mean: NDArray[Any], factor: NDArray[Any]) -> "ScorePlan":
        """Return the plan with what ``mahalanobis`` learned of real levels [bands]."""
        return replace(self, distance=Distance.make(mean, factor, self.level_unit))

    def with_threshold(self, threshold: int) -> "ScorePlan":
        """Return the plan with another alarm threshold."""
        return replace(self, threshold=threshold)

    def sums(
        self, x: NDArray[np.int8], y: NDArray[np.int8], clips: NDArray[Any] | None = None
    ) -> NDArray[np.uint64]:
        """Return the score of each window of ``x`` and ``y`` [n, size], as the firmware has it.

        ``clips`` [n] says which clip a window is from: what the score remembers is forgotten
        between clips. None: all windows are of one clip.
        """
        count = len(x.reshape(-1, self.size))
        x, y = x.reshape(count, self.size), y.reshape(count, self.size)
        blocks = [
            self._measured(x[i : i + BLOCK], y[i : i + BLOCK]) for i in range(0, count, BLOCK)
        ]
        found = np.concatenate(blocks) if blocks else self._measured(x, y)
        if not self.spec.is_banded:
            return found.astype(np.uint64)
        levels = _remembered(found, self.spec.memory, clips)
        if self.distance is not None:
            levels = _projected(levels, self.distance)
        total: NDArray[np.uint64] = np.square(levels).astype(np.uint64).sum(axis=1)
        return total

    def _measured(self, x: NDArray[np.int8], y: NDArray[np.int8]) -> NDArray[Any]:
        """Return what a window says by itself: the levels of its bands, or its score."""
        a = (x.reshape(-1, self.rows, self.columns).astype(np.int64) - self.x_zero) * self.x_gain
        b = (y.reshape(-1, self.rows, self.columns).astype(np.int64) - self.y_zero) * self.y_gain
        residual = a - b
        if self.spec.is_banded:
            levels = residual.sum(axis=1).reshape(len(a), self.spec.bands, -1).sum(axis=2)
            return np.asarray(levels)
        rows = np.square(residual).astype(np.uint64).sum(axis=2)
        return np.asarray(rows.max(axis=1) if self.spec.kind == "peak" else rows.sum(axis=1))

    def real(self, sums: NDArray[np.uint64]) -> NDArray[np.float64]:
        """Return the score in square deviations that sums stand for."""
        return sums.astype(np.float64) * self.unit_squared

    @property
    def unit_squared(self) -> float:
        """What one unit of the score stands for, in square deviations."""
        if self.spec.kind == "peak":
            return self.unit**2 / self.columns
        if self.spec.kind == "mse":
            return self.unit**2 / self.size
        if self.distance is not None:
            return self.distance.unit**2
        return self.level_unit**2 / self.spec.bands

    @property
    def level_unit(self) -> float:
        """What one unit of a band's level stands for, in deviations."""
        return self.unit * self.spec.bands / self.size

    @property
    def title(self) -> str:
        """What the score is, in words."""
        spec, what = self.spec, "differences" if self.rebuilds else "values"
        if spec.kind == "mse":
            of = "between input and output" if self.rebuilds else "of the view"
            return f"the sum of the squared {what} {of}"
        if spec.kind == "peak":
            return f"the largest sum of squared {what} of one of {self.rows} rows"
        means = f"the mean {what} of {spec.bands} bands"
        if spec.memory > 1:
            means += f" over {spec.memory} windows"
        if self.distance is None:
            return f"the sum of the squares of {means}"
        return f"the squared Mahalanobis distance of {means}"

    @property
    def unit_title(self) -> str:
        """What a score of 1 stands for, in words."""
        if self.distance is not None:
            return f"{self.unit_squared:.6g} of a squared Mahalanobis distance"
        error, difference = ("error", "difference") if self.rebuilds else ("value", "value")
        of = {"mse": error, "peak": f"{error} of a row"}.get(
            self.spec.kind, f"{difference} of the bands"
        )
        return f"a mean squared {of} of {self.unit_squared:.6g} square deviations"

    def context(self) -> dict[str, Any]:
        """What the templates print."""
        return {
            **vars(self),
            **vars(self.spec),
            "pooled": self.columns // self.spec.bands if self.spec.is_banded else 1,
            "is_banded": self.spec.is_banded,
            "size": self.size,
            "rebuilds": self.rebuilds,
            "title": self.title,
            "unit_title": self.unit_title,
        }


def _gain_bits(spec: ScoreSpec, rows: int, columns: int) -> int:
    """Return the bits of the largest gain for which no sum overflows."""

    if not spec.is_banded:
        return min((SUM_BITS - _bits(rows * columns)) // 2 - DIFFERENCE_BITS, GAIN_BITS)
    if columns % spec.bands:
        raise ConfigError(
            f"score: {columns} columns of the input do not pool to {spec.bands} bands"
        )
    return _level_bits(spec.bands) - DIFFERENCE_BITS - _bits(rows * columns // spec.bands)


def _level_bits(bands: int) -> int:
    """Return the bits of the largest level for which squares of so many fit into a sum."""
    return min((SUM_BITS - _bits(bands)) // 2, LEVEL_BITS)


def _bits(n: int) -> int:
    """Return by how many bits a sum of n numbers can be larger than they are."""
    return (n - 1).bit_length()


def _remembered(levels: Int64, memory: int, clips: NDArray[Any] | None) -> Int64:
    """Return the running mean of levels [n, bands] within each clip, as the firmware divides."""
    if memory == 1:
        return levels
    means = np.empty_like(levels)
    for i, level in enumerate(levels):
        if i == 0 or (clips is not None and clips[i] != clips[i - 1]):
            seen, mean = 0, np.zeros_like(level)
        seen = min(seen + 1, memory)
        apart = level - mean
        mean = mean + np.sign(apart) * (np.abs(apart) // seen)  # C rounds towards zero
        means[i] = mean
    return means


def _projected(levels: Int64, distance: Distance) -> Int64:
    """Return factor (levels - mean), shifted down; it always fits LEVEL_BITS."""
    apart = levels - np.array(distance.mean, np.int64)
    return (apart @ np.array(distance.factor, np.int64).T) >> distance.shift
