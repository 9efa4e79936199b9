"""Real firmware with a stub model in every emulator: right answers, exact counts, clear errors."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from outliernets import boards, target
from outliernets.errors import ConfigError, MissingToolError, TargetError
from outliernets.target import Client, Target
from outliernets.target.machines import base
from outliernets.target.protocol import PUSH, Frame, encode
from outliernets.target.qemu import QemuTarget
from outliernets.target.unicorn import UnicornTarget
from outliernets.toolchain import Firmware
from tests.target import stub
from tests.target.conftest import Build

CASES = [
    ("stm32f746", "zig", "unicorn"),
    ("stm32f746", "gcc", "unicorn"),
    ("stm32f746", "zig", "qemu"),
    ("stm32f746", "gcc", "qemu"),
    ("stm32f446", "zig", "unicorn"),
    ("stm32f446", "gcc", "unicorn"),
    ("stm32f446", "gcc", "qemu"),
    ("stm32f207", "zig", "unicorn"),
    ("stm32f207", "gcc", "unicorn"),
    ("stm32f207", "gcc", "qemu"),
    ("stm32g0b1", "zig", "unicorn"),
    ("stm32g0b1", "gcc", "unicorn"),
    ("stm32g0b1", "gcc", "qemu"),
    ("cortex-a72", "zig", "unicorn"),
    ("cortex-a72", "gcc", "unicorn"),
    ("cortex-a72", "gcc", "qemu"),
    ("virt-a72", "zig", "qemu"),
    ("virt-a72", "gcc", "qemu"),
]
#: one of each instruction set
KINDS = ["stm32f746", "stm32f446", "stm32f207", "stm32g0b1", "cortex-a72"]


@pytest.fixture(params=CASES, ids="-".join)
def case(request: pytest.FixtureRequest, stub_firmware: Build) -> Iterator[tuple[Target, Firmware]]:
    board, compiler, name = request.param
    firmware = stub_firmware(board, compiler, name)
    running = target.get(name)
    try:
        running.open(firmware.elf, boards.load(board))
    except MissingToolError as error:
        pytest.skip(str(error))
    with running:
        yield running, firmware


CALLED = r"called from .*in stub_infer, stub_model\.c:\d+\)"


def misbehave(client: Client, how: int) -> bytes:
    return client.infer(bytes([how]) + bytes(15))


@pytest.mark.emulator
def test_scores_equal_the_twin(case: tuple[Target, Firmware]) -> None:
    running, firmware = case
    client = Client(running, firmware.elf)
    hello = client.hello(stub.MODEL_ID)
    assert (hello.model, hello.in_size, hello.out_size) == ("stub", 16, 16)
    pcm = np.random.default_rng(5).integers(-32768, 32768, 20_000).astype(np.int16)
    client.reset()
    results = client.push(pcm[:7]) + client.push(pcm[7:9999]) + client.push(pcm[9999:])
    assert [r.score for r in results] == stub.scores(pcm)
    assert [r.window for r in results] == list(range(len(results)))
    assert all(r.alarm for r in results)
    client.reset()
    quiet = client.push(np.ones(stub.WINDOW, np.int16))
    assert [(r.score, r.window, r.alarm) for r in quiet] == [(stub.WINDOW, 0, False)]
    values = np.random.default_rng(6).integers(-128, 100, 16).astype(np.int8).tobytes()
    assert client.infer(values) == stub.infer(values)
    assert client.infer(b"\x05" + b"\x7f" * 15) == stub.infer(b"\x05" + b"\x7f" * 15)
    stats = client.stats()
    assert (stats.windows, stats.samples) == (1, stub.WINDOW)
    assert (stats.bad_frames, stats.overruns) == (0, 0)


@pytest.mark.emulator
def test_the_stacks_high_water_mark_follows_use(case: tuple[Target, Firmware]) -> None:
    running, firmware = case
    client = Client(running, firmware.elf)
    client.hello()
    before = client.stats()
    misbehave(client, stub.DEEP)
    after = client.stats()
    assert after.stack_size == firmware.stack
    assert 64 < before.stack_used < 1024
    frame = firmware.stack_usage["use_stack"]
    assert 4000 <= frame <= after.stack_used <= before.stack_used + frame + 128


@pytest.mark.emulator
@pytest.mark.parametrize("how", [stub.BAD_ADDRESS, stub.UNDEFINED])
def test_a_crash_names_the_function_and_registers(case: tuple[Target, Firmware], how: int) -> None:
    running, firmware = case
    client = Client(running, firmware.elf)
    client.hello()
    with pytest.raises(TargetError, match=CALLED) as info:
        misbehave(client, how)
    assert "pc=0x" in str(info.value)
    # Which one of the function's is the compiler's choice: it merges what ends alike.
    line = int(re.search(r"in misbehave, stub_model\.c:(\d+)\)", str(info.value))[1])
    assert stub.line_of("void misbehave(int8_t how) {") <= line <= stub.line_of("void stub_infer(")


@pytest.mark.emulator
@pytest.mark.parametrize(
    ("how", "said"),
    [
        (stub.BAD_ADDRESS, r": data abort .* esr=0x96[0-9a-f]{6} far=0xccccccc0$"),
        (stub.UNDEFINED, r": undefined instruction .* esr=0x2000000 far=0x"),
    ],
)
@pytest.mark.parametrize("compiler", ["zig", "gcc"])
def test_a_bare_cortex_a_says_which_exception_it_was(
    compiler: str, how: int, said: str, stub_firmware: Build
) -> None:
    firmware = stub_firmware("virt-a72", compiler, "qemu")
    try:
        running = QemuTarget().open(firmware.elf, boards.load("virt-a72"))
    except MissingToolError as error:
        pytest.skip(str(error))
    with running, pytest.raises(TargetError, match=said) as info:
        misbehave(Client(running, firmware.elf), how)
    values = dict(word.split("=") for word in str(info.value).split() if "=0x" in word)
    code, data = boards.load("virt-a72").memory
    assert code.base < int(values["pc"], 16) < code.end
    assert code.base < int(values["x30"], 16) < code.end
    assert data.end - firmware.stack < int(values["sp"], 16) < data.end


@pytest.mark.emulator
@pytest.mark.parametrize("compiler", ["zig", "gcc"])
def test_an_unaligned_access_is_a_crash_where_the_processor_has_none(
    compiler: str, stub_firmware: Build
) -> None:
    """A real Cortex-M0+ takes a HardFault: the emulator must not hide what would hang there."""
    for board, crashes in (("stm32g0b1", True), ("stm32f207", False)):
        firmware = stub_firmware(board, compiler, "unicorn")
        with UnicornTarget().open(firmware.elf, boards.load(board)) as running:
            client = Client(running, firmware.elf)
            client.hello()
            if crashes:
                with pytest.raises(TargetError, match="in misbehave"):
                    misbehave(client, stub.UNALIGNED)
            else:
                request = bytes([stub.UNALIGNED]) + bytes(15)
                assert misbehave(client, stub.UNALIGNED) == stub.infer(request)


@pytest.mark.emulator
def test_requests_of_the_wrong_size_are_refused_and_the_line_goes_on(
    case: tuple[Target, Firmware],
) -> None:
    running, firmware = case
    client = Client(running, firmware.elf)
    client.hello()
    with pytest.raises(TargetError, match="exactly the network's input"):
        client.infer(bytes(15))
    running.write(b"line noise \xa5\x5a\x01\x02\x00")
    assert stub.infer(bytes(16)) == client.infer(bytes(16))


@pytest.mark.emulator
@pytest.mark.parametrize("board", KINDS)
def test_counts_are_exact(board: str, stub_firmware: Build) -> None:
    firmware = stub_firmware(board, "zig", "unicorn")
    with UnicornTarget().open(firmware.elf, boards.load(board)) as running:
        client = Client(running)
        client.hello()
        before = running.counts()
        misbehave(client, stub.LOOP)
        after = running.counts()
        assert "counted_loop" not in before
        around = after["counted_loop"] - 3 * stub.LOOPS
        assert 1 <= around <= 4  # the loop, and what stands around it: load the count, return
        # Between the two readings of the clock stand the calls of the stub and of the clock itself.
        assert client.infer_cycles == pytest.approx(3 * stub.LOOPS, abs=300)
        client.reset()
        first = running.counts()
        client.push(np.ones(512, np.int16))
        second = running.counts()
        client.push(np.full(512, 9, np.int16))
        third = running.counts()
        key = "stub_push"
        assert third[key] - second[key] == second[key] - first.get(key, 0) > 512


@pytest.mark.emulator
@pytest.mark.parametrize("board", KINDS)
def test_counts_do_not_depend_on_interruptions(
    board: str, stub_firmware: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    firmware = stub_firmware(board, "zig", "unicorn")
    counts = []
    for pause_every in (200_000_000, 997):
        monkeypatch.setattr(base, "SLICE", pause_every)
        with UnicornTarget().open(firmware.elf, boards.load(board)) as running:
            client = Client(running)
            client.hello()
            client.push(np.arange(700, dtype=np.int16))
            counts.append(running.counts())
    assert counts[0] == counts[1]


@pytest.mark.emulator
@pytest.mark.parametrize("board", KINDS)
def test_a_runaway_is_stopped(board: str, stub_firmware: Build) -> None:
    firmware = stub_firmware(board, "zig", "unicorn")
    with UnicornTarget(limit=5_000_000).open(firmware.elf, boards.load(board)) as running:
        client = Client(running)
        client.hello()
        with pytest.raises(TargetError, match=r"did not answer within 5,000,000.*in misbehave"):
            misbehave(client, stub.ENDLESS)


@pytest.mark.emulator
@pytest.mark.parametrize(
    "board", ["stm32f746", "stm32f446", "stm32f207", "stm32g0b1", "cortex-a72", "virt-a72"]
)
def test_silence_in_qemu_ends_at_the_timeout(board: str, stub_firmware: Build) -> None:
    firmware = stub_firmware(board, "gcc", "qemu")
    try:
        running = QemuTarget(timeout=0.5).open(firmware.elf, boards.load(board))
    except MissingToolError as error:
        pytest.skip(str(error))
    with running:
        client = Client(running)
        client.hello()
        with pytest.raises(TargetError, match=r"silent for 0\.5 s"):
            misbehave(client, stub.ENDLESS)


@pytest.mark.emulator
def test_a_program_for_another_processor_is_an_error(stub_firmware: Build) -> None:
    firmware = stub_firmware("cortex-a72", "gcc", "qemu")
    with pytest.raises(TargetError, match="machine stm32f7, was it built for it"):
        UnicornTarget().open(firmware.elf, boards.load("stm32f746"))


@pytest.mark.emulator
def test_a_damaged_frame_is_counted_and_the_next_one_understood(stub_firmware: Build) -> None:
    firmware = stub_firmware("stm32f746", "zig", "unicorn")
    with UnicornTarget().open(firmware.elf, boards.load("stm32f746")) as running:
        client = Client(running)
        client.hello()
        damaged = bytearray(encode(Frame(PUSH, 1, bytes(100))))
        damaged[50] ^= 1
        running.write(bytes(damaged))
        with pytest.raises(TargetError, match=r"error 1\): a damaged frame was dropped"):
            client.stats()
    with UnicornTarget().open(firmware.elf, boards.load("stm32f746")) as running:
        client = Client(running)
        running.write(bytes(damaged))
        with pytest.raises(TargetError, match="damaged frame"):
            client.hello()
        assert Client(running).stats().bad_frames == 1


@pytest.mark.emulator
def test_nothing_sent_is_lost_when_the_room_for_it_is_small(
    stub_firmware: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "TX_BYTES", 5)
    firmware = stub_firmware("stm32f746", "zig", "unicorn")
    pcm = np.arange(5000, dtype=np.int16)
    with UnicornTarget().open(firmware.elf, boards.load("stm32f746")) as running:
        client = Client(running)
        client.hello()
        assert [r.score for r in client.push(pcm)] == stub.scores(pcm)


@pytest.mark.parametrize("package", ["unicorn", "numba"])
def test_a_missing_package_says_how_to_get_it(
    package: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(
        MissingToolError, match=r"needs the package .*pip install 'ongen\[unicorn\]'"
    ):
        UnicornTarget().open(tmp_path / "any.elf", boards.load("stm32f746"))


def test_no_firmware_is_an_error(tmp_path: Path) -> None:
    board = boards.load("stm32f746")
    (tmp_path / "text.elf").write_text("not a program")
    for name in ("missing.elf", "text.elf"):
        with pytest.raises(TargetError, match=name):
            UnicornTarget().open(tmp_path / name, board)


def test_unknown_target() -> None:
    with pytest.raises(ConfigError, match=r"unknown target 'unicron'.*did you mean 'unicorn'"):
        target.get("unicron")


def test_a_missing_qemu_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    elf = tmp_path / "a.elf"
    elf.write_bytes(b"")
    with pytest.raises(MissingToolError, match="apt install qemu-system-arm"):
        QemuTarget().open(elf, boards.load("stm32f746"))
    with pytest.raises(MissingToolError, match="apt install qemu-user"):
        QemuTarget().open(elf, boards.load("cortex-a72"))
    with pytest.raises(MissingToolError, match=r"qemu-system-aarch64 .* or use --board cortex-a72"):
        QemuTarget().open(elf, boards.load("virt-a72"))


def test_only_the_qemu_that_a_board_needs_is_required(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "qemu-system-aarch64"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    QemuTarget().require(boards.load("virt-a72"))
    with pytest.raises(MissingToolError, match="qemu-system-arm is not on PATH"):
        QemuTarget().require(boards.load("stm32f746"))
