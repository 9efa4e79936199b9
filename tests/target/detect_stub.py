"""The detector with the stub model: how to build it, and what it must say."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from outliernets import boards, codegen, toolchain
from outliernets.alarm import Alarm, AlarmConfig
from outliernets.boards import Board
from outliernets.toolchain import Firmware
from tests.target import stub

#: A window of samples of amplitude 100 scores 512 * 10,000.
QUIET, LOUD = 100, 400
CONFIG = AlarmConfig(threshold=20_000_000, release=10_000_000, smoothing=1, windows=2)


def build(
    board: Board,
    compiler: str,
    target: str | None,
    audio: str,
    folder: Path,
    defines: Mapping[str, str] | None = None,
) -> Firmware:
    """Link the detector with the stub model; skips when the compiler is absent."""
    if compiler not in toolchain.available(board):
        pytest.skip(f"toolchain {compiler} is not installed for {board.name}")
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in codegen.detect_app_files(CONFIG).items():
        (folder / name).write_text(text)
    context = boards.linker_context(board, target) or {"hot_code": None, "spare": []}
    sections = {"STUB_HOT": context["hot_code"], "STUB_SPARE": next(iter(context["spare"]), None)}
    return toolchain.get(compiler, board).link(
        [
            *toolchain.program_sources(board, target, "detect", audio),
            stub.HERE / "stub_model.c",
        ],
        [*toolchain.program_includes(board, target), stub.HERE, folder],
        board,
        target,
        stub.linker_script(board, target, folder),
        folder,
        {define: f'".{region}"' for define, region in sections.items() if region}
        | dict(defines or {}),
    )


def sound(amplitude: int, windows: int, seed: int = 0) -> NDArray[np.int16]:
    """Noise around an amplitude, in whole windows."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(amplitude, amplitude / 10, windows * stub.WINDOW)
    return noise.astype(np.int16)


def lines(
    scores: list[int], config: AlarmConfig = CONFIG, first: int = 0, alarm: Alarm | None = None
) -> list[dict[str, int]]:
    """What the detector says of windows with these scores."""
    alarm = alarm or Alarm()
    said = []
    for window, score in enumerate(scores, first):
        alarm.smooth(config, score)
        alarm.judge(config)
        said.append(
            {
                "window": window,
                "score": score,
                "smoothed": alarm.smoothed,
                "threshold": config.threshold,
                "alarm": int(alarm.on),
                "lost": 0,
            }
        )
    return said
