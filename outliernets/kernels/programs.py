"""What one turn of an inner loop does, step by step: the loops of ``rows_pairs``.

The steps are in an order that needs few registers; ``schedule`` makes of it one that takes few
cycles.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import count

from outliernets.kernels.axis import Axis
from outliernets.kernels.schedule import RECENT, REGISTERS, Operand, Program, Step, Value

FARTHEST = 1023  #: words, beyond which an address is not part of a load
READ_AHEAD = 2  #: words of a row that ``stream`` reads before it needs them
RELOAD = 2  #: instructions that it is worth to read a constant again in every turn, roughly
TOGETHER = (1, 2, 4, 8)  #: outputs of ``taps`` whose sums are made side by side


@dataclass(frozen=True)
class Ending:
    """How a sum becomes a value of the next row: constants of its product and of what follows."""

    multiplier: tuple[str, ...]  #: empty if there is no product before the end
    addend: str | None
    last: tuple[str, ...]

    def steps(self, total: Value, product: Value, at: int) -> Iterator[Step]:
        """Yield the steps that store a sum at ``at``."""
        if self.multiplier:
            yield Step("multiply", (product,), (total, *self.multiplier), self.addend)
            total = product
        yield Step("out", (), (total, *self.last), pointer="out", at=at)


ENDINGS = {
    "floor": Ending(("multiplier",), "addend", ()),
    "linear": Ending(("multiplier",), None, ("addend",)),
    "general": Ending((), None, ("multiplier", "addend")),
}


def ending(form: str, one_shift: bool) -> Ending:
    """Return how a form of narrowing ends a sum; channels may have a shift of their own."""
    end = ENDINGS[form]
    shifted = form != "general" and not one_shift
    return replace(end, last=(*end.last, "shift")) if shifted else end


def _values(kind: str) -> Iterator[Value]:
    return (Value(kind, i) for i in count())


def _fitting(program: Program, pointers: int) -> Program:
    """Return a program with the registers that constants and pointers leave.

    ``pointers`` are those that no step uses.
    """
    return replace(program, registers=REGISTERS - len(program.constants) - pointers)


# --- taps: a kernel slides along one plane ------------------------------------------------------


@dataclass(frozen=True)
class Term:
    """One product of pairs: a word of a row, or what straddles two, by a word of weights."""

    word: int
    straddles: bool  #: the pair is the high half of ``word`` and the low half of the next
    exchanged: bool
    weight: int


def tap_words(axis: Axis) -> list[tuple[int, int]]:
    """Return (phase, first tap) of each word of weights of one source row."""
    phases = dict.fromkeys(axis.phase(o) for o in range(min(axis.period, axis.outputs)))
    return [(p, t) for p in phases for t in range(0, _tap_count(axis, p), 2)]


@lru_cache(RECENT)
def _tap_count(axis: Axis, phase: int) -> int:
    return int(axis.folding(phase).any(axis=1).sum())


def tap_terms(axis: Axis, outputs: Sequence[int]) -> list[list[Term]]:
    """Return the products of neighbouring outputs; words count from the first one's first."""
    index = {key: i for i, key in enumerate(tap_words(axis))}
    origin = axis.first(outputs[0])
    terms = []
    for output in outputs:
        phase, start = axis.phase(output), axis.first(output) - origin
        taps = _tap_count(axis, phase)
        cells = ((tap, start + tap) for tap in range(0, taps, 2))
        terms.append(
            [
                Term(c // 2, c % 2 == 1 and t + 1 < taps, c % 2 == 1, index[phase, t])
                for t, c in cells
            ]
        )
    return terms


def tap_reach(axis: Axis, outputs: Sequence[int]) -> int:
    """Return how many words of a row the outputs read."""
    terms = (term for some in tap_terms(axis, outputs) for term in some)
    return max(term.word + 1 + term.straddles for term in terms)


@lru_cache(RECENT)
def tap_program(
    axis: Axis, outputs: range, rows: int, pitch: int, end: Ending, loops: bool
) -> Program:
    """Return the program of neighbouring outputs; ``pitch`` is words to the next source row.

    Words that several outputs read are kept or read again, and sums are made one by one or side by
    side: what takes the fewest instructions with the registers there are.
    """
    terms = tap_terms(axis, outputs)
    turn = _Turn(rows, pitch, len(tap_words(axis)), end)
    programs = [
        _fitting(Program(tuple(turn.steps(terms, together, keep))), int(loops))
        for together in TOGETHER
        for keep in (False, True)
        if together <= len(terms)
    ]
    return min(programs, key=lambda p: (len(p.steps) + RELOAD * p.reloads(int(loops)), p.held))


@dataclass(frozen=True)
class _Turn:
    """What all outputs of a turn have in common."""

    rows: int
    pitch: int
    weights: int  #: words of weights of a row
    end: Ending

    def steps(self, terms: Sequence[Sequence[Term]], together: int, keep: bool) -> Iterator[Step]:
        """Yield the steps of outputs, so many together; words are kept from some to the next."""
        sums, words = _values("sum"), _Words(self.pitch)
        for first in range(0, len(terms), together):
            some = terms[first : first + together]
            if not keep:
                words.forget()
            totals: list[Operand] = ["bias"] * len(some)
            for row in range(self.rows):
                for i, term in ((i, t) for i, output in enumerate(some) for t in output):
                    yield from words.read(row, term)
                    kind, weight = ("dotx" if term.exchanged else "dot"), row * self.weights
                    x, total = words.pair(row, term), next(sums)
                    yield Step(kind, (total,), (x, f"w{weight + term.weight}"), totals[i])
                    totals[i] = total
            for i, end in enumerate(totals):
                assert isinstance(end, Value)
                yield from self.end.steps(end, next(sums), first + i)


class _Words:
    """Words of rows, and pairs that straddle two, that were read and not forgotten."""

    def __init__(self, pitch: int) -> None:
        self._pitch = pitch
        self._values = _values("x")
        self._known: dict[tuple[int, int, bool], Value] = {}

    def forget(self) -> None:
        """Read all words again."""
        self._known.clear()

    def pair(self, row: int, term: Term) -> Value:
        """Return what a term multiplies, after it was read."""
        return self._known[row, term.word, term.straddles]

    def read(self, row: int, term: Term) -> Iterator[Step]:
        """Yield the steps that read what a term multiplies, and is not known."""
        if (row, term.word, term.straddles) in self._known:
            return
        for word in range(term.word, term.word + 1 + term.straddles):
            if (row, word, False) not in self._known:
                x = self._known[row, word, False] = next(self._values)
                yield load(x, "r", row * self._pitch + word)
        if term.straddles:
            both = tuple(self._known[row, term.word + i, False] for i in (0, 1))
            x = self._known[row, term.word, True] = next(self._values)
            yield Step("straddle", (x,), both)


def load(x: Value, pointer: str, at: int) -> Step:
    """Return the step that reads a word."""
    return Step("word" if at <= FARTHEST else "far", (x,), pointer=pointer, at=at)


# --- stream: pixels pass the weights of one channel ---------------------------------------------


@lru_cache(RECENT)
def stream_program(pairs: int, pixels: int, end: Ending, loops: bool) -> Program:
    """Return the program of some pixels, whose first words were read.

    Words are read ahead: in a loop for the next turn, otherwise only as far as there are any.
    """
    words = [Value("x", i) for i in range(pixels * pairs + (READ_AHEAD if loops else 0))]
    ahead = min(READ_AHEAD, len(words))

    def steps() -> Iterator[Step]:
        sums, unread = _values("sum"), iter(words[ahead:])
        for pixel in range(pixels):
            total: Operand = "bias"
            for pair in range(pairs):
                yield from _next(unread)
                made = next(sums)
                yield Step("dot", (made,), (words[pixel * pairs + pair], f"w{pair}"), total)
                total = made
            assert isinstance(total, Value)
            yield from end.steps(total, next(sums), pixel)

    outputs = tuple(words[pixels * pairs :])
    return _fitting(Program(tuple(steps()), tuple(words[:ahead]), outputs), int(loops))


def _next(unread: Iterator[Value]) -> Iterator[Step]:
    """Yield the step that reads the next word, if there is one."""
    for x in unread:
        yield Step("next", (x,), pointer="in")
        return


# --- dots: pixels by channels, sums stay in registers -------------------------------------------


@lru_cache(RECENT)
def dot_program(
    pixels: int, wide: int, taps: int, step: int, words: int, pairs: int, loops: bool
) -> Program:
    """Return the program of ``pairs`` pairs of channels, which lie ``words`` words apart.

    ``sum{p * wide + o}`` is that of pixel p and output o; each pixel reads ``taps`` words, ``step``
    behind those of the one before it.
    """
    sums = [Value("sum", i) for i in range(pixels * wide)]
    last = list(sums)

    def steps() -> Iterator[Step]:
        x, w, made = _values("x"), _values("w"), (Value("sum", i) for i in count(len(sums)))
        for pair in range(pairs):
            weights = [next(w) for _ in range(taps * wide)]
            unread = 0
            for at in range((pixels - 1) * step + taps):
                used = [(p, at - p * step) for p in range(pixels) if 0 <= at - p * step < taps]
                while unread < min(at + 1, taps) * wide:
                    two = tuple(weights[unread : unread + 2])
                    yield Step("nexts" if len(two) == 2 else "next", two, pointer="w")
                    unread += 2
                if used:
                    word = next(x)
                    yield load(word, "in", pair * words + at)
                for p, tap in used:
                    for o in range(wide):
                        i, total = p * wide + o, next(made)
                        yield Step("dot", (total,), (word, weights[tap * wide + o]), last[i])
                        last[i] = total

    done = tuple(steps())
    return _fitting(Program(done, tuple(sums), tuple(last)), 3 + loops)
