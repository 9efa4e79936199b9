"""``--split`` is part of what a build is made from: written down, remembered, and told apart."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from outliernets import data
from outliernets.config import Task
from outliernets.errors import ConfigError
from outliernets.pipeline import BuildConfig
from outliernets.pipeline.build import SETTINGS, build, remembered, stages_of
from outliernets.pipeline.comparison import compare_detectors
from outliernets.pipeline.stage import Silence, run_stages
from tests.pipeline.recorder import Recorder

TASK = Task.parse("fan/02/0dB")


@pytest.fixture
def config(tmp_path: Path) -> BuildConfig:
    data.simulate(TASK, tmp_path / "sounds", normal=40, abnormal=4, seconds=2.3)
    return BuildConfig(TASK, data=tmp_path / "sounds", out=tmp_path / "build", split="blocks=10")


def test_the_rule_is_written_down_and_told(config: BuildConfig) -> None:
    told = Recorder()
    found = compare_detectors(config, "no-network,ppca-4", told)
    assert found["clips"]["split"] == "blocks=10"
    assert (found["clips"]["train"], found["clips"]["test_normal"]) == (20, 20)
    clips = json.loads((config.task_folder / "01_data" / "clips.json").read_text())
    assert clips["split"] == "blocks=10"
    assert [name for _, _, name, *_ in clips["test"][:2]] == ["normal/00000010", "normal/00000011"]
    assert any("split by blocks of 10" in notice for notice in told.notices)


def test_another_rule_makes_other_windows(config: BuildConfig) -> None:
    run_stages(stages_of(config, Silence()), Silence(), last="features")
    again, other = Recorder(), Recorder()
    run_stages(stages_of(config, again), again, last="features")
    assert again.ran == []
    run_stages(stages_of(replace(config, split="mimii"), other), other, last="features")
    assert other.ran == ["data", "features"]


def test_an_unknown_rule_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    config = BuildConfig(TASK, out=tmp_path / "build", split="blocks=none")
    with pytest.raises(ConfigError, match="--split blocks=none: give mimii, blocks or blocks=N"):
        stages_of(config, Silence())
    assert not config.simulated_folder.exists()


def test_a_build_remembers_it(config: BuildConfig) -> None:
    built = replace(config, board="cortex-a72")
    build(built, Silence(), last="data")
    assert remembered(built.board_folder).split == "blocks=10"
    path = built.board_folder / SETTINGS
    choices = json.loads(path.read_text())
    del choices["split"]  # as builds were before there was a choice
    path.write_text(json.dumps(choices))
    assert remembered(built.board_folder).split == "mimii"
