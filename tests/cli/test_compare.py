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
        (["--compare", "ppca-4", "--task", "fan/06/6dB", "--fine-tune"], "in floats: leave out"),
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


def test_every_format_for_several_tasks(ongen, tmp_path: Path) -> None:
    sounds, tasks = tmp_path / "sounds", "pump/02/6dB,pump/02/0dB"
    for task in tasks.split(","):
        data.simulate(Task.parse(task), sounds, normal=24, abnormal=2, seconds=1.2)
    choices = ["eval", "-q", "--data", sounds, "--out", tmp_path / "build"]
    choices += ["--task", tasks, "--compare", "no-network,ppca-4"]
    code, text, _ = ongen(*choices)
    assert code == 0
    assert text.startswith("pump/02/6dB (simulated sound): 22 training clips, 2 + 2 test clips")
    found = json.loads(ongen(*choices, "--json")[1])
    assert [comparison["task"] for comparison in found] == tasks.split(",")
    assert [row["name"] for row in found[1]["detectors"]] == ["no-network", "ppca-4"]
    assert len(ongen(*choices, "--csv")[1].splitlines()) == 1 + 2 * 2
    page = ongen(*choices, "--markdown", "--seeds", "2", "--mel", "power=2")[1]
    command = f"ongen eval --compare no-network,ppca-4 --task {tasks} --data sounds --seeds 2"
    assert f"Made by `{command} --mel power=2 --markdown`." in page
