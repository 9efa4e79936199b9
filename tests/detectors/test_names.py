"""Detectors by name; mistakes are one line that helps."""

import pytest

from outliernets.config import Task
from outliernets.detectors import BASELINES, get, known, listed, specified
from outliernets.detectors.network import Network
from outliernets.errors import ConfigError
from outliernets.nets import zoo
from outliernets.score import ScoreSpec
from outliernets.view import ViewSpec

TASK = Task.parse("slider/00/0dB")


@pytest.mark.parametrize("name", sorted({*known()} - {"baselines", "closed-form", "searched"}))
def test_every_name_is_a_detector_and_says_what_it_is(name: str) -> None:
    detector = get(name, TASK)
    assert detector.name == name
    assert detector.summary
    solved = name in ("steady", "transient", "no-network")
    assert detector.seeded == (isinstance(detector, Network) and not solved)


def test_groups_are_spelled_out_and_nothing_comes_twice() -> None:
    names = [d.name for d in listed("ppca-4, baselines,fan-686+bands", TASK)]
    assert names == ["ppca-4", *(n for n in BASELINES if n != "ppca-4"), "fan-686+bands"]
    assert not any(d.seeded for d in listed("closed-form", TASK))


def test_paper_is_the_task_s_network_and_score() -> None:
    paper = get("paper", TASK)
    assert isinstance(paper, Network)
    assert paper.spec.network == zoo.default_for(TASK)
    assert paper.spec.score == ScoreSpec("mse")
    assert paper.spec.view == ViewSpec()
    assert get("paper+bands", TASK) != paper


def test_what_can_be_built_is_specified() -> None:
    assert specified("paper", TASK).network == zoo.default_for(TASK)
    assert specified("steady", TASK).network.params == 1612
    assert specified("no-network+peak", TASK).score == ScoreSpec("peak")
    with pytest.raises(ConfigError, match=r"'gaussian' is there to compare with .*, no-"):
        specified("gaussian", TASK)


def test_steps_cut_all_networks_short() -> None:
    for name in ("dense-ae", "cae-mcs", "fan-686+running"):
        detector = get(name, TASK, steps=7)
        assert isinstance(detector, Network)
        assert detector.recipe.steps == 7
        assert detector.epochs is None


def test_cae_mcs_is_trained_by_epochs_with_patience() -> None:
    cae = get("cae-mcs", TASK)
    assert isinstance(cae, Network)
    recipe = cae.recipe_for(640)
    assert (recipe.steps, recipe.check_every, recipe.patience) == (1000, 10, 10)
    assert cae.spec.network.params == 4_133_673


@pytest.mark.parametrize(
    ("names", "says"),
    [
        ("ppca-5", "did you mean 'ppca-4'"),
        ("fan-687", "did you mean 'fan-686'"),
        ("dense", "unknown detector 'dense'; did you mean 'dense-ae'"),
        ("no-network+band", "unknown score 'band'; did you mean 'bands'"),
        ("gaussian+bands", "gaussian has its own score"),
        ("baselines+bands", "unknown detector 'baselines'"),
        (" , ", "no detector named; known: baselines"),
    ],
)
def test_mistakes(names: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        listed(names, TASK)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
