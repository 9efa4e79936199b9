"""Rows for processors with vector registers: sixteen pixels of a channel at a time.

Python decides here what every loop reads, multiplies and stores; the templates ``lanes/*.c.j2``
place it. Rows are planar: channel by channel, so that lanes run along a row. How a number of a row
is kept (``Numbers``) depends on who reads it and on what the processor is good at.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from outliernets.fixed import Multiplier
from outliernets.graph import Site
from outliernets.kernels import scale
from outliernets.kernels.axis import Axis
from outliernets.kernels.rows import Rows, Stage, StageNote
from outliernets.ops._convolution import Convolution
from outliernets.ops._spatial import activation_range
from outliernets.ops.depthwise_conv2d import DepthwiseConv2D

LANES = 16
EIGHT = 8  #: weights in a vector of shorts
MOST_STEP = 4  #: pixels between two lanes, at most, and phases
MOST_TERMS = 64  #: products that make up a sum of a kernel whose taps are written out
MOST_INPUTS = 16  #: channels whose vectors fit the registers
MOST_WEIGHTS = 256  #: products that are written out in one loop over pixels
MOST_SPREAD = 1024  #: weights that are kept sixteen times each
GROUP_WEIGHT = 255  #: sum of weights whose products with bytes add up within 16 bits
FLOAT_BITS = 24
ACCUMULATORS = {"shorts": 4, "floats": 8}  #: vectors of sums that fit the registers
PLANES = 2  #: parts that a row is dealt out to
SHARED_CHANNELS = 2  #: output channels whose shared sums fit the registers
_POINTERS = 32  #: bytes of two pointers, and of what a compiler may put between members


class Numbers(Enum):
    """How the numbers of a row are kept."""

    BYTES = "bytes"  #: int8 as they are
    SHORTS = "shorts"  #: int16, less the zero point
    FLOATS = "floats"  #: float, as they are

    @property
    def size(self) -> int:
        """Bytes of a number."""
        return {"bytes": 1, "shorts": 2, "floats": 4}[self.value]

    @property
    def type(self) -> str:
        """The C type in memory."""
        return {"bytes": "on_byte_t", "shorts": "on_short_t", "floats": "on_float_t"}[self.value]

    def pad(self, zero: int) -> int:
        """What padding is."""
        return 0 if self is Numbers.SHORTS else zero


@dataclass(frozen=True)
class Line:
    """A ring of ``depth`` rows [channel][pitch], and one more row of padding if there is some."""

    numbers: Numbers
    channels: int
    width: int
    left: int
    right: int
    pitch: int
    depth: int
    padded_rows: bool
    pad: int
    planes: int = 1  #: parts of a row: cells are dealt out to them in turn

    @property
    def plane(self) -> int:
        """Numbers in a part of a row of one channel."""
        return self.pitch // self.planes

    def at(self, cell: int) -> int:
        """Where a cell is in its row; the one after ``planes`` cells is next to it."""
        group, plane = divmod(self.left + cell, self.planes)
        return plane * self.plane + group

    @property
    def row(self) -> int:
        """Numbers in a row."""
        return self.channels * self.pitch

    @property
    def rows(self) -> int:
        """Rows in memory."""
        return self.depth + self.padded_rows

    @property
    def size(self) -> int:
        """Bytes."""
        return self.numbers.size * self.row * self.rows

    def context(self, member: str) -> dict[str, Any]:
        """What the template prints."""
        return {
            **vars(self),
            "numbers": self.numbers.value,
            "type": self.numbers.type,
            "member": member,
            "row": self.row,
            "rows": self.rows,
            "plane": self.plane,
            "start": self.at(0),
            "padded": bool(self.left or self.right or self.padded_rows),
        }


@dataclass(frozen=True)
class RowsLanes(Rows):
    """Rows as int8 and int16, multiplied into 16 and 32 bits."""

    scores_rows = True
    alignment: ClassVar[int] = 16
    floats: ClassVar[bool] = False

    def scratch_bytes(self, site: Site) -> int:
        """Bytes of the line buffers; an upper bound of the C struct's size."""
        lines = [self._line(i).size for i in range(len(self.stages))]
        sums = [self._sum_bytes(i) for i in range(len(self.stages))]
        parts = [*lines, *sums, 4 * len(self.stages) + _POINTERS]
        if not self._is_direct():
            parts.append(self.stages[-1].channels[1] * _written(self.stages[-1]))
        return sum(_up(part, self.alignment) for part in parts) + 2 * self.alignment

    def _sum_bytes(self, i: int) -> int:
        """Bytes that are kept between rows beside the lines: sums, and steps between rows."""
        stage = self.stages[i]
        match self._kind(stage):
            case "scatter":
                return 4 * (stage.rows.kernel + 1) * _written(stage)
            case "shared":
                line = self._line(i)
                kept = _up(4 * int(_shared(stage, line)["kept"]), self.alignment)
                return kept + line.numbers.size * line.row
        return 0

    def notes(self) -> tuple[StageNote, ...]:
        """See Rows."""
        return tuple(self._note(i) for i in range(len(self.stages)))

    def _note(self, i: int) -> StageNote:
        stage, line = self.stages[i], self._line(i)
        kind = self._kind(stage)
        why = [f"{_WHY[kind]}; reads rows of {line.numbers.value}"]
        if isinstance(stage.op, Convolution):
            rule = _scale_context(stage, line, kind)["scale"]["rule"]
            why.append(f"scales sums by '{rule}': {_WHY_RULE[rule]}")
        return StageNote(kind, line.size + self._sum_bytes(i), tuple(why))

    def context(self, site: Site) -> dict[str, Any]:
        """See Op."""
        x, y = self.stages[0].site.x, self.stages[-1].site.output
        last = self.stages[-1]
        return {
            "floats": self.floats,
            "alignment": self.alignment,
            "scratch": self.scratch_bytes(site),
            "stages": [self._stage(i) for i in range(len(self.stages))],
            "source": {"width": x.shape[2], "channels": x.shape[3], "zero": x.zero_point},
            "rows": y.shape[1],
            "output": {
                "width": y.shape[2],
                "channels": y.shape[3],
                "direct": self._is_direct(),
                "pitch": _written(last),
                "row": y.shape[2] * y.shape[3],
            },
        }

    def _stage(self, i: int) -> dict[str, Any]:
        stage, line = self.stages[i], self._line(i)
        kind = self._kind(stage)
        own = _KINDS[kind](stage, line)
        if isinstance(stage.op, Convolution):
            own |= _scale_context(stage, line, kind)
        if kind == "scatter":
            own["beginnings"] = [own["scales"][0][0] + unread for unread in own["unread"]]
        return {
            "name": _short(stage),
            "kind": kind,
            "comment": f"{stage.op.tflite[0]} {stage.op.title()}: "
            f"{stage.site.x.dims} -> {stage.site.output.dims}",
            "line": line.context(f"{_short(stage)}_in"),
            "rows": stage.rows.context(),
            "into": self._into(i),
            "before": _short(self.stages[i - 1]) if i else "",
            "channels": stage.channels[1],
            "inputs": stage.channels[0],
            "lanes": LANES * _blocks(stage.columns),
            **own,
        }

    def _into(self, i: int) -> dict[str, Any]:
        """Where a stage's row goes, and how much of the padding after it has to be mended."""
        if i + 1 < len(self.stages):
            line = self._line(i + 1)
            spoilt = min(line.right, _written(self.stages[i]) - line.width)
            return {
                "final": False,
                "mend": max(0, spoilt),
                **line.context(f"{_short(self.stages[i + 1])}_in"),
            }
        pitch = 0 if self._is_direct() else _written(self.stages[i])
        return {"final": True, "mend": 0, "numbers": "bytes", "type": "on_byte_t", "pitch": pitch}

    def _is_direct(self) -> bool:
        """Whether whole vectors of the last stage make up a row of the output."""
        last = self.stages[-1]
        return last.channels[1] == 1 and last.columns.outputs == _written(last)

    def _kind(self, stage: Stage) -> str:
        return _kind(stage, self.floats)

    def _numbers(self, i: int) -> Numbers:
        """How the row in front of a stage is kept; a pool hands on what it reads."""
        if self.floats:
            return Numbers.FLOATS
        stage = self.stages[i]
        if not isinstance(stage.op, Convolution):
            return self._numbers(i + 1) if i + 1 < len(self.stages) else Numbers.BYTES
        if self._kind(stage) in ("taps", "pointwise", "scatter") and _fits_bytes(stage):
            return Numbers.BYTES
        return Numbers.SHORTS

    def _line(self, i: int) -> Line:
        """The buffer in front of a stage."""
        stage, numbers = self.stages[i], self._numbers(i)
        rows, columns = stage.rows, stage.columns
        left, right = columns.padding
        left = _up(left, LANES)
        written = _written(self.stages[i - 1]) if i else 0
        reach = max(columns.source + right, _reach(columns), written)
        kind = self._kind(stage)
        return Line(
            numbers,
            stage.channels[0],
            columns.source,
            left,
            right,
            left + _up(reach, LANES),
            1 if kind == "scatter" else min(rows.taps, rows.source),
            kind != "scatter" and any(rows.padding),
            numbers.pad(stage.site.x.zero_point),
            self._planes(i),
        )

    def _planes(self, i: int) -> int:
        """Parts of a row: an input that every channel reads with a step is dealt out only once."""
        stage = self.stages[i]
        first = i == 0 and stage.channels[0] == 1 and self._kind(stage) == "taps"
        step = stage.columns.step
        dealt = first and step == PLANES and self._numbers(i) is Numbers.BYTES
        return PLANES if dealt and stage.columns.source % (PLANES * LANES) == 0 else 1


class RowsFloats(RowsLanes):
    """Rows as floats, for processors that are best at fused multiply-adds."""

    alignment = 64
    floats = True

    @classmethod
    def kind(cls) -> str:
        """See Op: it is printed by the same template."""
        return RowsLanes.kind()


@lru_cache(maxsize=128)
def _kind(stage: Stage, floats: bool) -> str:
    """Which kernel computes a stage."""
    op, axis = stage.op, stage.columns
    wide = max(axis.step, axis.period) > MOST_STEP
    if not isinstance(op, Convolution):
        return "plain_pool" if wide or stage.columns.kernel > MOST_TERMS else "pool"
    inputs, outputs = stage.channels
    kernel = stage.rows.kernel * stage.columns.kernel
    if wide or _heaviest(stage) >= 2**15 or (floats and _widest(stage) >= 2**FLOAT_BITS):
        return "plain"
    if isinstance(op, DepthwiseConv2D):
        return "taps" if kernel <= MOST_TERMS else "plain"
    plain = op.stride == (1, 1) and op.repeat == (1, 1)
    if inputs == 1 and kernel <= MOST_TERMS:
        return "taps"
    if plain and kernel == 1 and inputs <= MOST_INPUTS and inputs * outputs <= MOST_WEIGHTS:
        return "pointwise"
    if plain and outputs == 1 and stage.rows.kernel > 1 and inputs * kernel <= MOST_WEIGHTS:
        return "scatter"
    return "shared" if not floats and _can_share(stage) else "dots"


def _short(stage: Stage) -> str:
    return stage.node.name.split("_")[0]


def _up(n: int, unit: int) -> int:
    """Return ``n`` rounded up to a multiple of ``unit``."""
    return -(-n // unit) * unit


def _phases(axis: Axis) -> range:
    return range(min(axis.period, axis.outputs))


def _blocks(axis: Axis) -> int:
    """Vectors of one phase of a row of outputs."""
    return -(-axis.outputs // (axis.period * LANES))


def _written(stage: Stage) -> int:
    """Numbers that are stored for a row of one channel: whole vectors of all phases."""
    return _blocks(stage.columns) * LANES * len(_phases(stage.columns))


def _reach(axis: Axis) -> int:
    """Cells from the row's first one that vectors are read from."""
    groups = (axis.first(_phases(axis)[-1]) - axis.first(0) + axis.taps - 1) // axis.step
    return axis.first(0) + (groups + LANES * _blocks(axis)) * axis.step


# --- weights -------------------------------------------------------------------------------------


def _heaviest(stage: Stage) -> int:
    """Largest magnitude of a weight in any phase."""
    return max(int(np.abs(w).max()) for w in _all_folded(stage))


def _widest(stage: Stage) -> int:
    """Largest magnitude of a sum of any kind of numbers, however far it has come."""
    assert isinstance(stage.op, Convolution)
    weights = np.abs(stage.weights).reshape(stage.channels[1], -1).sum(axis=1)
    return int((2 * 128 * weights + np.abs(stage.op.bias(stage.site))).max())


@lru_cache(maxsize=128)
def _fits_bytes(stage: Stage) -> bool:
    """Whether the weights are int8 in every phase, and few enough to be kept sixteen times."""
    folded = _all_folded(stage)
    return _heaviest(stage) <= 127 and sum(w.size for w in folded) <= MOST_SPREAD


def _all_folded(stage: Stage) -> list[NDArray[np.int64]]:
    columns = [stage.columns.phase(p) for p in _phases(stage.columns)]
    return [stage.folded(r, c) for r in range(stage.rows.repeat) for c in columns]


def _tap_count(axis: Axis, phase: int) -> int:
    return int(axis.folding(phase).any(axis=1).sum())


def _groups(weights: NDArray[np.int64], numbers: Numbers) -> list[list[int]]:
    """Split terms [variant, term] into neighbours whose products add up within 16 bits."""
    if numbers is not Numbers.BYTES:
        return [list(range(weights.shape[1]))]
    groups: list[list[int]] = []
    load = np.full(len(weights), GROUP_WEIGHT + 1)
    for term, magnitudes in enumerate(np.abs(weights).T):
        load = load + magnitudes
        if load.max() > GROUP_WEIGHT:
            groups.append([])
            load = magnitudes
        groups[-1].append(term)
    return groups


def _packed(weights: NDArray[np.int64], groups: Sequence[Sequence[int]]) -> list[list[int]]:
    """Put the terms of one variant into as few groups as one finds by taking the heaviest first."""
    order = sorted(range(weights.shape[1]), key=lambda t: -abs(int(weights[0, t])))
    found: list[list[int]] = []
    for term in order:
        for group in found:
            if np.abs(weights[0, [*group, term]]).sum() <= GROUP_WEIGHT:
                group.append(term)
                break
        else:
            found.append([term])
    better = len(found) < len(groups)
    return [sorted(g) for g in found] if better else [list(g) for g in groups]


def _weight_context(values: NDArray[np.int64], numbers: Numbers) -> dict[str, Any]:
    """A table of weights [..., those that are read together]."""
    if numbers is Numbers.SHORTS:
        spare = -values.shape[-1] % EIGHT
        values = np.pad(values, [(0, 0)] * (values.ndim - 1) + [(0, spare)])
    return {
        "weights": values.ravel().tolist(),
        "weights_together": values.shape[-1],
        "weight_vectors": values.shape[-1] // EIGHT,
    }


# --- scaling -------------------------------------------------------------------------------------


def _biases(stage: Stage, numbers: Numbers) -> NDArray[np.int64]:
    """Biases that make up for numbers that are not less their zero point."""
    assert isinstance(stage.op, Convolution)
    weights = stage.weights.reshape(stage.channels[1], -1).sum(axis=1)
    bias: NDArray[np.int64] = (
        stage.op.bias(stage.site) - numbers.pad(stage.site.x.zero_point) * weights
    )
    return bias


def _scale_context(stage: Stage, line: Line, kind: str) -> dict[str, Any]:
    """How sums become numbers of the next row: the rule and a row of constants per channel."""
    op, site = stage.op, stage.site
    assert isinstance(op, Convolution)
    zero = site.output.zero_point
    low, high = activation_range(op.activation, site.output)
    multipliers = op.multipliers(site)
    weights = np.abs(stage.weights).reshape(stage.channels[1], -1).sum(axis=1)
    x = site.x.zero_point
    widest = weights * max(127 - x, x + 128) + np.abs(op.bias(site))
    channels = list(zip(multipliers, widest.tolist(), strict=True))
    biases = _biases(stage, line.numbers).tolist()
    exact = [(m.value, m.shift) for m in multipliers]
    shifts = sorted({-m.shift for m in multipliers})
    common = {"zero": zero, "low": low, "high": high, "shifts": shifts}
    if line.numbers is Numbers.FLOATS and kind != "plain":
        rule, fits = _linear(channels, zero, low, high)
        rows = [
            (b + f.start, _float(f.factor), _float(f.addend), *e)
            for b, f, e in zip(biases, fits, exact, strict=True)
        ]
        return {"scale": {"rule": rule, **common}, "scales": rows}
    integers = [(b, *e) for b, e in zip(biases, exact, strict=True)]
    if all(scale.is_floor(m, w, zero, low, high) for m, w in channels):
        rule = "floor"
    else:
        rule = "away" if all(s < 0 for _, s in exact) else "any"
    return {"scale": {"rule": rule, **common}, "scales": integers}


def _linear(
    channels: Sequence[tuple[Multiplier, int]], zero: int, low: int, high: int
) -> tuple[str, list[scale.Linear]]:
    """The cheapest rule that scales all channels, and its constants."""
    for name, rule in (("linear", scale.fused), ("finely", scale.fine)):
        fits = [scale.linear(m, widest, zero, low, high, rule) for m, widest in channels]
        found = [f for f in fits if f]
        if len(found) == len(fits):
            return name, found
    return "exactly", [scale.Linear(0, 0.0, 0.0)] * len(channels)


def _float(value: float) -> str:
    """A single-precision number as C reads it, exactly."""
    digits, exponent = float(value).hex().split("p")
    return f"{digits.rstrip('0').rstrip('.')}p{exponent}F"


# --- taps: a kernel slides along one plane -------------------------------------------------------


def _loads(axis: Axis, cells: Iterable[int]) -> list[int]:
    """Groups of ``step`` cells, counted from the first output's first one, that hold the cells."""
    return sorted({(cell - axis.first(0)) // axis.step for cell in cells})


def _place(axis: Axis, cell: int) -> tuple[int, int]:
    """The group that holds a cell, and where in it."""
    return divmod(cell - axis.first(0), axis.step)


def _cells(axis: Axis) -> list[list[int]]:
    """The source cells of the first output of each phase."""
    return [
        [axis.first(p) + t for t in range(_tap_count(axis, axis.phase(p)))] for p in _phases(axis)
    ]


def _taps(stage: Stage, line: Line) -> dict[str, Any]:
    if line.numbers is Numbers.SHORTS and _is_doubled(stage.columns) and _has_room(stage):
        return _shared_taps(stage, line)
    axis, rows = stage.columns, stage.rows
    inputs, outputs = stage.channels
    cells = _cells(axis)
    tables = [
        np.concatenate(
            [
                stage.folded(r, axis.phase(p))[:, :, : len(cells[p]), 0].reshape(outputs, -1)
                for p in _phases(axis)
            ],
            axis=1,
        )
        for r in range(rows.repeat)
    ]
    phases, begin = [], 0
    for mine in cells:
        terms = [_operand(axis, line, r, cell) for r in range(rows.taps) for cell in mine]
        own = np.concatenate([t[:, begin : begin + len(terms)] for t in tables])
        phases.append(_grouped(terms, _groups(own, line.numbers), begin))
        begin += len(terms)
    read = sorted({cell for mine in cells for cell in mine})
    dealt = line.planes > 1
    return {
        "loads": [] if dealt else _loads(axis, read),
        "cells": {c - axis.first(0): line.at(c) for c in read} if dealt else {},
        "step": axis.step,
        "first": axis.first(0),
        "shared": [],
        "phases": phases,
        "multiplier": outputs // inputs if isinstance(stage.op, DepthwiseConv2D) else 0,
        **_weight_context(np.stack(tables), line.numbers),
    }


def _shared_taps(stage: Stage, line: Line) -> dict[str, Any]:
    """The same where both phases share products: see ``shared`` below."""
    axis, rows = stage.columns, stage.rows
    inputs, outputs = stage.channels
    vertical = np.stack([rows.folding(r) for r in range(rows.repeat)])
    # [row phase, output, column's share, row]
    table = np.einsum("pry,cx,oyx->pocr", vertical, _SHARES, stage.weights[..., 0])
    both, before, behind = (
        [{"x": f"{name}{r}", "w": share * rows.taps + r} for r in range(rows.taps)]
        for share, name in enumerate(("x", "before", "behind"))
    )
    return {
        "loads": [],
        "cells": {},
        "step": axis.step,
        "first": axis.first(0),
        "shared": [both],
        "phases": [[before], [behind]],
        "multiplier": outputs // inputs if isinstance(stage.op, DepthwiseConv2D) else 0,
        **_weight_context(table.reshape(*table.shape[:2], -1), line.numbers),
    }


def _operand(axis: Axis, line: Line, row: int, cell: int) -> str:
    """The name of the vector that begins with a cell."""
    if line.planes > 1:
        return f"x{row}_{cell - axis.first(0)}"
    group, lane = _place(axis, cell)
    return f"x{row}_{group}.val[{lane}]"


def _grouped(
    terms: Sequence[str], groups: Sequence[Sequence[int]], begin: int
) -> list[list[dict[str, Any]]]:
    """Name what each group of terms multiplies, and its weights by number."""
    return [[{"x": terms[t], "w": begin + t} for t in group] for group in groups]


# --- pointwise: all channels of sixteen pixels in registers --------------------------------------


def _pointwise(stage: Stage, line: Line) -> dict[str, Any]:
    weights = stage.weights[:, 0, 0]  # [output, input]
    sums = []
    for o in range(len(weights)):
        groups = _groups(weights[o : o + 1], line.numbers)
        if line.numbers is Numbers.BYTES:
            groups = _packed(weights[o : o + 1], groups)
        sums.append([[{"x": f"x{t}", "w": t} for t in group] for group in groups])
    return {"sums": sums, **_weight_context(weights, line.numbers)}


# --- scatter: each source row is added to all the sums it belongs to, and forgotten --------------


def _scatter(stage: Stage, line: Line) -> dict[str, Any]:
    axis, rows = stage.columns, stage.rows
    weights = stage.weights[0].transpose(2, 0, 1)  # [channel, row, column]
    by_row = weights.transpose(1, 0, 2).reshape(rows.kernel, -1)
    ends = []
    for mine in by_row:
        groups = _groups(mine[None], line.numbers)
        ends.append({"first": {g[0] for g in groups}, "last": {g[-1] for g in groups}})
    steps = [
        [
            {
                "row": k,
                "column": t,
                "w": k * axis.kernel + t,
                "opens": c * axis.kernel + t in ends[k]["first"],
                "closes": c * axis.kernel + t in ends[k]["last"],
            }
            for k in range(rows.kernel)
            for t in range(axis.kernel)
        ]
        for c in range(len(weights))
    ]
    return {
        "steps": steps,
        "kernel_rows": rows.kernel,
        "columns": axis.kernel,
        "first": axis.first(0),
        "unread": _unread(rows, line.pad, by_row.sum(axis=1)),
        **_weight_context(weights.reshape(len(weights), -1), line.numbers),
    }


def _unread(rows: Axis, pad: int, weights: NDArray[np.int64]) -> list[int]:
    """What rows of padding, which are never read, would add to the sums of each output row."""
    first = np.arange(rows.outputs + rows.kernel) - rows.before
    source = np.add.outer(first, np.arange(rows.kernel))
    there = (source >= 0) & (source < rows.source)
    sums: list[int] = (pad * (~there * weights).sum(axis=1)).tolist()
    return sums


# --- dots: some output channels at a time, all input channels ------------------------------------


def _dots(stage: Stage, line: Line) -> dict[str, Any]:
    axis, rows = stage.columns, stage.rows
    outputs = stage.channels[1]
    cells = _cells(axis)
    wide = max(1, min(outputs, ACCUMULATORS[line.numbers.value] // len(cells)))
    firsts = [min(o, outputs - wide) for o in range(0, outputs, wide)]
    tables = []
    for r in range(rows.repeat):
        taken = [stage.folded(r, axis.phase(p))[:, :, : len(mine)] for p, mine in enumerate(cells)]
        # [output, row, column of every phase, channel]
        every = np.concatenate(taken, axis=2)
        tiles = np.stack([every[f : f + wide] for f in firsts])
        tables.append(tiles.transpose(0, 2, 4, 1, 3))  # [tile, row, channel, output, column]
    table = np.stack(tables)
    table = table.reshape(*table.shape[:4], -1)
    products, w = [], 0
    for o in range(wide):
        for p, mine in enumerate(cells):
            for cell in mine:
                group, lane = _place(axis, cell)
                products.append({"sum": f"s{o}_{p}", "x": f"x{group}.val[{lane}]", "w": w})
                w += 1
    weights = _weight_context(table, line.numbers)
    return {
        "loads": _loads(axis, [c for mine in cells for c in mine]),
        "step": axis.step,
        "first": axis.first(0),
        "phases": list(range(len(cells))),
        "period": axis.period,
        "wide": wide,
        "firsts": firsts,
        "products": products,
        "weights_tile": rows.taps * stage.channels[0] * weights["weights_together"],
        **weights,
    }


# --- shared: a map is doubled both ways, and nine products make four sums ------------------------
#
# Where a kernel of three cells a, b, c slides along a doubled axis, two neighbouring outputs are
# made of a source cell x, the one before it and the one behind it:
#
#     a before + (b + c) x = (a + b + c) x - a (x - before)
#     (a + b) x + c behind = (a + b + c) x + c (behind - x)
#
# They share the first product. The same goes for rows: what two output rows share is kept.

#: the weights of x, of its step from the cell before and of the step behind it, by kernel cells
_SHARES = np.array([[1, 1, 1], [-1, 0, 0], [0, 0, 1]])


def _is_doubled(axis: Axis) -> bool:
    """Whether two outputs of a doubled axis are made as above."""
    return (axis.repeat, axis.kernel, axis.stride, axis.before % 2) == (2, 3, 1, 1)


def _has_room(stage: Stage) -> bool:
    """Whether sums fit, with products of differences of differences on the way."""
    return 4 * _widest(stage) < 2**31


def _can_share(stage: Stage) -> bool:
    return _is_doubled(stage.rows) and _is_doubled(stage.columns) and _has_room(stage)


def _shared(stage: Stage, line: Line) -> dict[str, Any]:
    outputs = stage.channels[1]
    wide = min(outputs, SHARED_CHANNELS)
    firsts = [min(o, outputs - wide) for o in range(0, outputs, wide)]
    # [output, row's share, column's share, channel]
    every = np.einsum("ry,cx,oyxi->orci", _SHARES, _SHARES, stage.weights)
    tiles = np.stack([every[f : f + wide] for f in firsts])
    table = tiles.transpose(0, 2, 4, 1, 3)  # [tile, row's, channel, output, column's]
    weights = _weight_context(table.reshape(*table.shape[:3], -1), line.numbers)
    kept_tile = 2 * wide * LANES * _blocks(stage.columns)
    return {
        "first": stage.columns.first(0),
        "wide": wide,
        "firsts": firsts,
        "row": line.row,
        "weights_row": stage.channels[0] * weights["weights_together"],
        "weights_tile": table[0, :, :, 0, 0].size * weights["weights_together"],
        "kept": kept_tile * len(firsts),
        "kept_tile": kept_tile,
        **weights,
    }


# --- pool ----------------------------------------------------------------------------------------


def _pool(stage: Stage, line: Line) -> dict[str, Any]:
    axis = stage.columns
    return {
        "step": axis.stride,
        "first": 0,
        "loads": _loads(axis, range(axis.kernel)),
        "places": [f"x{g}.val[{i}]" for g, i in (_place(axis, c) for c in range(axis.kernel))],
        "kernel": (stage.rows.kernel, axis.kernel),
        "outputs": axis.outputs,
    }


# --- plain: whatever no vector kernel is made for, number by number ------------------------------


def _plain(stage: Stage, line: Line) -> dict[str, Any]:
    axis, rows = stage.columns, stage.rows
    inputs, outputs = stage.channels
    tables = [[stage.folded(r, axis.phase(p)) for p in _phases(axis)] for r in range(rows.repeat)]
    table = np.array(tables)  # [row phase, phase, output, row, column, channel or 1]
    return {
        "depthwise": isinstance(stage.op, DepthwiseConv2D),
        "multiplier": max(1, outputs // inputs),
        "phases": [
            {"first": axis.first(p), "count": len(range(p, axis.outputs, axis.period))}
            for p in _phases(axis)
        ],
        "period": axis.period,
        "step": axis.step,
        "taps": axis.taps,
        "kernel": (rows.taps, axis.taps),
        "weights_phase": int(table[0, 0].size),
        **_weight_context(table.reshape(1, -1), Numbers.FLOATS),
    }


_KINDS = {
    "taps": _taps,
    "pointwise": _pointwise,
    "scatter": _scatter,
    "dots": _dots,
    "shared": _shared,
    "pool": _pool,
    "plain": _plain,
    "plain_pool": _pool,
}

_WHY = {
    "taps": "the kernel's products are few enough to be written out",
    "pointwise": "all channels of sixteen pixels fit the registers",
    "scatter": "one output channel: a source row is added to all sums it belongs to",
    "dots": "too many products to be written out: source channel by channel",
    "shared": "its map is doubled both ways: nine products make four sums, two rows share some",
    "pool": "windows of vectors",
    "plain": "no vector kernel is made for its steps or sums: number by number",
    "plain_pool": "no vectors are read with its steps: number by number",
}
_WHY_RULE = {
    "floor": "what is below the zero point is clamped, so halves may go up",
    "away": "halves of negative sums go down",
    "any": "some channel grows, or is not scaled down",
    "linear": "one fused multiply-add was found that is exact for every sum",
    "finely": "one fused multiply-add has too few bits, two have enough",
    "exactly": "no fused multiply-add is exact",
}
