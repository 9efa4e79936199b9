"""A network in several engines of this machine, each with one thread, input and output in place."""

import importlib.metadata
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outliernets import codegen, resources
from outliernets.graph import Graph
from outliernets.lower import lower
from outliernets.pipeline.firmware import write_sources
from outliernets.reference import Reference
from outliernets.toolchain.cpus import HOST, lookup
from outliernets.toolchain.host import HostNetwork, compile_shared
from outliernets.train.quiet import muted


@dataclass(frozen=True)
class Files:
    """One network for all engines; what is None is not there, and who reads it is left out."""

    int8: Path  #: full-int8 .tflite
    float32: Path | None = None  #: .tflite
    onnx: Path | None = None  #: float32, input and output as in the .tflite

    def tflite(self) -> Iterator[tuple[str, Path]]:
        """Yield the .tflite files and what their numbers are."""
        yield "int8", self.int8
        if self.float32:
            yield "float32", self.float32


@dataclass(frozen=True)
class Engine:
    """A network in one engine, ready to run."""

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


def ours(graph: Graph, compiler: str, folder: Path) -> Engine:
    """Compile a network with ``compiler`` for this processor, in a new ``folder``, and load it."""
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
    return Engine(f"ongen {compiler}, int8", version, x, lambda: y, network.bind(x, y))


def tflite_micro(graph: Graph, model: Path) -> Engine:
    """Load an int8 model in the reference, whose kernels are plain C++."""
    reference = Reference(model)
    x, y = np.zeros(graph.x.size, np.int8), np.zeros(graph.y.size, np.int8)

    def run() -> None:
        y[:] = reference.infer(x)

    version = importlib.metadata.version("tflite-micro")
    return Engine("tflite-micro, int8", version, x, lambda: y, run)


@dataclass(frozen=True)
class Peer:
    """Another maker's engine: the package it comes in, and how it loads a network."""

    package: str
    load: Callable[[Files], Iterator[Engine]]


def _litert(files: Files) -> Iterator[Engine]:
    """LiteRT, whose kernels for the processor are XNNPACK's."""
    from ai_edge_litert.interpreter import Interpreter

    for numbers, model in files.tflite():
        yield _litert_engine(Interpreter(str(model), num_threads=1), numbers)


def _litert_engine(interpreter: Any, numbers: str) -> Engine:
    interpreter.allocate_tensors()
    first, last = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    x = np.zeros(first["shape"], first["dtype"])

    def run() -> None:
        interpreter.set_tensor(first["index"], x)
        interpreter.invoke()

    name, version = f"LiteRT XNNPACK, {numbers}", importlib.metadata.version("ai-edge-litert")
    return Engine(name, version, x, lambda: interpreter.get_tensor(last["index"]), run)


def _openvino(files: Files) -> Iterator[Engine]:
    """OpenVINO with its default precision and, where that is another, with float32."""
    import openvino

    core = openvino.Core()
    # Of a .tflite in floats it loses the ReLU of a transposed convolution (2026.4), of ONNX not.
    models = {"int8": files.int8, "float32": files.onnx or files.float32}
    for numbers, model in models.items():
        if model is None:
            continue
        default = core.compile_model(str(model), "CPU", OPENVINO)
        yield _openvino_engine(default, numbers)
        if _precision(default) != "f32":
            hint = {"INFERENCE_PRECISION_HINT": "f32"}
            yield _openvino_engine(core.compile_model(str(model), "CPU", OPENVINO | hint), numbers)


OPENVINO = {
    "INFERENCE_NUM_THREADS": 1,
    "NUM_STREAMS": 1,
    "PERFORMANCE_HINT": "LATENCY",
    "ENABLE_CPU_PINNING": False,  # the process is pinned already
}


def _precision(compiled: Any) -> str:
    return str(compiled.get_property("INFERENCE_PRECISION_HINT").to_string())


def _openvino_engine(compiled: Any, numbers: str) -> Engine:
    from openvino import Tensor

    request, place = compiled.create_infer_request(), compiled.input(0)
    x = np.zeros(tuple(place.shape), place.element_type.to_dtype())
    request.set_input_tensor(Tensor(x, shared_memory=True))
    return Engine(
        f"OpenVINO ({_precision(compiled)}), {numbers}",
        importlib.metadata.version("openvino"),
        x,
        lambda: np.asarray(request.get_output_tensor(0).data),
        lambda: request.infer(share_outputs=True),
        lambda: 1e-3 * float(request.latency),
    )


def _onnxruntime(files: Files) -> Iterator[Engine]:
    """ONNX Runtime with its own kernels for the processor."""
    import onnxruntime

    if files.onnx is None:
        return
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(files.onnx), options, ["CPUExecutionProvider"])
    first, last = session.get_inputs()[0], session.get_outputs()[0]
    x, y = np.zeros(first.shape, np.float32), np.zeros(last.shape, np.float32)
    binding = session.io_binding()
    place = ("cpu", 0, np.float32)
    binding.bind_input(first.name, *place, x.shape, x.ctypes.data)
    binding.bind_output(last.name, *place, y.shape, y.ctypes.data)
    version = importlib.metadata.version("onnxruntime")
    run = lambda: session.run_with_iobinding(binding)  # noqa: E731
    yield Engine("onnxruntime, float32", version, x, lambda: y, run)


PEERS = (
    Peer("ai-edge-litert", _litert),
    Peer("openvino", _openvino),
    Peer("onnxruntime", _onnxruntime),
)


def load(
    graph: Graph, files: Files, compilers: Sequence[str], folder: Path
) -> tuple[list[Engine], dict[str, str]]:
    """Return our engines, one per compiler, then all others; and why any peer is left out.

    ``folder`` takes what is compiled. BuildError where a compiler fails on our C.
    """
    engines = [ours(graph, compiler, folder / compiler) for compiler in compilers]
    engines.append(tflite_micro(graph, files.int8))
    left_out = {}
    for peer in PEERS:
        try:
            with muted():
                engines.extend(peer.load(files))
        except ImportError:
            left_out[peer.package] = "not installed: pip install 'ongen[bench]'"
        except (RuntimeError, ValueError) as error:
            left_out[peer.package] = (str(error).strip() or repr(error)).splitlines()[0]
    return engines, left_out
