"""Views that several detectors share, and what a view is in words."""

from outliernets.detectors.base import Floats
from outliernets.view import PLURALS, Part, ViewSpec, Windows

MEANS = ViewSpec(parts=(Part("mean", 64),))  #: each band's mean over time, neighbours averaged
STATISTICS = ViewSpec(parts=(Part("mean", 128), Part("deviation", 128)))


def vectors(view: ViewSpec, windows: Windows) -> Floats:
    """Return a view of each window as a row of numbers, [n, rows * columns], not centred."""
    return view.raw(windows).reshape(len(windows), -1)


def described(view: ViewSpec) -> str:
    """Return what a view is, in a few words."""
    if view.parts:
        seen = ", ".join(f"{part.bands} {PLURALS[part.statistic]}" for part in view.parts)
    else:
        seen = "the window" if view.pool == 1 else f"frames pooled by {view.pool}"
    cropped = [] if view.frames is None else [f"last {view.frames} frames"]
    cropped += [] if view.bands is None else [f"bands {view.bands[0]} to {view.bands[1] - 1}"]
    return f"{seen} of {' and '.join(cropped)}" if cropped else seen
