"""What stands around a network: front end, view, score, and the program that answers for them.

Memory and tables are known exactly. Code, instructions and cycles are estimates: what a detector
has and does, times what that takes on a processor with a compiler (``around.toml``, fitted by
``bench/fit_around.py`` to programs that were linked and counted). The front end is the default one.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from math import prod
from pathlib import Path

from outliernets import boards
from outliernets.boards import Board
from outliernets.config import MelConfig
from outliernets.detectors.spec import DetectorSpec
from outliernets.errors import ConfigError, near_miss
from outliernets.graph import Lowered
from outliernets.kernels.cost import Cost
from outliernets.nets.layers import Pair
from outliernets.target.cycles.memory import CACHES

TABLE = Path(__file__).with_name("around.toml")
FRONT_END = MelConfig()
MEL_STATE = 4 + 2 * FRONT_END.n_fft + 4 * FRONT_END.n_fft  #: bytes of on_mel_state_t
COUNTERS = 8  #: bytes of rows and windows in a detector's state
ALIGNMENT = 16  #: of a detector's state
LEAST_ARENA = 4  #: bytes
PART = 16  #: bytes of on_view_part_t

Steps = Mapping[str, float]


@dataclass(frozen=True)
class Rates:
    """What steps take on a processor with a compiler."""

    code: Steps  #: bytes
    instructions: Steps
    around: float  #: cycles of an instruction outside the network
    network: float  #: cycles of one inside, without waiting for tables
    ram: int  #: bytes of the program's own variables

    @classmethod
    def of(cls, cpu: str, compiler: str) -> "Rates":
        """Return the rates of a processor and a compiler; ConfigError if there are none."""
        table = _table()
        if cpu not in table:
            modelled = [name for name in boards.names() if boards.load(name).cpu in table]
            raise ConfigError(
                f"no cost model for cpu '{cpu}', so no search for it; "
                f"boards with one: {', '.join(modelled)}"
            )
        if compiler not in table[cpu]:
            known = near_miss(compiler, table[cpu])
            raise ConfigError(f"no cost model for compiler '{compiler}' ({known})")
        return table[cpu][compiler]


@cache
def _table() -> dict[str, dict[str, Rates]]:
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    return {
        cpu: {compiler: Rates(**rates) for compiler, rates in compilers.items()}
        for cpu, compilers in table.items()
    }


def total(steps: Steps, rates: Steps) -> float:
    """Return what steps take together."""
    return sum(count * rates.get(step, 0.0) for step, count in steps.items())


def code(spec: DetectorSpec, scores_rows: bool) -> Steps:
    """Return which functions a program has, each once."""
    return dict.fromkeys(("program", *_looks(spec), *_scores(spec, scores_rows)), 1)


def flash(spec: DetectorSpec, scores_rows: bool, rates: Rates) -> float:
    """Return the bytes of all but the network."""
    return total(code(spec, scores_rows), rates.code) + tables(spec)


def executed(spec: DetectorSpec, scores_rows: bool) -> Steps:
    """Return how often each step is done for one window."""
    return {
        "frame": FRONT_END.frames,
        "window": 1,
        **_looks(spec),
        **_scores(spec, scores_rows),
    }


def tables(spec: DetectorSpec) -> int:
    """Return the bytes of the tables of view and score."""
    size = sum(PART + 4 * part.bands for part in spec.view.parts)
    if spec.score.kind == "mahalanobis":
        size += (2 * spec.score.bands + 8) * spec.score.bands
    return size


def ram(spec: DetectorSpec, arena: int, scores_rows: bool, rates: Rates) -> int:
    """Return the bytes of a program's variables; ``arena``: of the network's maps."""
    kept = max(arena, LEAST_ARENA) if spec.network.layers else 0
    return state(spec, kept, scores_rows) + _made(spec) + rates.ram


def state(spec: DetectorSpec, arena: int, scores_rows: bool) -> int:
    """Return the bytes of a detector's state, ``NAME_state_t``."""
    rows, columns = spec.network.input_shape
    size = _up(arena, 4)
    if not spec.view.is_window:
        size = _up(size, ALIGNMENT) + _up(_seen(spec), ALIGNMENT) + _up(FRONT_END.n_mels, 4)
    size += rows * columns + (0 if scores_rows else _made(spec))  # what the network reads, makes
    size = _up(size, 4) + (4 * spec.score.bands if spec.score.is_banded else 0)
    return _up(size + MEL_STATE + COUNTERS, ALIGNMENT)


def scores_rows(spec: DetectorSpec, lowered: Lowered) -> bool:
    """Whether rows are scored as they come, so that the output is never kept."""
    last = lowered.graph.nodes[-1:]
    return spec.score.kind == "mse" and any(node.op.scores_rows for node in last)


def waits(network: Cost, board: Board) -> float:
    """Return cycles that the network waits for its tables, as ``target.cycles.memory`` has it."""
    held = CACHES.get(board.family)
    if held is None:
        return 0.0
    size = sum(f.constants for node in network.nodes for f in node.functions)
    return max(0, size - held.size) / held.line * held.fill


def _made(spec: DetectorSpec) -> int:
    """Return the bytes of what the network makes; zeros of no network are constants."""
    return prod(spec.network.input_shape) if spec.network.layers else 0


def _seen(spec: DetectorSpec) -> int:
    """Return the bytes of what a view keeps of the rows so far."""
    bytes_of = {"sums": 2, "squares": 4, "maxima": 1}
    _, bands = _extent(spec)
    return bands * sum(n for kept, n in bytes_of.items() if kept in _kept(spec))


def _extent(spec: DetectorSpec) -> Pair:
    """Return how many frames and bands a view looks at."""
    skip, low, high = spec.view.extent(FRONT_END.frames, FRONT_END.n_mels)
    return FRONT_END.frames - skip, high - low


def _kept(spec: DetectorSpec) -> set[str]:
    of = {"mean": {"sums"}, "deviation": {"sums", "squares"}, "maximum": {"maxima"}}
    return set[str]().union(*(of[part.statistic] for part in spec.view.parts)) or {"sums"}


def _looks(spec: DetectorSpec) -> dict[str, float]:
    """Return what a view does with the rows of a window."""
    frames, bands = _extent(spec)
    values = frames * bands
    if spec.view.is_window:
        return {}
    kept = _kept(spec)
    steps: dict[str, float] = {"maxima": values} if "maxima" in kept else {}
    if "sums" in kept:
        steps["squares" if "squares" in kept else "sums"] = values
    if not spec.view.parts:
        return steps | {"pool": values // spec.view.pool}
    for part in spec.view.parts:  # every band is looked at, neighbours are averaged
        steps |= {part.statistic: bands, "element": steps.get("element", 0) + part.bands}
    return steps


def _scores(spec: DetectorSpec, scores_rows: bool) -> dict[str, float]:
    """Return what a score does with the residual."""
    rows, columns = spec.network.input_shape
    kind, bands = spec.score.kind, spec.score.bands
    if not spec.score.is_banded:
        return {} if scores_rows else {kind: rows * columns}
    steps: dict[str, float] = {"levels": rows * columns, "level": bands}
    if spec.score.memory > 1:
        steps["memory"] = bands
    return steps | ({"distance": bands**2} if kind == "mahalanobis" else {"level_square": bands})


def _up(size: int, alignment: int) -> int:
    return -(-size // alignment) * alignment
