"""Limits and comparisons fail on what is over or grew, name the function, and refuse bad text."""

import copy
import json
from pathlib import Path

import pytest

from outliernets.errors import ConfigError
from outliernets.report.budget import Checks, checks_text, read_baseline, read_budgets

REPORT = {
    "name": "hear",
    "board": "stm32f746",
    "toolchain": "gcc",
    "verdict": "PASS",
    "instructions": {"mel_frame": None, "network": 1500, "window": None},
    "cycles": {"estimated": 1200},
    "latency_ms": {"estimated": 0.25},
    "footprint": {"flash": 4096, "ram": 2048, "stack": 256, "network_flash": 3000},
    "functions": {
        "hear_n00": {"instructions": 1000, "cycles": 700},
        "hear_n01": {"instructions": 500, "cycles": 500},
    },
    "symbols": {"hear_n00_weights": 2000, "hear_n01": 600},
}
BUILD = {
    **REPORT,
    "task": "fan/06/6dB",
    "instructions": {"mel_frame": 100, "network": 1500, "window": 5000},
}


def held(text: str, report=REPORT) -> dict:
    return Checks(read_budgets([text])).applied(report)


def test_what_is_within_its_budget_passes() -> None:
    result = held("instructions=1.5k, flash=4K, ram=2048, latency_ms=0.3, stack=0.25K")
    assert result["verdict"] == "PASS"
    assert [row["most"] for row in result["budget"]] == [1500, 4096, 2048, 0.3, 256]
    assert all(row["kept"] for row in result["budget"])
    assert "OVER" not in checks_text(result)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("instructions=1.4k", "instructions 1,500 is over its budget of 1,400; most is in hear_n0"),
        ("cycles=1K", "cycles 1,200 is over its budget of 1,000; most is in hear_n00: 700"),
        ("latency_ms=0.2", "latency_ms 0.25 is over its budget of 0.20"),
        ("flash=3K", "flash 4,096 is over its budget of 3,072; most is in hear_n00_weights: 2,000"),
        ("ram=2047", "ram 2,048 is over its budget of 2,047"),
    ],
)  # fmt: skip
def test_what_is_over_fails_and_names_the_function(text: str, says: str) -> None:
    result = held(text)
    assert result["verdict"] == "FAIL"
    (line,) = result["failures"]
    assert line.startswith(says)
    assert "OVER" in checks_text(result)


def test_instructions_are_those_of_a_window_where_there_is_one() -> None:
    assert held("instructions=4999", BUILD)["verdict"] == "FAIL"
    assert held("instructions=5000,network=1500,mel_frame=100", BUILD)["verdict"] == "PASS"


def test_failures_of_the_report_itself_stay() -> None:
    broken = {**REPORT, "verdict": "FAIL", "failures": ["not exact"]}
    assert held("ram=1K", broken)["failures"][0] == "not exact"
    assert len(held("ram=1K", broken)["failures"]) == 2
    assert held("ram=4K", broken)["verdict"] == "FAIL"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("flash", "'flash' is not NAME=NUMBER"),
        ("flash=", "flash= is not a number such as 64K or 65536"),
        ("flash=64Q", "flash=64Q is not a number"),
        ("flash=-1", "flash=-1 is not a number"),
        ("instructions=2.2G", "is not a number such as 2.2M or 2200000"),
        ("flsh=64K", "unknown 'flsh' .did you mean 'flash'"),
        ("flash=1,flash=2", "flash is there twice"),
        ("", "is not NAME=NUMBER"),
    ],
)
def test_bad_text_is_one_line(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as info:
        read_budgets([text])
    assert "\n" not in str(info.value)


def test_a_figure_that_is_not_there_cannot_be_limited() -> None:
    with pytest.raises(ConfigError, match="no figure 'mel_frame'"):
        held("mel_frame=100")


FILE = """
[[budget]]
name = "hear"
board = "stm32f746"
instructions = "1.4k"

[[budget]]
board = "cortex-a72"
instructions = 1

[[budget]]
flash = 4096
"""


def test_a_file_has_budgets_for_several_reports(tmp_path: Path) -> None:
    path = tmp_path / "budgets.toml"
    path.write_text(FILE)
    result = held(str(path))
    assert [row["name"] for row in result["budget"]] == ["instructions", "flash"]
    assert len(result["failures"]) == 1
    assert held(str(path), {**REPORT, "name": "other"})["verdict"] == "PASS"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("[[budget]", "not TOML"),
        ("", r"has no \[\[budget\]\]"),
        ("budget = 3", r"has no \[\[budget\]\]"),
        ("flash = 3", "unknown key 'flash'"),
        ("[[budget]]\nboard = 'x'", "budget 1: limits nothing"),
        ("[[budget]]\nboard = 3\nflash = 1", "board must be a string"),
        ("[[budget]]\nbord = 'x'\nflash = 1", "unknown 'bord' .did you mean 'board'"),
        ("[[budget]]\nflash = [1]", "is not a number"),
        ("[[budget]]\nflash = 1\n[[budget]]\nram = 'x'", "budget 2: ram=x is not a number"),
    ],
)
def test_a_bad_file_is_one_line(tmp_path: Path, content: str, says: str) -> None:
    path = tmp_path / "budgets.toml"
    path.write_text(content)
    with pytest.raises(ConfigError, match=says) as info:
        read_budgets([str(path)])
    assert str(info.value).startswith(str(path))


def test_a_file_that_is_meant_for_nothing_here_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "budgets.toml"
    path.write_text("[[budget]]\nboard = 'stm32g0b1'\nflash = 1")
    with pytest.raises(ConfigError, match=r"no \[\[budget\]\] is meant for .*board stm32f746"):
        held(str(path))
    with pytest.raises(ConfigError, match=r"cannot read budgets nowhere\.toml"):
        held("nowhere.toml")


def compared(change, tolerance: float = 0.0) -> dict:
    now = copy.deepcopy(REPORT)
    change(now)
    return Checks(baseline=REPORT, tolerance=tolerance).applied(now)


def test_equal_reports_have_no_regressions() -> None:
    result = compared(lambda now: None)
    assert result["verdict"] == "PASS"
    names = [row["name"] for row in result["comparison"]["figures"]]
    assert names == ["network", "cycles", "flash", "ram", "stack", "network_flash"]


def slower(now) -> None:
    now["instructions"]["network"] = 1530
    now["functions"]["hear_n01"]["instructions"] = 560
    now["functions"]["hear_n00"]["instructions"] = 970


def test_the_function_that_grew_is_named() -> None:
    (line,) = compared(slower)["failures"]
    assert line == "network grew from 1,500 to 1,530 (+2.00 %): hear_n01 +60"
    assert "GREW: hear_n01" in checks_text(compared(slower))
    assert compared(slower, 0.02)["verdict"] == "PASS"
    assert compared(slower, 0.019)["verdict"] == "FAIL"


def test_a_new_function_and_a_table_that_grew_are_named() -> None:
    def change(now) -> None:
        now["footprint"]["flash"] += 100
        now["symbols"] |= {"hear_n00_weights": 2020, "hear_n02": 90}

    (line,) = compared(change)["failures"]
    assert line.endswith("hear_n02 +90, hear_n00_weights +20")


def test_what_shrank_is_no_regression() -> None:
    def change(now) -> None:
        now["footprint"]["ram"] = 1024

    result = compared(change)
    assert result["verdict"] == "PASS"
    assert "-50.00 %" in checks_text(result)


def test_reports_of_different_things_are_not_compared() -> None:
    with pytest.raises(ConfigError, match="is of board stm32f746, this one of cortex-a72"):
        compared(lambda now: now.update(board="cortex-a72"))


@pytest.mark.parametrize("content", ["{", "[]", '{"a": 1}', '{"instructions": 3}'])
def test_a_baseline_that_is_no_report_is_one_line(tmp_path: Path, content: str) -> None:
    path = tmp_path / "old.json"
    path.write_text(content)
    with pytest.raises(ConfigError, match="not a report"):
        read_baseline(path)
    with pytest.raises(ConfigError, match="cannot read the report"):
        read_baseline(tmp_path / "none.json")
    path.write_text(json.dumps(REPORT))
    assert read_baseline(path) == REPORT
