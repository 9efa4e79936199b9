"""Detectors that ``ongen search`` found and that come with ongen, one per task."""

from importlib import resources

import pytest

from outliernets.config import Task
from outliernets.detectors import get, specified
from outliernets.detectors.spec import DetectorSpec
from outliernets.errors import ConfigError

TASKS = ("fan/06/6dB", "slider/00/-6dB")


@pytest.mark.parametrize("text", TASKS)
def test_its_file_says_for_which_task_and_how_it_was_found(text: str) -> None:
    task = Task.parse(text)
    folder = resources.files("outliernets.detectors.library") / "searched"
    told = (folder / f"{task.identifier}.toml").read_text()
    assert told.startswith(f"# Found by ongen search for {task} on stm32f746, ")
    assert "seed 20210401" in told
    spec = DetectorSpec.from_toml(told)
    assert specified("searched", task).network == spec.network
    assert spec.network.params < 1_612  # what the hand-made ones have


def test_a_detector_has_the_name_it_was_asked_for_by() -> None:
    task = Task.parse(TASKS[0])
    assert get("searched", task).name == "searched"
    assert get("searched+peak", task).name == "searched+peak"


def test_a_task_that_was_not_searched_for_says_which_were() -> None:
    with pytest.raises(ConfigError, match=r"no searched detector for fan/02/0dB .*fan_06_6db"):
        specified("searched", Task.parse("fan/02/0dB"))
