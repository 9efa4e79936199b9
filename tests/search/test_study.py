"""Studies: as many trials as asked for, whatever happens to those who make them."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from outliernets.detectors.spec import DetectorSpec
from outliernets.errors import ConfigError
from outliernets.search import results, space, storage, study
from outliernets.search.costs import Limits
from outliernets.search.study import run
from outliernets.search.trial import DECIDED, HEIR, Space
from tests.search.studies import IDENTITY, SOLVED, TRAINED, plan, states, told_nothing

DATABASE = Path("/usr/lib/postgresql")


def finished(found) -> int:
    return sum(state in ("COMPLETE", "PRUNED") for state in states(found))


def test_one_worker_repeats_and_goes_on_where_it_was(tmp_path) -> None:
    whole = run(plan(tmp_path / "a", 5), 1, told_nothing)
    run(plan(tmp_path / "b", 2), 1, told_nothing)
    parts = run(plan(tmp_path / "b", 5), 1, told_nothing)
    assert states(whole) == states(parts) == ["COMPLETE"] * 5
    assert [t.params for t in whole.trials] == [t.params for t in parts.trials]
    assert [t.value for t in whole.trials] == [t.value for t in parts.trials]
    assert states(run(plan(tmp_path / "b", 3), 1, told_nothing)) == ["COMPLETE"] * 5


def test_what_is_beyond_the_limits_is_kept_but_does_not_count(tmp_path) -> None:
    tight = plan(tmp_path, 3, limits=Limits(max_params=700))
    found = run(tight, 1, told_nothing)
    progress = results.Progress.of(found.trials)
    assert (progress.trained, progress.stopped) == (3, 0)
    assert progress.refused > 0
    assert progress.share == 3 / (3 + progress.refused)
    refused = [t for t in found.trials if results.is_refused(t)]
    assert all(t.constraints["params"] > 0 and t.params for t in refused)


def test_limits_that_nothing_meets_end_the_search(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(study, "PATIENCE", 40)
    with pytest.raises(ConfigError, match=r"none of 40 candidates .* flash"):
        run(plan(tmp_path, 3, limits=Limits(max_flash=10)), 1, told_nothing)


def test_time_that_is_over_ends_it_at_once(tmp_path) -> None:
    assert states(run(plan(tmp_path, None, deadline=time.time()), 1, told_nothing)) == []


@pytest.mark.parametrize("name", ["tpe", "nsga2"])
def test_every_sampler_draws_in_memory(tmp_path, name) -> None:
    found = run(plan(tmp_path, 12, sampler=name), 1, told_nothing)
    assert states(found) == ["COMPLETE"] * 12
    assert all(set(t.params) == set(SOLVED.decisions) for t in found.trials)


def test_the_generator_knows_limits_and_draws_what_is_within(tmp_path) -> None:
    limits = Limits(max_params=400)
    found = run(plan(tmp_path, 2, Space(), sampler="generator", limits=limits), 1, told_nothing)
    made, drawn = found.trials[: len(space.hand_made())], found.trials[len(space.hand_made()) :]
    assert all(results.is_refused(t) for t in made)
    assert len(drawn) == results.Progress.of(found.trials).finished == 2
    assert all(t.user_attrs["costs"]["params"] <= 400 for t in drawn)


def test_what_people_made_is_tried_first_whatever_the_sampler(tmp_path) -> None:
    found = run(plan(tmp_path, 3, Space(), sampler="random"), 1, told_nothing)
    assert [t.params for t in found.trials] == list(space.hand_made())


def test_an_interrupted_trial_is_tried_again(tmp_path, monkeypatch) -> None:
    usual = study.Evaluator.objective

    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(study.Evaluator, "objective", stopped)
    with pytest.raises(KeyboardInterrupt):
        run(plan(tmp_path, 2), 1, told_nothing)
    monkeypatch.setattr(study.Evaluator, "objective", usual)
    found = run(plan(tmp_path, 2), 1, told_nothing)
    assert sorted(states(found)) == ["COMPLETE", "COMPLETE", "FAIL"]
    assert found.trials[0].params == found.trials[1].params


def test_a_killed_worker_is_known_by_its_lock(tmp_path) -> None:
    with study._alive(tmp_path) as name:
        assert not study._is_gone(tmp_path, name)
    assert study._is_gone(tmp_path, name)
    (tmp_path / "workers" / "killed").touch()
    assert study._is_gone(tmp_path, "killed")


def test_equal_detectors_are_judged_once(tmp_path, monkeypatch) -> None:
    usual, judged = study.Evaluator.train, []

    def counted(self, spec, *others):
        judged.append(spec.name)
        return usual(self, spec, *others)

    monkeypatch.setattr(study.Evaluator, "train", counted)
    one = {name: options[:1] for name, options in SOLVED.decisions.items()}
    found = run(plan(tmp_path, 3, Space(one, first=())), 1, told_nothing)
    assert len({t.value for t in found.trials}) == 1
    assert len(judged) == 1


def test_candidates_begin_with_weights_of_those_before(tmp_path) -> None:
    """The same again when interrupted, and explained by the trial; not without the weights."""
    whole = run(plan(tmp_path / "a", 4, TRAINED, inherit=True), 1, told_nothing).trials
    run(plan(tmp_path / "b", 2, TRAINED, inherit=True), 1, told_nothing)
    parts = run(plan(tmp_path / "b", 4, TRAINED, inherit=True), 1, told_nothing).trials
    parents = [t.user_attrs.get(study.PARENT) for t in whole]
    assert parents == [t.user_attrs.get(study.PARENT) for t in parts]
    assert [t.value for t in whole] == [t.value for t in parts]
    assert parents[0] is None
    child = next(t for t in whole if study.PARENT in t.user_attrs)
    number, share = child.user_attrs[study.PARENT]
    assert number < child.number
    assert 0.3 <= share <= 1

    usual = plan(tmp_path / "c", child.number + 1, TRAINED, inherit=True)
    run(plan(tmp_path / "c", child.number, TRAINED, inherit=True), 1, told_nothing)
    shutil.rmtree(usual.folder / "ancestors")
    alone = run(usual, 1, told_nothing).trials[child.number]
    assert alone.params == child.params
    assert study.PARENT not in alone.user_attrs


def test_who_would_lead_by_a_parents_weights_is_trained_anew(tmp_path) -> None:
    """So whatever leads is worth what it is worth without a parent."""
    heirs = run(plan(tmp_path / "a", 6, TRAINED, inherit=True, steps=40), 1, told_nothing).trials
    evaluator = study.Evaluator(plan(tmp_path / "a", 6, TRAINED, steps=40).setting)
    best, anew = float("-inf"), 0
    for trial in heirs:
        if trial.state.name != "COMPLETE":
            continue
        if study.PARENT in trial.user_attrs and trial.value > best:
            assert HEIR in trial.user_attrs
            spec = DetectorSpec.from_toml(trial.user_attrs[DECIDED])
            _, judged = evaluator.train(spec, lambda *_: None, lambda *_: None)
            assert trial.value == judged.score
            anew += 1
        best = max(best, trial.value)
    assert anew


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"space": 0}, "another version of ongen"),
        ({"storage": 99}, "another version of ongen"),
        ({"data": "2"}, "data changed since the study began"),
        ({"seed": 2}, "it was begun with seed = 1, not 2"),
    ],
)
def test_another_study_is_refused_in_one_line(tmp_path, changed, message) -> None:
    run(plan(tmp_path, 1), 1, told_nothing)
    with pytest.raises(ConfigError, match=message) as error:
        run(plan(tmp_path, 1, identity={**IDENTITY, **changed}), 1, told_nothing)
    assert "\n" not in str(error.value)


def test_storages_that_cannot_be_used_are_one_line_without_a_password(tmp_path) -> None:
    with pytest.raises(ConfigError, match=r"unreachable storage: .*:1/none") as error:
        storage.open_storage("postgresql://me:secret@127.0.0.1:1/none", tmp_path)
    assert "secret" not in str(error.value)
    assert "\n" not in str(error.value)
    with pytest.raises(ConfigError, match="is no URL"):
        storage.open_storage("somewhere", tmp_path)
    (tmp_path / storage.JOURNAL).write_text("{broken\n{}\n")
    with pytest.raises(ConfigError, match="another version, or is damaged"):
        storage.open_storage(None, tmp_path)


def test_a_database_file_works_as_well(tmp_path) -> None:
    found = run(plan(tmp_path, 2, url=f"sqlite:///{tmp_path}/s.db"), 1, told_nothing)
    assert states(found) == ["COMPLETE"] * 2


def test_who_was_taken_for_dead_goes_on(tmp_path, monkeypatch) -> None:
    usual, met = study.Evaluator.objective, []

    def slow(self, trial, *others):
        if not met:
            met.append(trial.number)
            study._fail(trial.study, trial.study.trials[trial.number])
        return usual(self, trial, *others)

    monkeypatch.setattr(study.Evaluator, "objective", slow)
    found = run(plan(tmp_path, 2), 1, told_nothing)
    assert states(found) == ["FAIL", "COMPLETE", "COMPLETE"]


@pytest.fixture
def postgresql(tmp_path_factory):
    """The URL of a server that was started for the test, as somebody who may start one."""
    versions = sorted(DATABASE.glob("*/bin")) if DATABASE.is_dir() else []
    if not versions:
        pytest.skip("no PostgreSQL on this machine (Debian: apt-get install postgresql)")
    as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if as_user and not shutil.which("runuser"):
        pytest.skip("root may not start PostgreSQL, and there is no runuser")
    folder = Path(f"/tmp/ongen-postgresql-{os.getpid()}")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    if as_user:
        shutil.chown(folder, "postgres")

    def call(tool: str, *arguments: str) -> None:
        command = [*as_user, str(versions[-1] / tool), "-D", f"{folder}/data", *arguments]
        subprocess.run(command, check=True, capture_output=True, cwd=folder)

    call("initdb", "-A", "trust", "-U", "ongen", "--no-sync")
    # no port: what it listens at is a file in the folder
    options = f"-k {folder} -c listen_addresses= -c fsync=off"
    call("pg_ctl", "-w", "-o", options, "-l", f"{folder}/log", "start")
    yield f"postgresql://ongen@/postgres?host={folder}"
    call("pg_ctl", "-m", "immediate", "stop")
    shutil.rmtree(folder, ignore_errors=True)


WORKER = "import sys, pickle; from outliernets.search.study import work; \
work(pickle.load(open(sys.argv[1], 'rb')))"


@pytest.mark.slow
def test_workers_may_be_killed_and_come_late(tmp_path, postgresql) -> None:
    """Three processes at one database, one killed mid-trial, one more later: exactly N trials."""
    import pickle

    asked = plan(tmp_path, 6, TRAINED, url=postgresql, heartbeat=1, steps=60)
    (tmp_path / "plan").write_bytes(pickle.dumps(asked))
    found = asked.open()
    environment = os.environ | {"TF_NUM_INTRAOP_THREADS": "1"}

    def worker(number: int) -> subprocess.Popen:
        command = [sys.executable, "-c", WORKER, str(tmp_path / "plan")]
        return subprocess.Popen(command, env=environment | {study.NUMBER: str(number)})

    workers = [worker(number) for number in range(3)]
    try:
        killed = _kill_one_mid_trial(found, workers)
        workers.append(worker(3))
        assert [w.wait(timeout=240) for w in workers if w is not killed] == [0, 0, 0]
    finally:
        for left in workers:
            left.kill()
    assert killed.wait() == -signal.SIGKILL
    ended = states(found)
    assert finished(found) == 6
    assert set(ended) == {"COMPLETE", "PRUNED", "FAIL"}
    retried = [t for t in found.trials if "failed_trial" in t.system_attrs]
    assert retried
    lost = found.trials[retried[0].system_attrs["failed_trial"]]
    assert (lost.state.name, lost.params) == ("FAIL", retried[0].params)


def _kill_one_mid_trial(found, workers):
    """Kill the worker of a running trial; return it."""
    deadline = time.time() + 60
    while time.time() < deadline:
        for trial in found.get_trials(deepcopy=False):
            if trial.state.name == "RUNNING" and study.WORKER in trial.user_attrs:
                name = trial.user_attrs[study.WORKER][1]
                for worker in workers:
                    if worker.pid == int(name.split("-")[0]):
                        worker.kill()
                        return worker
        time.sleep(0.02)
    raise AssertionError("no trial ran within a minute")
