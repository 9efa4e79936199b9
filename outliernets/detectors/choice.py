"""Chooses a detector for a machine by its normal sound alone: no fault of it is ever looked at.

Candidates learn from a part of the normal windows and are judged on the rest, as it is and with
made-up faults in it: bands that are louder or softer, a tone, recurring knocks, a level that
flutters, a pitch that is off. The one that tells these apart best on average is chosen, the first
candidate unless another is clearly ahead. That such faults are like real ones is an assumption.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from outliernets import evaluate
from outliernets.detectors.base import Ints
from outliernets.detectors.scores import Score
from outliernets.detectors.spec import DetectorSpec
from outliernets.evenly import evenly
from outliernets.train import principal
from outliernets.view import Windows

FOLDS = 3  #: parts of the normal windows; each is judged once by what the others taught
SEGMENT = 8  #: windows that follow one another and get one made-up fault
REPEATS = 3  #: faults of each kind per segment
MARGIN = 0.02  #: by which another must be ahead of the first: made-up faults are no real ones
MIN_SEGMENTS = 4  #: in all; with less sound the first candidate is taken
MAX_SEGMENTS = 240  #: that are looked at, half an hour; evenly chosen where there are more

Fault = Callable[[Windows, np.random.Generator], None]  #: changes windows in place


@dataclass(frozen=True)
class Choice:
    """The chosen detector, and how well each candidate told made-up faults from normal sound."""

    spec: DetectorSpec
    proxy_auc: dict[str, float]  #: by name; empty if there was too little sound to choose by


def choose(
    candidates: Sequence[DetectorSpec], normal: Sequence[Windows], clip_sigma: float, seed: int
) -> Choice:
    """Return the best of ``candidates``, whose networks are solved, for ``normal`` sound.

    The first one is the usual choice: others have to be ahead of it by MARGIN.

    ``normal``: windows [n, 32, 128] in the order they were heard. Same arguments, same choice.
    """
    windows = np.concatenate([_segments(part) for part in normal])
    segments = np.arange(len(windows)) // SEGMENT
    if segments.max(initial=-1) + 1 < MIN_SEGMENTS:
        return Choice(candidates[0], {})
    folds = segments * FOLDS // (segments[-1] + 1)
    areas: dict[str, list[float]] = {spec.name: [] for spec in candidates}
    for fold in range(FOLDS):
        held = folds == fold
        judged, clips = np.asarray(windows[held]), segments[held] - segments[held][0]
        faulty = [
            with_fault(judged, clips, kind, clip_sigma, np.random.default_rng([seed, fold, i, k]))
            for i, kind in enumerate(FAULTS)
            for k in range(REPEATS)
        ]
        for spec in candidates:
            areas[spec.name] += _areas(spec, windows[~held], judged, faulty, clips, clip_sigma)
    means = {name: float(np.mean(found)) for name, found in areas.items()}
    best = max(candidates, key=lambda spec: means[spec.name])
    first = candidates[0]
    return Choice(best if means[best.name] > means[first.name] + MARGIN else first, means)


def _segments(windows: Windows) -> Windows:
    """Return whole segments of ``windows``, at most MAX_SEGMENTS."""
    count = len(windows) // SEGMENT
    chosen = np.array(evenly(count, MAX_SEGMENTS), np.int64)
    places = (chosen[:, None] * SEGMENT + np.arange(SEGMENT)).reshape(-1)
    return np.asarray(windows[places])


def _areas(
    spec: DetectorSpec,
    train: Windows,
    normal: Windows,
    faulty: Sequence[Windows],
    clips: Ints,
    clip_sigma: float,
) -> list[float]:
    """Return the AUC of each faulty copy of ``normal`` against it, segment by segment."""
    view = spec.view.fit(train, clip_sigma)
    solved = principal.solution(spec.network, view.apply(train))
    score = Score.fit(spec.score, solved.residual(view.apply(train)))

    def scores(windows: Windows) -> list[float]:
        of_windows = score.of(solved.residual(view.apply(windows)), clips)
        return list(map(float, evaluate.clip_scores(of_windows, clips)))

    quiet = scores(normal)
    truth = [False] * len(quiet) + [True] * len(quiet)
    return [evaluate.auc(truth, quiet + scores(windows)) or 0.5 for windows in faulty]


def with_fault(
    windows: Windows, clips: Ints, fault: Fault, limit: float, random: np.random.Generator
) -> Windows:
    """Return a copy of ``windows`` with one fault in each clip, its size and place drawn anew.

    ``clips`` [n] are numbered from 0; values stay within +- ``limit``.
    """
    changed = np.array(windows)
    for clip in range(int(clips[-1]) + 1):
        part = changed[clips == clip]
        fault(part, random)
        changed[clips == clip] = part
    return np.clip(changed, -limit, limit)


def some_bands(bands: int, random: np.random.Generator) -> slice:
    """Return a sixteenth to a half of all bands, side by side."""
    width = int(random.integers(bands // 16, bands // 2))
    first = int(random.integers(0, bands - width))
    return slice(first, first + width)


def _louder(x: Windows, random: np.random.Generator) -> None:
    x[:, :, some_bands(x.shape[2], random)] += random.uniform(0.3, 0.9)


def _softer(x: Windows, random: np.random.Generator) -> None:
    x[:, :, some_bands(x.shape[2], random)] -= random.uniform(0.3, 0.9)


def _tone(x: Windows, random: np.random.Generator) -> None:
    band = int(random.integers(0, x.shape[2] - 2))
    x[:, :, band : band + 2] += random.uniform(1, 3)


def _knocks(x: Windows, random: np.random.Generator) -> None:
    period = int(random.integers(8, 32))
    times = np.arange(x.shape[0] * x.shape[1]).reshape(x.shape[:2])
    hit = (times + random.integers(0, period)) % period == 0
    x[:, :, some_bands(x.shape[2], random)] += random.uniform(1, 3) * hit[..., None]


def _flutter(x: Windows, random: np.random.Generator) -> None:
    times = np.arange(x.shape[0] * x.shape[1]).reshape(x.shape[:2])
    swing = np.sin(2 * np.pi * times / random.uniform(4, 40))
    x[:, :, some_bands(x.shape[2], random)] += random.uniform(0.3, 1) * swing[..., None]


def _off_pitch(x: Windows, random: np.random.Generator) -> None:
    x[:] = np.roll(x, int(random.choice([-2, -1, 1, 2])), axis=2)


FAULTS: tuple[Fault, ...] = (_louder, _softer, _tone, _knocks, _flutter, _off_pitch)
