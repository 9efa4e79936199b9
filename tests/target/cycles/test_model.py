"""From counted steps to cycles by function: exact bookkeeping, the same every time."""

from pathlib import Path

import pytest

from outliernets import boards
from outliernets.target import Client, Flow, cycles
from outliernets.target.base import NOWHERE
from outliernets.target.cycles import m7, model
from outliernets.target.machines import load_segments
from outliernets.target.symbols import Functions
from outliernets.target.unicorn import UnicornTarget
from tests.target import stub
from tests.target.conftest import Build
from tests.target.cycles import snippets

#: two blocks of a loop whose branch is taken at every second step, then a return
LOOP = """
.global loop
.type loop, %function
loop:
    ldr r0, [r1], #4
    cmp r0, #0
    beq skip
    add r2, r2, r0
skip:
    subs r3, r3, #1
    bne loop
    bx lr
.size loop, . - loop
"""


@pytest.fixture
def loop(tmp_path: Path) -> Path:
    return snippets.link(LOOP, tmp_path)


def flow_of(elf: Path, rounds: int, skipped: int) -> Flow:
    """The steps of ``rounds`` of the loop, of which ``skipped`` skip the addition."""
    (code,) = [s for s in load_segments(elf) if s.executable]
    start = code.address
    parts = [start, start + 8, start + 10, start + 14, start + 16]  # by the sizes of instructions
    head, add, tail, out, end = parts
    steps = {
        (NOWHERE, head): 1,
        (head, add): rounds - skipped,
        (head, tail): skipped,
        (add, tail): rounds - skipped,
        (tail, head): rounds - 1,
        (tail, out): 1,
    }
    sizes = {a: b - a for a, b in zip(parts, [*parts[1:], end], strict=True) if a != end}
    return Flow({step: n for step, n in steps.items() if n}, sizes)


def test_a_branch_is_mispredicted_as_often_as_it_goes_the_rarer_way(loop: Path) -> None:
    totals = {}
    for skipped in (0, 100, 500, 900, 1000):
        found = cycles.estimate(loop, "cortex-m7", flow_of(loop, 1000, skipped))
        assert found is not None
        assert list(found.functions) == ["loop"]
        totals[skipped] = found.functions["loop"]
    straight, through = totals[0] / 1000, totals[1000] / 1000
    for skipped in (100, 500, 900):
        mixed = straight + (through - straight) * skipped / 1000
        wrong = min(skipped, 1000 - skipped) * m7.MISPREDICTED
        assert totals[skipped] == pytest.approx(1000 * mixed + wrong, rel=0.1)
    assert totals[500] > totals[100] > totals[0]


def test_nothing_counted_and_no_model_are_no_estimate(loop: Path) -> None:
    assert cycles.estimate(loop, "cortex-m7", Flow({}, {})) is None
    assert cycles.estimate(loop, "cortex-m4", flow_of(loop, 10, 0)) is None


def test_flows_add_up() -> None:
    a = Flow({(1, 2): 3, (2, 1): 1}, {1: 4, 2: 6})
    b = Flow({(1, 2): 4, (2, 3): 1}, {2: 6, 3: 2})
    assert Flow.joined([a, b]) == Flow({(1, 2): 7, (2, 1): 1, (2, 3): 1}, {1: 4, 2: 6, 3: 2})


@pytest.mark.parametrize("board", ["stm32f746", "cortex-a72"])
@pytest.mark.emulator
def test_steps_account_for_every_instruction(board: str, stub_firmware: Build) -> None:
    firmware = stub_firmware(board, "zig", "unicorn")
    with UnicornTarget().open(firmware.elf, boards.load(board)) as running:
        client = Client(running)
        client.hello()
        client.infer(bytes([stub.LOOP]) + bytes(15))
        counts, flow = running.counts(), running.flow()
    core, functions = model.CORES[boards.load(board).cpu], Functions(firmware.elf)
    walk = model._Walk(firmware.elf, core, flow)
    found: dict[str, int] = {}
    for (_, address), times in flow.steps.items():
        name = functions.name_at(address) or "?"
        found[name] = found.get(name, 0) + times * len(walk._block(address).prepared)
    assert found == counts


@pytest.mark.parametrize(("board", "a_round"), [("stm32f746", 2), ("cortex-a72", 1)])
@pytest.mark.emulator
def test_equal_runs_give_equal_cycles(board: str, a_round: float, stub_firmware: Build) -> None:
    firmware = stub_firmware(board, "zig", "unicorn")
    cpu, found = boards.load(board).cpu, []
    for _ in range(2):
        with UnicornTarget().open(firmware.elf, boards.load(board)) as running:
            client = Client(running)
            client.hello()
            client.infer(bytes([stub.LOOP]) + bytes(15))
            estimate = cycles.estimate(firmware.elf, cpu, running.flow())
            assert estimate is not None
            found.append(estimate)
    assert found[0] == found[1]
    assert found[0].functions["counted_loop"] == pytest.approx(a_round * stub.LOOPS, abs=100)
    assert 0 < found[0].error < 0.5
