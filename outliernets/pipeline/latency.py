"""``ongen table --latency``: every network in every engine of this machine, in one run, in turns.

The networks of the zoo are not trained: they have random weights from a seed, on which the time
hardly depends. All engines get the same weights, and are compared with TensorFlow Lite Micro first.
"""

import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outliernets import boards, toolchain
from outliernets.config import c_identifier
from outliernets.errors import ConfigError, MissingToolError
from outliernets.graph import Graph
from outliernets.importer import read
from outliernets.nets import zoo
from outliernets.nets.space import ArchSpec
from outliernets.pipeline import engines
from outliernets.pipeline.engines import Engine, Files
from outliernets.pipeline.stage import Narrator
from outliernets.pipeline.untrained import paper_networks, untrained
from outliernets.reference import Reference

Seconds = NDArray[np.float64]
ROUNDS = 30
CHECKS = 20  #: inputs on which every engine is compared with TensorFlow Lite Micro
CHECKS_OF_LARGE = 3  #: of networks of so many multiplications
LARGE = 10**8
PROBES = 20  #: runs that tell how long a turn is
BLOCK_SECONDS = 0.004  #: how long an engine runs before the next has its turn
SLOW_SECONDS = 0.1  #: of one run, which then is a turn: it fills the caches itself
WARM_UP = 2  #: runs of each turn that are not timed: the others had the caches
RESAMPLES = 2000
CONFIDENCE = 0.95
TWIN = "_f32"  #: at the end of the name of a model in floats


@dataclass(frozen=True)
class Subject:
    """A network to be timed: its files are written when it is its turn."""

    name: str
    files: Callable[[Path], Files]
    spec: ArchSpec | None = None  #: of the zoo


def latency_table(
    narrator: Narrator,
    networks: Sequence[str] = (),
    models: Sequence[Path] = (),
    rounds: int = ROUNDS,
    compilers: Sequence[str] = (),
    cpu: int | None = None,
) -> dict[str, Any]:
    """Time networks of the zoo and int8 .tflite ``models``; see docs/results/latency.md.

    Neither: the networks of the paper's Table 1, each once, and CAE-MCS. No ``compilers``: all that
    are installed. ``cpu``: which processor to stay on, None the last one allowed. Times are in
    milliseconds. The verdict is FAIL if our C differs from TensorFlow Lite Micro anywhere.
    """
    board = boards.load("host")
    for name in compilers:
        toolchain.get(name, board)
    compilers = list(dict.fromkeys(compilers)) or toolchain.available(board)
    if not compilers:
        raise MissingToolError("no compiler for this machine: see 'ongen doctor'")
    chosen = _chosen_cpu(cpu)
    subjects = [*map(_of_zoo, networks), *map(_of_file, models)]
    subjects = subjects or [_of_zoo(spec.name) for spec in paper_networks()]
    rows, left_out, loads = [], dict[str, str](), [_load()]
    for number, subject in enumerate(subjects, 1):
        narrator.begin(subject.name, number, len(subjects))
        started = time.monotonic()
        row, absent = _row(subject, rounds, compilers, chosen, narrator)
        left_out |= {name: why for name, why in absent.items() if name not in left_out}
        rows.append(row)
        loads.append(_load())
        narrator.end(subject.name, time.monotonic() - started, fresh=False)
    ours = [engine for row in rows for engine in row["engines"][: len(compilers)]]
    exact = all(engine["worst_lsb"] == 0 for engine in ours)
    return {
        "schema": 1,
        "unit": "ms",
        "processor": processor(),
        "processors": os.cpu_count(),
        "cpu": chosen,
        "load": {"low": min(loads), "high": max(loads)},
        "threads": 1,
        "batch": 1,
        "rounds": rounds,
        "toolchains": {name: toolchain.get(name, board).version() for name in compilers},
        "left_out": left_out,
        "networks": rows,
        "verdict": "PASS" if exact else "FAIL",
    }


def _of_zoo(name: str) -> Subject:
    spec = zoo.get(name)
    return Subject(spec.name, lambda folder: _written(spec, folder), spec)


def _written(spec: ArchSpec, folder: Path) -> Files:
    """Write one network in all formats; ONNX only where its package is installed."""
    from outliernets.nets.onnx_graph import to_onnx

    network = untrained(spec)
    int8, float32, onnx = (folder / name for name in ("int8.tflite", "f32.tflite", "f32.onnx"))
    int8.write_bytes(network.int8())
    float32.write_bytes(network.float32())
    try:
        onnx.write_bytes(to_onnx(spec, network.model))
    except ImportError:
        return Files(int8, float32)
    return Files(int8, float32, onnx)


def _of_file(model: Path) -> Subject:
    twin = model.with_name(f"{model.stem}{TWIN}{model.suffix}")
    return Subject(model.stem, lambda _: Files(model, twin if twin.exists() else None))


def _row(
    subject: Subject, rounds: int, compilers: Sequence[str], cpu: int, narrator: Narrator
) -> tuple[dict[str, Any], dict[str, str]]:
    with tempfile.TemporaryDirectory(prefix="ongen-") as scratch:
        files = subject.files(Path(scratch))
        graph = read(files.int8, c_identifier(subject.name))
        with pinned(cpu):
            competitors, left_out = engines.load(graph, files, compilers, Path(scratch))
            worst = worst_lsbs(competitors, graph, files.int8)
            times = turns(competitors, rounds, narrator)
    best = int(np.argmin(np.median(times[:, : len(compilers)], axis=0)))
    return {
        **_identity(subject, graph),
        "ours": competitors[best].name,
        "engines": [
            _measured(engine, times[:, i], times[:, best], worst[i])
            for i, engine in enumerate(competitors)
        ],
    }, left_out


def _identity(subject: Subject, graph: Graph) -> dict[str, Any]:
    spec = subject.spec
    rows = [row for row in zoo.PAPER_ROWS if zoo.get(row.task) == spec]
    return {
        "network": subject.name,
        "params": spec.params if spec else None,
        "macs": graph.macs,
        "paper": [
            {"task": str(row.task), "arm_ms": row.arm_ms, "intel_ms": row.intel_ms} for row in rows
        ],
    }


def _measured(engine: Engine, times: Seconds, best: Seconds, worst: int) -> dict[str, Any]:
    ratio, low, high = ratio_of_medians(best, times)
    return {
        "name": engine.name,
        "version": engine.version,
        "ms": 1e3 * float(np.median(times)),
        "fastest_ms": 1e3 * float(times.min()),
        "quartiles_ms": (1e3 * np.quantile(times, (0.25, 0.75))).tolist(),
        "worst_lsb": worst,
        "ratio": {"value": ratio, "low": low, "high": high},
        "ratio_by_round": float(np.median(best / times)),
    }


def worst_lsbs(competitors: Sequence[Engine], graph: Graph, model: Path) -> list[int]:
    """Return each engine's largest distance from TensorFlow Lite Micro, in steps of its output.

    Engines that read int8 get every value there is. In floats no int8 saturates, so engines that
    read those get noise that a network in int8 is made for: six deviations fill the input's range.
    """
    random, reference = np.random.default_rng(1), Reference(model)
    shape = CHECKS if graph.macs < LARGE else CHECKS_OF_LARGE, graph.x.size
    whole = random.integers(-128, 128, shape, np.int8)
    noise = np.clip(np.rint(random.normal(graph.x.zero_point, 128 / 6, shape)), -128, 127)
    expected = {
        is_int8: (inputs, [reference.infer(x).astype(np.int64) for x in inputs])
        for is_int8, inputs in ((True, whole), (False, noise.astype(np.int8)))
    }
    return [
        _worst_lsb(engine, graph, *expected[engine.x.dtype == np.int8]) for engine in competitors
    ]


def _worst_lsb(
    engine: Engine, graph: Graph, inputs: NDArray[np.int8], expected: Sequence[NDArray[np.int64]]
) -> int:
    steps = [
        _as_int8(_infer(engine, x, graph), graph) - y for x, y in zip(inputs, expected, strict=True)
    ]
    return int(np.abs(steps).max())


def _infer(engine: Engine, x: NDArray[np.int8], graph: Graph) -> NDArray[Any]:
    real = (x.astype(np.float32) - graph.x.zero_point) * graph.x.scale
    engine.x[...] = (x if engine.x.dtype == np.int8 else real).reshape(engine.x.shape)
    engine.run()
    return np.array(engine.y()).ravel()


def _as_int8(y: NDArray[Any], graph: Graph) -> NDArray[np.int64]:
    if y.dtype != np.int8:
        y = np.clip(np.rint(y / graph.y.scale) + graph.y.zero_point, -128, 127)
    return y.astype(np.int64)


def turns(competitors: Sequence[Engine], rounds: int, narrator: Narrator) -> Seconds:
    """Return the median seconds of each turn [rounds, engines]: A B C A B C ..."""
    lengths = [_turn_length(engine) for engine in competitors]
    times = np.empty((rounds, len(competitors)))
    for number in range(rounds):
        narrator.progress(number, rounds, "rounds")
        for i, engine in enumerate(competitors):
            times[number, i] = _turn(engine, lengths[i])
    return times


def _turn_length(engine: Engine) -> int:
    """Return how many runs fill a turn."""
    if (once := engine.seconds()) < SLOW_SECONDS:
        once = float(np.median([engine.seconds() for _ in range(PROBES)]))
    return 1 if once >= SLOW_SECONDS else int(np.clip(BLOCK_SECONDS / once, 5, 500))


def _turn(engine: Engine, runs: int) -> float:
    for _ in range(WARM_UP if runs > 1 else 0):
        engine.run()
    return float(np.median([engine.seconds() for _ in range(runs)]))


def ratio_of_medians(ours: Seconds, theirs: Seconds, seed: int = 0) -> tuple[float, float, float]:
    """Return median(ours) / median(theirs) over rounds, with a bootstrap interval of 95 %.

    Whole rounds are drawn, with what both engines did in them: a slow phase hits both.
    """
    draws = np.random.default_rng(seed).integers(0, len(ours), (RESAMPLES, len(ours)))
    ratios = np.median(ours[draws], axis=1) / np.median(theirs[draws], axis=1)
    low, high = np.quantile(ratios, ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2))
    return float(np.median(ours) / np.median(theirs)), float(low), float(high)


def processor() -> str:
    """Return the processor's name, or its architecture where Linux does not tell."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        text = ""
    names = [line.split(":", 1)[1].strip() for line in text.splitlines() if "model name" in line]
    return names[0] if names else platform.machine()


def _load() -> float:
    """Return how many processes wanted a processor in the last minute; ours is one of them."""
    return os.getloadavg()[0]


def _chosen_cpu(cpu: int | None) -> int:
    """Return the processor to stay on; ConfigError for one that this process may not use."""
    allowed = os.sched_getaffinity(0)
    if cpu is not None and cpu not in allowed:
        raise ConfigError(f"--cpu {cpu}: not one of {', '.join(map(str, sorted(allowed)))}")
    return max(allowed) if cpu is None else cpu


@contextmanager
def pinned(cpu: int) -> Iterator[None]:
    """Keep this thread, and those that start meanwhile, on one processor."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cpu})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
