"""A detector that has learned a machine, in floats: the reference the device is judged by."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from outliernets.detectors.base import Fitted, Floats, Ints
from outliernets.detectors.normal import Normal
from outliernets.detectors.scores import Score
from outliernets.detectors.spec import DetectorSpec
from outliernets.errors import DataError
from outliernets.files import written_whole
from outliernets.train import principal
from outliernets.train.files import load_model, save_weights
from outliernets.train.fit import Begin, Progress, Recipe, Trained, reconstruct, train
from outliernets.view import BLOCK, View, Windows

SPEC, WEIGHTS, NUMBERS = "detector.toml", "weights.npz", "detector.json"


@dataclass(frozen=True, eq=False)
class Learned(Fitted):
    """View, network (a Keras ``model`` or ``Zeros``) and score, all of them ready."""

    spec: DetectorSpec
    view: View
    model: Any
    score: Score
    trained: Trained | None = None  #: None where the network was solved, or read from a file

    @property
    def params(self) -> int:  # type: ignore[override]
        """See Fitted."""
        return self.spec.network.params + self.score.params

    @property
    def macs(self) -> int:  # type: ignore[override]
        """See Fitted."""
        return self.spec.network.macs + self.score.macs

    def scores(self, windows: Windows, clips: Ints) -> Floats:
        """See Fitted."""
        found = [
            self.score.of(self.residual(windows[part]), clips[part]) for part in _whole_clips(clips)
        ]
        return np.concatenate(found) if found else np.zeros(0)

    def residual(self, windows: Windows) -> Windows:
        """Return what the network left of the view of each window, [n, rows, columns]."""
        x = self.view.apply(windows)
        return np.asarray(x - reconstruct(self.model, x))

    def save(self, folder: Path) -> None:
        """Write ``detector.toml``, ``weights.npz`` and ``detector.json``."""
        (folder / SPEC).write_text(self.spec.to_toml())
        save_weights(self.model, folder / WEIGHTS)
        normal = self.score.normal
        numbers = {
            "view": self.view.to_dict(),
            "normal": normal
            and {"mean": normal.mean.tolist(), "precision": normal.precision.tolist()},
        }
        with written_whole(folder / NUMBERS) as partial:
            partial.write_text(json.dumps(numbers) + "\n")


Look = Callable[[int, Callable[[], Learned]], None]  #: step, what is learned so far


def learn(
    spec: DetectorSpec,
    windows: Windows,
    held_out: Windows,
    clip_sigma: float,
    seed: int,
    recipe: Recipe,
    progress: Progress | None = None,
    look: Look | None = None,
    begin: Begin | None = None,
) -> Learned:
    """Learn from standardised ``windows`` [n, 32, 128], clipped at ``clip_sigma`` deviations.

    ``held_out`` windows, of other normal clips, say when to stop. ``look`` is called whenever a
    training has looked at them, and may end it by raising. ``begin``: see ``train``. Same
    arguments, same result. Raise DataError for windows that cannot be learned from.
    """
    view = spec.view.fit(windows, clip_sigma)
    x = view.apply(windows)

    def learned(model: Any, trained: Trained | None = None) -> Learned:
        needs_residual = spec.score.kind == "mahalanobis"
        score = Score.fit(spec.score, x - reconstruct(model, x) if needs_residual else x)
        return Learned(spec, view, model, score, trained)

    def looked(step: int, model: Any) -> None:
        if look:
            look(step, lambda: learned(model))

    if principal.is_solved(spec.network):
        return learned(principal.solve(spec.network, x))
    trained = train(spec.network, x, view.apply(held_out), seed, recipe, progress, looked, begin)
    return learned(trained.model, trained)


def _whole_clips(clips: Ints) -> Iterator[slice]:
    """Yield parts of the windows, in order, that end where a clip ends."""
    ends = np.flatnonzero(np.diff(clips, append=clips[-1:] + 1)) + 1
    first = 0
    for i, end in enumerate(ends):
        if end - first >= BLOCK or i == len(ends) - 1:
            yield slice(first, int(end))
            first = int(end)


def load(folder: Path) -> Learned:
    """Return the detector that ``Learned.save`` wrote; DataError if it is damaged."""
    spec = DetectorSpec.load(folder / SPEC)
    view, normal = numbers(folder, spec)
    return Learned(
        spec, view, load_model(spec.network, folder / WEIGHTS), Score(spec.score, normal)
    )


def numbers(folder: Path, spec: DetectorSpec) -> tuple[View, Normal | None]:
    """Return what view and score learned, without the network."""
    path = folder / NUMBERS
    try:
        found = json.loads(path.read_text())
        view, normal = View.from_dict(spec.view, found["view"]), found["normal"]
        if normal is not None:
            mean, precision = np.array(normal["mean"]), np.array(normal["precision"])
            return view, Normal(mean, precision, 0.0)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: cannot read what was learned: {error}; train again") from None
    return view, None
