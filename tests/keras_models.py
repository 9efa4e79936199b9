"""Keras models with random weights, and windows to calibrate and try them on."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from outliernets.nets.build import build, randomise
from outliernets.nets.space import ArchSpec

Floats = NDArray[np.float32]


def smooth_windows(count: int, seed: int = 0) -> Floats:
    """Noise with some structure in time and frequency, of unit variance, within +-6."""
    random = np.random.default_rng(seed)
    slow = np.repeat(np.repeat(random.normal(size=(count, 8, 16)), 4, axis=1), 8, axis=2)
    mixed = 0.9 * slow + 0.44 * random.normal(size=(count, 32, 128))
    return np.clip(mixed, -6, 6).astype(np.float32)


def random_model(spec: ArchSpec, seed: int = 1) -> Any:
    """A model whose biases and normalisations are not the identity, as after training."""
    import keras

    keras.utils.set_random_seed(seed)
    model, random = build(spec), np.random.default_rng(seed)
    randomise(model, random)
    return model
