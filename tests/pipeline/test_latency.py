"""The benchmark's statistics, its exactness check, and a whole run with our C alone."""

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench import host
from outliernets.importer import read
from outliernets.reference import Reference
from tests.tflite_builder import TfliteBuilder


@pytest.fixture
def model(tmp_path: Path) -> Path:
    b = TfliteBuilder()
    x, y = b.activation([1, 64]), b.activation([1, 32], 0.1, -5)
    w = b.weights([32, 64], 32, per_channel=False)
    b.op("FULLY_CONNECTED", [x, w, b.bias(x, w, 32)], y, "FullyConnectedOptions")
    path = tmp_path / "dense.tflite"
    path.write_bytes(b.build(x, y))
    return path


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch):
    """No other engine is installed, and the processors of this process are as before in the end."""
    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    before = os.sched_getaffinity(0)
    yield
    os.sched_setaffinity(0, before)


def test_the_ratio_is_that_of_medians_and_its_interval_holds_the_truth():
    rng = np.random.default_rng(3)
    phase = np.where(rng.random(200) < 0.3, 2.0, 1.0)  # the machine is busy in three of ten rounds
    ours = 20e-6 * phase * rng.normal(1, 0.02, 200)
    theirs = 100e-6 * phase * rng.normal(1, 0.02, 200)
    value, low, high = host.ratio_of_medians(ours, theirs)
    assert value == np.median(ours) / np.median(theirs)
    assert low < 0.2 < high
    assert 0 < high - low < 0.02
    assert host.ratio_of_medians(ours, theirs) == (value, low, high)


def test_turns_alternate_and_warm_runs_are_not_timed():
    order: list[str] = []

    def engine(name: str, seconds: float) -> host.Engine:
        x = np.zeros(1)
        return host.Engine(name, "1", x, lambda: x, lambda: order.append(name), lambda: seconds)

    times = host.turns([engine("a", host.BLOCK_SECONDS), engine("b", host.BLOCK_SECONDS / 8)], 3)
    assert times.tolist() == [[host.BLOCK_SECONDS, host.BLOCK_SECONDS / 8]] * 3
    probes = ["a"] * 20 + ["b"] * 20
    assert order == probes + (["a"] * (host.WARM_UP + 5) + ["b"] * (host.WARM_UP + 8)) * 3


def test_an_engine_that_errs_is_found(model: Path, tmp_path: Path, has_compiler):
    has_compiler("gcc")
    graph = read(model)
    engine = host.ours(model, graph, "gcc", tmp_path / "c")
    reference = Reference(model)
    assert host.worst_lsb(engine, graph, reference) == 0
    wrong = replace(engine, y=lambda: np.clip(engine.y().astype(int) + 3, -128, 127).astype("i1"))
    assert host.worst_lsb(wrong, graph, reference) == 3


@pytest.mark.usefixtures("alone")
def test_a_whole_run(model: Path, capsys: pytest.CaptureFixture[str]):
    host.main([str(model), "--rounds", "3", "--json"])
    printed = capsys.readouterr()
    report = json.loads(printed.out)
    (result,) = report["models"]
    (row,) = result["engines"]
    assert (result["model"], result["macs"], result["rounds"]) == ("dense.tflite", 64 * 32, 3)
    assert result["ours"] == row["name"]
    assert row["worst_lsb"] == 0
    assert 0 < row["quartiles_us"][0] <= row["us"] <= row["quartiles_us"][1] < 1000
    assert row["ratio"] == {"value": 1.0, "low": 1.0, "high": 1.0}
    for missing in ("dense_f32.tflite", "openvino", "ai-edge-litert"):
        assert missing in printed.err
    assert os.sched_getaffinity(0) == {report["cpu"]}
    text = host.as_markdown(report)
    assert f"| **{row['name']}** |" in text
    assert "| exact |" in text


@pytest.mark.usefixtures("alone")
def test_wrong_choices_are_one_line_errors(model: Path, tmp_path: Path):
    with pytest.raises(SystemExit, match=r"error: --cpu 9999 is not one of \["):
        host.main([str(model), "--cpu", "9999"])
    with pytest.raises(SystemExit, match=r"error: .*none\.tflite"):
        host.main([str(tmp_path / "none.tflite"), "--rounds", "2"])
