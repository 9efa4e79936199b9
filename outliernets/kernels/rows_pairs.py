"""Rows for processors whose registers hold two 16-bit numbers (Armv7E-M), and for plain C.

Python decides here what every loop reads, multiplies and stores; the templates ``rows/*.c.j2``
place it. Rows are kept as int16 less the zero point (``lines``), weights as pairs of int16.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outliernets.graph import Site
from outliernets.kernels import cost
from outliernets.kernels.axis import Axis
from outliernets.kernels.lines import Layout, Line
from outliernets.kernels.narrow import Form, Narrowing
from outliernets.kernels.programs import (
    FARTHEST,
    READ_AHEAD,
    Ending,
    dot_program,
    ending,
    stream_program,
    tap_program,
    tap_reach,
    tap_words,
)
from outliernets.kernels.rows import Rows, Stage, StageNote
from outliernets.kernels.schedule import RECENT, Program, name
from outliernets.ops._convolution import Convolution
from outliernets.ops.conv2d import Conv2D
from outliernets.ops.depthwise_conv2d import DepthwiseConv2D

STREAM_CHANNELS = 24  #: a pointwise stage with more has too many weights for the registers
TILE_SUMS = 4  #: that a tile keeps in registers
_POINTERS = 32  #: bytes of two pointers, and of what a compiler may put between members
SCATTER_PIXELS = 4  #: sums that one turn of a scatter adds to; a row is a multiple of them
UNROLL_PAIRS = 6  #: pairs of channels of one turn of a loop over them, at most
UNROLL = 8  #: outputs of one turn of a loop over pixels, at most


@dataclass(frozen=True)
class RowsPairs(Rows):
    """Rows as pairs of int16."""

    scores_rows = True
    saves_memory = True

    def scratch_bytes(self, site: Site) -> int:
        """Bytes of the line buffers; an upper bound of the C struct's size."""
        passing = self._passing()
        lines = [_line(s).size for i, s in enumerate(self.stages) if i not in passing]
        sums = sum(_sum_bytes(s) for s in self.stages if kind(s) == "scatter")
        total = (
            sum(lines) + 2 * sum(self._passing_sizes()) + sums + 4 * len(self.stages) + _POINTERS
        )
        return -(-total // 16) * 16

    def _passing(self) -> dict[int, int]:
        """Which of the shared rows is in front of a stage, where it is one of them.

        A row that is read as soon as it is made shares its memory with the others of its kind;
        neighbours take turns, for one is made from the other.
        """
        shared: dict[int, int] = {}
        for i, stage in enumerate(self.stages):
            line = _line(stage)
            if line.depth == 1 and stage.rows.taps == 1 and line.left == line.right == 0:
                shared[i] = 1 - shared.get(i - 1, 1)
        return shared

    def _passing_sizes(self) -> list[int]:
        """int16 values of each of the shared rows."""
        sizes: dict[int, int] = {}
        for i, which in self._passing().items():
            sizes[which] = max(sizes.get(which, 0), _line(self.stages[i]).row + 2 * READ_AHEAD)
        return [sizes[which] for which in sorted(sizes)]

    def notes(self) -> tuple[StageNote, ...]:
        """See Rows."""
        return tuple(self._note(i, note) for i, note in enumerate(super().notes()))

    def _note(self, i: int, note: StageNote) -> StageNote:
        stage = self.stages[i]
        chosen, why, buffer = kind(stage), note.why, _line(stage).size
        if isinstance(stage.op, Convolution):
            n = stage.narrowing
            why = (*why, f"narrows by {n.form.name}: {n.why}")
        if i in self._passing():
            why, buffer = (*why, "its row is read at once, and shares memory with others"), 0
        if chosen == "scatter":
            buffer += _sum_bytes(stage)
        return replace(note, kernel=chosen, buffer_bytes=buffer, why=(_WHY[chosen], *why))

    def context(self, site: Site) -> dict[str, Any]:
        """See Op."""
        stages = [self._stage(i) for i in range(len(self.stages))]
        x, y = self.stages[0].site.x, self.stages[-1].site.output
        return {
            "stages": stages,
            "passing": self._passing_sizes(),
            "scratch": self.scratch_bytes(site),
            "source": {
                "width": x.shape[2],
                "channels": x.shape[3],
                "offset": self.stages[0].offset,
                "unroll": _divisor(x.shape[2], 4),
            },
            "rows": y.shape[1],
        }

    def _stage(self, i: int) -> dict[str, Any]:
        stage, line = self.stages[i], _line(self.stages[i])
        last = i + 1 == len(self.stages)
        return {
            "name": _short(stage),
            "kind": kind(stage),
            "comment": f"{stage.op.tflite[0]} {stage.op.title()}: "
            f"{stage.site.x.dims} -> {stage.site.output.dims}",
            "line": self._line_context(i),
            "rows": stage.rows.context(),
            "into": _output(stage) if last else self._into_line(i + 1),
            "before": _short(self.stages[i - 1]) if i else "",
            **_KINDS[kind(stage)](stage, line, 0 if last else self.stages[i + 1].offset),
        }

    def _line_context(self, i: int) -> dict[str, Any]:
        which = self._passing().get(i)
        member = f"{_short(self.stages[i])}_in" if which is None else f"passing{which}"
        return {
            "member": member,
            "passing": which is not None,
            **_line_context(_line(self.stages[i])),
        }

    def _into_line(self, i: int) -> dict[str, Any]:
        offset = self.stages[i].offset
        return {"type": "on_half_t", "final": False, "offset": offset, **self._line_context(i)}


@lru_cache(RECENT)
def kind(stage: Stage) -> str:
    """Return the kernel that is expected to be quickest of those that take least memory."""
    kinds = _kinds(stage)
    if len(kinds) == 1:
        return kinds[0]
    least = min(_bytes(stage, k) for k in kinds)
    return min((k for k in kinds if _bytes(stage, k) <= least), key=lambda k: _estimate(stage, k))


def _kinds(stage: Stage) -> tuple[str, ...]:
    """Return the kernels that can compute a stage."""
    op = stage.op
    if not isinstance(op, Convolution):
        return ("pool",)
    inputs, outputs = stage.channels
    if isinstance(op, DepthwiseConv2D) or inputs == 1:
        return ("taps",)
    assert isinstance(op, Conv2D)
    size = stage.site.inputs[1].shape[1:3]
    plain = op.stride == (1, 1) and op.repeat == (1, 1)
    if size == (1, 1) and plain and inputs <= STREAM_CHANNELS:
        return "stream", "tile"
    if outputs == 1 and size[0] > 1 and plain and stage.columns.outputs % SCATTER_PIXELS == 0:
        return "scatter", "tile"
    return ("tile",)


def _bytes(stage: Stage, chosen: str) -> int:
    """Bytes of rows and sums, without what is only read ahead."""
    line = replace(_line(stage, chosen), right=stage.columns.padding[1])
    return line.size + (_sum_bytes(stage) if chosen == "scatter" else 0)


def _estimate(stage: Stage, chosen: str) -> float:
    """Instructions of all rows, roughly."""
    line = _line(stage, chosen)
    context = {"kind": chosen, **_KINDS[chosen](stage, line, 0)}
    return cost.stage_instructions(_outline(stage, line) | context, stage.rows.outputs)


def _outline(stage: Stage, line: Line) -> dict[str, Any]:
    """What the cost of a stage depends on besides its kernel."""
    return {
        "name": "",
        "line": _line_context(line),
        "rows": stage.rows.context(),
        "into": _output(stage),
    }


#: for people: what is special about a stage that a kernel computes
_WHY = {
    "taps": "kernels slide along one plane each",
    "stream": f"1x1 of at most {STREAM_CHANNELS} channels: an output's weights stay in registers",
    "tile": "sums of neighbouring pixels and channels are made side by side in registers",
    "scatter": "one output channel: a row is added to all sums it is part of, and forgotten",
    "pool": "largest of a few rows",
}


def _divisor(n: int, most: int) -> int:
    """Return the largest divisor of ``n`` up to ``most``."""
    return max(d for d in range(1, most + 1) if n % d == 0)


def _short(stage: Stage) -> str:
    return stage.node.name.split("_")[0]


@lru_cache(RECENT)
def _line(stage: Stage, chosen: str | None = None) -> Line:
    """The buffer in front of a stage."""
    left, right = stage.columns.padding
    chosen = chosen or kind(stage)
    if chosen == "taps":
        right = max(right, _cells_read(stage.columns) - left - stage.columns.source)
    layout = {"taps": Layout.PLANAR, "pool": Layout.PLANAR, "stream": Layout.INTERLEAVED}.get(
        chosen, Layout.PAIRED
    )
    depth = 1 if chosen == "scatter" else stage.rows.taps
    return Line(layout, stage.channels[0], stage.columns.source, left, right, depth)


def _line_context(line: Line) -> dict[str, Any]:
    return {
        "row": line.row,
        "slot": line.slot,
        "total": line.row * line.depth,
        "depth": line.depth,
        "left": line.left,
        "pitch": line.pitch,
        "step": line.step,
        "plane": line.plane,
        "dims": line.dims,
        "width": line.width,
        "layout": line.layout.value,
        "words": line.plane // 2,
    }


def _output(stage: Stage) -> dict[str, Any]:
    _, width, channels = stage.site.output.shape[1:]
    return {
        "type": "int8_t",
        "final": True,
        "offset": 0,
        "row": width * channels,
        "step": channels,
        "plane": 1,
        "layout": "interleaved",
    }


def _narrow_context(n: Narrowing, offset: int) -> dict[str, Any]:
    """How the template ends a sum: the form and its constants."""
    return {
        "form": n.form.value,
        "shift": n.shift[0] if n.one_shift else None,
        "numbers": 3 if n.one_shift else 4,
        "zero": n.zero,
        "low": n.low,
        "high": n.high,
        "clamps": n.clamps,
        "signed": n.form is not Form.FLOOR or offset != n.zero,
        "offset": offset,
    }


def _numbers(stage: Stage, n: Narrowing, offset: int) -> NDArray[np.int64]:
    """Bias, multiplier and addend of each channel, and shift where they differ [channels, .]."""
    addend = np.array(n.addend)
    if n.form is Form.FLOOR and offset != n.zero:
        addend = addend + (n.zero << n.shift[0])
    bias = stage.bias << np.array(n.scale_bits)
    numbers = [bias, np.array(n.multiplier), addend]
    if not n.one_shift:
        numbers.append(np.array(n.shift))
    return np.stack(numbers, axis=1)


def _scaled(weights: NDArray[np.int64], n: Narrowing) -> NDArray[np.int64]:
    """Weights [channels, ...] with the factors of their channels."""
    factors = 1 << np.array(n.scale_bits)
    return weights * factors.reshape(-1, *([1] * (weights.ndim - 1)))


def pack(low: NDArray[np.int64], high: NDArray[np.int64]) -> NDArray[np.int64]:
    """Two int16 as one int32 word."""
    assert max(np.abs(low).max(initial=0), np.abs(high).max(initial=0)) < 2**15
    return ((low & 0xFFFF) | (high << 16)).astype(np.int32).astype(np.int64)


# --- taps: a kernel slides along one plane ------------------------------------------------------


def _turns(axis: Axis) -> tuple[int, range, range]:
    """Return (turns, outputs of a turn, outputs that remain); a turn moves by whole words."""
    group = axis.period * (1 if axis.step % 2 == 0 else 2)
    while group * 2 <= UNROLL:
        group *= 2
    turns = axis.outputs // group
    return turns, range(group), range(turns * group, axis.outputs)


@cache
def _cells_read(axis: Axis) -> int:
    """Cells of a row, with its padding, that the words of all turns cover."""
    turns, turn, rest = _turns(axis)
    moved = turns * len(turn) // axis.period * axis.step
    last = moved - len(turn) // axis.period * axis.step if turns else 0
    reads = [last + 2 * tap_reach(axis, turn)] if turns else []
    reads += [moved + 2 * tap_reach(axis, rest)] if rest else []
    return max(reads)


def _taps(stage: Stage, line: Line, offset: int) -> dict[str, Any]:
    axis, n = stage.columns, stage.narrowing
    turns, turn, rest = _turns(axis)
    inputs, outputs = stage.channels
    words = tap_words(axis)
    tables = [
        np.concatenate([_numbers(stage, n, offset), _tap_table(stage, n, phase, words)], axis=1)
        for phase in range(stage.rows.repeat)
    ]
    return {
        "turns": turns,
        "turn": _tap_program(stage, turn, n, loops=True) if turns else None,
        "turn_outputs": len(turn),
        "advance": len(turn) // axis.period * axis.step // 2,
        "rest": _tap_program(stage, rest, n, loops=False) if rest else None,
        "weights_per_row": len(words),
        "channels": outputs,
        "input_channels": inputs,
        "lift": stage.rows.taps * stage.rows.source,
        "multiplier": outputs // inputs if isinstance(stage.op, DepthwiseConv2D) else 0,
        "table": np.stack(tables).ravel().tolist(),
        "table_channel": tables[0].shape[1],
        "narrow": _narrow_context(n, offset),
    }


def _tap_program(stage: Stage, outputs: range, n: Narrowing, loops: bool) -> Program:
    rows, pitch = stage.rows.taps, _line(stage).pitch // 2
    return tap_program(stage.columns, outputs, rows, pitch, _ending(n), loops)


def _ending(n: Narrowing) -> Ending:
    return ending(n.form.value, n.one_shift)


def _tap_table(
    stage: Stage, n: Narrowing, row_phase: int, words: Iterable[tuple[int, int]]
) -> NDArray[np.int64]:
    """Words [output channel, source row * word], all rows but the last of them twice.

    A ring does not keep its rows in order: the weights of its first slot are those of any row, and
    the others follow.
    """
    columns = []
    for phase, tap in words:
        folded = _scaled(stage.folded(row_phase, phase), n)[..., 0]  # [channel, row, column]
        padded = np.pad(folded, ((0, 0), (0, 0), (0, 1)))
        columns.append(pack(padded[:, :, tap], padded[:, :, tap + 1]))
    table: NDArray[np.int64] = np.stack(columns, axis=2)
    turned = np.concatenate([table, table[:, :-1]], axis=1)
    return turned.reshape(len(table), -1)


# --- stream: 1x1, weights of one output channel in registers ----------------------------------


def _stream(stage: Stage, line: Line, offset: int) -> dict[str, Any]:
    n = stage.narrowing
    weights = _channel_pairs(_scaled(stage.folded(0, 0), n))[:, 0, 0]  # [output, pair]
    width = stage.columns.outputs
    unroll = min(UNROLL, width)
    turns, rest, end = width // unroll, width % unroll, _ending(n)
    turn = stream_program(line.pairs, unroll, end, width > unroll)
    return {
        "pairs": line.pairs,
        "ahead": [name(x) for x in turn.inputs],
        "turn": turn,
        "turns": turns,
        "turn_outputs": unroll,
        "rest": stream_program(line.pairs, rest, end, False) if rest else None,
        "channels": stage.channels[1],
        "table": np.concatenate([weights, _numbers(stage, n, offset)], axis=1).ravel().tolist(),
        "table_channel": line.pairs + (3 if n.one_shift else 4),
        "narrow": _narrow_context(n, offset),
    }


def _channel_pairs(weights: NDArray[np.int64]) -> NDArray[np.int64]:
    """Pack [..., channel] into words [..., pair]."""
    if weights.shape[-1] % 2:
        weights = np.pad(weights, [(0, 0)] * (weights.ndim - 1) + [(0, 1)])
    return pack(weights[..., 0::2], weights[..., 1::2])


# --- tile: some pixels by some output channels at a time ---------------------------------------


@lru_cache(RECENT)
def _tile_shape(stage: Stage) -> tuple[int, int]:
    """Return the (pixels, channels) of a tile that is expected to be quickest."""
    line = _line(stage, "tile")
    rest = {
        "kind": "tile",
        "narrow": _narrow_context(stage.narrowing, 0),
        "table": (),
        "numbers": (),
    }

    def instructions(shape: tuple[int, int]) -> float:
        context = _outline(stage, line) | rest | _tile_loops(stage, line, *shape)
        return cost.stage_instructions(context, stage.rows.outputs)

    return min(_tile_shapes(stage), key=instructions)


def _tile(stage: Stage, line: Line, offset: int) -> dict[str, Any]:
    n, axis = stage.narrowing, stage.columns
    loops = _tile_loops(stage, line, *_tile_shape(stage))
    wide, firsts = loops["wide"], loops["firsts"]
    tables = []
    for row_phase in range(stage.rows.repeat):
        for phase in loops["phases"]:
            folded = stage.folded(row_phase, axis.phase(phase["output"]))
            words = _channel_pairs(_scaled(folded, n))
            # [tile][row][pair][column][output]
            tiles = np.stack([words[f : f + wide] for f in firsts])
            tables.append(tiles.transpose(0, 2, 4, 3, 1).ravel())
    return {
        **loops,
        "table": np.concatenate(tables).tolist(),
        "table_phase": len(tables[0]),
        "table_row": line.pairs * axis.taps * wide,
        "table_tile": len(tables[0]) // len(firsts),
        "numbers": _numbers(stage, n, offset).ravel().tolist(),
        "narrow": _narrow_context(n, offset),
    }


def _tile_counts(axis: Axis) -> list[int]:
    """Pixels of each phase."""
    return [len(range(p, axis.outputs, axis.period)) for p in range(min(axis.period, axis.outputs))]


def _tile_shapes(stage: Stage) -> list[tuple[int, int]]:
    """Return the (pixels, channels) that tiles can have, the largest there are."""
    counts, outputs = _tile_counts(stage.columns), stage.channels[1]
    shapes = [
        (pixels, wide)
        for pixels, wide in product((4, 2, 1), (2, 1))
        if pixels * wide <= TILE_SUMS and pixels <= min(counts) and wide <= outputs
    ]
    most = max(pixels * wide for pixels, wide in shapes)
    return [(pixels, wide) for pixels, wide in shapes if pixels * wide == most]


def _tile_loops(stage: Stage, line: Line, pixels: int, wide: int) -> dict[str, Any]:
    """What the loops of a tile go through."""
    axis, outputs = stage.columns, stage.channels[1]
    counts = _tile_counts(axis)
    return {
        "phases": [{"first": axis.first(p), "count": c, "output": p} for p, c in enumerate(counts)],
        "period": axis.period,
        "whole": all(c % pixels == 0 for c in counts),
        **_tile_program(axis, line, pixels, wide),
        "firsts": [min(o, outputs - wide) for o in range(0, outputs, wide)],
        "channels": outputs,
    }


def _tile_program(axis: Axis, line: Line, pixels: int, wide: int) -> dict[str, Any]:
    """The products of one turn over pairs of channels."""
    reach = (pixels - 1) * axis.step + axis.taps
    words = line.plane // 2
    most = max(1, min(UNROLL_PAIRS, (FARTHEST - reach) // words + 1))
    unroll = _divisor(line.pairs, most)
    loops = line.pairs > unroll
    return {
        "pixels": pixels,
        "wide": wide,
        "step": axis.step,
        "turn": dot_program(pixels, wide, axis.taps, axis.step, words, unroll, loops),
        "turns": line.pairs // unroll,
        "unroll": unroll,
        "turn_words": unroll * words,
    }


# --- scatter: each source row is added to all the sums it belongs to, and forgotten -------------


def _sum_rows(stage: Stage) -> int:
    return stage.rows.kernel


def _sum_bytes(stage: Stage) -> int:
    return 4 * _sum_rows(stage) * stage.columns.outputs


def _scatter(stage: Stage, line: Line, offset: int) -> dict[str, Any]:
    n, axis = stage.narrowing, stage.columns
    words = _channel_pairs(_scaled(stage.folded(0, 0), n))[0]  # [row, column, pair]
    return {
        **_tile_program(axis, line, SCATTER_PIXELS, 1),
        "first": axis.first(0),
        "count": axis.outputs,
        "kernel_rows": stage.rows.kernel,
        "table": words.transpose(0, 2, 1).ravel().tolist(),
        "table_row": line.pairs * axis.taps,
        "numbers": _numbers(stage, n, offset).ravel().tolist(),
        "narrow": _narrow_context(n, offset),
    }


# --- pool ----------------------------------------------------------------------------------------


def _pool(stage: Stage, line: Line, offset: int) -> dict[str, Any]:
    return {
        "channels": stage.channels[1],
        "kernel": (stage.rows.kernel, stage.columns.kernel),
        "stride": stage.columns.stride,
        "count": stage.columns.outputs,
        "offset": offset,
    }


_KINDS = {"taps": _taps, "stream": _stream, "tile": _tile, "scatter": _scatter, "pool": _pool}
