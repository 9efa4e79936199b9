"""Exact counts of whole detectors, beside what the search expects of them.

    python -m bench.detector_costs [--points 10] [--board stm32f746] [--toolchain zig]

Random points of the search space with random weights, quantised by TensorFlow, are linked as
``ongen build`` does and run in Unicorn; prints a table in Markdown.
"""

import argparse
import random
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from outliernets import boards, codegen, target, toolchain
from outliernets.boards import linker_context
from outliernets.config import MelConfig
from outliernets.detectors import fixed
from outliernets.detectors.normal import Normal
from outliernets.detectors.spec import DetectorSpec
from outliernets.errors import OngenError
from outliernets.features.windows import Standardizer
from outliernets.graph import Graph, Lowered
from outliernets.importer import read
from outliernets.lower import lower
from outliernets.nets.sketch import sketch_of
from outliernets.pipeline import firmware
from outliernets.pipeline.untrained import untrained
from outliernets.search import costs, space
from outliernets.target import cycles

IDENTITY, WINDOWS, NAME = 1, 2, "net"


@dataclass(frozen=True)
class Measured:
    """What ``ongen build`` reports of a program."""

    flash: int  #: bytes
    ram: int  #: bytes
    state: int  #: bytes of the detector's own variables
    network_flash: int  #: bytes of its code and constants
    network: int  #: instructions
    window: int  #: instructions
    cycles: int | None  #: of a window, estimated; None: no model of this processor
    network_cycles: int | None


def measure(
    spec: DetectorSpec, board_name: str, compiler: str, graph: Graph | None = None
) -> Measured:
    """Compile a detector with random weights and run it in Unicorn on two windows of noise.

    ``graph``: its network, called NAME; None: a sketch.
    """
    board = boards.load(board_name)
    files = program_files(spec, board_name, graph or sketch_of(spec.network, NAME))
    with tempfile.TemporaryDirectory(prefix="ongen-") as scratch:
        source = Path(scratch) / "source"
        source.mkdir()
        firmware.write_sources(files, source)
        built = firmware.link(source, board, "unicorn", compiler, Path(scratch) / "out")
        mel = MelConfig()
        samples = mel.hop * (mel.frames * WINDOWS - 1) + mel.n_fft
        pcm = np.random.default_rng(1).normal(0, 3000, samples).astype(np.int16)
        with target.get("unicorn").open(built.elf, board) as running:
            client = target.Client(running, built.elf)
            hello = client.hello(IDENTITY)
            client.reset()
            heard = client.push(pcm)
            counts, flow = running.counts(), running.flow()
        assert len(heard) == WINDOWS
        frames = mel.frames * WINDOWS
        runs = firmware.per_run(counts, NAME, frames, WINDOWS)
        estimated = cycles.estimate(built.elf, board.cpu, flow)
        spent = estimated and firmware.cycle_facts(
            estimated, built.elf, board, NAME, frames, WINDOWS
        )
    own = sum(n for s, n in built.symbols if s.startswith((f"{NAME}_n", f"{NAME}_infer")))
    return Measured(
        flash=built.flash,
        ram=built.ram,
        state=hello.state_size,
        network_flash=own,
        network=runs["network"] or 0,
        window=runs["window"] or 0,
        cycles=spent and spent["window"],
        network_cycles=spent and spent["network"],
    )


def program_files(spec: DetectorSpec, board_name: str, graph: Graph) -> dict[str, str]:
    """Return the generated C of a detector that has learned noise."""
    board, mel = boards.load(board_name), MelConfig()
    rng = np.random.default_rng(3)
    bands = mel.n_mels
    standardizer = Standardizer(
        tuple(rng.uniform(-70, -40, bands)), tuple(rng.uniform(2, 9, bands))
    )
    windows = rng.normal(0, 1, (20, mel.frames, bands)).astype(np.float32)
    normal = None
    if spec.score.kind == "mahalanobis":
        normal = Normal(np.zeros(spec.score.bands), np.eye(spec.score.bands), 0.0)
    found = fixed.plans(spec, (spec.view.fit(windows, mel.clip_sigma), normal), mel, standardizer,
                        graph)  # fmt: skip
    lowered = lower(graph, toolchain.create_cpu(board).kernels)
    return (
        codegen.network_files(lowered, front_end=True, score=found.score, view=found.view)
        | codegen.detector_files(NAME, found.front_end, found.score, found.view)
        | codegen.app_files(NAME, IDENTITY, front_end=True)
        | codegen.linker_files(linker_context(board, "unicorn"))
    )


def lowered_of(spec: DetectorSpec, board_name: str) -> Lowered:
    """Return the lowered sketch of a detector's network."""
    graph = sketch_of(spec.network, NAME)
    return lower(graph, toolchain.create_cpu(boards.load(board_name)).kernels)


MAX_PARAMS = 30_000  #: so that points fit the boards


def random_points(count: int, seed: int = 1) -> list[DetectorSpec]:
    """Return detectors at random, half of them with convolutions."""
    chance, found = random.Random(seed), list[DetectorSpec]()
    while len(found) < count:
        point = {name: chance.choice(options) for name, options in space.DECISIONS.items()}
        if len(found) % 2:
            view = chance.choice([v for v, spec in space.VIEWS.items() if not spec.parts])
            point |= {"view": view, "frames_network": "convolutions"}
        spec = space.detector(point)
        if spec.network.params <= MAX_PARAMS:
            found.append(spec)
    return found


def converted(spec: DetectorSpec) -> Graph:
    """Return the network as TensorFlow quantises it."""
    with tempfile.TemporaryDirectory(prefix="ongen-") as folder:
        path = Path(folder) / "model.tflite"
        path.write_bytes(untrained(spec.network).int8())
        return read(path, NAME)


def main(arguments: Sequence[str] | None = None) -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--points", type=int, default=10)
    parser.add_argument("--board", default="stm32f746")
    parser.add_argument("--toolchain", default="zig")
    options = parser.parse_args(arguments)
    board = boards.load(options.board)
    print("| view, network, score | flash | expected | RAM | expected | instructions | expected |"
          " estimated ms | expected |\n| --- |" + " --- |" * 8)  # fmt: skip
    for spec in random_points(options.points):
        found = measure(spec, options.board, options.toolchain, converted(spec))
        told = costs.costs(spec, board, options.toolchain)
        ms = None if found.cycles is None else 1000 * found.cycles / board.clock_hz
        pairs = [(found.flash, told.flash), (found.ram, told.ram),
                 (found.window, told.instructions)]  # fmt: skip
        cells = [f"{exact:,} | {told / exact - 1:+.1%}" for exact, told in pairs]
        cells.append("| " if ms is None else f"{ms:.2f} | {1000 * told.latency / ms - 1:+.1%}")
        kind = "linear" if spec.network.family == "linear" else f"{len(spec.network.listed)} layers"
        seen = "statistics" if spec.view.parts else f"pool {spec.view.pool}"
        print(f"| {seen}, {kind}, {spec.score.kind} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    try:
        main()
    except OngenError as error:
        sys.exit(f"detector_costs: {error}")
