"""Simulated recordings in MIMII's layout, for everyone who has no data set at hand.

Every clip is a function of task, label, index and seed alone, so any subset can be made again. As
in MIMII, the conditions of one machine share their clips: the same machine sound and the same
moment of factory noise, mixed at another signal-to-noise ratio.
"""

import hashlib
import re
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from outliernets.config import SEED, Task
from outliernets.data.machines import MACHINES, RATE, Machine, Signal, decibels, factory_noise
from outliernets.errors import ConfigError, DataError, near_miss
from outliernets.files import written_whole

MARKER = "SIMULATED.txt"  #: lies beside normal/ and abnormal/ of every simulated machine
NORMAL, ABNORMAL, SECONDS = 160, 40, 10.0
LEVEL = 0.03  #: RMS of the machine alone, full scale = 1
RECIPE = 3  #: raise when any clip changes, so that old folders are made anew


def simulate(
    task: Task,
    out: Path,
    normal: int = NORMAL,
    abnormal: int = ABNORMAL,
    seconds: float = SECONDS,
    seed: int = SEED,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write ``normal`` + ``abnormal`` clips of ``task`` below ``out``; return their folder.

    The clips are WAV, 16 kHz, mono, 16 bit. Afterwards the folder holds exactly the clips asked
    for; whole ones that are there already stay as they are.

    Raises:
        ConfigError: the machine, its id or the SNR cannot be simulated.
        DataError: the folder holds recordings that are not ours, or cannot be written.
    """
    _machine(task), _decibels(task)
    unit = out / _snr_folder(task) / task.machine / f"id_{task.unit}"
    try:
        _prepare(unit, _recipe(task, seconds, seed))
        wanted = list(_wanted(unit, normal, abnormal))
        _remove_surplus(unit, {path for path, _, _ in wanted})
        for done, (path, label, index) in enumerate(wanted):
            if not _is_whole(path, round(seconds * RATE)):
                _write_wav(path, simulate_clip(task, label, index, seconds, seed))
            if progress:
                progress(done + 1, len(wanted))
    except OSError as error:
        raise DataError(
            f"cannot write simulated clips to {unit}: {error.strerror}; "
            "free some space or choose another folder"
        ) from error
    return unit


def simulate_clip(
    task: Task, label: str, index: int, seconds: float = SECONDS, seed: int = SEED
) -> NDArray[np.int16]:
    """Return one clip as int16 samples at 16 kHz: machine plus noise at the task's SNR."""
    machine, noise = simulate_parts(task, label, index, seconds, seed)
    scaled = np.rint((machine + noise) * np.float32(32768.0))
    samples: NDArray[np.int16] = np.clip(scaled, -32768, 32767).astype(np.int16)
    return samples


def simulate_parts(
    task: Task, label: str, index: int, seconds: float = SECONDS, seed: int = SEED
) -> tuple[Signal, Signal]:
    """Return machine and noise of one clip apart, full scale = 1.

    The SNR is that of the healthy machine's RMS to the noise's, exactly in every clip; a fault
    comes on top, for a broken machine is a louder one.
    """
    machine, snr = _machine(task), _decibels(task)
    rng = _rng(seed, task, label, index)
    n = round(seconds * RATE)
    severity = rng.uniform(0.5, 1.0) if label == "abnormal" else 0.0
    sound = machine.sound(rng, n, severity)
    noise = factory_noise(rng, n)
    level = LEVEL * decibels(rng.uniform(-1.0, 1.0))
    return level * sound, level * decibels(-snr) * noise


def _rng(seed: int, task: Task, label: str, index: int) -> np.random.Generator:
    key = f"{seed}/{task.machine}/{task.unit}/{label}/{index}"
    return np.random.default_rng(int.from_bytes(hashlib.sha256(key.encode()).digest()[:16], "big"))


def _machine(task: Task) -> Machine:
    units = MACHINES.get(task.machine)
    if units is None:
        raise ConfigError(
            f"cannot simulate a '{task.machine}': {near_miss(task.machine, MACHINES)}"
        )
    if task.unit not in units:
        raise ConfigError(
            f"cannot simulate {task.machine} id '{task.unit}': {near_miss(task.unit, units)}"
        )
    return units[task.unit]


def _decibels(task: Task) -> int:
    match = re.fullmatch(r"(-?\d+)dB", task.snr)
    if not match:
        raise ConfigError(
            f"cannot simulate the condition '{task.snr}' of {task}: "
            "give a signal-to-noise ratio such as 6dB, 0dB or -6dB"
        )
    return int(match[1])


def _snr_folder(task: Task) -> str:
    return task.snr.replace("-", "min")


def _recipe(task: Task, seconds: float, seed: int) -> str:
    return (
        f"Simulated recordings of {task}, made by ongen; not a real machine.\n"
        f"recipe {RECIPE}, {seconds:g} s, seed {seed}\n"
    )


def _prepare(unit: Path, recipe: str) -> None:
    """Mark ``unit`` as simulated; refuse a folder of real clips, empty one of another recipe."""
    marker = unit / MARKER
    if not marker.exists():
        if any(_clips_in(unit)):
            raise DataError(
                f"{unit} holds recordings that were not simulated; choose another folder for "
                "simulated clips"
            )
        _write_atomically(marker, recipe.encode())
    elif marker.read_text() != recipe:
        _remove_surplus(unit, set())
        _write_atomically(marker, recipe.encode())


def _clips_in(unit: Path) -> Iterator[Path]:
    for label in ("normal", "abnormal"):
        if (unit / label).is_dir():
            yield from sorted(p for p in (unit / label).iterdir() if p.is_file())


def _remove_surplus(unit: Path, wanted: set[Path]) -> None:
    for path in _clips_in(unit):
        if path not in wanted and re.fullmatch(r"\.?\d{8}\.wav(\.part)?", path.name):
            path.unlink()


def _wanted(unit: Path, normal: int, abnormal: int) -> Iterator[tuple[Path, str, int]]:
    for label, count in (("normal", normal), ("abnormal", abnormal)):
        for index in range(count):
            yield unit / label / f"{index:08d}.wav", label, index


_HEADER_BYTES = 44


def _is_whole(path: Path, samples: int) -> bool:
    return path.is_file() and path.stat().st_size == _HEADER_BYTES + 2 * samples


def _write_wav(path: Path, samples: NDArray[np.int16]) -> None:
    """Write a mono 16-bit WAV by hand: the same bytes whatever the library version."""
    data = samples.astype("<i2").tobytes()
    form = struct.pack("<4sI4s", b"RIFF", 36 + len(data), b"WAVE")
    pcm, channels, width = 1, 1, 2
    sound = (pcm, channels, RATE, RATE * width, width, 8 * width)
    fmt = struct.pack("<4sIHHIIHH", b"fmt ", 16, *sound)
    _write_atomically(path, form + fmt + struct.pack("<4sI", b"data", len(data)) + data)


def _write_atomically(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as part:
        part.write_bytes(content)
