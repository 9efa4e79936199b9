"""The footprint page: the better compiler counts, a misfit and a difference are said aloud."""

import copy

from outliernets.report import footprint_page

MEASURED = {
    "exact": True, "inputs": 5, "instructions": 2_400_000, "instructions_per_mac": 1.725,
    "flash": 13_000, "ram": 19_000, "stack": 400, "program_flash": 17_000, "program_ram": 20_000,
    "fits": True, "why": None,
}  # fmt: skip
TABLE = {
    "board": "stm32f746",
    "target": "unicorn",
    "toolchains": {"zig": "zig 0.17.1", "gcc": "gcc 12.2"},
    "networks": [
        {
            "network": "fan-686",
            "tasks": ["fan/06/6dB"],
            "params": 686,
            "macs": 1_391_616,
            "compilers": {"zig": {**MEASURED, "instructions": 2_500_000}, "gcc": MEASURED},
            "best": "gcc",
        }
    ],
}


def table_rows(page: str) -> list[list[str]]:
    lines = [line for line in page.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_better_compiler_counts_and_the_other_is_shown():
    heading, rule, row = table_rows(footprint_page(TABLE, "ongen table --footprint"))
    cells = dict(zip(heading, row, strict=True))
    assert cells["instructions"] == "2,400,000"
    assert cells["per MAC"] == "1.73"
    assert (cells["compiler"], cells["fits"]) == ("gcc", "yes")
    assert cells["other: instructions, flash"] == "zig: 2,500,000, 13,000"
    assert rule[heading.index("flash")].endswith(":")


def test_lines_of_the_table_are_equally_long():
    lines = footprint_page(TABLE, "x").splitlines()
    assert len({len(line) for line in lines if line.startswith("|")}) == 1


def test_a_misfit_says_what_it_needs():
    table = copy.deepcopy(TABLE)
    for measured in table["networks"][0]["compilers"].values():
        measured["fits"] = False
    page = footprint_page(table, "x")
    assert "fan-686 does not fit stm32f746: it needs flash 17,000, RAM 20,000 bytes" in page
    assert "**no**" in page


def test_a_difference_is_named():
    assert "bit for bit equal" in footprint_page(TABLE, "x")
    table = copy.deepcopy(TABLE)
    table["networks"][0]["compilers"]["zig"]["exact"] = False
    assert "**Outputs are not bit for bit equal" in footprint_page(table, "x")


def test_one_compiler_and_no_counts():
    table = copy.deepcopy(TABLE)
    del table["toolchains"]["zig"], table["networks"][0]["compilers"]["zig"]
    gcc = table["networks"][0]["compilers"]["gcc"]
    gcc["instructions"] = gcc["instructions_per_mac"] = None
    heading, _, row = table_rows(footprint_page(table, "x"))
    assert "other: instructions, flash" not in heading
    assert row[heading.index("instructions")] == "not counted"
