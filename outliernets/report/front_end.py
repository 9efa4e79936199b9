"""The front end by itself: a picture of how close it is to librosa, tables for people."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outliernets.config import MelConfig
from outliernets.errors import ConfigError
from outliernets.report.text import columns, count, kib

PICTURES = (".png", ".svg")
SHOWN_DB = 80.0  #: below the loudest value
SHOWN_ERROR_DB = 0.1  #: end of the difference's colours


def check_picture(path: Path) -> Path:
    """Return ``path``; ConfigError if it is no kind of picture that ``draw`` makes."""
    if path.suffix.lower() not in PICTURES:
        raise ConfigError(f"--out {path}: not a picture; end it in {' or '.join(PICTURES)}")
    return path


def draw(
    title: str,
    exact: NDArray[np.floating[Any]],
    fixed: NDArray[np.floating[Any]],
    config: MelConfig,
    path: Path,
) -> None:
    """Draw two spectrograms [frames, n_mels] in dB and their difference; reproducible files."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"svg.hashsalt": "ongen", "font.size": 9.0}):
        figure = Figure(figsize=(12.0, 3.6), layout="constrained")
        axes = figure.subplots(1, 3, sharex=True, sharey=True)
        seconds = len(exact) * config.hop / config.sample_rate
        place = {"origin": "lower", "aspect": "auto", "extent": (0.0, seconds, 0, config.n_mels)}
        top = float(exact.max())
        for axis, name, values in zip(
            axes, ("librosa", "fixed point"), (exact, fixed), strict=False
        ):
            image = axis.imshow(values.T, vmin=top - SHOWN_DB, vmax=top, cmap="magma", **place)
            axis.set_title(f"{name}, dB")
            figure.colorbar(image, ax=axis)
        image = axes[2].imshow(
            (fixed - exact).T, vmin=-SHOWN_ERROR_DB, vmax=SHOWN_ERROR_DB, cmap="coolwarm", **place
        )
        axes[2].set_title("fixed point less librosa, dB")
        figure.colorbar(image, ax=axes[2])
        axes[0].set_ylabel("Mel band")
        for axis in axes:
            axis.set_xlabel("seconds")
        figure.suptitle(title)
        path.parent.mkdir(parents=True, exist_ok=True)
        kind = path.suffix.lower().removeprefix(".")
        figure.savefig(path, format=kind, metadata={"Date": None} if kind == "svg" else None)


def comparison_text(report: Mapping[str, Any]) -> str:
    """Return the result of ``ongen mel`` for people."""
    error = report["error_db"]
    share = f"{report['counted_share']:.0%} of the values"
    rows = [
        ("frames", f"{report['frames']:,}"),
        ("difference counts in", f"{share} (the rest: 80 dB below the frame's peak, or noise)"),
        ("difference, mean", f"{error['mean']:.4f} dB"),
        ("difference, 99 %", f"{error['p99']:.4f} dB"),
        ("difference, largest", f"{error['max']:.4f} dB"),
    ]
    where = ""
    if "board" in report:
        where = f" on {report['board']}"
        rows += _target_rows(report)
    return "\n".join([f"{report['clip']}{where}: {report['verdict']}", "", *columns(rows)])


def library_text(report: Mapping[str, Any]) -> str:
    """Return the result of ``ongen export mel`` for people."""
    low, high = report["range_db"]
    rows = [
        ("int8 covers", f"{low:g} ... {high:g} dB"),
        *_target_rows(report),
        ("files", " ".join(report["files"])),
    ]
    title = f"{report['name']} on {report['board']}: {report['verdict']}"
    return "\n".join([title, "", *columns(rows)])


def _target_rows(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    exact = "every bit that of the integer twin" if report["parity"]["rows_exact"] else "DIFFERENT"
    footprint = report["footprint"]
    return [
        ("rows of the target", exact),
        ("flash, front end alone", kib(footprint["front_end_flash"])),
        ("RAM, front end alone", kib(footprint["front_end_ram"])),
        ("instructions per frame", count(report["instructions"]["mel_frame"])),
    ]
