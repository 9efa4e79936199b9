"""A small dense autoencoder on the time-mean: 2,276 parameters for machines that sound steady."""

from outliernets.detectors.network import Network
from outliernets.detectors.spec import DetectorSpec
from outliernets.detectors.views import MEANS
from outliernets.nets.space import ArchSpec
from outliernets.score import ScoreSpec
from outliernets.train.fit import Recipe

SPEC = ArchSpec("dense-2276", "dense", (64, 16, 4, 16))


def dense(name: str, score: ScoreSpec, recipe: Recipe) -> Network:
    """Return the autoencoder 64-16-4-16-64 of 64 bands' means over the window."""
    return Network(name, DetectorSpec(name, SPEC, MEANS, score), recipe)
