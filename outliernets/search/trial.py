"""One candidate: what it costs, and if it may cost that, what it is worth.

Costs come first and take milliseconds. What is within the limits is trained in rungs: after each it
is compared with all that came as far (successive halving), and most stop there. Solved networks
need no training. Everything is written into the trial's user attributes.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from outliernets import boards
from outliernets.boards import Board
from outliernets.config import SEED, MelConfig
from outliernets.detectors.base import Fitted
from outliernets.detectors.learned import Learned, Look, learn
from outliernets.detectors.spec import DetectorSpec
from outliernets.errors import DataError
from outliernets.evenly import evenly
from outliernets.nets.space import ArchSpec
from outliernets.search import costs as cost_model
from outliernets.search import space
from outliernets.search.costs import Costs, Limits
from outliernets.search.objective import NetScore
from outliernets.search.proxies import CLIPS, Heard, Proxies
from outliernets.search.space import Choice, Decisions
from outliernets.train.fit import Begin, Recipe
from outliernets.train.quiet import tensorflow
from outliernets.view import Windows

REDUCTION = 3  #: of the candidates that reach a rung, one in so many goes on
RUNGS = 3  #: the last one is the whole training
JUDGING_SHARE = 1 / 3  #: of all normal clips judges, if that is less than CLIPS
CHANCE = 0.5  #: AUC of who hears nothing; whoever hears less is no worse
#: user attributes of trials
DECIDED, REFUSED, FEASIBLE = "detector", "refused", "feasible"
AUC = "auc"  #: a constraint: by how much a trial is below the floor
UNKNOWN = 1.0  #: all of it, of who was not trained to the end
HEIR = "heir"  #: a user attribute: AUC by a parent's weights, of one that was trained anew


@dataclass(frozen=True)
class Space:
    """What is searched; a part of the usual space in tests."""

    decisions: Mapping[str, Sequence[Choice]] = field(default_factory=lambda: space.DECISIONS)
    detector: Callable[[Decisions], DetectorSpec] = space.detector
    version: int = space.VERSION
    first: Sequence[Decisions] = field(default_factory=space.hand_made)  #: what is tried first


@dataclass(frozen=True)
class Setting:
    """All that the worth of a candidate depends on; plain data, the same for all workers."""

    features: Path  #: folder of the features stage
    board: str
    others: Path | None = None  #: folder with ``others.npy``, normal sound of other machines
    limits: Limits = field(default_factory=Limits)
    floor: float = 0.0  #: AUC (0 ... 1) that a candidate must reach
    reference: Mapping[str, float] | None = None  #: AUC by kind of another detector; see ``heard``
    objective: NetScore = field(default_factory=NetScore)
    recipe: Recipe = field(default_factory=Recipe)
    clip_sigma: float = MelConfig.clip_sigma
    seed: int = SEED
    labels: tuple[bool, ...] | None = None  #: abnormal test clips: the paper's protocol; else None
    inherit: bool = False  #: candidates begin with the weights of similar ones

    def windows(self, part: str) -> Windows:
        """Return ``train``, ``held_out`` or ``test`` windows, read from the disk when touched."""
        loaded: Windows = np.load(self.features / f"{part}.npy", mmap_mode="r")
        return loaded

    def learn(
        self,
        spec: DetectorSpec,
        look: Look | None = None,
        begin: Begin | None = None,
        whole: bool = False,
    ) -> Learned:
        """Return a detector that has learned from ``lesson``.

        ``look``, ``begin``: see detectors.learned. ``whole``: from all training windows, as a build
        would have it.
        """
        return learn(
            spec,
            self.windows("train") if whole else self.lesson,
            self.windows("held_out"),
            self.clip_sigma,
            self.seed,
            self.recipe,
            look=look,
            begin=begin,
        )

    def heard(self, by_kind: Mapping[str, float]) -> float:
        """Return the AUC that a candidate is judged by, from its AUC by kind of proxy.

        Nobody knows which kind is like the faults to come. So where there is a reference, the kind
        counts at which a candidate is furthest behind it: its mean AUC times that share. Without a
        reference, the mean.
        """
        if self.reference is None:
            return float(np.mean(list(by_kind.values())))
        worst = min(
            max(by_kind[kind], CHANCE) / max(auc, CHANCE) for kind, auc in self.reference.items()
        )
        return worst * float(np.mean(list(self.reference.values())))

    @cached_property
    def lesson(self) -> Windows:
        """The training windows that candidates learn from: those of clips that do not judge."""
        train = _heard(self.features, "train")
        if not self._judges:
            return train.windows
        return np.asarray(train.windows[~np.isin(train.clips, self._judges)])

    @cached_property
    def proxies(self) -> Proxies:
        """What candidates are judged by: nothing that they learned from."""
        if self.labels is not None:
            return Proxies.labelled(_heard(self.features, "test"), self.labels, self.seed)
        others = _heard(self.others, "others") if self.others else None
        normal = _heard(self.features, "held_out")
        if self._judges:
            normal = normal.followed_by(_heard(self.features, "train").of(self._judges))
        return Proxies.make(normal, others, self.clip_sigma, self.seed)

    @cached_property
    def _judges(self) -> list[int]:
        """Training clips, by number, that judge: the held-out ones alone are often too few."""
        if self.labels is not None:
            return []
        train, held_out = (
            np.unique(_heard(self.features, part).clips).tolist() for part in ("train", "held_out")
        )
        wanted = min(CLIPS, round(JUDGING_SHARE * (len(train) + len(held_out)))) - len(held_out)
        return [train[i] for i in evenly(len(train), max(wanted, 0))]


def _heard(folder: Path, part: str) -> Heard:
    windows = np.load(folder / f"{part}.npy", mmap_mode="r")
    return Heard(windows, np.load(folder / f"{part}_clip.npy"))


@dataclass(frozen=True)
class Candidate:
    """A detector and what it costs: bounds where they are too much already."""

    spec: DetectorSpec
    costs: Costs
    refused: tuple[str, ...]  #: what is beyond the limits, for people

    @classmethod
    def of(cls, spec: DetectorSpec, board: Board, limits: Limits) -> "Candidate":
        """Return it without training; milliseconds."""
        return cls(spec, *cost_model.checked(spec, board, limits))

    def attributes(self) -> dict[str, Any]:
        """Return what is known of a trial before it begins."""
        known = {
            "name": self.spec.name,
            "costs": asdict(self.costs),
            REFUSED: list(self.refused),
            FEASIBLE: not self.refused,
        }
        return known if self.refused else {**known, DECIDED: self.spec.to_toml()}

    def constraints(self, limits: Limits) -> dict[str, float]:
        """Return how far each limit is exceeded, as a share of it; negative: how much is left.

        A refused candidate is not trained, so all of its AUC is missing.
        """
        pairs = ((name, getattr(self.costs, name) / limit - 1) for name, limit in limits.given())
        return dict(pairs) | ({AUC: UNKNOWN} if self.refused else {})


@dataclass(frozen=True)
class Judged:
    """What a detector was found to be worth."""

    by_kind: Mapping[str, float]
    auc: float
    score: float  #: NetScore, dB
    compared: float  #: by which a rung compares


class Lineage(Protocol):
    """Who could be the parent of a candidate, and whom a candidate would beat."""

    def begin(self, trial: Any, child: ArchSpec) -> Begin | None:
        """Return what puts a parent's weights into a network; None: there is no parent."""

    def keep(self, trial: Any, found: Learned) -> None:
        """Remember what may become a parent."""

    def leads(self, score: float) -> bool:
        """Whether no candidate has so high a NetScore yet."""


class Evaluator:
    """Judges candidates; an Optuna objective without anything that belongs to a study."""

    def __init__(self, setting: Setting, space_: Space | None = None) -> None:
        self.setting, self.space = setting, space_ or Space()
        self.board = boards.load(setting.board)

    def candidate(self, decisions: Decisions) -> Candidate:
        """Return what decisions stand for and cost."""
        return Candidate.of(self.space.detector(decisions), self.board, self.setting.limits)

    def train(
        self,
        spec: DetectorSpec,
        rung: Callable[[int, Judged], None],
        tell: Callable[[str, Any], None],
        begin: Begin | None = None,
    ) -> tuple[Learned, Judged]:
        """Return the trained detector and its worth.

        ``rung`` is told at each rung but the last what the detector is worth so far, and may raise
        to end the training; ``tell`` gets what is to be remembered; ``begin`` may put weights into
        the untrained network. DataError if it diverges.
        """
        setting = self.setting
        started = time.perf_counter()
        rungs = _Rungs(setting.recipe.steps)
        _forget_networks()

        def look(step: int, so_far: Callable[[], Learned]) -> None:
            number = rungs.reached(step)
            if number is not None:
                rung(REDUCTION**number, self.judge(so_far()))

        try:
            found = setting.learn(spec, look, begin)
        finally:
            tell("seconds", round(time.perf_counter() - started, 3))
        judged = self.judge(found)
        if found.trained is not None:
            tell("loss", found.trained.best.held_out)
            tell("steps", found.trained.history[-1].step)
        for name, value in (
            ("auc", judged.auc),
            ("proxies", dict(judged.by_kind)),
            ("params", found.params),
            ("macs", found.macs),
            ("seed", setting.seed),
            ("seconds", round(time.perf_counter() - started, 3)),
        ):
            tell(name, value)
        return found, judged

    def judge(self, fitted: Fitted) -> Judged:
        """Return what a fitted detector is worth."""
        setting = self.setting
        by_kind = setting.proxies.separation(fitted)
        auc = setting.heard(by_kind)
        cost = (fitted.params, fitted.macs)
        return Judged(
            by_kind,
            auc,
            setting.objective.of(auc, *cost),
            setting.objective.of_rung(auc, *cost, setting.floor),
        )

    def objective(self, trial: Any, lineage: Lineage | None = None) -> float:
        """Return the NetScore of an ``optuna.Trial`` that has the attributes of a candidate.

        One that would lead by the weights of a parent is trained anew, and counts with what it is
        worth then: so it will be built. Raise TrialPruned for one that is stopped at a rung, or
        diverges.
        """
        import optuna

        attributes = trial.user_attrs
        spec = DetectorSpec.from_toml(attributes[DECIDED])

        def rung(number: int, judged: Judged) -> None:
            trial.report(judged.compared, number)
            trial.set_user_attr("auc", judged.auc)
            if trial.should_prune():
                trial.set_constraint(AUC, UNKNOWN)
                raise optuna.TrialPruned(f"stopped at rung {number}")

        begin = lineage.begin(trial, spec.network) if lineage else None
        try:
            found, judged = self.train(spec, rung, trial.set_user_attr, begin)
            if lineage:
                lineage.keep(trial, found)
                if begin and judged.auc >= self.setting.floor and lineage.leads(judged.score):
                    trial.set_user_attr(HEIR, judged.auc)
                    _, judged = self.train(spec, lambda *_: None, trial.set_user_attr)
        except DataError as error:
            trial.set_user_attr(FEASIBLE, False)
            trial.set_user_attr("error", str(error))
            trial.set_constraint(AUC, UNKNOWN)
            raise optuna.TrialPruned(str(error)) from None
        missing = self.setting.floor - judged.auc
        trial.set_constraint(AUC, missing)
        trial.set_user_attr(FEASIBLE, missing <= 0)
        return judged.score


def _forget_networks() -> None:
    """Free what Keras keeps of earlier networks, and what TensorFlow thinks of so many of them."""
    tensorflow()  # quietly, before Keras imports it
    import keras

    keras.utils.clear_session()
    logging.getLogger("tensorflow").setLevel(logging.ERROR)


class _Rungs:
    """Says when a training has come to a rung, each once, whatever restarts there are."""

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self._ends = [steps / REDUCTION ** (RUNGS - 1 - i) for i in range(RUNGS - 1)]
        self._next = 0

    def reached(self, step: int) -> int | None:
        """Return the number of the rung that ``step`` is the first at or behind, else None."""
        passed = len([end for end in self._ends if step >= end])
        if passed <= self._next or step == self._steps:
            return None
        self._next = passed
        return passed - 1
