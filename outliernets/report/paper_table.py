"""The table of ``ongen table``, as Markdown and as CSV."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from outliernets.report.tables import markdown

Row = Mapping[str, Any]
_COST = ("PARAMS", "FLOPs", "SIZE KB", "ARM ms", "INTEL ms")
_PAPER_AUC = ("AUC", "AUC CAE-MCS")
_OURS = ("parameters", "FLOPs", "int8 KB", "AUC per window", "AUC per clip", "int8 per clip")
_LEVELS = (("float", "window"), ("float", "clip"), ("int8", "window"), ("int8", "clip"))


def paper_table_page(table: Mapping[str, Any], command: str) -> str:
    """Return the page; ``command`` is what makes it again."""
    rows: Sequence[Row] = table["rows"]
    beside = any("auc" in row["paper"] for row in rows)
    heading = [
        "task",
        *(f"paper: {name}" for name in (*_COST, *(_PAPER_AUC if beside else ()))),
        *(f"here: {name}" for name in _OURS),
    ]
    body = [_cells(row, beside) for row in rows] + _means(rows, beside)
    kinds = sorted({row["data"] for row in rows if "data" in row})
    parts = [
        f"# Table 1{' on simulated sound' if kinds == ['simulated'] else ''}",
        "",
        f"Made by `{command}`.",
        "",
        *_legend(kinds, beside),
        "",
        *markdown([heading, *body], right=set(range(1, len(_COST) + 1 + 2 * beside + 3))),
    ]
    failed = [f"* {row['task']}: {row['error']}" for row in rows if "error" in row]
    return "\n".join([*parts, *(["", "Not made:", "", *failed] if failed else [])])


def paper_table_csv(table: Mapping[str, Any]) -> str:
    """Return one line per task, all figures in columns of their own; empty where there are none."""
    lines = [_flat(row) for row in table["rows"]]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(lines[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue().rstrip("\n")


def _legend(kinds: Sequence[str], beside: bool) -> list[str]:
    lines = [
        "* paper: as printed in Table 1 of arXiv 2104.00528. ARM (Cortex-A72) and INTEL (i5-7600K) "
        'are headed "us" there; its authors\' code shows that they are milliseconds.',
        "* here: an architecture of the same family with exactly the printed PARAMS and FLOPs "
        "(widths are not published), FLOPs = 2 MAC + biases; int8 KB is the .tflite file.",
        "* AUC here: one seed, 95 % bootstrap interval over test clips, float and int8 network.",
    ]
    if "simulated" in kinds:
        lines.append(
            "* **The sound is simulated**: AUC says how hard the simulated task is, and nothing "
            "about MIMII. The paper's AUC do not stand beside it."
        )
    if beside:
        lines.append(
            "* The paper's AUC (per window, %) are of a random half of the test windows; the other "
            "half, with anomalies, steered its search. Here no anomaly chose anything."
        )
    return lines


def _cells(row: Row, beside: bool) -> list[str]:
    paper = row["paper"]
    cost = [
        f"{paper['params']:,}",
        paper["flops"],
        f"{paper['size_kb']:g}",
        f"{paper['arm_ms']:g}",
        f"{paper['intel_ms']:g}",
    ]
    aucs = [f"{paper[k]:.1f}" if k in paper else "" for k in ("auc", "auc_cae_mcs")]
    return [row["task"], *cost, *(aucs if beside else []), *_ours(row.get("ours"))]


def _ours(ours: Mapping[str, Any] | None) -> list[str]:
    if ours is None:
        return ["", "", "", *["not made"] * 3]
    auc = ours["auc"]
    return [
        f"{ours['params']:,}",
        f"{ours['flops'] / 1e6:.2f}M",
        f"{ours['int8_bytes'] / 1000:.1f}",
        _interval(auc["float"]["window"]),
        _interval(auc["float"]["clip"]),
        _interval(auc["int8"]["clip"]),
    ]


def _interval(found: Mapping[str, float] | None) -> str:
    """Return an AUC in percent, as the paper has it."""
    if found is None:
        return "n/a"
    value, low, high = (100 * found[end] for end in ("value", "low", "high"))
    return f"{value:.1f} [{low:.1f}, {high:.1f}]"


def _means(rows: Sequence[Row], beside: bool) -> list[list[str]]:
    """Return a line of mean AUC per machine, over the rows that have one, if they are several."""
    lines = []
    for machine in dict.fromkeys(row["task"].partition("/")[0] for row in rows):
        mine = [r for r in rows if r["task"].startswith(f"{machine}/") and _judged(r)]
        if len(mine) < 2:
            continue
        paper = [_mean([r["paper"][k] for r in mine if k in r["paper"]])
                 for k in ("auc", "auc_cae_mcs")]  # fmt: skip
        here = [
            _mean([100 * r["ours"]["auc"][leg][level]["value"] for r in mine])
            for leg, level in (("float", "window"), ("float", "clip"), ("int8", "clip"))
        ]
        blank = [""] * len(_COST)
        lines.append(
            [
                f"mean of {len(mine)} {machine}",
                *blank,
                *(paper if beside else []),
                "",
                "",
                "",
                *here,
            ]
        )
    return lines


def _judged(row: Row) -> bool:
    return "ours" in row and row["ours"]["auc"]["float"]["window"] is not None


def _mean(values: Sequence[float]) -> str:
    return f"{sum(values) / len(values):.1f}" if values else ""


def _flat(row: Row) -> dict[str, Any]:
    paper, ours = row["paper"], row.get("ours") or {}
    figures = {
        f"auc_{leg}_{level}_{end}": ((ours.get("auc") or {}).get(leg, {}).get(level) or {}).get(end)
        for leg, level in _LEVELS
        for end in ("value", "low", "high")
    }
    costs = ("params", "flops", "size_kb", "arm_ms", "intel_ms", "auc", "auc_cae_mcs")
    return {
        "task": row["task"],
        "data": row.get("data"),
        **{f"paper_{name}": paper.get(name) for name in costs},
        **{k: ours.get(k) for k in ("arch", "params", "flops", "int8_bytes", "train_seconds")},
        **figures,
        "error": row.get("error"),
    }
