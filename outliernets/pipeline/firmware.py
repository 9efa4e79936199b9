"""The stages from an int8 network to scores of the firmware: emit, compile, run."""

import re
import shutil
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from outliernets import boards, codegen, resources, target, toolchain
from outliernets.boards import Board, linker_context
from outliernets.data import Clip
from outliernets.detectors import learned
from outliernets.errors import ParityError
from outliernets.evenly import evenly
from outliernets.importer import read
from outliernets.lower import lower
from outliernets.pipeline import learning
from outliernets.pipeline.config import BuildConfig
from outliernets.pipeline.learning import read_clips
from outliernets.pipeline.replay import Program, replay
from outliernets.pipeline.stage import Work
from outliernets.target import cycles
from outliernets.target.cycles import memory

HEARD = 2  #: what a run plays to the target; another number makes earlier runs stale
SYMBOLS = 40  #: functions and tables whose sizes a report has: the largest
_INCLUDE = re.compile(r'^#include "(on_\w+\.h)"', re.MULTILINE)
N = TypeVar("N", int, float)
PerRun = dict[str, int | None]  #: ``mel_frame``, ``network``, ``window``


def model_id(*files: Path) -> int:
    """Return a number that changes with the content of the files, to recognise a firmware."""
    crc = 0
    for path in files:
        crc = zlib.crc32(path.read_bytes(), crc)
    return crc


def library_files(files: Mapping[str, str]) -> list[str]:
    """Return the hand-written files of ``firmware/lib`` that generated files need, sorted.

    These are the headers they include, what those include, and the C behind the headers.
    """
    folder = resources.firmware() / "lib"
    texts, found = list(files.values()), set[str]()
    while texts:
        for header in _INCLUDE.findall(texts.pop()):
            names = {header, f"{header.removesuffix('.h')}.c"} - found
            present = {name for name in names if (folder / name).is_file()}
            texts += [(folder / name).read_text() for name in sorted(present)]
            found |= present
    return sorted(found)


def write_sources(files: Mapping[str, str], folder: Path) -> list[str]:
    """Write generated files, and copies of the library files they need, into ``folder``.

    Returns the names of the copies.
    """
    library = library_files(files)
    for name, text in files.items():
        (folder / name).write_text(text)
    for name in library:
        shutil.copyfile(resources.firmware() / "lib" / name, folder / name)
    return library


def emit_stage(config: BuildConfig, board: Board, threshold: int, work: Work) -> None:
    """Write the firmware's C, tables and linker script."""
    model = work.inputs["quantize"] / learning.MODEL
    name = config.task.identifier
    graph = read(model, name)
    integers = learning.plans_of(config, work.inputs, name).with_threshold(threshold)
    score, view = integers.score, integers.view
    lowered = lower(graph, toolchain.create_cpu(board).kernels)
    identity = model_id(
        model, work.inputs["features"] / "standardizer.json", work.inputs["train"] / learned.NUMBERS
    )
    files = (
        codegen.network_files(lowered, front_end=True, score=score, view=view)
        | codegen.detector_files(name, integers.front_end, score, view)
        | codegen.app_files(name, identity, front_end=True)
        | codegen.linker_files(linker_context(board, config.built_for))
    )
    write_sources(files, work.folder)
    work.facts |= {"name": name, "model_id": identity, "macs": graph.macs}


def link(
    source: Path,
    board: Board,
    target_name: str,
    compiler: str,
    folder: Path,
    app: str = "check",
) -> toolchain.Firmware:
    """Compile the C in ``source`` with an application for a board's variant."""
    script = source / "link.ld"
    return toolchain.get(compiler, board).link(
        sources=[
            *sorted(source.glob("*.c")),
            *toolchain.program_sources(board, target_name, app),
        ],
        include_dirs=[source, *toolchain.program_includes(board, target_name)],
        board=board,
        target=target_name,
        linker_script=script if script.exists() else None,
        out_dir=folder,
    )


def renode_files(board: Board, target_name: str | None, identity: int) -> Mapping[str, str]:
    """Return files for Renode and ``renode-test``; none where it cannot run a target's program."""
    renode = board.targets.get(target.RenodeTarget.name)
    machine = board.variant(target_name).machine
    if renode is None or replace(renode, machine=machine) != board.variant(target_name):
        return {}
    return target.suite_files(board, renode, identity)


def compile_stage(config: BuildConfig, board: Board, facts: Mapping[str, Any], work: Work) -> None:
    """Build ``firmware.elf``, with files for Renode beside it; the facts are its sizes."""
    built = link(work.inputs["emit"], board, config.built_for, config.toolchain, work.folder)
    for name, text in renode_files(board, config.built_for, facts["model_id"]).items():
        (work.folder / name).write_text(text, encoding="utf-8")
    shutil.rmtree(work.folder / "obj", ignore_errors=True)
    (work.folder / "build.log").unlink(missing_ok=True)  # names folders of this machine
    work.facts |= {
        "flash": built.flash,
        "ram": built.ram,
        "code_ram": built.code_ram,
        "hot_in_flash": built.hot_in_flash,
        "stack_reserved": built.stack,
        "largest_frames": dict(sorted(built.stack_usage.items(), key=lambda kv: -kv[1])[:5]),
        "largest_symbols": dict(built.symbols[:SYMBOLS]),
        "sections": dict(built.sections),
        "toolchain": toolchain.get(config.toolchain, board).version(),
    }


def replayed(config: BuildConfig, clips: Sequence[Clip]) -> list[int]:
    """Return the numbers of the test clips to replay: all, or evenly chosen of each label."""
    if config.clips is None or config.clips >= len(clips):
        return list(range(len(clips)))
    chosen: list[int] = []
    labels = sorted({c.label for c in clips})
    for label in labels:
        numbers = [i for i, c in enumerate(clips) if c.label == label]
        share = max(1, round(config.clips * len(numbers) / len(clips)))
        chosen += [numbers[i] for i in evenly(len(numbers), share)]
    return sorted(chosen)


def run_stage(config: BuildConfig, board: Board, facts: Mapping[str, Any], work: Work) -> None:
    """Replay test clips on the target, and compare with the integer twin and with librosa.

    Writes ``sums.npy`` (target), ``twin_sums.npy``, ``clips.npy`` (clip of each window); the facts
    hold counts, stack, Mel error.
    """
    clips = read_clips(work.inputs["data"], "test")
    name = facts["name"]
    program = Program(
        elf=work.inputs["compile"] / "firmware.elf",
        board=board,
        target=config.target_name,
        model_id=facts["model_id"],
        model=work.inputs["quantize"] / learning.MODEL,
        plans=learning.plans_of(config, work.inputs, name),
    )
    chosen = {number: clips[number].path for number in replayed(config, clips)}
    heard = replay(program, chosen, work.narrator)
    estimated = cycles.estimate(program.elf, board.cpu, heard.flow)
    np.save(work.folder / "sums.npy", heard.sums)
    np.save(work.folder / "twin_sums.npy", heard.twin_sums)
    np.save(work.folder / "clips.npy", heard.owners)
    work.facts |= {
        "target": {"name": heard.target, "version": heard.version},
        "cycles_measured": None if heard.cycles is None else int(np.median(heard.cycles)),
        "windows": len(heard.sums),
        "frames": heard.frames,
        "stack_used": heard.stack_used,
        "overruns": heard.overruns,
        "bad_frames": heard.bad_frames,
        "functions": dict(sorted(heard.counts.items(), key=lambda kv: (-kv[1], kv[0]))),
        "instructions": per_run(heard.counts, name, heard.frames, len(heard.sums)),
        "cycles": estimated
        and cycle_facts(estimated, program.elf, board, name, heard.frames, len(heard.sums)),
        "mel_error_db": {
            "p99": float(np.quantile(heard.mel_errors, 0.99)),
            "max": float(heard.mel_errors.max()),
        },
    }


def per_run(counts: Mapping[str, N], name: str, frames: int, windows: int) -> PerRun:
    """Return instructions, or cycles, per Mel frame, network run and window; None if not counted.

    ``counts`` are of all functions in all runs. A window is everything between sound and score:
    frames, view, network, score. The line protocol of the check application is left out.
    """
    if not counts or not windows:
        return {"mel_frame": None, "network": None, "window": None}
    mel = front_end_instructions(counts)
    network = _sum(counts, f"{name}_infer", f"{name}_n")
    around = ("score", "look", "rate", "judge", "push", "reset")
    score = _sum(counts, "on_score", "on_view", *(f"{name}_{part}" for part in around))
    return {
        "mel_frame": round(mel / frames),
        "network": round(network / windows),
        "window": round((mel + network + score) / windows),
    }


def cycle_facts(
    estimated: cycles.Estimate, elf: Path, board: Board, name: str, frames: int, windows: int
) -> dict[str, Any]:
    """Return estimated cycles per Mel frame, network run and window, with waits for memory.

    ``memory``: the waits of a window; ``error``: relative, of the window (of the network alone, if
    there are no frames); ``functions``: cycles of all windows, without waits.
    """
    spent = per_run(estimated.functions, name, max(frames, 1), windows)
    waits = {
        "mel_frame": memory.waits(elf, board, rf"{name}_(?!n\d).*|on_.*") if frames else 0.0,
        "network": memory.waits(elf, board, rf"{name}_n\d.*"),
    }
    waits["window"] = waits["network"] + waits["mel_frame"] * frames / windows
    total = {key: (value or 0) + round(waits[key]) for key, value in spent.items()}
    return {
        **total,
        "memory": round(waits["window"]),
        "error": memory.error(estimated.error, waits["window"], total["window"]),
        "basis": estimated.basis,
        "functions": dict(sorted(estimated.functions.items())),
    }


def front_end_instructions(counts: Mapping[str, N]) -> N:
    """Return the instructions, or cycles, of the front end among all functions'."""
    return _sum(counts, "on_mel", "on_fft", "on_log")


def front_end_bytes(built: toolchain.Firmware, name: str) -> int:
    """Return the bytes of the front end's code and tables in a program."""
    return _sum(dict(built.symbols), "on_mel", "on_fft", "on_log", f"{name}_")


def _sum(counts: Mapping[str, N], *prefixes: str) -> N:
    return sum(n for function, n in counts.items() if function.startswith(prefixes))


def require_same_windows(sums: NDArray[np.uint64], twin: NDArray[np.uint64]) -> None:
    """Raise ParityError if target and twin scored different numbers of windows."""
    if len(sums) != len(twin):
        raise ParityError(
            f"the target scored {len(sums)} windows, the reference {len(twin)}: sound was lost"
        )


def load_board(config: BuildConfig) -> Board:
    """Return the build's board; check that it runs on the build's target."""
    assert config.board is not None
    board = boards.load(config.board)
    board.variant(config.built_for)
    return board


def check_tools(config: BuildConfig) -> None:
    """Raise MissingToolError or ConfigError now rather than after the training."""
    board = load_board(config)
    toolchain.get(config.toolchain, board)
    target.get(config.target_name).require(board)
