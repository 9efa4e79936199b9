"""The detector in every emulator: equal to its twin, and honest about what it loses."""

import struct
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from outliernets import boards, target
from outliernets.alarm import Alarm, Calibration, record, restored
from outliernets.errors import MissingToolError, TargetError
from outliernets.target import Client, Target
from outliernets.target.listener import Listener, Mailbox, Origin
from outliernets.target.protocol import AUDIO, Frame, encode
from outliernets.target.unicorn import UnicornTarget
from outliernets.toolchain import Firmware
from tests.target import detect_stub, stub
from tests.target.detect_stub import CONFIG, LOUD, QUIET, lines, sound

pytestmark = pytest.mark.emulator
CONFIG_KEPT = replace(CONFIG, threshold=12345, release=678)
Build = Callable[[str, str, str, str], Firmware]
CASES = [
    ("stm32f746", "zig", "unicorn"),
    ("stm32f746", "gcc", "unicorn"),
    ("stm32f746", "gcc", "qemu"),
    ("stm32f446", "gcc", "unicorn"),
    ("stm32f207", "gcc", "unicorn"),
    ("stm32g0b1", "zig", "unicorn"),
    ("stm32g0b1", "gcc", "qemu"),
    ("cortex-a72", "zig", "unicorn"),
    ("cortex-a72", "gcc", "qemu"),
    ("virt-a72", "zig", "qemu"),
    ("host", "gcc", "host"),
]


@pytest.fixture(scope="session")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Build for (board, compiler, target, source of sound), or return what was built before."""
    built: dict[tuple[str, str, str, str], Firmware] = {}
    root: Path = tmp_path_factory.mktemp("detect")

    def build(board: str, compiler: str, name: str, audio: str) -> Firmware:
        key = (board, compiler, name, audio)
        if key not in built:
            folder = root / "_".join(key)
            built[key] = detect_stub.build(boards.load(board), compiler, name, audio, folder)
        return built[key]

    return build


def start(firmware: Firmware, board: str, name: str) -> Target:
    running = target.get(name)
    try:
        return running.open(firmware.elf, boards.load(board))
    except MissingToolError as error:
        pytest.skip(str(error))


@pytest.fixture(params=CASES, ids="-".join)
def listener(request: pytest.FixtureRequest, detector: Build) -> Iterator[Listener]:
    board, compiler, name = request.param
    firmware = detector(board, compiler, name, "line")
    with start(firmware, board, name) as running:
        made = Listener(running, firmware.elf)
        made.hello(stub.MODEL_ID)
        yield made


@pytest.fixture
def on_board(detector: Build) -> Iterator[Listener]:
    """The STM32F746 alone, for what does not depend on the board."""
    firmware = detector("stm32f746", "zig", "unicorn", "line")
    with start(firmware, "stm32f746", "unicorn") as running:
        made = Listener(running, firmware.elf)
        made.hello(stub.MODEL_ID)
        yield made


def windows_of(listener: Listener) -> list[dict]:
    return [line for line in listener.lines if "window" in line]


def test_lines_equal_the_twin_and_the_alarm_comes_and_goes(listener: Listener) -> None:
    listener.reset()
    pcm = np.concatenate([sound(QUIET, 8), sound(LOUD, 8, 1), sound(QUIET, 8, 2)])
    assert listener.say(pcm[:4000]) == 0
    assert listener.say(pcm[4000:]) == 0
    expected = lines(stub.scores(pcm))
    assert windows_of(listener) == expected
    alarms = [line["alarm"] for line in expected]
    assert alarms.index(1) == 9  # the second window of the fault: two have to agree
    assert alarms[-1] == 0
    status = listener.status()
    assert (status.windows, status.alarms, status.alarm) == (24, 1, False)
    assert (status.samples, status.lost, status.learning) == (len(pcm), 0, 0)
    assert status.smoothed == expected[-1]["smoothed"]
    assert (status.threshold, status.release) == (CONFIG.threshold, CONFIG.release)
    assert status.origin == Origin.BUILD
    stats = listener.stats()
    assert (stats.bad_frames, stats.overruns, stats.windows) == (0, 0, 24)
    assert 0 < stats.stack_used < 4096


def test_it_introduces_itself(listener: Listener) -> None:
    first = listener.lines[0]
    assert first["detector"] == "stub"
    assert first["model"] == stub.MODEL_ID
    assert (first["audio"], first["origin"], first["watchdog"]) == ("line", "build", 0)
    assert first["threshold"] == CONFIG.threshold
    assert first["keeps"] == ("flash" if listener.status().keeps else "ram")


def test_lost_sound_is_counted_and_no_window_spans_the_gap(on_board: Listener) -> None:
    on_board.reset()
    before, after = sound(QUIET, 3)[:-100], sound(QUIET, 2, 1)
    assert on_board.say(before) == 0
    on_board.skip(1234)
    assert on_board.say(after) == 1234
    scores = stub.scores(before) + stub.scores(after)
    expected = lines(scores)
    for line in expected[2:]:
        line["lost"] = 1234
    assert windows_of(on_board) == expected
    status = on_board.status()
    assert (status.lost, status.samples) == (1234, len(before) + len(after))


def test_a_frame_the_line_damages_is_lost_sound(detector: Build) -> None:
    """Its CRC tells; the next frame's number says how much is missing."""
    firmware = detector("stm32f746", "gcc", "unicorn", "line")
    pcm = sound(QUIET, 6)
    with start(firmware, "stm32f746", "unicorn") as running:
        listener = Listener(running, firmware.elf)
        listener.hello()
        listener.reset()
        listener.say(pcm[:1000])
        frame = bytearray(
            encode(Frame(AUDIO, 99, struct.pack("<I", 1000) + pcm[1000:1600].tobytes()))
        )
        frame[40] ^= 4
        running.write(bytes(frame))
        listener.skip(600)
        with pytest.raises(TargetError, match=r"error 1\): a damaged frame was dropped"):
            listener.status()
        assert listener.say(pcm[1600:]) == 600
        status, stats = listener.status(), listener.stats()
        assert (status.samples, status.lost) == (len(pcm) - 600, 600)
        assert stats.bad_frames == 1


@pytest.mark.parametrize("payload", [b"", b"\0\0\0", b"\0" * 5])
def test_sound_without_a_number_or_half_a_sample_is_refused(
    detector: Build, payload: bytes
) -> None:
    firmware = detector("stm32f746", "gcc", "unicorn", "line")
    with start(firmware, "stm32f746", "unicorn") as running:
        client = Client(running, firmware.elf)
        client.hello()
        with pytest.raises(TargetError, match=r"error 2\): AUDIO needs a position and whole"):
            client.ask(AUDIO, payload)
        with pytest.raises(TargetError, match="error 3"):
            client.push(np.zeros(4, np.int16))


def test_sound_that_is_said_twice_is_heard_once(on_board: Listener) -> None:
    on_board.reset()
    pcm = sound(QUIET, 4)
    on_board.say(pcm[:1500])
    on_board.skip(-500)
    assert on_board.say(pcm[1000:]) == 0
    on_board.skip(-2048)
    assert on_board.say(pcm) == 0
    assert [line["score"] for line in windows_of(on_board)] == stub.scores(pcm)


def test_reset_forgets_sound_and_alarm(on_board: Listener) -> None:
    on_board.reset()
    on_board.say(sound(LOUD, 6)[:-7])
    assert on_board.status().alarm
    on_board.reset()
    status = on_board.status()
    assert (status.alarm, status.windows, status.alarms, status.samples) == (False, 0, 0, 0)
    on_board.lines.clear()
    pcm = sound(QUIET, 3, 5)
    on_board.say(pcm)
    assert windows_of(on_board) == lines(stub.scores(pcm))


def test_calibration_equals_its_twin(listener: Listener) -> None:
    listener.reset()
    listener.calibrate(windows=16, factor=6)
    assert listener.status().learning == 16
    pcm = sound(LOUD, 16, 3)  # far above the build's threshold: this is normal here
    listener.say(pcm[: 5 * stub.WINDOW])
    assert listener.status().learning == 11
    listener.say(pcm[5 * stub.WINDOW :])
    twin, alarm = Calibration(16), Alarm()
    for score in stub.scores(pcm):
        alarm.smooth(CONFIG, score)
        twin.add(alarm.smoothed)
    learned = twin.apply(6, CONFIG)
    status = listener.status()
    assert (status.threshold, status.release) == (learned.threshold, learned.release)
    assert (status.origin, status.learning, status.alarms) == (Origin.LEARNED, 0, 0)
    said = next(line for line in listener.lines if "learned" in line)
    assert said == {
        "learned": 16,
        "mean": twin.level().mean,
        "deviation": twin.level().deviation,
        "threshold": learned.threshold,
        "release": learned.release,
        "kept": "flash" if status.keeps else "ram",
    }
    heard = windows_of(listener)
    assert [line["learning"] for line in heard[:-1]] == list(range(15, 0, -1))
    assert not any(line["alarm"] for line in heard)
    more = np.concatenate([sound(LOUD, 10, 4), sound(2 * LOUD, 6, 5)])
    listener.say(more)
    assert windows_of(listener)[16:] == lines(stub.scores(more), learned, 16, alarm)
    assert listener.status().alarm
    listener.forget()
    status = listener.status()
    assert (status.threshold, status.origin) == (CONFIG.threshold, Origin.BUILD)


def test_thresholds_can_be_set(on_board: Listener) -> None:
    on_board.set_threshold(2**64 - 1, 2**63)
    status = on_board.status()
    assert (status.threshold, status.release) == (2**64 - 1, 2**63)
    assert status.origin == Origin.HOST
    on_board.reset()
    on_board.say(sound(LOUD, 8))
    assert not on_board.status().alarm
    on_board.forget()
    on_board.reset()
    on_board.say(sound(LOUD, 8))
    assert on_board.status().alarm


@pytest.mark.parametrize("windows", [0, 7, 65536])
def test_an_impossible_calibration_is_refused(on_board: Listener, windows: int) -> None:
    with pytest.raises(TargetError, match=r"error 6\): CALIBRATE takes 8 to 65535 windows"):
        on_board.calibrate(windows, 4)
    with pytest.raises(TargetError, match="error 6"):
        on_board.calibrate(100, 256)
    with pytest.raises(TargetError, match="release level is above"):
        on_board.set_threshold(1, 2)
    assert on_board.status().learning == 0


PAGES = {
    "stm32f746": 0x080C_0000,
    "stm32f446": 0x0806_0000,
    "stm32f207": 0x080E_0000,
    "stm32g0b1": 0x0803_F800,
}


def kept_page(firmware: Firmware, board: str) -> bytes:
    """Let a board learn; return what it keeps."""
    with UnicornTarget().open(firmware.elf, boards.load(board)) as running:
        listener = Listener(running, firmware.elf)
        listener.hello(stub.MODEL_ID)
        listener.reset()
        for seed in (1, 2):  # the second time, the page is not blank
            listener.calibrate(8, 5)
            listener.say(sound(LOUD, 8, seed))
        learned = [line for line in listener.lines if "learned" in line]
        assert [line["kept"] for line in learned] == ["flash", "flash"]
        page = running.read_memory(PAGES[board], 64)
        threshold = listener.status().threshold
        release = listener.status().release
    config = replace(CONFIG, threshold=threshold, release=release)
    assert page == record(config, stub.MODEL_ID, 8) + b"\xff" * 24
    return page


def restarted(firmware: Firmware, board: str, page: bytes) -> tuple[Listener, UnicornTarget]:
    """Start a board whose flash has this page."""
    running = UnicornTarget().open(firmware.elf, boards.load(board))
    running.write_memory(PAGES[board], page)
    listener = Listener(running, firmware.elf)
    listener.hello(stub.MODEL_ID)
    return listener, running


@pytest.mark.parametrize("board", PAGES)
def test_what_was_learned_outlasts_a_restart(detector: Build, board: str) -> None:
    firmware = detector(board, "gcc", "unicorn", "line")
    page = kept_page(firmware, board)
    kept = restored(page[:40], CONFIG, stub.MODEL_ID)
    listener, running = restarted(firmware, board, page)
    status = listener.status()
    assert (status.origin, status.threshold) == (Origin.KEPT, kept.threshold)
    assert status.release == kept.release
    assert listener.lines[0]["origin"] == "kept"
    pcm = sound(LOUD, 8, 3)
    listener.say(pcm)
    assert windows_of(listener) == lines(stub.scores(pcm), kept)
    listener.forget()
    assert listener.status().threshold == CONFIG.threshold
    again, _ = restarted(firmware, board, running.read_memory(PAGES[board], 64))
    assert again.status().origin == Origin.BUILD


@pytest.mark.parametrize("bit", [0, 33, 70, 130, 200, 319])
def test_a_damaged_page_is_ignored(detector: Build, bit: int) -> None:
    firmware = detector("stm32f746", "gcc", "unicorn", "line")
    page = bytearray(record(CONFIG_KEPT, stub.MODEL_ID, 8))
    good, _ = restarted(firmware, "stm32f746", bytes(page))
    assert good.status().threshold == CONFIG_KEPT.threshold
    page[bit // 8] ^= 1 << bit % 8
    listener, _ = restarted(firmware, "stm32f746", bytes(page))
    status = listener.status()
    assert (status.origin, status.threshold) == (Origin.BUILD, CONFIG.threshold)


def test_a_board_without_a_page_says_so(detector: Build) -> None:
    firmware = detector("cortex-a72", "gcc", "unicorn", "line")
    with UnicornTarget().open(firmware.elf, boards.load("cortex-a72")) as running:
        listener = Listener(running, firmware.elf)
        listener.hello()
        listener.reset()
        listener.calibrate(8, 5)
        listener.say(sound(LOUD, 8))
        assert listener.lines[0]["keeps"] == "ram"
        assert next(line for line in listener.lines if "learned" in line)["kept"] == "ram"
        assert not listener.status().keeps


def mailbox(running: UnicornTarget, elf: Path) -> tuple[Listener, Mailbox]:
    listener = Listener(running, elf)
    listener.hello(stub.MODEL_ID)
    return listener, Mailbox(running, listener, elf)


@pytest.mark.parametrize("board", ["stm32f746", "stm32g0b1"])
def test_a_mailbox_gives_the_same_lines(detector: Build, board: str) -> None:
    firmware = detector(board, "gcc", "unicorn", "mailbox")
    pcm = np.concatenate([sound(QUIET, 20), sound(LOUD, 20, 1)])
    with UnicornTarget().open(firmware.elf, boards.load(board)) as running:
        listener, box = mailbox(running, firmware.elf)
        assert box.say(pcm[:777]) == 0
        assert box.say(pcm[777:]) == 0
        assert windows_of(listener) == lines(stub.scores(pcm))
        assert listener.lines[0]["audio"] == "mailbox"
        with pytest.raises(TargetError, match="does not listen to the host"):
            listener.say(pcm[:10])


def test_what_a_mailbox_overwrites_is_lost_and_counted(detector: Build) -> None:
    firmware = detector("stm32f746", "gcc", "unicorn", "mailbox")
    pcm = sound(QUIET, 16)
    with UnicornTarget().open(firmware.elf, boards.load("stm32f746")) as running:
        listener, box = mailbox(running, firmware.elf)
        box.say(pcm[:700])
        box.put(pcm)  # 8192 samples into a ring of 4096
        while listener.status().samples < 700 + 4096:
            pass
        assert listener.status().lost == 4096
        heard = windows_of(listener)
        assert [line["score"] for line in heard] == stub.scores(pcm[:700]) + stub.scores(pcm[4096:])
        assert [line["lost"] for line in heard] == [0] + [4096] * 8


def test_other_firmware_is_no_detector(detector: Build, stub_firmware: Callable) -> None:
    firmware = stub_firmware("stm32f746", "gcc", "unicorn")
    with UnicornTarget().open(firmware.elf, boards.load("stm32f746")) as running:
        listener = Listener(running, firmware.elf)
        with pytest.raises(TargetError, match="'stub' is not a detector"):
            listener.hello()
