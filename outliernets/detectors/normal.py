"""A normal distribution of vectors, and how far from it a vector is."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from outliernets.detectors.base import Floats
from outliernets.errors import DataError

MIN_DEVIATION = 1e-3  #: a number that hardly varies must not outweigh all others


@dataclass(frozen=True, eq=False)
class Normal:
    """Mean and inverse covariance, and the ``shrinkage`` (0 ... 1) the covariance was given."""

    mean: Floats  #: [d]
    precision: Floats  #: [d, d]
    shrinkage: float

    @classmethod
    def fit(cls, x: Floats) -> Self:
        """Fit to the rows of ``x`` [n, d], n >= 2.

        Each column is brought to deviation 1, then the correlations are shrunk to zero as far as
        Ledoit and Wolf's formula says (``ledoit_wolf``): so it works with fewer rows than columns.
        """
        if len(x) < 2:
            raise DataError(f"a covariance needs at least 2 windows, got {len(x)}")
        mean, deviation = x.mean(axis=0), np.maximum(x.std(axis=0), MIN_DEVIATION)
        covariance, shrinkage = ledoit_wolf((x - mean) / deviation)
        inverse = np.linalg.inv(covariance) / np.outer(deviation, deviation)
        return cls(mean, inverse, shrinkage)

    @property
    def params(self) -> int:
        """Numbers a device keeps: the mean and one half of the symmetric precision."""
        return len(self.mean) + self.macs

    @property
    def macs(self) -> int:
        """Products with the precision, each pair once."""
        return len(self.mean) * (len(self.mean) + 1) // 2

    def distance(self, x: Floats) -> Floats:
        """Return the squared Mahalanobis distance of each row of ``x`` [n, d]."""
        apart = x - self.mean
        return np.asarray(np.sum(apart @ self.precision * apart, axis=1))


def ledoit_wolf(x: Floats) -> tuple[Floats, float]:
    """Return (covariance, shrinkage) of the centred rows of ``x`` [n, d].

    The sample covariance S is mixed with m I, m its mean variance, so that the expected squared
    error is least: (1 - s) S + s m I with s = min(b, d) / d, where d = |S - m I|^2 and
    b = sum |x_i x_i^T - S|^2 / n^2 (Ledoit and Wolf, A well-conditioned estimator for
    large-dimensional covariance matrices, 2004). A covariance of zero becomes the identity.
    """
    n, size = x.shape
    sample = x.T @ x / n
    mean = float(np.trace(sample)) / size
    if mean <= 0:
        return np.eye(size), 1.0
    apart = float(np.sum((sample - mean * np.eye(size)) ** 2))
    fourth = float(np.sum(np.sum(x**2, axis=1) ** 2))
    noise = (fourth / n - float(np.sum(sample**2))) / n
    shrinkage = min(max(noise / apart, 0.0), 1.0) if apart > 0 else 1.0
    return (1 - shrinkage) * sample + shrinkage * mean * np.eye(size), shrinkage
