"""Each rule of the Cortex-M7's model, in the way others measured it on silicon.

Where a number is theirs, the test names them: P is jnk0le's "pipeline cycle test" (cortex_m7.md), Q
quinapalus (cm7cycles.html).
"""

import pytest

from outliernets.target.cycles import m7
from outliernets.target.cycles.decode import Branch
from tests.target.cycles.snippets import assemble, cycles


def gap(maker: str, user: str) -> float:
    """Return how many cycles after ``maker`` the ``user`` of its result issues."""
    pipeline = m7.Pipeline()
    times = []
    for i in assemble(f"{maker}\n{user}", "cortex-m7"):
        pipeline.issue(m7.prepare(i))
        times.append(pipeline._cycle)
    return times[1] - times[0]


@pytest.mark.parametrize(
    ("maker", "user", "expected"),
    [
        ("ldr r0, [r8]", "eor r1, r0, r2", 1),  # P: a word, into the late ALU in the next cycle
        ("ldr r0, [r8]", "eor r1, r2, r0, lsl #3", 2),  # but not shifted
        ("ldr r0, [r8]", "eor r1, r0, r2, lsl #3", 2),  # nor beside a shifted operand
        ("ldr r0, [r8]", "uxtab r1, r0, r2", 2),
        ("ldr r0, [r8]", "ldr r1, [r0]", 3),
        ("ldr r0, [r8]", "mul r1, r0, r2", 2),  # P: no multiplication in the next cycle
        ("ldr r0, [r8]", "smlad r1, r2, r3, r0", 1),  # but a sum
        ("ldr r0, [r8]", "str r0, [r9]", 0),
        ("ldrd r0, r1, [r8]", "smlad r2, r1, r3, r4", 2),
        ("ldrsb r0, [r8]", "eor r1, r0, r2", 2),  # P: a byte, one cycle more
        ("ldrh r0, [r8]", "eor r1, r2, r0, ror #3", 3),
        ("ldrsh r0, [r8]", "smlabb r1, r2, r3, r0", 1),
        ("ldr r0, [r8], #4", "ldr r1, [r8]", 1),  # P: a moved address, back to back
        ("ldr r0, [r8], #4", "eor r1, r8, r2", 1),
        ("add r0, r1, r2", "eor r3, r0, r4", 0),  # P: early ALU, into the late ALU at once
        ("add r0, r1, r2", "eor r3, r4, r0, ror #22", 1),
        ("add r0, r1, r2", "ldr r3, [r0]", 1),
        ("add r0, r1, r2, lsl #2", "ldr r3, [r0]", 2),  # a shifted operand: late ALU
        ("eor r0, r1, r2", "eor r3, r0, r4", 1),
        ("eor r0, r1, r2", "ldr r3, [r0]", 2),
        ("movw r0, #1", "movt r0, #2", 0),  # P: both at once
        ("lsl r0, r1, #3", "and r2, r0, r3", 0),
        ("rev r0, r1", "eor r2, r0, r3", 0),
        ("rev r0, r1", "rev r2, r0", 2),
        ("uxtb r0, r1", "ldr r2, [r0]", 2),  # P: one cycle more for an address
        ("eor r0, r1, r2", "ubfx r3, r0, #2, #3", 2),  # P: reads early
        ("eor r0, r1, r2", "uxtb r3, r0", 1),
        ("eor r0, r1, r2", "pkhbt r3, r0, r4", 1),
        ("eor r0, r1, r2", "pkhbt r3, r4, r0", 2),  # P: the second early
        ("mul r0, r1, r2", "eor r3, r0, r4", 2),  # P: one cycle more
        ("mul r0, r1, r2", "ldr r3, [r0]", 3),
        ("smlad r0, r1, r2, r3", "smlad r4, r5, r6, r0", 1),  # P: sums chain each cycle
        ("smlad r0, r1, r2, r3", "smlad r4, r0, r6, r0", 2),  # as a factor, too
        ("smlad r0, r1, r2, r3", "smlad r4, r5, r0, r6", 2),
        ("smlal r0, r1, r2, r3", "smlal r0, r1, r4, r5", 1),
        ("mul r0, r1, r2", "str r0, [r9]", 1),  # no store beside a multiplication
        ("vadd.f32 s0, s1, s2", "vadd.f32 s3, s0, s4", 3),  # P, Q: latencies of the FPU
        ("vmul.f32 s0, s1, s2", "vfma.f32 s0, s3, s4", 3),
        ("vfma.f32 s0, s1, s2", "vmul.f32 s3, s0, s4", 5),
        ("vfma.f32 s0, s1, s2", "vfma.f32 s0, s3, s4", 3),
        ("vmla.f32 s0, s1, s2", "vmul.f32 s3, s0, s4", 6),
        ("vmla.f32 s0, s1, s2", "vmla.f32 s0, s3, s4", 3),
        ("vfma.f32 s0, s1, s2", "vstr s0, [r9]", 3),
        ("vmla.f32 s0, s1, s2", "vstr s0, [r9]", 4),
        ("vadd.f32 s0, s1, s2", "vstr s0, [r9]", 1),
        ("vldr s0, [r8]", "vmul.f32 s1, s0, s2", 1),
        ("vldr s0, [r8]", "vfma.f32 s0, s1, s2", 3),
        ("vmov s0, r0", "vadd.f32 s1, s0, s2", 3),
        ("vadd.f32 s0, s1, s2", "vmov r0, s0", 3),
        ("vmov r0, s0", "eor r1, r0, r2", 1),
        ("vfma.f32 s0, s1, s2", "vadd.f32 s3, s4, s5", 4),  # P: not for three cycles after
        ("vdiv.f32 s0, s1, s2", "eor r1, r2, r3", 16),
        ("vsqrt.f32 s0, s1", "eor r1, r2, r3", 14),
    ],
)  # fmt: skip
def test_when_a_result_can_be_used(maker: str, user: str, expected: float) -> None:
    assert gap(maker, user) == expected


@pytest.mark.parametrize(
    ("older", "younger", "together"),
    [
        ("eor r0, r1, r2", "eor r3, r4, r5", True),  # Q: two simple ones
        ("eor r0, r1, r2", "smlad r3, r4, r5, r6", True),
        ("smlad r0, r1, r2, r3", "eor r4, r5, r6", True),
        ("smlad r0, r1, r2, r3", "smlad r4, r5, r6, r7", False),
        ("smlad r0, r1, r2, r3", "ldr r4, [r8]", True),
        ("smlad r0, r1, r2, r3", "str r4, [r8]", False),
        ("str r4, [r8]", "smlad r0, r1, r2, r3", False),
        ("sxtb16 r0, r1", "smlad r4, r5, r6, r7", True),
        ("smlad r4, r5, r6, r7", "sxtb16 r0, r1", False),  # P: only in the older slot
        ("sxtb16 r0, r1", "sxtb16 r2, r3", False),
        ("ssat r0, #8, r1", "eor r2, r3, r4", True),
        ("eor r2, r3, r4", "ssat r0, #8, r1", False),
        ("eor r0, r1, r2, lsl #3", "eor r3, r4, r5", True),
        ("eor r0, r1, r2, lsl #3", "eor r3, r4, r5, lsr #3", False),
        ("eor r0, r1, r2, lsl #3", "lsl r3, r4, #3", True),
        ("lsl r3, r4, #3", "eor r0, r1, r2, lsl #3", False),
        ("eor r0, r1, #0x1fc0", "eor r3, r4, #0x1fc0", False),  # a shifted constant
        ("eor r0, r1, #0x1b1b1b1b", "eor r3, r4, #0x1b1b1b1b", True),  # a pattern
        ("eor r0, r1, #0x1b001b00", "eor r3, r4, #0x00ff00ff", True),
        ("ubfx r0, r1, #2, #3", "eor r3, r4, r5, lsl #3", False),
        ("str r0, [r8]", "str r1, [r9]", False),
        ("str r0, [r8]", "ldr r1, [r9]", True),
        ("ldr r0, [r8]", "ldr r1, [r8, #4]", True),  # two banks
        ("ldr r0, [r8]", "ldr r1, [r8, #8]", False),  # one bank
        ("ldrb r0, [r8]", "ldrb r1, [r8, #3]", False),
        ("ldrd r0, r1, [r8]", "eor r2, r3, r4", False),
        ("eor r2, r3, r4", "ldrd r0, r1, [r8]", False),
        ("push {r4, r5}", "eor r2, r3, r6", False),
        ("vadd.f32 s0, s1, s2", "vmul.f32 s3, s4, s5", False),
        ("vmul.f32 s3, s4, s5", "vldr s0, [r8]", True),
        ("vfma.f32 s3, s4, s5", "eor r0, r1, r2", True),
        ("adds r0, r1, r2", "adc r3, r4, r5", False),
        ("adds r0, r1, r2", "add r3, r4, r5", True),
        ("udiv r0, r1, r2", "eor r3, r4, r5", False),
    ],
)  # fmt: skip
def test_which_two_issue_together(older: str, younger: str, together: bool) -> None:
    assert (gap(older, younger) == 0) is together


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("add r0, r1, r2; add r3, r4, r5", 1),
        ("adds r0, r0, r1", 1),  # each waits for the one before
        ("adc r0, r0, r1; adc r2, r2, r3", 1),
        ("mul r0, r1, r2", 1),
        ("mul r0, r0, r1", 2),
        ("smlad r0, r1, r2, r0", 1),
        ("smlad r0, r1, r2, r0; smlad r3, r4, r5, r3", 2),
        ("smlad r0, r1, r2, r0; ldr r3, [r8]", 1),
        ("ldr r0, [r0]", 3),  # a chain of pointers
        ("ldr r0, [r8]; ldr r1, [r8, #4]", 1),
        ("ldr r0, [r8]; ldr r1, [r9]", 1.5),  # banks unknown: half of the time
        ("ldrd r0, r1, [r8]", 1),
        ("ldmia r8, {r0, r1, r2, r3}", 2),
        ("ldmia r8, {r0, r1, r2, r3, r4}", 3),
        ("stmia r8, {r0, r1, r2, r3}", 2),
        ("push {r0, r1, r2, r3}; pop {r0, r1, r2, r3}", 4),
        ("vldmia r8, {s0-s7}", 4),
        ("vldmia r8, {d0-d3}", 4),
        ("str r0, [r8]", 1),
        ("strb r0, [r8]", 2.4),  # P: the buffer overflows when every cycle stores a byte
        ("strh r0, [r8]", 2),
        ("strb r0, [r8]; eor r1, r2, r3; eor r4, r5, r6; eor r1, r2, r3; eor r4, r5, r6; nop", 3),
        ("vmul.f32 s0, s1, s2", 1),
        ("vfma.f32 s0, s1, s2", 3),  # Q: 3
        ("vadd.f32 s0, s0, s2", 3),
        ("vfma.f32 s0, s9, s8; vfma.f32 s1, s9, s8; vfma.f32 s2, s9, s8", 3),  # P: one a cycle
        ("it eq; addeq r0, r1, r2", 1),
        ("cmp r0, r1; it eq; addeq r2, r3, r4; eor r5, r6, r7", 2),
        ("subs r0, r0, #1; bne here", 1),
    ],
)  # fmt: skip
def test_how_long_repeated_instructions_take(source: str, expected: float) -> None:
    assert cycles(source) == pytest.approx(expected)


def test_a_taken_branch_ends_the_group_and_one_not_taken_does_not() -> None:
    compare, branch = assemble("cmp r0, r1\nbne here", "cortex-m7")
    assert branch.branch is Branch.MAYBE
    times = {}
    for taken in (False, True):
        pipeline = m7.Pipeline()
        for _ in range(10):
            pipeline.issue(m7.prepare(branch))
            if taken:
                pipeline.branch_taken()
            pipeline.issue(m7.prepare(compare))
            pipeline.branch_taken()
        times[taken] = pipeline.now()
    assert times == {False: 10, True: 20}


def test_every_kind_of_instruction_is_found_by_its_name() -> None:
    expected = {
        "smlald": m7.Result.PRODUCT, "smmlar": m7.Result.PRODUCT, "smulwb": m7.Result.PRODUCT,
        "uadd8": m7.Result.LATE, "sxtab16": m7.Result.LATE, "revsh": m7.Result.REVERSED,
        "ldrsh": m7.Result.PART, "ldr": m7.Result.WORD, "vnmls": m7.Result.CHAINED,
        "vfms": m7.Result.FUSED, "vcvt": m7.Result.FLOAT,
    }  # fmt: skip
    assert {name: m7.kind_of(name).result for name in expected} == expected
    assert m7.kind_of("shadd16").traits == m7.Trait.BITS
    assert m7.kind_of("dsb").traits == m7.Trait.ALONE
    assert all(kind.source for kind in m7.KINDS)


def test_operands_are_known() -> None:
    load, store, several, product, jump = assemble(
        "ldr r0, [r1, r2, lsl #2]\nstr r0, [r1, #4]!\nldmia r8!, {r0, r1}\n"
        "smlal r0, r1, r2, r3\npop {r4, pc}",
        "cortex-m7",
    )
    assert (load.base, load.offset, load.writes) == ({"r1", "r2"}, None, {"r0"})
    assert (store.base, store.offset, store.written_back) == ({"r1"}, 4, {"r1"})
    assert (several.base, several.registers, several.written_back) == ({"r8"}, ("r0", "r1"), {"r8"})
    assert product.reads == {"r0", "r1", "r2", "r3"}
    assert jump.branch is Branch.ALWAYS
    (equal,) = [i for i in assemble("it eq\naddeq r0, r1, r2", "cortex-m7") if i.name == "add"]
    assert equal.reads_flags
    assert not equal.sets_flags
