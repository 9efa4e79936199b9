"""The same as ``work`` for rows in vector registers (``rows_lanes``): sixteen pixels at a time.

Products and what comes after them stand in the loops one by one, so what a turn does is counted in
vectors of sixteen: of bytes, of shorts, or of their 32-bit sums.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from outliernets.kernels.loops import (
    WORD,
    Context,
    Function,
    Loop,
    begin,
    rows_made,
    slot,
)

LANES = 16
SCALE = 3 * WORD  #: bytes of how a channel's sums begin and end
SIZES = {"bytes": LANES, "shorts": 2}  #: bytes of a weight, by the row's numbers
#: Vector registers, as ``work.REGISTERS``: values beyond these are kept in memory.
REGISTERS = (16, 24, 32)
VECTORS = {"bytes": 1, "shorts": 2}  #: registers of sixteen numbers
SUMS = 4  #: registers of sixteen sums


def chain(context: Context) -> Iterator[Function]:
    """Yield the functions of a chain of rows."""
    stages: Sequence[Context] = context["stages"]
    made = rows_made(context)
    yield _load(context, made[0])
    for stage, calls, sources in zip(stages, made[1:], made[:-1], strict=True):
        yield from _STAGES[stage["kind"]](stage, calls, sources)
    yield _rows(context)


def _rows(context: Context) -> Function:
    """The function of a node: it sets all rows to padding, and hands out those of the output."""
    output = context["output"]
    cleared: Counter[str] = Counter()
    for stage in context["stages"]:
        line = stage["line"]
        if line["padded"]:
            cleared[f"clear_{line['numbers']}"] += line["rows"] * line["row"] // LANES
        if stage["kind"] == "scatter":
            cleared["restart"] += stage["kernel_rows"] * _blocks(stage)
    values = 0 if output["direct"] else context["rows"] * output["row"]
    return Function(
        "",
        "rows",
        (
            Loop(1, {"begin": 1}),
            *(Loop(count, {step: 1}) for step, count in cleared.items()),
            Loop(context["rows"], {"row": 1}),
            Loop(values, {"value": int(values > 0)}),
        ),
    )


def _load(context: Context, calls: int) -> Function:
    source, line = context["source"], context["stages"][0]["line"]
    channels, width = source["channels"], source["width"]
    whole = width // LANES if channels == 1 or line["planes"] > 1 else 0
    rest = 0 if whole * LANES == width else calls * channels
    return Function(
        "load",
        "load",
        (
            Loop(calls, {"begin": 1, **slot(line)}),
            Loop(calls * whole, {f"vector_{line['numbers']}": int(whole > 0)}),
            Loop(rest, {"channel": int(rest > 0)}),
            Loop(rest * (width - whole * LANES), {f"value_{line['numbers']}": int(rest > 0)}),
        ),
    )


# --- stages --------------------------------------------------------------------------------------


def _blocks(stage: Context) -> int:
    """Vectors of one phase of a row."""
    return int(stage["lanes"]) // LANES


def _sums(groups: Sequence[Sequence[object]], numbers: str) -> dict[str, int]:
    """Products that are added up; those of a group of bytes add up within 16 bits."""
    terms = sum(map(len, groups))
    return {f"product_{numbers}": terms, "group": len(groups) * int(numbers == "bytes")}


def _together(*some: Mapping[str, int]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for steps in some:
        total.update(steps)
    return dict(total)


def _scaled(stage: Context, phases: int, known: bool = True) -> dict[str, int]:
    """Sums that become vectors of the next row; ``known``: the shift is a constant."""
    rule = stage["scale"]["rule"]
    how = rule if rule != "floor" or known else "floor_up"
    into = stage["into"]["numbers"]
    return {f"scale_{how}_{into}": phases, f"store_{into}": 1}


def _beyond(held: int) -> dict[str, int]:
    """How many vectors do not fit the registers, for each number of registers."""
    return {f"beyond_{r}": max(0, held - r) for r in REGISTERS}


def _mended(stage: Context, calls: int) -> Loop:
    """Padding behind rows that whole vectors were written over."""
    mend = stage["into"]["mend"]
    return Loop(calls * mend, {"mend": int(mend > 0)})


def _tables(stage: Context) -> int:
    size = WORD if stage["kind"] == "plain" else SIZES[stage["line"]["numbers"]]
    return size * len(stage["weights"]) + SCALE * len(stage["scales"])


def _taps(stage: Context, calls: int, sources: int) -> Iterator[Function]:
    name, numbers, taps = stage["name"], stage["line"]["numbers"], stage["rows"]["taps"]
    channels, step = calls * stage["channels"], stage["step"]
    in_bytes = numbers == "bytes"
    weights = stage["weights_together"] if in_bytes else stage["weight_vectors"]
    shared = bool(stage["shared"])
    read = taps * (len(stage["loads"]) + len(stage["cells"]) + 3 * shared)
    products = [_sums(groups, numbers) for groups in [stage["shared"], *stage["phases"]] if groups]
    block = _together(
        {
            "block": 1,
            f"load{step}_{numbers}": read,
            "step": 2 * taps * shared,
            "sum": len(products),
            **_beyond(weights + VECTORS[numbers] * read * step + SUMS * len(products)),
        },
        *products,
        _scaled(stage, len(stage["phases"])),
    )
    rule, shifts = stage["scale"]["rule"], len(stage["scale"]["shifts"])
    # One function for each shift, of which a channel calls one.
    copies = shifts if rule == "floor" else 1
    loops = (
        Loop(channels, {"begin": 1, "weight": weights}),
        Loop(channels * _blocks(stage), block),
        _mended(stage, channels),
    )
    yield Function(f"{name}_channel", "taps_channel", _written_times(loops, copies), _tables(stage))
    yield Function(
        name,
        "taps",
        (
            *begin(stage, calls, sources),
            Loop(calls * taps, {"source": 1, **slot(stage["line"])}),
            Loop(channels, {"channel": 1, "chosen": int(copies > 1)}),
            Loop(channels * taps, {"argument": 1}),
        ),
    )


def _written_times(loops: tuple[Loop, ...], copies: int) -> tuple[Loop, ...]:
    """Return loops that stand in the code several times, and are executed in one of them."""
    return loops + tuple(Loop(0, loop.steps) for loop in loops) * (copies - 1)


def _pointwise(stage: Context, calls: int, sources: int) -> Iterator[Function]:
    numbers, inputs = stage["line"]["numbers"], stage["inputs"]
    read = inputs if numbers == "bytes" else stage["weight_vectors"]
    outputs = [
        _together(
            {"sum": 1, "weight": read, **_beyond(VECTORS[numbers] * inputs + SUMS)},
            _sums(groups, numbers),
            _scaled(stage, 1, known=bool(scales[-1])),
        )
        for groups, scales in zip(stage["sums"], stage["scales"], strict=True)
    ]
    block = _together({"block": 1, f"load1_{numbers}": inputs}, *outputs)
    yield Function(
        stage["name"],
        "pointwise",
        (
            *begin(stage, calls, sources),
            Loop(calls * _blocks(stage), block),
            _mended(stage, calls * stage["channels"]),
        ),
        _tables(stage),
    )


def _one_shift(stage: Context) -> bool:
    """Whether all channels have the same shift, other than 0."""
    shifts = stage["scale"]["shifts"]
    return len(shifts) == 1 and bool(shifts[0])


def _dots(stage: Context, calls: int, sources: int) -> Iterator[Function]:
    name, numbers, wide = stage["name"], stage["line"]["numbers"], stage["wide"]
    phases, taps, tiles = len(stage["phases"]), stage["rows"]["taps"], len(stage["firsts"])
    step, read = stage["step"], len(stage["loads"])
    blocks = calls * tiles * _blocks(stage)
    turn = {
        "turn": 1,
        "weight": stage["weight_vectors"],
        f"load{step}_{numbers}": read,
        f"product_{numbers}": len(stage["products"]),
        **_beyond(stage["weight_vectors"] + VECTORS[numbers] * read * step + SUMS * wide * phases),
    }
    out = [_scaled(stage, phases, _one_shift(stage))] * wide
    loops = (
        Loop(calls * tiles, {"begin": 1}),
        Loop(blocks, _together({"block": 1, "sum": wide * phases}, *out)),
        Loop(blocks * taps, {"row": 1}),
        Loop(blocks * taps * stage["inputs"], turn),
    )
    yield Function(f"{name}_tile", "dots_tile", loops, _tables(stage))
    yield Function(
        name,
        "dots",
        (
            *begin(stage, calls, sources),
            Loop(calls * taps, {"source": 1, **slot(stage["line"])}),
            Loop(calls * tiles, {"tile": 1}),
            _mended(stage, calls * stage["channels"]),
        ),
    )


def _shared(stage: Context, calls: int, sources: int) -> Iterator[Function]:
    name, wide, tiles = stage["name"], stage["wide"], len(stage["firsts"])
    rows, inputs = stage["rows"], stage["inputs"]
    phases = [(y * rows["stride"] + rows["offset"]) % rows["repeat"] for y in range(calls)]
    new = sum(phase != 0 for phase in phases)
    steps = sum(phase == 0 or y == 0 for y, phase in enumerate(phases))
    blocks = tiles * _blocks(stage)
    turn = {
        "turn": 1,
        "weight": stage["weight_vectors"],
        "load1_shorts": 3,
        "step": 2,
        "product_shorts": 3 * wide,
    }
    out = [_scaled(stage, 2, _one_shift(stage))] * wide
    loops = (
        Loop(calls * tiles, {"begin": 1}),
        Loop(calls * blocks, _together({"block": 1, "sum": 3 * wide}, *out)),
        Loop(new * blocks, {"keep": wide}),
        Loop((calls - new) * blocks, {"recall": wide}),
        Loop(new * blocks * inputs, turn),
        Loop(calls * blocks * inputs, turn),
    )
    yield Function(f"{name}_tile", "shared_tile", loops, _tables(stage))
    yield Function(
        name,
        "shared",
        (
            *begin(stage, calls, sources),
            Loop(2 * calls, {"source": 1, **slot(stage["line"])}),
            Loop(steps * stage["row"] // LANES, {"step": 1}),
            Loop(calls * tiles, {"tile": 1}),
            _mended(stage, calls * stage["channels"]),
        ),
    )


def _scatter(stage: Context, calls: int, sources: int) -> Iterator[Function]:
    name, numbers, kernel = stage["name"], stage["line"]["numbers"], stage["kernel_rows"]
    in_bytes = numbers == "bytes"
    products = [step for steps in stage["steps"] for step in steps]
    inputs, blocks = len(stage["steps"]), _blocks(stage)
    block = {
        "block": 1,
        "recall": kernel,
        "keep": kernel,
        "weight": len(products) if in_bytes else inputs * stage["weight_vectors"],
        f"load1_{numbers}": inputs * stage["columns"],
        f"product_{numbers}": len(products),
        "group": sum(step["closes"] for step in products) * int(in_bytes),
    }
    loops = (Loop(sources, {"begin": 1}), Loop(sources * blocks, block))
    constants = _tables(stage) + WORD * len(stage["beginnings"])
    yield Function(f"{name}_scatter", "scatter_scatter", loops, constants)
    yield Function(
        name,
        "scatter",
        (
            *begin(stage, calls, sources),
            Loop(sources * kernel, {"target": 1}),
            Loop(calls * blocks, {"block": 1, "recall": 1, **_scaled(stage, 1)}),
            _mended(stage, calls),
            Loop(calls * blocks, {"restart": 1}),
        ),
    )


def _pool(stage: Context, calls: int, sources: int) -> Iterator[Function]:
    height, _ = stage["kernel"]
    numbers, channels = stage["line"]["numbers"], calls * stage["channels"]
    block = {
        "block": 1,
        f"load{stage['step']}_{numbers}": height * len(stage["loads"]),
        f"max_{numbers}": height * len(stage["places"]) - 1,
        f"store_{stage['into']['numbers']}": 1,
    }
    yield Function(
        stage["name"],
        "pool",
        (
            *begin(stage, calls, sources),
            Loop(calls * height, {"source": 1, **slot(stage["line"])}),
            Loop(channels, {"channel": 1}),
            Loop(channels * height, {"row": 1}),
            Loop(channels * _blocks(stage), block),
            _mended(stage, channels),
        ),
    )


def _plain(stage: Context, calls: int, sources: int) -> Iterator[Function]:
    name, (height, width) = stage["name"], stage["kernel"]
    values = calls * stage["channels"] * sum(phase["count"] for phase in stage["phases"])
    inputs = 1 if stage["depthwise"] else stage["inputs"]
    loops = (
        Loop(values, {"begin": 1}),
        Loop(values * height, {"row": 1}),
        Loop(values * height * width, {"column": 1}),
        Loop(values * height * width * inputs, {"mac": 1}),
    )
    yield Function(f"{name}_number", "plain_number", loops, _tables(stage))
    yield Function(
        name,
        "plain",
        (
            *begin(stage, calls, sources),
            Loop(calls * height, {"source": 1, **slot(stage["line"])}),
            Loop(calls * stage["channels"] * len(stage["phases"]), {"channel": 1}),
            Loop(values, {"value": 1}),
        ),
    )


def _plain_pool(stage: Context, calls: int, sources: int) -> Iterator[Function]:
    height, width = stage["kernel"]
    values = calls * stage["channels"] * stage["outputs"]
    yield Function(
        stage["name"],
        "plain_pool",
        (
            *begin(stage, calls, sources),
            Loop(calls * stage["channels"], {"channel": 1}),
            Loop(values, {"value": 1}),
            Loop(values * height, {"row": 1, **slot(stage["line"])}),
            Loop(values * height * width, {"cell": 1}),
        ),
    )


_STAGES: dict[str, Callable[[Context, int, int], Iterable[Function]]] = {
    "taps": _taps,
    "pointwise": _pointwise,
    "dots": _dots,
    "shared": _shared,
    "scatter": _scatter,
    "pool": _pool,
    "plain": _plain,
    "plain_pool": _plain_pool,
}
