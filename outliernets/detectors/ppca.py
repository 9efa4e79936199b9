"""Probabilistic principal components: a few directions in which normal sound varies, and noise."""

from dataclasses import dataclass

import numpy as np

from outliernets.detectors.base import Detector, Fitted, Floats, Ints, Progress
from outliernets.detectors.views import MEANS, described, vectors
from outliernets.errors import DataError
from outliernets.view import ViewSpec, Windows

MIN_NOISE = 1e-6  #: variance, of standardised values


@dataclass(frozen=True)
class Ppca(Detector):
    """The squared Mahalanobis distance under C = W W' + s^2 I with ``factors`` columns in W.

    Maximum likelihood (Tipping and Bishop, Probabilistic principal component analysis, 1999): the
    columns of W are the largest eigenvectors u_i of the covariance, s^2 the mean of the other
    eigenvalues. Then d = (|x|^2 - sum_i (1 - s^2 / l_i) (u_i' x)^2) / s^2, x from the mean.
    """

    factors: int = 4
    view: ViewSpec = MEANS

    @property
    def summary(self) -> str:
        """See Detector."""
        return f"PPCA with {self.factors} factors of {described(self.view)}"

    def fit(
        self,
        train: Windows,
        held_out: Windows,
        seed: int,
        progress: Progress | None = None,
    ) -> Fitted:
        """See Detector."""
        x = vectors(self.view, train)
        if len(x) <= self.factors:
            raise DataError(
                f"{self.name} needs more than {self.factors} windows to learn from, got {len(x)}"
            )
        mean = x.mean(axis=0)
        values, axes = np.linalg.eigh(np.cov(x, rowvar=False, bias=True))
        noise = max(float(values[: -self.factors].mean()), MIN_NOISE)
        explained = np.maximum(values[-self.factors :], noise)
        return _FittedPpca(self.view, mean, axes[:, -self.factors :], explained, noise)


class _FittedPpca(Fitted):
    def __init__(
        self, view: ViewSpec, mean: Floats, directions: Floats, explained: Floats, noise: float
    ) -> None:
        self._view, self._mean, self._noise = view, mean, noise
        # The noise scales all scores alike; 1 - noise / explained goes into the directions.
        self._directions = directions * np.sqrt(1 - noise / explained)
        self.params = self._mean.size + self._directions.size
        self.macs = self._directions.size

    def scores(self, windows: Windows, clips: Ints) -> Floats:
        apart = vectors(self._view, windows) - self._mean
        along = apart @ self._directions
        squares = np.sum(apart**2, axis=1) - np.sum(along**2, axis=1)
        return np.asarray(squares / self._noise)
