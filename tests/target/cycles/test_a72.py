"""The Cortex-A72's model: latencies, pipes, width and window, by repeated instructions."""

import pytest

from outliernets.target.cycles import a72
from outliernets.target.cycles.decode import Branch
from tests.target.cycles.snippets import assemble
from tests.target.cycles.snippets import cycles as timed


def cycles(source: str) -> float:
    return timed(source, "cortex-a72")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        # Chains show latencies
        ("add x0, x0, x1", 1),
        ("add x0, x0, x1, lsl #3", 2),
        ("mul w0, w0, w1", 3),
        ("madd w0, w1, w2, w0", 1),
        ("madd w0, w0, w2, w1", 3),
        ("ldr x0, [x0]", 4),
        ("ldr w0, [x1], #4", 1),  # the address moves on at once
        ("add v0.4s, v0.4s, v1.4s", 3),
        ("smlal v0.4s, v1.4h, v2.4h", 1),
        ("smlal2 v0.4s, v1.8h, v2.h[3]", 1),
        ("smlal v0.4s, v0.4h, v2.4h", 4),
        ("mla v0.8h, v1.8h, v2.8h", 2),
        ("smull v0.4s, v0.4h, v2.4h", 4),
        ("sadalp v0.4s, v1.8h", 1),
        ("fmla v0.4s, v1.4s, v2.4s", 3),
        ("fadd v0.4s, v0.4s, v1.4s", 4),
        ("subs x0, x0, #1; b.ne here", 1),
        # Independent ones show pipes
        ("add x0, x1, x2; add x3, x4, x5", 1),
        ("add x0, x1, x2; add x3, x4, x5; ldr x6, [x7]", 1),  # width 3
        ("add x0, x1, x2; add x3, x4, x5; ldr x6, [x7]; str x8, [x9]", 4 / 3),
        ("ldr x0, [x9]; ldr x1, [x9]", 2),
        ("ldp q0, q1, [x9]", 2),
        ("str q0, [x9]", 2),
        ("smull v0.4s, v1.4h, v2.4h; smull v3.4s, v1.4h, v2.4h", 2),
        ("add v0.4s, v1.4s, v2.4s; add v3.4s, v1.4s, v2.4s", 1),
        ("sqrdmulh v0.4s, v1.4s, v2.4s", 2),
        ("smlal v0.4s, v1.4h, v2.4h; sadalp v3.4s, v4.8h", 1),  # one each of the two pipes
        ("sshr v0.4s, v1.4s, #3; sshr v2.4s, v1.4s, #3", 2),
        ("mul x0, x1, x2", 3),
        # Out of order: a long latency hides behind other work
        ("ldr x0, [x9]; add x1, x0, x2; add x3, x1, x4; add x5, x3, x6", 1.5),
    ],
)  # fmt: skip
def test_how_long_repeated_instructions_take(source: str, expected: float) -> None:
    assert cycles(source) == pytest.approx(expected, abs=0.11)


def test_the_window_limits_how_far_ahead_it_works() -> None:
    chain = "ldr x0, [x0]\n" + "add x1, x2, x3\n" * 11
    assert cycles(chain) == pytest.approx(5.5, abs=0.11)  # the integer pipes, not the load
    slow = "udiv x0, x0, x1\n" + "add x1, x2, x3\nadd x4, x5, x6\n" * 3
    assert cycles(slow) == pytest.approx(20, abs=0.11)


@pytest.mark.parametrize(
    ("source", "reads", "writes"),
    [
        ("smlal v0.4s, v1.4h, v2.h[3]", {"v0", "v1", "v2"}, {"v0"}),
        ("smull v0.4s, v1.4h, v2.4h", {"v1", "v2"}, {"v0"}),
        ("xtn2 v0.8h, v1.4s", {"v0", "v1"}, {"v0"}),
        ("mov v0.s[1], v1.s[0]", {"v0", "v1"}, {"v0"}),
        ("mov v0.16b, v1.16b", {"v1"}, {"v0"}),
        ("ldp q0, q1, [x2], #32", {"x2"}, {"v0", "v1", "x2"}),
        ("stp w0, w1, [x2, #-16]!", {"x0", "x1", "x2"}, {"x2"}),
        ("ldr q3, [x4, w5, sxtw #4]", {"x4", "x5"}, {"v3"}),
        ("ld1 {v0.16b, v1.16b}, [x2], x3", {"x2"}, {"v0", "v1", "x2"}),
        ("st1 {v0.s}[2], [x1]", {"v0", "x1"}, set()),
        ("str wzr, [x1]", {"x1"}, set()),
        ("cmp x0, x1", {"x0", "x1"}, set()),
        ("ccmp x0, x1, #0, eq", {"x0", "x1"}, set()),
        ("csel x0, x1, x2, eq", {"x1", "x2"}, {"x0"}),
        ("bic x0, x1, x2", {"x1", "x2"}, {"x0"}),
        ("tbl v0.16b, {v1.16b, v2.16b}, v3.16b", {"v1", "v2", "v3"}, {"v0"}),
        ("add sp, sp, #16", {"sp"}, {"sp"}),
        ("cbnz w3, here", {"x3"}, set()),
        ("bl here", set(), {"x30"}),
        ("ret", {"x30"}, set()),
    ],
)
def test_operands_are_known(source: str, reads: set[str], writes: set[str]) -> None:
    (i,) = assemble(source, "cortex-a72")
    assert (i.reads, i.writes) == (reads, writes)


def test_flags_and_branches_are_known() -> None:
    subtract, branch, jump, test, add = assemble(
        "subs x0, x0, #1\nb.ne here\nb here\ntbz x1, #3, here\nadd x0, x1, x2", "cortex-a72"
    )
    assert (subtract.sets_flags, branch.reads_flags, add.sets_flags) == (True, True, False)
    kinds = [i.branch for i in (subtract, branch, jump, test)]
    assert kinds == [Branch.NO, Branch.MAYBE, Branch.ALWAYS, Branch.MAYBE]


def test_pipes_of_the_table_exist() -> None:
    assert {p for kind in a72.KINDS for p in kind.pipes.split()} <= set(a72.PIPES)
