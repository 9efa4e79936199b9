"""From 32-bit sums to int8 in as few instructions as give TensorFlow Lite Micro's result, always.

The reference (``fixed.requantize``) rounds twice::

    x = (sum * m + 2**30) >> 31          half up
    q = clamp(x / 2**r, half away from zero, + zero)

For ``x >= 0`` both roundings are one: ``(sum * m + 2**30 + 2**(30 + r)) >> (31 + r)``. With sums
that carry a factor ``2**k``, ``k >= 2``, in their weights and bias, the two constants are multiples
of ``2**32``, so the whole is a multiply-accumulate of the upper words and one saturating shift.
Where the zero point is the lower clamp, as after a ReLU, negative ``x`` need no care. That is
``FLOOR``. ``LINEAR`` (``k = 1``) has ``x`` from one rounding multiplication of the upper words, and
takes 1 from negative ones, which turns rounding up into rounding away from zero. ``GENERAL`` is the
definition, for multipliers of 1 and more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from outliernets.fixed import INT8_MAX, INT8_MIN, Multiplier

WEIGHT_BITS = 15  #: magnitude of a packed weight
SUM_BITS = 31
MOST_SHIFT = 22  #: a zero point of 8 bits, shifted this far, still leaves a bit of the word


class Form(Enum):
    """How a sum is narrowed."""

    FLOOR = "floor"
    LINEAR = "linear"
    GENERAL = "general"


@dataclass(frozen=True)
class Sums:
    """What the sums of one output channel can be, and how the reference narrows them."""

    widest: int  #: largest magnitude of a sum with its bias
    heaviest: int  #: largest magnitude of a weight
    multiplier: Multiplier


@dataclass(frozen=True)
class Narrowing:
    """The numbers of a form, one per channel; weights and bias carry ``2**scale_bits``."""

    form: Form
    scale_bits: tuple[int, ...]
    multiplier: tuple[int, ...]
    addend: tuple[int, ...]  #: to the upper word; GENERAL: the reference's shift
    shift: tuple[int, ...]  #: to the right, of the saturating instruction
    zero: int
    low: int
    high: int
    why: str = ""  #: why this form and no cheaper one, for people

    @property
    def one_shift(self) -> bool:
        """Whether all channels are shifted alike, so that the shift is part of an instruction."""
        return len(set(self.shift)) == 1

    @property
    def clamps(self) -> bool:
        """Whether the activation's range is narrower than what the form saturates to."""
        if self.form is Form.FLOOR:
            return self.high - self.zero < INT8_MAX - INT8_MIN
        return (self.low, self.high) != (INT8_MIN, INT8_MAX)


def plan(channels: Sequence[Sums], zero: int, low: int, high: int) -> Narrowing:
    """Choose the cheapest form that is exact for sums within their bounds.

    ``zero`` is added to the rounded sum before it is clamped to [low, high].
    """
    multiplier = tuple(c.multiplier.value for c in channels)
    shifts = [-c.multiplier.shift for c in channels]
    room = [_room(c) for c in channels]
    usual = min(shifts) >= 1 and min(multiplier) > 0
    if usual and zero == low:
        total = min(MOST_SHIFT, *(r + k for r, k in zip(shifts, room, strict=True)))
        bits = tuple(total - r for r in shifts)
        if min(bits) >= 2:
            addend = tuple((1 << (k - 2)) + (1 << (total - 2)) for k in bits)
            shift = (total - 1,) * len(bits)
            why = "the zero point is the least value, so two roundings are one"
            return Narrowing(Form.FLOOR, bits, multiplier, addend, shift, zero, low, high, why)
    zeros, ones = (0,) * len(shifts), (1,) * len(shifts)
    if usual and min(room) >= 1 and max(shifts) <= MOST_SHIFT:
        halves = tuple((1 << (r - 1)) + (zero << r) for r in shifts)
        why = "too few bits to spare" if zero == low else "values below the zero point are kept"
        return Narrowing(Form.LINEAR, ones, multiplier, halves, tuple(shifts), zero, low, high, why)
    left = tuple(-r for r in shifts)
    why = _why_general(shifts, multiplier, room)
    return Narrowing(Form.GENERAL, zeros, multiplier, left, zeros, zero, low, high, why)


def _why_general(shifts: Sequence[int], multiplier: Sequence[int], room: Sequence[int]) -> str:
    if min(multiplier) <= 0:
        return "a channel's multiplier is 0"
    if min(shifts) < 1:
        return "a channel's multiplier is 1/2 or more"
    if min(room) < 1:
        return "weights or sums leave no bit to spare"
    return f"a channel is shifted by more than {MOST_SHIFT} bits"


def _room(c: Sums) -> int:
    """Return how many bits weights and sums can be shifted left."""
    for_sums = SUM_BITS - max(c.widest, 1).bit_length()
    return max(0, min(WEIGHT_BITS - c.heaviest.bit_length(), for_sums))
