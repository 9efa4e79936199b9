"""The product of a build: a stream in which a fault starts, on several targets."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from outliernets import data
from outliernets.config import Task
from outliernets.errors import ConfigError, DataError
from outliernets.pipeline import BuildConfig, DetectConfig, build, detect
from outliernets.pipeline.stage import Silence
from outliernets.toolchain import flash
from outliernets.toolchain.images import read_image

pytestmark = [pytest.mark.slow, pytest.mark.emulator]
TASK = Task.parse("fan/06/6dB")
SECONDS = 3.4  #: of a clip
STREAM = DetectConfig(seconds=20.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A build as far as the int8 network, with three test clips of each kind."""
    root = tmp_path_factory.mktemp("detect")
    data.simulate(TASK, root / "sounds", normal=83, abnormal=3, seconds=SECONDS)
    config = BuildConfig(TASK, "stm32f746", root / "sounds", out=root / "build", steps=60)
    build(config, Silence(), last="quantize")
    return config.board_folder


def said(report: dict) -> list[dict]:
    return [json.loads(line) for line in (Path(report["folder"]) / "lines.jsonl").open()]


@pytest.fixture(scope="module")
def report(folder) -> dict:
    return detect(folder, STREAM, Silence())


@pytest.fixture(scope="module")
def lines(report) -> list[dict]:
    return said(report)


def test_the_alarm_comes_and_nothing_is_lost(report, lines):
    assert report["verdict"] == "PASS"
    assert report["parity"]["lines_exact"] is True
    assert (report["lost"], report["bad_frames"], report["overruns"]) == (0, 0, 0)
    assert report["windows"] == len(lines) == 19
    assert report["alarms"]["false"] == 0
    assert 0 < report["alarms"]["delay"] < 5
    # The line that raised it, heard when its last sample was.
    first = next(line["window"] for line in lines if line["alarm"])
    heard = ((first + 1) * 32 * 512 + 512) / 16_000
    assert report["alarms"]["at"][0] == pytest.approx(heard)
    assert report["alarms"]["delay"] == pytest.approx(heard - 10)


def test_what_it_needs(report):
    assert report["footprint"]["flash"] < 48 * 1024
    assert report["footprint"]["ram"] < 48 * 1024
    assert report["footprint"]["stack"] < 4096
    assert 2_000_000 < report["instructions"]["second"] < 8_000_000


@pytest.mark.parametrize(
    ("audio", "target"),
    [("mailbox", "unicorn"), ("microphones", "unicorn"), ("line", "qemu")],
    ids=["mailbox", "microphones", "qemu"],
)
def test_every_target_says_the_same(folder, lines, audio, target):
    if target == "qemu" and not shutil.which("qemu-system-arm"):
        pytest.skip("qemu-system-arm is not installed")
    other = detect(folder, replace(STREAM, audio=audio), Silence(), target_name=target)
    assert other["verdict"] == "PASS"
    assert said(other) == lines


def test_the_program_can_be_flashed(report, folder):
    """Not that of an emulator that was run since."""
    elf, board = flash.find_program(folder / "detect")
    assert board.name == "stm32f746"
    flash.check(read_image(elf), board, elf)


def test_a_stream_of_ones_own(folder, tmp_path):
    """Without a known fault there is nothing false; with one, an alarm before it is."""
    noise = np.random.default_rng(1).integers(-3000, 3000, 16_000 * 6).astype(np.int16)
    path = tmp_path / "own.wav"
    soundfile.write(path, noise, 16_000, "PCM_16")
    unknown = detect(folder, STREAM, Silence(), path)
    assert unknown["verdict"] == "PASS"
    assert unknown["alarms"]["delay"] is None
    assert unknown["stream"] == {"seconds": 6.0, "fault_at": None, "clips": ["own.wav"]}
    known = detect(folder, replace(STREAM, fault_at=5.9), Silence(), path)
    assert known["alarms"]["false"] == len(known["alarms"]["at"])
    assert known["failures"] == ["the fault raised no alarm"]
    assert known["verdict"] == "FAIL"


@pytest.mark.parametrize(
    ("changes", "target", "error", "message"),
    [
        ({"audio": "radio"}, None, ConfigError, "'radio'; give one of line, mailbox"),
        ({"audio": "mailbox"}, "qemu", ConfigError, "cannot write the mailbox's memory"),
        ({"audio": "microphones"}, "qemu", ConfigError, "target qemu has no microphones"),
        ({"audio": "microphones"}, "/dev/ttyACM0", ConfigError, "hear its room, not the stream"),
        (
            {"false_alarms_per_hour": 0.0},
            None,
            ConfigError,
            "more than 0 and less than the 3515.62",
        ),
        ({"method": "magic"}, None, ConfigError, "give one of gamma, quantile"),
        ({"method": "quantile"}, None, DataError, "windows of normal sound are too few"),
        ({"seconds": 60.0}, None, DataError, "20 s too short for the stream"),
        ({"seconds": 1.0}, None, ConfigError, "shorter than two windows"),
    ],
)
def test_bad_choices_are_refused(folder, changes, target, error, message):
    with pytest.raises(error, match=message):
        detect(folder, replace(STREAM, **changes), Silence(), target_name=target)


def test_a_folder_without_a_build(tmp_path):
    with pytest.raises(ConfigError, match="not a build"):
        detect(tmp_path, STREAM, Silence())
