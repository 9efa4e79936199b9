"""Cycles and milliseconds of a report: what is estimated, by what, and how far off it may be."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


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


def estimate_text(report: Mapping[str, Any]) -> str:
    """Return a report's estimate for people: ``5.7 ms (± 15 %)`` and what it rests on."""
    ms, cycles = report["latency_ms"]["estimated"], report["cycles"]
    if ms is None:
        counted = report["instructions"]["network"] is not None
        return "no model of this processor" if counted else "not counted on this target"
    if cycles["error"] is None:
        return f"{ms:.1f} ms at {cycles['basis']}"
    return f"{ms:.2f} ms ± {cycles['error']:.0%} ({cycles['basis']})"
