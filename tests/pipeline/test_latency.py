"""``ongen table --latency``: statistics, turns, exactness, every engine, and a whole run."""

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from outliernets.cli import cli
from outliernets.errors import ConfigError
from outliernets.importer import read
from outliernets.nets.onnx_graph import to_onnx
from outliernets.nets.space import ArchSpec
from outliernets.pipeline import engines, latency
from outliernets.pipeline.engines import Engine, Files
from outliernets.pipeline.stage import Silence
from outliernets.pipeline.untrained import untrained
from tests.tflite_builder import TfliteBuilder

TINY = ArchSpec("tiny", "dense", (64, 16, 4, 16))


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
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No other engine is installed."""
    for module in ("openvino", "ai_edge_litert.interpreter", "onnxruntime"):
        monkeypatch.setitem(sys.modules, module, None)


def test_the_ratio_is_that_of_medians_and_its_interval_holds_the_truth():
    rng = np.random.default_rng(3)
    phase = np.where(rng.random(200) < 0.3, 2.0, 1.0)  # the machine is busy in three of ten rounds
    ours = 20e-6 * phase * rng.normal(1, 0.02, 200)
    theirs = 100e-6 * phase * rng.normal(1, 0.02, 200)
    value, low, high = latency.ratio_of_medians(ours, theirs)
    assert value == np.median(ours) / np.median(theirs)
    assert low < 0.2 < high
    assert 0 < high - low < 0.02
    assert latency.ratio_of_medians(ours, theirs) == (value, low, high)


def test_turns_alternate_and_warm_runs_are_not_timed():
    order: list[str] = []

    def engine(name: str, seconds: float) -> Engine:
        x = np.zeros(1)
        return Engine(name, "1", x, lambda: x, lambda: order.append(name), lambda: seconds)

    seconds = [latency.BLOCK_SECONDS, latency.BLOCK_SECONDS / 8, latency.SLOW_SECONDS]
    competitors = [engine(name, once) for name, once in zip("abc", seconds, strict=True)]
    times = latency.turns(competitors, 3, Silence())
    assert times.tolist() == [seconds] * 3
    probes = ["a"] * (1 + latency.PROBES) + ["b"] * (1 + latency.PROBES) + ["c"]
    turn = ["a"] * (latency.WARM_UP + 5) + ["b"] * (latency.WARM_UP + 8) + ["c"]
    assert order == probes + turn * 3


def test_an_engine_that_errs_is_found(model: Path, tmp_path: Path, has_compiler):
    has_compiler("gcc")
    graph = read(model)
    engine = engines.ours(graph, "gcc", tmp_path / "c")
    wrong = replace(engine, y=lambda: np.clip(engine.y().astype(int) + 3, -128, 127).astype("i1"))
    assert latency.worst_lsbs([engine, wrong], graph, model) == [0, 3]


def test_affinity_is_given_back():
    before = os.sched_getaffinity(0)
    with latency.pinned(max(before)):
        assert os.sched_getaffinity(0) == {max(before)}
    assert os.sched_getaffinity(0) == before


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return latency._written(TINY, tmp_path_factory.mktemp("tiny"))


@pytest.mark.parametrize("peer", engines.PEERS, ids=lambda peer: peer.package)
def test_every_engine_computes_the_same_network(peer: engines.Peer, tiny: Files):
    if peer.package == "onnxruntime":
        pytest.importorskip("onnx", reason="onnx is not installed: ongen[bench]")
    try:
        loaded = list(peer.load(tiny))
    except ImportError:
        pytest.skip(f"{peer.package} is not installed: ongen[bench]")
    assert loaded
    network, graph = untrained(TINY), read(tiny.int8)
    for engine in loaded:
        assert 0 < engine.seconds() < 1
        if engine.x.dtype == np.int8:
            assert latency.worst_lsbs([engine], graph, tiny.int8)[0] <= 8, engine.name
        else:
            engine.x[...] = network.windows[:1].reshape(engine.x.shape)
            engine.run()
            expected = np.asarray(network.model(network.windows[:1])).ravel()
            assert np.abs(engine.y().ravel() - expected).max() < 1e-3, engine.name


def test_onnx_is_written_where_it_can_be(tiny: Files, monkeypatch, tmp_path: Path):
    assert tiny.float32 is not None
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError):
        to_onnx(TINY, untrained(TINY).model)
    without = latency._written(TINY, tmp_path)
    assert (without.onnx, without.int8.read_bytes()) == (None, tiny.int8.read_bytes())


@pytest.mark.usefixtures("alone")
def test_a_whole_run_with_our_c_alone(model: Path, has_compiler):
    has_compiler("gcc")
    before = os.sched_getaffinity(0)
    options = ["table", "--latency", "-q", "--rounds", "3", "--toolchain", "gcc"]
    result = CliRunner().invoke(cli, [*options, "--model", str(model), "--json"])
    assert result.exit_code == 0, result.output
    table = json.loads(result.stdout)
    (row,) = table["networks"]
    ours, micro = row["engines"]
    assert (row["network"], row["macs"], table["rounds"]) == ("dense", 64 * 32, 3)
    assert (row["paper"], row["params"], table["cpu"]) == ([], None, max(before))
    assert row["ours"] == ours["name"] == "ongen gcc, int8"
    assert ours["worst_lsb"] == micro["worst_lsb"] == 0
    assert (
        0
        < ours["fastest_ms"]
        <= ours["quartiles_ms"][0]
        <= ours["ms"]
        <= ours["quartiles_ms"][1]
        < 1
    )
    assert ours["ratio"] == {"value": 1.0, "low": 1.0, "high": 1.0}
    assert list(table["left_out"]) == ["ai-edge-litert", "openvino", "onnxruntime"]
    assert os.sched_getaffinity(0) == before


@pytest.mark.usefixtures("alone")
def test_our_c_must_be_exact(model: Path, monkeypatch, has_compiler):
    has_compiler("gcc")
    monkeypatch.setattr(latency, "worst_lsbs", lambda engines, *_: [1] + [0] * (len(engines) - 1))
    table = latency.latency_table(Silence(), models=[model], rounds=2, compilers=["gcc"])
    assert table["verdict"] == "FAIL"


def test_wrong_choices_are_found_before_any_work():
    with pytest.raises(ConfigError, match=r"--cpu 9999: not one of \d"):
        latency.latency_table(Silence(), cpu=9999)
    with pytest.raises(ConfigError, match="did you mean 'fan-686'"):
        latency.latency_table(Silence(), networks=["fan-687"])
    with pytest.raises(ConfigError, match="known: gcc, zig"):
        latency.latency_table(Silence(), compilers=["clang"])
