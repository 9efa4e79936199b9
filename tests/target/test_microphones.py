"""The microphones of the DISCO-F746NG: what the firmware sets, hears and loses, by registers."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from outliernets import boards
from outliernets.errors import TargetError
from outliernets.target.listener import Listener
from outliernets.target.microphones import Microphones, Room
from outliernets.target.microphones.codec import DEVICE, Wm8994
from outliernets.target.microphones.i2c import I2c
from outliernets.target.microphones.sai import SAMPLE_RATE, TOLERANCE, frame_period
from outliernets.target.unicorn import UnicornTarget
from tests.target import detect_stub, stub
from tests.target.detect_stub import LOUD, QUIET, lines, sound

pytestmark = pytest.mark.emulator
BOARD = boards.load("stm32f746")
CORE_HZ = 216_000_000
RING, GUARD = 4096, 64  # samples, as in the firmware
Build = Callable[..., Path]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Link the detector, with a network that takes so many cycles for a window of 32 ms."""
    built: dict[tuple[str, int], Path] = {}

    def build(compiler: str = "gcc", cycles: int = 0) -> Path:
        key = (compiler, cycles)
        if key not in built:
            folder = tmp_path_factory.mktemp(compiler)
            defines = {"STUB_LOOPS": str(cycles // 3)} if cycles else {}
            firmware = detect_stub.build(BOARD, compiler, "unicorn", "microphones", folder, defines)
            built[key] = firmware.elf
        return built[key]

    return build


class Board(UnicornTarget):
    """The board with its microphones."""

    def start(self, elf: Path, changed: dict[int, tuple[int, int]] | None = None) -> Listener:
        """Start; ``changed``: by register, bits cleared and set in what the firmware writes."""
        self.open(elf, BOARD)
        self.microphones = Microphones(self)
        self.written: list[tuple[int, int]] = []
        machine = self._running()
        store = machine._write_register

        def change(address: int, value: int) -> None:
            clear, add = (changed or {}).get(address, (0, 0))
            self.written.append((address, value))
            store(address, value & ~clear | add)

        machine._write_register = change
        return Listener(self, elf)

    def put(self, device: object) -> None:
        """Attach a device in the place of the one there."""
        machine = self._running()
        machine._devices = [d for d in machine._devices if d.first != device.first]
        machine.attach(device)

    def listen(self, elf: Path) -> Room:
        """Start, and come to where sound is heard from its first sample on."""
        self.listener = self.start(elf)
        self.listener.hello(stub.MODEL_ID)
        self.listener.reset()
        return Room(self.microphones, self.listener)

    def heard(self) -> list[dict[str, int]]:
        return [line for line in self.listener.lines if "window" in line]


@pytest.mark.parametrize("compiler", ["gcc", "zig"])
def test_every_sample_is_heard(program: Build, compiler: str) -> None:
    pcm = np.concatenate([sound(QUIET, 40), sound(LOUD, 60, 1), sound(QUIET, 30, 2)])
    with Board() as board:
        room = board.listen(program(compiler))
        before = sum(board.counts().values())
        for start in range(0, len(pcm), 10_007):
            assert room.say(pcm[start : start + 10_007]) == 0
        spent = sum(board.counts().values()) - before
        assert board.heard() == lines(stub.scores(pcm))
        assert {line["alarm"] for line in board.heard()} == {0, 1}
        status, stats = board.listener.status(), board.listener.stats()
    assert (status.samples, status.lost) == (len(pcm), 0)
    assert (stats.bad_frames, stats.overruns) == (0, 0)
    # It sleeps while there is nothing to do: the core could do forty times as much.
    assert spent / (len(pcm) / SAMPLE_RATE) < CORE_HZ / 40


def test_a_network_that_takes_most_of_the_time_loses_nothing(program: Build) -> None:
    pcm = sound(QUIET, 12)
    with Board() as board:
        room = board.listen(program(cycles=CORE_HZ * 32 // 1000 * 8 // 10))
        assert room.say(pcm) == 0
        assert board.heard() == lines(stub.scores(pcm))


def noise(seconds: float, seed: int) -> NDArray[np.int16]:
    """Sound of which no piece is like another."""
    rng = np.random.default_rng(seed)
    return rng.integers(-3000, 3000, round(seconds * SAMPLE_RATE)).astype(np.int16)


def check_windows(said: list[dict[str, int]], pcm: NDArray[np.int16]) -> None:
    """Each window is a piece of the sound without a gap, behind the one before.

    Between two of them lies what was lost, and what had come of a window that the loss broke.
    """
    squares = np.concatenate([[0], np.cumsum(pcm.astype(np.int64) ** 2)])
    sums = squares[stub.WINDOW :] - squares[: -stub.WINDOW]
    behind = lost = 0
    for line in said:
        (first,) = np.flatnonzero(sums == line["score"])
        missed = line["lost"] - lost
        broken = first - behind - missed
        assert 0 <= broken < stub.WINDOW, line
        assert missed or not broken, line
        behind, lost = first + stub.WINDOW, line["lost"]


@pytest.mark.slow
def test_what_a_slow_network_misses_is_counted(program: Build) -> None:
    pcm = noise(0.9, 5)
    with Board() as board:
        room = board.listen(program(cycles=CORE_HZ * 55 // 1000))
        lost = room.say(pcm)
        status = board.listener.status()
        assert status.lost == lost > 500
        assert status.samples + status.lost == len(pcm)
        check_windows(board.heard(), pcm)


@pytest.mark.parametrize("stops", [False, True], ids=["always", "but in sleep"])
@pytest.mark.parametrize("seconds", [0.2, 0.3, 0.7, 1.95])
def test_rounds_of_the_ring_are_counted_by_the_cycle_counter(
    program: Build, seconds: float, stops: bool
) -> None:
    """The core waits, as for an erased sector. Nobody says if the counter counts in sleep, too."""
    pcm = noise(2.9, 6)
    waits = round(seconds * CORE_HZ)
    with Board() as board:
        board.listen(program())
        machine = board._running()
        read, write = machine._read_register, machine._write_register
        waited: list[int] = []

        def wait(address: int, value: int) -> None:
            write(address, value)
            if address == 0x4000_3000 and not waited and board.microphones.sai._heard > 8000:
                waited.append(waits)  # it kicks the watchdog: a turn of the main loop ends
                machine._slept += waits

        def register(address: int) -> int:
            awake = machine.instructions() + sum(waited)
            return awake & 0xFFFF_FFFF if stops and address == 0xE000_1004 else read(address)

        machine._read_register, machine._write_register = register, wait
        board.listener.reset()
        lost = Room(board.microphones, board.listener).say(pcm)
        assert waited
        assert board.listener.status().samples + lost == len(pcm)
        # Up to half a round waited already; of what came then, the ring keeps the newest.
        more = round(seconds * SAMPLE_RATE) - (RING - GUARD)
        assert max(0, more) <= lost <= max(0, more + RING // 2 + 256)
        assert bool(lost) == (seconds > 0.25)
        check_windows(board.heard(), pcm)


def test_a_stream_that_breaks_goes_on(program: Build) -> None:
    """An error of the bus, and samples that nobody took in time: counted, and heard again."""
    pcm = noise(1, 7)
    with Board() as board:
        room = board.listen(program())
        assert room.say(pcm) == 0
        heard = board.listener.status().samples
        for damage in (board.microphones.dma.fail, board.microphones.sai.overrun):
            damage()
            before = board.listener.status().lost
            board.microphones.play(pcm)
            status = board.listener.status()
            assert status.lost - before < RING  # what waited, and at most half a round in sleep
        assert status.samples + status.lost >= heard + 2 * len(pcm) - RING
        check_windows(board.heard()[:31], pcm)


def test_how_the_codec_is_set(program: Build) -> None:
    with Board() as board:
        board.listen(program())
        written = board.microphones.codec.written
        rate = CORE_HZ / frame_period(board._running(), 2)
    assert abs(rate / SAMPLE_RATE - 1) < TOLERANCE / 20
    assert written[0] == (0, 0)
    assert len({register for register, _ in written} & {0x404, 0x405}) == 2
    # Neither outputs nor anything that would change the level by itself.
    assert not {register for register, _ in written} & {0x03, 0x05, 0x440, 0x441, 0x450, 0x451}
    assert written.count((0, 0)) == 1  # and once is enough: RESET does not set it up again


def test_old_samples_are_not_read_from_the_cache(program: Build) -> None:
    with Board() as board:
        room = board.listen(program())
        first = next(v for a, v in board.written if a == 0x4002_64C4)
        board.written.clear()
        room.say(sound(QUIET, 2 * RING // stub.WINDOW))
        invalidated = {value for address, value in board.written if address == 0xE000_EF5C}
    assert first % 32 == 0
    assert invalidated == set(range(first, first + 2 * RING, 32))


def test_without_a_codec(program: Build) -> None:
    elf = program()
    with Board() as board:
        listener = board.start(elf)
        board.put(I2c(None, DEVICE))
        listener.hello(stub.MODEL_ID)
        assert listener.lines[1] == {"error": "no codec: nothing answers at 0x1A on I2C3"}
        with pytest.raises(TargetError, match="no codec: nothing answers at 0x1A on I2C3"):
            listener.reset()
        assert listener.status().samples == 0
        with pytest.raises(TargetError, match="does not listen to the microphones"):
            board.microphones.play(sound(QUIET, 1))
        # As soon as there is one, RESET finds it.
        board.put(board.microphones.i2c)
        listener.reset()
        pcm = sound(QUIET, 4)
        assert Room(board.microphones, listener).say(pcm) == 0
        assert [line for line in listener.lines if "window" in line] == lines(stub.scores(pcm))


def test_a_bus_that_hangs_and_another_chip(program: Build) -> None:
    other = Wm8994()
    other._values[0] = 0x8958
    for bus, said in (
        (I2c(other, DEVICE, stuck=True), "no codec: nothing answers at 0x1A on I2C3"),
        (I2c(other, DEVICE), "no codec: what answers at 0x1A on I2C3 is not a WM8994"),
        (I2c(Wm8994(), DEVICE + 1), "no codec: nothing answers at 0x1A on I2C3"),
    ):
        with Board() as board:
            listener = board.start(program())
            board.put(bus)
            listener.hello(stub.MODEL_ID)
            assert listener.lines[1] == {"error": said}
            # Not for ever: within a twentieth of a second.
            assert sum(board.counts().values()) < CORE_HZ // 20


def test_an_audio_clock_that_does_not_start(program: Build) -> None:
    with Board() as board:
        listener = board.start(program(), {0x4002_3800: (1 << 26, 0)})  # PLLI2SON
        listener.hello(stub.MODEL_ID)
        assert listener.lines[1] == {"error": "the audio clock does not start"}


#: address, bits cleared and bits set, what the models say
WRONG = {
    "PLL": (0x4002_3884, 0x1FF << 6, 200 << 6, "takes 15024.0 samples a second"),
    "VCO": (0x4002_3884, 0x1FF << 6, 50 << 6, "VCO of PLLI2S runs at 50.0 MHz"),
    "clock of SAI2": (0x4002_388C, 3 << 22, 0, "not clocked by PLLI2S"),
    "SAI2 off": (0x4002_3844, 1 << 23, 0, "SAI2 is used, but its clock is off"),
    "DMA2 off": (0x4002_3830, 1 << 22, 0, "DMA2 is used, but its clock is off"),
    "port G off": (0x4002_3830, 1 << 6, 0, "port G is used, but its clock is off"),
    "I2C3 off": (0x4002_3840, 1 << 23, 0, "I2C3 is used, but its clock is off"),
    "SCL": (0x4002_1C00, 3 << 14, 0, "PH7 has mode 0"),
    "push-pull": (0x4002_1C04, 1 << 8, 0, "PH8 has .* open drain False"),
    "data pin": (0x4002_1824, 0xF << 8, 6 << 8, "PG10 has mode 2, function 6"),
    "I2C too quick": (0x4000_5C10, 0xF << 28, 0, "is too quick"),
    "divider": (0x4001_5C04, 0xF << 20, 1 << 20, "takes 32001.2 samples a second"),
    "8 bits": (0x4001_5C24, 7 << 5, 2 << 5, "CR1, FRCR and SLOTR of block B"),
    "edge": (0x4001_5C04, 1 << 9, 0, "CR1, FRCR and SLOTR of block A"),
    "asynchronous": (0x4001_5C24, 3 << 10, 0, "CR1, FRCR and SLOTR of block B"),
    "frame": (0x4001_5C0C, 0xFF, 31, "CR1, FRCR and SLOTR of block A"),
    "slots": (0x4001_5C30, 0xF << 8, 1 << 8, "CR1, FRCR and SLOTR of block B"),
    "channel": (0x4002_64B8, 7 << 25, 3 << 25, "not channel 0 in halfwords"),
    "bytes": (0x4002_64B8, 3 << 13, 0, "not channel 0 in halfwords"),
    "once": (0x4002_64B8, 1 << 8, 0, "not channel 0 in halfwords"),
    "block A's data": (0x4002_64C0, 0x40, 0x20, "does not take from 0x40015c40"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_the_models_refuse_what_the_chip_would_not_do(program: Build, wrong: str) -> None:
    address, clear, add, message = WRONG[wrong]
    with Board() as board:
        listener = board.start(program(), {address: (clear, add)})
        with pytest.raises(TargetError, match=message):
            listener.hello(stub.MODEL_ID)


@pytest.mark.parametrize(("slot", "due"), [(0, "silence"), (3, "the other microphone")])
def test_the_wrong_slot_is_another_sound(program: Build, slot: int, due: str) -> None:
    pcm = sound(QUIET, 8)
    with Board() as board:
        listener = board.start(program(), {0x4001_5C30: (0xFFFF << 16, 1 << (16 + slot))})
        listener.hello(stub.MODEL_ID)
        listener.reset()
        Room(board.microphones, listener).say(pcm)
        other = np.zeros_like(pcm) if due == "silence" else ~pcm
        said = [line["score"] for line in listener.lines if "window" in line]
        assert said == stub.scores(other) != stub.scores(pcm)


@pytest.mark.parametrize("register", [0x001, 0x004, 0x200, 0x208, 0x210, 0x300, 0x608, 0x411])
def test_a_codec_that_is_not_set_up_is_refused(program: Build, register: int) -> None:
    with Board() as board:
        listener = board.start(program())
        codec = board.microphones.codec
        write = codec.write
        codec.write = lambda at, value: None if at == register else write(at, value)
        with pytest.raises(TargetError, match=f"the codec's register {register:#06x} is"):
            listener.hello(stub.MODEL_ID)
