"""Renode as a target, against a stand-in with its interfaces; the real one where it is installed.

The stand-in (``fake_renode.py``) is not Renode: what these tests show is that ongen's side of the
conversation is right, and that the files it writes are consistent with the board and the program.
"""

import re
import shutil
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from outliernets import boards, resources
from outliernets.cli._tools import PROGRAMS
from outliernets.errors import ConfigError, MissingToolError, TargetError
from outliernets.target import Client, get, machines
from outliernets.target.renode import RenodeTarget, files, profile, remote
from outliernets.target.unicorn import UnicornTarget
from outliernets.toolchain import Firmware
from tests.target import stub
from tests.target.conftest import Build
from tests.target.renode_files import (
    WrongError,
    parse_command,
    parse_platform,
    refuse_urls,
    script_lines,
)

BOARD = "stm32f746"
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make the stand-in the Renode of this test."""
    program = tmp_path / "renode"
    program.write_text(
        f'#!/bin/sh\nPYTHONPATH="{ROOT}:$PYTHONPATH" exec "{sys.executable}" '
        f'-m tests.target.fake_renode "$@"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("RENODE", str(program))
    return program


@pytest.fixture
def firmware(stub_firmware: Build) -> Firmware:
    return stub_firmware(BOARD, "zig", "renode")


@pytest.fixture
def running(fake: Path, firmware: Firmware) -> Iterator[RenodeTarget]:
    with RenodeTarget(timeout=60).open(firmware.elf, boards.load(BOARD)) as target:
        yield target


def converse(running: RenodeTarget | UnicornTarget, elf: Path) -> tuple[list[int], bytes]:
    client = Client(running, elf)
    client.hello(stub.MODEL_ID)
    pcm = np.random.default_rng(7).integers(-32768, 32768, 4000).astype(np.int16)
    return [r.score for r in client.push(pcm)], client.infer(bytes(range(16)))


# against the stand-in


@pytest.mark.emulator
def test_scores_equal_unicorns(running: RenodeTarget, firmware: Firmware) -> None:
    scores, inferred = converse(running, firmware.elf)
    assert len(scores) == 4000 // stub.WINDOW
    with UnicornTarget().open(firmware.elf, boards.load(BOARD)) as other:
        assert (scores, inferred) == converse(other, firmware.elf)


@pytest.mark.emulator
def test_counts_add_up_over_several_profiles(running: RenodeTarget, firmware: Firmware) -> None:
    client = Client(running, firmware.elf)
    client.hello()
    loop = bytes([stub.LOOP]) + bytes(15)
    seen = []
    for _ in range(3):
        client.infer(loop)
        seen.append(running.counts().get("counted_loop", 0))
    assert seen[0] > 3 * stub.LOOPS
    assert seen[1] - seen[0] == seen[2] - seen[1] == seen[0]
    assert running.instructions() >= sum(running.counts().values()) > 9 * stub.LOOPS


@pytest.mark.emulator
def test_version(running: RenodeTarget) -> None:
    assert running.version() == "1.16.1.12345"


@pytest.mark.emulator
@pytest.mark.parametrize(
    ("mistake", "said"),
    [
        ("no-port", "renode ended with status 3: cannot start: no runtime"),
        ("deaf", "renode did not answer within 1 s: ExecuteScript"),
        ("fail", r"ExecuteCommand connector Connect .*: KeywordException: Could not connect"),
        ("off", r"did not set up its UART within 0\.05 s .* at 0x8000201 \(in "),
        ("crash", "renode ended with status 9"),
        ("noise", "bytes came and no answer was among them"),
    ],
)
def test_what_goes_wrong_is_said_and_nothing_hangs(
    mistake: str, said: str, fake: Path, firmware: Firmware, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_RENODE", mistake)
    target = RenodeTarget(timeout=5, answer=1 if mistake == "deaf" else 60)
    with target, pytest.raises(TargetError, match=said):
        Client(target.open(firmware.elf, boards.load(BOARD))).hello()


@pytest.mark.emulator
def test_silence_ends_at_the_timeout(fake: Path, firmware: Firmware) -> None:
    with RenodeTarget(timeout=1).open(firmware.elf, boards.load(BOARD)) as running:
        Client(running).hello()
        with pytest.raises(TargetError, match=r"silent for 1 s.* 0 of 8 expected"):
            running.read(8)


@pytest.mark.emulator
def test_firmware_of_another_board_is_refused(fake: Path, stub_firmware: Build) -> None:
    other = stub_firmware(BOARD, "gcc", "qemu")
    with pytest.raises(TargetError, match="not in the code of machine stm32f7"):
        RenodeTarget().open(other.elf, boards.load(BOARD))


@pytest.mark.emulator
def test_a_suite_for_renode_test_passes(fake: Path, firmware: Firmware, tmp_path: Path) -> None:
    """Robot Framework itself runs the suite, against the stand-in."""
    robot = pytest.importorskip("robot.api", reason="robotframework is not installed")
    board = boards.load(BOARD)
    folder = tmp_path / "suite"
    folder.mkdir()
    for name, text in files.suite_files(board, board.variant("renode"), stub.MODEL_ID).items():
        (folder / name).write_text(text)
    shutil.copyfile(firmware.elf, folder / files.PROGRAM)
    other = remote.Remote(tmp_path, 30)
    try:
        suite = robot.TestSuite.from_file_system(folder / files.SUITE)
        suite.resource.imports.library("Remote", args=[other.address])
        result = suite.run(output=None, console="none")
    finally:
        other.close()
    assert [(t.name, t.status, t.message) for t in result.suite.tests] == [
        ("Firmware Says Which Model It Runs", "PASS", "")
    ]


# the real one


@pytest.mark.emulator
@pytest.mark.slow
@pytest.mark.parametrize("compiler", ["zig", "gcc"])
def test_renode_itself_agrees_with_unicorn(compiler: str, stub_firmware: Build) -> None:
    try:
        remote.find()
    except MissingToolError as error:
        pytest.skip(str(error))
    firmware = stub_firmware(BOARD, compiler, "renode")
    board = boards.load(BOARD)
    with RenodeTarget().open(firmware.elf, board) as real:
        found = converse(real, firmware.elf)
        Client(real).infer(bytes([stub.LOOP]) + bytes(15))
        counts = real.counts()
        with pytest.raises(TargetError, match="in misbehave"):
            Client(real, firmware.elf).infer(bytes([stub.UNDEFINED]) + bytes(15))
    with UnicornTarget().open(firmware.elf, board) as other:
        assert found == converse(other, firmware.elf)
        Client(other).infer(bytes([stub.LOOP]) + bytes(15))
        exact = other.counts()
    assert sum(counts.values()) > 3 * stub.LOOPS
    # A call or return may be counted with either function: a few instructions per call.
    assert counts["counted_loop"] == pytest.approx(exact["counted_loop"], abs=8)


# the files


@pytest.fixture
def platform_text() -> str:
    board = boards.load(BOARD)
    return files.platform_files(board, board.variant("renode"))[files.PLATFORM]


def test_the_platform_has_the_boards_memory(platform_text: str) -> None:
    board = boards.load(BOARD)
    memories = {
        name: p.places
        for name, p in parse_platform(platform_text).peripherals.items()
        if p.kind == "Memory.MappedMemory" and name != "flash_registers"
    }
    assert memories == {
        m.name: [(m.base, m.size)] + ([] if m.alias is None else [(m.alias, m.size)])
        for m in board.memory
    }


def test_nothing_in_the_platform_overlaps(platform_text: str) -> None:
    ranges = sorted(
        (first, end, name)
        for name, places in parse_platform(platform_text).ranges().items()
        for first, end in places
    )
    for (_, end, low), (first, _, high) in pairwise(ranges):
        assert end <= first, f"{low} and {high}"


def test_the_platform_has_the_boards_clock_and_processor(platform_text: str) -> None:
    board = boards.load(BOARD)
    found = parse_platform(platform_text).peripherals
    assert found["cpu"].values["cpuType"] == f'"{board.cpu}"'
    assert found["cpu"].values["PerformanceInMips"] == str(board.clock_hz // 1_000_000)
    assert found["dwt"].values["frequency"] == str(board.clock_hz)
    assert found["nvic"].values["systickFrequency"] == str(board.clock_hz)


def test_the_uart_is_the_firmwares(platform_text: str) -> None:
    header = (resources.firmware() / "bsp" / BOARD / "chip.h").read_text()
    place = re.search(r"#define UART (0x[0-9A-F]+)U", header)
    assert place
    chip = files.CHIPS["stm32f7"]
    uart = parse_platform(platform_text).peripherals[chip.uart]
    assert uart.places[0][0] == int(place[1], 16) == chip.control


def test_every_register_the_firmware_names_is_in_the_platform(platform_text: str) -> None:
    """All addresses of peripherals in the board support, also those of other applications."""
    named: set[int] = set()
    for folder in boards.load(BOARD).variant("renode").bsp:
        for path in (resources.firmware() / "bsp" / folder).glob("*.[ch]"):
            named |= {int(n, 16) for n in re.findall(r"\b(0x[4E]00[0-9A-F]{5})U", path.read_text())}
    assert len(named) > 20
    # GPIOD: another board's UART. GPIOG, GPIOH: the microphones, whose SAI Renode does not have.
    unused = {0x40020C00, 0x40021800, 0x40021C00}
    places = [p for all_ in parse_platform(platform_text).ranges().values() for p in all_]
    missing = [a for a in named if not any(first <= a < end for first, end in places)]
    assert {hex(a) for a in missing} <= {hex(a) for a in unused}


@pytest.mark.emulator
def test_every_register_the_firmware_touches_is_in_the_platform(
    platform_text: str, firmware: Firmware, monkeypatch: pytest.MonkeyPatch
) -> None:
    touched: set[int] = set()
    for name in ("_read_register", "_write_register"):
        monkeypatch.setattr(machines.Stm32, name, watched(getattr(machines.Stm32, name), touched))
    with UnicornTarget().open(firmware.elf, boards.load(BOARD)) as running:
        converse(running, firmware.elf)
    assert len(touched) > 10
    places = [p for all_ in parse_platform(platform_text).ranges().values() for p in all_]
    missing = [a for a in touched if not any(first <= a < end for first, end in places)]
    assert [hex(a) for a in sorted(missing)] == []


def watched(method: Callable[..., Any], touched: set[int]) -> Callable[..., Any]:
    """The method, which notes the addresses it is called with."""

    def noting(self: machines.Stm32, address: int, *rest: int) -> Any:
        touched.add(address)
        return method(self, address, *rest)

    return noting


@pytest.mark.emulator
def test_the_program_fits_the_platform(platform_text: str, firmware: Firmware) -> None:
    from elftools.elf.elffile import ELFFile

    places = [p for all_ in parse_platform(platform_text).ranges().values() for p in all_]
    with firmware.elf.open("rb") as stream:
        elf = ELFFile(stream)
        used = [(s["p_paddr"], s["p_filesz"]) for s in elf.iter_segments("PT_LOAD")]
        used += [(s["p_vaddr"], s["p_memsz"]) for s in elf.iter_segments("PT_LOAD")]
        symbols = {s.name: s["st_value"] for s in elf.get_section_by_name(".symtab").iter_symbols()}
    for address, size in used:
        assert any(first <= address and address + size <= end for first, end in places)
    board = boards.load(BOARD)
    script = files.platform_files(board, board.variant("renode"))[files.SCRIPT]
    vectors = [a["vectors"] for _, a in map(parse_command, script_lines(script)) if "vectors" in a]
    assert [int(v, 16) for v in vectors] == [symbols["on_vectors"]]


def test_the_script_has_known_commands_and_no_urls() -> None:
    board = boards.load(BOARD)
    written = files.suite_files(board, board.variant("renode"), 1)
    assert set(written) == {files.PLATFORM, files.SCRIPT, files.SUITE}
    for text in written.values():
        refuse_urls(text)
    commands = [parse_command(line)[0] for line in script_lines(written[files.SCRIPT])]
    assert commands[0] == "mach create"
    assert commands[-1] == "cpu VectorTableOffset"


@pytest.mark.parametrize(
    ("find", "replace"),
    [
        ("UART.STM32F7_USART", "UART.STM32F9_USART"),
        ("    frequency: 108000000", "    frequencies: 108000000"),
        ("nvic@37", "nvic37"),
        ("nvic: nvic", "nvic: nvik"),
        ("    size: 0x4000\n", ""),
        ("sysbus:\n", "sysbus:\n    ApplySVD @https://example.org/x.svd\n"),
    ],
)
def test_the_reader_of_platforms_sees_mistakes(platform_text: str, find: str, replace: str) -> None:
    assert find in platform_text
    with pytest.raises(WrongError):
        parse_platform(platform_text.replace(find, replace, 1))


def test_an_unknown_machine_is_an_error() -> None:
    board = boards.load(BOARD)
    with pytest.raises(ConfigError, match="renode has no machine 'mps2-an500'"):
        files.chip_of(board.variant("qemu"))


# the profile, the program


def test_a_profile_is_summed_by_the_innermost_function(tmp_path: Path) -> None:
    path = tmp_path / "profile"
    path.write_text("main 150\nmain;f 20\nmain;f;g 3\nmain;f 2\n 7\nmain;0x200 5\n")
    assert profile.read(path, before=100) == {"main": 50, "f": 22, "g": 3, "?": 12}
    path.write_text("main;f 20\nmain;f\n")
    with pytest.raises(TargetError, match="line 2"):
        profile.read(path)


@pytest.mark.parametrize(("said", "number"), [("0x1F\n", 31), ("31", 31), ("0x1F (31)", 31)])
def test_numbers_of_the_monitor(said: str, number: int) -> None:
    assert profile.number(said) == number


@pytest.mark.parametrize("said", ["", "No such command"])
def test_what_is_no_number(said: str) -> None:
    with pytest.raises(TargetError, match="printed no number"):
        profile.number(said)


def test_a_missing_renode_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("RENODE", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingToolError, match=r"renode is not on PATH: .*1\.16\.1.*\$RENODE"):
        get("renode").open(tmp_path / "any.elf", boards.load(BOARD))
    monkeypatch.setenv("RENODE", str(tmp_path / "nothing"))
    with pytest.raises(MissingToolError, match=r"\$RENODE = .*nothing is not a program"):
        get("renode").version()


def test_doctor_knows_renode() -> None:
    purposes = {name: purpose for name, purpose, _ in PROGRAMS}
    assert "--target renode" in purposes["renode"]
