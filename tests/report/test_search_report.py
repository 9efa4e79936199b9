import re
from xml.etree import ElementTree

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState, create_trial

from outliernets.report.search import Found, front, lessons, page, trained, write_report

OPTIONS = {"view": ("means", "<steady>"), "factors": (1, 2, 4, 8), "memory": (1, 2, 4)}
DISTRIBUTIONS = {n: optuna.distributions.CategoricalDistribution(o) for n, o in OPTIONS.items()}


def study_of(count, name="fan/04/0dB & <co>"):
    study = optuna.create_study(direction="maximize", study_name=name)
    random = np.random.default_rng(0)
    for number in range(count):
        point = {n: o[random.integers(len(o))] for n, o in OPTIONS.items()}
        auc = 0.6 + 0.2 * (point["view"] == "<steady>") + 0.002 * number
        costs = {"params": 100, "macs": 200, "flash": 9000 + number, "ram": 4000}
        costs |= {"instructions": 10_000 * point["factors"], "latency": 0.002}
        attributes = {"auc": auc, "costs": costs, "feasible": auc > 0.65, "name": f"n{number}",
                      "detector": f'name = "<{number}>"\n', "refused": []}  # fmt: skip
        study.add_trial(
            create_trial(
                value=100 * auc - point["factors"],
                params=point,
                distributions=DISTRIBUTIONS,
                user_attrs=attributes,
            )
        )
    return study


def test_same_study_same_bytes(tmp_path):
    for name in ("a", "b"):
        write_report(study_of(12), tmp_path / f"{name}.html")
    first = (tmp_path / "a.html").read_bytes()
    assert first == (tmp_path / "b.html").read_bytes()
    assert [p.name for p in sorted(tmp_path.iterdir())] == ["a.html", "b.html"]


def test_page_is_whole_and_loads_nothing():
    text = page(study_of(12))
    figures = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    assert len(figures) == 3
    for figure in figures:
        ElementTree.fromstring(figure)
    assert not re.search(r'(src|href)="(?!#)', text)
    assert not re.search(r"\d{4}-\d\d-\d\d", text)  # no date
    assert "<script" not in text


def test_text_is_escaped():
    text = page(study_of(12))
    assert "fan/04/0dB &amp; &lt;co&gt;" in text
    assert "<co>" not in text
    assert "<steady>" not in text
    assert re.search(r"&lt;\d+&gt;", text)


def test_best_candidates_come_first_and_keep_within_limits():
    study = study_of(12)
    rows = re.findall(r"<tr><td>(\d+)</td>", page(study))
    counting = [t for t in study.trials if t.user_attrs["feasible"]]
    order = sorted(counting, key=lambda t: -t.value)
    assert rows == [str(t.number) for t in order][:10]


def test_front_has_what_no_other_beats():
    def one(number, flash, auc):
        return Found(number, 0.0, auc, {"flash": flash}, True, {}, "", "")

    some = [one(0, 10, 0.7), one(1, 20, 0.6), one(2, 20, 0.8), one(3, 30, 0.8), one(4, 5, 0.5)]
    assert [f.number for f in front(some, "flash")] == [4, 0, 2]


def test_lessons_name_what_mattered_first():
    first, *_ = lessons(trained(study_of(24).trials))
    name, importance, choice, among_best, among_all = first
    assert (name, choice, among_best) == ("view", "<steady>", "100%")
    assert int(importance.rstrip("%")) > 50
    assert int(among_all.rstrip("%")) < 100


@pytest.mark.parametrize("count", [0, 1, 3])
def test_few_trials_make_a_page_too(count):
    text = page(study_of(count))
    assert text.count("<svg") == (2 if count else 0)


def test_all_kinds_of_trials_are_counted():
    study = study_of(2)
    study.add_trial(create_trial(state=TrialState.PRUNED, user_attrs={"refused": ["flash"]}))
    study.add_trial(create_trial(state=TrialState.PRUNED, user_attrs={"refused": []}))
    study.add_trial(create_trial(state=TrialState.FAIL))
    text = page(study)
    assert "2 trained, 1 stopped early, 1 beyond the limits, 1 failed" in text
