"""Proposes detectors to try: a generator of decisions, moved by an inquisitor of finished trials.

Generator-inquisitor-style, after the idea of generative synthesis (FermiNets, arXiv 1809.05989; no
reproducible algorithm of it is published). The *generator* draws proposals. They are screened, in
microseconds: may it be feasible, and which part of its objective is known without training? The
*inquisitor* predicts the rest from all trials so far. The best proposals teach the generator what
to draw next, a few rounds; then the one with the largest expected improvement is tried.

There is no state but the study's trials: workers come and go, and a sampler made anew goes on as
the old one would have. Importing this imports optuna: do so inside functions.
"""

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import BaseSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from outliernets.errors import ConfigError, near_miss
from outliernets.search.generator import Generator, Ints
from outliernets.search.inquisitor import (
    Inquisitor,
    Observation,
    Options,
    Point,
    expected_improvement,
)
from outliernets.search.screen import Screen, Screened
from outliernets.search.space import DECISIONS, Choice, Decisions

Accuracy = Callable[[float], float]

START = 6  #: observations before the inquisitor is asked
GOLDEN = (5**0.5 - 1) / 2  #: multiples of it, without their whole part, are far from one another
ROUNDS = 3  #: of proposing, judging and learning, per trial
DRAWN = 128  #: proposals of a round
CHANGED = 64  #: further ones: the best so far, changed a little
CHANGES = 2.0  #: decisions of a proposal that change, on average
LEADERS = 12  #: trials that are changed a little in the first round
ELITE = 48  #: proposals of which the generator learns
PATIENCE = 20  #: rounds of pure chance that may pass without anything feasible
PRUNED = 0.5  #: weight of a trial that was stopped early
FEASIBLE, AUC = "feasible", "auc"  #: user attributes of trials
PENDING = (TrialState.RUNNING, TrialState.WAITING)


class GeneratorSampler(BaseSampler):
    """An Optuna sampler of categorical decisions for one objective.

    ``screen`` says whether a point may be feasible and what of its objective is known; ``floor`` is
    what the unknown rest must reach for a trial to count; ``accuracy`` says what the accuracy that
    a trial carries adds to the objective, for those that were stopped early: without it they are
    taken for what they last reported. Same seed and trials, same proposal.
    """

    def __init__(
        self,
        seed: int,
        screen: Screen | None = None,
        floor: float = -np.inf,
        accuracy: Accuracy | None = None,
        options: Options = DECISIONS,
    ) -> None:
        self._seed, self._screen, self._options = seed, screen or _nothing_known, options
        self._floor, self._accuracy = floor, accuracy
        self._distributions = {n: CategoricalDistribution(tuple(o)) for n, o in options.items()}

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """See BaseSampler: all decisions, from the first trial on."""
        return dict(self._distributions)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Choice]:
        """See BaseSampler. Raise ConfigError for a study of several objectives."""
        if len(study.directions) != 1:
            raise ConfigError(
                f"the generator samples for one objective, study '{study.study_name}' has "
                f"{len(study.directions)}: use nsga2"
            )
        history = History.of(study, self._options, self._screen, self._accuracy)
        random = np.random.default_rng([self._seed, trial.number])
        pool = _Pool(self._options, self._screen, history.taken)
        if len(history.seen) < START:
            return pool.spread(len(history.seen) + len(history.pending), random)
        return self._best(pool, history, random)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, name: str, distribution: BaseDistribution
    ) -> Any:
        """See BaseSampler: a parameter that is none of the decisions, by chance."""
        entropy = np.random.SeedSequence([self._seed, trial.number, zlib.crc32(name.encode())])
        chance = RandomSampler(int(entropy.generate_state(1)[0]))
        return chance.sample_independent(study, trial, name, distribution)

    def _best(
        self, pool: "_Pool", history: "History", random: np.random.Generator
    ) -> dict[str, Choice]:
        """Let generator and inquisitor talk; return the proposal of largest improvement."""
        inquisitor = history.inquisitor(self._options, int(random.integers(2**31)))
        best = history.best(self._floor)

        def ranked() -> Ints:
            mean, deviation = inquisitor.predict(pool.points)
            if best is None:  # nothing counts yet: what is most likely to reach the floor
                return np.argsort((self._floor - mean) / deviation, kind="stable")
            known = np.array([screened.known for _, screened in pool.points])
            gains = expected_improvement(mean, deviation, known, best, self._floor)
            return np.argsort(-gains, kind="stable")

        generator = Generator(pool.sizes)
        parents = [pool.numbers(o.decisions) for o in history.leaders(self._floor)]
        for _ in range(ROUNDS):
            pool.add(generator.draw(DRAWN, random))
            pool.add(changed(np.array(parents), self._options, inquisitor.importance, random))
            if pool.points:
                parents = [pool.numbers(pool.points[i][0]) for i in ranked()[:ELITE]]
                generator = Generator.taught(pool.sizes, np.array(parents))
        for i in ranked() if pool.points else ():
            if pool.points[i][1].fits():
                return dict(pool.points[i][0])
        return pool.chance(random)


def _nothing_known(_: Decisions) -> Screened:
    return Screened()


@dataclass
class History:
    """What a study's trials told."""

    seen: list[Observation] = field(default_factory=list)
    pending: list[Point] = field(default_factory=list)
    taken: set[Any] = field(default_factory=set)  #: keys of points that are not tried again

    @classmethod
    def of(
        cls,
        study: Study,
        options: Options,
        screen: Screen = _nothing_known,
        accuracy: Accuracy | None = None,
    ) -> "History":
        """Read the trials of ``study`` that made all decisions of ``options``."""
        history = cls()
        trials = study.get_trials(deepcopy=False)
        sign = -1.0 if study.direction == StudyDirection.MINIMIZE else 1.0
        lags = _lags(trials)
        for trial in trials:
            if any(trial.params.get(name) not in o for name, o in options.items()):
                continue
            point = {name: trial.params[name] for name in options}
            screened = screen(point)
            if screened is None:
                continue
            history.taken.add(_key(point, screened))
            if trial.state in PENDING:
                history.pending.append((point, screened))
            rest = _early(trial, accuracy)
            if rest is None:
                value = _reached(trial, lags)
                rest = None if value is None else sign * value - screened.known
            if rest is not None and isfinite(rest):
                history.seen.append(_observation(trial, point, screened, rest))
        return history

    def inquisitor(self, options: Options, seed: int) -> Inquisitor:
        """Return one that believes what it predicts of pending trials, so as not to repeat them."""
        inquisitor = Inquisitor(options, self.seen, seed)
        if not self.pending:
            return inquisitor
        mean, _ = inquisitor.predict(self.pending)
        believed = [
            Observation(*point, float(rest)) for point, rest in zip(self.pending, mean, strict=True)
        ]
        return Inquisitor(options, [*self.seen, *believed], seed)

    def best(self, floor: float) -> float | None:
        """Return the best objective that counts, if any does."""
        return max((o.objective for o in self.seen if o.counts(floor)), default=None)

    def leaders(self, floor: float) -> list[Observation]:
        """Return the best trials: those first that count, then those nearest to the floor."""

        def rank(o: Observation) -> tuple[bool, float]:
            return (True, o.objective) if o.counts(floor) else (False, o.rest)

        return sorted(self.seen, key=rank, reverse=True)[:LEADERS]


def _observation(
    trial: FrozenTrial, point: Decisions, screened: Screened, rest: float
) -> Observation:
    if trial.state == TrialState.COMPLETE:
        return Observation(point, screened, rest, feasible=_feasible(trial))
    return Observation(point, screened, rest, weight=PRUNED, feasible=False)


def _early(trial: FrozenTrial, accuracy: Accuracy | None) -> float | None:
    """Return what the accuracy of a trial was worth when it was pruned, if that is known."""
    found = trial.user_attrs.get(AUC)
    if accuracy is None or found is None or trial.state != TrialState.PRUNED:
        return None
    return accuracy(found)


def _reached(trial: FrozenTrial, lags: Mapping[int, float]) -> float | None:
    """Return a trial's objective; of one that was pruned, what it would have come to."""
    if trial.state == TrialState.COMPLETE:
        return trial.value
    if trial.state == TrialState.PRUNED and trial.intermediate_values:
        step = max(trial.intermediate_values)
        return trial.intermediate_values[step] + lags.get(step, 0.0)
    return None


def _lags(trials: Sequence[FrozenTrial]) -> dict[int, float]:
    """Return by how much the objective rose after each step, the median of whole trials."""
    rose: dict[int, list[float]] = {}
    for trial in trials:
        if trial.state == TrialState.COMPLETE and trial.value is not None:
            for step, value in trial.intermediate_values.items():
                rose.setdefault(step, []).append(trial.value - value)
    return {step: float(np.median(found)) for step, found in rose.items()}


def _feasible(trial: FrozenTrial) -> bool:
    within = all(value <= 0 for value in trial.constraints.values())
    return within and bool(trial.user_attrs.get(FEASIBLE, True))


def _key(decisions: Decisions, screened: Screened) -> Any:
    return tuple(decisions.values()) if screened.key is None else screened.key


class _Pool:
    """Different proposals that may be feasible and were not tried yet."""

    def __init__(self, options: Options, screen: Screen, taken: set[Any]) -> None:
        self.points: list[Point] = []
        self.sizes = [len(o) for o in options.values()]
        self.options, self._screen, self._met = options, screen, set(taken)

    def add(self, proposals: Ints) -> None:
        """Add those of ``proposals`` [n, decisions] that are new and may be feasible."""
        for row in proposals.tolist():
            point = self._decisions(row)
            screened = self._screen(point)
            if screened is not None:
                key = _key(point, screened)
                if key not in self._met:
                    self._met.add(key)
                    self.points.append((point, screened))

    def numbers(self, decisions: Decisions) -> list[int]:
        """Return the number of each decision's option."""
        return [options.index(decisions[name]) for name, options in self.options.items()]

    def spread(self, tried: int, random: np.random.Generator) -> dict[str, Choice]:
        """Return a proposal to start with; a few of them have quite different known parts.

        The known part is compared with that of proposals of pure chance.
        """
        for _ in range(PATIENCE):
            self.add(Generator(self.sizes).draw(DRAWN, random))
            if len(self.points) >= DRAWN:
                break
        order = sorted(range(len(self.points)), key=lambda i: -self.points[i][1].known)
        first = int(len(order) * (tried * GOLDEN % 1))
        for i in order[first:] + order[:first][::-1]:
            if self.points[i][1].fits():
                return dict(self.points[i][0])
        return self.chance(random)

    def chance(self, random: np.random.Generator) -> dict[str, Choice]:
        """Return any decisions, where nothing better is known."""
        return self._decisions(Generator(self.sizes).draw(1, random)[0].tolist())

    def _decisions(self, row: Sequence[int]) -> dict[str, Choice]:
        return {n: o[i] for (n, o), i in zip(self.options.items(), row, strict=True)}


def changed(
    parents: Ints, options: Options, importance: Mapping[str, float], random: np.random.Generator
) -> Ints:
    """Return proposals that differ a little from ``parents`` [n, decisions], the best ones first.

    What mattered changes more often; numbers move to a neighbour, names to any other.
    """
    rank = (random.random(CHANGED) ** 2 * len(parents)).astype(int)
    children: Ints = parents[rank].copy()
    weights = np.array([importance.get(name, 0.0) for name in options])
    weights = weights / max(weights.sum(), 1e-9) + 1 / len(weights)
    rates = np.minimum(CHANGES * weights, 0.5)
    for i, some in enumerate(options.values()):
        at = np.flatnonzero(random.random(CHANGED) < rates[i])
        near = np.clip(children[at, i] + random.choice([-1, 1], len(at)), 0, len(some) - 1)
        anywhere = random.integers(0, len(some), len(at))
        named = isinstance(some[0], str)
        children[at, i] = anywhere if named else near
    return children


SAMPLERS = ("generator", "tpe", "nsga2", "random")
POPULATION = 10  #: of NSGA-II; Optuna's 50 would be chance alone for as many trials


def make_sampler(
    name: str,
    seed: int,
    screen: Screen | None = None,
    floor: float = -np.inf,
    accuracy: Accuracy | None = None,
    options: Options = DECISIONS,
) -> BaseSampler:
    """Return one of SAMPLERS; ``screen``, ``floor``, ``accuracy``, ``options``: GeneratorSampler.

    All but chance heed the constraints that trials carry. Raise ConfigError for an unknown name.
    """
    if name == "generator":
        return GeneratorSampler(seed, screen, floor, accuracy, options)
    if name == "tpe":
        return TPESampler(seed=seed, multivariate=True, constant_liar=True)
    if name == "nsga2":
        return NSGAIISampler(population_size=POPULATION, seed=seed)
    if name == "random":
        return RandomSampler(seed)
    raise ConfigError(f"unknown sampler '{name}'; {near_miss(name, SAMPLERS)}")
