"""Imports and runs TensorFlow without its chatter on stderr: progress bars stay readable."""

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
_STDERR = 2


def tensorflow() -> Any:
    """Return the ``tensorflow`` module, imported with its logs turned off.

    Set TF_CPP_MIN_LOG_LEVEL (to 0, for example) to see all of them.
    """
    with muted():
        import absl.logging
        import tensorflow

        absl.logging.set_verbosity(absl.logging.ERROR)
    return tensorflow


@contextmanager
def muted() -> Iterator[None]:
    """Discard what C++ code writes to stderr meanwhile, and Python warnings; progress still shows.

    Nothing is discarded where the user has set TF_CPP_MIN_LOG_LEVEL.
    """
    if os.environ.get(_LEVEL, "3") != "3":
        yield
        return
    os.environ[_LEVEL] = "3"
    with _stderr_of_c_to_null(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def _stderr_of_c_to_null() -> Iterator[None]:
    """Point file descriptor 2 at nothing while Python's own sys.stderr keeps its terminal."""
    original, python_stderr = os.dup(_STDERR), sys.stderr
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        if _is_descriptor_2(python_stderr):
            sys.stderr = os.fdopen(os.dup(original), "w", buffering=1, errors="backslashreplace")
        os.dup2(null, _STDERR)
        yield
    finally:
        os.dup2(original, _STDERR)
        if sys.stderr is not python_stderr:
            sys.stderr.close()
        sys.stderr = python_stderr
        os.close(original)
        os.close(null)


def _is_descriptor_2(stream: Any) -> bool:
    try:
        return bool(stream.fileno() == _STDERR)
    except (AttributeError, OSError, ValueError):
        return False
