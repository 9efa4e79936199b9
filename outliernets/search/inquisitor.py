"""Learns from finished trials what of the objective only training tells, and how sure that is."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from outliernets.search.screen import Screened
from outliernets.search.space import Choice, Decisions

Floats = NDArray[np.float64]
Options = Mapping[str, Sequence[Choice]]
Point = tuple[Decisions, Screened]

TREES = 60
SHRINKAGE = 3.0  #: of the trend: its weights are kept small
NOISE = 0.1  #: of the observations, a share of their spread


@dataclass(frozen=True)
class Observation:
    """What a trial told: ``rest`` is its objective, larger is better, without the known part."""

    decisions: Decisions
    screened: Screened
    rest: float
    weight: float = 1.0
    feasible: bool = True

    @property
    def objective(self) -> float:
        """Known part and rest."""
        return self.screened.known + self.rest

    def counts(self, floor: float) -> bool:
        """Whether the trial is within all limits, and its rest at ``floor`` or above."""
        return self.feasible and self.rest >= floor

    @property
    def point(self) -> Point:
        """What was tried."""
        return self.decisions, self.screened


class Encoder:
    """Points as numbers: named options apart, numbers in order, decisions without say apart."""

    WITHOUT_SAY = -0.5

    def __init__(self, options: Options, facts: Iterable[str] = ()) -> None:
        self.options, self.facts = options, tuple(facts)
        #: the decision, or fact, that each number is about
        self.about: tuple[str, ...] = (
            *(n for n, o in options.items() for _ in (o if _named(o) else "1")),
            *self.facts,
        )

    def encode(self, decisions: Decisions, screened: Screened) -> list[float]:
        """Return the numbers of a point, as many as ``about``."""
        row: list[float] = []
        for name, options in self.options.items():
            has_say = screened.decisive is None or name in screened.decisive
            if _named(options):
                row += [float(has_say and decisions[name] == option) for option in options]
            elif has_say:
                row.append(options.index(decisions[name]) / max(len(options) - 1, 1))
            else:
                row.append(self.WITHOUT_SAY)
        return row + [screened.facts.get(fact, 0.0) for fact in self.facts]


def _named(options: Sequence[Choice]) -> bool:
    return isinstance(options[0], str)


class Inquisitor:
    """Predicts the rest of the objective: a linear trend, and random trees for what that leaves.

    The trend goes on where nothing was tried yet, the trees know what depends on what; both are
    good with a dozen examples. How much the trees disagree says how sure they are.
    """

    def __init__(self, options: Options, seen: Sequence[Observation], seed: int) -> None:
        from sklearn.ensemble import ExtraTreesRegressor
        from sklearn.linear_model import Ridge

        self._encoder = Encoder(options, sorted({f for o in seen for f in o.screened.facts}))
        self._rows = np.array([self._encoder.encode(*o.point) for o in seen])
        rests, weights = np.array([o.rest for o in seen]), [o.weight for o in seen]
        self._noise = NOISE * float(rests.std()) + 1e-9
        self._seed = seed
        self._trend = Ridge(SHRINKAGE).fit(self._rows, rests, sample_weight=weights)
        self._trees = ExtraTreesRegressor(TREES, max_features=0.5, random_state=seed)
        left = rests - self._trend.predict(self._rows)
        self._trees.fit(self._rows, left, sample_weight=weights)

    def predict(self, points: Sequence[Point]) -> tuple[Floats, Floats]:
        """Return mean and standard deviation of the rest for each point."""
        return self._predict(np.array([self._encoder.encode(*point) for point in points]))

    def _predict(self, rows: Floats) -> tuple[Floats, Floats]:
        narrow = rows.astype(np.float32)
        each = np.array([tree.tree_.predict(narrow).ravel() for tree in self._trees.estimators_])
        return self._trend.predict(rows) + each.mean(axis=0), np.hypot(
            each.std(axis=0), self._noise
        )

    @cached_property
    def importance(self) -> dict[str, float]:
        """How much each decision, and fact, mattered; sums to 1, or all 0 if nothing did.

        That is how far predictions of what was tried move when the decision is another trial's.
        """
        names = list(dict.fromkeys(self._encoder.about))
        others = np.random.default_rng(self._seed).permutation(len(self._rows))
        swapped = np.repeat(self._rows[None], len(names), axis=0)
        for i, name in enumerate(names):
            about = [column == name for column in self._encoder.about]
            swapped[i][:, about] = self._rows[others][:, about]
        mean, _ = self._predict(np.concatenate([self._rows, *swapped]))
        moved = (mean.reshape(len(names) + 1, -1)[1:] - mean[: len(self._rows)]) ** 2
        shares = moved.mean(axis=1) / max(float(moved.mean(axis=1).sum()), 1e-12)
        return dict(zip(names, shares.tolist(), strict=True))


def expected_improvement(
    mean: Floats, deviation: Floats, known: Floats, best: float, floor: float
) -> Floats:
    """Return by how much ``known`` + rest exceeds ``best`` on average, larger is better.

    The rest is normal; below ``floor`` it counts for nothing. Where floats end, points stay in the
    order of their chances: the result is then negative.
    """
    from scipy.special import ndtr

    gain = known + mean - best
    z = (mean - np.maximum(floor, best - known)) / deviation
    improvement = gain * ndtr(z) + deviation * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    return np.asarray(np.where(improvement > 1e-12, improvement, np.minimum(z, 0.0)))
