"""Limits for a report, and its comparison with an older one: what fails in CI, and which function.

A limit is given as text, ``instructions=2.2M,flash=64K``, or in a file of budgets
(docs/latency.md). Counts take k and M for thousands and millions, bytes K and M for KiB and MiB.
"""

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from outliernets.errors import ConfigError, near_miss
from outliernets.report.text import columns

Report = Mapping[str, Any]
GREW = 3  #: functions that are named with a figure that grew


@dataclass(frozen=True)
class Figure:
    """A figure of a report that is better the smaller it is."""

    name: str
    path: tuple[str, ...]  #: in the report
    of: str  #: in ``functions``, what this is the sum of; in ``symbols``, ``bytes``; or nothing
    is_bytes: bool = False

    def of_report(self, report: Report) -> float | None:
        """Return the figure; None if the report does not have it."""
        value: Any = report
        for key in self.path:
            value = value.get(key) if isinstance(value, Mapping) else None
        return value if isinstance(value, int | float) else None


def _footprint(name: str, of: str = "") -> Figure:
    return Figure(name, ("footprint", name), of, is_bytes=True)


_NETWORK = Figure("network", ("instructions", "network"), "instructions")
_WINDOW = Figure("instructions", ("instructions", "window"), "instructions")
FIGURES: tuple[Figure, ...] = (
    _WINDOW,
    _NETWORK,
    Figure("mel_frame", ("instructions", "mel_frame"), "instructions"),
    Figure("cycles", ("cycles", "estimated"), "cycles"),
    Figure("latency_ms", ("latency_ms", "estimated"), "cycles"),
    _footprint("flash", "bytes"),
    _footprint("ram"),
    _footprint("code_ram", "bytes"),
    _footprint("stack"),
    _footprint("network_flash", "bytes"),
    _footprint("network_ram"),
)  #: that a budget can limit; ``instructions`` are of a window, or of a network compiled by itself
_NAMES = [figure.name for figure in FIGURES]


def value_of(figure: Figure, report: Report) -> float | None:
    """Return a figure of a report of ``ongen build``, ``run`` or ``compile``; None if not there."""
    value = figure.of_report(report)
    return _NETWORK.of_report(report) if value is None and figure is _WINDOW else value


@dataclass(frozen=True)
class Limit:
    """The most that a figure may be."""

    figure: Figure
    most: float


@dataclass(frozen=True)
class Budget:
    """Limits for the reports they are meant for."""

    limits: tuple[Limit, ...]
    meant_for: Mapping[str, str]  #: what a report must say: ``task``, ``name``, ``board`` ...

    def applies(self, report: Report) -> bool:
        """Whether ``report`` is one it is meant for."""
        return all(report.get(key) == value for key, value in self.meant_for.items())


_KEYS = ("task", "name", "board", "toolchain")
_NUMBER = re.compile(r"(\d+(?:\.\d+)?)([kKM]?)")


def read_budgets(texts: Sequence[str]) -> list[Budget]:
    """Return budgets from texts and .toml files; raise ConfigError on any mistake in them."""
    found: list[Budget] = []
    for text in texts:
        found += _from_file(Path(text)) if text.endswith(".toml") else [_from_text(text)]
    return found


def _from_text(text: str) -> Budget:
    limits: dict[str, Limit] = {}
    for part in text.split(","):
        name, equals, most = (piece.strip() for piece in part.partition("="))
        if not equals:
            raise ConfigError(f"--budget: '{part}' is not NAME=NUMBER, such as flash=64K")
        if name in limits:
            raise ConfigError(f"--budget: {name} is there twice")
        limits[name] = _limit("--budget", name, most)
    return Budget(tuple(limits.values()), {})


def _from_file(path: Path) -> list[Budget]:
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read budgets {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML: {error}") from error
    entries = table.pop("budget", None)
    if table:
        raise ConfigError(f"{path}: unknown key '{next(iter(table))}'; known: [[budget]]")
    if not entries or not isinstance(entries, list) or not isinstance(entries[0], dict):
        raise ConfigError(f"{path}: has no [[budget]]")
    return [_entry(f"{path}: budget {i}", entry) for i, entry in enumerate(entries, 1)]


def _entry(where: str, entry: Mapping[str, Any]) -> Budget:
    meant_for = {key: entry[key] for key in _KEYS if key in entry}
    for key, value in meant_for.items():
        if not isinstance(value, str):
            raise ConfigError(f"{where}: {key} must be a string")
    known = (*_KEYS, *_NAMES)
    limits = [_limit(where, k, str(v), known) for k, v in entry.items() if k not in _KEYS]
    if not limits:
        raise ConfigError(f"{where}: limits nothing; known: {', '.join(_NAMES)}")
    return Budget(tuple(limits), meant_for)


def _limit(where: str, name: str, most: str, known: Sequence[str] = _NAMES) -> Limit:
    if name not in _NAMES:
        raise ConfigError(f"{where}: unknown '{name}' ({near_miss(name, known)})")
    figure = FIGURES[_NAMES.index(name)]
    number = _NUMBER.fullmatch(most)
    if not number:
        example = "64K or 65536" if figure.is_bytes else "2.2M or 2200000"
        raise ConfigError(f"{where}: {name}={most} is not a number such as {example}")
    thousand = 1024 if figure.is_bytes else 1000
    factor = {"": 1, "K": thousand, "k": thousand, "M": thousand**2}[number[2]]
    return Limit(figure, float(number[1]) * factor)


def read_baseline(path: Path) -> dict[str, Any]:
    """Return an older report from its file; raise ConfigError if it is none."""
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read the report {path}: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"{path}: not a report: {error}") from error
    if not isinstance(report, dict) or not isinstance(report.get("instructions"), dict):
        raise ConfigError(
            f"{path}: not a report: give a report.json or library.json, or what --json printed"
        )
    return report


@dataclass(frozen=True)
class Checks:
    """What a report is held against: budgets, and an older report."""

    budgets: Sequence[Budget] = ()
    baseline: Report | None = None
    tolerance: float = 0.0  #: relative growth that is still fine

    def applied(self, report: Report) -> dict[str, Any]:
        """Return the report with what they say: ``budget``, ``comparison``, failures and verdict.

        ConfigError where they cannot be applied: a figure is not there, or no budget is meant for
        this report, or the older report is of something else.
        """
        result, failures = dict(report), list(report.get("failures", []))
        if self.budgets:
            result["budget"], broken = _held(self.budgets, report)
            failures += broken
        if self.baseline is not None:
            rows = _compared(self.baseline, report, self.tolerance)
            result["comparison"] = {"tolerance": self.tolerance, "figures": rows}
            failures += [_grew(row) for row in rows if row["grew"]]
        if failures:
            result |= {"verdict": "FAIL", "failures": failures}
        return result


def _held(budgets: Sequence[Budget], report: Report) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the limits beside the figures, and what is over its limit."""
    limits = [limit for b in budgets if b.applies(report) for limit in b.limits]
    if not limits:
        what = ", ".join(f"{key} {report[key]}" for key in _KEYS if key in report)
        raise ConfigError(f"no [[budget]] is meant for this report ({what})")
    rows, broken = [], []
    for limit in limits:
        name, value = limit.figure.name, value_of(limit.figure, report)
        if value is None:
            raise ConfigError(f"budget: this report has no figure '{name}' to limit")
        rows.append({"name": name, "value": value, "most": limit.most, "kept": value <= limit.most})
        if value > limit.most:
            over = f"{name} {_shown(value)} is over its budget of {_shown(limit.most)}"
            broken.append(over + _most_of(limit.figure, report))
    return rows, broken


def _most_of(figure: Figure, report: Report) -> str:
    """Name the function that has most of a figure."""
    parts = parts_of(figure, report)
    if not parts:
        return ""
    name = max(parts, key=lambda n: (parts[n], n))
    return f"; most is in {name}: {_shown(parts[name])}"


def parts_of(figure: Figure, report: Report) -> dict[str, float]:
    """Return what each function (or table, for bytes) has of a figure; nothing if unknown."""
    if figure.of == "bytes":
        return dict(report.get("symbols", {}))
    functions = report.get("functions", {})
    return {name: f[figure.of] for name, f in functions.items() if f.get(figure.of) is not None}


def _compared(before: Report, after: Report, tolerance: float) -> list[dict[str, Any]]:
    """Return a row per figure that both reports have."""
    for key in ("task", "name", "board"):
        if before.get(key) != after.get(key):
            raise ConfigError(
                f"--compare: the older report is of {key} {before.get(key)}, this one of "
                f"{after.get(key)}"
            )
    rows = []
    for figure in FIGURES:
        old, new = figure.of_report(before), figure.of_report(after)
        if old is None or new is None or figure.name == "latency_ms":  # that is the cycles again
            continue
        grew = new > old * (1 + tolerance)
        rows.append(
            {
                "name": figure.name,
                "before": old,
                "after": new,
                "grew": grew,
                "functions": _growth(figure, before, after) if new > old else {},
            }
        )
    return rows


def _growth(figure: Figure, before: Report, after: Report) -> dict[str, float]:
    """Return the functions that grew most, and by how much."""
    old, new = parts_of(figure, before), parts_of(figure, after)
    if not old or not new:
        return {}
    growth = {name: value - old.get(name, 0) for name, value in new.items()}
    most = sorted((n for n in growth if growth[n] > 0), key=lambda n: (-growth[n], n))
    return {name: growth[name] for name in most[:GREW]}


def _grew(row: Mapping[str, Any]) -> str:
    change = _change(row)
    text = f"{row['name']} grew from {_shown(row['before'])} to {_shown(row['after'])} ({change})"
    names = ", ".join(f"{name} +{_shown(n)}" for name, n in row["functions"].items())
    return f"{text}: {names}" if names else text


def _change(row: Mapping[str, Any]) -> str:
    if not row["before"]:
        return "new" if row["after"] else ""
    return f"{100.0 * (row['after'] / row['before'] - 1):+.2f} %"


def _shown(value: float) -> str:
    return f"{int(value):,}" if value == int(value) else f"{value:,.2f}"


def checks_text(report: Report) -> str:
    """Return the budget and the comparison of a report for people; nothing if it has none."""
    parts: list[str] = []
    if "budget" in report:
        rows = [["budget", "", "at most", ""]]
        rows += [
            [r["name"], _shown(r["value"]), _shown(r["most"]), "" if r["kept"] else "OVER"]
            for r in report["budget"]
        ]
        parts.append("\n".join(columns(rows, right=(1, 2))))
    if "comparison" in report:
        rows = [["compared", "before", "now", "", ""]]
        rows += [
            [r["name"], _shown(r["before"]), _shown(r["after"]), _change(r), _mark(r)]
            for r in report["comparison"]["figures"]
        ]
        parts.append("\n".join(columns(rows, right=(1, 2, 3))))
    return "\n\n".join(parts)


def _mark(row: Mapping[str, Any]) -> str:
    return "GREW: " + ", ".join(row["functions"]) if row["grew"] else ""
