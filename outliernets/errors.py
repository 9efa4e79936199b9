"""Errors a user can do something about; each kind has its own exit code, and each is one line.

A message says what is wrong, where, what is allowed and what to try. Anything else that is raised
is a bug and keeps its traceback (exit code 1).
"""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import ClassVar


class OngenError(Exception):
    """Base of all errors that are reported in one line."""

    exit_code: ClassVar[int] = 2


class ConfigError(OngenError):
    """A name, option or file of settings is wrong."""


class DataError(OngenError):
    """Recordings are missing, unreadable or unusable."""


class UnsupportedModelError(OngenError):
    """The model cannot be compiled: not int8, an unknown op, a limit of an op."""

    exit_code: ClassVar[int] = 3


class BuildError(OngenError):
    """A compiler or linker failed, or the program does not fit the board."""

    exit_code: ClassVar[int] = 4


class ParityError(OngenError):
    """The target disagrees with the reference, or a budget is broken."""

    exit_code: ClassVar[int] = 5


class MissingToolError(OngenError):
    """A program or package that this step needs is not installed."""

    exit_code: ClassVar[int] = 6


class TargetError(OngenError):
    """The firmware on the target crashed, fell silent or talked nonsense."""

    exit_code: ClassVar[int] = 5


def near_miss(name: str, known: Iterable[str]) -> str:
    """Return ``did you mean X? `` (or nothing) and what exists, for an error message."""
    names = sorted(known)
    close = get_close_matches(name, names, n=1)
    hint = f"did you mean '{close[0]}'? " if close else ""
    return f"{hint}known: {', '.join(names)}"
