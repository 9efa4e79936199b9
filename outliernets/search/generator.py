"""A model of good decisions, from which many more can be drawn."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

DOUBT = 2.0  #: examples of pure chance beside those that are learned from


class Generator:
    """Decisions in order, each drawn given the earlier one that tells most about it.

    A decision is the number of its option. ``tables[i]``: chances [options of the parent (1 row
    without a parent), options of i]. Untaught, all options are as likely.
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        """``sizes``: how many options each decision has."""
        self.parents: list[int | None] = [None] * len(sizes)
        self.tables: list[Floats] = [np.full((1, size), 1 / size) for size in sizes]

    @classmethod
    def taught(cls, sizes: Sequence[int], good: Ints) -> "Generator":
        """Learn from ``good`` decisions [n, decisions]."""
        generator = cls(sizes)
        for i, size in enumerate(sizes):
            pairs = [_pairs(good[:, j], good[:, i], (sizes[j], size)) for j in range(i)]
            told = [_information(p) - (p.shape[0] - 1) * (size - 1) for p in pairs]
            counts = np.bincount(good[:, i], minlength=size)[None, :]
            if told and max(told) > 0:  # more than chance would tell
                generator.parents[i] = int(np.argmax(told))
                counts = pairs[int(np.argmax(told))]
            table = counts + DOUBT / size
            generator.tables[i] = table / table.sum(axis=1, keepdims=True)
        return generator

    def draw(self, count: int, random: np.random.Generator) -> Ints:
        """Return ``count`` proposals [count, decisions]."""
        drawn = np.zeros((count, len(self.tables)), np.int64)
        for i, (parent, table) in enumerate(zip(self.parents, self.tables, strict=True)):
            rows = table[np.zeros(count, np.int64) if parent is None else drawn[:, parent]]
            edges = rows.cumsum(axis=1)[:, :-1]
            drawn[:, i] = (random.random(count)[:, None] > edges).sum(axis=1)
        return drawn

    @property
    def preferences(self) -> list[Floats]:
        """The chance of each option of each decision."""
        found: list[Floats] = []
        for parent, table in zip(self.parents, self.tables, strict=True):
            found.append(table[0] if parent is None else found[parent] @ table)
        return found


def _pairs(a: Ints, b: Ints, shape: tuple[int, int]) -> Ints:
    return np.bincount(a * shape[1] + b, minlength=shape[0] * shape[1]).reshape(shape)


def _information(counts: Ints) -> float:
    """Return what one decision tells of the other, in nats, over all examples."""
    share = counts / max(counts.sum(), 1)
    apart = share.sum(axis=1, keepdims=True) * share.sum(axis=0, keepdims=True)
    at = share > 0
    return float(counts.sum() * np.sum(share[at] * np.log(share[at] / apart[at])))
