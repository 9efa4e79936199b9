"""What a detector costs on a board, without training or compiling it, and what it may cost.

Counts of parameters and multiplications are exact and come at once; the rest is the compiler's own
cost model on a sketch of the network, some 50 ms. So limits are checked in that order.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from outliernets.boards import Board
from outliernets.detectors.spec import DetectorSpec
from outliernets.errors import ConfigError
from outliernets.kernels import cost
from outliernets.lower import lower
from outliernets.nets.sketch import sketch
from outliernets.search import space
from outliernets.toolchain import create_cpu

KEPT = 4096  #: costs that are remembered
LEAST_BYTES = 1.0  #: of flash for a parameter, at least
LEAST_INSTRUCTIONS = 0.5  #: for a multiply-accumulate, at least: SMLAD does two


@dataclass(frozen=True)
class Costs:
    """What a detector costs."""

    params: int
    macs: int  #: of one window
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

    def exceeded(self, costs: Costs) -> tuple[str, ...]:
        """Return what is too much, for people: ``flash 41.0K of 32K``."""
        return tuple(
            f"{name} {_amount(name, found)} of {_amount(name, limit)}"
            for name, found, limit in self._pairs(costs)
            if found > limit
        )

    def excess(self, costs: Costs) -> tuple[float, ...]:
        """Return how far each limit is exceeded, as a share of it; negative: how much is left."""
        return tuple(found / limit - 1 for _, found, limit in self._pairs(costs))

    def _pairs(self, costs: Costs) -> Iterator[tuple[str, float, float]]:
        for name in ("params", "flash", "ram", "latency", "instructions"):
            limit = getattr(self, f"max_{name}")
            if limit is not None:
                yield name, getattr(costs, name), limit


@lru_cache(maxsize=KEPT)
def costs(spec: DetectorSpec, board: Board) -> Costs:
    """Return what a detector costs on a board.

    Raise ConfigError for a board whose processor has no cost model.
    """
    network = spec.network
    lowered = lower(sketch("net", network.layers), create_cpu(board).kernels)
    predicted = cost.predict(lowered, board.cpu)
    return Costs(
        params=network.params,
        macs=network.macs,
        flash=round(predicted.flash),
        ram=predicted.ram,
        instructions=round(predicted.instructions),
        latency=predicted.instructions / board.clock_hz,
    )


def at_least(spec: DetectorSpec, board: Board) -> Costs:
    """Return what a detector costs at the very least: exact counts, and bounds that follow."""
    params, macs = spec.network.params, spec.network.macs
    rows, columns = spec.network.input_shape
    instructions = round(LEAST_INSTRUCTIONS * macs)
    return Costs(
        params=params,
        macs=macs,
        flash=round(LEAST_BYTES * params),
        ram=rows * columns,
        instructions=instructions,
        latency=0.0,
    )


def rejected(spec: DetectorSpec, board: Board, limits: Limits) -> tuple[str, ...]:
    """Return what of a detector exceeds limits, nothing for one that fits; cheap checks first."""
    return limits.exceeded(at_least(spec, board)) or limits.exceeded(costs(spec, board))


def check_possible(limits: Limits, board: Board) -> None:
    """Raise ConfigError if not even the smallest detector of the space is within limits."""
    least = costs(space.detector(space.smallest()), board)
    for name, found, limit in limits._pairs(least):
        if found > limit:
            raise ConfigError(
                f"max-{name} {_amount(name, limit)}: the smallest feasible network needs "
                f"{_amount(name, found)}; raise max-{name}"
            )


def _amount(name: str, value: float) -> str:
    """Return a cost as the command line takes it: ``4.1K`` bytes, ``10 ms``, ``2.2M``."""
    if name == "latency":
        return f"{1000 * value:.3g} ms"
    if name in ("flash", "ram"):
        return f"{value / 1024:.3g}K"
    return f"{value:,.0f}" if value < 1e6 else f"{value / 1e6:.3g}M"
