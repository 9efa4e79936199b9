"""What is known of a point of the search space before anything is trained."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import log10
from typing import Any

from outliernets.boards import Board
from outliernets.detectors.spec import DetectorSpec
from outliernets.nets.families import LINEAR, NONE
from outliernets.search import costs, space
from outliernets.search.costs import Limits
from outliernets.search.space import Choice, Decisions


@dataclass(frozen=True)
class Screened:
    """What is known of a feasible point."""

    known: float = 0.0  #: the part of the objective that is known exactly; the rest is predicted
    key: Any = None  #: equal for points that mean the same; None: no two do
    decisive: frozenset[str] | None = None  #: decisions that matter at this point; None: all
    facts: Mapping[str, float] = field(default_factory=dict)  #: further numbers to predict from
    fits: Callable[[], bool] = lambda: True  #: a last check, for what takes longer to find out


#: None: the point is not feasible
Screen = Callable[[Decisions], Screened | None]


class BoardScreen:
    """Screens detectors for a board and limits; ``known`` is what an objective owes to costs."""

    def __init__(
        self,
        board: Board,
        limits: Limits,
        known: Callable[[int, int], float],
        detector: Callable[[Decisions], DetectorSpec] = space.detector,
    ) -> None:
        """``known``: of parameters and multiply-accumulates; ``detector``: of decisions."""
        self._board, self._limits, self._known = board, limits, known
        self._detector = detector
        self._screened: dict[tuple[tuple[str, Choice], ...], Screened | None] = {}

    def __call__(self, decisions: Decisions) -> Screened | None:
        """Return what is known of a detector, None if it exceeds a limit by bounds alone."""
        names = decisive(decisions)
        key = tuple((name, decisions[name]) for name in decisions if name in names)
        if key not in self._screened:
            self._screened[key] = self._look(decisions, key)
        return self._screened[key]

    def _look(self, decisions: Decisions, key: tuple[tuple[str, Choice], ...]) -> Screened | None:
        spec = self._detector(decisions)
        least = costs.at_least(spec, self._board)
        if self._limits.exceeded(least):
            return None
        return Screened(
            known=self._known(least.params, least.macs),
            key=spec.name,
            decisive=frozenset(name for name, _ in key),
            facts={"params": log10(max(least.params, 1)), "macs": log10(max(least.macs, 1))},
            fits=lambda: not self._limits.exceeded(costs.costs(spec, self._board)),
        )


def decisive(decisions: Decisions) -> frozenset[str]:
    """Return the decisions that say something about the detector; others change nothing.

    All of them, where they are not those of the whole space.
    """
    if decisions.keys() != space.DECISIONS.keys():
        return frozenset(decisions)
    view = space.VIEWS[str(decisions["view"])]
    choice = "statistics_network" if view.parts else "frames_network"
    names = ["view", "frames", "bands_seen", choice, "score", *(["detail"] if view.parts else [])]
    if decisions[choice] == NONE:
        pass
    elif decisions[choice] == LINEAR:
        names.append("factors")
    elif decisions[choice] == "dense":
        names += ["hidden", "code"]
    else:
        names += _decisive_layers(decisions)
    if decisions["score"] in ("bands", "mahalanobis"):
        names += ["bands", "memory"]
    return frozenset(names)


def _decisive_layers(decisions: Decisions) -> list[str]:
    names = ["levels", "latent", "out", *(["seed"] if decisions["latent"] else [])]
    for i in range(1, int(decisions["levels"]) + 1):
        names += [f"encoder_{i}", f"encoder_{i}_width", f"down_{i}", f"decoder_{i}"]
        names += [f"decoder_{i}_width"] * (decisions[f"decoder_{i}"] != NONE)
    return names
