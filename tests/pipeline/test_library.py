"""``ongen compile`` for this machine: exact, and its time measured."""

import json
from pathlib import Path

import pytest

from outliernets import boards, resources
from outliernets.errors import ConfigError
from outliernets.pipeline import compile_model
from outliernets.pipeline.stage import Silence
from outliernets.report import as_text
from tests.tflite_builder import TfliteBuilder


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A fully connected layer of 64 to 32."""
    b = TfliteBuilder()
    x, y = b.activation([1, 64]), b.activation([1, 32], 0.1, -5)
    w = b.weights([32, 64], 32, per_channel=False)
    b.op("FULLY_CONNECTED", [x, w, b.bias(x, w, 32)], y, "FullyConnectedOptions")
    path = tmp_path / "dense.tflite"
    path.write_bytes(b.build(x, y))
    return path


@pytest.mark.parametrize("compiler", ["zig", "gcc"])
def test_on_this_machine_it_is_exact_and_timed(
    model: Path, tmp_path: Path, compiler: str, has_compiler
) -> None:
    has_compiler(compiler)
    report = compile_model(model, "host", tmp_path / "lib", Silence(), toolchain_name=compiler)
    assert report["verdict"] == "PASS"
    assert report["parity"]["network_exact"]
    assert report["instructions"] == {"mel_frame": None, "network": None, "window": None}
    assert report["target"]["name"] == "host"
    latency = report["latency_ms"]
    assert 0 < latency["low"] <= latency["measured"] <= latency["high"] < 10
    assert latency["estimated"] is None
    assert report["footprint"]["network_flash"] > 64 * 32
    text = as_text(report)
    assert f"{1000 * latency['measured']:.1f} us, median of {latency['runs']}" in text
    assert "measured on this machine, noisy" in text
    assert json.loads((tmp_path / "lib" / "library.json").read_text()) == report


@pytest.mark.emulator
@pytest.mark.parametrize("board", ["stm32f746", "cortex-a72"])
def test_elsewhere_time_is_an_estimate(model: Path, tmp_path: Path, board: str) -> None:
    pytest.importorskip("unicorn")
    report = compile_model(model, board, tmp_path / "lib", Silence(), explained=True)
    spent = report["cycles"]
    assert spent["measured"] is None
    assert 0 < spent["error"] < 0.5
    assert 64 * 32 / 4 < spent["estimated"] < 2 * report["instructions"]["network"]
    clock = boards.load(board).clock_hz
    assert report["latency_ms"]["estimated"] == pytest.approx(1000 * spent["estimated"] / clock)
    assert spent["macs_per_cycle"] == pytest.approx(64 * 32 / spent["estimated"], abs=0.001)
    groups = sum(group["cycles"] for group in report["groups"])
    assert spent["memory"] == 0
    assert 0.5 * spent["estimated"] < groups <= spent["estimated"] + 1
    text = as_text(report)
    assert f"ms ± {spent['error']:.0%} (model of a Cortex" in text
    again = compile_model(model, board, tmp_path / "again", Silence(), explained=True)
    assert again == report


@pytest.mark.emulator
def test_without_a_model_no_time_is_claimed(model: Path, tmp_path: Path) -> None:
    pytest.importorskip("unicorn")
    report = compile_model(model, "stm32f446", tmp_path / "lib", Silence())
    assert report["target"]["name"] == "unicorn"
    assert report["latency_ms"] == {"estimated": None, "measured": None}
    assert report["cycles"]["estimated"] is None
    assert "no model of this processor" in as_text(report)
    assert report["instructions"]["network"] > 64 * 32
    assert " us," not in as_text(report)


def test_another_boards_target_is_refused(model: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="board host does not run on target 'unicorn'"):
        compile_model(model, "host", tmp_path / "lib", Silence(), target_name="unicorn")


@pytest.mark.emulator
def test_tables_that_exceed_the_cache_cost_time(tmp_path: Path) -> None:
    pytest.importorskip("unicorn")
    waits = {}
    for inputs in (32, 256):  # 2 KiB and 16 KiB of weights, the data cache has 4 KiB
        b = TfliteBuilder()
        x, y = b.activation([1, inputs]), b.activation([1, 64], 0.1, -5)
        w = b.weights([64, inputs], 64, per_channel=False)
        b.op("FULLY_CONNECTED", [x, w, b.bias(x, w, 64)], y, "FullyConnectedOptions")
        path = tmp_path / f"dense{inputs}.tflite"
        path.write_bytes(b.build(x, y))
        report = compile_model(path, "stm32f746", tmp_path / "lib", Silence())
        waits[inputs] = report["cycles"]
        assert ("waiting for tables" in as_text(report)) == (inputs == 256)
    assert (waits[32]["memory"], waits[32]["error"]) == (0, 0.15)
    lines = waits[256]["memory"] / 16
    assert 64 * (256 - 64) / 32 <= lines <= 64 * 256 / 32
    assert 0.15 < waits[256]["error"] < 0.5


POWER = '\n[power]\nmw_per_mhz = 1.5\nerror = 0.1\nsource = "an ammeter"\n'


@pytest.mark.emulator
def test_a_board_whose_power_is_known_has_an_energy(model: Path, tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text((resources.boards() / "stm32f746.toml").read_text() + POWER)
    report = compile_model(model, str(path), tmp_path / "lib", Silence())
    spent = report["cycles"]
    assert report["energy_mj"] == {
        "network": pytest.approx(1.5e-6 * spent["estimated"]),
        "error": pytest.approx(spent["error"] + 0.1),
        "basis": "an ammeter",
    }
    assert "µJ ± 25% (an ammeter)" in as_text(report)
