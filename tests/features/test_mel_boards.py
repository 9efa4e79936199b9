"""The front end on every processor: the twin's bits, and what it costs on the Cortex-M7."""

import shutil
import struct
from functools import cache

import numpy as np
import pytest
from elftools.elf.elffile import ELFFile

from outliernets import boards, codegen, toolchain
from outliernets.config import MelConfig
from outliernets.features.mel_fixed import quantized_frames
from outliernets.features.plan import MelPlan
from outliernets.pipeline.front_end import measure
from tests.features.conftest import plan_around
from tests.features.signals import at_level, extremes

pytestmark = pytest.mark.emulator

BOARDS = ["stm32f746", "stm32f446", "stm32f207", "stm32g0b1", "cortex-a72"]
COARSE = plan_around(-60.0, 0.5)
SMALL = plan_around(-50.0, 0.5, MelConfig(n_fft=512, hop=160, n_mels=40, power=1, clip_sigma=1e3))
BUDGET = 40_000  #: instructions per frame at the default settings
FLASH, RAM = 14 * 1024, 8 * 1024


def build_and_run(plan: MelPlan, board: str, compiler: str, folder) -> dict:
    """The rows and the costs of ``plan`` on a board, for ``sound``."""
    chosen = boards.load(board)
    if not toolchain.TOOLCHAINS[compiler].installed(toolchain.create_cpu(chosen)):
        pytest.skip(f"no {compiler} for {board} on this machine")
    files = codegen.mel_files("m", plan)
    return measure("m", files, plan, chosen, "unicorn", compiler, sound(), str(folder))


@cache
def sound() -> np.ndarray:
    """Everything that may go wrong, one after the other."""
    loud = [at_level(shape, -3)[:2000] for shape in ("sweep", "noise")]
    quiet = [at_level(shape, -60)[:2000] for shape in ("sine 997.3 Hz", "noise")]
    return np.concatenate([*loud, *quiet, *extremes().values()])


@pytest.mark.parametrize("compiler", ["gcc", "zig"])
@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("plan", [COARSE, SMALL], ids=["default", "512 points, magnitudes"])
def test_bits(plan, board, compiler, tmp_path):
    measured = build_and_run(plan, board, compiler, tmp_path)
    np.testing.assert_array_equal(measured["rows"], quantized_frames(sound(), plan))


@pytest.mark.parametrize("compiler", ["gcc", "zig"])
def test_cost_on_the_cortex_m7(compiler, tmp_path):
    measured = build_and_run(COARSE, "stm32f746", compiler, tmp_path)
    assert measured["instructions"]["mel_frame"] <= BUDGET
    assert measured["footprint"]["front_end_flash"] <= FLASH
    assert measured["footprint"]["front_end_ram"] <= RAM
    code = front_end_code(tmp_path / "out" / "firmware.elf")
    assert {"on_mel_push", "on_fft_real", "on_mel_frame"} <= set(code)
    assert [name for name, words in code.items() if any(map(uses_fpu, words))] == []


def front_end_code(elf) -> dict[str, list[tuple[int, int]]]:
    """The instructions of the front end's functions, as (first, second halfword)."""
    with elf.open("rb") as stream:
        file = ELFFile(stream)
        symbols = list(file.get_section_by_name(".symtab").iter_symbols())
        found = {}
        for symbol in symbols:
            if symbol.name.startswith("on_") and symbol["st_info"]["type"] == "STT_FUNC":
                section = file.get_section(symbol["st_shndx"])
                start = (symbol["st_value"] & ~1) - section["sh_addr"]
                found[symbol.name] = decode(section.data()[start : start + symbol["st_size"]])
    return {k: v for k, v in found.items() if k.startswith(("on_mel", "on_fft", "on_log"))}


def decode(code: bytes) -> list[tuple[int, int]]:
    halves = [h for (h,) in struct.iter_unpack("<H", code[: len(code) & ~1])]
    instructions, i = [], 0
    while i < len(halves):
        wide = halves[i] >> 11 in (0b11101, 0b11110, 0b11111) and i + 1 < len(halves)
        instructions.append((halves[i], halves[i + 1] if wide else 0))
        i += 1 + wide
    return instructions


def uses_fpu(instruction: tuple[int, int]) -> bool:
    """Whether it is a coprocessor instruction for number 10 or 11 (Armv7-M manual, A5.3.18)."""
    first, second = instruction
    return first & 0xEC00 == 0xEC00 and second >> 8 & 0xF in (10, 11)


def test_instructions_of_the_fpu_are_recognised():
    code = struct.pack("<7H", 0xEE31, 0x0A00, 0xED90, 0x0B02, 0xE9D1, 0x0A00, 0x4770)
    assert list(map(uses_fpu, decode(code))) == [True, True, False, False]  # vadd, vldr, ldrd, bx


def test_qemu_agrees(tmp_path):
    if shutil.which("qemu-system-arm") is None:
        pytest.skip("no qemu-system-arm on this machine")
    plan, board = COARSE, boards.load("stm32f746")
    files = codegen.mel_files("m", plan)
    measured = measure("m", files, plan, board, "qemu", "zig", sound(), str(tmp_path))
    np.testing.assert_array_equal(measured["rows"], quantized_frames(sound(), plan))
