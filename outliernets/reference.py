"""TensorFlow Lite Micro's host interpreter: the reference for every int8 result."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from outliernets.errors import MissingToolError, UnsupportedModelError

ARENA_BYTES = 8 * 2**20


class Reference:
    """A .tflite model that runs as TensorFlow Lite Micro runs it on a device."""

    def __init__(self, model: Path) -> None:
        try:
            from tflite_micro.python.tflite_micro import runtime
        except ImportError:
            raise MissingToolError(
                "the reference interpreter is missing: pip install tflite-micro"
            ) from None
        try:
            self._interpreter = runtime.Interpreter.from_file(str(model), arena_size=ARENA_BYTES)
        except RuntimeError as error:
            raise UnsupportedModelError(
                f"{model.name}: TensorFlow Lite Micro refuses it ({error})"
            ) from None
        self._shape = tuple(self._interpreter.get_input_details(0)["shape"])

    def infer(self, x: NDArray[np.int8]) -> NDArray[np.int8]:
        """Run once on int8 values of the input's size; return the output, flat."""
        self._interpreter.set_input(x.astype(np.int8).reshape(self._shape), 0)
        self._interpreter.invoke()
        output: NDArray[np.int8] = self._interpreter.get_output(0).ravel()
        return output
