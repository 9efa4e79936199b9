"""What a study found: the best candidate, the Pareto front, and how far it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from outliernets.search.trial import DECIDED, FEASIBLE, REFUSED

#: what a front is of: more or less is better
FRONT = {"auc": 1, "instructions": -1, "flash": -1}
Row = dict[str, Any]


@dataclass(frozen=True)
class Progress:
    """How far a study is."""

    trained: int  #: to the end
    stopped: int  #: at a rung
    refused: int  #: for their costs
    running: int
    failed: int  #: broken off, and tried again
    best: float | None  #: NetScore of the best feasible one

    @classmethod
    def of(cls, trials: Sequence[Any]) -> "Progress":
        """Count the trials of a study."""
        states = [t.state.name for t in trials]
        refused = sum(is_refused(t) for t in trials)
        best = [t.value for t in trials if is_feasible(t)]
        return cls(
            states.count("COMPLETE"),
            states.count("PRUNED") - refused,
            refused,
            states.count("RUNNING"),
            states.count("FAIL"),
            max(best, default=None),
        )

    @property
    def finished(self) -> int:
        """Trials that count."""
        return self.trained + self.stopped

    @property
    def share(self) -> float:
        """Share of all candidates that were within the limits."""
        return self.finished / max(self.finished + self.refused, 1)


def is_refused(trial: Any) -> bool:
    """Whether a trial was never begun, for its costs."""
    return trial.state.name == "PRUNED" and bool(trial.user_attrs.get(REFUSED))


def is_feasible(trial: Any) -> bool:
    """Whether a trial was trained and is within all limits, that of the AUC too."""
    return trial.state.name == "COMPLETE" and bool(trial.user_attrs.get(FEASIBLE))


def row(trial: Any) -> Row:
    """Return what is told of a trained candidate."""
    known = trial.user_attrs
    costs = known["costs"]
    return {
        "trial": trial.number,
        "name": known["name"],
        "score": trial.value,
        "auc": known["auc"],
        "params": known["params"],
        "macs": known["macs"],
        "flash": costs["flash"],
        "ram": costs["ram"],
        "instructions": costs["instructions"],
        "latency_ms": 1000 * costs["latency"],
        "seed": known["seed"],
        "proxies": known["proxies"],
        "detector": known[DECIDED],
    }


def winner(trials: Sequence[Any]) -> Any:
    """Return the feasible trial of the highest objective, the first of equal ones, or None."""
    found = [t for t in trials if is_feasible(t)]
    return max(found, key=lambda t: (t.value, -t.number), default=None)


def nearest(trials: Sequence[Any]) -> float:
    """Return the largest AUC that a candidate has on the proxies; 0 if none was judged."""
    return max((t.user_attrs.get("auc", 0.0) for t in trials if not is_refused(t)), default=0.0)


def pareto(trials: Sequence[Any]) -> list[Row]:
    """Return the feasible candidates that none beats in AUC, instructions and flash at once.

    Of equal ones the first; the highest AUC comes first.
    """
    rows = [row(t) for t in trials if is_feasible(t)]
    rows.sort(key=lambda r: (*(-sign * r[name] for name, sign in FRONT.items()), r["trial"]))
    front: list[Row] = []
    for one in rows:
        if not any(_beats(other, one) for other in front):
            front.append(one)
    return front


def _beats(a: Row, b: Row) -> bool:
    """Whether ``a`` is nowhere worse than ``b``."""
    return all(sign * a[name] >= sign * b[name] for name, sign in FRONT.items())
