"""Bytes that come while the firmware computes: the ring behind the UART's interrupt."""

import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
from numpy.typing import NDArray

from outliernets import boards
from outliernets.errors import ConfigError, TargetError
from outliernets.target.listener import Listener
from outliernets.target.protocol import AUDIO, Frame, encode
from outliernets.target.unicorn import UnicornTarget
from tests.target import detect_stub, stub
from tests.target.conftest import Build

Answer = TypeVar("Answer")
RATE = 16_000
PIECE = 512  # samples in a frame: one window of the stub
#: by board: bits a second of its line, and clock
LINES = {
    "stm32f746": (921_600, 216_000_000),
    "stm32f446": (921_600, 180_000_000),
    "stm32f207": (460_800, 120_000_000),
    "stm32g0b1": (921_600, 64_000_000),
}
#: board and seconds of sound
STREAMS = [
    *((board, 0.4) for board in LINES),
    pytest.param("stm32f746", 5.0, marks=pytest.mark.slow),
]


def build(board: str, folder: Path, ring: int | None = None) -> Path:
    """The detector with a network that takes half of the time in which its sound comes."""
    baud, clock = LINES[board]
    frame_time = 2 * PIECE * 10 * clock // baud
    defines = {"STUB_LOOPS": str(frame_time // 2 // 3)}
    if ring:
        defines["UART_RING"] = str(ring)
    return detect_stub.build(boards.load(board), "gcc", "unicorn", "line", folder, defines).elf


def pour(running: UnicornTarget, elf: Path, pcm: NDArray[np.int16]) -> Listener:
    """Send all the sound at once, at the speed of the line; answers are for later."""
    listener = Listener(running, elf)
    listener.hello(stub.MODEL_ID)
    listener.reset()
    running.pace()
    for first in range(0, len(pcm), PIECE):
        samples = pcm[first : first + PIECE].astype("<i2").tobytes()
        running.write(encode(Frame(AUDIO, 255, struct.pack("<I", first) + samples)))
    return listener


def quiet(seconds: float) -> NDArray[np.int16]:
    return detect_stub.sound(detect_stub.QUIET, round(seconds * RATE) // PIECE)


def insist(ask: Callable[[], Answer]) -> Answer:
    """Ask until there is an answer: not a damaged frame, not a wait for the rest of one."""
    for _ in range(1000):
        with suppress(TargetError):
            return ask()
    raise AssertionError("nothing but damaged frames")


@pytest.mark.emulator
@pytest.mark.parametrize(("board", "seconds"), STREAMS)
def test_a_stream_that_waits_for_nothing_loses_nothing(
    board: str, seconds: float, tmp_path: Path
) -> None:
    elf, pcm = build(board, tmp_path), quiet(seconds)
    with UnicornTarget().open(elf, boards.load(board)) as running:
        listener = pour(running, elf, pcm)
        status, stats = listener.status(), listener.stats()
        spent = sum(running.counts().values())
        assert running.lost_bytes == 0
    assert (status.samples, status.lost) == (len(pcm), 0)
    assert (stats.overruns, stats.bad_frames) == (0, 0)
    said = [line for line in listener.lines if "window" in line]
    assert said == detect_stub.lines(stub.scores(pcm))
    # It computed while sound came: all was over soon after the last byte.
    baud, clock = LINES[board]
    line_time = (2 * len(pcm) + len(pcm) // PIECE * 16) * 10 * clock / baud
    assert line_time < spent < 1.2 * line_time


@pytest.mark.emulator
@pytest.mark.parametrize("board", ["stm32f746", "stm32g0b1"])
def test_what_a_ring_too_small_loses_is_counted(board: str, tmp_path: Path) -> None:
    elf, pcm = build(board, tmp_path, ring=64), quiet(0.4)
    with UnicornTarget().open(elf, boards.load(board)) as running:
        listener = pour(running, elf, pcm)
        status, stats = insist(listener.status), insist(listener.stats)
        assert running.lost_bytes == 0  # the interrupt took them all; the ring had no room
    assert stats.overruns > 1000
    assert status.samples < len(pcm)
    heard = {line["score"] for line in listener.lines if "window" in line}
    assert heard <= set(stub.scores(pcm))  # no window has a gap inside


@pytest.mark.emulator
def test_without_the_interrupt_the_usart_loses_bytes_and_says_so(tmp_path: Path) -> None:
    """As long as nothing takes it, a byte stays in the USART, and those behind it are lost."""
    elf = build("stm32f746", tmp_path)
    with UnicornTarget().open(elf, boards.load("stm32f746")) as running:
        listener = Listener(running, elf)
        listener.hello(stub.MODEL_ID)
        running.pace()
        machine = running._running()
        machine._nvic.write(0xE000_E184, 4, 1 << 5)  # ICER1: interrupt 37
        running.write(b"\xa5" + bytes(9))
        running.pass_time(10 * 2344 + 3000)
        assert running.lost_bytes == 9
        machine._nvic.write(0xE000_E104, 4, 1 << 5)
        assert listener.stats().overruns == 1  # all the USART can tell


def test_pacing_needs_a_line_that_has_a_speed(stub_firmware: Build) -> None:
    firmware = stub_firmware("stm32f746", "gcc", "unicorn")
    with (
        UnicornTarget().open(firmware.elf, boards.load("stm32f746")) as running,
        pytest.raises(TargetError, match="not set a baud rate yet"),
    ):
        running.pace()
    firmware = stub_firmware("cortex-a72", "gcc", "unicorn")
    with (
        UnicornTarget().open(firmware.elf, boards.load("cortex-a72")) as running,
        pytest.raises(ConfigError, match="no serial line"),
    ):
        running.pace()
