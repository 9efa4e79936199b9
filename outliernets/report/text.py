"""Tables for the terminal."""

from collections.abc import Container, Mapping, Sequence
from typing import Any

from outliernets.report.timing import energy_rows, estimate_text

LEGS = {"float": "float (Keras)", "int8": "int8 (TFLM)", "target": "on target"}
USUAL_SPLIT = "mimii"


def as_text(report: Mapping[str, Any]) -> str:
    """Return any command's result for people."""
    if "instructions" in report:
        return _build_table(report) if "auc" in report else _library_table(report)
    return _evaluation_table(report) if "auc" in report else _stages_table(report)


def _build_table(report: Mapping[str, Any]) -> str:
    """Return the report of a build for people."""
    title = f"{report['task']} on {report['board']} ({sound(report)}): {report['verdict']}"
    parts = [title, "", *_auc_rows(report), "", *columns(_figures(report))]
    parts += [f"FAIL: {line}" for line in report["failures"]]
    return "\n".join(parts)


def _evaluation_table(report: Mapping[str, Any]) -> str:
    clips = report["clips"]
    title = (
        f"{report['task']} ({sound(report)}): {clips['train']} training clips, "
        f"{clips['test_normal']} + {clips['test_abnormal']} test clips"
    )
    return "\n".join([title, "", *_auc_rows(report), "", f"model: {report['model']}"])


def _library_table(report: Mapping[str, Any]) -> str:
    exact = "bit-exact" if report["parity"]["network_exact"] else "DIFFERENT"
    footprint = report["footprint"]
    rows = [
        ("network", f"{report['macs']:,} MAC"),
        ("target result", f"{exact} with TensorFlow Lite Micro"),
        ("flash, network alone", kib(footprint["network_flash"])),
        ("flash, check program", kib(footprint["flash"])),
        ("RAM, network alone", kib(footprint["network_ram"])),
        ("RAM, check program", kib(footprint["ram"])),
        ("hot code runs from", _hot_code(footprint)),
        ("instructions per network run", count(report["instructions"]["network"])),
        *_estimate(report, "time per network run, estimate"),
        *_measured_time(report["latency_ms"]),
        *energy_rows(report),
        ("files", " ".join(report["files"])),
    ]
    title = f"{report['name']} on {report['board']}: {report['verdict']}"
    groups = ["", *_group_rows(report["groups"], *_totals(report))] if report.get("groups") else []
    return "\n".join([title, "", *columns(rows), *groups])


def _totals(report: Mapping[str, Any]) -> tuple[int | None, int | None]:
    return report["instructions"]["network"], report["cycles"]["estimated"]


def _group_rows(
    groups: Sequence[Mapping[str, Any]], total: int | None, cycles: int | None
) -> list[str]:
    """Return one row per group and stage, each with its reasons in a line below."""
    heading = ["", "kernel", "", "MAC", "instructions", "per MAC", "cycles, estimate"]
    heading += ["table bytes", "buffer bytes"]
    rows, reasons = [heading], [""]
    for group in groups:
        rows.append(_cost_cells(group["name"], group))
        reasons.append("    " + "; ".join([*group["why"], *_unstored(group)]))
        for stage in group["stages"]:
            name = f"  {stage['name'].split('_')[0]} {stage['op']}"
            rows.append(_cost_cells(name, stage))
            reasons.append("      " + "; ".join(stage["why"]))
        if group["stages"] and group["own_instructions"] is not None:
            own = (group["own_instructions"], group["own_cycles"])
            rows.append(_count_cells("  input rows, loop", *own))
            reasons.append("")
    totals = ((total, "instructions"), (cycles, "cycles"))
    if total is not None:
        left = [_rest(t, [group[key] for group in groups]) for t, key in totals]
        rows.append(_count_cells("calls, ops without a function, memory", *left))
        reasons.append("")
    lines = columns(rows, right=range(3, len(heading)))
    return [line for pair in zip(lines, reasons, strict=True) for line in pair if line.strip()]


def _cost_cells(name: str, costs: Mapping[str, Any]) -> list[str]:
    spent, ratio = costs["instructions"], costs["instructions_per_mac"]
    return [
        name,
        costs["kernel"],
        f"{costs['input']} -> {costs['output']}",
        f"{costs['macs']:,}",
        "not counted" if spent is None else f"{spent:,}",
        "" if ratio is None else f"{ratio:.2f}",
        "" if costs["cycles"] is None else f"{costs['cycles']:,}",
        f"{costs['table_bytes']:,}",
        f"{costs['buffer_bytes']:,}",
    ]


def _count_cells(name: str, instructions: int | None, cycles: int | None) -> list[str]:
    counts = ("" if n is None else f"{n:,}" for n in (instructions, cycles))
    return [name, "", "", "", next(counts), "", next(counts), "", ""]


def _rest(total: int | None, parts: Sequence[int | None]) -> int | None:
    return None if total is None else total - sum(part or 0 for part in parts)


def _unstored(group: Mapping[str, Any]) -> list[str]:
    if not group["unstored_bytes"]:
        return []
    between = f"the maps between its {len(group['stages'])} ops"
    return [f"{between}, {group['unstored_bytes']:,} bytes, are never whole"]


def _stages_table(report: Mapping[str, Any]) -> str:
    rows = [(name, str(facts)) for name, facts in report["stages"].items()]
    return "\n".join(columns(rows))


def _auc_rows(report: Mapping[str, Any]) -> list[str]:
    rows: list[Sequence[str]] = [("", "AUC per clip", "AUC per window", "pAUC(0.1) per clip")]
    for leg, name in LEGS.items():
        if leg in report["auc"]:
            levels = (_interval(report["auc"][leg][level]) for level in ("clip", "window"))
            pauc = report["pauc"][leg]["clip"]
            rows.append((name, *levels, "n/a" if pauc is None else f"{pauc:.3f}"))
    return columns(rows)


def _figures(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    parity, footprint = report["parity"], report["footprint"]
    counts, arch = report["instructions"], report["arch"]
    exact = "bit-exact" if parity["network_exact"] else "DIFFERENT"
    return [
        *_detector(report["detector"]),
        ("network", f"{arch['arch']}: {arch['params']:,} parameters, {arch['macs']:,} MAC"),
        ("target scores", f"{exact} with the integer reference ({report['windows']} windows)"),
        (
            "score, float - target",
            f"at most {parity['score_max_abs']:.4f} (median score {parity['score_median']:.4f})",
        ),
        (
            "log-Mel error",
            f"p99 {parity['mel_db_p99']:.4f} dB, max {parity['mel_db_max']:.4f} dB "
            "(within 60 dB of the peak)",
        ),
        ("flash", kib(footprint["flash"])),
        ("RAM without stack", kib(footprint["ram"])),
        ("hot code runs from", _hot_code(footprint)),
        ("stack used", _stack(footprint)),
        ("instructions per Mel frame", count(counts["mel_frame"])),
        ("instructions per network run", count(counts["network"])),
        ("instructions per window", count(counts["window"])),
        *_estimate(report, "time per window, estimate"),
        *_measured_window(report["latency_ms"]["measured"], report["real_time_share"]),
        *energy_rows(report),
        ("target", f"{report['target']['name']} {report['target']['version']}"),
        ("toolchain", report["toolchain_version"]),
    ]


def _detector(detector: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Say what it looks at and how it scores; and what else it was chosen from."""
    rows = [("detector", f"{detector['name']}: {detector['view']}; {detector['score']}")]
    proxies = [f"{name} {auc:.3f}" for name, auc in detector["proxy_auc"].items()]
    if proxies:
        rows.append(("chosen by its AUC", f"{', '.join(proxies)} on made-up faults"))
    return rows


def sound(report: Mapping[str, Any]) -> str:
    """Say what kind of sound it was, and how it was split where that is not as usual."""
    kind, split = report["data"], report["clips"].get("split", USUAL_SPLIT)
    text = "simulated sound" if kind == "simulated" else f"recordings, {kind} layout"
    return text if split == USUAL_SPLIT else f"{text}, split by {split}"


def _stack(footprint: Mapping[str, Any]) -> str:
    reserved = footprint["stack_reserved"]
    return kib(footprint["stack"]) + (f" of {kib(reserved)}" if reserved else "")


def _hot_code(footprint: Mapping[str, Any]) -> str:
    """Say where the functions are that run for every window."""
    copied, left = footprint["code_ram"], footprint["hot_in_flash"]
    if not copied:
        return "where it is stored"
    rest = f"; {left:,} bytes more found no room and run from flash" if left else ""
    return f"RAM that is kept for it: {kib(copied)}, copied from flash{rest}"


def _estimate(report: Mapping[str, Any], title: str) -> list[tuple[str, str]]:
    """Say how long it takes on the board, and how busy that keeps it."""
    if report["latency_ms"]["measured"] is not None:
        return []
    rows = [(title, estimate_text(report))]
    if report.get("real_time_share") is not None:
        rows.append(("share of real time", f"{report['real_time_share']:.1%}"))
    if report["cycles"].get("memory"):
        share = report["cycles"]["memory"] / report["cycles"]["estimated"]
        rows.append(("of it, waiting for tables", f"{share:.1%}: they exceed the data cache"))
    if report["cycles"]["macs_per_cycle"] is not None:
        rows.append(("MAC per cycle, network", f"{report['cycles']['macs_per_cycle']:.2f}"))
    return rows


def _measured_window(ms: float | None, share: float | None) -> list[tuple[str, str]]:
    if ms is None:
        return []
    return [
        ("time per window, measured", f"{ms:.2f} ms, median over windows"),
        ("share of real time", f"{share:.1%}"),
    ]


def _measured_time(latency: Mapping[str, Any]) -> list[tuple[str, str]]:
    if latency["measured"] is None:
        return []
    median, low, high = (1000.0 * latency[key] for key in ("measured", "low", "high"))
    text = f"{median:.1f} us, median of {latency['runs']}, quartiles {low:.1f} and {high:.1f}"
    return [("time per network run", f"{text} ({latency['basis']})")]


def kib(size: int) -> str:
    """Return a size in bytes and KiB."""
    return f"{size:,} bytes ({size / 1024:.1f} KiB)"


def count(value: int | None) -> str:
    """Return an exact count, or that there is none."""
    return "not counted on this target" if value is None else f"{value:,} (exact)"


def _interval(value: Mapping[str, float] | None) -> str:
    if value is None:
        return "n/a (no abnormal clips)"
    return f"{value['value']:.3f} [{value['low']:.3f}, {value['high']:.3f}]"


def columns(rows: Sequence[Sequence[str]], right: Container[int] = ()) -> list[str]:
    """Align cells, those of the columns in ``right`` at their ends."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]

    def cells(row: Sequence[str]) -> list[str]:
        aligned = zip(row, widths, strict=True)
        return [c.rjust(w) if i in right else c.ljust(w) for i, (c, w) in enumerate(aligned)]

    return ["  ".join(cells(row)).rstrip() for row in rows]
