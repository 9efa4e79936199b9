"""A normal distribution of what a window's bands do: their means and deviations over time."""

from dataclasses import dataclass

from outliernets.detectors.base import Detector, Fitted, Floats, Ints, Progress
from outliernets.detectors.normal import Normal
from outliernets.detectors.views import STATISTICS, described, vectors
from outliernets.view import ViewSpec, Windows


@dataclass(frozen=True)
class Gaussian(Detector):
    """The squared Mahalanobis distance of a view; 128 bands x (mean, deviation): 256 numbers."""

    view: ViewSpec = STATISTICS

    @property
    def summary(self) -> str:
        """See Detector."""
        return f"normal distribution of {described(self.view)}, Ledoit-Wolf shrinkage"

    def fit(
        self,
        train: Windows,
        held_out: Windows,
        seed: int,
        progress: Progress | None = None,
    ) -> Fitted:
        """See Detector."""
        return _FittedGaussian(self.view, Normal.fit(vectors(self.view, train)))


class _FittedGaussian(Fitted):
    def __init__(self, view: ViewSpec, normal: Normal) -> None:
        self._view, self._normal = view, normal
        self.params, self.macs = normal.params, normal.macs

    def scores(self, windows: Windows, clips: Ints) -> Floats:
        return self._normal.distance(vectors(self._view, windows))
