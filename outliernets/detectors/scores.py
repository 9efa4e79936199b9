"""From what is left of a window, the residual, to one number: how abnormal it is.

A residual is what a network did not reproduce, [n, rows, bands] with its sign; without a network it
is the window itself. The sign matters: fluctuations in time cancel in a mean over time, a change of
a band's level does not. ``ScoreSpec`` says which score; here it is computed in floats.
"""

from dataclasses import dataclass

import numpy as np

from outliernets.detectors.base import Floats, Ints
from outliernets.detectors.normal import Normal
from outliernets.errors import ConfigError, near_miss
from outliernets.score import ScoreSpec
from outliernets.view import Windows

SCORES = {
    "mse": ScoreSpec("mse"),
    "peak": ScoreSpec("peak"),
    "bands": ScoreSpec("bands", bands=64),
    "running": ScoreSpec("bands", bands=64, memory=16),
    "mahalanobis": ScoreSpec("mahalanobis", bands=32),
}  #: by the name that ``+NAME`` chooses


@dataclass(frozen=True, eq=False)
class Score:
    """A score that is ready; ``normal`` is what a Mahalanobis distance learned."""

    spec: ScoreSpec
    normal: Normal | None = None

    @classmethod
    def fit(cls, spec: ScoreSpec, residual: Windows) -> "Score":
        """Return the score; ``residual`` is of the training windows."""
        if spec.kind != "mahalanobis":
            return cls(spec)
        return cls(spec, Normal.fit(band_residual(residual, spec.bands)))

    @property
    def params(self) -> int:
        """Learned numbers it adds to a detector's."""
        return self.normal.params if self.normal else 0

    @property
    def macs(self) -> int:
        """Products with them."""
        return self.normal.macs if self.normal else 0

    def of(self, residual: Windows, clips: Ints) -> Floats:
        """Return the score of each residual; ``clips`` [n] as in ``Fitted.scores``."""
        if not self.spec.is_banded:
            rows = np.mean(residual.astype(np.float64) ** 2, axis=2)
            return np.asarray(rows.max(axis=1) if self.spec.kind == "peak" else rows.mean(axis=1))
        b = band_residual(residual, self.spec.bands)
        if self.spec.memory > 1:
            b = running_mean(b, clips, 1 / self.spec.memory)
        return np.asarray(np.mean(b**2, axis=1)) if self.normal is None else self.normal.distance(b)


def score(name: str) -> ScoreSpec:
    """Return a score by name; raise ConfigError for one that does not exist."""
    if name not in SCORES:
        raise ConfigError(f"unknown score '{name}'; {near_miss(name, SCORES)}")
    return SCORES[name]


def summary(spec: ScoreSpec) -> str:
    """Return what a score is, in a few words."""
    if not spec.is_banded:
        return "largest mean square of a frame" if spec.kind == "peak" else "mean square"
    kind = "squares" if spec.kind == "bands" else "Mahalanobis distance"
    mean = f", mean of {spec.memory} windows" if spec.memory > 1 else ""
    return f"{kind} of {spec.bands} band residuals{mean}"


def band_residual(residual: Windows, bands: int) -> Floats:
    """Return the mean over time of each band, neighbours averaged so that ``bands`` remain."""
    means = residual.mean(axis=1, dtype=np.float64)
    return np.asarray(means.reshape(len(means), bands, -1).mean(axis=2))


def running_mean(values: Floats, clips: Ints, rate: float) -> Floats:
    """Return the running mean of ``values`` [n, d] within each clip.

    The k-th window of a clip (from 0) has weight max(1 / (k + 1), rate): a plain mean at first,
    then an exponential one. ``clips`` [n] names the clips; each one's windows are neighbours.
    """
    begins = np.flatnonzero(np.diff(clips, prepend=clips[:1] - 1))
    position = np.arange(len(clips)) - np.repeat(begins, np.diff(begins, append=len(clips)))
    means = np.array(values, np.float64)
    for k in range(1, int(position.max(initial=0)) + 1):
        now = np.flatnonzero(position == k)
        before = means[now - 1]
        means[now] = before + max(1 / (k + 1), rate) * (values[now] - before)
    return means
