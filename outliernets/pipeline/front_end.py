"""The front end by itself: its distance from librosa, and the C library that others can use."""

import json
import tempfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outliernets import boards, codegen, data, target
from outliernets.boards import Board, linker_context
from outliernets.config import INT8_RANGE_DB, MelConfig, library_name
from outliernets.errors import ConfigError
from outliernets.features import mel_fixed
from outliernets.features.mel import log_mel
from outliernets.features.plan import MelPlan, make_plan
from outliernets.features.windows import Standardizer
from outliernets.pipeline import firmware
from outliernets.pipeline.stage import Narrator, write_atomically

NEAR_PEAK_DB = 80.0  #: bands within this of the frame's strongest count for the error
PROBE_SECONDS = 2.0  #: of noise, to count instructions of a library
LIBRARY = "library.json"
_UNLIMITED = 1e6  #: deviations to clip at: the int8 range clips first


@dataclass(frozen=True)
class Comparison:
    """The log-Mel spectrogram of one clip from librosa and from the firmware's integers, in dB."""

    clip: str
    config: MelConfig
    exact: NDArray[np.float32]  #: [frames, n_mels]
    fixed: NDArray[np.float64]  #: [frames, n_mels]
    counted: NDArray[np.bool_]  #: [frames, n_mels], what ``report``'s errors are about
    report: Mapping[str, Any]


def plan_for_range(config: MelConfig, low: float, high: float) -> MelPlan:
    """Return a front end whose int8 goes from ``low`` dB (-128) to ``high`` dB (127)."""
    if not low < high:
        raise ConfigError(
            f"front end: range {low:g} ... {high:g} dB is empty; give the lower first"
        )
    step = (high - low) / 255
    middle = Standardizer((low + 128 * step,) * config.n_mels, (1.0,) * config.n_mels)
    return make_plan(replace(config, clip_sigma=_UNLIMITED), middle, step, 0)


def compare(
    clip: Path,
    config: MelConfig,
    narrator: Narrator,
    board_name: str | None = None,
    target_name: str | None = None,
    toolchain_name: str = "zig",
) -> Comparison:
    """Compute the log-Mel spectrogram of a clip both ways; on a board too, if one is named.

    The verdict is FAIL when the board's rows differ in a single bit from those of the integer twin.
    """
    plan = plan_for_range(config, *INT8_RANGE_DB)
    narrator.begin("spectrogram", 1, 2 if board_name else 1)
    heard = data.read_pcm(clip, config.sample_rate, config.n_fft)
    for notice in heard.notices:
        narrator.notice(f"{clip.name}: {notice}")
    log2_power = mel_fixed.log2_frames(heard.samples, plan)
    exact, fixed = log_mel(heard.samples, config), plan.to_db(log2_power)
    counted = _counted(exact, config)
    errors = np.abs(fixed - exact)[counted]
    report: dict[str, Any] = {
        "schema": 1,
        "clip": clip.name,
        "settings": _settings(config),
        "frames": len(exact),
        "error_db": _statistics(errors),
        "counted_share": float(counted.mean()),
        "verdict": "PASS",
    }
    if board_name is not None:
        narrator.begin("target", 2, 2)
        expected = mel_fixed.quantized(log2_power, plan)
        report |= _on_target(plan, heard.samples, expected, board_name, target_name, toolchain_name)
    return Comparison(clip.name, config, exact, fixed, counted, report)


def _settings(config: MelConfig) -> dict[str, Any]:
    return {k: v for k, v in vars(config).items() if k not in ("frames", "clip_sigma")}


def _counted(exact: NDArray[np.float32], config: MelConfig) -> NDArray[np.bool_]:
    """Which values count: near the frame's strongest band, and above the recording's resolution."""
    floor = log_mel(_rounding_noise(config), config).mean(axis=0)
    near = exact >= exact.max(axis=1, keepdims=True) - NEAR_PEAK_DB
    counted: NDArray[np.bool_] = near & (exact > floor)
    return counted


def _rounding_noise(config: MelConfig) -> NDArray[np.int16]:
    """Return noise of the power that rounding to 16 bits adds: a sample in twelve is off by one."""
    rng = np.random.default_rng(0)
    size = 16 * config.n_fft
    steps = rng.choice(np.array([-1, 0, 1], np.int16), size, p=[1 / 24, 11 / 12, 1 / 24])
    return steps


def _statistics(errors: NDArray[np.float64]) -> dict[str, float]:
    if len(errors) == 0:
        return {"mean": 0.0, "p99": 0.0, "max": 0.0}
    return {
        "mean": float(errors.mean()),
        "p99": float(np.quantile(errors, 0.99)),
        "max": float(errors.max()),
    }


def _on_target(
    plan: MelPlan,
    pcm: NDArray[np.int16],
    expected: NDArray[np.int8],
    board_name: str,
    target_name: str | None,
    toolchain_name: str,
) -> dict[str, Any]:
    """Return what a board's front end says: whether it is exact, what it needs."""
    board, target_name = boards.load_for(board_name, target_name)
    files = codegen.mel_files("mel", plan)
    with tempfile.TemporaryDirectory(prefix="ongen-") as scratch:
        measured = measure("mel", files, plan, board, target_name, toolchain_name, pcm, scratch)
    exact = np.array_equal(measured.pop("rows"), expected)
    return {
        "board": board.name,
        "toolchain": toolchain_name,
        **measured,
        "parity": {"rows_exact": exact},
        "verdict": "PASS" if exact else "FAIL",
    }


def measure(
    name: str,
    files: Mapping[str, str],
    plan: MelPlan,
    board: Board,
    target_name: str,
    toolchain_name: str,
    pcm: NDArray[np.int16],
    scratch: str,
) -> dict[str, Any]:
    """Run the front end on a target: its rows, sizes and exact instructions per frame."""
    source = Path(scratch) / "source"
    source.mkdir()
    identity = zlib.crc32("".join(files.values()).encode())
    extra = codegen.front_end_app_files(name, identity)
    extra |= codegen.linker_files(linker_context(board, target_name))
    firmware.write_sources({**files, **extra}, source)
    built = firmware.link(
        source, board, target_name, toolchain_name, Path(scratch) / "out", app="front_end"
    )
    with target.get(target_name).open(built.elf, board) as running:
        client = target.Client(running, built.elf)
        hello = client.hello(identity)
        client.reset()
        before = firmware.front_end_instructions(running.counts())
        rows = client.push_for_rows(pcm)
        spent = firmware.front_end_instructions(running.counts()) - before
        stack, version = client.stats().stack_used, running.version()
    counted = spent > 0 and len(rows) > 0
    return {
        "rows": np.array(rows, np.int8).reshape(-1, plan.config.n_mels),
        "footprint": {
            "flash": built.flash,
            "ram": built.ram,
            "stack": stack,
            "front_end_flash": firmware.front_end_bytes(built, name),
            "front_end_ram": hello.state_size,
        },
        "instructions": {"mel_frame": round(spent / len(rows)) if counted else None},
        "target": {"name": target_name, "version": version},
    }


def export_front_end(
    out: Path,
    name: str,
    config: MelConfig,
    span_db: tuple[float, float],
    board_name: str,
    narrator: Narrator,
    target_name: str | None = None,
    toolchain_name: str = "zig",
) -> dict[str, Any]:
    """Write the front end as a C library of its own to ``out``; measure it on the target."""
    name = library_name(name)
    board, target_name = boards.load_for(board_name, target_name)
    plan = plan_for_range(config, *span_db)
    narrator.begin("emit", 1, 2)
    files = codegen.mel_files(name, plan)
    example = codegen.mel_example_files(name, plan, *span_db)
    out.mkdir(parents=True, exist_ok=True)
    copied = firmware.write_sources(files | example, out)
    narrator.begin("run", 2, 2)
    pcm = _probe(config)
    with tempfile.TemporaryDirectory(prefix="ongen-") as scratch:
        measured = measure(name, files, plan, board, target_name, toolchain_name, pcm, scratch)
    exact = np.array_equal(measured.pop("rows"), mel_fixed.quantized_frames(pcm, plan))
    report = {
        "schema": 1,
        "name": name,
        "board": board.name,
        "toolchain": toolchain_name,
        "settings": _settings(config),
        "range_db": list(span_db),
        "files": sorted([*files, *example, *copied]),
        "parity": {"rows_exact": exact},
        **measured,
        "verdict": "PASS" if exact else "FAIL",
    }
    write_atomically(out / LIBRARY, json.dumps(report, indent=1) + "\n")
    return report


def _probe(config: MelConfig) -> NDArray[np.int16]:
    """Return noise that grows from silence to full scale."""
    size = max(round(PROBE_SECONDS * config.sample_rate), 2 * config.n_fft)
    levels = np.geomspace(1.0, 30_000.0, size)
    noise = np.random.default_rng(1).uniform(-1.0, 1.0, size) * levels
    return noise.astype(np.int16)
