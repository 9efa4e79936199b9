"""A detector in integers: what the device computes of rows of the front end, bit for bit."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from outliernets.config import MelConfig
from outliernets.detectors.normal import Normal
from outliernets.detectors.spec import DetectorSpec
from outliernets.features.plan import MelPlan, make_plan
from outliernets.features.windows import Standardizer
from outliernets.graph import Graph, Tensor
from outliernets.importer import read
from outliernets.reference import Reference
from outliernets.score import ScorePlan
from outliernets.view import BLOCK, View, ViewPlan, Windows

STEPS = 255  #: between the smallest and the largest int8 value


@dataclass(frozen=True)
class Plans:
    """All integers of a detector but those of its network."""

    mel: MelConfig
    standardizer: Standardizer
    row: Tensor  #: one row of the front end
    view: ViewPlan
    score: ScorePlan

    @property
    def front_end(self) -> MelPlan:
        """The tables of the front end."""
        return make_plan(self.mel, self.standardizer, self.row.scale, self.row.zero_point)

    def with_threshold(self, threshold: int) -> "Plans":
        """Return the plans with another alarm threshold."""
        return replace(self, score=self.score.with_threshold(threshold))


def plans(
    spec: DetectorSpec,
    learned: tuple[View, Normal | None],
    mel: MelConfig,
    standardizer: Standardizer,
    graph: Graph,
) -> Plans:
    """Return the integers of a detector whose int8 network is ``graph``."""
    view, normal = learned
    row = _row(spec, mel, graph)
    network = (graph.x.scale, graph.x.zero_point)
    seen = ViewPlan.make(view, mel.frames, mel.n_mels, (row.scale, row.zero_point), network)
    score = ScorePlan.make(graph.x, graph.y, spec.score, spec.network.input_shape[0])
    if normal is not None:
        # of the precision: its product with its transpose
        factor = np.linalg.cholesky(normal.precision).T
        score = score.with_distance(normal.mean, factor)
    return Plans(mel, standardizer, row, seen, score)


def _row(spec: DetectorSpec, mel: MelConfig, graph: Graph) -> Tensor:
    """Return how the front end's rows are quantised: as the network's input, if it reads them."""
    scale, zero_point = 2 * mel.clip_sigma / STEPS, 0
    if not spec.view.parts:
        scale, zero_point = graph.x.scale, graph.x.zero_point
    return Tensor("row", (1, 1, mel.n_mels, 1), "int8", (scale,), zero_point)


class Twin:
    """Scores as the device does, with the reference interpreter for the network."""

    def __init__(self, view: ViewPlan, score: ScorePlan, model: Path) -> None:
        self._view, self._score = view, score
        self._reference = Reference(model)

    def sums(
        self, rows: NDArray[np.int8], clips: NDArray[np.int64] | None = None
    ) -> NDArray[np.uint64]:
        """Return the score of each window of rows [n, frames * bands], as ``ScorePlan.sums``."""
        parts = [self._view.apply(rows[i : i + BLOCK]) for i in range(0, len(rows), BLOCK)]
        x = np.concatenate(parts) if parts else self._view.apply(rows)
        y = np.empty_like(x)
        for i, values in enumerate(x):
            y[i] = self._reference.infer(values).reshape(-1)
        return self._score.sums(x, y, clips)


def twin(found: Plans, model: Path) -> Twin:
    """Return the twin of a detector."""
    return Twin(found.view, found.score, model)


def rows_of(windows: Windows, row: Tensor) -> NDArray[np.int8]:
    """Return standardised windows [n, frames, bands] as rows of the front end, [n, size]."""
    rows = np.empty((len(windows), windows.shape[1] * windows.shape[2]), np.int8)
    for i in range(0, len(windows), BLOCK):
        block = windows[i : i + BLOCK]
        rows[i : i + BLOCK] = row.quantize(block).reshape(len(block), -1)
    return rows


def window_twin(model: Path) -> tuple[Twin, Tensor, ScorePlan]:
    """Return twin, row and score of any int8 network that rebuilds whole windows: mean square."""
    graph = read(model)
    score = ScorePlan.make(graph.x, graph.y)
    return Twin(ViewPlan.whole(1, graph.x.size), score, model), graph.x, score
