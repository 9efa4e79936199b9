"""Print a lowered network as a C library: ``NAME.h`` and ``NAME.c``."""

from typing import Any

from outliernets.codegen.render import render, render_op
from outliernets.graph import Graph, Lowered, MemoryPlan, Node, Tensor
from outliernets.score import ScorePlan
from outliernets.view import ViewPlan


def network_files(
    lowered: Lowered,
    front_end: bool = False,
    score: ScorePlan | None = None,
    view: ViewPlan | None = None,
) -> dict[str, str]:
    """Return ``NAME.h`` and ``NAME.c``; the header alone where there is no network.

    With ``front_end`` the header also declares the detector (``NAME_push``) that
    ``codegen.detector`` prints, and its state has room for what ``score`` and ``view`` need; None
    stands for the mean squared error and for whole windows.
    """
    graph, memory = lowered.graph, lowered.memory
    name = graph.name
    around = _around(graph, score, view) if front_end else {"scores_rows": False}
    scored = graph.nodes[-1] if around["scores_rows"] else None
    context = {
        "name": name,
        "guard": name.upper(),
        "x": graph.x,
        "y": graph.y,
        "macs": graph.macs,
        "weight_bytes": graph.weight_bytes,
        "rebuilds": not graph.y.is_constant,
        "arena_bytes": max(memory.size, 4),
        "front_end": front_end,
        "functions": [_function(graph, node, node is scored) for node in graph.nodes],
        "calls": [_call(graph, memory, node) for node in graph.nodes],
        **around,
    }
    kinds = "h" if graph.y.is_constant else "hc"
    return {f"{name}.{kind}": render(f"network.{kind}.j2", **context) for kind in kinds}


def _around(graph: Graph, score: ScorePlan | None, view: ViewPlan | None) -> dict[str, Any]:
    """Return what the templates print of the detector, and whether rows are scored as they come."""
    score = score or ScorePlan.make(graph.x, graph.y)
    view = view or _whole_window(graph.x)
    last = graph.nodes[-1:]
    return {
        "score": score.context(),
        "view": view.context(),
        "scores_rows": score.spec.kind == "mse" and any(node.op.scores_rows for node in last),
    }


def _whole_window(x: Tensor) -> ViewPlan:
    frames = x.shape[1]
    return ViewPlan.whole(frames, x.size // frames)


def _function(graph: Graph, node: Node, scored: bool) -> dict[str, str]:
    site = graph.site(node)
    sources = " + ".join(t.dims for t in site.inputs if not t.is_constant)
    heading = f"{(*node.op.tflite, node.op.kind())[0]} {node.op.title()}".rstrip()
    comment = f"{heading}: {sources} -> {site.output.dims}"
    context = {"fn": _function_name(graph, node), "scored": scored, **node.op.context(site)}
    return {"comment": comment, "code": render_op(node.op.kind(), context)}


def _call(graph: Graph, memory: MemoryPlan, node: Node) -> dict[str, Any]:
    site = graph.site(node)
    inputs = [t.name for t in site.inputs if not t.is_constant]
    sources = [_pointer(graph, memory, n) for n in inputs]
    scratch = [f"&arena[{memory.offsets[node.name]}]"] if node.op.scratch_bytes(site) else []
    return {
        "fn": _function_name(graph, node),
        "arguments": ", ".join([*sources, _pointer(graph, memory, node.output), *scratch]),
        "score_arguments": ", ".join([*sources, *scratch]),
    }


def _function_name(graph: Graph, node: Node) -> str:
    return f"{graph.name}_{node.name}"


def _pointer(graph: Graph, memory: MemoryPlan, tensor: str) -> str:
    if tensor == graph.input:
        return "in"
    return "out" if tensor == graph.output else f"&arena[{memory.offsets[tensor]}]"
