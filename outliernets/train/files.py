"""The weights of a model as a file."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from outliernets.errors import DataError
from outliernets.files import written_whole
from outliernets.nets.build import build
from outliernets.nets.space import ArchSpec
from outliernets.train.quiet import tensorflow


def save_weights(model: Any, path: Path) -> None:
    """Write the weights of a Keras model as .npz, one array per variable (``enc1/bias``)."""
    arrays = {variable.path: variable.numpy() for variable in model.variables}
    with written_whole(path) as partial, partial.open("wb") as file:
        np.savez(file, **arrays)


def load_model(spec: ArchSpec, path: Path) -> Any:
    """Return the Keras model of ``spec`` with the weights that ``save_weights`` wrote.

    Raise DataError for a file that is missing, damaged or of another architecture.
    """
    if spec.layers:
        tensorflow()  # quietly, before Keras imports it
    model = build(spec)
    try:
        with np.load(path) as arrays:
            weights = {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: cannot read the weights: {error}; train again") from None
    expected = {variable.path: tuple(variable.shape) for variable in model.variables}
    if {name: array.shape for name, array in weights.items()} != expected:
        raise DataError(f"{path}: these are not the weights of network '{spec.name}'; train again")
    for variable in model.variables:
        variable.assign(weights[variable.path])
    return model
