"""The three legs: generated C = numpy executor = TensorFlow Lite Micro, bit for bit."""

from pathlib import Path

import numpy as np
from tflite_micro.python.tflite_micro import runtime

from outliernets import resources
from outliernets.codegen import network_files
from outliernets.graph import Graph, execute
from outliernets.importer import read
from outliernets.lower import lower
from outliernets.toolchain.host import HostNetwork, compile_shared

ARENA = 4_000_000


def write_files(files: dict[str, str], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)


def host_network(graph: Graph, folder: Path, compiler: str | None = None) -> HostNetwork:
    """Generate, compile (strict warnings, UBSan traps) and load a graph's C."""
    lowered = lower(graph)
    write_files(network_files(lowered), folder)
    library = compile_shared(
        [folder / f"{graph.name}.c"],
        [folder, resources.firmware() / "lib"],
        folder / f"{graph.name}_{compiler}.so",
        compiler,
    )
    state = max(4, lowered.memory.size)
    return HostNetwork(library, graph.name, state, graph.x.size, graph.y.size)


def tflm(model: bytes) -> runtime.Interpreter:
    return runtime.Interpreter.from_bytes(model, arena_size=ARENA)


def tflm_infer(interpreter: runtime.Interpreter, x: np.ndarray) -> np.ndarray:
    interpreter.set_input(x, 0)
    interpreter.invoke()
    return interpreter.get_output(0)


def random_inputs(shape: tuple[int, ...], count: int, seed: int = 1) -> np.ndarray:
    """Inputs that reach the corners: uniform noise, the extremes, and a smooth ramp."""
    rng = np.random.default_rng(seed)
    size = int(np.prod(shape))
    ramp = np.linspace(-128, 127, size).astype(np.int8)
    fixed = [np.full(size, -128, np.int8), np.full(size, 127, np.int8), ramp]
    noise = [rng.integers(-128, 128, size, np.int8) for _ in range(max(1, count - len(fixed)))]
    return np.array([*noise, *fixed][:count]).reshape(count, *shape)


def assert_three_legs(
    model: bytes, folder: Path, name: str = "net", count: int = 6, compiler: str | None = None
) -> Graph:
    """Compare all three legs on ``count`` inputs; return the graph."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.tflite"
    path.write_bytes(model)
    graph = read(path, name)
    compiled = host_network(graph, folder, compiler)
    oracle = tflm(model)
    for x in random_inputs(graph.x.shape, count):
        expected = tflm_infer(oracle, x).ravel()
        np.testing.assert_array_equal(execute(graph, x).ravel(), expected, "numpy != TFLM")
        np.testing.assert_array_equal(compiled.infer(x), expected, "C != TFLM")
    return graph
