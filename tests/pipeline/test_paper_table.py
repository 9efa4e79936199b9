"""Table 1 beside the paper's: which rows are made, what may stand side by side, every format."""

import csv
import json
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from outliernets import data
from outliernets.config import Task
from outliernets.errors import BuildError, ConfigError, DataError
from outliernets.nets import zoo
from outliernets.pipeline import BuildConfig, paper_table
from outliernets.pipeline.paper_table import tasks_of
from outliernets.report.paper_table import paper_table_csv, paper_table_page
from tests.pipeline.recorder import Recorder

FAN, SLIDER = Task.parse("fan/06/6dB"), Task.parse("slider/00/-6dB")


def found(value: float) -> dict[str, float]:
    return {"value": value, "low": value - 0.02, "high": value + 0.01}


@pytest.fixture
def config(tmp_path: Path) -> BuildConfig:
    return BuildConfig(FAN, data=tmp_path / "sounds", out=tmp_path / "build")


@pytest.fixture
def recordings(config: BuildConfig) -> Callable[..., None]:
    """Put ``normal`` + 2 short clips of a task where the config looks for them."""

    def put(task: Task, normal: int = 14) -> None:
        assert config.data is not None
        unit = config.data / task.snr.replace("-", "min") / task.machine / f"id_{task.unit}"
        for label, count in (("normal", normal), ("abnormal", 2)):
            (unit / label).mkdir(parents=True)
            for number in range(count):
                noise = np.random.default_rng(number).integers(-999, 999, 17_000).astype(np.int16)
                soundfile.write(unit / label / f"{number:08d}.wav", noise, 16_000)

    return put


@pytest.fixture
def learned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Task]:
    """Pretend to learn; return what was learned."""
    tasks: list[Task] = []
    model = tmp_path / "model.tflite"
    model.write_bytes(b"x" * 4321)

    def learn(config: BuildConfig, _: Recorder) -> dict[str, Any]:
        tasks.append(config.task)
        assert config.arch == zoo.get(config.task).name
        kind = data.find(config.task, config.data).kind if config.data else "simulated"
        auc = {leg: {"window": found(0.8), "clip": found(0.9)} for leg in ("float", "int8")}
        seconds = {"train": 12.5}
        return {"data": kind, "clips": {"train": 12}, "auc": auc, "model": str(model),
                "seconds": seconds}  # fmt: skip

    monkeypatch.setattr(paper_table, "learn", learn)
    return tasks


def test_tasks_by_pattern() -> None:
    assert tasks_of(None) == [row.task for row in zoo.PAPER_ROWS]
    assert len(tasks_of("fan/*")) == 12
    assert [str(t) for t in tasks_of("slider/0[02]/6dB, fan/06/min6dB")] == [
        "fan/06/-6dB",
        "slider/00/6dB",
        "slider/02/6dB",
    ]
    with pytest.raises(
        ConfigError, match=r"--tasks fan/01/6dB: not in .* did you mean 'fan/06/6dB'"
    ):
        tasks_of("fan/01/6dB")
    with pytest.raises(ConfigError, match="pump"):
        tasks_of("fan/*,pump/00/6dB")


def test_what_is_not_there_is_left_out_unless_asked_for(
    config: BuildConfig, recordings: Callable[..., None], learned: list[Task]
) -> None:
    recordings(FAN)
    told = Recorder()
    table = paper_table.paper_table(config, None, told)
    assert learned == [FAN]
    assert [row["task"] for row in table["rows"]] == ["fan/06/6dB"]
    assert any("left out: fan/00/6dB, fan/02/6dB" in notice for notice in told.notices)
    with pytest.raises(DataError, match="slider/00/-6dB is not below"):
        paper_table.paper_table(config, "fan/06/6dB,slider/00/-6dB", Recorder())
    assert learned == [FAN]  # refused before anything was learned


def test_none_of_the_tasks(config: BuildConfig, recordings: Callable[..., None]) -> None:
    recordings(Task.parse("pump/00/6dB"))
    with pytest.raises(DataError, match="holds none of the paper's 24 tasks"):
        paper_table.paper_table(config, None, Recorder())


def test_real_recordings_stand_beside_the_paper(
    config: BuildConfig, recordings: Callable[..., None], learned: list[Task]
) -> None:
    for task in (FAN, Task.parse("fan/04/0dB"), SLIDER):
        recordings(task)
    table = paper_table.paper_table(config, None, Recorder())
    json.dumps(table)
    row = table["rows"][0]
    assert row["task"] == "fan/06/6dB"
    assert (row["paper"]["auc"], row["paper"]["auc_cae_mcs"]) == (100.0, 99.8)
    assert row["ours"]["params"] == row["paper"]["params"] == 686
    page = paper_table_page(table, "ongen table")
    assert page.startswith("# Table 1\n")
    line = next(line for line in page.splitlines() if line.startswith("| fan/06/6dB"))
    assert [cell.strip() for cell in line.split("|")[1:-1]] == [
        *("fan/06/6dB", "686", "2.87M", "2.7", "7.601", "0.366", "100.0", "99.8"),
        *("686", "2.87M", "4.3", "80.0 [78.0, 81.0]", "90.0 [88.0, 91.0]", "90.0 [88.0, 91.0]"),
    ]
    means = [line for line in page.splitlines() if "mean of" in line]
    assert len(means) == 1  # of a single slider there is nothing to average
    cells = [cell.strip() for cell in means[0].split("|")[1:-1]]
    assert cells[0] == "mean of 2 fan"
    assert cells[6:8] == [f"{(100.0 + 79.7) / 2:.1f}", f"{(99.8 + 82.1) / 2:.1f}"]
    assert cells[-3:] == ["80.0", "90.0", "90.0"]
    assert "simulated" not in page


def test_simulated_sound_never_stands_beside_the_paper_s_auc(
    config: BuildConfig, learned: list[Task]
) -> None:
    simulated = BuildConfig(config.task, out=config.out)
    table = paper_table.paper_table(simulated, "fan/06/*", Recorder())
    assert not any(key.startswith("auc") for row in table["rows"] for key in row["paper"])
    page = paper_table_page(table, "ongen table")
    assert page.startswith("# Table 1 on simulated sound\n")
    assert "**The sound is simulated**" in page
    assert "99.8" not in page  # the paper's CAE-MCS on fan/06/6dB
    assert "CAE-MCS" not in page
    rows = list(csv.DictReader(paper_table_csv(table).splitlines()))
    assert {row["data"] for row in rows} == {"simulated"}
    assert {row["paper_auc"] for row in rows} == {""}
    assert float(rows[0]["auc_int8_clip_low"]) == pytest.approx(0.88)


def test_a_row_that_fails_does_not_stop_the_others(
    config: BuildConfig,
    recordings: Callable[..., None],
    learned: list[Task],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recordings(FAN)
    recordings(SLIDER)
    pretended = paper_table.learn

    def learn(config: BuildConfig, narrator: Recorder) -> dict[str, Any]:
        if config.task == FAN:
            raise DataError("00000003.wav: is empty")
        return pretended(config, narrator)

    monkeypatch.setattr(paper_table, "learn", learn)
    table = paper_table.paper_table(config, None, Recorder())
    assert [row.get("error") for row in table["rows"]] == ["00000003.wav: is empty", None]
    page = paper_table_page(table, "ongen table")
    assert "not made" in page
    assert page.endswith("* fan/06/6dB: 00000003.wav: is empty")
    rows = list(csv.DictReader(paper_table_csv(table).splitlines()))
    assert rows[0]["error"] == "00000003.wav: is empty"
    assert rows[0]["auc_float_clip_value"] == ""
    assert float(rows[1]["auc_float_clip_value"]) == pytest.approx(0.9)


@pytest.mark.slow
def test_a_real_run_and_its_resumption(config: BuildConfig) -> None:
    assert config.data is not None
    for task in (FAN, SLIDER):
        data.simulate(task, config.data, normal=30, abnormal=6, seconds=2.3)
    short = BuildConfig(FAN, data=config.data, out=config.out, steps=30)
    told = Recorder()
    table = paper_table.paper_table(short, None, told)
    assert told.ran.count("train") == 2
    for row in table["rows"]:
        assert row["data"] == "simulated"
        for leg in ("float", "int8"):
            for level in ("window", "clip"):
                auc = row["ours"]["auc"][leg][level]
                assert auc["low"] <= auc["value"] <= auc["high"]
        assert row["ours"]["int8_bytes"] > row["ours"]["params"]
    again = Recorder()
    assert paper_table.paper_table(short, None, again) == table
    assert again.ran == []


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Work in threads in place of processes, which would not pretend; return how many."""
    counts: list[int] = []

    @contextmanager
    def processes(count: int) -> Iterator[Executor]:
        counts.append(count)
        with ThreadPoolExecutor(count) as pool:
            yield pool

    monkeypatch.setattr(paper_table, "processes", processes)
    return counts


def test_rows_side_by_side_are_those_in_turn(
    config: BuildConfig, learned: list[Task], threads: list[int]
) -> None:
    simulated, told = BuildConfig(config.task, out=config.out), Recorder()
    table = paper_table.paper_table(simulated, "fan/*/6dB", told, workers=3)
    assert table == paper_table.paper_table(simulated, "fan/*/6dB", Recorder())
    assert threads == [3]
    assert set(learned[:4]) == set(learned[4:])
    assert set(told.ran) == {f"fan/0{unit}/6dB" for unit in "0246"}


def test_notices_of_workers_are_told(
    config: BuildConfig, recordings: Callable[..., None], learned: list[Task],
    threads: list[int], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    recordings(FAN)
    recordings(SLIDER)

    def learn(config: BuildConfig, narrator: Recorder) -> dict[str, Any]:
        narrator.notice(f"{config.task} is short")
        raise DataError("00000003.wav: is empty")

    monkeypatch.setattr(paper_table, "learn", learn)
    told = Recorder()
    table = paper_table.paper_table(config, None, told, workers=2)
    assert [row["error"] for row in table["rows"]] == ["00000003.wav: is empty"] * 2
    for task in (FAN, SLIDER):
        assert {f"{task} is short", f"{task}: 00000003.wav: is empty"} <= set(told.notices)


def test_a_worker_that_is_killed_is_one_line(
    config: BuildConfig, threads: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(_: BuildConfig) -> None:
        raise BrokenProcessPool

    monkeypatch.setattr(paper_table, "_timed_row", killed)
    simulated = BuildConfig(config.task, out=config.out)
    with pytest.raises(BuildError, match=r"^a worker process was killed .* run it again to go on"):
        paper_table.paper_table(simulated, "fan/*/6dB", Recorder(), workers=2)


@pytest.mark.slow
def test_processes_make_what_one_makes(
    config: BuildConfig, recordings: Callable[..., None], tmp_path: Path
) -> None:
    recordings(FAN, 28)
    recordings(SLIDER, 28)
    alone, shared = (
        paper_table.paper_table(
            BuildConfig(FAN, data=config.data, out=tmp_path / str(workers), steps=2),
            None,
            Recorder(),
            workers,
        )["rows"]
        for workers in (1, 2)
    )
    for row, other in zip(alone, shared, strict=True):
        assert row["task"] == other["task"]
        assert row["ours"]["int8_bytes"] == other["ours"]["int8_bytes"]
        areas = [r["ours"]["auc"]["float"]["clip"]["value"] for r in (row, other)]
        assert areas[0] == pytest.approx(areas[1], abs=0.26)  # of 2 x 2 clips, one pair
