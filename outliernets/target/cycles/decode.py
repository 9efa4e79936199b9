"""Machine code to instructions, as far as timing needs to know them. Uses capstone.

Registers are named as a pipeline knows them: ``w3`` and ``x3`` are ``x3``; ``q1``, ``v1.4s`` and
``s1`` of AArch64 are ``v1``.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum, auto
from functools import cache
from typing import Any

from outliernets.errors import MissingToolError


class Branch(Enum):
    """Whether an instruction can leave the straight line."""

    NO = auto()
    ALWAYS = auto()
    MAYBE = auto()  #: predicted by the processor, and sometimes wrongly


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction."""

    address: int
    size: int  #: bytes
    name: str  #: mnemonic without condition, width and types: ``add`` of ``addseq.w``
    text: str  #: as a disassembler writes it
    registers: tuple[str, ...]  #: of its operands, in order, without those of addresses
    reads: frozenset[str]  #: with those of addresses
    writes: frozenset[str]
    base: frozenset[str]  #: registers that make up an address
    written_back: frozenset[str]  #: base that the access changes
    offset: int | None  #: bytes from a lone base register, else None
    shifted: frozenset[
        str
    ]  #: operands that are shifted on the way (``r2`` of ``r0, r1, r2, lsl #3``)
    immediate: int | None
    sets_flags: bool
    reads_flags: bool
    branch: Branch


Decoder = Callable[[bytes, int], list[Instruction]]


def thumb(code: bytes, address: int) -> list[Instruction]:
    """Return the instructions of Thumb code at ``address``."""
    return [_thumb(i) for i in _disassemblers()[0].disasm(code, address)]


def aarch64(code: bytes, address: int) -> list[Instruction]:
    """Return the instructions of AArch64 code at ``address``."""
    return [_aarch64(i) for i in _disassemblers()[1].disasm(code, address)]


@cache
def _disassemblers() -> tuple[Any, Any]:
    try:
        import capstone
    except ImportError as error:
        raise MissingToolError(
            "the estimate of cycles needs the package capstone: pip install 'ongen[unicorn]'"
        ) from error
    arm = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS)
    arm64 = capstone.Cs(capstone.CS_ARCH_ARM64, capstone.CS_MODE_ARM)
    arm.detail = arm64.detail = True
    return arm, arm64


_NOT_DATA = {"pc", "cpsr", "apsr", "apsr_nzcv", "itstate", "fpscr", "fpscr_nzcv"}
_COMPARISONS = {"cmp", "cmn", "tst", "teq"}
_ADDS_TO_TWO = re.compile(r"[su]mlal\w*|umaal|smlsldx?")
_STACK_ACCESSES = {"push", "pop", "vpush", "vpop"}
_SEVERAL = ("ldm", "stm", "vldm", "vstm")
_THUMB_BRANCHES = {"b", "bl", "bx", "blx", "cbz", "cbnz", "tbb", "tbh"}


def _thumb(i: Any) -> Instruction:
    from capstone import arm

    name = i.insn_name()
    conditional = i.cc not in (arm.ARM_CC_AL, arm.ARM_CC_INVALID)
    reads, writes = (
        frozenset(i.reg_name(r) for r in registers) - _NOT_DATA for registers in i.regs_access()
    )
    operands = i.operands
    registers = tuple(i.reg_name(o.reg) for o in operands if o.type == arm.ARM_OP_REG)
    memory = next((o.mem for o in operands if o.type == arm.ARM_OP_MEM), None)
    base = _names(i, (memory.base, memory.index) if memory else ())
    moved = _names(i, (memory.base,)) if memory and i.writeback else frozenset()
    if name in _STACK_ACCESSES:
        base = moved = frozenset({"sp"})
    elif name.startswith(_SEVERAL):
        base, registers = frozenset(registers[:1]), registers[1:]
        moved = base & writes if i.writeback else frozenset()
    reads, writes = _completed(name, registers, reads, writes)
    lone = memory is not None and not memory.index
    branch = _thumb_branch(i, name, conditional)
    return Instruction(
        address=i.address,
        size=i.size,
        name=name,
        text=f"{i.mnemonic} {i.op_str}".strip(),
        registers=registers,
        reads=reads,
        writes=writes,
        base=base,
        written_back=moved,
        offset=memory.disp if memory and lone else None,
        shifted=_names(
            i,
            (
                o.reg
                for o in operands
                if o.type == arm.ARM_OP_REG
                and o.shift.type != arm.ARM_SFT_INVALID
                and o.shift.value
            ),
        ),
        immediate=next((o.imm & 0xFFFF_FFFF for o in operands if o.type == arm.ARM_OP_IMM), None),
        sets_flags=i.mnemonic.startswith(f"{name}s") or name in _COMPARISONS,
        reads_flags=(conditional and branch is Branch.NO) or name in ("adc", "sbc", "rrx"),
        branch=branch,
    )


def _names(i: Any, registers: Iterable[int]) -> frozenset[str]:
    return frozenset(i.reg_name(r) for r in registers if r)


def _completed(
    name: str, registers: tuple[str, ...], reads: frozenset[str], writes: frozenset[str]
) -> tuple[frozenset[str], frozenset[str]]:
    """Add the operands that capstone 5 leaves out, such as the last of ``pkhbt`` and ``ssat``."""
    if name.startswith(("ldm", "vldm", "pop", "vpop", "ldr", "vldr")):
        return reads, writes | frozenset(registers) - {"pc"}
    if name.startswith(("vstm", "vpush")) or _ADDS_TO_TWO.fullmatch(name):
        return reads | frozenset(registers), writes
    results = 2 if name in ("smull", "umull") else 1
    return reads | frozenset(registers[results:]) - _NOT_DATA, writes


def _thumb_branch(i: Any, name: str, conditional: bool) -> Branch:
    to_pc = name in ("pop", "ldm", "ldr", "mov", "add") and "pc" in i.op_str
    returns = to_pc and (name in ("pop", "ldm") or i.op_str.startswith("pc"))
    if name not in _THUMB_BRANCHES and not returns:
        return Branch.NO
    return Branch.MAYBE if conditional or name in ("cbz", "cbnz") else Branch.ALWAYS


_REGISTER = re.compile(r"\b(?:[wx](?P<general>\d+|zr)|[vqdshb](?P<vector>\d+)|w?sp)\b")
_NO_RESULT = re.compile(
    r"st\w*|cm[pn]|tst|cc?m[pn]|fcc?mpe?|prfm|nop|msr|svc|br?|blr?|ret|b\.\w+|cbn?z|tbn?z"
)
#: instructions that add to their first register, or keep a part of it
_READS_RESULT = re.compile(
    r"[su]?ml[as]l?2?|sqdml[as]l2?|fml[as]|[su]dot|[su]abal?2?|[su]adalp|[su]r?sra|"
    r"bsl|bit|bif|sli|sri|ins|tbx|\w+n2|movk|bfi|bfxil|bfm|bfc"
)
_SETS_FLAGS = re.compile(r"adds|subs|ands|bics|adcs|sbcs|negs|cmp|cmn|tst|ccmp|ccmn|fcmpe?|fccmpe?")
_READS_FLAGS = re.compile(
    r"b\..*|cs.*|cset.*|cin[cv]|cneg|adcs?|sbcs?|ccmp|ccmn|fcsel|fccmpe?|ngcs?"
)
_PAIRED = re.compile(r"ldn?psw|ldn?p|ldxp")
_CALLS = {"bl", "blr"}


def _aarch64(i: Any) -> Instruction:
    """Read the text: capstone 5 does not tell what ASIMD instructions read."""
    name, operands = i.mnemonic, i.op_str
    outside, address, after = _split_address(operands)
    registers = tuple(_aarch64_names(outside))
    base = frozenset(_aarch64_names(address)) - {"zr"}
    moves = after or address.endswith("!")
    written_back = frozenset(list(_aarch64_names(address))[:1]) if moves else frozenset()
    n = _results(name, outside, registers)
    writes = frozenset(registers[:n]) | written_back
    kept = registers[:n] if _READS_RESULT.fullmatch(name) or _writes_element(name, outside) else ()
    if name in _CALLS:
        writes |= {"x30"}
    reads = frozenset(registers[n:]) | frozenset(kept) | base
    reads |= {"x30"} if name == "ret" else frozenset()
    return Instruction(
        address=i.address,
        size=i.size,
        name=name,
        text=f"{name} {operands}".strip(),
        registers=registers,
        reads=reads - {"zr"},
        writes=writes - {"zr"},
        base=base,
        written_back=written_back,
        offset=None,
        shifted=frozenset(),
        immediate=None,
        sets_flags=_SETS_FLAGS.fullmatch(name) is not None,
        reads_flags=_READS_FLAGS.fullmatch(name) is not None,
        branch=_aarch64_branch(name),
    )


def _split_address(operands: str) -> tuple[str, str, str]:
    """Return operands outside an address, the address with a ``!``, and what is added after it.

    ``v2.h[3]`` is an element, no address.
    """
    found = re.search(r"(?:^|, )\[([^\]]*)\](!?)(.*)$", operands)
    if not found:
        return operands, "", ""
    return operands[: found.start()], found[1] + found[2], found[3]


def _aarch64_names(text: str) -> Iterable[str]:
    for found in _REGISTER.finditer(text):
        general, vector = found["general"], found["vector"]
        if general:
            yield "zr" if general == "zr" else f"x{general}"
        else:
            yield f"v{vector}" if vector else "sp"


def _results(name: str, outside: str, registers: tuple[str, ...]) -> int:
    """Return how many of the first registers are results."""
    if not registers or _NO_RESULT.fullmatch(name):
        return 0
    if _PAIRED.fullmatch(name):
        return 2
    return len(registers) if name.startswith("ld") and "{" in outside else 1


def _writes_element(name: str, outside: str) -> bool:
    """Whether only an element of the first register is written."""
    return name in ("mov", "ins") and re.match(r"v\d+\.\w+\[", outside) is not None


def _aarch64_branch(name: str) -> Branch:
    if name in ("b", "br", "ret", *_CALLS):
        return Branch.ALWAYS
    if name.startswith("b.") or name in ("cbz", "cbnz", "tbz", "tbnz"):
        return Branch.MAYBE
    return Branch.NO
