"""Candidates: refused by costs, trained in rungs, judged by NetScore."""

from dataclasses import replace

import optuna
import pytest

from outliernets import boards
from outliernets.detectors.spec import DetectorSpec
from outliernets.search import space
from outliernets.search.costs import Limits, learned_costs
from outliernets.search.objective import NetScore
from outliernets.search.trial import FEASIBLE as FEASIBLE_ATTRIBUTE
from outliernets.search.trial import (
    REDUCTION,
    REFUSED,
    Candidate,
    Evaluator,
    Setting,
    _Rungs,
)
from tests.search.studies import TRAINED, features, setting

SMALLEST = space.smallest()
BOARD = boards.load("stm32f746")


def test_netscore_is_the_papers() -> None:
    # a = 90 %, 1 M parameters, 1 G multiply-accumulates: 20 log10(8100)
    assert NetScore().of(0.9, 10**6, 10**9) == pytest.approx(78.17, abs=0.01)
    assert NetScore().of(0.9, 10**4, 10**7) == pytest.approx(78.17 + 40, abs=0.01)
    assert NetScore(alpha=1).of(0.9, 10**6, 10**9) == pytest.approx(39.08, abs=0.01)


def test_a_rung_takes_from_who_is_below_the_floor() -> None:
    score = NetScore()
    assert score.of_rung(0.9, 100, 100, floor=0.8) == score.of(0.9, 100, 100)
    assert score.of_rung(0.7, 100, 100, floor=0.8) == pytest.approx(score.of(0.7, 100, 100) - 40)


def test_what_is_beyond_a_limit_is_refused_with_its_excess() -> None:
    limits = Limits(max_flash=10_000, max_ram=10**6)
    found = Candidate.of(space.detector(SMALLEST), BOARD, limits)
    assert [text.split()[0] for text in found.refused] == ["flash"]
    excess = found.constraints(limits)
    assert excess["flash"] == pytest.approx(found.costs.flash / 10_000 - 1)
    assert excess["ram"] < 0 < excess["auc"]
    assert not found.attributes()[FEASIBLE_ATTRIBUTE]
    assert Candidate.of(space.detector(SMALLEST), BOARD, Limits(max_flash=10**6)).refused == ()


def test_rungs_come_once_each_and_not_at_the_end() -> None:
    rungs = _Rungs(900)
    assert [rungs.reached(step) for step in (50, 100, 150, 300, 100, 900)] == [
        None,
        0,
        None,
        1,
        None,
        None,
    ]


def run(evaluator: Evaluator, pruner: optuna.pruners.BasePruner):
    """Judge one candidate in a study of its own."""
    decisions = {name: options[0] for name, options in evaluator.space.decisions.items()}
    found = evaluator.candidate(decisions)
    study = optuna.create_study(direction="maximize", pruner=pruner)
    study.add_trial(
        optuna.create_trial(
            state=optuna.trial.TrialState.WAITING,
            user_attrs=found.attributes(),
            constraints=found.constraints(evaluator.setting.limits),
        )
    )
    study.optimize(evaluator.objective, n_trials=1)
    return study.trials[0]


def test_a_network_is_trained_in_rungs_and_everything_is_remembered(tmp_path) -> None:
    evaluator = Evaluator(setting(tmp_path, steps=450), TRAINED)
    trial = run(evaluator, optuna.pruners.NopPruner())
    assert trial.state.name == "COMPLETE"
    assert list(trial.intermediate_values) == [1, REDUCTION]
    known = trial.user_attrs
    assert known[REFUSED] == []
    spec = DetectorSpec.from_toml(known["detector"])
    assert (known["params"], known["macs"]) == learned_costs(spec)
    assert trial.value == NetScore().of(known["auc"], known["params"], known["macs"])
    assert {"costs", "detector", "loss", "seconds", "seed", "steps", "proxies"} <= set(known)


def test_a_rung_may_be_the_last(tmp_path) -> None:
    class Never(optuna.pruners.BasePruner):
        def prune(self, study, trial) -> bool:
            return True

    trial = run(Evaluator(setting(tmp_path, steps=450), TRAINED), Never())
    assert trial.state.name == "PRUNED"
    assert list(trial.intermediate_values) == [1]
    assert trial.constraints["auc"] > 0
    assert "auc" in trial.user_attrs


def test_what_is_heard_well_does_not_make_up_for_what_is_not(tmp_path) -> None:
    usual = setting(tmp_path)
    assert usual.heard({"tone": 0.9, "knocks": 0.7}) == pytest.approx(0.8)
    judged = replace(usual, reference={"tone": 0.8, "knocks": 0.6})
    assert judged.heard({"tone": 0.8, "knocks": 0.6}) == pytest.approx(0.7)  # the reference itself
    assert judged.heard({"tone": 0.6, "knocks": 1.0}) == pytest.approx(0.7 * 0.6 / 0.8)
    assert judged.heard({"tone": 0.88, "knocks": 0.9}) == pytest.approx(0.7 * 1.1)
    deaf = replace(usual, reference={"tone": 0.8, "knocks": 0.4})
    assert deaf.heard({"tone": 0.8, "knocks": 0.3}) == pytest.approx(0.6)  # chance is chance


def test_who_misses_the_floor_is_not_feasible(tmp_path) -> None:
    trial = run(Evaluator(setting(tmp_path, floor=1.5), TRAINED), optuna.pruners.NopPruner())
    assert trial.state.name == "COMPLETE"
    assert trial.constraints["auc"] == pytest.approx(1.5 - trial.user_attrs["auc"])
    assert trial.user_attrs[FEASIBLE_ATTRIBUTE] is False


def test_whoever_judges_is_not_learned_from(tmp_path) -> None:
    found = setting(tmp_path)  # 40 training clips and 5 held out, 4 windows each: 15 clips judge
    assert len(found.lesson) == 160 - 4 * 10
    assert found.proxies.normal.clips[-1] + 1 == 15
    heard = found.proxies.normal.windows
    assert not any((window == heard).all(axis=(1, 2)).any() for window in found.lesson)
    labelled = replace(found, labels=(True, False))
    assert len(labelled.lesson) == 160


def test_enough_held_out_clips_judge_alone(tmp_path) -> None:
    features(tmp_path, clips=40)
    found = Setting(tmp_path, "stm32f746")
    assert len(found.lesson) == 160
    assert found.proxies.normal.clips[-1] + 1 == 40
