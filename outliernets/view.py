"""What a detector looks at of each window: all of it, pooled frames, or statistics of its bands.

A view has a float form, for learning, and an integer twin of ``on_view.c``, for the device.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outliernets.errors import ConfigError, near_miss

Floats = NDArray[np.float64]
Windows = NDArray[np.float32]  #: [n, frames, bands], standardised

STATISTICS = ("mean", "deviation", "maximum")
SPREAD = 6.0  #: a fitted view covers this many times the root mean square of what it learned
MIN_SPREAD = 0.05  #: of a view that hardly varies
BLOCK = 1024  #: windows looked at in one go
ROOT_BITS = 3  #: fraction bits of frames * deviation
GAIN_BITS = 20  #: fraction bits of the gains
MAX_FRAMES = 64  #: frames * squares, with their fraction bits, fit 32 bits
PLURALS = {"mean": "means", "deviation": "deviations", "maximum": "maxima"}
_KEPT = {"mean": ("sums",), "deviation": ("sums", "squares"), "maximum": ("maxima",)}


@dataclass(frozen=True)
class Part:
    """One statistic over the window's time; neighbours are averaged so that ``bands`` remain."""

    statistic: str
    bands: int
    weight: float = 1.0  #: of these numbers beside those of other parts


@dataclass(frozen=True)
class ViewSpec:
    """What is looked at: ``parts``, or without any the window, ``pool`` frames averaged to one.

    Of a window only the last ``frames`` and the ``bands`` from the first to before the second may
    be looked at; None: all.
    """

    pool: int = 1
    parts: tuple[Part, ...] = ()
    frames: int | None = None
    bands: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if self.pool not in (1, 2, 4, 8):
            raise ConfigError(f"view: pool = {self.pool} is not possible; give 1, 2, 4 or 8")
        if self.parts and self.pool != 1:
            raise ConfigError("view: give either pool or statistics, not both")
        low, high = self.bands or (0, 4)
        if not 0 <= low < high or low % 4 or high % 4:
            raise ConfigError(
                f"view: bands = [{low}, {high}] is not possible; "
                "give multiples of 4, the lower first"
            )
        for part in self.parts:
            if part.statistic not in STATISTICS:
                raise ConfigError(
                    f"view: unknown statistic '{part.statistic}'; "
                    f"{near_miss(part.statistic, STATISTICS)}"
                )
            if not 0 < part.weight <= 16:
                raise ConfigError(
                    f"view: weight = {part.weight:g} of {part.statistic} is not possible; "
                    "give more than 0, at most 16"
                )

    @property
    def is_window(self) -> bool:
        """Whether it is all of a window."""
        return self.is_whole and not self.parts and self.pool == 1

    @property
    def is_whole(self) -> bool:
        """Whether all frames and bands are looked at."""
        return self.frames is None and self.bands is None

    def extent(self, frames: int, bands: int) -> tuple[int, int, int]:
        """Return how many frames of a window come before what is looked at, and which bands are.

        Raise ConfigError if the window is smaller.
        """
        looked = frames if self.frames is None else self.frames
        low, high = self.bands or (0, bands)
        if not 0 < looked <= frames or high > bands:
            raise ConfigError(
                f"view: {looked} frames and bands {low} to {high} of windows of {frames} x {bands}"
            )
        return frames - looked, low, high

    def shape(self, frames: int, bands: int) -> tuple[int, int]:
        """Return (rows, columns) of the view of a window; ConfigError if it does not divide."""
        skip, low, high = self.extent(frames, bands)
        frames, bands = frames - skip, high - low
        for part in self.parts:
            if part.bands < 1 or bands % part.bands:
                raise ConfigError(
                    f"view: {bands} bands do not pool to {part.bands} of {part.statistic}"
                )
        if frames % self.pool or (not self.is_window and frames > MAX_FRAMES):
            raise ConfigError(
                f"view: windows of {frames} frames; needs a multiple of {self.pool}, "
                f"at most {MAX_FRAMES}"
            )
        if self.parts:
            return 1, sum(part.bands for part in self.parts)
        return frames // self.pool, bands

    def raw(self, windows: Windows) -> Floats:
        """Return the view of each window, [n, rows, columns], before it is centred or clipped."""
        n, frames, bands = windows.shape
        rows, columns = self.shape(frames, bands)
        skip, low, high = self.extent(frames, bands)
        windows = windows[:, skip:, low:high]
        if not self.parts:
            return np.asarray(
                windows.reshape(n, rows, self.pool, columns).mean(axis=2, dtype=float)
            )
        return np.concatenate([_statistic(part, windows) for part in self.parts], axis=1)[:, None]

    def fit(self, windows: Windows, clip_sigma: float) -> "View":
        """Return the view with what it learns from training windows.

        Statistics are centred, and cover SPREAD times their root mean square; windows keep the
        +- ``clip_sigma`` that they are clipped to already.
        """
        if not self.parts:
            return View(self, None, clip_sigma)
        values = np.concatenate(
            [self.raw(windows[i : i + BLOCK]) for i in range(0, len(windows), BLOCK)]
        )
        centre = values.mean(axis=0)[0]
        spread = float(np.sqrt(np.mean((values - centre) ** 2)))
        return View(self, tuple(centre.tolist()), SPREAD * max(spread, MIN_SPREAD))


def _statistic(part: Part, windows: Windows) -> Floats:
    """Return [n, bands] of one part, weighted."""
    if part.statistic == "mean":
        values = windows.mean(axis=1, dtype=np.float64)
    elif part.statistic == "deviation":
        values = windows.std(axis=1, dtype=np.float64)
    else:
        values = windows.max(axis=1).astype(np.float64)
    pooled = values.reshape(len(values), part.bands, -1).mean(axis=2)
    return np.asarray(part.weight * pooled)


@dataclass(frozen=True)
class View:
    """A view that has learned its centre; its values are clipped to +- ``limit``."""

    spec: ViewSpec
    centre: tuple[float, ...] | None  #: [columns] of statistics; None: nothing is subtracted
    limit: float

    def apply(self, windows: Windows) -> Windows:
        """Return what the network reads of each window, [n, rows, columns]."""
        if self.spec.is_window:
            return windows  # clipped already, and perhaps too many to be copied
        parts = [self._applied(windows[i : i + BLOCK]) for i in range(0, len(windows), BLOCK)]
        return np.concatenate(parts) if parts else self._applied(windows)

    def _applied(self, windows: Windows) -> Windows:
        values = self.spec.raw(windows)
        if self.centre is not None:
            values = values - np.array(self.centre)
        clipped: Windows = np.clip(values, -self.limit, self.limit).astype(np.float32)
        return clipped

    def to_dict(self) -> dict[str, Any]:
        """Return the learned numbers as JSON-like data."""
        return {"centre": self.centre and list(self.centre), "limit": self.limit}

    @classmethod
    def from_dict(cls, spec: ViewSpec, data: dict[str, Any]) -> "View":
        """Rebuild what ``to_dict`` returned."""
        centre = data["centre"]
        return cls(spec, None if centre is None else tuple(map(float, centre)), data["limit"])


@dataclass(frozen=True)
class PartPlan:
    """Integers of one statistic: element i is ``(gain * sum + offset[i]) >> GAIN_BITS``.

    ``sum`` is over the ``pooled`` bands of an element: of sums over time, of roots of
    ``frames * sum of squares - square of sum`` with ROOT_BITS fraction bits, or of maxima.
    """

    statistic: str
    bands: int
    pooled: int
    gain: int
    offset: tuple[int, ...]


@dataclass(frozen=True)
class ViewPlan:
    """The view in integers: from int8 rows of the front end to the network's int8 input."""

    frames: int  #: of a window
    bands: int  #: of a row
    pool: int
    parts: tuple[PartPlan, ...]
    skip: int  #: frames of a window that come before those that are looked at
    low: int  #: first band that is looked at
    high: int  #: first behind them that is not

    @classmethod
    def make(
        cls,
        view: View,
        frames: int,
        bands: int,
        row: tuple[float, int],
        network: tuple[float, int],
    ) -> "ViewPlan":
        """Compute it; ``row`` and ``network`` are (scale, zero point) of rows and input.

        A view of whole rows is copied, so there both have to be equal.
        """
        view.spec.shape(frames, bands)
        skip, low, high = view.spec.extent(frames, bands)
        parts, first = [], 0
        for part in view.spec.parts:
            centre = view.centre[first : first + part.bands] if view.centre else (0.0,) * part.bands
            parts.append(_part_plan(part, centre, frames - skip, high - low, row, network))
            first += part.bands
        return cls(frames, bands, view.spec.pool, tuple(parts), skip, low, high)

    @classmethod
    def whole(cls, frames: int, bands: int) -> "ViewPlan":
        """Return the view of all of a window, as it is."""
        return cls(frames, bands, 1, (), 0, 0, bands)

    @property
    def is_window(self) -> bool:
        """Whether the network reads the rows themselves."""
        return not self.parts and self.pool == 1 and self.seen == (self.frames, self.bands)

    @property
    def seen(self) -> tuple[int, int]:
        """Frames and bands that are looked at."""
        return self.frames - self.skip, self.high - self.low

    @property
    def size(self) -> int:
        """Values that the network reads."""
        if self.parts:
            return sum(part.bands for part in self.parts)
        frames, bands = self.seen
        return frames // self.pool * bands

    def apply(self, rows: NDArray[np.int8]) -> NDArray[np.int8]:
        """Return the network's input [n, size] of windows of rows [n, frames * bands]."""
        whole = rows.reshape(-1, self.frames, self.bands)
        q = whole[:, self.skip :, self.low : self.high].astype(np.int64)
        if not self.parts:
            sums = q.reshape(len(q), -1, self.pool, q.shape[2]).sum(axis=2)
            means = (2 * sums + self.pool) // (2 * self.pool)  # to nearest, halves up
            return np.asarray(means.reshape(len(q), -1), np.int8)
        return np.concatenate([_part_values(part, q) for part in self.parts], axis=1)

    @property
    def title(self) -> str:
        """What the network reads, in words."""
        frames, bands = self.seen
        rows, of = f"{frames // self.pool} x {bands}", f"{frames} frames"
        if self.skip:
            of = f"the last {frames} of {self.frames} frames"
        if bands < self.bands:
            of += f", bands {self.low} to {self.high - 1}"
        if self.is_window:
            return f"a window of {rows}"
        if self.parts:
            parts = ", ".join(f"{part.bands} {PLURALS[part.statistic]}" for part in self.parts)
            return f"{self.size} statistics of {of}: {parts}"
        return f"{rows}: each the mean of {self.pool} of {of}" if self.pool > 1 else f"{rows}: {of}"

    def context(self) -> dict[str, Any]:
        """What the templates print."""
        kept = {name for part in self.parts for name in _KEPT[part.statistic]}
        return {
            "frames": self.frames,
            "bands": self.bands,
            "room": (self.bands + 3) & -4,  # the firmware takes bands in fours
            "skip": self.skip,
            "low": self.low,
            "seen_frames": self.seen[0],
            "seen_bands": self.seen[1],
            "seen_room": (self.seen[1] + 3) & -4,
            "pool": self.pool,
            "pool_bits": self.pool.bit_length() - 1,
            "size": self.size,
            "title": self.title,
            "is_window": self.is_window,
            "kept": kept if self.parts else {"sums"},
            "parts": [vars(part) for part in self.parts],
        }


def _part_plan(
    part: Part,
    centre: tuple[float, ...],
    frames: int,
    bands: int,
    row: tuple[float, int],
    network: tuple[float, int],
) -> PartPlan:
    pooled = bands // part.bands
    units = {"mean": frames, "deviation": frames << ROOT_BITS, "maximum": 1}[part.statistic]
    step = part.weight * row[0] / (pooled * units)  # of the sum
    # a deviation does not know the rows' zero point
    zero = 0.0 if part.statistic == "deviation" else part.weight * row[0] * row[1]
    one = 1 << GAIN_BITS
    gain = round(one * step / network[0])
    offset = [math.floor(one * (network[1] - (c + zero) / network[0] + 0.5)) for c in centre]
    if not 0 < gain < 1 << 31 or max(map(abs, offset)) >= 1 << 31:
        raise ConfigError(
            f"view: {part.statistic} with weight {part.weight:g} does not fit the network's input "
            f"of +-{128 * network[0]:.3g}; give the parts more even weights"
        )
    return PartPlan(part.statistic, part.bands, pooled, gain, tuple(offset))


def _part_values(part: PartPlan, q: NDArray[np.int64]) -> NDArray[np.int8]:
    if part.statistic == "mean":
        values = q.sum(axis=1)
    elif part.statistic == "maximum":
        values = q.max(axis=1)
    else:
        values = _roots(q.shape[1] * (q * q).sum(axis=1) - q.sum(axis=1) ** 2)
    sums = values.reshape(len(q), part.bands, part.pooled).sum(axis=2)
    wide = (sums * part.gain + np.array(part.offset)) >> GAIN_BITS
    return np.asarray(np.clip(wide, -128, 127), np.int8)


def _roots(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return floor(sqrt(values * 4 ** ROOT_BITS)); exact, as the products fit float64 exactly."""
    return np.floor(np.sqrt((values << (2 * ROOT_BITS)).astype(np.float64))).astype(np.int64)
