"""Fit the constants of the cost model (``outliernets/kernels/cost.toml``) to exact counts.

    python -m bench.fit_cost [--class dsp]... [--compiler zig]... [--networks 60] [--general 5]
                             [--kept FILE] [--out FILE]

Compiles random networks, counts the instructions of every generated function in Unicorn and the
bytes of its code, and looks for what each step (``outliernets.kernels.work``) takes: nothing
negative, the least squares of relative errors, and near what the step is in assembly where the
counts do not say (``EXPECTED``). Where kernels are chosen by cost, they are chosen by lot here: the
rates have to be right for those that are not the cheapest, too. Two seconds for each network and
compiler; ``--kept`` keeps the counts for another run. Needs a checkout: the networks of single ops
are those of the tests.
"""

import argparse
import pickle
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from unittest import mock
from zlib import crc32

import numpy as np
from scipy.optimize import nnls

from bench import rates as tables
from bench.cost_networks import Measured, measure, random_graph, random_layers
from outliernets import boards, toolchain
from outliernets.errors import OngenError
from outliernets.graph import Lowered
from outliernets.importer import read
from outliernets.kernels import cost, loops, work, work_lanes
from outliernets.lower import lower
from outliernets.lower.plan_memory import plan_memory
from outliernets.nets.layers import Layer, Stack
from outliernets.nets.sketch import sketch
from tests.random_networks import random_network

BOARDS = {"dsp": "stm32f746", "a72": "cortex-a72"}  #: a board of each class of processors
COMPILERS = ("zig", "gcc")
#: What steps are in assembly, where they are known: how many instructions, roughly.
EXPECTED = {
    "dot": 1.0, "load": 1.0, "straddle": 1.0, "far": 1.0, "move": 1.0, "clamp": 1.0, "weight": 0.7,
    "narrow_floor": 3.0, "narrow_linear": 6.0, "narrow_linear_shifted": 6.0, "narrow_general": 14.0,
    "sum": 1.0, "tile": 8.0, "source": 6.0, "source_once": 6.0, "begin": 10.0, "turn": 3.0,
    "pair_turn": 3.0, "dot4": 3.0, "spread": 4.5, "number": 0.5, "word": 4.0,
    "advance": 1.0, "cell": 1.0, "mac": 3.0,
    **{f"beyond_{r}{once}": 0.4 for r in work.REGISTERS for once in ("", "_once")},
    # Vectors: of bytes, of shorts, of their sums.
    "product_bytes": 2.0, "product_shorts": 4.0, "group": 4.0, "step": 2.0,
    **{f"load{step}_bytes": 1.0 for step in (1, 2, 3, 4)},
    **{f"load{step}_shorts": 2.0 for step in (1, 2, 3, 4)},
    "store_bytes": 1.0, "store_shorts": 2.0, "max_bytes": 1.0, "max_shorts": 2.0,
    "scale_floor_bytes": 12.0, "scale_floor_shorts": 10.0, "keep": 4.0, "recall": 4.0,
    **{f"beyond_{r}": 0.4 for r in work_lanes.REGISTERS if r not in work.REGISTERS},
}  # fmt: skip
BYTES = 3.0  #: of an instruction, roughly
CERTAINTY = 0.1  #: weight of what is expected, beside that of all counts of a kind together
INDIFFERENCE = 0.01  #: the same for steps of which nothing is expected: rather nothing

HEADER = "# What the steps of generated functions take: fitted by bench/fit_cost.py, do not edit."

SEEDS = 500  #: of networks that are looked through for rare ops

Samples = Sequence[tuple[Mapping[str, float], int]]  #: steps, and what they took together


def lot(stage: loops.Context, rows: int) -> float:
    """Return a number in place of the cost of a stage, the same for the same stage and kernel."""
    facts = (rows, stage["kind"], stage["line"]["dims"])
    return crc32(repr((*facts, stage.get("pixels"), stage.get("wide"))).encode()) / 2**32


def networks(count: int, general: int, kernels: str) -> Iterator[tuple[str, Lowered]]:
    """Yield lowered networks with names that say which they are."""
    for seed in range(count):
        yield f"random {seed}", lower(random_graph(seed), kernels)
    for seed in range(general):  # one op after the other, as it would be without rows
        graph = sketch("net", random_layers(np.random.default_rng(seed), small=True), seed)
        yield f"unfused {seed}", Lowered(graph, plan_memory(graph))
    for seed in range(general if kernels == "lanes" else 0):
        yield f"wide steps {seed}", lower(sketch("net", _wide_steps(seed), seed), kernels)
    seen: Counter[str] = Counter()
    for seed in range(SEEDS):
        network = _any_ops(seed, kernels)
        kinds = {node.op.kind() for node in network.graph.nodes}
        if any(seen[kind] < general for kind in kinds):
            seen.update(kinds)
            yield f"any ops {seed}", network


def _wide_steps(seed: int) -> list[Layer]:
    """Return layers with steps that vectors are not read with."""
    rng = np.random.default_rng(seed)
    net, step = Stack((8, 512, 1)), int(rng.integers(5, 9))
    net.conv("down", int(rng.integers(2, 9)), 3, (2, 8))
    net.max_pool("pool", (1, 8))
    net.upsample("size", (1, 8))
    net.separable("up", int(rng.integers(2, 9)))
    net.upsample("whole", (2, step))
    net.conv("out", 1, 3, relu=False)
    return net.layers


def _any_ops(seed: int, kernels: str) -> Lowered:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.tflite"
        path.write_bytes(random_network(seed))
        return lower(read(path, "net"), kernels)


Counts = dict[tuple[str, str, str], Measured]  #: by class of processors, compiler and network


def count_all(
    lowered: Iterable[tuple[str, Lowered]], family: str, compilers: Sequence[str], kept: Counts
) -> Counts:
    """Add the counts of networks that are not kept yet."""
    for name, network in lowered:
        for compiler in compilers:
            if (family, compiler, name) not in kept:
                kept[family, compiler, name] = measure(network, BOARDS[family], compiler)
        print(f"\r{name:20}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return kept


def refreshed(counts: Counts, family: str, lowered: Iterable[tuple[str, Lowered]]) -> Counts:
    """Return the counts of a class of processors with the steps as ``work`` says now."""
    functions = {
        name: {(n.name, f.name): f for n in net.graph.nodes for f in work.of_node(net.graph, n)}
        | {("", ""): work.of_infer(net.graph)}
        for name, net in lowered
    }
    return {
        key: replace(
            measured,
            counts=tuple(
                replace(c, function=functions[key[2]][c.node, c.function.name])
                for c in measured.counts
            ),
        )
        for key, measured in counts.items()
        if key[0] == family and key[2] in functions
    }


def fit(samples: Samples, scale: float) -> dict[str, float]:
    """Return what each step takes; ``scale`` is how many units an instruction has."""
    steps = sorted({step for done, _ in samples for step, count in done.items() if count})
    shares = np.array([[done.get(step, 0) / took for step in steps] for done, took in samples])
    norms = np.sqrt((shares**2).mean(axis=0))
    expected = np.array([scale * EXPECTED.get(step, 0.0) for step in steps])
    known = np.array([step in EXPECTED for step in steps])
    weights = np.sqrt(len(samples)) * np.where(known, CERTAINTY, INDIFFERENCE)
    matrix = np.vstack([shares / norms, np.diag(weights)])
    solution, _ = nnls(matrix, np.concatenate([np.ones(len(samples)), weights * expected * norms]))
    return dict(zip(steps, (solution / norms).tolist(), strict=True))


def rates(counts: Counts, family: str, compiler: str, what: str) -> dict[str, dict[str, float]]:
    """Fit all kinds of functions; ``what`` is "instructions" or "code"."""
    samples: dict[str, list[tuple[Mapping[str, float], int]]] = defaultdict(list)
    for (of_family, of_compiler, _), measured in counts.items():
        if (of_family, of_compiler) != (family, compiler):
            continue
        # A function that equals another is that other to GCC, which then counts for both.
        merged = {c.function.kind for c in measured.counts if c.instructions == 0}
        for c in measured.counts:
            f = c.function
            if f.kind not in merged:
                took = c.instructions if what == "instructions" else c.code
                samples[f.kind].append((f.executed if what == "instructions" else f.written, took))
    scale = 1.0 if what == "instructions" else BYTES
    return {kind: fit(some, scale) for kind, some in sorted(samples.items())}


def errors(
    counts: Counts, family: str, compiler: str, model: cost.Model
) -> list[tuple[float, ...]]:
    """Return the relative errors (instructions, flash) of networks such as people train."""
    found = []
    for (of_family, of_compiler, name), m in counts.items():
        if (of_family, of_compiler) == (family, compiler) and name.startswith("random"):
            functions = model.functions(c.function for c in m.counts)
            instructions = sum(f.instructions for f in functions)
            flash = sum(f.code + f.constants for f in functions)
            found.append([instructions / m.instructions - 1, flash / m.flash - 1])
    return found


def block(counts: Counts, family: str, compiler: str, command: str) -> str:
    """Return what ``cost.toml`` says of a class of processors and a compiler."""
    board = BOARDS[family]
    version = toolchain.get(compiler, boards.load(board)).version()
    fitted = {w: rates(counts, family, compiler, w) for w in ("instructions", "code")}
    wrong = np.array(errors(counts, family, compiler, cost.Model(**fitted)))
    rms = np.sqrt((wrong**2).mean(axis=0))
    most = np.abs(wrong).max(axis=0)
    lines = [
        f"# {board}, {version}, {len(wrong)} networks: instructions {rms[0]:.1%} off (root "
        f"of mean squares; at most {most[0]:.1%}), flash {rms[1]:.1%} ({most[1]:.1%})",
        f"#     {command}",
    ]
    for what, kinds in fitted.items():
        lines += [f"[{family}.{compiler}.{what}]", *map(_line, kinds.items())]
    return "\n".join(lines)


def _line(item: tuple[str, Mapping[str, float]]) -> str:
    kind, steps = item
    values = ", ".join(f"{s} = {round(v, 3)}" for s, v in steps.items() if round(v, 3))
    return f"{kind} = {{ {values} }}"


def main(arguments: Sequence[str] | None = None) -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--class", dest="classes", action="append", choices=BOARDS)
    parser.add_argument("--compiler", dest="compilers", action="append", choices=COMPILERS)
    parser.add_argument("--networks", type=int, default=60)
    parser.add_argument("--general", type=int, default=5, help="networks with each kind of op")
    parser.add_argument("--kept", type=Path, help="file of counts, read and written")
    parser.add_argument("--out", type=Path, default=cost.TABLE)
    options = parser.parse_args(arguments)
    kept, compilers = options.kept, options.compilers or COMPILERS
    counts: Counts = pickle.loads(kept.read_bytes()) if kept and kept.exists() else {}
    sizes = f"--networks {options.networks} --general {options.general}"
    blocks = {}
    for family in options.classes or BOARDS:
        kernels = toolchain.create_cpu(boards.load(BOARDS[family])).kernels
        with mock.patch.object(cost, "stage_instructions", lot):
            lowered = list(networks(options.networks, options.general, kernels))
            try:
                counts = count_all(lowered, family, compilers, counts)
            finally:
                if kept:
                    kept.write_bytes(pickle.dumps(counts))
            known = refreshed(counts, family, lowered)
        for compiler in compilers:
            command = f"python -m bench.fit_cost --class {family} --compiler {compiler} {sizes}"
            blocks[f"{family}.{compiler}"] = block(known, family, compiler, command)
    tables.update(options.out, HEADER, blocks)


if __name__ == "__main__":
    try:
        main()
    except OngenError as error:
        sys.exit(f"fit_cost: {error}")
