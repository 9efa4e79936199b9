"""Registers the detector sets on an STM32: the alarm's pin, the watchdog; and the flash model."""

from collections.abc import Callable
from pathlib import Path

import pytest

from outliernets import boards
from outliernets.target import flash_model
from outliernets.target.flash_model import FlashController, Sector
from outliernets.target.listener import Listener
from outliernets.target.unicorn import UnicornTarget
from outliernets.toolchain import Firmware
from tests.target import detect_stub, stub
from tests.target.detect_stub import LOUD, QUIET, sound

IWDG = 0x4000_3000
#: port of the alarm's light, its pin, the register and bit of its clock, RCC_CSR
LIGHTS = {
    "stm32f746": (0x4002_2000, 1, 0x4002_3830, 1 << 8, 0x4002_3874),
    "stm32f446": (0x4002_0000, 5, 0x4002_3830, 1 << 0, 0x4002_3874),
    "stm32f207": (0x4002_0400, 14, 0x4002_3830, 1 << 1, 0x4002_3874),
    "stm32g0b1": (0x5000_0000, 5, 0x4002_1034, 1 << 0, 0x4002_1060),
}


class Recording(UnicornTarget):
    """Unicorn, with a list of what is written to registers, and a value to be read from one."""

    def open(self, elf: Path, board: boards.Board, reads: dict[int, int] | None = None):
        super().open(elf, board)
        self.written: list[tuple[int, int]] = []
        machine = self._running()
        store = machine._write_register
        machine._values.update(reads or {})

        def record(address: int, value: int) -> None:
            self.written.append((address, value))
            store(address, value)

        machine._write_register = record
        return self


@pytest.fixture(scope="module")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Firmware]:
    built: dict[str, Firmware] = {}

    def build(name: str) -> Firmware:
        if name not in built:
            folder = tmp_path_factory.mktemp(name)
            board = boards.load(name)
            built[name] = detect_stub.build(board, "gcc", "unicorn", "line", folder)
        return built[name]

    return build


@pytest.mark.emulator
@pytest.mark.parametrize("board", LIGHTS)
def test_the_light_follows_the_alarm(firmware: Callable[[str], Firmware], board: str) -> None:
    port, pin, enable, enable_bit, _ = LIGHTS[board]
    elf = firmware(board).elf
    with Recording().open(elf, boards.load(board)) as running:
        listener = Listener(running, elf)
        listener.hello(stub.MODEL_ID)
        values = running._running()._values
        assert values[enable] & enable_bit
        assert values[port] >> 2 * pin & 3 == 1  # an output
        on, off = 1 << pin, 1 << (pin + 16)
        assert [v for a, v in running.written if a == port + 0x18] == [off]
        listener.say(sound(QUIET, 4))
        running.written.clear()
        listener.say(sound(LOUD, 6))
        assert [v for a, v in running.written if a == port + 0x18] == [on]
        listener.say(sound(QUIET, 8))
        assert [v for a, v in running.written if a == port + 0x18] == [on, off]


@pytest.mark.emulator
@pytest.mark.parametrize("board", LIGHTS)
def test_the_watchdog_is_started_and_kicked(
    firmware: Callable[[str], Firmware], board: str
) -> None:
    elf = firmware(board).elf
    with Recording().open(elf, boards.load(board)) as running:
        listener = Listener(running, elf)
        listener.hello(stub.MODEL_ID)
        mine = [(a - IWDG, v) for a, v in running.written if IWDG <= a < IWDG + 0x20]
        # Start, unlock, divide by 128, 8 s at 32 kHz, reload; then every turn of the main loop.
        assert mine[:5] == [(0, 0xCCCC), (0, 0x5555), (4, 5), (8, 2000), (0, 0xAAAA)]
        running.written.clear()
        listener.say(sound(QUIET, 8))
        listener.status()
        kicks = [v for a, v in running.written if a == IWDG]
        assert kicks
        assert set(kicks) == {0xAAAA}


@pytest.mark.emulator
@pytest.mark.parametrize("board", LIGHTS)
def test_it_says_that_the_watchdog_restarted_it(
    firmware: Callable[[str], Firmware], board: str
) -> None:
    csr = LIGHTS[board][4]
    elf = firmware(board).elf
    for flags, said in ((0, 0), (1 << 29, 1), (1 << 28, 0)):
        with Recording().open(elf, boards.load(board), {csr: flags}) as running:
            listener = Listener(running, elf)
            listener.hello()
            assert listener.lines[0]["watchdog"] == said


@pytest.mark.emulator
@pytest.mark.parametrize("compiler", ["zig", "gcc"])
def test_a_program_without_initial_values_has_a_page(compiler: str, tmp_path: Path) -> None:
    """lld says that an empty section is stored where it would be in RAM: far behind the page."""
    board = boards.load("stm32f746")
    defines = {"STUB_NO_DATA": "1"}
    built = detect_stub.build(board, compiler, "unicorn", "line", tmp_path, defines)
    assert ".data" not in built.sections
    with UnicornTarget().open(built.elf, board) as running:
        listener = Listener(running, built.elf)
        listener.hello(stub.MODEL_ID)
        assert listener.lines[0]["keeps"] == "flash"


KEYR, SR, CR = flash_model.f2f4f7(7, Sector(0, 64)).registers


class Flash:
    """A controller of one sector, with its memory."""

    def __init__(self) -> None:
        self.memory = bytearray(b"\0" * 64)
        self.writable = False
        self.controller = FlashController(
            flash_model.f2f4f7(7, Sector(0, 64)), self._write, self._allow
        )

    def _write(self, address: int, data: bytes) -> None:
        self.memory[address : address + len(data)] = data

    def _allow(self, sector: Sector, written: bool) -> None:
        self.writable = written

    def unlock(self, *keys: int) -> None:
        for key in keys or (0x4567_0123, 0xCDEF_89AB):
            self.controller.store(KEYR, key)


ERASE_7 = 1 << 1 | 7 << 3 | 2 << 8


def test_flash_erases_only_when_unlocked() -> None:
    flash = Flash()
    flash.controller.store(CR, ERASE_7 | 1 << 16)
    assert flash.memory == bytes(64)
    flash.unlock(0xCDEF_89AB, 0x4567_0123)
    flash.controller.store(CR, ERASE_7 | 1 << 16)
    assert flash.memory == bytes(64)
    flash.unlock()
    flash.controller.store(CR, ERASE_7)
    assert flash.memory == bytes(64)
    flash.controller.store(CR, ERASE_7 | 1 << 16)
    assert flash.memory == b"\xff" * 64


def test_flash_is_writable_only_while_programming_words() -> None:
    flash = Flash()
    flash.controller.store(CR, 1 | 2 << 8)
    assert not flash.writable
    flash.unlock()
    flash.controller.store(CR, 1)  # bytes: not what this firmware may use
    assert not flash.writable
    flash.controller.store(CR, 1 | 2 << 8)
    assert flash.writable
    flash.controller.store(CR, 1 << 31)
    assert not flash.writable


def test_flash_refuses_other_sectors() -> None:
    flash = Flash()
    flash.unlock()
    flash.controller.store(CR, 1 << 1 | 6 << 3 | 2 << 8 | 1 << 16)
    assert flash.memory == bytes(64)
    assert flash.controller.read(SR)
    flash.controller.store(SR, 0xF2)
    assert not flash.controller.read(SR)
