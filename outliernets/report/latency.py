"""The page of ``ongen table --latency``: Markdown that also reads well in a terminal."""

from collections.abc import Callable, Mapping
from typing import Any

from outliernets.report.tables import markdown

Measured = Mapping[str, Any]
_BUSY = (
    " The machine was busy: medians contain waiting for the processor, most of all where a run is "
    "long or is handed to another thread (OpenVINO). The fastest turns contain least of it."
)


def latency_page(table: Mapping[str, Any], command: str) -> str:
    """Return the page; ``command`` is the one that makes it again."""
    return "\n".join(
        [
            "# How long one inference takes on this machine, engine by engine",
            "",
            f"Made by `{command}`.",
            "",
            *_legend(table),
            "",
            "## Milliseconds, medians",
            "",
            *_matrix(table, lambda m: _milliseconds(m["ms"]), paper=True),
            "",
            "## Milliseconds, the fastest turn",
            "",
            *_matrix(table, lambda m: _milliseconds(m["fastest_ms"])),
            "",
            "## Milliseconds, quartiles",
            "",
            *_matrix(table, _quartiles),
            "",
            "## Our median over theirs, with a 95 % interval",
            "",
            *_matrix(table, _ratio),
            "",
            "## Largest difference from TensorFlow Lite Micro, in steps of the int8 output",
            "",
            *_matrix(table, lambda m: str(m["worst_lsb"])),
        ]
    )


def _legend(table: Mapping[str, Any]) -> list[str]:
    load = table["load"]
    compilers = ", ".join(table["toolchains"].values())
    return [
        f"* Measured on {table['processor']}, pinned to CPU {table['cpu']} of "
        f"{table['processors']}; {table['threads']} thread, batch {table['batch']}; "
        f"{table['rounds']} rounds in which the engines take turns.",
        f"* Load average meanwhile: {load['low']:.1f} to {load['high']:.1f} (1 is this run alone)."
        + (_BUSY if _busy(table) else ""),
        '* Paper: as printed, in milliseconds (headed "us" there, but its authors\' code divides '
        "nanoseconds by 10⁶), of **other machines**: ARM is a Cortex-A72 with TensorFlow 1.15, "
        "INTEL an i5-7600K with OpenVINO.",
        f"* Engines: {', '.join(_versions(table))}. In brackets: the precision of what is not "
        "int8.",
        f"* Our C is compiled by {compilers}, at -O3 for this processor.",
        *(f"* Left out: {name}: {why}." for name, why in table["left_out"].items()),
        *([] if table["verdict"] == "PASS" else ["* **Our C is not exact: see the last table.**"]),
    ]


def _busy(table: Mapping[str, Any]) -> bool:
    return bool(table["load"]["high"] > table["processors"])


def _matrix(
    table: Mapping[str, Any], cell: Callable[[Measured], str], paper: bool = False
) -> list[str]:
    """Return a table of networks x engines."""
    names = _names(table)
    heading = ["network", "MAC", *(["paper: ARM", "paper: INTEL"] if paper else []), *names]
    rows = []
    for row in table["networks"]:
        found = {m["name"]: cell(m) for m in row["engines"]}
        printed = [_printed(row, "arm_ms"), _printed(row, "intel_ms")] if paper else []
        times = [found.get(name, "") for name in names]
        rows.append([row["network"], f"{row['macs']:,}", *printed, *times])
    return markdown([heading, *rows], right=range(1, len(heading)))


def _names(table: Mapping[str, Any]) -> list[str]:
    """Return the engines in the order of the first network that has all."""
    longest = max(table["networks"], key=lambda row: len(row["engines"]))
    found = [m["name"] for row in [longest, *table["networks"]] for m in row["engines"]]
    return list(dict.fromkeys(found))


def _printed(row: Mapping[str, Any], key: str) -> str:
    return ", ".join(dict.fromkeys(f"{line[key]:g}" for line in row["paper"]))


def _milliseconds(ms: float) -> str:
    """Return three digits that count."""
    return f"{ms:,.0f}" if ms >= 100 else f"{ms:#.3g}"


def _quartiles(measured: Measured) -> str:
    return " ... ".join(map(_milliseconds, measured["quartiles_ms"]))


def _ratio(measured: Measured) -> str:
    ratio = measured["ratio"]
    return f"{ratio['value']:.3f} [{ratio['low']:.3f}, {ratio['high']:.3f}]"


def _versions(table: Mapping[str, Any]) -> list[str]:
    """Return the engines with their versions, each once."""
    found = [m for row in table["networks"] for m in row["engines"]]
    return list(dict.fromkeys(f"{m['name'].partition(',')[0]} {m['version']}" for m in found))
