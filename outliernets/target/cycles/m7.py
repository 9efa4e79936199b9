"""Cortex-M7: six stages, in order, two instructions at a time if their pair is allowed.

Arm publishes no timing of it. The tables follow what others measured on silicon (docs/latency.md
has the addresses):

* P: jnk0le, "pipeline cycle test", cortex_m7.md, on an STM32H743
* Q: quinapalus, "Cortex-M7 instruction cycle counts", on an STM32H730
* A: an assumption of ours, for instructions that hardly matter

An instruction reads its operands in different stages: addresses and shifted operands in the first
(the early ALU), others in the second (the late ALU), sums of multiplications in the third, data to
be stored in the last. ``DELAY`` says how many cycles after a result's instruction another one that
needs it can issue; 0 is the same cycle. ``NEVER_PAIR`` says which two cannot issue together. The
first of two is called the older.
"""

import re
from dataclasses import dataclass
from enum import Enum, Flag, auto
from functools import cache

from outliernets.target.cycles.decode import Branch, Instruction

MISPREDICTED = 7.0  #: P: 6 where the flags were set three cycles before, else 8
STORE_BUFFER = 5  #: P: stores that wait before the next one stalls
SECOND_LOAD = 0.5  #: P: two loads conflict in one bank of two; half of the time if it is unknown
AFTER_FUSED = 4  #: P: some instructions cannot be executed "for 3 next cycles" after vfma, vmla


class Need(Enum):
    """As what an instruction reads a register."""

    ADDRESS = auto()
    EARLY = auto()  #: operand of the early ALU
    OPERAND = auto()  #: operand of the late ALU
    FACTOR = (
        auto()
    )  #: the same, but loaded words come a cycle later: of a multiplication, or beside EARLY
    SUM = auto()  #: what a product is added to
    STORED = auto()
    F_OPERAND = auto()  #: of a floating-point operation
    F_SUM = auto()  #: what a floating-point product is added to
    MOVED = auto()  #: by vmov, from a floating-point register or into one


class Result(Enum):
    """How an instruction made a value."""

    EARLY = auto()  #: the early ALU
    LATE = auto()  #: the late ALU
    REVERSED = auto()  #: rev, rbit: the early ALU, with a detour
    BASE = auto()  #: an address that an access has moved on
    WORD = auto()  #: a load of a word
    PART = auto()  #: a load of a byte or half
    PRODUCT = auto()
    F_LOADED = auto()
    F_MOVED = auto()
    FLOAT = auto()  #: vadd, vmul and others
    FUSED = auto()  #: vfma
    CHAINED = auto()  #: vmla, which rounds twice


_N = Need
_COLUMNS = (
    _N.ADDRESS, _N.EARLY, _N.OPERAND, _N.FACTOR, _N.SUM, _N.STORED, _N.F_OPERAND, _N.F_SUM, _N.MOVED
)  # fmt: skip
_ROWS: dict[Result, tuple[int, ...]] = {
    #                ADDRESS EARLY OPERAND FACTOR SUM STORED F_OPERAND F_SUM MOVED
    Result.EARLY:    (1,     1,    0,      0,     0,  0,     1,        1,    1),  # P: overall
    Result.LATE:     (2,     2,    1,      1,     0,  0,     1,        1,    1),  # P: overall
    Result.REVERSED: (2,     2,    0,      0,     0,  0,     1,        1,    1),  # P: overall
    Result.BASE:     (1,     2,    1,      1,     1,  0,     1,        1,    1),  # P: overall
    Result.WORD:     (3,     2,    1,      2,     1,  0,     1,        1,    2),  # P: loads
    Result.PART:     (3,     3,    2,      2,     1,  0,     2,        2,    2),  # P: loads
    Result.PRODUCT:  (3,     3,    2,      2,     1,  0,     1,        1,    1),  # P: MAC
    Result.F_LOADED: (3,     3,    2,      2,     2,  0,     1,        3,    2),  # P: fpu
    Result.F_MOVED:  (4,     4,    3,      3,     3,  1,     3,        3,    3),  # P: fpu
    Result.FLOAT:    (4,     4,    3,      3,     3,  1,     3,        3,    3),  # P: fpu
    Result.FUSED:    (6,     6,    5,      5,     5,  3,     5,        3,    5),  # P: fpu
    Result.CHAINED:  (7,     7,    6,      6,     6,  4,     6,        3,    6),  # P: fpu
}  # fmt: skip
#: cycles from a result to its use
DELAY = {result: dict(zip(_COLUMNS, row, strict=True)) for result, row in _ROWS.items()}


class Trait(Flag):
    """What decides whether two instructions can issue together."""

    NONE = 0
    ALONE = auto()
    MULTIPLY = auto()
    LOAD = auto()
    STORE = auto()
    BITS = auto()  #: DSP and bit-field instructions
    SHIFTER = auto()  #: those of them that use the shifter
    SHIFTED = auto()  #: an operand is shifted, or an immediate is a shifted byte
    SHIFT = auto()  #: lsl, lsr, asr, ror
    FLOAT = auto()
    SETS_FLAGS = auto()
    READS_FLAGS = auto()


_ANY = ~Trait.NONE
#: traits of an older and a younger instruction that do not issue together
NEVER_PAIR: tuple[tuple[Trait, Trait, str], ...] = (
    (Trait.ALONE, _ANY, "P: load/store pair/multiple; vmov of two registers"),
    (_ANY, Trait.ALONE, "P: the same"),
    (Trait.MULTIPLY, Trait.MULTIPLY, "P: multiplication"),
    (Trait.MULTIPLY, Trait.STORE, "P: multiplication"),
    (Trait.STORE, Trait.MULTIPLY, "P: multiplication"),
    (_ANY, Trait.BITS, "P: bitfield and DSP instructions must be the older"),
    (Trait.SHIFTER, Trait.SHIFTED, "P: bitfield"),
    (Trait.SHIFTED, Trait.SHIFTED, "P: operand2"),
    (Trait.SHIFT, Trait.SHIFTED, "P: operand2, with a question mark"),
    (Trait.STORE, Trait.STORE, "P: stores"),
    (Trait.FLOAT, Trait.FLOAT, "P: fpu"),
    (Trait.SETS_FLAGS, Trait.READS_FLAGS, "P: flags come from the late ALU"),
)


@dataclass(frozen=True)
class Kind:
    """A class of instructions."""

    names: str  #: pattern of their names
    result: Result
    traits: Trait = Trait.NONE
    operand: Need = Need.OPERAND  #: as what operands are read that no other rule names
    early: str = ""  #: operands of the early ALU: ``all``, ``last`` or none
    sum: str = ""  #: operands that are added to: ``first``, ``first two``, ``fourth`` or none
    quick: str = (
        ""  #: made by the early ALU if operands allow: in the ``older`` slot, in ``any``, or never
    )
    cycles: int | None = 1  #: None: one for two registers
    stores: float = 0  #: cycles until the store buffer has written it; 0: no store
    after_fused: bool = False  #: waits for the pipeline of vfma and vmla
    source: str = "P"


_T = Trait
KINDS: tuple[Kind, ...] = (
    Kind(r"b|bl|bx|blx|cbn?z|tb[bh]|it\w*|nop|hint", Result.LATE, source="P: branching"),
    # Loads and stores
    Kind(r"ldrt?", Result.WORD, _T.LOAD, source="P: loads"),
    Kind(r"ldrs?[bh]t?", Result.PART, _T.LOAD, source="P: loads"),
    Kind(r"strt?", Result.BASE, _T.STORE, stores=1, source="P: stores"),
    Kind(r"strbt?", Result.BASE, _T.STORE, stores=2.4, source="P: stores"),
    Kind(r"strht?", Result.BASE, _T.STORE, stores=2, source="P: stores"),
    Kind(r"ldrd|ldm\w*|pop", Result.WORD, _T.ALONE, cycles=None,
         source="P: pair/multiple; when words can be used: A, as ldr"),
    Kind(r"strd|stm\w*|push", Result.BASE, _T.ALONE, cycles=None, stores=1,
         source="P: pair/multiple"),
    Kind(r"vldr", Result.F_LOADED, _T.LOAD, source="P: fpu"),
    Kind(r"vstr", Result.BASE, _T.STORE, stores=1, source="P: fpu"),
    Kind(r"vldm\w*|vpop", Result.F_LOADED, _T.ALONE, cycles=None, after_fused=True,
         source="P: fpu"),
    Kind(r"vstm\w*|vpush", Result.BASE, _T.ALONE, cycles=None, stores=1, after_fused=True,
         source="P: fpu"),
    # Multiplications
    Kind(r"ml[as]|smla[bt][bt]|smlaw[bt]|smlsdx?|smladx?|smml[as]r?", Result.PRODUCT,
         _T.MULTIPLY, Need.FACTOR, sum="fourth", source="P: multiplication"),
    Kind(r"[su]mlal|umaal|smlal[bt][bt]|smlaldx?|smlsldx?", Result.PRODUCT,
         _T.MULTIPLY, Need.FACTOR, sum="first two", source="P: multiplication"),
    Kind(r"mul|[su]mull|smul[bt][bt]|smulw[bt]|smuadx?|smusdx?|smmulr?", Result.PRODUCT,
         _T.MULTIPLY, Need.FACTOR, source="P: multiplication"),
    # Bit fields and DSP
    Kind(r"rev|rev16|revsh|rbit", Result.REVERSED, _T.BITS | _T.SHIFTER, early="all"),
    Kind(r"[su]bfx", Result.LATE, _T.BITS | _T.SHIFTER, early="all", source="P: bitfield"),
    Kind(r"bfi|[su]xta[bh]|[su]xtab16|pkh(bt|tb)", Result.LATE, _T.BITS | _T.SHIFTER, early="last",
         source="P: bitfield"),
    Kind(r"bfc|[su]xt[bh]|[su]xtb16", Result.LATE, _T.BITS | _T.SHIFTER, source="P: bitfield"),
    Kind(r"clz|[us]sat(16)?|[usq]?[usq]?(add|sub)(8|16)|[us]h(add|sub)(8|16)|[usq]{1,2}h?(asx|sax)"
         r"|qd?(add|sub)|sel|usada?8", Result.LATE, _T.BITS, source="P: bitfield"),
    # ALU
    Kind(r"add|addw|sub|subw|mov|movw|movt|mvn|adr", Result.LATE, quick="older",
         source="P: overall; mvn, movw, movt, adr: A"),
    Kind(r"lsl|lsr|asr|ror", Result.LATE, _T.SHIFT, quick="any", source="P: overall"),
    Kind(r"and|orr|orn|eor|bic|rsb|adc|sbc|rrx|neg|cmp|cmn|tst|teq", Result.LATE,
         source="P: operand2"),
    Kind(r"[su]div", Result.LATE, _T.ALONE, cycles=8, source="A: depends on the values"),
    # Single-precision floating point
    Kind(r"vfn?m[as]", Result.FUSED, _T.FLOAT, Need.F_OPERAND, sum="first", source="P: fpu"),
    Kind(r"vn?ml[as]", Result.CHAINED, _T.FLOAT, Need.F_OPERAND, sum="first", source="P: fpu"),
    Kind(r"vmov|vmrs|vmsr", Result.F_MOVED, _T.FLOAT, Need.MOVED, source="P: fpu"),
    Kind(r"vdiv", Result.FLOAT, _T.FLOAT, Need.F_OPERAND, cycles=16, source="P: fpu"),
    Kind(r"vsqrt", Result.FLOAT, _T.FLOAT, Need.F_OPERAND, cycles=14, source="P: fpu"),
    Kind(r"v\w+", Result.FLOAT, _T.FLOAT, Need.F_OPERAND, after_fused=True,
         source="P: fpu, as vadd"),
    Kind(r"\w+", Result.LATE, _T.ALONE, source="A: msr, barriers, exclusive accesses and others"),
)  # fmt: skip


@cache
def kind_of(name: str) -> Kind:
    """Return the class of the instructions of a name."""
    return next(kind for kind in KINDS if re.fullmatch(kind.names, name))


@dataclass(frozen=True, slots=True)
class Prepared:
    """An instruction as the pipeline sees it."""

    text: str
    kind: Kind
    needs: tuple[tuple[str, Need], ...]
    results: tuple[tuple[str, Result], ...]
    traits: Trait
    cycles: int
    quick: str
    base: frozenset[str]  #: of a load whose bank is known
    bank: int | None


def prepare(i: Instruction) -> Prepared:
    """Look an instruction up in the tables."""
    kind = kind_of(i.name)
    traits = kind.traits
    if _is_shifted(i, kind):
        traits |= Trait.SHIFTED
    if i.sets_flags:
        traits |= Trait.SETS_FLAGS
    if i.reads_flags:
        traits |= Trait.READS_FLAGS
    return Prepared(
        text=i.text,
        kind=kind,
        needs=tuple((register, _need(i, kind, register)) for register in sorted(i.reads)),
        results=tuple((register, _result(i, kind, register)) for register in sorted(i.writes)),
        traits=traits,
        cycles=_cycles(i, kind),
        quick="" if Trait.SHIFTED in traits else kind.quick,
        base=i.base,
        bank=None if i.offset is None or i.written_back else i.offset >> 2 & 1,
    )


def _is_shifted(i: Instruction, kind: Kind) -> bool:
    """Whether an operand is shifted on the way: P, operand2."""
    if kind.traits & (Trait.LOAD | Trait.STORE | Trait.ALONE | Trait.BITS | Trait.SHIFT):
        return False
    if i.shifted:
        return i.name != "mov"
    small = i.size == 2 or i.name in ("movw", "movt", "addw", "subw", "adr")
    if small or i.immediate is None or i.branch is not Branch.NO:
        return False
    return not (is_pattern(i.immediate) or is_pattern(~i.immediate & 0xFFFF_FFFF))


def is_pattern(value: int) -> bool:
    """Whether an immediate is a byte, or a byte repeated: P, "constant pattern"."""
    low, high = value & 0xFF, value & 0xFF00
    return value in (low, low * 0x0001_0001, high * 0x0001_0001, low * 0x0101_0101)


def _need(i: Instruction, kind: Kind, register: str) -> Need:
    """Return as what a register is read; the earliest, if as several things."""
    if register in i.base:
        return Need.ADDRESS
    if kind.stores:
        return Need.STORED
    early = _early(i, kind)
    if register in early:
        return Need.EARLY
    summed, others = _summed(i, kind)
    if register in summed and register not in others:
        return Need.F_SUM if kind.operand is Need.F_OPERAND else Need.SUM
    return Need.FACTOR if early and kind.operand is Need.OPERAND else kind.operand


def _summed(i: Instruction, kind: Kind) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what products are added to, and the factors."""
    r = i.registers
    places = {"first": (r[:1], r[1:]), "first two": (r[:2], r[2:]), "fourth": (r[3:4], r[1:3])}
    return places.get(kind.sum, ((), ()))


def _early(i: Instruction, kind: Kind) -> frozenset[str]:
    if kind.early == "all":
        return frozenset(i.registers[1:] or i.registers)
    if kind.early == "last":
        return frozenset(i.registers[-1:])
    return i.shifted if _is_shifted(i, kind) else frozenset()


def _result(i: Instruction, kind: Kind, register: str) -> Result:
    if register in i.written_back:
        return Result.BASE
    return Result.LATE if i.name == "vmov" and register.startswith("r") else kind.result


def _cycles(i: Instruction, kind: Kind) -> int:
    if kind.cycles is not None:
        return kind.cycles
    words = sum(2 if r.startswith("d") else 1 for r in i.registers)
    return max(1, (words + 1) // 2)


@cache
def may_pair(older: Trait, younger: Trait) -> bool:
    """Whether the rules let two instructions issue together."""
    return not any(
        (first == _ANY or older & first) and (second == _ANY or younger & second)
        for first, second, _ in NEVER_PAIR
    )


class Pipeline:
    """Issues instructions; times are in cycles since it was empty."""

    def __init__(self) -> None:
        self._cycle = 0.0  #: in which the youngest instruction issued
        self._taken = 0  #: cycles that its group takes
        self._older: Prepared | None = None  #: waits for an instruction to issue with
        self._made: dict[str, tuple[float, Result]] = {}
        self._flags = 0.0  #: from when they can be read
        self._fused = -float(AFTER_FUSED)  #: when the last vfma or vmla issued
        self._written = 0.0  #: when the store buffer will be empty

    def now(self) -> float:
        """Return the cycles until the next group can issue."""
        return self._cycle + self._taken

    def branch_taken(self) -> None:
        """Close the group: what is at the target issues in the next cycle."""
        self._older = None

    def issue(self, p: Prepared) -> None:
        """Issue one instruction as soon as it can."""
        ready = self._ready(p)
        older = self._older
        joins = older is not None and ready <= self._cycle and may_pair(older.traits, p.traits)
        wait = _bank_conflict(older, p) if joins and older else 0.0
        if wait is None or not joins:
            self._cycle = max(self.now(), ready)
            self._taken = p.cycles
            self._older = None if p.traits & Trait.ALONE or p.cycles > 1 else p
        else:
            self._cycle += wait
            self._taken = max(self._taken, p.cycles)
            self._older = None
        self._finish(p, younger=self._older is not p)

    def _ready(self, p: Prepared) -> float:
        ready = 0.0
        for register, need in p.needs:
            if register in self._made:
                issued, result = self._made[register]
                ready = max(ready, issued + DELAY[result][need])
        if p.traits & Trait.READS_FLAGS:
            ready = max(ready, self._flags)
        return max(ready, self._fused + AFTER_FUSED) if p.kind.after_fused else ready

    def _finish(self, p: Prepared, younger: bool) -> None:
        quick = self._is_quick(p, younger)
        done = self._cycle + p.cycles - 1
        for register, result in p.results:
            self._made[register] = (done, Result.EARLY if quick else result)
        if p.traits & Trait.SETS_FLAGS:
            self._flags = self._cycle + 1
        if p.kind.result in (Result.FUSED, Result.CHAINED):
            self._fused = self._cycle
        if p.kind.stores:
            self._store(p.kind.stores)

    def _is_quick(self, p: Prepared, younger: bool) -> bool:
        """Whether the early ALU makes the result."""
        if not p.quick or (younger and p.quick == "older"):
            return False
        made = (self._made[register] for register, _ in p.needs if register in self._made)
        return all(issued + DELAY[result][Need.EARLY] <= self._cycle for issued, result in made)

    def _store(self, cycles: float) -> None:
        self._written = max(self._written, self._cycle) + cycles
        self._cycle = max(self._cycle, self._written - STORE_BUFFER * cycles)


def _bank_conflict(older: Prepared, younger: Prepared) -> float | None:
    """Return the cycles two loads lose on average; None if they cannot issue together."""
    if not (older.traits & Trait.LOAD and younger.traits & Trait.LOAD):
        return 0.0
    if older.bank is None or younger.bank is None or older.base != younger.base:
        return SECOND_LOAD
    return None if older.bank == younger.bank else 0.0
