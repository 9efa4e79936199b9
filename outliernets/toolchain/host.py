"""Compile for this machine: programs, and shared libraries that run in this process.

With every check switched on, a library is compared with its numpy twin without an emulator; without
checks and at full speed, with what other engines need.
"""

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from outliernets.errors import BuildError, MissingToolError
from outliernets.toolchain.base import WARNINGS
from outliernets.toolchain.gcc import GccToolchain
from outliernets.toolchain.zig import ZigToolchain

FASTEST = "-O3"
STRICT = ("-std=c11", *WARNINGS, "-fPIC", "-shared")
CHECKED = {
    "zig": ("-O2", "-fsanitize=undefined", "-fsanitize-trap=undefined"),
    "gcc": ("-O2", "-fsanitize=undefined", "-fsanitize-undefined-trap-on-error"),
}
RELEASE = {
    "zig": (FASTEST, "-mcpu=native", "-fno-sanitize=all"),
    "gcc": (FASTEST, "-march=native"),
}
ALIGNMENT = 64  #: bytes; of everything a network is given, at least what its C asks for


class HostGccToolchain(GccToolchain):
    """GCC for this very processor: speed before size."""

    def _compile_options(self) -> list[str]:
        return [*super()._compile_options(), FASTEST]


class HostZigToolchain(ZigToolchain):
    """Clang for this very processor: speed before size."""

    def _compile_options(self) -> list[str]:
        return [*super()._compile_options(), FASTEST]


def default_compiler() -> str:
    """Return ``gcc`` if this machine has one (quicker to start), else ``zig``."""
    return "gcc" if shutil.which("gcc") else "zig"


def compile_shared(
    sources: Sequence[Path],
    include: Sequence[Path],
    out: Path,
    compiler: str | None = None,
    defines: Mapping[str, str] | None = None,
    release: bool = False,
) -> Path:
    """Compile C files into the shared library ``out``; undefined behaviour traps.

    With ``release``: no checks, all speed, for the processor of this machine only.
    Raises BuildError with the compiler's first error, MissingToolError without a compiler.
    """
    compiler = compiler or default_compiler()
    command = [
        *_command(compiler),
        *STRICT,
        *(RELEASE if release else CHECKED)[compiler],
        *(f"-I{path}" for path in include),
        *(f"-D{name}={value}" for name, value in (defines or {}).items()),
        *map(str, sources),
        "-o",
        str(out),
    ]
    environment = os.environ | {"ZIG_LOCAL_CACHE_DIR": str(out.parent / "zig-cache")}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        first = next((line for line in lines if "error:" in line), lines[0] if lines else "?")
        raise BuildError(f"{compiler} failed on {sources[0].name}: {first}")
    return out


def _command(compiler: str) -> list[str]:
    if compiler == "zig":
        try:
            import ziglang  # noqa: F401
        except ImportError:
            raise MissingToolError(
                "no C compiler: install one with \"pip install 'ongen[zig]'\""
            ) from None
        return [sys.executable, "-m", "ziglang", "cc"]
    return [compiler]


class HostNetwork:
    """A compiled network in this process: ``infer`` maps int8 input to int8 output."""

    STATE_SLACK = 64

    def __init__(self, library: Path, name: str, state: int, inputs: int, outputs: int) -> None:
        self._infer = getattr(ctypes.CDLL(str(library)), f"{name}_infer")
        self._infer.restype = None
        self._state = _aligned(state + self.STATE_SLACK)
        self.inputs, self.outputs = inputs, outputs

    def infer(self, x: NDArray[np.int8]) -> NDArray[np.int8]:
        """Run the network once."""
        source = np.ascontiguousarray(x, np.int8).ravel()
        if source.size != self.inputs:
            raise ValueError(f"needs {self.inputs} values, got {source.size}")
        out = np.empty(self.outputs, np.int8)
        self.bind(source, out)()
        return out

    def bind(self, x: NDArray[np.int8], out: NDArray[np.int8]) -> Callable[[], None]:
        """Return a call that maps ``x`` to ``out``: contiguous, of the right sizes, kept alive."""
        return partial(self._infer, *(_address(array) for array in (self._state, x, out)))


def _aligned(size: int) -> NDArray[np.int8]:
    """Return ``size`` zeros at a multiple of ALIGNMENT."""
    room = np.zeros(size + ALIGNMENT, np.int8)
    start = -room.ctypes.data % ALIGNMENT
    return room[start : start + size]


def _address(array: NDArray[np.int8]) -> ctypes.c_void_p:
    return array.ctypes.data_as(ctypes.c_void_p)
