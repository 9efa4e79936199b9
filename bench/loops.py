"""Puts our models' cycles of a network's hottest loops beside llvm-mca's: see docs/latency.md.

    python bench/loops.py MODEL.tflite --board cortex-a72 [--toolchain gcc] [--loops 12]

Needs ``llvm-mca`` (apt install llvm). Its Cortex-A72 is the Cortex-A57; its Cortex-M7 knows neither
the early ALU nor what pairs.
"""

import argparse
import re
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from outliernets import boards, codegen, target, toolchain
from outliernets.importer import read
from outliernets.lower import lower
from outliernets.pipeline import library
from outliernets.target.cycles.decode import Branch, Instruction
from outliernets.target.cycles.model import CORES, _Walk
from outliernets.target.machines import load_segments
from outliernets.target.symbols import Functions

TARGETS = {
    "cortex-m7": ["-mtriple=thumbv7em-none-eabihf", "-mcpu=cortex-m7"],
    "cortex-a72": ["-mtriple=aarch64", "-mcpu=cortex-a72"],
}
ROUNDS = 200


def mca(instructions: list[Instruction], cpu: str) -> float:
    """Return llvm-mca's cycles of one round."""
    lines = [
        re.sub(r"#0x[0-9a-f]+$", "here", i.text) if i.branch is not Branch.NO else i.text
        for i in instructions
    ]
    done = subprocess.run(
        ["llvm-mca", *TARGETS[cpu], f"-iterations={ROUNDS}"],
        input="here:\n" + "\n".join(lines) + "\n",
        capture_output=True,
        text=True,
        check=True,
    )
    found = re.search(r"Total Cycles:\s+(\d+)", done.stdout)
    assert found
    return int(found[1]) / ROUNDS


def code_at(elf: Path, address: int, size: int) -> bytes:
    """Return the machine code of a block."""
    for s in load_segments(elf):
        if s.executable and s.address <= address < s.address + len(s.data):
            return s.data[address - s.address :][:size]
    raise ValueError(f"no code at {address:#x}")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Hot loops: our cycles beside llvm-mca's.")
    parser.add_argument("model", type=Path)
    parser.add_argument("--board", default="cortex-a72")
    parser.add_argument("--toolchain", default="zig")
    parser.add_argument("--loops", type=int, default=12)
    chosen = parser.parse_args()
    board = boards.load(chosen.board)
    core = CORES[board.cpu]
    graph = read(chosen.model, "net")
    files = codegen.network_files(lower(graph, toolchain.create_cpu(board).kernels))
    with tempfile.TemporaryDirectory() as scratch:
        built, _ = library.link_check(
            graph, files, chosen.model, board, "unicorn", chosen.toolchain, Path(scratch)
        )
        with target.get("unicorn").open(built.elf, board) as running:
            noise = np.random.default_rng(1).integers(-128, 128, graph.x.size, np.int8)
            target.Client(running, built.elf).infer(noise.tobytes())
            flow = running.flow()
        walk, functions = _Walk(built.elf, core, flow), Functions(built.elf)
        weights = {a: n * flow.sizes[a] for (a, b), n in flow.steps.items() if a == b}
        for address in sorted(weights, key=lambda a: -weights[a])[: chosen.loops]:
            code = code_at(built.elf, address, flow.sizes[address])
            instructions = core.decode(code, address)
            ours, theirs = walk._cost(address, address), mca(instructions, board.cpu)
            times = flow.steps[address, address]
            name = functions.name_at(address)
            print(f"{name:40} {len(instructions):4} x {times:6}  {ours:6.1f}  {theirs:6.1f}")


if __name__ == "__main__":
    main()
