"""What a network costs at the very least, from its layers alone: microseconds for a search.

Most points of a space that do not fit a board are far from fitting. Rows in memory follow from how
chains of layers are computed row by row (``kernels.rows_pairs``). Bytes and instructions are those
that each weight, value and layer never took less than, in random networks of the space and with any
of the compilers (``LEAST``, by what kernels a processor has); tests compare with the cost model.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, zip_longest
from math import prod

from outliernets.nets.layers import Layer, Pair


@dataclass(frozen=True)
class Least:
    """What the kernels of a processor never took less than, by what computes a layer."""

    code: Mapping[str, float]  #: bytes of code of a layer
    weight: Mapping[str, float]  #: bytes of a weight, with the code that is made for it
    product: Mapping[str, float]  #: instructions
    value: Mapping[str, float]  #: instructions to make one
    kept: int  #: bytes of a value in a row


#: by ``toolchain.Cpu.kernels``
LEAST = {
    "pairs": Least(
        code={"conv": 400, "plane": 350, "pointwise": 200, "dense": 400, "pool": 200, "resize": 10},
        weight={"conv": 2.0, "plane": 3.5, "pointwise": 2.0, "dense": 1.0},
        product={"conv": 0.5, "plane": 1.0, "pointwise": 0.9, "dense": 0.97},
        value={
            "conv": 7.0,
            "plane": 1.0,
            "pointwise": 3.0,
            "dense": 9.0,
            "pool": 1.0,
            "resize": 1.0,
        },
        kept=2,
    ),
    "lanes": Least(
        code={"conv": 400, "plane": 350, "pointwise": 200, "dense": 430, "pool": 150, "resize": 10},
        weight={"conv": 2.0, "plane": 2.0, "pointwise": 2.0, "dense": 1.0},
        product={"conv": 0.12, "plane": 0.12, "pointwise": 0.12, "dense": 0.5},
        value={
            "conv": 0.5,
            "plane": 0.5,
            "pointwise": 0.5,
            "dense": 8.0,
            "pool": 0.05,
            "resize": 0.05,
        },
        kept=1,
    ),
}
OUTPUT = 7  #: bytes of constants of each output channel, at least
WHOLE = ("dense", "resize")  #: what works on whole maps


@dataclass(frozen=True)
class Bounds:
    """Lower bounds of a network."""

    flash: float  #: bytes
    arena: int  #: bytes of memory for maps
    instructions: float


def bounds(layers: Sequence[Layer], kernels: str = "pairs") -> Bounds:
    """Return lower bounds of a network of ``layers``; ``kernels``: a key of ``LEAST``."""
    least = LEAST[kernels]
    steps = [
        step for layer, repeat in _repeated(layers) for step in _steps(layer, repeat, least.kept)
    ]
    flash = sum(
        least.code[s.kind] + least.weight.get(s.kind, 0) * s.weights + OUTPUT * s.outputs
        for s in steps
    )
    instructions = sum(
        least.product.get(s.kind, 0) * s.products + least.value[s.kind] * s.values for s in steps
    )
    return Bounds(flash, _arena(steps), instructions)


@dataclass(frozen=True)
class _Step:
    """An op: a layer, or a half of a separable one."""

    kind: str
    weights: int
    outputs: int  #: channels with a bias
    products: int  #: with weights
    values: int  #: made
    line: int  #: bytes of the rows in front of it ...
    row: int  #: ... or of the row, if it is read at once and then another's
    map: int  #: bytes of what it makes


def _repeated(layers: Sequence[Layer]) -> Iterator[tuple[Layer, Pair]]:
    """Yield the layers that compute, and by what the map that each reads is upsampled.

    As the passes do: what looks at pixels one by one is computed before the upsampling, and only
    what steps on by one pixel reads the smaller map.
    """
    pending: Layer | None = None
    for layer in layers:
        convolves = layer.kind in ("conv", "separable") and layer.stride == (1, 1)
        if pending and convolves and layer.kind == "conv" and layer.kernel == (1, 1):
            small = (*pending.source[:2], layer.target[2])
            yield replace(layer, source=pending.source, target=small), (1, 1)
            pending = replace(pending, source=small, target=layer.target)
        elif pending and convolves and layer.padding == "same":
            yield layer, pending.stride
            pending = None
        else:
            if pending:
                yield pending, (1, 1)
            pending = layer if layer.kind == "upsample" else None
            if not pending:
                yield layer, (1, 1)
    if pending:
        yield pending, (1, 1)


def _steps(layer: Layer, repeat: Pair, kept: int) -> Iterator[_Step]:
    inputs, outputs = layer.source[2], layer.target[2]
    values = prod(layer.target)
    if layer.kind == "dense" or layer.padding == "valid":
        size = prod(layer.source)
        bias = 0 if layer.kind == "conv" else values
        yield _Step("dense", layer.weights, bias, layer.weights, values, 2 * size, 0, values)
        return
    if layer.kind == "upsample":
        yield _Step("resize", 0, 0, 0, values, 0, 0, values)
        return
    line, row = _rows(layer, repeat, kept)
    if layer.kind == "max_pool":
        yield _Step("pool", 0, 0, 0, values, line, row, values)
        return
    products = _products(layer, 0, repeat[0]) * _products(layer, 1, repeat[1])
    if layer.kind == "separable":
        middle, taps = values // outputs * inputs, prod(layer.kernel)
        yield _Step("plane", taps * inputs, inputs, products * inputs, middle, line, row, middle)
        weights = inputs * outputs
        yield _Step(
            "pointwise",
            weights,
            outputs,
            middle * outputs,
            values,
            0,
            kept * middle // layer.target[0],
            values,
        )
        return
    kind = "pointwise" if layer.kernel == (1, 1) else "conv"
    kind = "plane" if inputs == 1 else kind
    yield _Step(
        kind, layer.weights, outputs, products * inputs * outputs, values, line, row, values
    )


def _products(layer: Layer, axis: int, repeat: int) -> int:
    """Return how many cells outputs read along an axis, without those beyond its ends.

    Of a repeated map each source cell and each tap need to be multiplied once.
    """
    kernel, stride = layer.kernel[axis], layer.stride[axis]
    cells, outputs = layer.source[axis], layer.target[axis]
    if repeat > 1:
        return cells // repeat * kernel
    before = max((outputs - 1) * stride + kernel - cells, 0) // 2
    firsts = [output * stride - before for output in range(outputs)]
    return sum(min(first + kernel, cells) - max(first, 0) for first in firsts)


def _rows(layer: Layer, repeat: Pair, kept: int) -> Pair:
    """Return the bytes of the rows that a layer keeps of its source, or of one that will do."""
    taps = layer.kernel[0]
    if repeat[0] > 1:
        taps = (repeat[0] + taps - 2) // repeat[0] + 1
    row = kept * layer.source[1] // repeat[1] * layer.source[2]
    padded = layer.kind != "max_pool" and layer.kernel[1] > 1
    # Of one output channel sums may be kept in place of rows.
    at_once = layer.kind == "conv" and layer.target[2] == 1
    return (0, row) if at_once or (taps == 1 and not padded) else (taps * row, 0)


def _arena(steps: Sequence[_Step]) -> int:
    """Return the memory of the most demanding chain."""
    chains = list(_chains(steps))
    # The network's input is no part of the arena, nor is its output.
    maps = [0, *(_between(a[-1], b[0]) for a, b in pairwise(chains)), 0]
    held = (_held(chain, maps[i], maps[i + 1]) for i, chain in enumerate(chains))
    return max(held, default=0)


def _between(before: _Step, after: _Step) -> int:
    """Return the map between two chains; none where an upsampling may yet become a part of one."""
    return 0 if "resize" in (before.kind, after.kind) else before.map


def _chains(steps: Sequence[_Step]) -> Iterator[Sequence[_Step]]:
    """Yield what is computed in one go."""
    first = 0
    for i, (step, after) in enumerate(zip_longest(steps, steps[1:])):
        if after is None or step.kind in WHOLE or after.kind in WHOLE:
            yield steps[first : i + 1]
            first = i + 1


def _held(chain: Sequence[_Step], before: int, after: int) -> int:
    """Return the memory of a chain between two maps; it may be cut once, with a map there."""

    def lines(part: Sequence[_Step]) -> int:
        return sum(step.line for step in part) + max(step.row for step in part)

    held = [before + lines(chain) + after]
    for i in range(1, len(chain)):
        between = chain[i - 1].map
        parts = (before + lines(chain[:i]) + between, between + lines(chain[i:]) + after)
        held.append(max(parts))
    return min(held)
