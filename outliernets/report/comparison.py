"""The table of ``ongen eval --compare``: for a terminal, as Markdown, as CSV."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from outliernets.report.tables import markdown
from outliernets.report.text import columns, sound

Comparison = Mapping[str, Any]
_LEVELS = ("clip", "window")
_NUMBERS = range(5, 9)  #: columns from parameters to seeds


def comparison_text(comparison: Comparison) -> str:
    """Return the comparison for a terminal."""
    rows = [_heading(comparison), *(_cells(row) for row in comparison["detectors"])]
    return "\n".join([_title(comparison), "", *columns(rows, right=_NUMBERS), "", _reading()])


def comparison_page(comparisons: Sequence[Comparison], command: str) -> str:
    """Return comparisons on several tasks as Markdown; ``command`` is what makes it again."""
    parts = [f"Made by `{command}`. {_reading()}"]
    if len(comparisons) > 1:
        lead = f"AUC per clip, and by how much {comparisons[0]['detectors'][0]['name']} is ahead:"
        parts += ["", lead, "", *markdown(_overview(comparisons), right=range(1, 99))]
    for comparison in comparisons:
        rows = [_heading(comparison), *(_cells(row) for row in comparison["detectors"])]
        parts += ["", f"## {_title(comparison)}", "", *markdown(rows, right=_NUMBERS)]
    return "\n".join(parts)


def _overview(comparisons: Sequence[Comparison]) -> list[list[str]]:
    """Return a line per task with the AUC per clip, and the first detector's lead over others."""
    first, *others = (row["name"] for row in comparisons[0]["detectors"])
    lines = [["task", first, *others]]
    for comparison in comparisons:
        start, *rows = comparison["detectors"]
        cells = [f"{row['auc']['clip']['value']:.3f} ({_lead(row)})" for row in rows]
        lines.append([comparison["task"], _interval(start["auc"]["clip"]), *cells])
    values = [[row["auc"]["clip"]["value"] for row in c["detectors"]] for c in comparisons]
    means = [f"{sum(column) / len(column):.3f}" for column in zip(*values, strict=True)]
    return [*lines, [f"mean of {len(comparisons)}", *means]]


def _lead(row: Mapping[str, Any]) -> str:
    """Return by how much the first detector is ahead of another."""
    apart = row["ahead_of_first"]["auc"]
    return f"{0.0 - round(apart['value'], 3):+.3f}{_star(apart)}"


def comparison_csv(comparisons: Sequence[Comparison]) -> str:
    """Return one line per task and detector, all figures in columns of their own."""
    lines = [
        {"task": c["task"], "data": c["data"], **_flat(row)}
        for c in comparisons
        for row in c["detectors"]
    ]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(lines[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue().rstrip("\n")


def _title(comparison: Comparison) -> str:
    clips = comparison["clips"]
    return (
        f"{comparison['task']} ({sound(comparison)}): {clips['train']} training clips, "
        f"{clips['test_normal']} + {clips['test_abnormal']} test clips"
    )


def _reading() -> str:
    return (
        "Values are means over seeds with 95 % bootstrap intervals over clips (and seeds, where "
        "there are several). Ahead: paired difference of clip AUC to the first detector, on the "
        "same drawn clips, and the share of draws in which it is ahead; starred where the "
        "interval excludes 0. Parameters and MAC are learned numbers and products with them."
    )


def _heading(comparison: Comparison) -> list[str]:
    first = comparison["detectors"][0]["name"]
    aucs = ["AUC per clip", "AUC per window", "pAUC per clip", "pAUC per window"]
    costs = ["parameters", "MAC", "training s", "seeds"]
    return ["detector", *aucs, *costs, f"ahead of {first}"]


def _cells(row: Mapping[str, Any]) -> list[str]:
    return [
        row["name"],
        *(_interval(row["auc"][level]) for level in _LEVELS),
        *(_interval(row["pauc"][level]) for level in _LEVELS),
        f"{row['params']:,}",
        f"{row['macs']:,}",
        f"{row['train_seconds']:.2f}",
        str(row["seeds"]),
        _ahead(row["ahead_of_first"]),
    ]


def _interval(found: Mapping[str, float]) -> str:
    return f"{found['value']:.3f} [{found['low']:.3f}, {found['high']:.3f}]"


def _ahead(apart: Mapping[str, Any] | None) -> str:
    if apart is None:
        return ""
    found = apart["auc"]
    text = f"{found['value']:+.3f} [{found['low']:+.3f}, {found['high']:+.3f}]"
    return f"{text} {found['share']:.0%}{_star(found)}"


def _star(apart: Mapping[str, float]) -> str:
    return " *" if apart["low"] > 0 or apart["high"] < 0 else ""


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row's figures as ``auc_clip_low``; empty where there are none."""
    plain = {k: row[k] for k in ("name", "params", "macs", "seeds", "train_seconds")}
    figures = {
        f"{kind}_{level}_{end}": row[kind][level][end]
        for kind in ("auc", "pauc")
        for level in _LEVELS
        for end in ("value", "low", "high")
    }
    apart = row["ahead_of_first"] or {}
    ahead = {
        f"ahead_{kind}_{end}": apart.get(kind, {}).get(end)
        for kind in ("auc", "pauc")
        for end in ("value", "low", "high", "share")
    }
    return plain | figures | ahead
