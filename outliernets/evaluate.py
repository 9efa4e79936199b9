"""How well scores tell abnormal from normal sound: AUC, partial AUC and their uncertainty."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from outliernets.config import SEED
from outliernets.errors import DataError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Interval:
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Auc:
    """AUC per window and per clip, and the clips' pAUC(0.1); None without both kinds of clips."""

    window: Interval | None
    clip: Interval | None
    clip_pauc: float | None

    def as_json(self) -> dict[str, Any]:
        """Return ``{"window": {"value", "low", "high"}, "clip": {...}}`` as report.json has it."""
        return {name: interval and asdict(interval) for name, interval in self._intervals()}

    def _intervals(self) -> tuple[tuple[str, Interval | None], ...]:
        return ("window", self.window), ("clip", self.clip)


def evaluate(
    clip_labels: ArrayLike,
    window_scores: ArrayLike,
    clip_index: ArrayLike,
    rounds: int = 1000,
    seed: int = SEED,
) -> Auc:
    """Return the AUC of windows and of clips.

    ``clip_labels`` [clips]: true where abnormal; ``window_scores`` [windows]: higher is more
    abnormal; ``clip_index`` [windows]: the clip each window belongs to. Windows of a clip are not
    independent, so the bootstrap draws clips for both.
    """
    labels, index = np.asarray(clip_labels, bool), np.asarray(clip_index, np.int64)
    if labels.all() or not labels.any():
        return Auc(None, None, None)
    scores = clip_scores(window_scores, index, len(labels))
    window = bootstrap_auc(labels[index], window_scores, index, rounds=rounds, seed=seed)
    clip = bootstrap_auc(labels, scores, rounds=rounds, seed=seed)
    return Auc(window, clip, pauc(labels, scores))


def mse_scores(x: ArrayLike, y: ArrayLike) -> Floats:
    """Return the mean squared error of each window: [n, ...] and [n, ...] to [n]."""
    difference = np.asarray(x, np.float64) - np.asarray(y, np.float64)
    return np.asarray(np.mean(np.square(difference).reshape(len(difference), -1), axis=1))


def clip_scores(
    window_scores: ArrayLike, clip_index: ArrayLike, clips: int | None = None
) -> Floats:
    """Return the mean score of each clip's windows; ``clip_index`` names a clip per window.

    Raise DataError for a clip without windows.
    """
    index = np.asarray(clip_index, np.int64)
    counts = np.bincount(index, minlength=clips or 0)
    if not counts.all():
        raise DataError(f"clip {int(np.argmin(counts))} has no window to score: it is too short")
    sums = np.bincount(index, np.asarray(window_scores, np.float64), minlength=clips or 0)
    return np.asarray(sums / counts)


def auc(labels: ArrayLike, scores: ArrayLike) -> float | None:
    """Return the area under the ROC curve: the chance that an abnormal scores above a normal.

    Ties count half. None if all ``labels`` (true = abnormal) are alike.
    """
    truth, ranks = _checked(labels, scores)
    if truth.all() or not truth.any():
        return None
    weights = np.ones((1, len(truth)))
    return float(_weighted_auc(truth, ranks, weights)[0])


def pauc(labels: ArrayLike, scores: ArrayLike, max_fpr: float = 0.1) -> float | None:
    """Return the area up to the false-positive rate ``max_fpr``, rescaled so that chance is 0.5.

    McClish's standardisation, as ``sklearn.metrics.roc_auc_score(max_fpr=...)`` and DCASE use it.
    None if all ``labels`` are alike.
    """
    truth, ranks = _checked(labels, scores)
    if truth.all() or not truth.any():
        return None
    false_rate, true_rate = _roc(truth, ranks)
    stop = int(np.searchsorted(false_rate, max_fpr, side="right"))
    end = np.interp(max_fpr, false_rate[stop - 1 : stop + 1], true_rate[stop - 1 : stop + 1])
    x, y = np.append(false_rate[:stop], max_fpr), np.append(true_rate[:stop], end)
    area = float(np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2))
    chance = max_fpr**2 / 2
    return 0.5 * (1 + (area - chance) / (max_fpr - chance))


def bootstrap_auc(
    labels: ArrayLike,
    scores: ArrayLike,
    groups: ArrayLike | None = None,
    rounds: int = 1000,
    seed: int = SEED,
) -> Interval | None:
    """Return the AUC with its 95 % percentile-bootstrap interval, or None if labels are alike.

    ``groups`` [n] names what is drawn together (the clip of each window), by default each sample
    for itself. Abnormal and normal groups are drawn separately, so no round lacks either.
    """
    truth, ranks = _checked(labels, scores)
    value = auc(truth, ranks)
    if value is None:
        return None
    names = np.arange(len(truth)) if groups is None else np.asarray(groups)
    _, first, group = np.unique(names, return_index=True, return_inverse=True)
    counts = _draws(truth[first], rounds, np.random.default_rng(seed))
    values = _weighted_auc(truth, ranks, counts[:, group])
    low, high = np.percentile(values, [2.5, 97.5])
    return Interval(value, float(low), float(high))


def _draws(truth: NDArray[np.bool_], rounds: int, random: np.random.Generator) -> Floats:
    """Return how often each group is drawn, [rounds, groups], each class with replacement."""
    counts = np.zeros((rounds, len(truth)))
    for label in (False, True):
        members = np.flatnonzero(truth == label)
        even = np.full(len(members), 1 / len(members))
        counts[:, members] = random.multinomial(len(members), even, rounds)
    return counts


def _weighted_auc(truth: NDArray[np.bool_], ranks: Ints, weights: Floats) -> Floats:
    """Return the AUC for each row of sample ``weights`` [rounds, n]; ``ranks`` are dense from 0."""
    order = np.argsort(ranks, kind="stable")
    starts = np.searchsorted(ranks[order], np.arange(ranks.max() + 1))
    ordered = weights[:, order]
    abnormal = np.add.reduceat(ordered * truth[order], starts, axis=1)
    normal = np.add.reduceat(ordered * ~truth[order], starts, axis=1)
    normal_at_or_below = np.cumsum(normal, axis=1)
    wins = np.sum(abnormal * (normal_at_or_below - normal / 2), axis=1)
    return np.asarray(wins / (abnormal.sum(axis=1) * normal_at_or_below[:, -1]))


def _roc(truth: NDArray[np.bool_], ranks: Ints) -> tuple[Floats, Floats]:
    """Return false- and true-positive rates for every threshold, from (0, 0) to (1, 1)."""
    size = int(ranks.max()) + 1
    hits = np.bincount(ranks[truth], minlength=size)[::-1].cumsum()
    alarms = np.bincount(ranks[~truth], minlength=size)[::-1].cumsum()
    return np.append(0, alarms / alarms[-1]), np.append(0, hits / hits[-1])


def _checked(labels: ArrayLike, scores: ArrayLike) -> tuple[NDArray[np.bool_], Ints]:
    """Return labels as booleans and the scores' dense ranks; refuse what has no rank."""
    truth, values = np.asarray(labels, bool), np.asarray(scores, np.float64)
    if truth.ndim != 1 or truth.shape != values.shape or not len(truth):
        raise DataError(
            f"AUC needs one label per score, got {truth.shape} labels and {values.shape} scores"
        )
    if not np.isfinite(values).all():
        raise DataError("scores contain NaN or infinite values")
    return truth, np.unique(values, return_inverse=True)[1].astype(np.int64)
