"""Cortex-A72: three instructions a cycle, out of order, on two integer and two vector pipes.

Latencies and pipes follow Arm's "Cortex-A72 Software Optimization Guide" (UAN 0016A); where they
differ from LLVM's schedule of the Cortex-A57, its predecessor with the same pipes, docs/latency.md
says so. Everything is in the first-level cache; queues in front of the pipes are as long as needed.
"""

import re
from dataclasses import dataclass
from functools import cache

from outliernets.target.cycles.decode import Branch, Instruction

MISPREDICTED = 15.0
WIDTH = 3  #: instructions decoded, and retired, in a cycle
WINDOW = 128  #: instructions in the reorder buffer
#: pipes by the names the tables use: integer, integer with several cycles, load, store, branch, and
#: two for vectors and floating point, of which ``V`` is either
PIPES = {
    "I": ("I0", "I1"), "M": ("M",), "L": ("L",), "S": ("S",), "B": ("B",),
    "V0": ("V0",), "V1": ("V1",), "V": ("V0", "V1"),
}  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """A class of instructions."""

    names: str  #: pattern of name and operands
    pipes: str  #: of its operations, such as ``L I``
    latency: int  #: cycles until the result
    busy: int = 1  #: cycles its pipes are taken
    sums: int | None = None  #: latency from one sum to the next, of accumulating instructions


#: A vector of 128 bits among the operands.
_Q = r".*\.(16b|8h|4s|2d)"
KINDS: tuple[Kind, ...] = (
    # Branches
    Kind(r"(bl|blr) .*", "B I", 1),
    Kind(r"(b|br|ret|b\.\w+|cbn?z|tbn?z)( .*)?", "B", 1),
    # Loads and stores
    Kind(r"ldn?p q.*", "L", 6, busy=2),
    Kind(r"ldr q\d+, \[\w+, [wx].*", "L I", 6),
    Kind(r"(ldr|ldur|ldn?p) [qdshb]\d.*", "L", 5),
    Kind(r"ld[a-z]* [wx].*", "L", 4),
    Kind(r"ld1r .*|ld1 \{[^}]*\}\[.*", "L V", 8),
    Kind(r"ld1 \{v\d+\.\w+\}.*", "L", 5),
    Kind(r"ld1 \{[^,}]*, [^,}]*\}.*", "L", 6, busy=2),
    Kind(r"ld[12]r? .*", "L V", 9, busy=2),
    Kind(r"ld[34]r? .*", "L V", 9, busy=4),
    Kind(r"stn?p q.*", "S", 4, busy=4),
    Kind(r"stu?r q.*|stn?p [dx].*", "S", 2, busy=2),
    Kind(r"st1 \{v\d+\.(16b|8h|4s|2d)\},.*", "S", 2, busy=2),
    Kind(r"st1 \{[^,}]*\}.*", "S V", 3),
    Kind(r"st[1234] .*", "S V", 4, busy=4),
    Kind(r"st.*", "S", 1),
    Kind(r"prfm .*", "L", 1),
    # Vector multiplications: pipe 0
    Kind(r"[su]?q?d?[su]?(ml[as]l2?|q?dml[as]l2?) v.*", "V0", 4, sums=1),
    Kind(r"(ml[as]) " + _Q + ".*", "V0", 5, busy=2, sums=2),
    Kind(r"(ml[as]) .*", "V0", 4, sums=1),
    Kind(r"([su]mull2?|sqdmull2?|pmull2?) v.*", "V0", 4),
    Kind(r"(mul|sqr?dmulh|pmul) v" + _Q + ".*", "V0", 5, busy=2),
    Kind(r"(mul|sqr?dmulh|pmul) [vsh].*", "V0", 4),
    # Vector shifts, and sums over neighbours: pipe 1
    Kind(r"([su]adalp|[su]aba|[su]abal2?) v" + _Q + ".*", "V1", 5, sums=1),
    Kind(r"([su]adalp|[su]aba|[su]abal2?) .*", "V1", 4, sums=1),
    Kind(r"([su]r?sra) .*", "V1", 4, sums=1),
    Kind(r"([su]q)?r?shru?n2? .*|[su]rshr .*|[su]qxtu?n2? .*|[su]qshlu? v.*, #.*", "V1", 4),
    Kind(r"([su]?q?r?shl) v.*, v.*, v" + _Q, "V1", 5, busy=2),
    Kind(r"([su]?q?r?shl) v.*, v.*, v.*", "V1", 4),
    Kind(r"(shl|[su]shr|[su]shll2?|[su]xtl2?|sli|sri) v.*", "V1", 3),
    Kind(r"([su]addl?v|addv|[su]m(ax|in)v) .*", "V1", 6),
    # Moves between registers of different kinds
    Kind(r"(dup|ins|mov|fmov) v.*, [wx](\d+|zr)", "L V", 8),
    Kind(r"fmov [sd]\d+, [wx].*", "L", 5),
    Kind(r"([su]mov|mov|fmov) [wx]\d+, [vsd]\d.*", "L", 5),
    Kind(r"tb[lx] v\S+ \{[^,}]*\}.*", "V", 3),
    Kind(r"tb[lx] .*", "V V", 6),
    # Floating point
    Kind(r"(fml[as]|fn?madd|fn?msub) .*", "V", 7, sums=3),
    Kind(r"(fadd|fsub|fmulx?|fabd|faddp|fnmul) .*", "V", 4),
    Kind(r"(fdiv|fsqrt) .*", "V0", 17, busy=15),
    Kind(r"([su]cvtf|fcvt\w*|frint\w) .*", "V0", 4),
    Kind(r"fcmp.*|fccmp.*", "V1", 3),
    Kind(r"\w+ [vqdshb]\d.*", "V", 3),
    # Integers
    Kind(r"(s|u)div w.*", "M", 12, busy=12),
    Kind(r"(s|u)div .*", "M", 20, busy=20),
    Kind(r"[su]mulh .*", "M", 6, busy=4),
    Kind(r"(madd|msub|mul|mneg) x.*", "M", 5, busy=3, sums=3),
    Kind(r"(madd|msub|[su]maddl|[su]msubl) .*", "M", 3, sums=1),
    Kind(r"(mul|mneg|[su]mull|[su]mnegl) .*", "M", 3),
    Kind(r"(add|sub|and|orr|eor|bic|orn|eon|cmp|cmn|tst|neg|mvn)s? .*, "
         r"[wx]\d+, (lsl|lsr|asr|ror|[su]xt[bhwx]) ?(#\d+)?", "M", 2),
    Kind(r"(bfi|bfxil|bfm|bfc) .*", "M", 2),
    Kind(r"extr .*", "M", 3),
    Kind(r"(mrs|msr|svc|dsb|dmb|isb|crc32\w*|ldx\w*|stx\w*).*", "M", 4),
    Kind(r".*", "I", 1),
)  # fmt: skip


@cache
def kind_of(text: str) -> Kind:
    """Return the class of an instruction as a disassembler writes it."""
    return next(kind for kind in KINDS if re.fullmatch(kind.names, text))


@dataclass(frozen=True, slots=True)
class Prepared:
    """An instruction as the pipeline sees it."""

    text: str
    kind: Kind
    pipes: tuple[tuple[str, ...], ...]  #: of each operation, those it can use
    reads: tuple[str, ...]
    sums: frozenset[str]  #: what it reads late, to add to
    writes: tuple[str, ...]
    base: frozenset[str]  #: what an access has moved on, ready after a cycle
    stores: bool


def prepare(i: Instruction) -> Prepared:
    """Look an instruction up in the tables."""
    kind = kind_of(i.text)
    pipes = kind.pipes.split() + (["I"] if i.written_back else [])
    flags = {"flags"}
    return Prepared(
        text=i.text,
        kind=kind,
        pipes=tuple(PIPES[p] for p in pipes),
        reads=tuple(sorted(i.reads | (flags if i.reads_flags else set()))),
        sums=_summed(i) if kind.sums is not None else frozenset(),
        writes=tuple(sorted(i.writes | (flags if i.sets_flags else set()))),
        base=i.written_back,
        stores=i.name.startswith("st") and i.branch is Branch.NO,
    )


def _summed(i: Instruction) -> frozenset[str]:
    """Return what a product is added to: the fourth of four registers, else the first."""
    r = i.registers
    return frozenset(r[3:]) - {*r[1:3]} if len(r) == 4 else frozenset(r[:1]) - {*r[1:]}


class Pipeline:
    """Issues instructions as soon as operands and a pipe are there; retires them in order."""

    def __init__(self) -> None:
        self._count = 0  #: instructions so far
        self._slot = 0  #: in units of 1 / WIDTH cycles: when the next one is decoded
        self._ready: dict[str, tuple[int, Kind]] = {}  #: when a register is there, and who made it
        self._busy: dict[str, set[int]] = {p: set() for pipes in PIPES.values() for p in pipes}
        self._retired: list[float] = []

    def now(self) -> float:
        """Return when the last instruction retired."""
        return self._retired[-1] if self._retired else 0.0

    def branch_taken(self) -> None:
        """Go on with decoding in the next cycle."""
        self._slot = -(-self._slot // WIDTH) * WIDTH

    def issue(self, p: Prepared) -> None:
        """Decode, execute and retire one instruction."""
        if self._count >= WINDOW:
            room = self._retired[self._count - WINDOW]
            self._slot = max(self._slot, int(room) * WIDTH)
        start = max([self._slot // WIDTH, *(self._available(p, r) for r in p.reads)])
        self._slot += 1
        for choice in p.pipes:
            start = max(start, self._reserve(choice, start, p.kind.busy))
        for register in p.writes:
            latency = 1 if register in p.base else p.kind.latency
            self._ready[register] = (start + latency, p.kind)
        done = start + (1 if p.stores else p.kind.latency)
        self._retired.append(max(float(done), self.now() + 1 / WIDTH))
        self._count += 1

    def _available(self, p: Prepared, register: str) -> int:
        """Return when an operand is there; sums come late, from an instruction of the same kind."""
        if register not in self._ready:
            return 0
        ready, maker = self._ready[register]
        if register in p.sums and maker.sums is not None and maker.pipes == p.kind.pipes:
            return ready - maker.latency + maker.sums
        return ready

    def _reserve(self, choice: tuple[str, ...], start: int, cycles: int) -> int:
        """Take the first of the pipes that is free for ``cycles``; return from when."""
        while True:
            for pipe in choice:
                times = range(start, start + cycles)
                if self._busy[pipe].isdisjoint(times):
                    self._busy[pipe].update(times)
                    return start
            start += 1
