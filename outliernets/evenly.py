"""A few of many, evenly chosen."""

import numpy as np


def evenly(count: int, most: int) -> list[int]:
    """Return the numbers of at most ``most`` of ``count`` things: both ends, equal gaps between."""
    places = np.linspace(0, count - 1, min(count, most)).round().astype(int)
    return [int(place) for place in places]
