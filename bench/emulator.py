"""How quick Unicorn is with and without counting: instructions a second of whole networks.

    python bench/emulator.py MODEL.tflite ... [--board stm32f746] [--runs 50] [--rounds 9]

Each round runs the network some times without any count (bare), then counting blocks and the steps
between them, as the target does. The medians of the rounds are printed, and the median of the
ratios within a round, which other work on the machine disturbs least. See docs/targets.md.
"""

import argparse
import ctypes
import statistics
import struct
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from outliernets import boards, codegen, target, toolchain
from outliernets.importer import read
from outliernets.lower import lower
from outliernets.pipeline import library
from outliernets.target.machines.base import NEVER, UNTIL
from outliernets.target.symbols import address_of
from outliernets.target.unicorn import UnicornTarget

PLACE = 0x6000_0000  # of LOOP: no memory of the board is there
LOOP = (
    *(0x4803, 0x4904, 0x4A04, 0x4B05),  # 1: ldr r0 to r3, the words behind
    *(0x4798, 0x3C01, 0xD1F8, 0xBF30),  # blx r3; subs r4, #1; bne 1b; wfi
)


def network_runner(running: UnicornTarget, elf: Path, name: str) -> Callable[[int], None]:
    """Return what runs the network so many times on a Cortex-M whose program has started."""
    from unicorn import arm_const

    machine: Any = running._running()
    symbols = ("state", "receive", "output", f"{name}_infer")
    values = [address_of(elf, symbol) for symbol in symbols]
    values[-1] |= 1
    machine._uc.mem_map(PLACE, 0x1000)
    machine._uc.mem_write(PLACE, struct.pack("<8H4I", *LOOP, *values))

    def run(times: int) -> None:
        machine._state[machine._native.State.LIMIT] = NEVER
        machine._uc.reg_write(arm_const.UC_ARM_REG_SP, address_of(elf, "on_stack_high"))
        machine._uc.reg_write(arm_const.UC_ARM_REG_R4, times)
        machine._uc.emu_start(PLACE | 1, UNTIL)

    return run


def uncounted(running: UnicornTarget) -> None:
    """Let a program that has started go on without any count."""
    import unicorn

    machine: Any = running._running()
    machine._library.uc_hook_del(machine._uc._uch, ctypes.c_size_t(machine.block_hook))
    flush = unicorn.UC_CTL_TB_FLUSH | unicorn.UC_CTL_IO_WRITE << 30  # 2.1.1 has no call for it
    machine._library.uc_ctl(machine._uc._uch, ctypes.c_int(flush))


def rate(run: Callable[[int], None], instructions: int, runs: int) -> float:
    """Return millions of instructions a second of this process's time on a processor."""
    start = time.process_time()
    run(runs)
    return 1e-6 * instructions * runs / (time.process_time() - start)


def measure(model: Path, board: boards.Board, rounds: int, runs: int) -> str:
    """Return a line of the table."""
    graph = read(model)
    files = codegen.network_files(lower(graph, toolchain.create_cpu(board).kernels))
    noise = np.random.default_rng(1).integers(-128, 128, graph.x.size, np.int8).tobytes()
    with (
        tempfile.TemporaryDirectory() as scratch,
        UnicornTarget() as bare,
        UnicornTarget() as counting,
    ):
        built, _ = library.link_check(graph, files, model, board, "unicorn", "zig", Path(scratch))
        runners = []
        for running in (bare, counting):
            target.Client(running.open(built.elf, board), built.elf).infer(noise)
            runners.append(network_runner(running, built.elf, graph.name))
        uncounted(bare)
        before = [sum(one.counts().values()) for one in (bare, counting)]
        for run in runners:
            run(1)
        after = [sum(one.counts().values()) for one in (bare, counting)]
        instructions = after[1] - before[1]
        assert after[0] == before[0]
        rates = [[rate(run, instructions, runs) for run in runners] for _ in range(rounds)]
    without, with_ = (statistics.median(column) for column in zip(*rates, strict=True))
    ratio = statistics.median(b / a for a, b in rates)
    return f"| {model.stem} | {instructions:,} | {without:.0f} | {with_:.0f} | {ratio:.2f} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Unicorn's speed with and without counting.")
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--board", default="stm32f746")
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=9)
    chosen = parser.parse_args()
    print("| network | instructions | bare, MIPS | counting, MIPS | ratio |")
    print("| --- | --- | --- | --- | --- |")
    for model in chosen.models:
        print(measure(model, boards.load(chosen.board), chosen.rounds, chosen.runs), flush=True)


if __name__ == "__main__":
    main()
