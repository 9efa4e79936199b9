"""The whole path on a small simulated machine: equal scores on every target, stages resume."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import soundfile

from outliernets import data
from outliernets.config import Task
from outliernets.detectors.spec import DetectorSpec, nothing
from outliernets.errors import DataError, UnsupportedModelError
from outliernets.pipeline import BuildConfig, build, evaluate_model, learn, run_again, stage_names
from outliernets.pipeline.library import compile_model
from outliernets.pipeline.stage import Silence
from tests.pipeline.recorder import Recorder

pytestmark = [pytest.mark.slow, pytest.mark.emulator]
TASK = Task.parse("fan/06/6dB")
CLIPS, ABNORMAL, SECONDS = 54, 3, 3.4


@pytest.fixture(scope="module")
def sounds(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("sounds")
    data.simulate(TASK, root, normal=CLIPS, abnormal=ABNORMAL, seconds=SECONDS)
    return root


@pytest.fixture(scope="module")
def config(sounds, tmp_path_factory) -> BuildConfig:
    out = tmp_path_factory.mktemp("build")
    return BuildConfig(TASK, "stm32f746", data=sounds, detector="paper", out=out, steps=60)


@pytest.fixture(scope="module")
def report(config) -> dict:
    return build(config, Silence())


def test_report(report, config):
    assert report == json.loads((config.board_folder / "report.json").read_text())
    assert report["schema"] == 1
    assert report["windows"] == 2 * ABNORMAL * 3
    assert report["data"] == "simulated"
    assert report["parity"]["network_exact"] is True
    assert report["parity"]["mel_db_max"] < 0.05
    assert report["parity"]["score_max_abs"] < 1.0
    assert 0.15 <= report["cycles"]["error"] < 0.2  # some tables exceed the data cache
    assert 0.5 < report["cycles"]["window"] / report["instructions"]["window"] < 2
    assert report["real_time_share"] == pytest.approx(report["latency_ms"]["estimated"] / 1024)
    assert {"float", "int8", "target"} == set(report["auc"])
    assert report["auc"]["target"]["clip"]["low"] <= report["auc"]["target"]["clip"]["value"]


def test_cost_on_the_board(report):
    assert 30_000 < report["instructions"]["mel_frame"] < 41_000
    assert 2_000_000 < report["instructions"]["network"] < 3_300_000
    expected = 32 * report["instructions"]["mel_frame"] + report["instructions"]["network"]
    # The score takes the rest. A clip of 3.4 s has 105 frames, of which three windows need 96.
    assert expected < report["instructions"]["window"] < 1.02 * expected
    assert report["footprint"]["flash"] < 44 * 1024
    assert report["footprint"]["ram"] < 36 * 1024
    assert 300 < report["footprint"]["stack"] < 2048


def test_nothing_runs_twice(report, config):
    recorder = Recorder()
    assert build(config, recorder)["scores_sha256"] == report["scores_sha256"]
    assert recorder.ran == []


def another(config: BuildConfig, **changes) -> BuildConfig:
    return BuildConfig(**{**vars(config), **changes})


@pytest.mark.parametrize(
    ("board", "target", "toolchain", "needs"),
    [
        ("cortex-a72", "unicorn", "zig", None),
        ("stm32f746", "qemu", "gcc", ("qemu-system-arm", "arm-none-eabi-gcc")),
        ("cortex-a72", "qemu", "gcc", ("qemu-aarch64", "aarch64-linux-gnu-gcc")),
        ("virt-a72", "qemu", "zig", ("qemu-system-aarch64",)),
        ("stm32f746", "renode", "zig", ("renode",)),
    ],
)
def test_every_target_gives_the_same_scores(report, config, board, target, toolchain, needs):
    for tool in needs or ():
        if shutil.which(tool) is None:
            pytest.skip(f"no {tool} on PATH")
    recorder = Recorder()
    other = build(another(config, board=board, target=target, toolchain=toolchain), recorder)
    assert set(recorder.ran) <= {"emit", "compile", "run"}  # changing the board trains nothing
    assert other["scores_sha256"] == report["scores_sha256"]
    assert other["parity"]["network_exact"] is True


def test_files_for_renode_are_beside_the_program(report, config):
    folder = config.board_folder / "06_compile"
    suite = (folder / "check.robot").read_text()
    identity = json.loads((config.board_folder / "05_emit" / "stage.json").read_text())["facts"]
    assert identity["model_id"].to_bytes(4, "little").hex(" ") in suite
    assert {"board.repl", "board.resc", "firmware.elf"} <= {p.name for p in folder.iterdir()}


def test_run_replays_a_part(report, config):
    again = run_again(config.board_folder, Silence(), "unicorn", clips=2, toolchain=None)
    assert again["windows"] == 2 * 3
    assert again["parity"]["network_exact"] is True
    build(config, Silence())  # leave the whole replay behind for the other tests


def test_same_sounds_same_program(report, config, tmp_path):
    """Byte-identical .tflite, C and ELF from an independent build, in another folder."""
    build(another(config, out=tmp_path), Silence(), last="compile")
    first, second = config.task_folder, another(config, out=tmp_path).task_folder
    for folder in ("04_quantize", "stm32f746/05_emit", "stm32f746/06_compile"):
        names = {p.name for p in (first / folder).iterdir()} - {"stage.json"}
        assert names == {p.name for p in (second / folder).iterdir()} - {"stage.json"}
        for name in names:
            same = (first / folder / name).read_bytes() == (second / folder / name).read_bytes()
            assert same, f"{folder}/{name} differs"


def test_a_normal_folder_of_ones_own(sounds, tmp_path):
    """No task, no abnormal clips: trains, builds, runs; AUC is not available, nor invented."""
    mine = tmp_path / "my_pump"
    shutil.copytree(sounds / "6dB" / "fan" / "id_06" / "normal", mine / "normal")
    task = data.task_of_folder(mine)
    assert task is not None
    config = BuildConfig(
        task, "stm32f746", data=mine, detector="paper", out=tmp_path / "b", steps=20, clips=2
    )
    recorder = Recorder()
    own = build(config, recorder)
    assert own["data"] == "folder"
    assert own["auc"]["target"] == {"window": None, "clip": None}
    assert own["verdict"] == "PASS"
    assert any("Table 1" in notice for notice in recorder.notices)


def test_the_default_detector_is_chosen_by_normal_sound_and_exact(report, config, tmp_path):
    """And much smaller than the paper's: no window is kept, and hardly a network runs."""
    chosen = build(another(config, detector=None, out=tmp_path), Silence())
    assert chosen["verdict"] == "PASS"
    assert chosen["parity"]["network_exact"] is True
    proxies = chosen["detector"]["proxy_auc"]
    assert set(proxies) == {"steady", "transient"}
    assert chosen["detector"]["name"] in proxies
    assert chosen["arch"]["params"] == 1612
    assert chosen["instructions"]["network"] < 4000
    assert chosen["instructions"]["window"] < 0.6 * report["instructions"]["window"]
    assert chosen["footprint"]["ram"] < report["footprint"]["ram"] - 10 * 1024
    other = build(another(config, detector=None, out=tmp_path, board="cortex-a72"), Silence())
    assert other["scores_sha256"] == chosen["scores_sha256"]
    less = without_network(another(config, out=tmp_path))
    for what in ("flash", "ram"):
        assert less["footprint"][what] < chosen["footprint"][what]
    assert less["instructions"]["window"] < chosen["instructions"]["window"]


def without_network(config: BuildConfig) -> dict:
    """Build what the default chose last, but for its network; return the report."""
    path = config.out / "none.toml"
    chosen = DetectorSpec.load(config.task_folder / "03_train" / "detector.toml")
    path.write_text(replace(chosen, network=nothing(chosen.view)).to_toml())
    found = build(another(config, detector=str(path)), Silence())
    assert found["verdict"] == "PASS"
    assert found["arch"] == {"arch": "no-network", "params": 0, "macs": 0}
    assert found["instructions"]["network"] == 0
    assert not any(name.startswith("fan_06_6db_n") for name in found["functions"])
    (model,) = config.task_folder.glob("04_quantize/*.tflite")
    with pytest.raises(UnsupportedModelError, match="there is nothing to compile"):
        compile_model(model, "stm32f746", config.out / "lib", Silence())
    return found


def test_a_fine_tuned_network_is_another_and_said_to_be(report, config, tmp_path):
    """What it was trained to be stays; what is converted is nearer to that, and as exact."""
    shutil.copytree(config.task_folder, another(config, out=tmp_path).task_folder)
    recorder = Recorder()
    tuned = build(another(config, out=tmp_path, fine_tune=True, clips=2), recorder)
    assert recorder.ran == ["quantize", "emit", "compile", "run"]
    assert (report["fine_tuned"], tuned["fine_tuned"]) == (False, True)
    assert tuned["verdict"] == "PASS"
    record = another(config, out=tmp_path).task_folder / "04_quantize" / "stage.json"
    error = json.loads(record.read_text())["facts"]["rounding_error"]
    assert error["after"] < error["before"]


def test_a_solved_network_is_not_fine_tuned(report, config, tmp_path):
    recorder = Recorder()
    solved = another(config, detector=None, out=tmp_path, fine_tune=True, board=None)
    assert learn(solved, recorder)["fine_tuned"] is False
    assert any("solved, not trained: nothing to fine-tune" in text for text in recorder.notices)


def test_evaluation_of_the_built_model_agrees(report, config):
    learnt = learn(config, Silence())
    assert learnt["auc"]["int8"] == report["auc"]["int8"]
    model = Path(learnt["model"])
    assert evaluate_model(config, model, Silence())["auc"]["int8"] == report["auc"]["int8"]


def test_too_little_sound_is_found_before_training(sounds, tmp_path):
    mine = tmp_path / "my_pump"
    (mine / "normal").mkdir(parents=True)
    for path in sorted((sounds / "6dB" / "fan" / "id_06" / "normal").glob("*.wav"))[:14]:
        samples, rate = soundfile.read(path, dtype="int16")
        soundfile.write(mine / "normal" / path.name, samples[: rate * 6 // 5], rate)
    task = data.task_of_folder(mine)
    recorder = Recorder()
    with pytest.raises(DataError, match=r"only \d+ windows of normal sound .* seconds more"):
        learn(BuildConfig(task, data=mine, out=tmp_path / "b"), recorder)
    assert "train" not in recorder.ran


def test_stage_names_match_the_folders(report, config):
    folders = {p.name for p in config.task_folder.iterdir() if p.is_dir()}
    folders |= {p.name for p in config.board_folder.iterdir() if p.is_dir()}
    for number, name in enumerate(stage_names(), start=1):
        assert f"{number:02d}_{name}" in folders
