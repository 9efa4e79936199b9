"""The product of a finished build: a detector that listens to a stream and raises alarms.

It is linked for a target, hears a stream in which a fault starts, and must say, line by line, what
its twin in integers says.
"""

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outliernets import alarm, codegen, data, target, threshold, toolchain
from outliernets.alarm import Alarm, AlarmConfig
from outliernets.boards import Board
from outliernets.data import Clip
from outliernets.detectors import DetectorSpec, fixed, learned
from outliernets.detectors.fixed import Plans
from outliernets.detectors.spec import AlarmSpec
from outliernets.errors import ConfigError, DataError
from outliernets.features import mel_fixed
from outliernets.pipeline import firmware, learning
from outliernets.pipeline.build import LEARNING, remembered
from outliernets.pipeline.config import BuildConfig
from outliernets.pipeline.stage import Narrator, Work, write_atomically
from outliernets.target import Listener, Mailbox, Microphones, Room, Target, UnicornTarget
from outliernets.threshold import Threshold
from outliernets.toolchain import Firmware

SOURCES = ("line", "mailbox")  #: of every board
MICROPHONES = "microphones"
FOLDER, REPORT, LINES = "detect", "detect.json", "lines.jsonl"
Pcm = NDArray[np.int16]
Line = dict[str, Any]


@dataclass(frozen=True)
class DetectConfig:
    """How the detector judges, and where its sound comes from."""

    false_alarms_per_hour: float = 1.0
    method: str = "gamma"  #: of ``threshold.METHODS``
    alarm: AlarmSpec | None = None  #: None: the detector's own
    audio: str = "line"  #: of ``SOURCES``, or of the board's own
    seconds: float = 60.0  #: of the test stream
    fault_at: float | None = None  #: seconds into the user's own stream


@dataclass(frozen=True)
class Stream:
    """Sound in which a fault starts."""

    pcm: Pcm
    fault_at: int | None  #: number of the first sample of the fault, if known
    clips: tuple[str, ...]


@dataclass(frozen=True)
class _Product:
    """A linked detector and what it was made from."""

    board: Board
    built: Firmware
    model: Path
    model_id: int
    plans: Plans
    alarm: AlarmConfig


def detect(
    folder: Path,
    settings: DetectConfig,
    narrator: Narrator,
    stream: Path | None = None,
    target_name: str | None = None,
) -> dict[str, Any]:
    """Run the detector of the build in ``folder`` on a stream; return the report.

    ``stream`` None: normal test clips of the build, then abnormal ones. The program, the report and
    the lines it said go to ``detection_folder``. Where the target is a board at a port, the program
    has to be there already: ``ongen flash`` of that folder.
    """
    config = replace(remembered(folder), target=target_name)
    board = firmware.load_board(config)
    _check(settings, config, board)
    firmware.check_tools(config)
    folders = _learned(config)
    sound = (
        _own_stream(stream, settings, config) if stream else _test_stream(folders, settings, config)
    )
    narrator.begin("threshold", 1, 3)
    limit = held_out_threshold(folders, settings, config, narrator)
    narrator.begin("compile", 2, 3)
    out = detection_folder(folder, settings, config)
    product = _link(out, folders, settings, limit, config, board, narrator)
    narrator.begin("listen", 3, 3)
    heard = _listen(product, settings, config.target_name, sound, narrator)
    report = _report(product, settings, limit, config, sound, heard)
    write_atomically(out / REPORT, json.dumps(report, indent=1) + "\n")
    text = "".join(json.dumps(line) + "\n" for line in heard.lines)
    write_atomically(out / LINES, text)
    return report


def detection_folder(folder: Path, settings: DetectConfig, config: BuildConfig) -> Path:
    """Return where the detector goes: the board's with a line, or one for another choice."""
    usual = (replace(config, target=None).target_name, DetectConfig().audio)
    chosen = (config.built_for, settings.audio)
    other = [mine for mine, theirs in zip(chosen, usual, strict=True) if mine != theirs]
    return folder / "-".join([FOLDER, *other])


def _check(settings: DetectConfig, config: BuildConfig, board: Board) -> None:
    """Raise ConfigError now rather than after the compiler."""
    sources = (*SOURCES, *board.audio)
    if settings.audio not in sources:
        raise ConfigError(
            f"board {board.name} has no source of sound '{settings.audio}'; give one of "
            f"{', '.join(sources)}"
        )
    if settings.audio == MICROPHONES:
        _check_microphones(config)
    writable = config.target_name == "unicorn" and board.variant(config.built_for).memory
    if settings.audio == "mailbox" and not writable:
        raise ConfigError(
            f"target {config.target_name} of {board.name} cannot write the mailbox's memory; use "
            "the source line, or a microcontroller on target unicorn"
        )
    seconds = config.mel.window_ms / 1000
    threshold.window_probability(settings.false_alarms_per_hour, seconds)
    if settings.method not in threshold.METHODS:
        raise ConfigError(
            f"unknown method '{settings.method}'; give one of {', '.join(threshold.METHODS)}"
        )


def _check_microphones(config: BuildConfig) -> None:
    """Raise ConfigError where nobody can play the stream to them."""
    if target.is_port(config.target_name):
        raise ConfigError(
            "the microphones of a real board hear its room, not the stream: leave --target out, "
            "then 'ongen flash' the detector and listen to it with 'ongen monitor'"
        )
    if config.target_name != UnicornTarget.name:
        raise ConfigError(f"target {config.target_name} has no microphones; use target unicorn")
    if config.mel.sample_rate != Microphones.SAMPLE_RATE:
        raise ConfigError(
            f"the microphones take {Microphones.SAMPLE_RATE} samples a second, and the build has a "
            f"sample_rate of {config.mel.sample_rate}"
        )


def _learned(config: BuildConfig) -> dict[str, Path]:
    """Return the folders of the build's learning stages; DataError if they are gone."""
    folders = {
        name: config.task_folder / f"{number:02d}_{name}" for number, name in enumerate(LEARNING, 1)
    }
    for name, needed in (
        ("features", "held_out.npy"),
        ("train", learned.SPEC),
        ("quantize", learning.MODEL),
    ):
        if not (folders[name] / needed).is_file():
            raise DataError(f"{folders[name]} has no {needed}; run 'ongen build' again")
    return folders


def _own_stream(path: Path, settings: DetectConfig, config: BuildConfig) -> Stream:
    pcm = data.read_pcm(path, config.mel.sample_rate, config.mel.min_samples).samples
    at = settings.fault_at
    seconds = len(pcm) / config.mel.sample_rate
    if at is not None and not 0 <= at < seconds:
        raise ConfigError(f"the fault at {at:g} s is not inside {path.name} of {seconds:.1f} s")
    first = None if at is None else round(at * config.mel.sample_rate)
    return Stream(pcm, first, (path.name,))


def _test_stream(folders: dict[str, Path], settings: DetectConfig, config: BuildConfig) -> Stream:
    """Normal test clips for half of the time, then abnormal ones."""
    clips = learning.read_clips(folders["data"], "test")
    half = round(settings.seconds / 2 * config.mel.sample_rate)
    if half < config.mel.min_samples:
        raise ConfigError(f"a stream of {settings.seconds:g} s is shorter than two windows")
    normal, names = _filled([c for c in clips if c.label == "normal"], half, config)
    faulty, more = _filled([c for c in clips if c.label == "abnormal"], half, config)
    return Stream(np.concatenate([normal, faulty]), half, (*names, *more))


def _filled(clips: Sequence[Clip], size: int, config: BuildConfig) -> tuple[Pcm, list[str]]:
    """Return ``size`` samples of clips one after the other, and the names of those."""
    parts: list[Pcm] = []
    names: list[str] = []
    left = size
    for clip in clips:
        if left <= 0:
            break
        parts.append(data.read_pcm(clip.path, config.mel.sample_rate).samples[:left])
        names.append(clip.name)
        left -= len(parts[-1])
    if left > 0:
        seconds = left / config.mel.sample_rate
        raise DataError(
            f"{config.task}: the test clips are {seconds:.0f} s too short for the stream; give "
            "less --seconds, or a --stream of your own"
        )
    return np.concatenate(parts), names


def held_out_threshold(
    folders: dict[str, Path], settings: DetectConfig, config: BuildConfig, narrator: Narrator
) -> Threshold:
    """Return the threshold for smoothed scores, from the normal clips nothing was trained on."""
    features = folders["features"]
    windows = np.load(features / "held_out.npy", mmap_mode="r")
    narrator.progress(0, len(windows))
    # One stream, as the device hears it: nothing is forgotten between clips.
    integers = learning.plans_of(config, folders)
    sums = learning.int8_sums(integers, folders["quantize"] / learning.MODEL, windows, None)
    means = alarm.smoothed(
        sums.tolist(), AlarmConfig(smoothing=alarm_of(folders, settings).smoothing)
    )
    return threshold.calibrate(
        means, settings.false_alarms_per_hour, config.mel.window_ms / 1000, settings.method
    )


def alarm_of(folders: dict[str, Path], settings: DetectConfig) -> AlarmSpec:
    """Return how scores become an alarm: as was asked for, else as the detector says."""
    return settings.alarm or DetectorSpec.load(folders["train"] / learned.SPEC).alarm


def _link(
    folder: Path,
    folders: dict[str, Path],
    settings: DetectConfig,
    limit: Threshold,
    config: BuildConfig,
    board: Board,
    narrator: Narrator,
) -> _Product:
    """Write and compile the detector into ``folder``."""
    source = folder / "source"
    shutil.rmtree(folder, ignore_errors=True)
    source.mkdir(parents=True)
    work = Work(source, folders, narrator)
    firmware.emit_stage(config, board, limit.threshold, work)
    asked = alarm_of(folders, settings)
    judge = AlarmConfig(limit.threshold, limit.release, asked.smoothing, asked.windows)
    for name, text in codegen.detect_app_files(judge).items():
        (source / name).write_text(text)
    script = source / "link.ld"
    built = toolchain.get(config.toolchain, board).link(
        [
            *sorted(source.glob("*.c")),
            *toolchain.program_sources(board, config.built_for, "detect", settings.audio),
        ],
        [source, *toolchain.program_includes(board, config.built_for)],
        board,
        config.built_for,
        script if script.exists() else None,
        folder,
    )
    shutil.rmtree(folder / "obj", ignore_errors=True)
    model = folders["quantize"] / learning.MODEL
    integers = learning.plans_of(config, folders)
    return _Product(board, built, model, work.facts["model_id"], integers, judge)


@dataclass(frozen=True)
class _Heard:
    """What the detector said and counted."""

    version: str  #: of the target
    lines: list[Line]
    lost: int  #: samples
    stack_used: int
    bad_frames: int
    overruns: int
    instructions: int | None  #: while it listened


def _listen(
    product: _Product, settings: DetectConfig, target_name: str, sound: Stream, narrator: Narrator
) -> _Heard:
    """Let the detector hear the stream, a second at a time."""
    rate = product.plans.mel.sample_rate
    with target.get(target_name).open(product.built.elf, product.board) as running:
        microphones = _microphones(settings.audio, running)
        listener = Listener(running, product.built.elf)
        listener.hello(product.model_id)
        listener.reset()
        listener.set_threshold(product.alarm.threshold, product.alarm.release)  # none it learned
        say = (
            Room(microphones, listener)
            if microphones
            else _speaker(settings.audio, running, listener, product.built.elf)
        )
        before = sum(running.counts().values())
        for start in range(0, len(sound.pcm), rate):
            say.say(sound.pcm[start : start + rate])
            narrator.progress(min(start + rate, len(sound.pcm)), len(sound.pcm))
        spent = sum(running.counts().values()) - before
        status, stats = listener.status(), listener.stats()
        missing = len(sound.pcm) - status.samples - status.lost
        return _Heard(
            version=running.version(),
            lines=[line for line in listener.lines if "window" in line],
            lost=status.lost + missing,
            stack_used=stats.stack_used,
            bad_frames=stats.bad_frames,
            overruns=stats.overruns,
            instructions=spent or None,
        )


def _microphones(audio: str, running: Target) -> Microphones | None:
    """Attach microphones to a program that has not run yet, if it listens to them."""
    if audio != MICROPHONES:
        return None
    assert isinstance(running, UnicornTarget)
    return Microphones(running)


def _speaker(audio: str, running: Target, listener: Listener, elf: Path) -> Listener | Mailbox:
    return Mailbox(running, listener, elf) if audio == "mailbox" else listener  # type: ignore[arg-type]


def twin_lines(pcm: Pcm, model: Path, integers: Plans, config: AlarmConfig) -> list[Line]:
    """Return what a detector must say of a stream: front end, network, score, alarm in integers."""
    rows = mel_fixed.quantized_frames(pcm, integers.front_end)
    count = len(rows) // integers.mel.frames
    windows = rows[: count * integers.mel.frames].reshape(count, -1)
    judge, lines = Alarm(), []
    for number, total in enumerate(fixed.twin(integers, model).sums(windows).tolist()):
        judge.smooth(config, total)
        judge.judge(config)
        lines.append(
            {
                "window": number,
                "score": total,
                "smoothed": judge.smoothed,
                "threshold": config.threshold,
                "alarm": int(judge.on),
                "lost": 0,
            }
        )
    return lines


def _report(
    product: _Product,
    settings: DetectConfig,
    limit: Threshold,
    config: BuildConfig,
    sound: Stream,
    heard: _Heard,
) -> dict[str, Any]:
    mel, built = config.mel, product.built
    expected = twin_lines(sound.pcm, product.model, product.plans, product.alarm)
    seconds = len(sound.pcm) / mel.sample_rate
    alarms = _alarms(heard.lines, sound, config)
    spent = heard.instructions
    failures = _failures(heard, expected, alarms, sound)
    return {
        "schema": 1,
        "task": str(config.task),
        "folder": str(built.elf.parent),
        "board": product.board.name,
        "toolchain": config.toolchain,
        "audio": settings.audio,
        "target": {"name": config.target_name, "version": heard.version},
        "threshold": asdict(limit),
        "alarm": asdict(product.alarm),
        "stream": {
            "seconds": seconds,
            "fault_at": None if sound.fault_at is None else sound.fault_at / mel.sample_rate,
            "clips": list(sound.clips),
        },
        "windows": len(heard.lines),
        "alarms": alarms,
        "lost": heard.lost,
        "bad_frames": heard.bad_frames,
        "overruns": heard.overruns,
        "parity": {"lines_exact": heard.lines == expected},
        "footprint": {"flash": built.flash, "ram": built.ram, "stack": heard.stack_used},
        "instructions": {"second": None if spent is None else round(spent / seconds)},
        "failures": failures,
        "verdict": "FAIL" if failures else "PASS",
    }


def _alarms(lines: Sequence[Line], sound: Stream, config: BuildConfig) -> dict[str, Any]:
    """When alarms were raised: seconds into the stream, and after the fault."""
    on = [line["alarm"] for line in lines]
    raised = [i for i, state in enumerate(on) if state and not (i and on[i - 1])]
    times = [_heard_at(i, config) for i in raised]
    if sound.fault_at is None:
        return {"at": times, "false": None, "delay": None}
    fault = sound.fault_at / config.mel.sample_rate
    after = [time for time in times if time > fault]
    return {
        "at": times,
        "false": len(times) - len(after),
        "delay": after[0] - fault if after else None,
    }


def _heard_at(window: int, config: BuildConfig) -> float:
    """When the last sample of a window was heard, in seconds."""
    mel = config.mel
    return (((window + 1) * mel.frames - 1) * mel.hop + mel.n_fft) / mel.sample_rate


def _failures(
    heard: _Heard, expected: Sequence[Line], alarms: dict[str, Any], sound: Stream
) -> list[str]:
    failures = []
    pairs = enumerate(zip(heard.lines, expected, strict=False))
    wrong = next((i for i, (said, due) in pairs if said != due), None)
    if len(heard.lines) != len(expected):
        failures.append(f"{len(heard.lines)} windows, the integer twin has {len(expected)}")
    elif wrong is not None:
        failures.append(
            f"window {wrong}: {json.dumps(heard.lines[wrong])}, the integer twin says "
            f"{json.dumps(expected[wrong])}"
        )
    if heard.lost or heard.bad_frames or heard.overruns:
        failures.append(
            f"lost: {heard.lost} samples, {heard.bad_frames} frames, {heard.overruns} bytes"
        )
    if sound.fault_at is not None and alarms["delay"] is None:
        failures.append("the fault raised no alarm")
    return failures
