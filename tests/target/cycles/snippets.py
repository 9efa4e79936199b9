"""Assembles a few instructions and times them in a model's pipeline, as one would on silicon."""

import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from outliernets import boards, toolchain
from outliernets.target.cycles.decode import Branch, Instruction
from outliernets.target.cycles.model import CORES

BOARDS = {"cortex-m7": "stm32f746", "cortex-a72": "cortex-a72"}
FEW, MANY = 14, 24  #: copies; what one takes is the difference, so that the start does not count


@cache
def assemble(source: str, cpu: str) -> list[Instruction]:
    """Return instructions, assembled by whichever of the compilers is installed."""
    compilers = toolchain.available(boards.load(BOARDS[cpu]))
    if not compilers:
        pytest.skip(f"no assembler for {cpu}")
    described = toolchain.cpus.CPUS[cpu]
    if "gcc" in compilers:
        command = [f"{described.gcc_prefix}gcc", *described.gcc]
    else:
        command = [sys.executable, "-m", "ziglang", "cc", *described.zig]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "snippet.s"
        syntax = ".syntax unified\n.thumb\n" if cpu == "cortex-m7" else ""
        path.write_text(f"{syntax}.text\nhere:\n{source}\n")
        output = path.with_suffix(".o")
        done = subprocess.run(
            [*command, "-c", str(path), "-o", str(output)], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        with output.open("rb") as stream:
            code = ELFFile(stream).get_section_by_name(".text").data()
    decoded = CORES[cpu].decode(code, 0)
    assert sum(i.size for i in decoded) == len(code)
    return decoded


def run(instructions: list[Instruction], cpu: str, copies: int) -> float:
    core = CORES[cpu]
    pipeline = core.pipeline()
    prepared = [core.prepare(i) for i in instructions]
    for _ in range(copies):
        for i, p in zip(instructions, prepared, strict=True):
            pipeline.issue(p)
            if i.branch is not Branch.NO:
                pipeline.branch_taken()
    return pipeline.now()


def cycles(source: str, cpu: str = "cortex-m7") -> float:
    """Return the cycles that the instructions take when they are repeated."""
    instructions = assemble(source.replace(";", "\n"), cpu)
    return (run(instructions, cpu, MANY) - run(instructions, cpu, FEW)) / (MANY - FEW)


def link(source: str, folder: Path) -> Path:
    """Return a program for the Cortex-M7 that holds the instructions and a symbol table."""
    compilers = toolchain.available(boards.load("stm32f746"))
    if "gcc" not in compilers:
        pytest.skip("no linker for the Cortex-M7")
    described = toolchain.cpus.CPUS["cortex-m7"]
    path, elf = folder / "program.s", folder / "program.elf"
    path.write_text(f".syntax unified\n.thumb\n.text\n{source}\n")
    command = [f"{described.gcc_prefix}gcc", *described.gcc, "-nostdlib", "-Wl,-e,0"]
    subprocess.run([*command, str(path), "-o", str(elf)], check=True)
    return elf
