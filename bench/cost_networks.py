"""Random networks such as people train, and exact counts of what was generated for a graph."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from outliernets import boards, codegen, target
from outliernets.boards import linker_context
from outliernets.graph import Graph, Lowered
from outliernets.kernels import work
from outliernets.kernels.loops import Function
from outliernets.nets.layers import Layer, Stack
from outliernets.nets.sketch import sketch
from outliernets.nets.space import ArchSpec
from outliernets.pipeline import firmware

IDENTITY = 1  #: of the check program; the counts do not depend on it


@dataclass(frozen=True)
class Count:
    """What a function of the generated C took for one inference, and its bytes of code."""

    node: str
    function: Function
    instructions: int
    code: int


@dataclass(frozen=True)
class Measured:
    """Exact numbers of a network on a board."""

    counts: tuple[Count, ...]
    flash: int  #: bytes of its code and constants

    @property
    def instructions(self) -> int:
        """Of one inference."""
        return sum(count.instructions for count in self.counts)


def measure(lowered: Lowered, board_name: str, compiler: str) -> Measured:
    """Compile a network and run it once in Unicorn, on noise."""
    board, graph = boards.load(board_name), lowered.graph
    x = np.random.default_rng(1).integers(-128, 128, graph.x.size, np.int8)
    files = codegen.network_files(lowered)
    files |= codegen.app_files(graph.name, IDENTITY, front_end=False)
    files |= codegen.linker_files(linker_context(board, "unicorn"))
    with tempfile.TemporaryDirectory(prefix="ongen-") as scratch:
        source = Path(scratch) / "source"
        source.mkdir()
        firmware.write_sources(files, source)
        built = firmware.link(source, board, "unicorn", compiler, Path(scratch) / "out")
        with target.get("unicorn").open(built.elf, board) as running:
            client = target.Client(running, built.elf)
            client.hello(IDENTITY)
            client.infer(x.tobytes())
            executed = running.counts()
    return _measured(graph, executed, dict(built.symbols))


def _measured(graph: Graph, executed: Mapping[str, int], sizes: Mapping[str, int]) -> Measured:
    functions = {f"{graph.name}_infer": ("", work.of_infer(graph))}
    for node in graph.nodes:
        for function in work.of_node(graph, node):
            symbol = "_".join(filter(None, (graph.name, node.name, function.name)))
            functions[symbol] = (node.name, function)
    instructions, code = dict.fromkeys(functions, 0), dict.fromkeys(functions, 0)
    for symbol, count in executed.items():
        if symbol.startswith(f"{graph.name}_"):
            owner = _owner(symbol, functions)
            instructions[owner] += count
            code[owner] += sizes[symbol]
    flash = sum(size for symbol, size in sizes.items() if symbol.startswith(f"{graph.name}_"))
    counts = [Count(*functions[s], instructions[s], code[s]) for s in functions]
    return Measured(tuple(counts), flash)


def _owner(symbol: str, functions: Mapping[str, object]) -> str:
    """Return the function that a symbol is, or a part of."""
    whole = symbol.split(".")[0]
    return max((f for f in functions if whole.startswith(f)), key=len)


# ---- networks ---------------------------------------------------------------------------


def random_spec(rng: np.random.Generator, name: str) -> ArchSpec:
    """Return a member of one of the zoo's families with random widths."""
    if rng.random() < 0.5:
        widths = [*rng.integers(2, 13, 2), *rng.integers(4, 33, 2), *rng.integers(2, 25, 2)]
        return ArchSpec(name, "fan", tuple(int(w) for w in widths))
    encoder, decoder = rng.integers(2, 25, 5), rng.integers(2, 25, 4)
    widths = [*sorted(encoder), rng.integers(4, 41), rng.integers(4, 49), *-np.sort(-decoder)]
    return ArchSpec(name, "slider", tuple(int(w) for w in widths))


SHAPES = ((32, 128, 1), (32, 64, 1), (16, 128, 1), (32, 40, 1), (49, 10, 1))


def random_layers(rng: np.random.Generator, small: bool = False) -> list[Layer]:
    """Return a chain of layers such as people train: downwards, perhaps a latent, upwards."""
    net = Stack((8, 16, 1) if small else _pick(rng, *SHAPES))
    sizes: list[tuple[int, int]] = []
    for i in range(int(rng.integers(2, 5))):
        size = _pick(rng, (1, 2), (2, 2), (2, 2), (1, 4), (4, 4))
        if net.shape[0] % size[0] or net.shape[1] % size[1]:
            size = (1, 1)
        _down(rng, net, f"down{i}", size)
        sizes.append(size)
    if rng.random() < 0.4 and net.shape[0] * net.shape[1] <= 64:
        before = net.shape
        net.squeeze("latent", _width(rng, 40), relu=bool(rng.random() < 0.5))
        net.dense("seed", before, relu=True)
    for i, size in enumerate(reversed(sizes)):
        _up(rng, net, f"up{i}", size)
    net.conv("out", 1, _pick(rng, 3, 3, 5), relu=False)
    return net.layers


def _down(rng: np.random.Generator, net: Stack, name: str, size: tuple[int, int]) -> None:
    if rng.random() < 0.4 and max(size) <= 2:
        net.conv(name, _width(rng, 24), _pick(rng, 3, 3, 5), size)
        return
    _convolution(rng, net, name)
    if size != (1, 1):
        net.max_pool(f"{name}_pool", size)


def _up(rng: np.random.Generator, net: Stack, name: str, size: tuple[int, int]) -> None:
    if rng.random() < 0.1 and net.shape[2] <= 16:
        net.transpose_conv(name, _width(rng, 16), 3, size, last=bool(rng.random() < 0.5))
        return
    if size != (1, 1):
        net.upsample(f"{name}_size", size)
    _convolution(rng, net, name)


def _convolution(rng: np.random.Generator, net: Stack, name: str) -> None:
    if rng.random() < 0.5:
        net.separable(name, _width(rng, 24), relu=bool(rng.random() < 0.8))
    else:
        net.conv(name, _width(rng, 20), _pick(rng, 1, 3, 3, 3, 5), relu=bool(rng.random() < 0.8))


def _width(rng: np.random.Generator, most: int) -> int:
    return int(rng.integers(1, most + 1))


def _pick(rng: np.random.Generator, *choices: object) -> object:
    return choices[int(rng.integers(len(choices)))]


def random_graph(seed: int) -> Graph:
    """Return network ``seed``: one of the zoo's families, or a chain of any layers."""
    rng = np.random.default_rng(seed)
    name = "net"
    layers = random_spec(rng, name).layers if rng.random() < 0.4 else random_layers(rng)
    return sketch(name, layers, seed)
