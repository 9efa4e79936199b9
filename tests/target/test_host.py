"""Firmware for this machine as a process: right answers, real time, clear errors."""

import dataclasses
import platform
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from outliernets import boards
from outliernets.boards import Variant
from outliernets.errors import ConfigError, MissingToolError, TargetError
from outliernets.target import Client, HostTarget
from outliernets.target.qemu import QemuTarget
from outliernets.toolchain import Firmware
from tests.target import stub
from tests.target.conftest import Build

HOST = boards.load("host")


@pytest.fixture(params=["zig", "gcc"])
def firmware(request: pytest.FixtureRequest, stub_firmware: Build) -> Firmware:
    return stub_firmware("host", request.param, "host")


@pytest.fixture
def client(firmware: Firmware) -> Iterator[Client]:
    with HostTarget().open(firmware.elf, HOST) as running:
        yield Client(running, firmware.elf)


def assert_answers_like_the_twin(client: Client) -> None:
    assert client.hello(stub.MODEL_ID).model == "stub"
    pcm = np.random.default_rng(5).integers(-32768, 32768, 20_000).astype(np.int16)
    client.reset()
    assert [r.score for r in client.push(pcm)] == stub.scores(pcm)
    values = np.random.default_rng(6).integers(-128, 100, 16).astype(np.int8).tobytes()
    assert client.infer(values) == stub.infer(values)


def test_answers_equal_the_twin(client: Client) -> None:
    assert_answers_like_the_twin(client)


def test_time_is_in_the_boards_ticks(client: Client) -> None:
    """The loop's two dependent chains take one cycle a turn or more: 0.1 to 10 ns."""
    client.hello()
    client.infer(bytes([stub.LOOP]) + bytes(15))
    seconds = client.infer_cycles / HOST.clock_hz
    assert 0.1e-9 * stub.LOOPS < seconds < 0.1


def test_the_stack_is_our_own_and_measured(client: Client, firmware: Firmware) -> None:
    client.hello()
    before = client.stats()
    client.infer(bytes([stub.DEEP]) + bytes(15))
    after = client.stats()
    assert after.stack_size == firmware.stack
    frame = firmware.stack_usage["use_stack"]
    calls = 256  # between the server's loop and the function
    assert 3800 <= frame <= after.stack_used <= before.stack_used + frame + calls


@pytest.mark.parametrize(
    ("how", "signal", "code"),
    [(stub.BAD_ADDRESS, 0xB, "0xCCCCCCC0U = 1"), (stub.UNDEFINED, 4, '"ud2"')],
)
def test_a_crash_names_the_line_and_the_signal(
    client: Client, how: int, signal: int, code: str
) -> None:
    client.hello()
    line = stub.line_of(code) if platform.machine() == "x86_64" else r"\d+"
    place = rf"in misbehave, stub_model\.c:{line}\)"
    with pytest.raises(TargetError, match=rf"{place}.* pc=0x.* signal={signal:#x}$"):
        client.infer(bytes([how]) + bytes(15))


def test_silence_and_the_end_of_the_process_are_errors(stub_firmware: Build) -> None:
    firmware = stub_firmware("host", "zig", "host")
    with HostTarget(timeout=0.2).open(firmware.elf, HOST) as running:
        client = Client(running)
        client.hello()
        with pytest.raises(TargetError, match=r"silent for 0\.2 s"):
            client.infer(bytes([stub.ENDLESS]) + bytes(15))
    with HostTarget().open(Path("/bin/false"), HOST) as running:
        with pytest.raises(TargetError, match="ended with status 1"):
            running.read(1)
        with pytest.raises(TargetError, match="ended with status 1"):
            running.write(bytes(8))


def test_what_is_no_program_of_this_machine_is_an_error(tmp_path: Path) -> None:
    target = HostTarget()
    with pytest.raises(TargetError, match=r"there is no firmware .*none\.elf"):
        target.open(tmp_path / "none.elf", HOST)
    text = tmp_path / "text.elf"
    text.write_text("not a program")
    text.chmod(0o755)
    with pytest.raises(TargetError, match="cannot be run on this machine, was it built for it"):
        target.open(text, HOST)
    with pytest.raises(TargetError, match=r"open\(\) comes first"):
        target.read(1)
    with pytest.raises(ConfigError, match="does not run on target 'host'"):
        target.open(text, boards.load("stm32f746"))


@pytest.mark.emulator
def test_the_same_board_support_on_64_bit_arm(tmp_path: Path) -> None:
    arm = boards.load("cortex-a72")
    qemu = Variant("linux-user", HOST.native.bsp, (), arm.native.stack)
    board = dataclasses.replace(arm, targets={"qemu": qemu})
    firmware = stub.build(board, "gcc", "qemu", tmp_path)
    try:
        running = QemuTarget().open(firmware.elf, board)
    except MissingToolError as error:
        pytest.skip(str(error))
    with running:
        client = Client(running, firmware.elf)
        assert_answers_like_the_twin(client)
        client.infer(bytes([stub.LOOP]) + bytes(15))
        assert client.infer_cycles > 0
        with pytest.raises(
            TargetError, match=r"in misbehave, stub_model\.c:\d+\), called from .*in stub_infer, "
        ):
            client.infer(bytes([stub.BAD_ADDRESS]) + bytes(15))
