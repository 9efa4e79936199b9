"""Time our compiled C beside other engines: one process, one thread, one processor, in turns.

    python bench/host.py MODEL.tflite ... [--rounds 100] [--cpu N] [--toolchain zig|gcc] [--json]

For each full-int8 MODEL.tflite, the float twin MODEL_f32.tflite beside it is run as well, if there
is one. Engines that are not installed are left out, and named on stderr. See bench/README.md.
"""

import argparse
import importlib.metadata
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outliernets import codegen, resources
from outliernets.errors import OngenError
from outliernets.graph import Graph
from outliernets.importer import read
from outliernets.lower import lower
from outliernets.pipeline.firmware import write_sources
from outliernets.reference import Reference
from outliernets.toolchain.cpus import HOST, lookup
from outliernets.toolchain.host import HostNetwork, compile_shared, default_compiler

Int8s = NDArray[np.int8]
CHECKS = 20  #: inputs on which every engine is compared with TensorFlow Lite Micro
BLOCK_SECONDS = 0.004  #: how long an engine runs before the next has its turn
WARM_UP = 2  #: runs of each turn that are not timed: the others had the caches
RESAMPLES = 2000
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Engine:
    """A network in one engine, with its input and output in place."""

    name: str
    version: str
    x: NDArray[Any]  #: what ``run`` reads: int8, or float where the model is
    y: Callable[[], NDArray[Any]]  #: the output of the last run
    run: Callable[[], object]
    own_seconds: Callable[[], float] | None = None  #: of the last run by the engine's own clock

    def seconds(self) -> float:
        """Run once; return the time of it."""
        start = time.perf_counter_ns()
        self.run()
        wall = 1e-9 * (time.perf_counter_ns() - start)
        return self.own_seconds() if self.own_seconds else wall


def ours(model: Path, graph: Graph, compiler: str, folder: Path) -> Engine:
    """Compile the model with ``compiler`` for this processor and load it."""
    lowered = lower(graph, lookup(HOST, "host").kernels)
    folder.mkdir()
    library = folder / "library"
    write_sources(codegen.network_files(lowered), folder)
    source = folder / f"{graph.name}.c"
    include = [folder, resources.firmware() / "lib"]
    compile_shared([source], include, library, compiler, release=True)
    network = HostNetwork(library, graph.name, lowered.memory.size, graph.x.size, graph.y.size)
    x, y = np.zeros(graph.x.size, np.int8), np.zeros(graph.y.size, np.int8)
    version = importlib.metadata.version("ongen")
    return Engine(f"ongen int8, {compiler}", version, x, lambda: y, network.bind(x, y))


def openvino(model: Path, kind: str, precision: str | None) -> Engine:
    """Load a model in OpenVINO; ``precision`` None leaves the choice to it."""
    import openvino as ov

    settings: dict[str, Any] = {
        "INFERENCE_NUM_THREADS": 1,
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
        "ENABLE_CPU_PINNING": False,  # this process is pinned already
    }
    if precision:
        settings["INFERENCE_PRECISION_HINT"] = precision
    compiled = ov.Core().compile_model(str(model), "CPU", settings)
    request = compiled.create_infer_request()
    place = compiled.input(0)
    x = np.zeros(tuple(place.shape), place.element_type.to_dtype())
    request.set_input_tensor(ov.Tensor(x, shared_memory=True))
    chosen = compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
    hint = f"INFERENCE_PRECISION_HINT={precision}" if precision else f"default ({chosen})"
    return Engine(
        f"OpenVINO {kind}, {hint}",
        importlib.metadata.version("openvino"),
        x,
        lambda: request.get_output_tensor(0).data,
        lambda: request.infer(share_outputs=True),
        lambda: 1e-3 * request.latency,
    )


def litert(model: Path, kind: str) -> Engine:
    """Load a model in LiteRT, whose kernels for the processor are XNNPACK's."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(model), num_threads=1)
    interpreter.allocate_tensors()
    first, last = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    x = np.zeros(first["shape"], first["dtype"])

    def run() -> None:
        interpreter.set_tensor(first["index"], x)
        interpreter.invoke()

    return Engine(
        f"LiteRT (XNNPACK) {kind}",
        importlib.metadata.version("ai-edge-litert"),
        x,
        lambda: interpreter.get_tensor(last["index"]),
        run,
    )


def engines(model: Path, graph: Graph, compilers: Sequence[str], folder: Path) -> Iterator[Engine]:
    """Yield our engines, then every other that is installed, for the int8 and the float model."""
    for compiler in compilers:
        yield ours(model, graph, compiler, folder / compiler)
    twin = model.with_name(f"{model.stem}_f32.tflite")
    kinds = {"f32": twin, "int8": model} if twin.exists() else {"int8": model}
    if not twin.exists():
        print(f"no {twin.name}: float engines are left out", file=sys.stderr)
    try:
        for kind, path in kinds.items():
            for precision in (None, "f32"):
                yield openvino(path, kind, precision)
    except ImportError:
        _missing("openvino")
    try:
        for kind, path in kinds.items():
            yield litert(path, kind)
    except ImportError:
        _missing("ai-edge-litert")


def _missing(package: str) -> None:
    print(f"{package} is not installed: left out (pip install 'ongen[bench]')", file=sys.stderr)


def worst_lsb(engine: Engine, graph: Graph, reference: Reference) -> int:
    """Return the largest distance from TensorFlow Lite Micro, in steps of the int8 output."""
    rng = np.random.default_rng(1)
    worst = 0
    for _ in range(CHECKS):
        x = rng.integers(-128, 128, graph.x.size, np.int8)
        steps = _as_int8(_infer(engine, x, graph), graph) - reference.infer(x).astype(np.int64)
        worst = max(worst, int(np.abs(steps).max()))
    return worst


def _infer(engine: Engine, x: Int8s, graph: Graph) -> NDArray[Any]:
    real = (x.astype(np.float32) - graph.x.zero_point) * graph.x.scale
    engine.x[...] = (x if engine.x.dtype == np.int8 else real).reshape(engine.x.shape)
    engine.run()
    return np.array(engine.y()).ravel()


def _as_int8(y: NDArray[Any], graph: Graph) -> NDArray[np.int64]:
    if y.dtype != np.int8:
        y = np.clip(np.rint(y / graph.y.scale) + graph.y.zero_point, -128, 127)
    return y.astype(np.int64)


def turns(competitors: Sequence[Engine], rounds: int) -> NDArray[np.float64]:
    """Return the median seconds of each turn [rounds, engines]: A B C A B C ..."""
    lengths = [_turn_length(engine) for engine in competitors]
    return np.array(
        [
            [_turn(engine, n) for engine, n in zip(competitors, lengths, strict=True)]
            for _ in range(rounds)
        ]
    )


def _turn_length(engine: Engine) -> int:
    """Return how many runs fill a turn."""
    once = float(np.median([engine.seconds() for _ in range(20)]))
    return int(np.clip(BLOCK_SECONDS / once, 5, 500))


def _turn(engine: Engine, runs: int) -> float:
    for _ in range(WARM_UP):
        engine.run()
    return float(np.median([engine.seconds() for _ in range(runs)]))


def ratio_of_medians(
    ours: NDArray[np.float64], theirs: NDArray[np.float64], seed: int = 0
) -> tuple[float, float, float]:
    """Return median(ours) / median(theirs) over rounds, with a bootstrap interval of 95 %.

    Whole rounds are drawn, with what both engines did in them: a slow phase hits both.
    """
    draws = np.random.default_rng(seed).integers(0, len(ours), (RESAMPLES, len(ours)))
    ratios = np.median(ours[draws], axis=1) / np.median(theirs[draws], axis=1)
    low, high = np.quantile(ratios, ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2))
    return float(np.median(ours) / np.median(theirs)), float(low), float(high)


def compare(model: Path, rounds: int, compilers: Sequence[str]) -> dict[str, Any]:
    """Run every engine on one model; return times, exactness and our quickest against each."""
    graph = read(model)
    reference = Reference(model)
    with tempfile.TemporaryDirectory(prefix="ongen-bench-") as scratch:
        competitors = list(engines(model, graph, compilers, Path(scratch)))
        worst = [worst_lsb(engine, graph, reference) for engine in competitors]
        times = turns(competitors, rounds)
    best = int(np.argmin(np.median(times[:, : len(compilers)], axis=0)))
    return {
        "model": model.name,
        "macs": graph.macs,
        "rounds": rounds,
        "ours": competitors[best].name,
        "engines": [
            _row(engine, times[:, i], times[:, best], worst[i])
            for i, engine in enumerate(competitors)
        ],
    }


def _row(
    engine: Engine, times: NDArray[np.float64], best: NDArray[np.float64], worst: int
) -> dict[str, Any]:
    ratio, low, high = ratio_of_medians(best, times)
    return {
        "name": engine.name,
        "version": engine.version,
        "us": 1e6 * float(np.median(times)),
        "quartiles_us": (1e6 * np.quantile(times, (0.25, 0.75))).tolist(),
        "worst_lsb": worst,
        "ratio": {"value": ratio, "low": low, "high": high},
        "ratio_by_round": float(np.median(best / times)),
    }


def as_markdown(report: Mapping[str, Any]) -> str:
    """Return the report as one table per model."""
    lines = [f"{report['processor']}, CPU {report['cpu']}, 1 thread; measured here, noisy."]
    for model in report["models"]:
        lines += [
            "",
            f"### {model['model']} ({model['macs']:,} MAC, {model['rounds']} rounds)",
            "",
            "| engine | version | us (quartiles) | worst error, LSB | ours / this | by round |",
            "| --- | --- | --- | --- | --- | --- |",
            *(_cells(row, model["ours"]) for row in model["engines"]),
        ]
    return "\n".join(lines)


def _cells(row: Mapping[str, Any], best: str) -> str:
    low, high = row["quartiles_us"]
    ratio = row["ratio"]
    against = f"{ratio['value']:.3f} [{ratio['low']:.3f}, {ratio['high']:.3f}]"
    exact = "exact" if row["worst_lsb"] == 0 else str(row["worst_lsb"])
    us = f"{row['us']:.1f} ({low:.1f}, {high:.1f})"
    paired = f"{row['ratio_by_round']:.3f}"
    if row["name"] == best:
        return f"| **{best}** | {row['version']} | {us} | {exact} | | |"
    return f"| {row['name']} | {row['version']} | {us} | {exact} | {against} | {paired} |"


def processor() -> str:
    """Return the processor's name, or its architecture where Linux does not tell."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        text = ""
    names = [line.split(":", 1)[1].strip() for line in text.splitlines() if "model name" in line]
    return names[0] if names else platform.machine()


def pin(cpu: int | None) -> int:
    """Keep this process, and all threads it starts, on one processor; return which."""
    allowed = os.sched_getaffinity(0)
    chosen = max(allowed) if cpu is None else cpu
    if chosen not in allowed:
        raise SystemExit(f"error: --cpu {cpu} is not one of {sorted(allowed)}")
    os.sched_setaffinity(0, {chosen})
    return chosen


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse, compare, print; exit with 5 if our C is not exact."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", metavar="MODEL.tflite", nargs="+", type=Path)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--cpu", type=int, help="default: the last one allowed")
    parser.add_argument("--toolchain", action="append", choices=["zig", "gcc"], help="repeatable")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args(arguments)
    if chosen.rounds < 2:
        parser.error("--rounds must be at least 2")
    cpu = pin(chosen.cpu)
    compilers = list(dict.fromkeys(chosen.toolchain or [default_compiler()]))
    try:
        models = [compare(model, chosen.rounds, compilers) for model in chosen.models]
    except OngenError as error:
        raise SystemExit(f"error: {error}") from None
    report = {"schema": 1, "processor": processor(), "cpu": cpu, "models": models}
    print(json.dumps(report, indent=1) if chosen.json else as_markdown(report))
    rows = [row for model in models for row in model["engines"]]
    if any(row["worst_lsb"] for row in rows if row["name"].startswith("ongen")):
        print("error: our C differs from TensorFlow Lite Micro", file=sys.stderr)
        sys.exit(5)


if __name__ == "__main__":
    main()
