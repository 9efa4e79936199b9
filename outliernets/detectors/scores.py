"""From what is left of a window, the residual, to one number: how abnormal it is.

A residual is what a network did not reproduce, [n, rows, bands] with its sign; without a network it
is the window itself. The sign matters: fluctuations in time cancel in a mean over time, a change of
a band's level does not.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from outliernets.detectors.base import Floats, Ints
from outliernets.detectors.normal import Normal
from outliernets.detectors.views import Windows
from outliernets.errors import ConfigError, near_miss

BANDS = 64  #: of a band residual: neighbouring bands are averaged


class Score(ABC):
    """A score that is ready: ``params`` and ``macs`` are what it adds to a detector's."""

    params: int = 0
    macs: int = 0

    @abstractmethod
    def of(self, residual: Windows, clips: Ints) -> Floats:
        """Return the score of each residual; ``clips`` [n] as in ``Fitted.scores``."""


class ScoreKind(ABC):
    """A score by name; some learn from the residuals of normal sound."""

    @property
    @abstractmethod
    def summary(self) -> str:
        """What it is, in a few words."""

    @abstractmethod
    def fit(self, residual: Windows) -> Score:
        """Return the score; ``residual`` is of the training windows."""


@dataclass(frozen=True)
class Mse(ScoreKind, Score):
    """The mean of squares: what the paper uses."""

    @property
    def summary(self) -> str:
        """See ScoreKind."""
        return "mean square"

    def fit(self, residual: Windows) -> Score:
        """See ScoreKind."""
        return self

    def of(self, residual: Windows, clips: Ints) -> Floats:
        """See Score."""
        values = residual.reshape(len(residual), -1).astype(np.float64)
        return np.asarray(np.mean(values**2, axis=1))


@dataclass(frozen=True)
class BandResidual(ScoreKind, Score):
    """The mean over bands of b^2, where b is a band's residual averaged over the window."""

    bands: int = BANDS

    @property
    def summary(self) -> str:
        """See ScoreKind."""
        return f"squares of {self.bands} band residuals"

    def fit(self, residual: Windows) -> Score:
        """See ScoreKind."""
        return self

    def of(self, residual: Windows, clips: Ints) -> Floats:
        """See Score."""
        return np.asarray(np.mean(band_residual(residual, self.bands) ** 2, axis=1))


@dataclass(frozen=True)
class RunningResidual(ScoreKind, Score):
    """As BandResidual, with b averaged over the clip so far, later exponentially."""

    bands: int = BANDS
    rate: float = 1 / 16  #: share of a new window once 1 / rate windows have been heard

    @property
    def summary(self) -> str:
        """See ScoreKind."""
        return f"squares of {self.bands} band residuals, running mean"

    def fit(self, residual: Windows) -> Score:
        """See ScoreKind."""
        return self

    def of(self, residual: Windows, clips: Ints) -> Floats:
        """See Score."""
        b = running_mean(band_residual(residual, self.bands), clips, self.rate)
        return np.asarray(np.mean(b**2, axis=1))


@dataclass(frozen=True)
class Mahalanobis(ScoreKind):
    """The squared distance of b, pooled to ``bands``, from its normal distribution."""

    bands: int = 32

    @property
    def summary(self) -> str:
        """See ScoreKind."""
        return f"Mahalanobis distance of {self.bands} band residuals"

    def fit(self, residual: Windows) -> Score:
        """See ScoreKind."""
        return _FittedMahalanobis(self.bands, Normal.fit(band_residual(residual, self.bands)))


class _FittedMahalanobis(Score):
    def __init__(self, bands: int, normal: Normal) -> None:
        self._bands, self._normal = bands, normal
        self.params, self.macs = normal.params, normal.macs

    def of(self, residual: Windows, clips: Ints) -> Floats:
        return self._normal.distance(band_residual(residual, self._bands))


SCORES: dict[str, ScoreKind] = {
    "mse": Mse(),
    "bands": BandResidual(),
    "running": RunningResidual(),
    "mahalanobis": Mahalanobis(),
}


def score(name: str) -> ScoreKind:
    """Return a score by name; raise ConfigError for one that does not exist."""
    if name not in SCORES:
        raise ConfigError(f"unknown score '{name}'; {near_miss(name, SCORES)}")
    return SCORES[name]


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
