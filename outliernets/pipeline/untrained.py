"""Networks with random weights: what a table measures where values of weights hardly matter."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outliernets.config import SEED, MelConfig
from outliernets.nets import zoo
from outliernets.nets.space import ArchSpec

CAE = "cae-mcs"  #: what the paper compares its networks with
CALIBRATION = 20  #: windows
LARGE = 10**6  #: parameters, from which a network is tried on one input only


def paper_networks() -> list[ArchSpec]:
    """Return the networks of Table 1, each once, by family and size, and CAE-MCS."""
    names = dict.fromkeys(zoo.get(row.task).name for row in zoo.PAPER_ROWS)
    return [zoo.get(name) for name in [*sorted(names, key=_size), CAE]]


def _size(name: str) -> tuple[str, int]:
    spec = zoo.get(name)
    return spec.family, spec.params


@dataclass(frozen=True)
class Untrained:
    """A Keras model with random weights, and windows [n, rows, bands, 1] to calibrate it with."""

    model: Any
    windows: NDArray[np.float32]

    def int8(self) -> bytes:
        """Return it as full-int8 .tflite; its input covers +- ``MelConfig.clip_sigma``."""
        from outliernets.train.quantize import to_int8

        return to_int8(self.model, self.windows, MelConfig.clip_sigma)

    def float32(self) -> bytes:
        """Return it as .tflite of floats."""
        from outliernets.train.quantize import to_float32

        return to_float32(self.model)


def untrained(spec: ArchSpec, seed: int = SEED) -> Untrained:
    """Return a network with random weights; same seed, same network."""
    from outliernets.nets.build import build, randomise
    from outliernets.train.quiet import tensorflow

    tensorflow()
    import keras

    keras.utils.set_random_seed(seed)
    random, model = np.random.default_rng(seed), build(spec)
    randomise(model, random)
    windows = random.normal(size=(CALIBRATION, *model.input_shape[1:]))
    return Untrained(model, windows.astype(np.float32))
