"""Windows as a machine might sound: bands that hum together, with noise of their own."""

import numpy as np

BANDS, FRAMES = 128, 32


def hums(count: int, seed: int = 0, level: float = 0.0) -> np.ndarray:
    """Return [count, 32, 128]: three hums that come and go between windows; ``level`` lifts one
    band in ten."""
    random = np.random.default_rng(seed)
    shapes = np.sin(np.arange(BANDS) / np.array([[5], [11], [23]]))
    lines = random.normal(size=(count, 3)) @ shapes
    lines[:, ::10] += level
    noise = random.normal(size=(count, FRAMES, BANDS))
    return (lines[:, None, :] + noise).astype(np.float32)
