"""Fit what stands around networks (``outliernets/search/around.toml``) to exact counts.

    python -m bench.fit_around [--board stm32f746]... [--compiler zig]... [--networks 12]
                               [--kept FILE] [--out FILE]

Links whole detectors with tiny networks, one for each view and score, and with random networks of
the search space, and counts two windows of noise in Unicorn. Looks for what each function takes of
flash and each step of instructions: nothing negative, least squares. Three seconds for each
detector and compiler; ``--kept`` keeps the counts for another run.
"""

import argparse
import pickle
import random
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import numpy as np
from scipy.optimize import nnls

from bench import rates as tables
from bench.detector_costs import Measured, lowered_of, measure
from outliernets import boards, toolchain
from outliernets.detectors.spec import DetectorSpec
from outliernets.errors import OngenError
from outliernets.kernels import cost
from outliernets.search import around, space

BOARDS = ("stm32f746", "stm32f446", "cortex-a72")  #: one of each processor
COMPILERS = ("zig", "gcc")
SCORES = (("mse", 16, 1), ("peak", 16, 1), ("bands", 16, 1), ("bands", 64, 4),
          ("mahalanobis", 16, 1), ("mahalanobis", 64, 16))  # fmt: skip
LARGE = 10_000  #: instructions of a network whose cycles count: others hardly take any
MAX_PARAMS = 30_000  #: of random networks, so that they fit the boards

HEADER = "# What stands around networks takes: fitted by bench/fit_around.py, do not edit."

Kept = dict[tuple[str, str, str], Measured]


def detectors(networks: int) -> Iterator[DetectorSpec]:
    """Yield detectors: every other view and score with tiny networks, then random networks."""
    crops = cycle(({}, {"frames": 16}, {"bands_seen": "high half"}))
    whole = space.hand_made()[0] | {"factors": 1}
    for i, view in enumerate(space.VIEWS):
        for score, bands, memory in SCORES[i % 2 :: 2]:
            chosen = {"view": view, "score": score, "bands": bands, "memory": memory}
            yield space.detector(whole | chosen | next(crops))
    chance = random.Random(0)
    while networks:
        drawn = {name: chance.choice(options) for name, options in space.DECISIONS.items()}
        spec = space.detector(drawn)
        if not spec.view.parts and spec.network.params < MAX_PARAMS:
            networks -= 1
            yield spec


def count_all(
    specs: Sequence[DetectorSpec], names: Sequence[str], compilers: Sequence[str], kept: Kept
) -> Kept:
    """Add the counts of detectors that are not kept yet."""
    for number, spec in enumerate(specs, 1):
        for board in names:
            for compiler in compilers:
                if (board, compiler, spec.name) not in kept:
                    kept[board, compiler, spec.name] = measure(spec, board, compiler)
        print(f"\r{number} of {len(specs)}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return kept


def fit(samples: Iterable[tuple[around.Steps, float]]) -> dict[str, float]:
    """Return what each step takes, the least squares."""
    found = list(samples)
    steps = sorted({step for done, _ in found for step in done})
    matrix = np.array([[done.get(step, 0) for step in steps] for done, _ in found], float)
    norms = np.sqrt((matrix**2).mean(axis=0))
    solution, _ = nnls(matrix / norms, np.array([took for _, took in found]))
    return dict(zip(steps, (solution / norms).tolist(), strict=True))


@dataclass(frozen=True)
class Point:
    """A detector, what it has and does around its network, and what that took."""

    code: tuple[around.Steps, float]  #: functions, bytes
    executed: tuple[around.Steps, float]  #: steps of a window, instructions
    ram: int  #: bytes of the program's own variables
    outside: tuple[int, int]  #: instructions and cycles (0: nobody knows) around the network
    inside: tuple[int, float]  #: of the network; cycles without waiting for tables
    measured: Measured


def points(specs: Iterable[DetectorSpec], kept: Kept, board: str, compiler: str) -> list[Point]:
    """Return what was measured on a board with a compiler."""
    return [_point(spec, kept[board, compiler, spec.name], board, compiler) for spec in specs]


def _point(spec: DetectorSpec, measured: Measured, board_name: str, compiler: str) -> Point:
    board, lowered = boards.load(board_name), lowered_of(spec, board_name)
    rows = around.scores_rows(spec, lowered)
    waits = around.waits(cost.predict(lowered, board.cpu, compiler), board)
    cycles, own = measured.cycles or 0, measured.network_cycles or 0
    outside = measured.window - measured.network
    flash = measured.flash - measured.network_flash - around.tables(spec)
    return Point(
        code=(around.code(spec, rows), flash),
        executed=(around.executed(spec, rows), outside),
        ram=measured.ram - around.state(spec, lowered.memory.size, rows) - lowered.graph.y.size,
        outside=(outside, cycles - own),
        inside=(measured.network, own - waits if own else 0),
        measured=measured,
    )


def rates(found: Sequence[Point]) -> around.Rates:
    """Fit all rates of a processor and a compiler."""
    large = dict(p.inside for p in found if p.inside[0] > LARGE)
    network = np.mean([cycles / count for count, cycles in large.items()])
    outside = np.sum([p.outside for p in found], axis=0)
    return around.Rates(
        code=fit(p.code for p in found),
        instructions=fit(p.executed for p in found),
        around=float(outside[1] / outside[0]) or 1.0,
        network=float(network) or 1.0,
        ram=max(p.ram for p in found),
    )


def errors(found: Sequence[Point], fitted: around.Rates) -> str:
    """Say how far off the rates are, at most."""
    flash = [around.total(p.code[0], fitted.code) - p.code[1] for p in found]
    count = [
        (around.total(p.executed[0], fitted.instructions) - p.executed[1]) / p.measured.window
        for p in found
    ]
    ram = {fitted.ram - p.ram for p in found}
    return (
        f"flash {max(map(abs, flash)):.0f} bytes off at most, instructions of a window "
        f"{max(map(abs, count)):.1%}, RAM {max(ram)} bytes"
    )


def block(name: str, compiler: str, some: Sequence[Point], command: str) -> str:
    """Return what ``around.toml`` says of a board and a compiler."""
    board, fitted = boards.load(name), rates(some)
    lines = [
        f"# {name}, {toolchain.get(compiler, board).version()}, {len(some)} detectors:",
        f"# {errors(some, fitted)}",
        f"#     {command}",
        f"[{board.cpu}.{compiler}]",
        f"code = {_table(fitted.code)}",
        f"instructions = {_table(fitted.instructions)}",
        f"around = {fitted.around:.3f}",
        f"network = {fitted.network:.3f}",
        f"ram = {fitted.ram}",
    ]
    return "\n".join(lines)


def _table(steps: around.Steps) -> str:
    return "{ " + ", ".join(f"{s} = {round(v, 3)}" for s, v in steps.items() if round(v, 3)) + " }"


def main(arguments: Sequence[str] | None = None) -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--board", dest="boards", action="append", choices=BOARDS)
    parser.add_argument("--compiler", dest="compilers", action="append", choices=COMPILERS)
    parser.add_argument("--networks", type=int, default=12)
    parser.add_argument("--kept", type=Path, help="file of counts, read and written")
    parser.add_argument("--out", type=Path, default=around.TABLE)
    options = parser.parse_args(arguments)
    file = options.kept
    kept: Kept = pickle.loads(file.read_bytes()) if file and file.exists() else {}
    specs = list(detectors(options.networks))
    names, compilers = options.boards or BOARDS, options.compilers or COMPILERS
    try:
        count_all(specs, names, compilers, kept)
    finally:
        if file:
            file.write_bytes(pickle.dumps(kept))
    blocks = {}
    for name in names:
        for compiler in compilers:
            command = (
                f"python -m bench.fit_around --board {name} --compiler {compiler} "
                f"--networks {options.networks}"
            )
            some = points(specs, kept, name, compiler)
            blocks[f"{boards.load(name).cpu}.{compiler}"] = block(name, compiler, some, command)
    tables.update(options.out, HEADER, blocks)


if __name__ == "__main__":
    try:
        main()
    except OngenError as error:
        sys.exit(f"fit_around: {error}")
