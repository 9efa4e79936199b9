"""Solves a linear autoencoder: what it leaves of a window is how unlikely the window is.

The directions in which normal sound varies most are kept, shrunk so that the square of what is left
is the Mahalanobis distance of probabilistic principal components (Tipping and Bishop,
Probabilistic principal component analysis, J. R. Stat. Soc. B 61, 1999) times the noise: with
eigenvalues l_i of the covariance, their directions u_i and the mean s^2 of the eigenvalues that are
not kept, ``y = m + sum_i (1 - s / sqrt(l_i)) u_i u_i' (x - m)``.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outliernets.errors import DataError
from outliernets.nets.build import build
from outliernets.nets.families import LINEAR, NONE
from outliernets.nets.space import ArchSpec
from outliernets.train.fit import refuse_unusable
from outliernets.train.quiet import tensorflow

MIN_NOISE = 1e-6  #: variance
Matrix = NDArray[np.float64]


def is_solved(spec: ArchSpec) -> bool:
    """Whether the network has a solution, so that nothing is left to chance."""
    return spec.family in (LINEAR, NONE)


@dataclass(frozen=True, eq=False)
class Solution:
    """``y = mean + (x - mean) half half'``."""

    mean: NDArray[np.float64]  #: [bands]
    half: NDArray[np.float64]  #: [bands, factors]: directions, with half of their shrinkage

    def residual(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return x - y of views [n, 1, bands], same shape."""
        apart = x[:, 0] - self.mean
        left: NDArray[np.float32] = (apart - apart @ self.half @ self.half.T).astype(np.float32)
        return left[:, None]

    def shares(self, x: NDArray[np.float32]) -> tuple[Matrix, Matrix]:
        """Return the matrices of both layers, [bands, factors] and [factors, bands], for int8.

        All factors share one int8 step. Dividing each by the root of its size puts half of the
        difference between them there, and half into the weights, where it costs as much: what
        int8 adds to the scores of the recordings in docs/results/int8.md is a third less.
        """
        size = np.sqrt(((x[:, 0] - self.mean) @ self.half).std(axis=0) + MIN_NOISE)
        even = size / size.mean()
        return self.half / even, (self.half * even).T


def solution(spec: ArchSpec, x: NDArray[np.float32]) -> Solution:
    """Solve a linear ``spec`` for training views ``x`` [n, 1, bands].

    Raise DataError for fewer windows than it has factors, and for values that are not finite.
    """
    bands, factors = spec.widths
    values = x.reshape(len(x), bands).astype(np.float64)
    if len(values) <= factors:
        raise DataError(
            f"{spec.name} needs more than {factors} windows to learn from, got {len(values)}"
        )
    if not np.isfinite(values).all():
        raise DataError("training windows contain NaN or infinite values")
    mean = values.mean(axis=0)
    eigenvalues, axes = np.linalg.eigh(np.cov(values, rowvar=False, bias=True))
    noise = max(float(eigenvalues[:-factors].mean()), MIN_NOISE)
    kept, directions = np.maximum(eigenvalues[-factors:], noise), axes[:, -factors:]
    half = directions * np.sqrt(1 - np.sqrt(noise / kept))
    # The sign of a direction is a matter of the solver: make its largest number positive.
    half *= np.where(half[np.abs(half).argmax(axis=0), np.arange(factors)] < 0, -1, 1)
    return Solution(mean, half)


def solve(spec: ArchSpec, x: NDArray[np.float32]) -> Any:
    """Return the Keras model of ``solution(spec, x)``; what ``build`` says where there is no layer.

    Raise DataError for what cannot be learned from.
    """
    if spec.family == NONE:
        refuse_unusable(spec, x, "training")
        return build(spec)
    found = solution(spec, x)
    tensorflow()  # quietly, before Keras imports it
    model = build(spec)
    down, up = found.shares(x)
    model.get_layer("factors").set_weights([down, -found.mean @ down])
    model.get_layer("out").set_weights([up, found.mean])
    return model
