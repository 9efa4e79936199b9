"""``ongen table --footprint``: what every network of the zoo needs on a board, exactly.

The networks are not trained: they have random weights from a seed. Sizes and counts depend on the
values of weights only in the form of rounding that they allow (``kernels.narrow``). Each network is
quantised by TensorFlow, compiled, run on the target and compared with TensorFlow Lite Micro, as
``ongen compile`` does.
"""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from outliernets import boards, codegen, toolchain
from outliernets.boards import Board, Memory, Variant
from outliernets.config import c_identifier
from outliernets.errors import BuildError, ConfigError, MissingToolError
from outliernets.graph import Graph
from outliernets.importer import read
from outliernets.lower import lower
from outliernets.nets import zoo
from outliernets.nets.space import ArchSpec
from outliernets.pipeline import library
from outliernets.pipeline.explain import per_mac
from outliernets.pipeline.stage import Narrator
from outliernets.pipeline.untrained import LARGE, paper_networks, untrained

ROOM = 2**24  #: bytes of code and of data that a network gets to be measured if it does not fit


def footprint_table(
    board_name: str,
    narrator: Narrator,
    compilers: Sequence[str] = (),
    target_name: str | None = None,
    networks: Sequence[str] = (),
) -> dict[str, Any]:
    """Measure networks of the zoo on a board with each compiler.

    No ``compilers``: all that are installed. No ``networks``: those of the paper's Table 1, each
    once, and CAE-MCS. ``target_name`` None: the board's first target. Where a network does not fit,
    ``fits`` is False, ``why`` tells what is missing, and it is measured with more memory.
    """
    board, target_name = boards.load_for(board_name, target_name)
    compilers = _compilers(board, compilers)
    specs = [zoo.get(name) for name in networks] or paper_networks()
    rows = []
    for number, spec in enumerate(specs, 1):
        narrator.begin(spec.name, number, len(specs))
        started = time.monotonic()
        rows.append(_row(spec, board, target_name, compilers, narrator))
        narrator.end(spec.name, time.monotonic() - started, fresh=False)
    exact = all(m["exact"] for row in rows for m in row["compilers"].values())
    return {
        "schema": 1,
        "board": board.name,
        "target": target_name,
        "toolchains": {name: toolchain.get(name, board).version() for name in compilers},
        "networks": rows,
        "verdict": "PASS" if exact else "FAIL",
    }


def _compilers(board: Board, chosen: Sequence[str]) -> list[str]:
    """Return the compilers to use; MissingToolError now rather than after the first network."""
    for name in chosen:
        toolchain.get(name, board)
    found = list(chosen) or toolchain.available(board)
    if not found:
        raise MissingToolError(f"no compiler for board {board.name}: see 'ongen doctor'")
    return found


def _row(
    spec: ArchSpec, board: Board, target_name: str, compilers: Sequence[str], narrator: Narrator
) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="ongen-") as folder:
        model = Path(folder) / "model.tflite"
        model.write_bytes(untrained(spec).int8())
        graph = read(model, c_identifier(spec.name))
        measured = {}
        for done, compiler in enumerate(compilers):
            narrator.progress(done, len(compilers), compiler)
            measured[compiler] = _measured(spec, graph, model, board, target_name, compiler)
    return {
        "network": spec.name,
        "tasks": [str(row.task) for row in zoo.PAPER_ROWS if zoo.get(row.task) == spec],
        "params": spec.params,
        "macs": graph.macs,
        "compilers": measured,
        "best": min(measured, key=lambda name: _rank(measured[name])),
    }


def _rank(measured: dict[str, Any]) -> tuple[bool, int, int]:
    return not measured["fits"], measured["instructions"] or 0, measured["flash"]


def _measured(
    spec: ArchSpec, graph: Graph, model: Path, board: Board, target_name: str, compiler: str
) -> dict[str, Any]:
    """Return what a network needs; with more memory than the board has, if it has too little."""
    probes = 1 if spec.params >= LARGE else library.PROBES
    files = codegen.network_files(lower(graph, toolchain.create_cpu(board).kernels))
    why = None
    with tempfile.TemporaryDirectory(prefix="ongen-") as folder:
        scratch = Path(folder)
        try:
            built, identity = library.link_check(
                graph, files, model, board, target_name, compiler, _made(scratch / "fit")
            )
        except BuildError as error:
            why, board = str(error), roomy(board, target_name)
            built, identity = library.link_check(
                graph, files, model, board, target_name, compiler, _made(scratch / "roomy")
            )
        measured = library.measure(graph, model, board, target_name, built.elf, identity, probes)
    sizes = library.footprint(graph.name, built, measured)
    return {
        "exact": measured["exact"],
        "inputs": probes,
        "instructions": measured["network"],
        "instructions_per_mac": per_mac(measured["network"], graph.macs),
        "flash": sizes["network_flash"],
        "ram": sizes["network_ram"],
        "stack": sizes["stack"],
        "program_flash": sizes["flash"],
        "program_ram": sizes["ram"],
        "fits": why is None,
        "why": why,
    }


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def roomy(board: Board, target_name: str) -> Board:
    """Return a board that is the same but for ROOM bytes of code and of data."""
    variant = board.variant(target_name)
    data = [m for m in variant.memory if m.role == "data"]
    grown = [m for m in variant.memory if m.role == "code"][:1] + data[-1:]
    if not grown:
        raise ConfigError(f"board {board.name} says nothing about its memory")
    memory = tuple(_grown(m, variant) if m in grown else m for m in variant.memory)
    targets = {**board.targets, target_name: replace(variant, memory=memory)}
    return replace(board, targets=targets)


def _grown(memory: Memory, variant: Variant) -> Memory:
    """Return a region of ROOM bytes, or up to where the next begins."""
    starts = [s for m in variant.memory for s in (m.base, m.alias) if s is not None]
    own = [s for s in (memory.base, memory.alias) if s is not None]
    gaps = [other - s for s in own for other in starts if other > s]
    return replace(memory, size=max(memory.size, min([ROOM, *gaps])))
