"""``ongen compile``: any full-int8 .tflite becomes a C library, with its size and exact count."""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outliernets import boards, codegen, target, toolchain
from outliernets.boards import Board, linker_context
from outliernets.config import c_identifier, library_name
from outliernets.errors import UnsupportedModelError
from outliernets.graph import Graph
from outliernets.importer import read
from outliernets.lower import lower
from outliernets.pipeline import firmware
from outliernets.pipeline.explain import explain
from outliernets.pipeline.stage import Narrator, write_atomically
from outliernets.reference import Reference
from outliernets.report.timing import Cycles, by_function, energy, timing
from outliernets.target import cycles

PROBES = 5  #: random inputs on which the target is compared with the reference
TIMED = 500  #: runs whose median is the time, where the target is the board itself
LIBRARY = "library.json"


def compile_model(
    model: Path,
    board_name: str,
    out: Path,
    narrator: Narrator,
    name: str | None = None,
    target_name: str | None = None,
    toolchain_name: str = "zig",
    explained: bool = False,
) -> dict[str, Any]:
    """Write ``NAME.h``, ``NAME.c`` and what they include to ``out``; measure them on the target.

    The library is written before it is measured, so it is there even if it does not fit the board.
    ``target_name`` None: the board's first target. ``explained`` adds what each group of ops costs
    and why (``explain``).
    """
    board, target_name = boards.load_for(board_name, target_name)
    graph = read(model, library_name(name or c_identifier(model.stem)))
    if graph.y.is_constant:
        raise UnsupportedModelError(f"{model.name}: has no operators; there is nothing to compile")
    narrator.begin("emit", 1, 3)
    lowered = lower(graph, toolchain.create_cpu(board).kernels)
    files = codegen.network_files(lowered)
    out.mkdir(parents=True, exist_ok=True)
    copied = firmware.write_sources(files, out)
    with tempfile.TemporaryDirectory(prefix="ongen-") as scratch:
        narrator.begin("compile", 2, 3)
        built, elf_id = link_check(
            graph, files, model, board, target_name, toolchain_name, Path(scratch)
        )
        narrator.begin("run", 3, 3)
        measured = measure(graph, model, board, target_name, built.elf, elf_id)
        estimated = cycles.estimate(built.elf, board.cpu, measured["flow"])
        times = _timing(estimated, graph, board, built.elf, measured["latency_ms"])
        spent = estimated.functions if estimated else {}
        groups = (
            explain(graph, lowered, built.elf, measured["counts"], spent, PROBES)
            if explained
            else []
        )
    report = {
        "schema": 1,
        "model": model.name,
        "name": graph.name,
        "board": board.name,
        "toolchain": toolchain_name,
        "files": sorted([*files, *copied]),
        "macs": graph.macs,
        "parity": {"network_exact": measured["exact"], "inputs": PROBES},
        "footprint": footprint(graph.name, built, measured),
        "instructions": {"mel_frame": None, "network": measured["network"], "window": None},
        **times,
        "functions": by_function(
            {k: n for k, n in measured["counts"].items() if k.startswith(f"{graph.name}_")},
            spent or None,
            PROBES,
        ),
        "symbols": dict(built.symbols[: firmware.SYMBOLS]),
        "target": measured["target"],
        "verdict": "PASS" if measured["exact"] else "FAIL",
    }
    if explained:
        report["groups"] = groups
    write_atomically(out / LIBRARY, json.dumps(report, indent=1) + "\n")
    return report


def link_check(
    graph: Graph,
    files: dict[str, str],
    model: Path,
    board: Board,
    target_name: str,
    toolchain_name: str,
    scratch: Path,
) -> tuple[toolchain.Firmware, int]:
    """Build the check program of a network in ``scratch``; return it and the number it says.

    Raises BuildError when it does not fit.
    """
    identity = firmware.model_id(model)
    source = scratch / "source"
    source.mkdir()
    extra = codegen.app_files(graph.name, identity, front_end=False)
    extra |= codegen.linker_files(linker_context(board, target_name))
    firmware.write_sources(files | extra, source)
    return firmware.link(source, board, target_name, toolchain_name, scratch / "out"), identity


def measure(
    graph: Graph,
    model: Path,
    board: Board,
    target_name: str,
    elf: Path,
    identity: int,
    probes: int = PROBES,
) -> dict[str, Any]:
    """Run a check program on ``probes`` random inputs; compare it with the reference, count."""
    reference = Reference(model)
    inputs = np.random.default_rng(1).integers(-128, 128, (probes, graph.x.size), np.int8)
    with target.get(target_name).open(elf, board) as running:
        client = target.Client(running, elf)
        hello = client.hello(identity)
        exact = all(client.infer(x.tobytes()) == reference.infer(x).tobytes() for x in inputs)
        counts, flow = running.counts(), running.flow()
        version, stats = running.version(), client.stats()
        timed = running.measures_cycles
        latency = _latency(client, inputs, board) if timed else {"measured": None}
    network = firmware.per_run(counts, graph.name, 1, probes)["network"]
    return {
        "exact": exact,
        "network": network,
        "counts": counts,
        "flow": flow,
        "ram": hello.state_size + hello.in_size + hello.out_size,
        "latency_ms": latency,
        "stack": stats.stack_used,
        "target": {"name": target_name, "version": version},
    }


def _timing(
    estimated: cycles.Estimate | None,
    graph: Graph,
    board: Board,
    elf: Path,
    latency: dict[str, Any],
) -> dict[str, Any]:
    if estimated is None:
        return timing(None, board.clock_hz, latency)
    facts = firmware.cycle_facts(estimated, elf, board, graph.name, 0, PROBES)
    spent = Cycles(facts["network"], facts["error"], facts["basis"], facts["memory"])
    times = timing(spent, board.clock_hz, latency, graph.macs / spent.count)
    return times | energy(board.power, times, "network")


def _latency(client: target.Client, inputs: NDArray[np.int8], board: Board) -> dict[str, Any]:
    """Time the network: median and quartiles of one run, in ms."""
    ticks = []
    for i in range(TIMED):
        client.infer(inputs[i % len(inputs)].tobytes())
        ticks.append(client.infer_cycles)
    low, median, high = (1000.0 * np.quantile(ticks, (0.25, 0.5, 0.75)) / board.clock_hz).tolist()
    return {
        "measured": median,
        "low": low,
        "high": high,
        "runs": TIMED,
        "basis": "measured on this machine, noisy",
    }


def footprint(name: str, built: toolchain.Firmware, measured: Mapping[str, Any]) -> dict[str, int]:
    """Sizes of the whole check program, and of the network alone.

    The network's are its code and constants, and its state with input and output.
    """
    own = sum(size for symbol, size in built.symbols if symbol.startswith(f"{name}_"))
    return {
        "flash": built.flash,
        "ram": built.ram,
        "code_ram": built.code_ram,
        "hot_in_flash": built.hot_in_flash,
        "stack": measured["stack"],
        "network_flash": own,
        "network_ram": measured["ram"],
    }
