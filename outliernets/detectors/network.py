"""An autoencoder: what it cannot reproduce it has not heard from the healthy machine."""

from dataclasses import dataclass, field, replace
from typing import Any

from outliernets.detectors.base import Detector, Fitted, Floats, Ints, Progress
from outliernets.detectors.scores import Score, ScoreKind
from outliernets.detectors.views import Windows, view
from outliernets.nets.space import ArchSpec
from outliernets.train import fit as training
from outliernets.train.fit import Recipe, reconstruct


@dataclass(frozen=True)
class Network(Detector):
    """A network that reproduces a view of the window, and a score of what is left."""

    spec: ArchSpec
    score: ScoreKind
    view: str = "window"
    recipe: Recipe = field(default_factory=Recipe)
    epochs: int | None = None  #: instead of the recipe's steps: passes over the windows at most

    @property
    def seeded(self) -> bool:
        """See Detector: weights start at random, batches come in random order."""
        return True

    @property
    def summary(self) -> str:
        """See Detector."""
        return f"{self.spec.name} on {self.view}; {self.score.summary}"

    def fit(
        self,
        train: Windows,
        held_out: Windows,
        seed: int,
        progress: Progress | None = None,
    ) -> Fitted:
        """See Detector."""
        seen = view(self.view)
        x = seen(train)

        def told(step: int, steps: int, loss: float, _: float) -> None:
            if progress:
                progress(step, steps, f"loss {loss:.4f}")

        recipe = self.recipe_for(len(x))
        model = training.train(self.spec, x, seen(held_out), seed, recipe, told).model
        score = self.score.fit(x - reconstruct(model, x))
        return _FittedNetwork(self, model, score)

    def recipe_for(self, windows: int) -> Recipe:
        """Return how to train on so many windows."""
        if self.epochs is None:
            return self.recipe
        epoch = max(1, windows // self.recipe.batch)
        return replace(self.recipe, steps=self.epochs * epoch, check_every=epoch)


class _FittedNetwork(Fitted):
    def __init__(self, detector: Network, model: Any, score: Score) -> None:
        self._view, self._model, self._score = view(detector.view), model, score
        self.params = detector.spec.params + score.params
        self.macs = detector.spec.macs + score.macs

    def scores(self, windows: Windows, clips: Ints) -> Floats:
        x = self._view(windows)
        return self._score.of(x - reconstruct(self._model, x), clips)
