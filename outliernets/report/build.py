"""The report of one build: the names are an interface (docs/report.md), only ever added to."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outliernets.boards import Board
from outliernets.config import MelConfig
from outliernets.report.timing import Cycles, by_function, energy, timing

SCHEMA = 1
AUC_BUDGET = 0.01  #: largest |AUC float - AUC target|
MEL_BUDGET_DB = 0.5  #: largest error of the fixed-point front end near the frame's peak


@dataclass(frozen=True)
class Results:
    """What the stages measured."""

    task: str
    board: Board
    facts: Mapping[str, Mapping[str, Any]]  #: of each stage
    seconds: Mapping[str, float]  #: of each stage
    auc: Mapping[str, Any]  #: float, int8, target: window and clip
    pauc: Mapping[str, Any]
    float_scores: NDArray[np.float64]  #: of the replayed windows
    target_scores: NDArray[np.float64]
    sums: NDArray[np.uint64]  #: the target's integer scores
    twin_sums: NDArray[np.uint64]


def build_report(results: Results, mel: MelConfig) -> dict[str, Any]:
    """Return report.json's content."""
    facts, board = results.facts, results.board
    run, compiled = facts["run"], facts["compile"]
    report: dict[str, Any] = {
        "schema": SCHEMA,
        "task": results.task,
        "board": board.name,
        "toolchain": compiled["toolchain"].split()[0],
        "toolchain_version": compiled["toolchain"],
        "data": facts["data"]["kind"],
        "arch": {k: facts["train"][k] for k in ("arch", "params", "macs")},
        "detector": facts["train"]["detector"],
        "fine_tuned": facts["quantize"]["fine_tuned"],
        "clips": {k: v for k, v in facts["data"].items() if k != "kind"},
        "auc": results.auc,
        "pauc": results.pauc,
        "parity": {
            "score_median": float(np.median(results.float_scores)),
            "score_max_abs": float(np.abs(results.float_scores - results.target_scores).max()),
            "mel_db_p99": run["mel_error_db"]["p99"],
            "mel_db_max": run["mel_error_db"]["max"],
            "network_exact": bool(np.array_equal(results.sums, results.twin_sums)),
        },
        "footprint": {
            "flash": compiled["flash"],
            "ram": compiled["ram"],
            "code_ram": compiled["code_ram"],
            "hot_in_flash": compiled["hot_in_flash"],
            "stack": run["stack_used"],
            "stack_reserved": compiled["stack_reserved"],
            "largest_frames": compiled["largest_frames"],
        },
        "instructions": run["instructions"],
        **_timing(run, board, facts["train"]["macs"], mel),
        "functions": by_function(
            run["functions"], (run.get("cycles") or {}).get("functions"), run["windows"]
        ),
        "symbols": compiled["largest_symbols"],
        "target": run["target"],
        "windows": run["windows"],
        "scores_sha256": hashlib.sha256(results.sums.astype("<u8").tobytes()).hexdigest(),
        "seconds": results.seconds,
    }
    failures = verdict(report)
    return report | {"verdict": "FAIL" if failures else "PASS", "failures": failures}


def _timing(run: Mapping[str, Any], board: Board, macs: int, mel: MelConfig) -> dict[str, Any]:
    """Return the time of a window: measured, by a model, or at one cycle per instruction."""
    model, window = run.get("cycles"), run["instructions"]["window"]
    cycles = None
    if model:
        cycles = Cycles(model["window"], model["error"], model["basis"], model["memory"])
    elif window is not None:
        cycles = Cycles(window, None, "one cycle per instruction: no model of this processor")
    network = model["network"] if model else 0  # of detectors that have one
    times = timing(cycles, board.clock_hz, macs_per_cycle=macs / network if network else None)
    if model:
        times["cycles"] |= {key: model[key] for key in ("mel_frame", "network", "window")}
    measured = run["cycles_measured"]
    if measured is not None:
        times["cycles"]["measured"] = measured
        times["latency_ms"]["measured"] = 1000.0 * measured / board.clock_hz
    ms = times["latency_ms"]["estimated" if measured is None else "measured"]
    share = {"real_time_share": None if ms is None else ms / mel.window_ms}
    return times | share | energy(board.power, times, "window", mel.window_ms)


def verdict(report: Mapping[str, Any]) -> list[str]:
    """Return what breaks a budget, one line each; nothing means PASS."""
    failures = []
    for level in ("window", "clip"):
        reference, measured = (report["auc"][leg][level] for leg in ("float", "target"))
        if reference is None or measured is None:
            continue
        gap = abs(reference["value"] - measured["value"])
        if gap > AUC_BUDGET:
            failures.append(f"AUC per {level}: float and target differ by {gap:.4f} > {AUC_BUDGET}")
    if not report["parity"]["network_exact"]:
        failures.append("scores on the target differ from the bit-exact reference")
    if report["parity"]["mel_db_max"] > MEL_BUDGET_DB:
        worst = report["parity"]["mel_db_max"]
        failures.append(f"log-Mel differs from librosa by {worst:.2f} dB > {MEL_BUDGET_DB} dB")
    used, reserved = report["footprint"]["stack"], report["footprint"]["stack_reserved"]
    if reserved and used >= reserved:
        failures.append(f"the stack is full: {used} of {reserved} bytes")
    return failures
