"""How well scores tell abnormal from normal sound: AUC, partial AUC and their uncertainty.

Clips are drawn, with replacement, not windows: those of one clip sound alike. The draws depend on
the labels alone, so all detectors of a task are judged on the same drawn clips, and the difference
of two of them is free of what makes a draw easy or hard for both (the paired bootstrap; Efron and
Tibshirani, An Introduction to the Bootstrap, 1993, chapters 8 and 13).
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from outliernets.config import SEED
from outliernets.errors import DataError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
MAX_FPR = 0.1  #: up to which false-positive rate pAUC looks, as DCASE does
EXACT = 12  #: decimals of an area that are not rounding
CHUNK = 2**20  #: weights in memory at a time


@dataclass(frozen=True)
class Interval:
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Sample:
    """One figure of a detector, measured on the test clips and again on every draw of them."""

    measured: Floats  #: [seeds]
    drawn: Floats  #: [seeds, rounds]


@dataclass(frozen=True)
class Difference:
    """By how much A's figure exceeds B's, its 95 % interval, and on which share of the draws."""

    value: float
    low: float
    high: float
    share: float  #: of draws in which A is ahead; those that are even count half

    @property
    def decided(self) -> bool:
        """Whether the interval leaves no doubt (95 %) who is ahead."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class Judged:
    """AUC and pAUC(0.1) of a detector, per window and per clip."""

    window: Sample
    clip: Sample
    window_pauc: Sample
    clip_pauc: Sample


class Bootstrap:
    """Judges detectors on the same test clips, and on the same draws of them."""

    def __init__(
        self,
        clip_labels: ArrayLike,
        clip_index: ArrayLike,
        rounds: int = 1000,
        seed: int = SEED,
    ) -> None:
        """Draw ``rounds`` times from the clips; normal and abnormal clips are drawn separately.

        ``clip_labels`` [clips]: true where abnormal; ``clip_index`` [windows]: each window's clip.
        Raise DataError unless there are clips of both kinds.
        """
        self._truth = np.asarray(clip_labels, bool)
        self._index = np.asarray(clip_index, np.int64)
        if self._truth.all() or not self._truth.any():
            raise DataError("AUC needs normal and abnormal clips; the test has only one kind")
        self._weights = _draws(self._truth, rounds, np.random.default_rng(seed))

    def judge(self, window_scores: ArrayLike) -> Judged:
        """Return all figures of ``window_scores`` [windows], or [seeds, windows] of one detector.

        A clip's score is the mean of its windows.
        """
        clips = len(self._truth)
        per_window, per_clip = [], []
        for scores in np.atleast_2d(np.asarray(window_scores, np.float64)):
            means = clip_scores(scores, self._index, clips)
            per_window.append(self._areas(self._truth[self._index], scores, self._index))
            per_clip.append(self._areas(self._truth, means, np.arange(clips)))
        window, window_pauc = _samples(per_window)
        clip, clip_pauc = _samples(per_clip)
        return Judged(window, clip, window_pauc, clip_pauc)

    def _areas(self, truth: NDArray[np.bool_], scores: Floats, groups: Ints) -> list[Floats]:
        """Return AUC and pAUC(0.1), each on the clips as they are and then on every draw."""
        truth, ranks = _checked(truth, scores)
        return _drawn_areas(truth, ranks, self._weights, groups, (1.0, MAX_FPR))


def _samples(per_seed: list[list[Floats]]) -> tuple[Sample, ...]:
    """Return one Sample per figure from [seeds][figures] of [1 + rounds]."""
    figures = (np.stack(values) for values in zip(*per_seed, strict=True))
    return tuple(Sample(values[:, 0], values[:, 1:]) for values in figures)


def interval(sample: Sample, seed: int = SEED) -> Interval:
    """Return the mean over seeds and its 95 % interval over clips and seeds.

    Each round takes one draw of clips, the same for all seeds, and draws as many seeds as there
    are, with replacement: the percentiles of the means say what other clips *and* other seeds
    might have given. With one seed (a detector without chance) only clips are drawn.
    """
    means = _means_of_drawn_seeds(sample, np.random.default_rng(seed))
    low, high = np.percentile(means, [2.5, 97.5])
    return Interval(float(sample.measured.mean()), float(low), float(high))


def difference(a: Sample, b: Sample, seed: int = SEED) -> Difference:
    """Return how far ``a`` is ahead of ``b``, judged by one Bootstrap: its draws are paired.

    Both see the same clips in every round; their seeds are drawn independently, for a seed of one
    detector has nothing to do with that of another.
    """
    if a.drawn.shape[1] != b.drawn.shape[1]:
        raise ValueError("samples of different bootstraps cannot be paired")
    random = np.random.default_rng(seed)
    apart = _means_of_drawn_seeds(a, random) - _means_of_drawn_seeds(b, random)
    apart = np.round(apart, EXACT) + 0.0  # perfect detectors are even, whatever their last bits say
    low, high = np.percentile(apart, [2.5, 97.5])
    share = np.mean(apart > 0) + np.mean(apart == 0) / 2
    value = a.measured.mean() - b.measured.mean()
    return Difference(float(value), float(low), float(high), float(share))


def _means_of_drawn_seeds(sample: Sample, random: np.random.Generator) -> Floats:
    seeds, rounds = sample.drawn.shape
    counts = random.multinomial(seeds, np.full(seeds, 1 / seeds), rounds)
    return np.asarray(np.sum(counts * sample.drawn.T, axis=1) / seeds)


@dataclass(frozen=True)
class Auc:
    """AUC per window and per clip, and the clips' pAUC(0.1); None without both kinds of clips."""

    window: Interval | None
    clip: Interval | None
    clip_pauc: float | None

    def as_json(self) -> dict[str, Any]:
        """Return ``{"window": {"value", "low", "high"}, "clip": {...}}`` as report.json has it."""
        return {name: found and asdict(found) for name, found in self._intervals()}

    def _intervals(self) -> tuple[tuple[str, Interval | None], ...]:
        return ("window", self.window), ("clip", self.clip)


def evaluate(
    clip_labels: ArrayLike,
    window_scores: ArrayLike,
    clip_index: ArrayLike,
    rounds: int = 1000,
    seed: int = SEED,
) -> Auc:
    """Return the AUC of one detector's windows and clips, as a build reports it.

    ``clip_labels`` [clips]: true where abnormal; ``window_scores`` [windows]: higher is more
    abnormal; ``clip_index`` [windows]: the clip each window belongs to.
    """
    labels = np.asarray(clip_labels, bool)
    if labels.all() or not labels.any():
        return Auc(None, None, None)
    judged = Bootstrap(labels, clip_index, rounds, seed).judge(window_scores)
    pauc_of_clips = float(judged.clip_pauc.measured[0])
    return Auc(interval(judged.window), interval(judged.clip), pauc_of_clips)


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
    return pauc(labels, scores, max_fpr=1.0)


def pauc(labels: ArrayLike, scores: ArrayLike, max_fpr: float = MAX_FPR) -> float | None:
    """Return the area up to the false-positive rate ``max_fpr``, rescaled so that chance is 0.5.

    McClish's standardisation, as ``sklearn.metrics.roc_auc_score(max_fpr=...)`` and DCASE use it.
    None if all ``labels`` are alike.
    """
    truth, ranks = _checked(labels, scores)
    if truth.all() or not truth.any():
        return None
    return float(_areas(truth, ranks, np.ones((1, len(truth))), (max_fpr,))[0][0])


def _draws(truth: NDArray[np.bool_], rounds: int, random: np.random.Generator) -> Floats:
    """Return how often each clip is drawn, [rounds, clips], each class with replacement."""
    counts = np.zeros((rounds, len(truth)))
    for label in (False, True):
        members = np.flatnonzero(truth == label)
        even = np.full(len(members), 1 / len(members))
        counts[:, members] = random.multinomial(len(members), even, rounds)
    return counts


def _drawn_areas(
    truth: NDArray[np.bool_],
    ranks: Ints,
    weights: Floats,
    groups: Ints,
    limits: Sequence[float],
) -> list[Floats]:
    """Return the areas of all samples, then of each round: [1 + rounds] for each of ``limits``.

    ``weights`` [rounds, clips] says how often a clip counts, ``groups`` [n] whose a sample is.
    """
    rounds = np.concatenate([np.ones((1, weights.shape[1])), weights])
    step = max(1, CHUNK // len(truth))
    chunks = [
        _areas(truth, ranks, rounds[i : i + step, groups], limits)
        for i in range(0, len(rounds), step)
    ]
    return [np.concatenate(parts) for parts in zip(*chunks, strict=True)]


def _areas(
    truth: NDArray[np.bool_], ranks: Ints, weights: Floats, limits: Sequence[float]
) -> list[Floats]:
    """Return, per limit of the false-positive rate, the standardised area for each row of weights.

    ``weights`` [rounds, n] says how often a sample counts; ``ranks`` are dense from 0.
    """
    order = np.argsort(-ranks, kind="stable")
    starts = np.flatnonzero(np.diff(ranks[order], prepend=-1))
    ordered = weights[:, order]
    true_rate = _rate(np.add.reduceat(ordered * truth[order], starts, axis=1))
    false_rate = _rate(np.add.reduceat(ordered * ~truth[order], starts, axis=1))
    return [_area(false_rate, true_rate, limit) for limit in limits]


def _rate(counts: Floats) -> Floats:
    """Return the share that is at or above each threshold; ``counts`` begin with the highest."""
    sums = np.cumsum(counts, axis=1)
    return np.asarray(sums / sums[:, -1:])


def _area(false_rate: Floats, true_rate: Floats, max_fpr: float) -> Floats:
    """Return the area below the ROC curve up to ``max_fpr``, chance brought to 0.5 (McClish).

    The rates [rounds, thresholds] rise from the highest threshold to the lowest.
    """
    width, rise = np.diff(false_rate, prepend=0.0), np.diff(true_rate, prepend=0.0)
    within = np.clip(max_fpr - (false_rate - width), 0.0, width)
    share = within / np.where(width > 0, width, 1.0)
    area = np.sum(within * (true_rate - rise + rise * share / 2), axis=1)
    chance = max_fpr**2 / 2
    return np.asarray(0.5 * (1 + (area - chance) / (max_fpr - chance)))


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
