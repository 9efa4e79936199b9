"""A small dense autoencoder on the time-mean: 2,276 parameters for machines that sound steady."""

from outliernets.detectors.network import Network
from outliernets.detectors.scores import ScoreKind
from outliernets.nets.space import ArchSpec
from outliernets.train.fit import Recipe

SPEC = ArchSpec("dense-2276", "dense", (64, 16, 4, 16))


def dense(name: str, score: ScoreKind, recipe: Recipe) -> Network:
    """Return the autoencoder 64-16-4-16-64 of 64 bands' means over the window."""
    return Network(name, SPEC, score, "mean64", recipe)
