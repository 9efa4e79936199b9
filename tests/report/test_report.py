"""The verdict names every broken budget, and the tables show what was measured."""

import copy
import re

import pytest

from outliernets.boards import Power
from outliernets.report import as_text, verdict
from outliernets.report.timing import Cycles, energy, timing

AUC = {"value": 0.9, "low": 0.85, "high": 0.95}
REPORT = {
    "task": "fan/06/6dB",
    "board": "stm32f746",
    "data": "simulated",
    "verdict": "PASS",
    "failures": [],
    "arch": {"arch": "fan-686", "params": 686, "macs": 1391616},
    "clips": {"split": "mimii"},
    "detector": {
        "name": "paper", "view": "the window", "score": "mean square", "proxy_auc": {},
    },
    "auc": {leg: {"window": dict(AUC), "clip": dict(AUC)} for leg in ("float", "int8", "target")},
    "pauc": {leg: {"clip": 0.8} for leg in ("float", "int8", "target")},
    "parity": {
        "score_median": 0.9, "score_max_abs": 0.01, "mel_db_p99": 0.001, "mel_db_max": 0.02,
        "network_exact": True,
    },
    "footprint": {
        "flash": 34652, "ram": 88624, "code_ram": 0, "hot_in_flash": 0, "stack": 496,
        "stack_reserved": 16384,
    },
    "instructions": {"mel_frame": 70379, "network": 11544640, "window": 13800000},
    "cycles": {
        "estimated": 9560000, "error": 0.15, "measured": None, "basis": "model of a Cortex-M7",
        "macs_per_cycle": 0.17, "mel_frame": 50000, "network": 8000000, "window": 9560000,
    },
    "latency_ms": {"estimated": 44.26, "measured": None},
    "real_time_share": 0.0432,
    "target": {"name": "unicorn", "version": "2.1.4"},
    "toolchain_version": "zig 0.17.1",
    "windows": 720,
}  # fmt: skip


def broken(path: str, value) -> list[str]:
    report = copy.deepcopy(REPORT)
    *parents, last = path.split(".")
    inner = report
    for key in parents:
        inner = inner[key]
    inner[last] = value
    return verdict(report)


def test_a_detector_that_was_chosen_says_from_what():
    chosen = copy.deepcopy(REPORT)
    assert "  paper: the window; mean square\n" in as_text(chosen)
    assert "made-up" not in as_text(chosen)
    chosen["detector"]["proxy_auc"] = {"steady": 0.81, "transient": 0.7}
    assert "  steady 0.810, transient 0.700 on made-up faults\n" in as_text(chosen)


def test_an_unusual_split_is_named():
    blocks = REPORT | {"clips": {"split": "blocks=20"}, "data": "mimii"}
    assert "(recordings, mimii layout, split by blocks=20)" in as_text(blocks)
    assert "split" not in as_text(REPORT)


def test_all_within_budget():
    assert verdict(REPORT) == []


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("auc.target.clip.value", 0.885, "AUC per clip: float and target differ by 0.0150"),
        ("auc.target.window.value", 0.92, "AUC per window"),
        ("parity.network_exact", False, "differ from the bit-exact reference"),
        ("parity.mel_db_max", 0.7, "0.70 dB > 0.5 dB"),
        ("footprint.stack", 16384, "the stack is full"),
    ],
)
def test_each_budget_is_named(path, value, says):
    (line,) = broken(path, value)
    assert says in line


def test_no_auc_without_abnormal_clips():
    report = copy.deepcopy(REPORT)
    for leg in report["auc"]:
        report["auc"][leg] = {"window": None, "clip": None}
        report["pauc"][leg] = {"clip": None}
    assert verdict(report) == []
    assert "n/a (no abnormal clips)" in as_text(report)


def test_the_table_says_simulated_and_estimate():
    text = as_text(REPORT)
    assert "fan/06/6dB on stm32f746 (simulated sound): PASS" in text
    assert "44.26 ms ± 15% (model of a Cortex-M7)" in text
    assert "4.3%" in text
    assert "11,544,640 (exact)" in text
    assert "0.900 [0.850, 0.950]" in text


def test_uncounted_targets_say_so():
    report = copy.deepcopy(REPORT)
    report["instructions"] = dict.fromkeys(report["instructions"])
    report["latency_ms"]["estimated"] = report["real_time_share"] = None
    report["cycles"] = dict.fromkeys(report["cycles"])
    assert as_text(report).count("not counted on this target") == 4


def test_without_a_model_the_estimate_says_what_it_is():
    times = timing(Cycles(216_000, None, "one cycle per instruction: no model"), 216_000_000)
    assert times["latency_ms"] == {"estimated": 1.0, "measured": None}
    assert times["cycles"]["error"] is None
    text = as_text({**copy.deepcopy(REPORT), **times, "real_time_share": 0.001})
    assert "1.0 ms at one cycle per instruction: no model" in text
    assert "±" not in text


def test_cycles_become_time_at_the_boards_clock():
    times = timing(Cycles(432_000, 0.3, "model of something"), 216_000_000, macs_per_cycle=1 / 3)
    assert times["latency_ms"]["estimated"] == 2.0
    expected = {"estimated": 432_000, "error": 0.3, "measured": None}
    assert times["cycles"] == {**expected, "basis": "model of something"} | {
        "macs_per_cycle": 0.333,
        "memory": 0,
    }
    assert timing(None, 1, {"measured": 3.0})["latency_ms"] == {"estimated": None, "measured": 3.0}


POWER = Power(1.5, 0.2, "an ammeter")  # 1.5 mW at 1 MHz: 1.5 nJ a cycle


def test_energy_is_power_times_time():
    times = timing(Cycles(2_000_000, 0.15, "model"), 200_000_000)  # 10 ms of 300 mW
    found = energy(POWER, times, "window", every_ms=1000.0)
    assert found["energy_mj"] == {"window": 3.0, "error": 0.35, "basis": "an ammeter"}
    assert found["power_mw"] == {"mean": 3.0, "error": 0.35}
    assert energy(POWER, times, "network") == {
        "energy_mj": {"network": 3.0, "error": 0.35, "basis": "an ammeter"}
    }


def test_energy_of_measured_cycles_is_as_wrong_as_the_power():
    times = timing(Cycles(2_000_000, 0.15, "model"), 200_000_000)
    times["cycles"]["measured"] = 4_000_000
    assert energy(POWER, times, "window")["energy_mj"] == {
        "window": 6.0, "error": 0.2, "basis": "an ammeter",
    }  # fmt: skip


def test_energy_of_uncertain_cycles_has_no_error_bar():
    times = timing(Cycles(400, None, "one cycle per instruction"), 1000)
    assert energy(POWER, times, "window")["energy_mj"]["error"] is None
    text = as_text(REPORT | energy(POWER, times, "window"))
    assert re.search(r"energy per window, estimate +0\.6 µJ \(an ammeter\)", text)


def test_no_energy_without_the_power_or_without_cycles():
    times = timing(Cycles(2_000_000, 0.15, "model"), 200_000_000)
    assert energy(None, times, "window", 1000.0) == {}
    assert energy(POWER, timing(None, 1), "network") == {}
    assert "energy" not in as_text(REPORT)


def test_the_table_has_energy_and_mean_power():
    times = timing(Cycles(2_000_000, 0.15, "model"), 200_000_000)
    text = as_text(REPORT | energy(POWER, times, "window", every_ms=1024.0))
    assert "3 mJ ± 35% (an ammeter)" in text
    assert "2.93 mW, without sleep" in text
