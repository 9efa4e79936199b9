"""What ``ongen compile --explain`` tells: each group of fused ops, its cost, and why it is so.

Instructions are those of the functions of a group and its stages, counted on the target; bytes of
tables are those of their constants in the program. Reasons come from the passes and kernels.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from outliernets.graph import Graph, Lowered, Node, Op, Site
from outliernets.kernels.rows import Rows, Stage, StageNote, obstacle
from outliernets.lower.fold_upsampling import kept
from outliernets.lower.pointwise_first import moved
from outliernets.ops.resize_nearest import ResizeNearest

N = TypeVar("N", int, float)
Owner = tuple[str, str]  #: names of a group and of its stage; no stage: the group's own


@dataclass(frozen=True)
class Costs:
    """What was measured, by owner."""

    instructions: Mapping[Owner, int] | None  #: of one run; None where the target cannot count
    cycles: Mapping[Owner, int] | None  #: estimated, of one run; None where there is no model
    tables: Mapping[Owner, int]  #: bytes

    def of(self, owners: Iterable[Owner], macs: int) -> dict[str, Any]:
        """Return the sums over some owners, as JSON has them."""
        chosen = list(owners)
        instructions = _sum(self.instructions, chosen)
        return {
            "macs": macs,
            "instructions": instructions,
            "instructions_per_mac": per_mac(instructions, macs),
            "cycles": _sum(self.cycles, chosen),
            "table_bytes": sum(self.tables.get(o, 0) for o in chosen),
        }


def _sum(values: Mapping[Owner, int] | None, owners: Iterable[Owner]) -> int | None:
    return None if values is None else sum(values.get(owner, 0) for owner in owners)


def per_mac(instructions: int | None, macs: int) -> float | None:
    """Return instructions per MAC; None where one of them is unknown or nothing is multiplied."""
    return round(instructions / macs, 3) if instructions is not None and macs else None


def explain(
    graph: Graph,
    lowered: Lowered,
    elf: Path,
    counts: Mapping[str, int],
    cycles: Mapping[str, float],
    runs: int,
) -> list[dict[str, Any]]:
    """Return the groups of the lowered network, in order of execution.

    ``graph`` is the network before it was lowered; ``counts`` and ``cycles`` are of ``runs`` runs,
    by function, empty if not counted or not estimated.
    """
    nodes = lowered.graph.nodes
    costs = Costs(
        _per_run(counts, lowered.graph, runs),
        _per_run(cycles, lowered.graph, runs),
        _by_owner(_constants(elf), lowered.graph),
    )
    return [_group(graph, node, lowered.graph.site(node), costs) for node in nodes]


def _group(graph: Graph, node: Node, site: Site, costs: Costs) -> dict[str, Any]:
    stages = node.op.stages if isinstance(node.op, Rows) else ()
    owners = [(node.name, ""), *((node.name, _short(s)) for s in stages)]
    kept_out = [s.site.output.size for s in stages[:-1]]
    return {
        "name": node.name,
        "op": "/".join(node.op.tflite),
        "kernel": node.op.kind(),
        "input": " + ".join(t.dims for t in site.inputs if not t.is_constant),
        "output": site.output.dims,
        **costs.of(owners, node.op.macs(site)),
        "own_instructions": costs.of(owners[:1], 0)["instructions"],
        "own_cycles": costs.of(owners[:1], 0)["cycles"],
        "buffer_bytes": node.op.scratch_bytes(site),
        "unstored_bytes": sum(kept_out),
        "why": _why(graph, node, site),
        "stages": [
            _stage(node, stage, note, costs)
            for stage, note in zip(stages, _notes(node.op), strict=True)
        ],
    }


def _notes(op: Op) -> tuple[StageNote, ...]:
    return op.notes() if isinstance(op, Rows) else ()


def _stage(group: Node, stage: Stage, note: StageNote, costs: Costs) -> dict[str, Any]:
    was_moved = moved(stage.node)
    return {
        "name": stage.node.name,
        "op": f"{'/'.join(stage.op.tflite)} {stage.rows.kernel}x{stage.columns.kernel}",
        "settings": stage.op.title(),
        "kernel": note.kernel,
        "input": stage.site.x.dims,
        "output": stage.site.output.dims,
        **costs.of([(group.name, _short(stage))], stage.op.macs(stage.site)),
        "buffer_bytes": note.buffer_bytes,
        "why": [*([was_moved] if was_moved else []), *note.why],
    }


def _why(graph: Graph, node: Node, site: Site) -> list[str]:
    """Return why a group is the ops it is: a chain's own reasons, or why an op is not in one."""
    if isinstance(node.op, Rows):
        return list(node.op.why)
    before = next((n for n in graph.nodes if n.name == node.name), node)
    if isinstance(node.op, ResizeNearest) and (reason := kept(graph, before)):
        return [f"not folded into a convolution: {reason}"]
    reason = obstacle(node, site)
    return [f"works on whole maps: {reason}"] if reason else []


def _short(stage: Stage) -> str:
    """Return a stage's name as functions have it: ``n03`` of ``n03_conv2d``."""
    return stage.node.name.split("_")[0]


def _per_run(values: Mapping[str, float], graph: Graph, runs: int) -> dict[Owner, int] | None:
    found = _by_owner(values, graph)
    return {owner: round(n / runs) for owner, n in found.items()} if values else None


def _by_owner(values: Mapping[str, N], graph: Graph) -> dict[Owner, N]:
    """Add up what symbols have by the group and stage they belong to.

    A symbol is ``NAME_GROUP``, ``NAME_GROUP_STAGE`` or longer; compilers add ``.constprop.0``.
    """
    sums: dict[Owner, N] = {}
    for symbol, value in values.items():
        prefix, _, own = symbol.split(".")[0].partition(f"{graph.name}_")
        for node in graph.nodes:
            if not prefix and f"{own}_".startswith(f"{node.name}_"):
                owner = (node.name, _stage_of(node, own))
                sums[owner] = sums[owner] + value if owner in sums else value
    return sums


def _stage_of(node: Node, symbol: str) -> str:
    rest = symbol.removeprefix(node.name).removeprefix("_").split("_")[0]
    stages = node.op.stages if isinstance(node.op, Rows) else ()
    return rest if rest in {_short(stage) for stage in stages} else ""


def _constants(elf: Path) -> dict[str, int]:
    """Return the bytes of each object in a program by name: tables, as far as they have owners."""
    from elftools.elf.elffile import ELFFile

    with elf.open("rb") as stream:
        table = ELFFile(stream).get_section_by_name(".symtab")
        return {
            symbol.name: int(symbol["st_size"])
            for symbol in (table.iter_symbols() if table else ())
            if symbol["st_info"]["type"] == "STT_OBJECT"
        }
