"""``ongen search``: from a tiny simulated machine to a detector; and what is refused."""

import json
import re
from pathlib import Path

import pytest

from outliernets import data
from outliernets.config import Task
from outliernets.detectors import learned
from outliernets.detectors.spec import DetectorSpec
from outliernets.search import results, storage
from tests.cli.conftest import run

TASK = "fan/02/6dB"
ABOUT = ("--task", TASK, "--board", "stm32f746")


@pytest.fixture(scope="module")
def sounds(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("sounds")
    for task, normal in ((TASK, 30), ("fan/04/6dB", 12)):
        data.simulate(Task.parse(task), root, normal=normal, abnormal=2, seconds=2.3)
    return root


@pytest.fixture
def ongen(monkeypatch, capsys):
    return lambda *arguments: run(monkeypatch, capsys, *arguments)


def test_a_search_ends_with_a_detector_and_goes_on(ongen, sounds, tmp_path) -> None:
    common = (*ABOUT, "--data", sounds, "--out", tmp_path, "--steps", "20", "--min-auc", "0.5")
    common += ("--max-params", "700")
    code, out, err = ongen("search", *common, "--trials", "2", "--quiet", "--json")
    assert code == 0, err
    found = json.loads(out)
    folder = Path(found["folder"])
    assert found["trials"]["trained"] + found["trials"]["stopped"] == 2
    assert found["judged_by"].startswith("proxies")
    assert "other machines" in found["winner"]["proxies"]
    spec = DetectorSpec.load(folder / "winner.toml")
    assert learned.load(folder / "winner").spec == spec
    assert spec.name == found["winner"]["name"]
    assert found["winner"]["name"] in (folder / "pareto.md").read_text()
    code, out, err = ongen("search", *common, "--trials", "3", "--quiet")
    assert code == 0, err
    assert "winner" in out
    made = json.loads((folder / "search.json").read_text())["trials"]
    assert made["trained"] + made["stopped"] == 3

    code, _, err = ongen("search", *common, "--trials", "9", "--max-ram", "30K", "--quiet")
    assert code == 2
    assert "begun with limits" in err

    small = (*common[:-4], "--max-params", "150", "--min-auc", "1", "--study", "small")
    code, _, err = ongen("search", *small, "--trials", "1", "--quiet")
    assert code == 2
    assert re.search(
        r"reached an AUC of .*, 1 of default's; the nearest has 0\.\d+ \(0\.\d+\)", err
    )

    clip = next((sounds / "6dB" / "fan" / "id_02" / "normal").iterdir())
    clip.unlink()
    code, _, err = ongen("search", *common, "--trials", "9", "--quiet")
    assert code == 2
    assert "data changed since the study began" in err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--max-ram", "2K"), "the smallest feasible network needs"),
        (("--max-latency", "10"), "give 10ms"),
        (("--max-flash", "0K"), "give 32K"),
        (("--trials", "3", "--minutes", "1"), "not both"),
        (("--sampler", "best"), "unknown sampler 'best'"),
        (("--reference", "best"), "unknown detector 'best'"),
        (("--storage", "postgresql://127.0.0.1:1/none"), "unreachable storage"),
        (("--report",), "run 'ongen search' first"),
    ],
)
def test_what_cannot_work_is_said_before_anything_is_made(ongen, tmp_path, options, message):
    code, _, err = ongen("search", *ABOUT, "--out", tmp_path, "--quiet", *options)
    assert code == 2
    assert message in err
    assert not (tmp_path / "simulated").exists()


def test_units_of_limits(ongen) -> None:
    from outliernets.cli.search import BYTES, COUNT, DURATION

    assert COUNT.convert("100k", None, None) == 100_000
    assert BYTES.convert("32K", None, None) == 32_768
    assert DURATION.convert("2.5ms", None, None) == pytest.approx(0.0025)


def test_the_front_is_what_nothing_beats() -> None:
    class Trial:
        def __init__(self, number: int, auc: float, instructions: int, flash: int) -> None:
            costs = {"flash": flash, "ram": 1, "instructions": instructions, "latency": 1.0}
            self.number, self.value = number, auc
            self.state = type("State", (), {"name": "COMPLETE"})
            self.user_attrs = {
                **dict.fromkeys(("name", "params", "macs", "seed", "detector"), 0),
                **{"auc": auc, "costs": costs, "feasible": True, "proxies": {}},
            }

    trials = [Trial(0, 0.9, 100, 10), Trial(1, 0.8, 100, 10), Trial(2, 0.8, 50, 10)]
    trials += [Trial(3, 0.9, 100, 10), Trial(4, 0.7, 60, 9)]
    assert [row["trial"] for row in results.pareto(trials)] == [0, 2, 4]
    assert results.winner(trials).number == 0


def test_passwords_are_not_shown() -> None:
    assert "secret" not in storage.hidden("postgresql://me:secret@host/name")
