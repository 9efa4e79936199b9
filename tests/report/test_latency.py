"""The latency page: engines side by side, the paper's figures as printed, what is missing named."""

import copy

from outliernets.report.latency import latency_page


def measured(name: str, ms: float, worst: int = 0) -> dict:
    return {
        "name": name,
        "version": "1.2",
        "ms": ms,
        "fastest_ms": 0.8 * ms,
        "quartiles_ms": [0.9 * ms, 1.1 * ms],
        "worst_lsb": worst,
        "ratio": {"value": 0.04 / ms, "low": 0.03 / ms, "high": 0.05 / ms},
        "ratio_by_round": 0.04 / ms,
    }


PRINTED = {"arm_ms": 10.729, "intel_ms": 0.459}
TABLE = {
    "processor": "Some CPU",
    "processors": 2,
    "cpu": 1,
    "load": {"low": 0.8, "high": 1.1},
    "threads": 1,
    "batch": 1,
    "rounds": 30,
    "toolchains": {"gcc": "gcc 12.2"},
    "left_out": {"openvino": "not installed: pip install"},
    "networks": [
        {
            "network": "slider-27229",
            "macs": 2_312_192,
            "paper": [PRINTED, {**PRINTED, "intel_ms": 0.463}],
            "engines": [measured("ours", 0.04)],
        },
        {
            "network": "cae-mcs",
            "macs": 288_000_000,
            "paper": [],
            "engines": [measured("ours", 0.04), measured("theirs", 1234.5, 3)],
        },
    ],
    "verdict": "PASS",
}


def cells(page: str, first: str) -> list[list[str]]:
    lines = [line for line in page.splitlines() if line.startswith(f"| {first} ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_networks_stand_in_rows_and_engines_in_columns():
    page = latency_page(TABLE, "ongen table --latency")
    medians, *others = cells(page, "network")
    assert medians == ["network", "MAC", "paper: ARM", "paper: INTEL", "ours", "theirs"]
    assert others == [["network", "MAC", "ours", "theirs"]] * 4
    slider, cae = cells(page, "slider-27229"), cells(page, "cae-mcs")
    assert slider[0][1:] == ["2,312,192", "10.729", "0.459, 0.463", "0.0400", ""]
    assert cae[0][1:] == ["288,000,000", "", "", "0.0400", "1,234"]
    assert [line[2:] for line in slider[1:]] == [
        ["0.0320", ""],
        ["0.0360 ... 0.0440", ""],
        ["1.000 [0.750, 1.250]", ""],
        ["0", ""],
    ]
    assert cae[4][2:] == ["0", "3"]


def test_what_a_reader_must_know():
    page = latency_page(TABLE, "ongen table --latency")
    said = [
        "Some CPU",
        "30 rounds",
        "1 thread, batch 1",
        "**other machines**",
        "gcc 12.2",
        "ours 1.2",
    ]
    said += ["Left out: openvino: not installed", "Made by `ongen table --latency`"]
    assert all(text in page for text in said)
    assert "busy" not in page
    assert "not exact" not in page
    worse = {**copy.deepcopy(TABLE), "load": {"low": 1.0, "high": 7.0}, "verdict": "FAIL"}
    page = latency_page(worse, "x")
    assert "1.0 to 7.0" in page
    assert "machine was busy: medians contain waiting" in page
    assert "**Our C is not exact" in page
