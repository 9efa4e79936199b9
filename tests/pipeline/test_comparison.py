"""Detectors side by side on a small simulated machine: same clips, kept results, every format."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from outliernets import data, evaluate
from outliernets.config import Task
from outliernets.data import Clip
from outliernets.errors import ConfigError, DataError
from outliernets.pipeline import BuildConfig, learning
from outliernets.pipeline.comparison import compare_detectors
from outliernets.report.comparison import comparison_csv, comparison_page, comparison_text
from tests.pipeline.recorder import Recorder

TASK = Task.parse("fan/02/0dB")
NAMES = "no-network,ppca-4,no-network+running"
ABNORMAL = 4


@pytest.fixture(scope="module")
def config(tmp_path_factory) -> BuildConfig:
    root = tmp_path_factory.mktemp("sounds")
    data.simulate(TASK, root, normal=30, abnormal=ABNORMAL, seconds=2.3)
    return BuildConfig(TASK, data=root, out=tmp_path_factory.mktemp("build"))


@pytest.fixture(scope="module")
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture(scope="module")
def comparison(config: BuildConfig, recorder: Recorder) -> dict:
    return compare_detectors(config, NAMES, recorder)


def test_rows_are_in_the_order_asked_for(comparison: dict) -> None:
    assert [row["name"] for row in comparison["detectors"]] == NAMES.split(",")
    assert comparison["task"] == str(TASK)
    assert comparison["data"] == "simulated"
    assert comparison["clips"]["test_abnormal"] == ABNORMAL
    assert [row["seeds"] for row in comparison["detectors"]] == [1, 1, 1]  # chance has no part
    json.dumps(comparison)


def test_the_network_that_is_not_used_is_not_talked_about(
    comparison: dict, recorder: Recorder
) -> None:
    assert not any("Table 1" in notice for notice in recorder.notices)


def test_figures_are_those_of_the_windows_of_the_build(
    comparison: dict, config: BuildConfig
) -> None:
    features = config.task_folder / "02_features"
    windows, clips = np.load(features / "test.npy"), np.load(features / "test_clip.npy")
    labels = learning.labels_of(learning.read_clips(config.task_folder / "01_data", "test"))
    scores = evaluate.mse_scores(windows, np.zeros_like(windows))
    found = comparison["detectors"][0]
    means = evaluate.clip_scores(scores, clips)
    assert found["auc"]["window"]["value"] == pytest.approx(evaluate.auc(labels[clips], scores))
    assert found["auc"]["clip"]["value"] == pytest.approx(evaluate.auc(labels, means))
    assert found["pauc"]["clip"]["value"] == pytest.approx(evaluate.pauc(labels, means))
    expected = evaluate.evaluate(labels, scores, clips).as_json()
    assert found["auc"]["clip"] == pytest.approx(expected["clip"])


def test_differences_are_to_the_first_named(comparison: dict) -> None:
    first, *others = comparison["detectors"]
    assert first["ahead_of_first"] is None
    for row in others:
        apart = row["ahead_of_first"]["auc"]
        gain = row["auc"]["clip"]["value"] - first["auc"]["clip"]["value"]
        assert apart["value"] == pytest.approx(gain)
        assert apart["low"] <= apart["value"] <= apart["high"]


def test_only_what_is_new_is_trained(
    comparison: dict, recorder: Recorder, config: BuildConfig
) -> None:
    assert recorder.ran == ["data", "features", *NAMES.split(",")]
    again = Recorder()
    other = compare_detectors(config, f"{NAMES},gaussian", again)
    assert again.ran == ["gaussian"]
    assert other["detectors"][:3] == comparison["detectors"]


@pytest.mark.slow  # trains, with TensorFlow
def test_seeds_are_stages_of_their_own(config: BuildConfig) -> None:
    quick = BuildConfig(**{**vars(config), "steps": 2, "seed": config.seed})
    first, more = Recorder(), Recorder()
    compare_detectors(quick, "no-network,dense-ae", first, seeds=2)
    found = compare_detectors(quick, "no-network,dense-ae", more, seeds=3)
    assert len([name for name in first.ran if name.startswith("dense-ae, seed")]) == 2
    assert more.ran == [f"dense-ae, seed {config.seed + 2}"]
    row = found["detectors"][1]
    assert row["seeds"] == len(row["auc_of_seeds"]) == 3
    assert row["auc"]["clip"]["value"] == pytest.approx(np.mean(row["auc_of_seeds"]))
    assert row["train_seconds"] > 0


def test_unknown_names_are_refused_before_any_work(config: BuildConfig) -> None:
    recorder = Recorder()
    with pytest.raises(ConfigError, match="did you mean 'ppca-4'"):
        compare_detectors(config, "no-network,ppca", recorder)
    assert recorder.ran == []


def test_without_abnormal_clips_nothing_is_trained(
    comparison: dict, config: BuildConfig, tmp_path: Path, monkeypatch
) -> None:
    def only_normal(folder: Path, part: str) -> list[Clip]:
        return [c for c in read(folder, part) if c.label == "normal"]

    read: Callable[[Path, str], list[Clip]] = learning.read_clips
    monkeypatch.setattr(learning, "read_clips", only_normal)
    recorder = Recorder()
    with pytest.raises(DataError, match="none of the 4 test clips is abnormal"):
        compare_detectors(BuildConfig(TASK, data=config.data, out=tmp_path), NAMES, recorder)
    assert recorder.ran == ["data", "features"]


def test_text_has_a_line_per_detector(comparison: dict) -> None:
    lines = comparison_text(comparison).splitlines()
    assert "simulated sound" in lines[0]
    assert [line.split()[0] for line in lines[3:6]] == NAMES.split(",")
    assert "ahead of no-network" in lines[2]


def test_markdown_says_how_it_was_made(comparison: dict) -> None:
    page = comparison_page([comparison, comparison], "ongen eval --compare x")
    lines = page.splitlines()
    assert lines[0].startswith("Made by `ongen eval --compare x`.")
    assert sum(line.startswith("## fan/02/0dB (simulated sound)") for line in lines) == 2
    table = [line for line in lines if line.startswith("|")][:5]
    assert len({len(line) for line in table}) == 1  # aligned
    assert len({line.count("|") for line in table}) == 1


def test_several_tasks_have_a_table_of_all_of_them(comparison: dict) -> None:
    page = comparison_page([comparison, comparison], "ongen eval --compare x")
    table = [[cell.strip() for cell in line.split("|")[1:-1]] for line in page.splitlines()[4:9]]
    first, *others = comparison["detectors"]
    assert table[0] == ["task", first["name"], *(row["name"] for row in others)]
    assert table[2] == table[3]
    for row, cell in zip(others, table[2][2:], strict=True):
        apart = first["auc"]["clip"]["value"] - row["auc"]["clip"]["value"]
        value, lead = cell.rstrip(")").split(" (")
        assert float(value) == pytest.approx(row["auc"]["clip"]["value"], abs=5e-4)
        assert float(lead.removesuffix(" *")) == pytest.approx(apart, abs=6e-4)
    assert table[4][0] == "mean of 2"
    assert float(table[4][1]) == pytest.approx(first["auc"]["clip"]["value"], abs=5e-4)
    assert len(comparison_page([comparison], "x").split("## ")[0].splitlines()) == 2


def test_csv_has_all_figures_in_columns(comparison: dict) -> None:
    rows = list(csv.DictReader(comparison_csv([comparison]).splitlines()))
    assert [row["name"] for row in rows] == NAMES.split(",")
    wanted = comparison["detectors"][1]
    assert float(rows[1]["pauc_window_high"]) == wanted["pauc"]["window"]["high"]
    assert float(rows[1]["ahead_auc_share"]) == wanted["ahead_of_first"]["auc"]["share"]
    assert rows[0]["ahead_auc_value"] == ""


def test_a_decided_difference_has_a_star(comparison: dict) -> None:
    decided = json.loads(json.dumps(comparison))
    apart = decided["detectors"][1]["ahead_of_first"]["auc"]
    for low, high, star in ((0.01, 0.2, True), (-0.2, -0.01, True), (-0.1, 0.2, False)):
        apart |= {"low": low, "high": high}
        line = comparison_text(decided).splitlines()[4]
        assert line.endswith("*") == star
