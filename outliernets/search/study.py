"""A study: trials that any number of workers make, on one machine or many, until it is finished.

Candidates are drawn in memory and written as waiting trials, decisions and costs and all, in one
go: dozens of decisions one by one would be dozens of transactions. Whoever is free takes the first
that waits. Those beyond the limits are written as pruned, many at a time, and do not count.

Exactly as many trials finish as were asked for, without any lock. Numbers of trials only grow, and
one that failed never counts again. So a worker that finds as many trials with lower numbers, not
failed, as there are to be, has a surplus one and gives it up; whatever happens to those, no more
can finish. A trial whose worker was killed fails, and the same decisions wait again.
"""

import contextlib
import os
import signal
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from outliernets.detectors.learned import Learned
from outliernets.detectors.spec import DetectorSpec
from outliernets.errors import BuildError, ConfigError, OngenError
from outliernets.nets.space import ArchSpec
from outliernets.search import inherit
from outliernets.search import storage as storages
from outliernets.search.results import Progress
from outliernets.search.storage import HEARTBEAT
from outliernets.search.trial import DECIDED, REFUSED, Evaluator, Setting, Space
from outliernets.train.files import save_weights
from outliernets.train.fit import Begin
from outliernets.train.principal import is_solved
from outliernets.train.share import limit_threads

TOGETHER = 32  #: refused candidates that are written in one go
PATIENCE = 5000  #: candidates in a row that may be refused
POLL = 0.2  #: seconds between two looks at what others do
UNOWNED = 60.0  #: seconds after which a running trial of nobody counts as abandoned
PARENT = "parent"  #: a trial's user attribute: whose weights it began with, and the share of them
WORKER = "worker"  #: a trial's user attribute: its number and who runs it
NUMBER = "ONGEN_WORKER"  #: environment of a worker process: which of several it is
DRAFT = -1  #: id of a trial that is not in the storage yet
Told = Callable[[Any], None]


@dataclass(frozen=True)
class Plan:
    """What a worker does; plain data, so that it can be handed to another process."""

    folder: Path  #: of the journal, and of what lives
    name: str
    identity: dict[str, Any]  #: see ``open_study``
    setting: Setting
    space: Space = field(default_factory=Space)
    sampler: str = "generator"
    url: str | None = None
    trials: int | None = None  #: finished ones in all; None: until ``deadline``
    deadline: float | None = None  #: seconds since the epoch; no trial begins after it
    heartbeat: int = HEARTBEAT

    @property
    def where(self) -> str:
        """The storage, for messages."""
        return self.url or str(self.folder / storages.JOURNAL)

    def open(self) -> Any:
        """Return the study."""
        found = storages.open_storage(self.url, self.folder, self.heartbeat)
        return storages.open_study(found, self.name, self.identity, self.where)


def run(plan: Plan, workers: int, told: Told) -> Any:
    """Search with so many processes until the plan is done; return the study.

    ``told`` is given the study now and then. One worker is this process itself, and deterministic.
    May be called again, anywhere, after whatever end it found.
    """
    study = plan.open()
    told(study)
    if workers == 1:
        work(plan, told)
    else:
        _supervise(plan, workers, study, told)
    told(study)
    return study


def work(plan: Plan, told: Told | None = None) -> None:
    """Make trials until the plan is done or its time is over."""
    worker = _Worker(plan)
    with _alive(plan.folder) as identity, storages.readable(plan.where):
        while worker.goes_on(identity):
            if told:
                told(worker.study)


class _Surplus(Exception):  # noqa: N818  # nothing went wrong
    """There are enough trials already."""


class _Worker:
    """Draws candidates and judges those that wait."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.study = plan, plan.open()
        self._evaluator = Evaluator(plan.setting, plan.space)
        self._drafts = Drafts(self.study, plan, self._evaluator)
        # All decisions are in the drafts; what Optuna would ask otherwise looks at every trial.
        self.study.sampler = storages.optuna().samplers.RandomSampler(0)

    def goes_on(self, identity: str) -> bool:
        """Do something useful, or wait for others; return False when nothing is left to do."""
        plan, study = self.plan, self.study
        revive(study, plan.folder)
        states = [t.state.name for t in counting(study)]
        finished = states.count("COMPLETE") + states.count("PRUNED")
        if plan.trials is not None and finished >= plan.trials:
            return False
        if plan.deadline is not None and time.time() >= plan.deadline:
            return False
        waiting = states.count("WAITING")
        if plan.trials is not None and finished + states.count("RUNNING") >= plan.trials:
            if not waiting:
                time.sleep(POLL)
                return True
        elif not waiting and not self._drafts.add():
            return True
        self._judge(identity)
        return True

    def _judge(self, identity: str) -> None:
        current: list[Any] = []

        def objective(trial: Any) -> float:
            current.append(trial)
            self._refuse_surplus(trial)
            trial.set_user_attr(WORKER, [trial.number, identity])
            equal = self._equal(trial.user_attrs["name"])
            if equal is None:
                lineage = Ancestors(self.study, self.plan) if self.plan.setting.inherit else None
                return self._evaluator.objective(trial, lineage)
            for name in equal.user_attrs.keys() - {WORKER}:
                trial.set_user_attr(name, equal.user_attrs[name])
            return float(equal.value)

        try:
            self.study.optimize(objective, n_trials=1, catch=(_Surplus,))
        except KeyboardInterrupt:
            for trial in current:
                ended = self.study.get_trials(deepcopy=False)[trial.number]
                if ended.state.name == "FAIL":
                    storages.retry(self.study, ended)
            raise
        except (storages.optuna().exceptions.UpdateFinishedTrialError, ValueError) as error:
            # Others took this worker for dead, as it was slow to show signs of life: its trial
            # failed, and its decisions wait again.
            if isinstance(error, ValueError) and not str(error).startswith("Cannot tell a FAIL"):
                raise

    def _refuse_surplus(self, trial: Any) -> None:
        if not trial.params:  # another worker was quicker, and this one is nobody's draft
            raise _Surplus
        if self.plan.trials is None:
            return
        before = (t for t in counting(self.study) if t.number < trial.number)
        if sum(t.state.name != "FAIL" for t in before) >= self.plan.trials:
            raise _Surplus

    def _equal(self, name: str) -> Any:
        """Return a finished trial of the same detector, if there is one: training is no chance."""
        same = (t for t in counting(self.study) if t.user_attrs.get("name") == name)
        return next((t for t in same if t.state.name == "COMPLETE"), None)


class Ancestors:
    """Finished trials of a study whose weights are in its folder; a ``Lineage``."""

    def __init__(self, study: Any, plan: Plan) -> None:
        self._study, self._folder = study, plan.folder / "ancestors"

    def begin(self, trial: Any, child: ArchSpec) -> Begin | None:
        """See Lineage; the parent's number and the share that was taken are written down."""
        parent = inherit.nearest(child, self._known())
        if is_solved(child) or parent is None:
            return None
        trial.set_user_attr(PARENT, [parent.whose, round(parent.share, 4)])
        weights = inherit.read(self._file(parent.whose))
        return lambda model: inherit.inherit(model, child, parent.spec, weights)

    def keep(self, trial: Any, found: Learned) -> None:
        """See Lineage."""
        if found.trained is not None:
            self._folder.mkdir(parents=True, exist_ok=True)
            save_weights(found.model, self._file(trial.number))

    def leads(self, score: float) -> bool:
        """See Lineage."""
        best = Progress.of(self._study.get_trials(deepcopy=False)).best
        return best is None or score > best

    def _known(self) -> Iterator[tuple[int, ArchSpec]]:
        for trial in counting(self._study):
            if trial.state.name == "COMPLETE" and self._file(trial.number).is_file():
                yield trial.number, DetectorSpec.from_toml(trial.user_attrs[DECIDED]).network

    def _file(self, number: int) -> Path:
        return self._folder / f"{number}.npz"


class Drafts:
    """Draws candidates with any Optuna sampler, without a storage of their own."""

    def __init__(self, study: Any, plan: Plan, evaluator: Evaluator) -> None:
        distributions = storages.optuna().distributions
        self._study, self._plan, self._evaluator = study, plan, evaluator
        self._distributions = {
            name: distributions.CategoricalDistribution(tuple(options))
            for name, options in plan.space.decisions.items()
        }
        self._screen = self._screened()

    def add(self) -> bool:
        """Draw candidates until one is within the limits, and let that wait.

        Return False if the time was over before. Raise ConfigError if none is found.
        """
        refused: list[Any] = []
        first = len(self._study.get_trials(deepcopy=False))
        for number in range(first, first + PATIENCE):
            draft = self._draft(number)
            fits = not draft.user_attrs[REFUSED]
            if not fits:
                refused.append(draft)
            over = self._plan.deadline is not None and time.time() >= self._plan.deadline
            if fits or over or len(refused) == TOGETHER:
                self._write([*refused, *([draft] if fits else [])])
                refused.clear()
            if fits or over:
                return fits
        raise ConfigError(
            f"none of {PATIENCE:,} candidates in a row was within the limits (the last one: "
            f"{', '.join(draft.user_attrs[REFUSED])}); raise them"
        )

    def _draft(self, number: int) -> Any:
        """Return a trial that waits, or is pruned at once."""
        module = storages.optuna()
        states = module.trial.TrialState
        note = module.create_trial(state=states.WAITING)
        note.number, note._trial_id = number, DRAFT
        drawn = self._drawn(note)
        found = self._evaluator.candidate(drawn)
        return module.create_trial(
            state=states.PRUNED if found.refused else states.WAITING,
            params=drawn,
            distributions=self._distributions,
            user_attrs=found.attributes(),
            system_attrs=note.system_attrs,
            constraints=found.constraints(self._plan.setting.limits),
        )

    def _write(self, drafts: Sequence[Any]) -> None:
        for draft in drafts[:1]:  # Optuna's journal has to read one of its own before it can wait
            self._study.add_trial(draft)
        with storages.together(self._study._storage):
            for draft in drafts[1:]:
                self._study.add_trial(draft)

    def _drawn(self, draft: Any) -> dict[str, Any]:
        """Have a sampler, made anew for each draft, make all decisions but those of the first.

        So the same number and history give the same draft, in whatever process.
        """
        if draft.number < len(self._plan.space.first):
            return dict(self._plan.space.first[draft.number])
        sampler = self._sampler_for(draft.number)
        study = _with_draft(self._study, draft)
        sampler.before_trial(study, draft)
        space = sampler.infer_relative_search_space(study, draft)
        relative = sampler.sample_relative(study, draft, space)
        return {
            name: relative[name]
            if name in relative
            else sampler.sample_independent(study, draft, name, distribution)
            for name, distribution in self._distributions.items()
        }

    def _sampler_for(self, number: int) -> Any:
        from outliernets.search.sampler import make_sampler

        plan = self._plan
        entropy = [plan.setting.seed, number, *_worker_number()]
        seed = int(np.random.SeedSequence(entropy).generate_state(1)[0])
        worth = plan.setting.objective.of_accuracy
        floor = worth(plan.setting.floor)
        return make_sampler(plan.sampler, seed, self._screen, floor, worth)

    def _screened(self) -> Any:
        from outliernets.search.screen import BoardScreen

        setting = self._plan.setting
        return BoardScreen(self._evaluator.board, setting.limits, setting.objective.of_costs)


def counting(study: Any) -> list[Any]:
    """Return the trials that count: all but those that were refused for their costs."""
    trials = study.get_trials(deepcopy=False)
    return [t for t in trials if not t.user_attrs.get(REFUSED) or t.state.name != "PRUNED"]


def _with_draft(study: Any, draft: Any) -> Any:
    """Return a view of ``study`` to which ``draft`` belongs: samplers may leave notes with it."""
    import copy

    class WithDraft:
        def __getattr__(self, name: str) -> Any:
            return getattr(study._storage, name)

        def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
            if trial_id != DRAFT:
                study._storage.set_trial_system_attr(trial_id, key, value)
                return
            draft.system_attrs[key] = value

    seen = copy.copy(study)
    seen._storage = WithDraft()
    study._thread_local.cached_all_trials = None
    return seen


def revive(study: Any, folder: Path) -> None:
    """Let trials of workers that are no more wait again."""
    module = storages.optuna()
    module.storages.fail_stale_trials(study)
    beating = module.storages._heartbeat.is_heartbeat_enabled(study._storage)
    for trial in study.get_trials(deepcopy=False, states=(module.trial.TrialState.RUNNING,)):
        number, owner = trial.user_attrs.get(WORKER) or (None, "")
        if number == trial.number:
            lost = not beating and _is_gone(folder, owner)
        else:
            began = trial.datetime_start or datetime.now()
            lost = (datetime.now() - began).total_seconds() > UNOWNED
        if lost:
            _fail(study, trial)


def _fail(study: Any, trial: Any) -> None:
    module = storages.optuna()
    with contextlib.suppress(module.exceptions.UpdateFinishedTrialError):
        if study._storage.set_trial_state_values(trial._trial_id, module.trial.TrialState.FAIL):
            storages.retry(study, trial)


@contextlib.contextmanager
def _alive(folder: Path) -> Iterator[str]:
    """Give a name to be known by, whose lock the kernel holds as long as this process lives."""
    import fcntl

    name = f"{os.getpid()}-{uuid.uuid4().hex}"
    path = folder / "workers" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield name
        finally:
            path.unlink(missing_ok=True)


def _is_gone(folder: Path, name: str) -> bool:
    """Whether the worker of a name ended, however it did."""
    import fcntl

    path = folder / "workers" / name
    try:
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            path.unlink(missing_ok=True)
    except BlockingIOError:
        return False
    except FileNotFoundError:
        return True
    return True


def _supervise(plan: Plan, workers: int, study: Any, told: Told) -> None:
    """Run worker processes until they end; those that are killed are not missed while one lives."""
    import multiprocessing

    context = multiprocessing.get_context("spawn")
    failures = context.SimpleQueue()
    processes = [
        context.Process(target=_process, args=(plan, number, workers, failures), daemon=True)
        for number in range(workers)
    ]
    try:
        for process in processes:
            process.start()
        while any(process.is_alive() for process in processes):
            time.sleep(POLL)
            told(study)
    finally:
        _stop(processes)
    if not failures.empty():
        raise ConfigError(failures.get())
    if all(process.exitcode for process in processes):
        raise BuildError(
            f"all {workers} workers ended early (exit codes "
            f"{', '.join(str(p.exitcode) for p in processes)}); run it again to go on"
        )


def _stop(processes: Sequence[Any]) -> None:
    """Have workers give up what they do, as Ctrl-C has: their trials wait again."""
    for process in processes:
        if process.is_alive():
            os.kill(process.pid, signal.SIGINT)
    for process in processes:
        process.join()


def _process(plan: Plan, number: int, workers: int, failures: Any) -> None:
    """Be a worker of several on a machine."""
    os.environ[NUMBER] = str(number)
    limit_threads(workers)
    try:
        work(plan)
    except KeyboardInterrupt:
        raise SystemExit(1) from None
    except OngenError as error:
        failures.put(str(error))
        raise SystemExit(1) from None


def _worker_number() -> Sequence[int]:
    """Return what tells the drafts of workers apart that know the same; nothing for one alone."""
    number = os.environ.get(NUMBER)
    return () if number is None else (int(number), os.getpid())
