"""What a detector did with a stream, for people."""

from collections.abc import Mapping
from typing import Any

from outliernets.report.text import columns, count, kib


def detection_text(report: Mapping[str, Any]) -> str:
    """Return the report of ``pipeline.detect`` as a table."""
    limit, stream, footprint = report["threshold"], report["stream"], report["footprint"]
    rows = [
        ("sound", _sound(stream)),
        ("windows", str(report["windows"])),
        *_alarm_rows(report),
        ("samples lost", str(report["lost"])),
        (
            "lines",
            "equal to the integer twin's" if report["parity"]["lines_exact"] else "DIFFERENT",
        ),
        ("threshold", _promise(limit)),
        ("known of normal sound", _support(limit)),
        ("flash, RAM", f"{kib(footprint['flash'])}, {kib(footprint['ram'])}"),
        ("stack, measured", f"{footprint['stack']:,} bytes"),
        ("instructions per second of sound", count(report["instructions"]["second"])),
    ]
    where = (
        f"{report['target']['name']} {report['target']['version']}, audio from {report['audio']}"
    )
    title = f"{report['task']} on {report['board']} ({where}): {report['verdict']}"
    return "\n".join([title, "", *columns(rows), *(f"FAIL: {f}" for f in report["failures"])])


def _sound(stream: Mapping[str, Any]) -> str:
    fault = stream["fault_at"]
    told = "" if fault is None else f", fault from {fault:.1f} s on"
    return f"{stream['seconds']:.1f} s{told}"


def _alarm_rows(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    alarms = report["alarms"]
    if alarms["false"] is None:
        return [("alarms at", ", ".join(f"{at:.1f} s" for at in alarms["at"]) or "none")]
    delay = "no alarm" if alarms["delay"] is None else f"{alarms['delay']:.2f} s after the fault"
    return [("alarm", delay), ("false alarms", str(alarms["false"]))]


def _promise(limit: Mapping[str, Any]) -> str:
    return (
        f"{limit['threshold']:,}, set for {limit['false_alarms_per_hour']:g} false alarms per hour "
        f"({limit['method']})"
    )


def _support(limit: Mapping[str, Any]) -> str:
    return (
        f"{limit['scores']} windows, {limit['above']} above: fewer than "
        f"{limit['supported_per_hour']:.0f} per hour, with 95 % confidence"
    )
