"""Dense layers for ``firmware/lib/on_bytes.h``: weights four to the word, sums times 256.

The C is exact because Python knows all weights: it proves for every unit that its sums, times 256,
fit a word at the end (on the way they may wrap), or has them added up block by block. Then it takes
the shortest way from these sums to int8 that agrees with TensorFlow Lite Micro's two roundings
(``fixed.requantize``): ``x = (sum * m + 2**30) >> 31``, and ``x / 2**r`` to nearest, halves away
from zero. ``t = 64 + (256 * sum * m >> 32)`` is ``x`` with seven more bits, so with zero point z

* ``FLOOR``, where what is negative is clamped to z, as after a ReLU, and so need not be rounded:
  ``((t >> (r + 6)) + 2 z + 1) >> 1``,
* ``LINEAR``, halves of negative numbers taken care of:
  ``((((t >> 7) + (t >> 31)) >> (r - 1)) + 2 z + 1) >> 1``,
* ``GENERAL``: the definition.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outliernets.fixed import INT8_MAX, INT8_MIN, Multiplier, wrap_int32

Ints = NDArray[np.int64]

EVEN_OFFSET, ODD_OFFSET = 1, 129  #: what ``on_spread`` adds to inputs 0, 2, ... and 1, 3, ...
BLOCK_WORDS = 64  #: sums of 256 inputs, times 256, fit a word whatever they are
SUM_LIMIT = 1 << 23  #: magnitude of sums that fit a word times 256
UNITS = 4  #: computed at a time
FLOOR_SHIFT, LINEAR_SHIFT = 15, 22  #: largest shifts whose constants fit a word


class Form(Enum):
    """How a sum becomes int8."""

    FLOOR = "floor"
    LINEAR = "linear"
    GENERAL = "general"


@dataclass(frozen=True)
class Dense:
    """A dense layer in integers; ``bias`` is of inputs less ``zx``."""

    weights: Ints  #: [unit, input]
    bias: Ints
    multipliers: Sequence[Multiplier]
    zx: int
    zy: int
    low: int
    high: int

    @property
    def is_packable(self) -> bool:
        """Whether 256 * odd + even fits 16 bits; only a weight of -128 can keep it from that."""
        return bool((_halves(self.weights) >= -(1 << 15)).all())

    @property
    def fits(self) -> bool:
        """Whether all sums, times 256, fit a word."""
        smallest, largest = self._sums()
        return bool(smallest.min() >= -SUM_LIMIT and largest.max() < SUM_LIMIT)

    @property
    def blocks(self) -> tuple[int, int]:
        """In how many parts sums are added up, and the words of a unit's weights in each."""
        words = -(-self.weights.shape[1] // 4)
        count = 1 if self.fits else -(-words // BLOCK_WORDS)
        return count, -(-words // count)

    @property
    def form(self) -> Form:
        """The shortest exact way to int8."""
        shifts = [-m.shift for m in self.multipliers]
        if not self.fits or min(shifts) < 1 or max(shifts) > LINEAR_SHIFT:
            return Form.GENERAL
        floor = self.zy == self.low and max(shifts) <= FLOOR_SHIFT
        return Form.FLOOR if floor else Form.LINEAR

    def _sums(self) -> tuple[Ints, Ints]:
        """Return each unit's smallest and largest sum, bias included."""
        least, most = INT8_MIN - self.zx, INT8_MAX - self.zx
        negative, positive = np.minimum(self.weights, 0), np.maximum(self.weights, 0)
        smallest = (negative * most + positive * least).sum(axis=1)
        largest = (negative * least + positive * most).sum(axis=1)
        return smallest + self.bias, largest + self.bias

    def _starts(self) -> Ints:
        """Return the sums to begin with: the bias, and what makes up for the inputs' offsets."""
        even, odd = self.weights[:, 0::2].sum(axis=1), self.weights[:, 1::2].sum(axis=1)
        starts: Ints = self.bias - (self.zx + EVEN_OFFSET) * even - (self.zx + ODD_OFFSET) * odd
        return starts

    def _numbers(self) -> dict[str, Any]:
        """Return what turns sums into int8: constants where units agree, else columns of a table.

        Where units differ in ``bits`` only, these take the low byte of the start, which is free.
        """
        form, starts = self.form, self._starts()
        multipliers = np.array([m.value for m in self.multipliers], np.int64)
        shifts = np.array([m.shift for m in self.multipliers], np.int64)
        bits = {Form.FLOOR: 6 - shifts, Form.LINEAR: -shifts - 1, Form.GENERAL: shifts}[form]
        multiplier, common = _common(multipliers), _common(bits)
        columns = {"sum": wrap_int32(starts << 8 if self.fits else starts)}
        if multiplier is None:
            columns["m"] = multipliers
        if common is None and form is Form.GENERAL:
            columns["b"] = bits
        elif common is None:
            columns["sum"] += bits
        return {
            "form": form.value,
            "per_unit": [name for name in columns if name != "sum"],
            "numbers": _grouped(np.stack(list(columns.values()), axis=1)).tolist(),
            "multiplier": multiplier,
            "bits": common,
            "doubled_zero": 2 * self.zy + 1,
        }

    def context(self) -> dict[str, Any]:
        """What the template needs."""
        units = len(self.weights)
        blocks, words = self.blocks
        groups = [(UNITS, units // UNITS), (1, units % UNITS)]
        return {
            "fits": self.fits,
            "blocks": blocks,
            "words": words,
            "groups": [(wide, count) for wide, count in groups if count],
            "weights": _words(self.weights, blocks * words).tolist(),
            "saturates": (self.low, self.high) == (INT8_MIN, INT8_MAX),
            **self._numbers(),
        }


def _common(values: Ints) -> int | None:
    """Return the value that all are, or None."""
    return int(values[0]) if (values == values[0]).all() else None


def _halves(weights: Ints) -> Ints:
    """Return 256 * odd + even [unit, pair of inputs]."""
    padded = np.pad(weights, ((0, 0), (0, weights.shape[1] % 2)))
    halves: Ints = 256 * padded[:, 1::2] + padded[:, 0::2]
    return halves


def _words(weights: Ints, words: int) -> NDArray[Any]:
    """Return the weights as words, in the order of reading."""
    halves = _halves(weights)
    padded = np.pad(halves, ((0, 0), (0, 2 * words - halves.shape[1]))).astype("<i2")
    return _grouped(padded.view("<i4"))


def _grouped(table: NDArray[Any]) -> NDArray[Any]:
    """Return [unit, column] as [group, column, unit of the group]; what remains is by itself."""
    fours = len(table) // UNITS * UNITS
    groups = table[:fours].reshape(-1, UNITS, table.shape[1]).transpose(0, 2, 1)
    return np.concatenate([groups.ravel(), table[fours:].ravel()])
