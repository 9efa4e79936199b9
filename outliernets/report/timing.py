"""Cycles and milliseconds of a report: what is estimated, by what, and how far off it may be."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from outliernets.boards import Power

NJ_IN_MJ = 1e6


@dataclass(frozen=True)
class Cycles:
    """Estimated cycles of a run of something."""

    count: int
    error: float | None  #: relative; None: nobody knows
    basis: str  #: what the estimate rests on
    memory: int = 0  #: of the count, those it waits for tables in slow memory


def timing(
    cycles: Cycles | None,
    clock_hz: int,
    measured_ms: Mapping[str, Any] | None = None,
    macs_per_cycle: float | None = None,
) -> dict[str, Any]:
    """Return ``cycles`` and ``latency_ms`` of a report.

    ``measured_ms``: has ``measured``, and says how. No ``cycles``: no estimate.
    """
    ms = None if cycles is None else 1000.0 * cycles.count / clock_hz
    return {
        "cycles": {
            "estimated": cycles and cycles.count,
            "memory": cycles and cycles.memory,
            "error": cycles and cycles.error,
            "measured": None,
            "basis": cycles and cycles.basis,
            "macs_per_cycle": None if macs_per_cycle is None else round(macs_per_cycle, 3),
        },
        "latency_ms": {"estimated": ms, "measured": None, **(measured_ms or {})},
    }


def energy(
    power: Power | None, times: Mapping[str, Any], of: str, every_ms: float | None = None
) -> dict[str, Any]:
    """Return ``energy_mj`` of a report: an estimate, even where the cycles are measured.

    ``times``: what ``timing`` returned. ``of``: what its cycles are of, ``window`` or ``network``.
    ``every_ms``: how often that runs, for ``power_mw``, the mean of what computing takes; sleep
    between is not in it. Nothing where the board's power or the cycles are unknown.
    """
    cycles = times["cycles"]
    measured = cycles["measured"] is not None
    count = cycles["measured" if measured else "estimated"]
    if power is None or count is None:
        return {}
    off = 0.0 if measured else cycles["error"]
    error = None if off is None else round(off + power.error, 3)
    spent = power.mw_per_mhz * count / NJ_IN_MJ
    facts = {"energy_mj": {of: spent, "error": error, "basis": power.source}}
    if every_ms is not None:
        facts["power_mw"] = {"mean": 1000.0 * spent / every_ms, "error": error}
    return facts


def by_function(
    counts: Mapping[str, int], cycles: Mapping[str, float] | None, runs: int
) -> dict[str, dict[str, int | None]]:
    """Return ``functions`` of a report: instructions and estimated cycles of each, of one run.

    ``counts`` and ``cycles`` are of all runs. The order is that of the names.
    """
    return {
        name: {
            "instructions": round(counts[name] / runs),
            "cycles": None if cycles is None else round(cycles.get(name, 0) / runs),
        }
        for name in sorted(counts)
    }


def energy_rows(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return a report's energy for people; no rows where it has none."""
    if "energy_mj" not in report:
        return []
    found = report["energy_mj"]
    of = "window" if "window" in found else "network"
    title = {"window": "energy per window, estimate", "network": "energy per network run, estimate"}
    off = "" if found["error"] is None else f" ± {found['error']:.0%}"
    rows = [(title[of], f"{_joules(found[of])}{off} ({found['basis']})")]
    if "power_mw" in report:
        rows.append(("mean power of that", f"{report['power_mw']['mean']:.3g} mW, without sleep"))
    return rows


def _joules(mj: float) -> str:
    return f"{mj:.3g} mJ" if mj >= 1.0 else f"{1000.0 * mj:.3g} µJ"


def estimate_text(report: Mapping[str, Any]) -> str:
    """Return a report's estimate for people: ``5.7 ms (± 15 %)`` and what it rests on."""
    ms, cycles = report["latency_ms"]["estimated"], report["cycles"]
    if ms is None:
        counted = report["instructions"]["network"] is not None
        return "no model of this processor" if counted else "not counted on this target"
    if cycles["error"] is None:
        return f"{ms:.1f} ms at {cycles['basis']}"
    return f"{ms:.2f} ms ± {cycles['error']:.0%} ({cycles['basis']})"
