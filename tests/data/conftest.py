"""Tiny trees of recordings for the data tests."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

RATE = 16_000
SAMPLES = 17_000


def tone(seed: int = 0, samples: int = SAMPLES) -> np.ndarray:
    """A short clip of noise, int16."""
    rng = np.random.default_rng(seed)
    return rng.integers(-3000, 3000, samples).astype(np.int16)


@pytest.fixture
def put(tmp_path: Path) -> Callable[..., Path]:
    """Write ``count`` clips into a folder below the test's own, and return the folder."""

    def write(folder: str, count: int, name: str = "{:08d}.wav") -> Path:
        place = tmp_path / folder
        place.mkdir(parents=True, exist_ok=True)
        for index in range(count):
            soundfile.write(place / name.format(index), tone(index), RATE, subtype="PCM_16")
        return place

    return write
