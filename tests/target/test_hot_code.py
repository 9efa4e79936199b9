"""Hot code and variables in tightly coupled memory: placed, copied, and never in the way."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from outliernets import boards
from outliernets.boards import Board, Memory
from outliernets.target import Client
from outliernets.target.unicorn import UnicornTarget
from outliernets.toolchain import Firmware
from tests.target import stub
from tests.target.conftest import Build

COMPILERS = ["zig", "gcc"]
HOT = {"stub_infer", "stub_push"}
COLD = {"main", "misbehave", "Reset_Handler", "bsp_receive", "on_crc32"}


def changed(**settings: dict[str, object]) -> Board:
    """The STM32F746 with other settings of some memories, by name."""
    board = boards.load("stm32f746")
    memory = tuple(dataclasses.replace(m, **settings.get(m.name, {})) for m in board.memory)  # type: ignore[arg-type]
    variant = dataclasses.replace(board.variant("unicorn"), memory=memory)
    return dataclasses.replace(board, targets={"unicorn": variant})


def region(name: str) -> Memory:
    return next(m for m in boards.load("stm32f746").memory if m.name == name)


def addresses(elf: Path) -> dict[str, int]:
    from elftools.elf.elffile import ELFFile

    with elf.open("rb") as stream:
        table = ELFFile(stream).get_section_by_name(".symtab")
        assert table is not None
        return {s.name: s["st_value"] & ~1 for s in table.iter_symbols() if s.name}


def inside(elf: Path, name: str) -> set[str]:
    """Names of symbols in a memory."""
    memory = region(name)
    return {s for s, a in addresses(elf).items() if memory.base <= a < memory.end}


def require_right_answers(elf: Path) -> None:
    pcm = np.random.default_rng(8).integers(-32768, 32768, 2000).astype(np.int16)
    with UnicornTarget().open(elf, boards.load("stm32f746")) as running:
        client = Client(running, elf)
        client.hello(stub.MODEL_ID)
        client.reset()
        assert [r.score for r in client.push(pcm)] == stub.scores(pcm)
        assert client.infer(bytes(16)) == stub.infer(bytes(16))
        misbehaving = bytes([stub.LOOP]) + bytes(15)
        assert client.infer(misbehaving) == stub.infer(misbehaving)


@pytest.mark.emulator
@pytest.mark.parametrize("compiler", COMPILERS)
def test_hot_functions_and_variables_are_in_tightly_coupled_memory(
    compiler: str, stub_firmware: Build
) -> None:
    firmware = stub_firmware("stm32f746", compiler, "unicorn")
    itcm, dtcm, flash = (inside(firmware.elf, m) for m in ("itcm", "dtcm", "flash"))
    assert itcm >= HOT | {"counted_loop"}
    assert dtcm >= {"state", "receive", "on_stack_low", "on_stack_high"}
    assert flash >= COLD
    assert not (HOT | {"counted_loop"}) & flash
    assert firmware.code_ram == firmware.sections[".itcm"] > 100
    assert firmware.hot_in_flash == 0
    symbols = addresses(firmware.elf)
    assert symbols["on_stack_low"] == region("dtcm").base  # a stack too deep is a fault
    assert symbols["on_stack_high"] <= symbols["state"]
    require_right_answers(firmware.elf)


def exact(folder: Path, compiler: str, size: int) -> Firmware:
    """The stub's program for a chip whose memory for hot code has ``size`` bytes."""
    return stub.build(changed(itcm={"size": size}), compiler, "unicorn", folder / str(size))


@pytest.mark.emulator
@pytest.mark.parametrize("compiler", COMPILERS)
def test_hot_code_that_finds_no_room_stays_in_flash(
    compiler: str, stub_firmware: Build, tmp_path: Path
) -> None:
    whole = stub_firmware("stm32f746", compiler, "unicorn").code_ram
    left = []
    # Long branches out of the memory need room, too, which is known only after a first link.
    for size in (whole, whole - 8, whole // 2):
        firmware = exact(tmp_path, compiler, size)
        assert firmware.code_ram <= size
        assert "counted_loop" in inside(firmware.elf, "itcm")  # has no choice
        there = HOT & inside(firmware.elf, "flash")
        assert bool(there) == (firmware.hot_in_flash > 0)
        left.append(firmware.hot_in_flash)
        require_right_answers(firmware.elf)
    assert left[0] == 0 < left[1] <= left[2]


@pytest.mark.emulator
@pytest.mark.parametrize("compiler", COMPILERS)
def test_memories_without_such_roles_take_only_what_is_sent_there(
    compiler: str, tmp_path: Path
) -> None:
    board = changed(itcm={"role": "spare"}, dtcm={"role": "stack"})
    firmware = stub.build(board, compiler, "unicorn", tmp_path)
    assert {"scale", "offset"} <= inside(firmware.elf, "itcm")  # STUB_SPARE is the first
    assert inside(firmware.elf, "flash") >= HOT | COLD | {"counted_loop"}
    assert "state" in inside(firmware.elf, "sram1")
    assert addresses(firmware.elf)["on_stack_high"] == region("dtcm").end
    assert (firmware.code_ram, firmware.hot_in_flash) == (0, 0)
    require_right_answers(firmware.elf)


@pytest.mark.parametrize("name", ["stm32f446", "stm32f207", "stm32g0b1"])
def test_other_boards_have_nothing_of_it(name: str, tmp_path: Path) -> None:
    board = boards.load(name)
    for target in board.targets:
        script = stub.linker_script(board, target, tmp_path)
        assert script is not None
        assert "hot" not in script.read_text()
        assert "itcm" not in script.read_text()
