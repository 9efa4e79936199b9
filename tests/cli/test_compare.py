"""``ongen eval --compare``: mistakes are one line, and the format asked for is printed."""

import json
from pathlib import Path

import pytest

from outliernets import data
from outliernets.config import Task


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--compare", "ppca", "--task", "fan/06/6dB"], "did you mean 'ppca-4'"),
        (["--compare", "fan-686+bnds", "--task", "fan/06/6dB"], "did you mean 'bands'"),
        (["--compare", "ppca-4", "--task", "fan/06/6dB,fan"], "not of the form MACHINE/ID/SNR"),
        (["--compare", "ppca-4"], "say which machine"),
        (["--compare", "ppca-4", "--task", "fan/06/6dB", "--arch", "fan-686"], "leave out --model"),
        (
            ["--compare", "a", "--task", "fan/06/6dB", "--csv", "--json"],
            "choose one of --csv, --json",
        ),
        (["--task", "fan/06/6dB", "--markdown"], "--markdown goes with --compare only"),
        (["--task", "fan/06/6dB", "--seeds", "3"], "--seeds goes with --compare only"),
    ],
)
def test_mistakes(ongen, tmp_path: Path, arguments: list[str], says: str) -> None:
    code, out, err = ongen("eval", "-q", "--out", tmp_path, *arguments)
    assert code == 2
    assert out == ""
    assert says in err.splitlines()[-1]
    assert not list(tmp_path.iterdir())


def test_formats(ongen, tmp_path: Path) -> None:
    sounds, out = tmp_path / "sounds", tmp_path / "build"
    task = Task.parse("valve/00/6dB")
    data.simulate(task, sounds, normal=28, abnormal=3, seconds=2.3)
    choices = ["eval", "-q", "--data", sounds, "--out", out, "--task", task]
    choices += ["--compare", "no-network,ppca-4"]
    code, text, _ = ongen(*choices)
    assert code == 0
    assert text.startswith("valve/00/6dB (simulated sound): 25 training clips, 3 + 3 test clips")
    found = json.loads(ongen(*choices, "--json")[1])
    assert [row["name"] for row in found["detectors"]] == ["no-network", "ppca-4"]
    assert ongen(*choices, "--csv")[1].splitlines()[0].startswith("task,data,name,params")
    page = ongen(*choices, "--markdown", "--seeds", "2", "--mel", "power=2")[1]
    command = "ongen eval --compare no-network,ppca-4 --task valve/00/6dB --data sounds --seeds 2"
    assert f"Made by `{command} --mel power=2 --markdown`." in page


def test_several_tasks(ongen, tmp_path: Path) -> None:
    sounds = tmp_path / "sounds"
    for snr in ("6dB", "0dB"):
        data.simulate(Task("pump", "02", snr), sounds, normal=28, abnormal=3, seconds=2.3)
    code, text, _ = ongen(
        "eval", "-q", "--data", sounds, "--out", tmp_path / "build",
        "--task", "pump/02/6dB,pump/02/0dB", "--compare", "ppca-4", "--json",
    )  # fmt: skip
    assert code == 0
    assert [found["task"] for found in json.loads(text)] == ["pump/02/6dB", "pump/02/0dB"]
