"""What a detector costs on a board, without training or compiling it, and what it may cost.

Counts of parameters and multiplications are exact, and bounds follow from them at once; the rest is
the compiler's own cost model on a sketch of the network, some 50 ms. Limits are checked in that
order. All of it is of the program that ``ongen build`` makes: front end, view, network, score and
the line protocol; instructions and latency are those of a window.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from outliernets.boards import Board
from outliernets.detectors.spec import DetectorSpec
from outliernets.errors import ConfigError
from outliernets.graph import Lowered
from outliernets.kernels import cost
from outliernets.lower import lower
from outliernets.nets.sketch import sketch_of
from outliernets.search import around, space
from outliernets.search.around import Rates
from outliernets.search.bounds import bounds
from outliernets.toolchain import create_cpu

KEPT = 4096  #: costs that are remembered
COMPILER = "zig"
LIMITED = ("params", "flash", "ram", "latency", "instructions")  #: quickly known ones first


@dataclass(frozen=True)
class Costs:
    """What a detector costs."""

    params: int  #: all numbers that are learned, those of the score among them
    macs: int  #: of one window, those of the score among them
    flash: int  #: bytes
    ram: int  #: bytes
    instructions: int  #: of one window
    latency: float  #: seconds from the end of a window to its score


@dataclass(frozen=True)
class Limits:
    """What a detector may cost; None: whatever it takes."""

    max_params: int | None = None
    max_flash: int | None = None  #: bytes
    max_ram: int | None = None  #: bytes
    max_latency: float | None = None  #: seconds
    max_instructions: int | None = None

    def given(self) -> Iterator[tuple[str, float]]:
        """Yield what is limited, and to how much."""
        for name in LIMITED:
            limit = getattr(self, f"max_{name}")
            if limit is not None:
                yield name, limit

    def exceeded(self, costs: Costs) -> tuple[str, ...]:
        """Return what is too much, for people: ``flash 41K of 32K``."""
        return tuple(
            f"{name} {_amount(name, getattr(costs, name))} of {_amount(name, limit)}"
            for name, limit in self.given()
            if getattr(costs, name) > limit
        )


@lru_cache(maxsize=KEPT)
def costs(spec: DetectorSpec, board: Board, compiler: str = COMPILER) -> Costs:
    """Return what a detector costs on a board, built with a compiler.

    Raise ConfigError for a processor or compiler without a cost model.
    """
    rates, lowered = Rates.of(board.cpu, compiler), _lowered(spec, board)
    inside = cost.predict(lowered, board.cpu, compiler)
    rows = around.scores_rows(spec, lowered)
    outside = around.total(around.executed(spec, rows), rates.instructions)
    cycles = inside.instructions * rates.network + around.waits(inside, board)
    params, macs = learned_costs(spec)
    return Costs(
        params=params,
        macs=macs,
        flash=round(inside.flash + around.flash(spec, rows, rates)),
        ram=_ram(spec, board, rates),
        instructions=round(inside.instructions + outside),
        latency=(cycles + outside * rates.around) / board.clock_hz,
    )


@lru_cache(maxsize=1)  # the memory is asked for before all the rest
def _lowered(spec: DetectorSpec, board: Board) -> Lowered:
    return lower(sketch_of(spec.network), create_cpu(board).kernels)


def _ram(spec: DetectorSpec, board: Board, rates: Rates) -> int:
    lowered = _lowered(spec, board)
    rows = around.scores_rows(spec, lowered)
    return around.ram(spec, lowered.memory.size, rows, rates)


def at_least(spec: DetectorSpec, board: Board, compiler: str = COMPILER) -> Costs:
    """Return bounds of what a detector costs, that need no sketch."""
    rates = Rates.of(board.cpu, compiler)
    outside = around.total(around.executed(spec, scores_rows=True), rates.instructions)
    inside = bounds(spec.network.layers, create_cpu(board).kernels)
    params, macs = learned_costs(spec)
    return Costs(
        params=params,
        macs=macs,
        flash=round(inside.flash + around.flash(spec, True, rates)),
        ram=around.ram(spec, inside.arena, True, rates),
        instructions=round(inside.instructions + outside),
        latency=(inside.instructions * rates.network + outside * rates.around) / board.clock_hz,
    )


def learned_costs(spec: DetectorSpec) -> tuple[int, int]:
    """Return all parameters and products of a detector, those of its score among them."""
    params, macs = spec.network.params, spec.network.macs
    if spec.score.kind == "mahalanobis":
        pairs = spec.score.bands * (spec.score.bands + 1) // 2
        return params + spec.score.bands + pairs, macs + pairs
    return params, macs


def checked(
    spec: DetectorSpec, board: Board, limits: Limits, compiler: str = COMPILER
) -> tuple[Costs, tuple[str, ...]]:
    """Return what a detector costs, and what of that exceeds limits.

    Quick checks come first, and the first that finds something is the last: then what is not known
    yet is a bound.
    """
    known = at_least(spec, board, compiler)
    if not limits.exceeded(known):
        known = replace(known, ram=_ram(spec, board, Rates.of(board.cpu, compiler)))
    if not limits.exceeded(known):
        known = costs(spec, board, compiler)
    return known, limits.exceeded(known)


def check_possible(limits: Limits, board: Board, compiler: str = COMPILER) -> None:
    """Raise ConfigError if not even the smallest detectors of the space are within limits."""
    small = [costs(space.detector(point), board, compiler) for point in space.smallest_ones()]
    needed = {name: min(getattr(c, name) for c in small) for name in LIMITED}
    for name, limit in limits.given():
        if needed[name] > limit:
            raise ConfigError(
                f"max-{name} {_amount(name, limit)}: the smallest feasible network needs "
                f"{_amount(name, needed[name])}; raise max-{name}"
            )
    if all(map(limits.exceeded, small)):
        names = " and ".join(f"max-{name}" for name, _ in limits.given())
        raise ConfigError(f"no network is within {names} together; raise one of them")


def _amount(name: str, value: float) -> str:
    """Return a cost as the command line takes it: ``4.1K`` bytes, ``10 ms``, ``2.2M``."""
    if name == "latency":
        return f"{1000 * value:.4g} ms"
    if name in ("flash", "ram"):
        return f"{value / 1024:.4g}K"
    return f"{value:,.0f}" if value < 1e6 else f"{value / 1e6:.4g}M"
