"""CAE-MCS, what the paper compares with, by its own recipe as far as it is published."""

from dataclasses import replace

from outliernets.detectors.network import Network
from outliernets.detectors.spec import DetectorSpec
from outliernets.nets import zoo
from outliernets.score import ScoreSpec
from outliernets.train.fit import Recipe

EPOCHS, PATIENCE, RATE = 100, 10, 1e-3


def cae_mcs(name: str, score: ScoreSpec, steps: int | None = None) -> Network:
    """Return CAE-MCS (Ribeiro et al. 2020): Adam, at most 100 epochs, patience of 10 epochs.

    Adam's rate starts at its usual 1e-3 and here decays along a cosine. ``steps`` instead of epochs
    cuts the training short, for a machine that has no hours to spare.
    """
    recipe = replace(Recipe(), rate=RATE, patience=PATIENCE, gain=0.0)
    spec = DetectorSpec(name, zoo.get("cae-mcs"), score=score)
    if steps is not None:
        return Network(name, spec, replace(recipe, steps=steps))
    return Network(name, spec, recipe, EPOCHS)
