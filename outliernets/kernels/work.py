"""How often the generated C does what: the loops of every function, with what one turn does.

Read from the contexts that the templates place, so it is the very program that is counted. A step
is named after what the C does there ("dot", "load", "narrow_floor"); ``cost`` knows how many
instructions each step takes and how many bytes.
"""

from collections.abc import Callable, Iterator, Sequence

from outliernets.graph import Graph, Node
from outliernets.kernels import work_lanes
from outliernets.kernels.loops import (
    WORD,
    Context,
    Function,
    Loop,
    begin,
    first,
    rows_made,
    slot,
    sources_inside,
)
from outliernets.kernels.schedule import Program

#: Registers that hold values while a loop runs. How many there are, and what it costs to want more,
#: is the compiler's secret: a cost for each of these bounds makes any convex function.
REGISTERS = (12, 13, 14, 16)


def of_node(graph: Graph, node: Node) -> list[Function]:
    """Return the functions of a node."""
    kind, context = node.op.kind(), node.op.context(graph.site(node))
    if "stages" in context:
        vectors = "floats" in context
        return list(work_lanes.chain(context) if vectors else _rows(context))
    return [_GENERAL[kind](kind, context)]


def of_infer(graph: Graph) -> Function:
    """Return the function that calls the nodes' functions."""
    return Function("", "infer", (Loop(1, {"begin": 1, "call": len(graph.nodes)}),))


# --- chains of rows ------------------------------------------------------------------------------


def _rows(context: Context) -> Iterator[Function]:
    stages: Sequence[Context] = context["stages"]
    made = rows_made(context)
    yield _load(context, made[0])
    for stage, calls, sources in zip(stages, made[1:], made[:-1], strict=True):
        yield from stage_functions(stage, calls, sources)
    sums = sum(s["kernel_rows"] * s["count"] for s in stages if s["kind"] == "scatter")
    yield Function(
        "",
        "rows",
        (
            Loop(1, {"begin": 1}),
            Loop(context["scratch"] // 16, {"clear": 1}),
            Loop(sums, {"sum": 1}),
            Loop(context["rows"], {"row": 1}),
        ),
    )


def _load(context: Context, calls: int) -> Function:
    source, line = context["source"], context["stages"][0]["line"]
    channels = calls * source["channels"]
    values = source["unroll"]
    turn = {"turn": 1, "value": values, "move": values * (source["offset"] != 0)}
    return Function(
        "load",
        "load",
        (
            Loop(calls, {"begin": 1, **slot(line)}),
            Loop(channels, {"channel": 1}),
            Loop(channels * source["width"] // values, turn),
        ),
    )


def stage_functions(stage: Context, calls: int, sources: int) -> Iterator[Function]:
    """Yield the functions of a stage that is called for ``calls`` rows and has ``sources`` made."""
    yield from _STAGES[stage["kind"]](stage, calls, sources)


def _narrow(stage: Context, count: int) -> dict[str, int]:
    """Sums that become values of the next row."""
    n = stage["narrow"]
    form = n["form"] if n["numbers"] == 3 else f"{n['form']}_shifted"  # each channel has its shift
    moved = n["form"] != "floor" and n["offset"] != 0
    clamps = int(n["clamps"]) * (2 if n["signed"] else 1)
    return {f"narrow_{form}": count, "clamp": count * clamps, "move": count * int(moved)}


def _taps(stage: Context, calls: int, sources: int) -> Iterator[Function]:
    name, rows, line = stage["name"], stage["rows"], stage["line"]
    weights = rows["taps"] * stage["weights_per_row"] + stage["narrow"]["numbers"]
    channels = calls * stage["channels"]
    loops = [Loop(channels, {"begin": 1, "weight": weights})]
    if stage["turn"]:
        turn = {"turn": 1, **_program(stage, stage["turn"], 1)}
        loops.append(Loop(channels * stage["turns"], turn))
    if stage["rest"]:
        loops.append(Loop(channels, _program(stage, stage["rest"], 0)))
    yield Function(f"{name}_channel", "taps_channel", tuple(loops), WORD * len(stage["table"]))
    padding = max(0, first(rows, calls - 1) + rows["taps"] - rows["source"])
    cleared = padding * stage["input_channels"]
    yield Function(
        name,
        "taps",
        (
            *begin(stage, calls, sources),
            Loop(calls, {"turned": int(rows["taps"] > 1)}),
            Loop(cleared, {"cleared_channel": 1}),
            Loop(cleared * line["pitch"], {"cleared": 1}),
            Loop(channels, {"channel": 1, "divide": int(stage["multiplier"] > 1)}),
        ),
    )


def _program(stage: Context, program: Program, others: int) -> dict[str, int]:
    """What a turn does; ``others`` are pointers that no step uses.

    Constants for which there is no register are read again: those that are used least.
    """
    count = program.counts
    return {
        "dot": count["dot"] + count["dotx"],
        "load": sum(count[kind] for kind in ("word", "far", "next", "nexts")),
        "far": count["far"],
        "straddle": count["straddle"],
        **_narrow(stage, count["out"]),
        **_beyond(program.held, sorted([*program.constants.values(), *[1] * others])),
    }


def _beyond(held: int, uses: Sequence[int]) -> dict[str, int]:
    """How often what does not fit the registers is used, for each number of registers.

    ``held`` is what must be there, ``uses`` how often each of the others is used, the rarest first.
    """
    wanted = held + len(uses)
    return {f"beyond_{r}": sum(uses[: max(0, wanted - r)]) for r in REGISTERS}


def _stream(stage: Context, calls: int, sources: int) -> Iterator[Function]:
    name, pairs, numbers = stage["name"], stage["pairs"], stage["narrow"]["numbers"]
    channels = calls * stage["channels"]
    loops = [
        Loop(channels, {"begin": 1, "weight": pairs + numbers}),
        Loop(channels * stage["turns"], {"turn": 1, **_program(stage, stage["turn"], 1)}),
    ]
    if stage["rest"]:
        loops.append(Loop(channels, _program(stage, stage["rest"], 0)))
    yield Function(f"{name}_channel", "stream_channel", tuple(loops), WORD * len(stage["table"]))
    yield Function(name, "stream", (*begin(stage, calls, sources), Loop(channels, {"channel": 1})))


def _dots(stage: Context) -> tuple[dict[str, int], int]:
    """What one turn over pairs of channels does, and how many turns there are."""
    program, turns = stage["turn"], stage["turns"]
    count, loops = program.counts, int(turns > 1)
    held = program.held + (3 if loops else 4)  # pointers, and what ends the innermost loop
    unroll = stage["unroll"]
    weights = (2 * count["nexts"] + count["next"]) // unroll
    steps = {
        "dot": count["dot"],
        "load": sum(count[kind] for kind in ("word", "far", "next", "nexts")),
        "far": count["far"],
        **{
            k if loops else f"{k}_once": unroll * n for k, n in _beyond(held, [1] * weights).items()
        },
        "pair_turn": loops,
    }
    return steps, turns


def _tile(stage: Context, calls: int, sources: int) -> Iterator[Function]:
    name, wide, pixels, rows = stage["name"], stage["wide"], stage["pixels"], stage["rows"]
    tiles = len(stage["firsts"])
    inside = sources_inside(rows, calls)
    pieces = sum(-(-phase["count"] // pixels) for phase in stage["phases"])
    places = tiles * len(stage["phases"])
    steps, turns = _dots(stage)
    outs = pixels * wide
    tile = {"tile": 1, "shifted": int(not stage["whole"]), "sum": outs, **_narrow(stage, outs)}
    loops = (
        Loop(calls * places, {"begin": 1}),
        Loop(calls * tiles * pieces, tile),
        Loop(inside * tiles * pieces, {"source_once" if turns == 1 else "source": 1}),
        Loop(inside * tiles * pieces * turns, steps),
    )
    constants = WORD * (len(stage["table"]) + len(stage["numbers"]))
    yield Function(f"{name}_tile", "tile_tile", loops, constants)
    yield Function(
        name,
        "tile",
        (
            *begin(stage, calls, sources),
            Loop(inside, {"source": 1, **slot(stage["line"])}),
            Loop(calls * places, {"place": 1}),
        ),
    )


def _scatter(stage: Context, calls: int, sources: int) -> Iterator[Function]:
    name, rows, kernel = stage["name"], stage["rows"], stage["kernel_rows"]
    targets = sum(
        0 <= row + rows["before"] - k < rows["outputs"]
        for row in range(sources)
        for k in range(kernel)
    )
    pieces = stage["count"] // stage["pixels"]
    steps, turns = _dots(stage)
    loops = (
        Loop(targets, {"begin": 1}),
        Loop(targets * pieces, {"tile": 1, "sum": stage["pixels"]}),
        Loop(targets * pieces * turns, steps),
    )
    yield Function(f"{name}_scatter", "scatter_scatter", loops, WORD * len(stage["table"]))
    out = {"turn": 1, "sum": stage["pixels"], **_narrow(stage, stage["pixels"])}
    yield Function(
        name,
        "scatter",
        (
            *begin(stage, calls, sources),
            Loop(sources * kernel, {"test": 1}),
            Loop(targets, {"target": 1}),
            Loop(calls * pieces, out),
        ),
    )


def _pool(stage: Context, calls: int, sources: int) -> Iterator[Function]:
    height, width = stage["kernel"]
    channels = calls * stage["channels"]
    value = {"value": 1, "advance": height, "cell": height * width, "move": stage["offset"] != 0}
    yield Function(
        stage["name"],
        "pool",
        (
            *begin(stage, calls, sources),
            Loop(channels, {"channel": 1, "row": height, **slot(stage["line"], height)}),
            Loop(channels * stage["count"], value),
        ),
    )


_STAGES: dict[str, Callable[[Context, int, int], Iterator[Function]]] = {
    "taps": _taps,
    "stream": _stream,
    "tile": _tile,
    "scatter": _scatter,
    "pool": _pool,
}


# --- kernels of single ops -----------------------------------------------------------------------


def _elements(kind: str, c: Context) -> Function:
    """An op that does the same to every value."""
    size, table = c["size"], len(c.get("table", ()))
    return Function("", kind, (Loop(1, {"begin": 1}), Loop(size, {"value": 1})), table)


def _tables(c: Context) -> int:
    """Bytes of the tables of an op with weights."""
    inside = len(c["bias_inside"]) if c["padded"] else 0
    words = len(c["bias"]) + len(c["multiplier"]) + inside
    return len(c["weights"]) + len(c["shift"]) + WORD * words


def _covered(length: int, outputs: int, kernel: int, stride: int, before: int) -> list[int]:
    """Return how many cells of the input each position of a window covers."""
    starts = [o * stride - before for o in range(outputs)]
    return [min(s + kernel, length) - max(s, 0) for s in starts]


def _window(c: Context) -> tuple[list[int], list[int]]:
    return (
        _covered(c["ih"], c["oh"], c["kh"], c["sh"], c["top"]),
        _covered(c["iw"], c["ow"], c["kw"], c["sw"], c["left"]),
    )


def _convolution(kind: str, c: Context) -> Function:
    rows, columns = _window(c)
    row_in, column_in = rows.count(c["kh"]), columns.count(c["kw"])
    inside = row_in * column_in if c["padded"] else c["oh"] * c["ow"]
    border = c["oh"] * c["ow"] - inside
    border_rows = sum(rows) * c["ow"] - inside * c["kh"] if border else 0
    border_cells = sum(rows) * sum(columns) - inside * c["kh"] * c["kw"] if border else 0
    oc, depth = c["oc"], 1 if "depth_multiplier" in c else c["ic"]
    loops = (
        Loop(1, {"begin": 1}),
        Loop(c["oh"], {"line": 1}),
        Loop(c["oh"] * c["ow"], {"pixel": 1}),
        Loop(inside * oc, {"sum": 1}),
        Loop(inside * oc * c["kh"], {"row": 1}),
        Loop(inside * oc * c["kh"] * c["kw"] * depth, {"mac": 1}),
        Loop(border * oc, {"border_sum": 1}),
        Loop(border_rows * oc, {"border_row": 1}),
        Loop(border_cells * oc * depth, {"border_mac": 1}),
    )
    return Function("", kind, loops, _tables(c))


def _pooling(kind: str, c: Context) -> Function:
    rows, columns = _window(c)
    loops = (
        Loop(1, {"begin": 1}),
        Loop(c["oh"] * c["ow"], {"pixel": 1}),
        Loop(c["oh"] * c["ow"] * c["c"], {"value": 1}),
        Loop(sum(rows) * c["ow"] * c["c"], {"row": 1}),
        Loop(sum(rows) * sum(columns) * c["c"], {"cell": 1}),
    )
    return Function("", kind, loops)


def _transposed(kind: str, c: Context) -> Function:
    def visits(outputs: int, before: int, kernel: int, stride: int, inputs: int) -> tuple[int, int]:
        """Return how often the loop over kernel cells turns, and how often within the input."""
        tried = [
            (f - k) // stride
            for f in range(before, before + outputs)
            for k in range(f % stride, min(kernel, f + 1), stride)
        ]
        return len(tried), sum(i < inputs for i in tried)

    rows, rows_in = visits(c["oh"], c["top"], c["kh"], c["sh"], c["ih"])
    columns, columns_in = visits(c["ow"], c["left"], c["kw"], c["sw"], c["iw"])
    oc = c["oc"]
    loops = (
        Loop(1, {"begin": 1}),
        Loop(c["oh"] * c["ow"], {"pixel": 1}),
        Loop(c["oh"] * c["ow"] * oc, {"sum": 1}),
        Loop(rows * c["ow"] * oc, {"row": 1}),
        Loop(rows_in * columns * oc, {"column": 1}),
        Loop(rows_in * columns_in * oc, {"cell": 1}),
        Loop(rows_in * columns_in * oc * c["ic"], {"mac": 1}),
    )
    return Function("", kind, loops, _tables(c))


def _dense(kind: str, c: Context) -> Function:
    if c["packed"]:
        return _packed_dense(kind, c)
    sums = c["rows"] * c["units"]
    loops = (
        Loop(1, {"begin": 1}),
        Loop(c["rows"], {"row": 1}),
        Loop(sums, {"sum": 1}),
        Loop(sums * c["length"], {"mac": 1}),
    )
    return Function("", kind, loops, _tables(c))


def _packed_dense(kind: str, c: Context) -> Function:
    rows, form = c["rows"], c["form"] if c["bits"] is None else f"{c['form']}_by"
    loops = [
        Loop(1, {"begin": 1}),
        Loop(rows, {"row": 1}),
        Loop(rows * (c["length"] // 4), {"spread": 1}),
    ]
    for wide, count in c["groups"]:
        end = {"number": wide * (1 + len(c["per_unit"])), f"dense_{form}": wide}
        clamp = 0 if c["saturates"] else 2 * wide
        loops += [
            Loop(rows * count, {"group": 1, **end, "clamp": clamp}),
            Loop(rows * count * c["blocks"], {"block": 1, "part": 0 if c["fits"] else wide}),
            Loop(rows * count * c["blocks"] * c["words"], {"word": 1, "dot4": wide}),
        ]
    return Function("", kind, tuple(loops), WORD * (len(c["weights"]) + len(c["numbers"])))


def _mean(kind: str, c: Context) -> Function:
    loops = (
        Loop(1, {"begin": 1}),
        Loop(c["c"], {"channel": 1}),
        Loop(c["c"] * c["pixels"], {"value": 1}),
    )
    return Function("", kind, loops)


def _pad(kind: str, c: Context) -> Function:
    loops = (
        Loop(1, {"begin": 1}),
        Loop(c["size"], {"fill": 1}),
        Loop(c["ih"], {"row": 1}),
        Loop(c["ih"] * c["iw"] * c["c"], {"value": 1}),
    )
    return Function("", kind, loops)


def _resize(kind: str, c: Context) -> Function:
    rows = c["ih"] * c["fy"]
    loops = (
        Loop(1, {"begin": 1}),
        Loop(c["ih"], {"source": 1}),
        Loop(rows, {"row": 1}),
        Loop(rows * c["iw"], {"pixel": 1}),
        Loop(rows * c["iw"] * c["fx"], {"copy": 1}),
        Loop(rows * c["iw"] * c["fx"] * c["c"], {"value": 1}),
    )
    return Function("", kind, loops)


_GENERAL: dict[str, Callable[[str, Context], Function]] = {
    "add": _elements,
    "logistic": _elements,
    "quantize": _elements,
    "reshape": _elements,
    "conv2d": _convolution,
    "depthwise_conv2d": _convolution,
    "average_pool2d": _pooling,
    "max_pool2d": _pooling,
    "transpose_conv": _transposed,
    "fully_connected": _dense,
    "mean": _mean,
    "pad": _pad,
    "resize_nearest": _resize,
}
