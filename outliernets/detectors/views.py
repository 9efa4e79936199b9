"""What a detector looks at: a window, or less of it. Pure functions of standardised windows.

Every view is an image again, [n, rows, bands], so one kind of network and of score reads them all.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from outliernets.errors import ConfigError, near_miss

Windows = NDArray[np.float32]  #: [n, frames, bands], standardised
View = Callable[[Windows], Windows]  #: [n, frames, bands] to [n, rows, bands]


def window(x: Windows) -> Windows:
    """Return the windows as they are: the paper's input."""
    return x


def pooled_time(x: Windows, factor: int) -> Windows:
    """Return means of ``factor`` neighbouring frames; ``factor`` must divide the frames."""
    n, frames, bands = x.shape
    return np.asarray(x.reshape(n, frames // factor, factor, bands).mean(axis=2))


def time_mean(x: Windows) -> Windows:
    """Return each band's mean over the window, [n, 1, bands]: all a stationary machine says."""
    return np.asarray(x.mean(axis=1, keepdims=True))


def time_statistics(x: Windows) -> Windows:
    """Return each band's mean, deviation and maximum over the window, [n, 3, bands]."""
    return np.stack([x.mean(axis=1), x.std(axis=1), x.max(axis=1)], axis=1)


def pooled_bands(x: Windows, bands: int) -> Windows:
    """Return means of neighbouring bands so that ``bands`` remain; their number must divide."""
    n, rows, all_bands = x.shape
    return np.asarray(x.reshape(n, rows, bands, all_bands // bands).mean(axis=3))


VIEWS: dict[str, View] = {
    "window": window,
    "pool2": lambda x: pooled_time(x, 2),
    "pool4": lambda x: pooled_time(x, 4),
    "pool8": lambda x: pooled_time(x, 8),
    "mean": time_mean,
    "mean64": lambda x: pooled_bands(time_mean(x), 64),
    "statistics": time_statistics,
    "mean-deviation": lambda x: time_statistics(x)[:, :2],
}


def view(name: str) -> View:
    """Return a view by name; raise ConfigError for one that does not exist."""
    if name not in VIEWS:
        raise ConfigError(f"unknown view '{name}'; {near_miss(name, VIEWS)}")
    return VIEWS[name]


def vectors(name: str, windows: Windows) -> NDArray[np.float64]:
    """Return a view of each window as a row of numbers, [n, rows * bands]."""
    return view(name)(windows).reshape(len(windows), -1).astype(np.float64)
