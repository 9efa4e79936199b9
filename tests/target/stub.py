"""The stub model of this folder: how to build it, and its twin in Python."""

from pathlib import Path

import jinja2
import numpy as np
import pytest
from numpy.typing import NDArray

from outliernets import boards, resources, toolchain
from outliernets.boards import Board
from outliernets.toolchain import Firmware

HERE = Path(__file__).parent
MODEL_ID = 0x53545542
WINDOW = 512
#: first input bytes that make the model misbehave, as in stub_model.c
BAD_ADDRESS, UNDEFINED, ENDLESS, LOOP, DEEP, UNALIGNED = range(100, 106)
LOOPS = 100_000


def scores(pcm: NDArray[np.int16]) -> list[int]:
    """The stub's score of each whole window."""
    whole = pcm[: len(pcm) // WINDOW * WINDOW].astype(np.int64).reshape(-1, WINDOW)
    return [int(s) for s in (whole**2).sum(axis=1)]


def infer(values: bytes) -> bytes:
    """The stub's network: one more, saturating."""
    return (
        np.minimum(np.frombuffer(values, np.int8).astype(np.int16) + 1, 127).astype("i1").tobytes()
    )


def linker_script(board: Board, target: str | None, folder: Path) -> Path | None:
    """Render the linker script as the code generator does; None where the board needs none."""
    context = boards.linker_context(board, target)
    if context is None:
        return None
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        line_statement_prefix="%%",
        line_comment_prefix="%#",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        loader=jinja2.FileSystemLoader(resources.templates()),
    )
    path = folder / "linker.ld"
    path.write_text(environment.get_template("linker.ld.j2").render(**context))
    return path


def build(
    board: Board, compiler: str, target: str | None, folder: Path, extra: tuple[Path, ...] = ()
) -> Firmware:
    """Link the parity application with the stub model; skips when the compiler is absent."""
    if compiler not in toolchain.available(board):
        pytest.skip(f"toolchain {compiler} is not installed for {board.name}")
    folder.mkdir(parents=True, exist_ok=True)
    context = boards.linker_context(board, target) or {"hot_code": None, "spare": []}
    sections = {"STUB_HOT": context["hot_code"], "STUB_SPARE": next(iter(context["spare"]), None)}
    return toolchain.get(compiler, board).link(
        [*toolchain.program_sources(board, target), HERE / "stub_model.c", *extra],
        [*toolchain.program_includes(board, target), HERE],
        board,
        target,
        linker_script(board, target, folder),
        folder,
        {define: f'".{region}"' for define, region in sections.items() if region},
    )


def line_of(text: str) -> int:
    """The only line of the stub model with this text."""
    lines = (HERE / "stub_model.c").read_text().splitlines()
    (number,) = (i for i, line in enumerate(lines, 1) if text in line)
    return number
