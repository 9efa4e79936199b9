"""An autoencoder: what it cannot reproduce it has not heard from the healthy machine."""

from dataclasses import dataclass, field, replace

from outliernets.config import MelConfig
from outliernets.detectors.base import Detector, Fitted, Progress
from outliernets.detectors.learned import learn
from outliernets.detectors.scores import summary
from outliernets.detectors.spec import DetectorSpec
from outliernets.detectors.views import described
from outliernets.train import principal
from outliernets.train.fit import Recipe
from outliernets.view import Windows


@dataclass(frozen=True)
class Network(Detector):
    """A network, or none, that reproduces a view of the window, and a score of what is left."""

    spec: DetectorSpec
    recipe: Recipe = field(default_factory=Recipe)
    epochs: int | None = None  #: instead of the recipe's steps: passes over the windows at most

    @property
    def seeded(self) -> bool:
        """See Detector: weights start at random, batches come in random order."""
        return not principal.is_solved(self.spec.network)

    @property
    def summary(self) -> str:
        """See Detector."""
        seen = described(self.spec.view)
        return f"{self.spec.network.name} on {seen}; {summary(self.spec.score)}"

    def fit(
        self,
        train: Windows,
        held_out: Windows,
        seed: int,
        progress: Progress | None = None,
    ) -> Fitted:
        """See Detector."""

        def told(step: int, steps: int, loss: float, _: float) -> None:
            if progress:
                progress(step, steps, f"loss {loss:.4f}")

        recipe = self.recipe_for(len(train))
        return learn(self.spec, train, held_out, MelConfig.clip_sigma, seed, recipe, told)

    def recipe_for(self, windows: int) -> Recipe:
        """Return how to train on so many windows."""
        if self.epochs is None:
            return self.recipe
        epoch = max(1, windows // self.recipe.batch)
        return replace(self.recipe, steps=self.epochs * epoch, check_every=epoch)
