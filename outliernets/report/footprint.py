"""The page of ``ongen table --footprint``: Markdown that also reads well in a terminal."""

from collections.abc import Mapping
from typing import Any

from outliernets.report.tables import markdown

_NUMBERS = ("parameters", "MAC", "instructions", "per MAC", "flash", "RAM", "stack")


def footprint_page(table: Mapping[str, Any], command: str) -> str:
    """Return the page; ``command`` is the one that makes it again."""
    rows, heading = table["networks"], _heading(table)
    numbers = {i for i, name in enumerate(heading) if name in _NUMBERS}
    parts = [
        f"# What the networks need on {table['board']}",
        "",
        f"Made by `{command}`.",
        "",
        *_legend(table),
        "",
        *markdown([heading, *(_cells(row) for row in rows)], right=numbers),
    ]
    parts += [line for row in rows for line in _misfit(row, table["board"])]
    return "\n".join(parts)


def _legend(table: Mapping[str, Any]) -> list[str]:
    measured = [m for row in table["networks"] for m in row["compilers"].values()]
    wrong = [row["network"] for row in table["networks"] if not _exact(row)]
    proof = "bit for bit equal to TensorFlow Lite Micro's"
    inputs = f"{max(m['inputs'] for m in measured)} random inputs"
    versions = ", ".join(dict.fromkeys(table["toolchains"].values()))
    return [
        f"* All outputs on {inputs} (1 for the largest networks) are {proof}."
        if not wrong
        else f"* **Outputs are not {proof}: {', '.join(wrong)}.**",
        f"* Instructions of one run are exact, counted in {table['target']}. The weights are "
        "random: their values matter only where they force another way of rounding (`ongen compile "
        "--explain` says which).",
        "* Bytes. Flash: the network's code and constants. RAM: all of its state with input and "
        "output. Stack: high-water mark of the whole check program.",
        f"* Compilers: {versions}. Of several the one with the fewest instructions counts; the "
        "others are in the last column.",
    ]


def _exact(row: Mapping[str, Any]) -> bool:
    return all(m["exact"] for m in row["compilers"].values())


def _heading(table: Mapping[str, Any]) -> list[str]:
    fixed = ["network", "rows of Table 1", *_NUMBERS, "fits", "compiler"]
    return [*fixed, *(["other: instructions, flash"] if len(table["toolchains"]) > 1 else [])]


def _cells(row: Mapping[str, Any]) -> list[str]:
    best = row["compilers"][row["best"]]
    others = [(name, m) for name, m in row["compilers"].items() if name != row["best"]]
    return [
        row["network"],
        ", ".join(row["tasks"]),
        f"{row['params']:,}",
        f"{row['macs']:,}",
        *_counted(best),
        f"{best['flash']:,}",
        f"{best['ram']:,}",
        f"{best['stack']:,}",
        "yes" if best["fits"] else "**no**",
        row["best"],
        *(f"{name}: {_counted(m)[0]}, {m['flash']:,}" for name, m in others),
    ]


def _counted(measured: Mapping[str, Any]) -> list[str]:
    if measured["instructions"] is None:
        return ["not counted", ""]
    return [f"{measured['instructions']:,}", f"{measured['instructions_per_mac']:.2f}"]


def _misfit(row: Mapping[str, Any], board: str) -> list[str]:
    best = row["compilers"][row["best"]]
    if best["fits"]:
        return []
    needs = f"flash {best['program_flash']:,}, RAM {best['program_ram']:,} bytes as a program"
    return ["", f"{row['network']} does not fit {board}: it needs {needs}. It was measured on the "
            "same processor with more memory."]  # fmt: skip
